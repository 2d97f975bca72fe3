// Package resource says what a kind is: its arguments and outputs, the scope
// its objects live in, and the handler that acts on them. The planner and the
// executor know kinds only through this package; kinds know neither.
//
// A scope is where objects live: an engine, a swarm. It is reached through a
// [Conn], which observes all its objects in one batch. A scope other than the
// outermost is opened by a resource: swarm.main is both a resource on an
// engine and the scope of the swarm's services.
package resource

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Kind is one type of thing that can be declared. The list of all kinds is in
// internal/registry.
type Kind struct {
	Name   string // "service"
	Schema *schema.Struct
	Out    []Output
	// Scope is the type of the scope that its objects live in: "engine",
	// "swarm"; "" where they live nowhere.
	Scope string
	// API is the first engine API that has the kind, "" for all.
	API string
	// Opens is the type of the scope that it opens, "" for none. The scope's
	// address is the resource's.
	Opens string
	// Keeps is set where the scope does not vanish with the object that opens it:
	// what is in it goes first, one by one.
	Keeps bool
	// Rank orders deletions where nothing else does: higher goes first.
	Rank int
	// Versioned kinds cannot change in place: a new version is made beside the
	// old one, which goes when nothing uses it.
	Versioned bool
	// MarkFixed is set where an object's labels cannot be changed: its mark is
	// then rewritten in the project's ledger.
	MarkFixed bool
	// Keyless is set where the scope may keep no hash key: lifecycle(replace_on=)
	// is hashed without one, and takes nothing sensitive.
	Keyless bool
	// Renames is set where an update can give an object another live name. Others
	// can too, so its mark keeps the name that it got from us.
	Renames bool
	// Together is set where objects of the kind that refer to one another are
	// replaced together: one holds on to what the other is, not to its name.
	Together bool
	// Unmarked is set where nothing can carry a mark: what has the declared name
	// is what is meant, whoever made it, and what is no longer declared is
	// forgotten, not removed.
	Unmarked bool
	// TakesOver is set where a declaration takes over what has its name and nobody's
	// mark, without --adopt: what is there before anybody declares it, and is put
	// back as it was. What is as declared already is left, unmarked.
	TakesOver bool
	// Fixed is set where a difference that cannot be made in place is an error:
	// the object is never replaced because of one.
	Fixed bool
	// Single is set where a scope holds at most one such object, which is then
	// the one that is meant whatever its name.
	Single bool
	// Missing says in a person's words that a scope has no such object, where one
	// is only read, and how a script gets one. May be nil.
	Missing func(scope string) (summary, hint string)
	// Busy is set where an object that is used cannot be deleted: replacing it
	// replaces its users too.
	Busy bool
	// Within is the kind of what an object lives in, in its own scope, and ends
	// with: it is made anew with that.
	Within string
	// Loose is set where an object keeps nothing that it uses from being deleted, as a
	// load balancer its machines: an update lets go of what goes before that does, and
	// what is made anew it has again by itself.
	Loose bool
	// Restarts is set where lifecycle(replace_on=) renews what runs, not the
	// object: an update with Request.Restart, in place of a replacement.
	Restarts bool
	// Find is set for kinds whose objects come and go by other means than a
	// declaration, as a swarm's nodes do. It picks the one that a declaration means
	// among those of the scope, ours telling which carry its mark; nil without a
	// problem where the arguments do not tell yet. A declaration takes it over
	// without --adopt, unless it is another project's. What is not declared any
	// more is released: the handler's Delete takes our mark and what we set off it,
	// unless another declaration has marked it since, and it stays. Create is never called, and no field is a replacement.
	//
	// A declaration with On means the object that this scope is
	// ([Observation.Node]): where it is none yet, Create makes it one, and Delete,
	// given the mark's On, unmakes it.
	Find func(objects []*Object, ours func(*Object) bool, args value.Struct) (*Object, *diag.Diagnostic)
	// Sequence returns those of the planned changes of a scope's objects that must
	// not run side by side, in the order in which they are made one by one, or says
	// why they must not be made at all. Of one address, what goes comes before what
	// comes to be. A warning beside an order is only told. May be nil.
	Sequence func(objects []*Object, planned []Planned) ([]Planned, *diag.Diagnostic)
	// StepsDown reports that after those changes the scope is not reached through
	// the object's On any more. May be nil.
	StepsDown func(changes []schema.Change) bool
	// Spreads is set where what comes of an object depends on which found objects
	// its scope has: it is written when those that are coming are there.
	Spreads bool
	// DataLoss says what is lost with the object, "" where nothing is; then
	// deleting it needs --allow-data-loss.
	DataLoss string
	// Check finds what is wrong with arguments that are right one by one. It
	// may be nil. Fields that are not given are nil; values may be unknown.
	Check func(args value.Struct) schema.Problems
	// Warn finds what is odd about arguments that are right. It may be nil.
	Warn func(args value.Struct) schema.Problems
	// Complete brings arguments to the normal form of the live object, where
	// one field depends on another, by changing args. It is called when they are
	// declared, and again when a reference in them has become known. May be nil.
	Complete func(args value.Struct)
	// Folder is set on kinds that are made from a folder of the script's. It puts
	// what is in it into args when they are declared, and returns what stands for
	// that, which is recorded as an input. Find returns where the folder of a path
	// is on this computer.
	Folder func(args value.Struct, find func(path string) (string, error)) ([]byte, schema.Problems)
	// Widen is set on kinds whose objects let others in, as firewalls do. It
	// returns the arguments with which a live object lets in those that args say
	// and those that it lets in already, and whether these are more; what is not
	// known yet is left out, and as it is. So an object is opened before those come
	// who need it, and closed to others when these have gone. May be nil.
	Widen func(live *Object, args value.Struct) (wide value.Struct, more bool)
	// Replaces reports that one change cannot be made in place although its
	// field's changes can be in general. May be nil.
	Replaces func(live *Object, args value.Struct, change schema.Change) bool
	// Same reports that one difference is none, by what else is live. May be nil.
	Same func(live *Object, args value.Struct, change schema.Change) bool
	// Effect says in a few words what an update does to what runs: "rolling, 2
	// at a time", or, beginning with [Interrupted], that it is not there for a
	// while; restart is set where it is renewed though nothing else may change.
	// May be nil.
	Effect func(live *Object, args value.Struct, changes []schema.Change, restart bool) string
	// Outage says which machine an update takes out of service for a while, or for
	// good, or brings back: its own, or that which has it. It is nil where none. May be
	// nil.
	Outage func(live *Object, args value.Struct, changes []schema.Change) *Outage
	// Ending is Effect for a deletion, and for a replacement: anew is set where
	// the object is made again after it. May be nil.
	Ending func(live *Object, anew bool) string
	// Off reports whether an object with such arguments opens its scope to nobody, as a
	// machine that is not to run: what is declared there is left as it is. May be nil.
	Off func(args value.Struct) bool
	// Needs returns what an object needs in its scope: what of that is declared
	// comes first, as if the arguments referred to it. May be nil.
	Needs func(args value.Struct) []Need
	// Given returns what a script would say to make a live object as it is: with
	// what its observed arguments leave out because it is compared in another
	// way, without what the engine chose by itself. It is nil where the observed
	// arguments are just that.
	Given   func(o *Object) value.Struct
	Handler Handler
	// Verify is set on kinds that have nothing live: they check what others are,
	// once those are there. It returns when all is as it should be, or when ctx
	// ends a [*NotConverged] with what it saw last. The connection is nil where
	// the kind lives in no scope. Such a kind has no Handler.
	Verify func(ctx context.Context, c Conn, r *Request) error
	// Unnamed makes a name for what the script gives none, from its arguments as
	// they were given; "" where it cannot. It is nil where a name is required,
	// which then is the first argument.
	Unnamed func(args value.Struct) string
}

// Interrupted begins the effect of a step that leaves nothing running for a
// while.
const Interrupted = "INTERRUPTED"

// Outage is the time of an update in which a machine does not run. A machine that is
// off before and after is not to be started meanwhile.
type Outage struct {
	Machine string // its live ID
	Begins  bool   // it runs before: what is on it goes elsewhere
	Ends    bool   // it runs after: what was on it is waited for
}

// OpeningComment begins the comments of rules of a firewall that follow from a
// swarm. By it they are known among the script's own.
const OpeningComment = "swarm: "

// Need is an object that another one needs, by its kind and its live name.
type Need struct{ Kind, Name string }

// Planned is a change of one object, as [Kind.Sequence] sees it.
type Planned struct {
	Address value.Address
	Live    *Object // nil where it comes to be
	Args    value.Struct
	Goes    bool // it is unmade
	Begins  bool // the scope comes to be on what the object is made on
}

// Output is a value that exists once the resource does.
type Output struct {
	Name      string
	Type      string // "string", "int", "bool"
	Stable    bool   // an update keeps it
	Sensitive bool
	Arg       string // the argument that it equals, "" for none: known before the resource is
	Doc       string
}

// Output returns the output of a name.
func (k *Kind) Output(name string) (Output, bool) {
	for _, o := range k.Out {
		if o.Name == name {
			return o, true
		}
	}
	return Output{}, false
}

// Handler acts on the objects of a kind. Each method ends when the write is
// accepted; waiting for convergence is [Settler]'s. A method must be safe to
// call for several objects at once.
type Handler interface {
	// Create makes the object. It returns [ErrExists] where the name is taken.
	Create(ctx context.Context, c Conn, r *Request) (*Object, error)
	// Update changes r.Live to what r says. It returns [ErrConflict] where
	// somebody wrote in between.
	Update(ctx context.Context, c Conn, r *Request) (*Object, error)
	// Delete removes the object, and returns when it is gone. An object that
	// is gone already is no error.
	Delete(ctx context.Context, c Conn, r *Request) error
}

// Versioner is implemented by handlers of versioned kinds.
type Versioner interface {
	// Version returns the content's keyed hash and the live name that goes with
	// it. Known is false where the hash key, or the content, is not known yet.
	Version(args value.Struct, key []byte) (name, hash string, known bool)
	// Base returns the declared name that a version's live name was made from.
	Base(live string) string
}

// PlainNamer is implemented by versioners whose first version may have the
// declared name itself, as long as nothing else has it.
type PlainNamer interface {
	PlainName(args value.Struct) (name string, ok bool)
}

// Holder is implemented by versioners that can read back what an object holds.
type Holder interface {
	// Holds reports whether a live object, whatever its name, holds what the
	// arguments say.
	Holds(o *Object, args value.Struct) bool
}

// SlowVersioner is implemented by versioners whose hash takes long by intent, and
// which keep it: a plan then asks for those of all its declarations at once.
type SlowVersioner interface {
	Versioner
	SlowVersion()
}

// Settler is implemented by handlers whose objects converge after the write.
type Settler interface {
	// Settle returns when the object has converged, or a [*NotConverged] that
	// says why it has not. o is its own: what it writes there, such as an address
	// that was not known before, those see who use the object.
	Settle(ctx context.Context, c Conn, r *Request, o *Object) error
}

// Rester is implemented by handlers of kinds on whose objects others run: nodes of a
// swarm, whose machines are switched off for a while.
type Rester interface {
	// Rest returns when nothing runs on an object any more that can run elsewhere, or
	// why it cannot be spared.
	Rest(ctx context.Context, c Conn, r *Request) error
	// Wake returns when an object is back as it was before. It is called whatever has
	// come of Rest.
	Wake(ctx context.Context, c Conn, r *Request) error
	// Spare says why the rest of a scope's objects does not go on while some are off
	// for good, and others one after another for a while; nil where it does. They are
	// told by their IDs.
	Spare(objects []*Object, off, cycled []string) *diag.Diagnostic
}

// Opener is implemented by handlers of kinds that open a scope.
type Opener interface {
	// Open connects to the scope that a live object opens. The connection may
	// share what parent holds; it is closed first.
	Open(ctx context.Context, parent Conn, o *Object) (Conn, error)
}

// Request is what a handler is asked to do.
type Request struct {
	Address value.Address
	// Args are resolved, checked and in normal form; nil when deleting.
	Args value.Struct
	// Mark is what the object shall carry.
	Mark Mark
	// Live is the object as it was observed; nil when creating.
	Live *Object
	// Name is the live name of a versioned kind's new object.
	Name string
	// Restart asks for what runs to be renewed though nothing else changes.
	Restart bool
	// Timeout is how long it may wait for what others hold, which they will let go
	// of: the step's own, the same as for its convergence. 0 is without end.
	Timeout time.Duration
	// Progress tells a person how far it is. Never nil.
	Progress func(Progress)
	// On is the connection to the scope that the declaration's On names or, of a
	// deletion, the mark's. It is nil where there is none, or it does not answer.
	On Conn
	// Scope returns the connection to another scope of the program, by its address:
	// where an image is copied from. It is nil when deleting.
	Scope func(ctx context.Context, addr string) (Conn, error)
	// Going are the IDs of those objects of the same kind and scope that the plan
	// takes away, before or after; only of kinds with Find.
	Going []string
	// Node returns the connection to the engine that is a node of the scope, by the
	// node's ID: nil where the program names none, an error where it names one that
	// cannot be asked. A check has it; otherwise it is nil.
	Node func(ctx context.Context, id string) (Conn, error)
	// Ends is set on a deletion where the scope itself is taken away in this run.
	Ends bool
	// Stays is called by a deletion that only lets go of the object, which is there
	// still, without our mark: others need it, why says for what. It may be nil.
	Stays func(why string)
	// Waits is called by a step that only waits from then on, so that others may
	// write: a deletion that has written all it will, one that another one of its
	// machine keeps from beginning. It may be nil.
	Waits func()
	// Turn is called after Waits by a step that writes again. An error says that
	// it must not any more. It may be nil.
	Turn func(context.Context) error
}

// Progress is how far a step is.
type Progress struct {
	Done, Total int    // tasks; Total 0 where nothing can be counted
	Text        string // what it waits for, such as "web.5 preparing on wrk-1"
	Tried       int    // how often, of what is tried until it goes well: Text says how it ended last
}
