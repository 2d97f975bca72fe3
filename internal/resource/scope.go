package resource

import (
	"context"
	"errors"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Scope names a scope of a project and tells how to reach it.
type Scope struct {
	Address string // "engine.default", "swarm.main"
	Type    string // "engine", "swarm"
	// Config says how an outermost scope is reached, in a type of its own; nil
	// for those that a resource opens, which has the scope's address.
	Config any
	// Parent is the address of the scope that its opener lives in, where no
	// declaration tells: "" for outermost ones.
	Parent string
	Pos    diag.Pos
}

// Query is what an observation is for.
type Query struct {
	Project string
	// Kinds are the names of the kinds that the program declares in the scope.
	// What carries no mark, and so is never pruned, is listed only where it is
	// asked for.
	Kinds map[string]bool
	// Declared is what the program declares in the scope.
	Declared []*Declaration
	// Outputs are the names of the outputs that the program refers to: what only
	// one of them tells is not asked for without it.
	Outputs map[string]bool
}

// Conn reaches one scope.
type Conn interface {
	// Observe reads all the live objects of the scope in one batch, those of
	// every project, and the project's ledger.
	Observe(ctx context.Context, q Query) (*Observation, error)
	Close() error
}

// Observation is what is live in a scope.
type Observation struct {
	// Identity is what the scope is, however it is called and reached: an
	// engine's ID. It may be empty.
	Identity string
	// Node is the ID that an engine has as a node of its swarm, "" where it is in
	// none.
	Node    string
	Objects []*Object
	// API is the version of the engine's API, "" where there is none: fields
	// that came later are refused.
	API    string
	Ledger Ledger
	// Summary counts what is there for a person: "3 nodes, 4 services".
	Summary string
	// Problems are things that the plan should tell: a node that is down.
	Warnings []string
	// Forecaster says what a plan would come to; nil where nothing is foreseen.
	Forecaster Forecaster
	// Begins forecasts a scope that a resource here is to open and that does not
	// exist yet, from that resource's arguments; nil where nothing is foreseen.
	Begins func(opener value.Struct) Forecaster
}

// Ledger is what a project keeps in a scope beside its objects.
type Ledger struct {
	// HashKey is 32 random bytes, nil before the first apply.
	HashKey []byte
	// Scopes are the scopes that the project uses.
	Scopes []ScopeEntry
	// Marks are those of objects whose labels cannot be changed, by ID. They
	// win over the objects' own.
	Marks map[string]Mark
	// Unpassed are the addresses of checks that an apply began to make, or was to
	// make, and that have not passed since: the next one makes them.
	Unpassed []string
}

// ScopeEntry is one line of a project's inventory. It holds no secret.
type ScopeEntry struct {
	Address  string
	Type     string
	Endpoint string
	ID       string // the swarm's ID
}

// Inquirer is implemented by connections to scopes of which others know more:
// the registries, of the images that are asked for in them.
type Inquirer interface {
	// Inquire completes an observation by what only others can tell of what is
	// declared, and returns what they refuse, and what could not be asked. It
	// writes nothing, and asks nothing of what is as it is declared.
	Inquire(ctx context.Context, q Query, obs *Observation) diag.List
}

// Keeper is implemented by connections to scopes that can keep a ledger.
type Keeper interface {
	// SaveLedger creates or changes the project's ledger. It writes nothing
	// where nothing would change. A hash key that exists is never replaced:
	// the ledger that holds now is returned.
	SaveLedger(ctx context.Context, project string, change func(*Ledger)) (Ledger, error)
	// DropLedger removes the ledger; the project is no more.
	DropLedger(ctx context.Context, project string) error
}

// Marker is implemented by connections to scopes that can keep the marks of
// objects whose labels cannot be changed.
type Marker interface {
	// SaveMarks changes the marks of the project that an observation returns in
	// its ledger, by the objects' IDs. It writes nothing where nothing would
	// change.
	SaveMarks(ctx context.Context, project string, change func(map[string]Mark)) error
}

// Leaser is implemented by connections to scopes that can hold a lease. Its
// operations are atomic against those of other processes.
type Leaser interface {
	// ReadLease returns the lease, nil where there is none, and the scope's own
	// clock, by which leases expire.
	ReadLease(ctx context.Context, project string) (*Lease, time.Time, error)
	// WriteLease replaces old, which ReadLease or WriteLease returned (nil: there
	// was none), by next (nil: release it). It returns [ErrConflict] where
	// somebody else wrote in between.
	WriteLease(ctx context.Context, project string, old, next *Lease) (*Lease, error)
}

// LeaseReadier is implemented by a [Leaser] whose place for leases may have to be made
// ready first, which can take minutes: longer than a lease may be in coming.
type LeaseReadier interface {
	ReadyLease(ctx context.Context, progress func(string)) error
}

// Lease keeps two applies apart.
type Lease struct {
	Holder  string // who: user@host, process, and a random part
	Why     string // what for: "apply cluster.star"
	Since   time.Time
	Expires time.Time // by the scope's clock
	// Version is the store's own, for WriteLease.
	Version any `json:"-"`
}

var (
	// ErrExists says that the name is taken.
	ErrExists = errors.New("the name is taken")
	// ErrConflict says that somebody else wrote in between.
	ErrConflict = errors.New("changed by somebody else in between")
	// ErrMissing says that something which the object uses is not there.
	ErrMissing = errors.New("not there")
	// ErrUnreachable says that a scope did not answer: what is in it is not
	// known, which is not the same as absent.
	ErrUnreachable = errors.New("unreachable")
	// ErrOff says that a machine is there, and powered off, or an engine that is
	// stopped: what is on it is as it was, and is known again when it runs.
	ErrOff = errors.New("does not run")
	// ErrRefused says that a login was not taken.
	ErrRefused = errors.New("the login was refused")
	// ErrTransient marks what may go well when tried again.
	ErrTransient = errors.New("transient")
)

// NotConverged says why an object that was written is not what was asked for.
type NotConverged struct {
	Address    value.Address
	Summary    string // "did not converge in 60s"
	Detail     string // the tasks' errors, nodes, last log lines
	RolledBack string // what it was rolled back to: "version 118"; "" where it was not
}

// Error returns the summary and the detail.
func (e *NotConverged) Error() string {
	s := e.Summary
	if e.Detail != "" {
		s += "\n\n" + e.Detail
	}
	if e.RolledBack != "" {
		s += "\n\nrolled back to " + e.RolledBack
	}
	return s
}
