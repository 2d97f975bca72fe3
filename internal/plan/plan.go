// Package plan decides what has to happen for live state to become what a
// script declares. It is pure: declarations and observations go in, a plan
// comes out, the same one for the same input, and nothing is contacted.
//
// [Decide] is the heart: it settles one resource from its declaration, the
// live objects that could be it, and what becomes of the resources that it
// refers to. [Build] calls it for every declaration in dependency order, adds
// the deletions, and orders everything as a graph. The executor calls
// [Decide] again when a value becomes known or a scope comes to be, so that
// what a plan shows and what an apply does cannot drift apart.
package plan

import (
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Action is what a step does to a resource.
type Action int

const (
	NoOp       Action = iota // it is as declared
	Read                     // looked up, never changed
	Check                    // asked whether it is as it should be; there is nothing to change
	Create                   // it does not exist
	Update                   // changed in place
	Replace                  // deleted, then created
	NewVersion               // a new version beside the old one
	Delete                   // no longer wanted
	Release                  // no longer wanted, but not made by us either: it stays
)

var actionSigns = [...]string{" ", "<=", "<=", "+", "~", "-/+", "+/-", "-", "."}

// Sign returns the action as plans show it: + ~ -/+ +/- - . <=.
func (a Action) Sign() string { return actionSigns[a] }

var actionWords = [...]string{"no-op", "read", "check", "create", "update", "replace", "new version", "delete", "release"}

// String returns the action in words.
func (a Action) String() string { return actionWords[a] }

// Drops reports whether the action ends with the resource being none of the
// project's.
func (a Action) Drops() bool { return a == Delete || a == Release }

// Change is what is planned for one resource.
type Change struct {
	Address value.Address
	Kind    *resource.Kind
	Scope   string
	Action  Action
	Decl    *resource.Declaration // nil where it is not declared
	Live    *resource.Object      // nil where it does not exist
	// Args are the declared arguments as far as they are known.
	Args value.Struct
	// Fields are the differences; for a creation there are none: all of Args
	// is new.
	Fields []schema.Change
	// Mark is what the object shall carry, Remark that it does not yet.
	Mark   resource.Mark
	Remark bool
	// Former are the older versions whose marks still have another address, as
	// moved() says, or that are taken over: they are marked beside the current one.
	Former []*resource.Object
	// Name is the live name of a versioned kind's version, "" while unknown.
	Name string
	// Imported is set where the mark is all that is written, whatever else
	// differs.
	Imported bool
	// Restart is set where lifecycle(replace_on=) renews what runs.
	Restart bool
	// Unsettled says what a no-op still has to wait for.
	Unsettled string
	// Reason tells why, where the differences do not: "no longer declared".
	Reason string
	// Effect says what the step does to what runs.
	Effect string
	// Outage is set where a machine does not run while the step is made.
	Outage *Outage
	// Rolls are the resources that a new version makes change.
	Rolls []value.Address
	// Takes names what goes with a scope that is deleted or replaced: first what
	// is not this project's.
	Takes []string
	// Deferred is set where the scope does not exist yet, or is on what does not
	// run: what is in it is compared again when it does.
	Deferred bool
	// Tentative is set on a replacement that only unknown values ask for: when
	// they are known it may turn out not to be needed.
	Tentative bool
	// ReplacedBy is the used resource whose replacement forces this one.
	ReplacedBy value.Address
	// Findings are what is foreseen of it: that a task would have no node. An
	// error among them keeps the plan from being carried out.
	Findings diag.List
	// Pending is set where it is foreseen that tasks of it have no node, and that
	// is permitted: nobody waits for them.
	Pending bool
	// Owed is set on a check that did not pass, or was not reached, in the last
	// apply.
	Owed bool
	// Ends is set on a deletion in a scope that is itself taken away.
	Ends bool
	// Blocked is set where the step must not run; it says why.
	Blocked string
	// Left is set where a resource is left as it is, whatever that is: what it is on
	// is not to run, which it says.
	Left string
}

// MarkOnly reports whether the mark is all that an update writes.
func (c *Change) MarkOnly() bool { return c.Action == Update && len(c.Fields) == 0 && !c.Restart }

// Changes reports whether the step writes anything.
func (c *Change) Changes() bool { return c.Action > Check }

// Plan is what is to be done, and in which order.
type Plan struct {
	Project string
	// Program is what was planned: the script's, or with --target and --exclude
	// the part of it.
	Program *resource.Program
	// Changes has one entry per resource: declared ones in the script's order,
	// then deletions by address.
	Changes []*Change
	// Drift is what would be done, of a plan that only looks: its Changes are
	// then empty.
	Drift []*Change
	// Partial is set where a person chose a part of the project.
	Partial bool
	// Owes are the checks that a plan of a part leaves out though they come after
	// something that it changes: a later apply makes them.
	Owes []value.Address
	// Graph orders them.
	Graph *Graph
	// Outputs of the script, resolved as far as they are known.
	Outputs []resource.OutputValue
	// Warnings for the person who reads the plan.
	Warnings diag.List
	// Unreachable are the scopes that did not answer, by address.
	Unreachable map[string]error
	// Off has the scopes whose machine, or engine, is there and does not run.
	Off map[string]bool
}

// Counts are the numbers of a plan's last line.
type Counts struct {
	Add, Change, Replace, Delete, Release, Read, Check, Wait int
}

// Counts counts the steps.
func (p *Plan) Counts() Counts {
	var n Counts
	for _, c := range p.Changes {
		switch c.Action {
		case Create:
			n.Add++
		case Update:
			n.Change++
		case Replace, NewVersion:
			n.Replace++
		case Delete:
			n.Delete++
		case Release:
			n.Release++
		case Read:
			n.Read++
		case Check:
			n.Check++
		}
		if c.Unsettled != "" && !c.Changes() {
			n.Wait++
		}
	}
	return n
}

// Empty reports whether the plan changes nothing.
func (p *Plan) Empty() bool {
	for _, c := range p.Changes {
		if c.Changes() {
			return false
		}
	}
	return true
}

// Idle reports whether there is nothing to do at all: nothing to write, to wait
// for or to check.
func (p *Plan) Idle() bool {
	n := p.Counts()
	return p.Empty() && n.Wait == 0 && n.Check == 0
}
