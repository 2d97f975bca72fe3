package resource

import (
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Forecaster says what a plan would come to in the scope that it belongs to,
// from what was observed there: that a task would have no node, that a port is
// taken. It contacts nothing.
type Forecaster interface {
	// Forecast is given all objects of the scope as they will be when the plan
	// is carried out: first those that it leaves alone, as they were observed,
	// then the others in the plan's order. What goes is not among them. Elsewhere
	// are those of scopes that are nodes of this one, such as a node's volumes.
	Forecast(list, elsewhere []Prospect) []Finding
}

// Prospect is an object as it will be.
type Prospect struct {
	Address value.Address // "" where it is not declared
	Title   string        // what a person calls it: "service.web", "service db of other/prod"
	Kind    string
	Live    *Object // nil where there is none yet
	// Changes is set where the plan writes it; then Args are what it will be, with
	// references in them where something is not known yet.
	Changes bool
	Args    value.Struct
	Schema  *schema.Struct  // of Args
	Fields  []schema.Change // of an update, what differs
	Anew    bool            // it is deleted before, where it is live, and made anew
	Restart bool            // what runs is renewed though nothing else may change
	// Node is the ID of the node that it is on, of those elsewhere.
	Node string
	// NoWait is set where nobody waits until it has converged, or it need not.
	NoWait bool
}

// Finding is something that a person should know of a declared object before
// the plan is carried out. One that is an error keeps it from being carried
// out. The position is filled in by the planner.
type Finding struct {
	Address value.Address
	diag.Diagnostic
	// Pending is set where tasks of it would have no node.
	Pending bool
}
