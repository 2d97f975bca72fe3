// Package apply carries out a plan: it walks the graph in parallel, bounded,
// decides again what was not known when the plan was made, and tells what
// happened as events.
//
// Nothing is remembered between runs. Creates rely on the conflict of names,
// updates on the version that was observed; a step that meets either looks
// again and decides anew. So a crash, a Ctrl-C or a second writer costs
// nothing but another run.
package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// DefaultParallelism is how many steps write at once unless told otherwise.
const DefaultParallelism = 10

// DefaultTimeout bounds a step's convergence unless told otherwise.
const DefaultTimeout = 5 * time.Minute

// Scope is a connected scope and what was last observed in it.
type Scope struct {
	Conn  resource.Conn
	State *plan.ScopeState
}

// Input is all that an apply needs.
type Input struct {
	Plan    *plan.Plan
	Program *resource.Program
	Scopes  map[string]*Scope
	Options plan.Options
	// Parallelism bounds the steps that write at once; steps that only wait, for
	// convergence or for the tasks of a deleted service to end, do not count. 0
	// means the default.
	Parallelism int
	// Detach ends each step at its accepted write.
	Detach bool
	// Timeout bounds a step's convergence; 0 means the default.
	Timeout time.Duration
	// Sink receives events, one at a time. May be nil.
	Sink func(Event)
	// Stop, once closed, lets running steps end and begins no new ones. A check,
	// which writes nothing, ends at once.
	Stop <-chan struct{}
	// Opened is called when a scope has come to be, before anything is done in
	// it: the place to take its lease and to begin its ledger. The connection is
	// the callee's to close. May be nil.
	Opened func(ctx context.Context, addr string, opener *resource.Object, s *Scope) error
	// Closing is called before a scope is taken away with the resource that opens
	// it: its lease goes too. May be nil.
	Closing func(addr string)
	// Away is called before the machine of a scope is off for a while, and when it is
	// back: a lease that is kept there cannot be renewed meanwhile. May be nil.
	Away func(ctx context.Context, addr string, off bool) error
	// Leaving is called before a machine is switched off for good: a lease that is kept
	// on such ones cannot be given back at the end. May be nil.
	Leaving func()
	// Backoff is the first pause before something transient is tried again; 0
	// means 250 ms. It doubles up to 16 times that.
	Backoff time.Duration
}

// ErrStale says that a step would now delete or replace what the plan did not
// show.
var ErrStale = errors.New("the plan did not show this")

// Run carries out the plan. It returns when every step has ended; the error
// of a step is in its result.
func Run(ctx context.Context, in Input) *Result {
	e := &executor{in: in, limit: in.Parallelism, done: map[value.Address]*plan.Change{},
		destroyed: map[string]bool{}, gates: map[value.Address]*gate{}, scopes: map[string]*liveScope{}}
	if e.limit <= 0 {
		e.limit = DefaultParallelism
	}
	if e.in.Backoff == 0 {
		e.in.Backoff = 250 * time.Millisecond
	}
	if e.in.Timeout == 0 {
		e.in.Timeout = DefaultTimeout
	}
	for addr, s := range in.Scopes {
		e.scopes[addr] = newLiveScope(s, in.Program)
	}
	e.scopes[""] = nowhere(in.Program)
	e.results = make(map[*plan.Change]*StepResult, len(in.Plan.Changes))
	e.planned = make(map[value.Address]*plan.Change, len(in.Plan.Changes))
	for _, c := range in.Plan.Changes {
		if e.planned[c.Address] == nil { // what is declared is before its old versions
			e.planned[c.Address] = c
		}
	}
	e.going = going(in.Plan)
	e.walk(ctx)
	e.closeOpened()
	return e.result()
}

// members are the objects of a kind in a scope that come and go by themselves.
type members struct {
	scope string
	kind  string
}

func going(p *plan.Plan) map[members][]string {
	out := map[members][]string{}
	for _, c := range p.Changes {
		if c.Kind.Find != nil && c.Action == plan.Delete {
			m := members{c.Scope, c.Kind.Name}
			out[m] = append(out[m], c.Live.ID)
		}
	}
	return out
}

type executor struct {
	in      Input
	limit   int
	planned map[value.Address]*plan.Change
	results map[*plan.Change]*StepResult // written by the scheduler only
	going   map[members][]string         // whom the plan takes away

	mu     sync.Mutex // guards what follows
	done   map[value.Address]*plan.Change
	scopes map[string]*liveScope
	// destroyed holds the IDs of objects that this run removed: observations
	// made before still show them.
	destroyed map[string]bool
	gates     map[value.Address]*gate

	sink        sync.Mutex
	interrupted bool
}

// liveScope is a scope as the executor knows it: it may come to be during the
// run, and is looked at again when something unexpected was met.
type liveScope struct {
	mu     sync.Mutex
	scope  *Scope
	index  *plan.Index
	opened bool // by this run
	// refused says why Opened would not have it: a lease that somebody holds is
	// not waited for once for every step.
	refused error
}

func newLiveScope(s *Scope, p *resource.Program) *liveScope {
	return &liveScope{scope: s, index: newIndex(s.State, p)}
}

// nowhere is the scope of what lives in none: it has no connection.
func nowhere(p *resource.Program) *liveScope {
	ix := plan.Nowhere(p.Project)
	return &liveScope{scope: &Scope{State: ix.State}, index: ix}
}

func newIndex(st *plan.ScopeState, p *resource.Program) *plan.Index {
	ix := plan.NewIndex(st, p.Project)
	ix.Move(p)
	return ix
}

func (e *executor) emit(ev Event) {
	if e.in.Sink == nil {
		return
	}
	e.sink.Lock()
	defer e.sink.Unlock()
	ev.Time = time.Now()
	e.in.Sink(ev)
}

// resolve returns what is known of a reference now.
func (e *executor) resolve(r value.Ref) (value.Value, bool) {
	e.mu.Lock()
	c := e.done[r.Address]
	e.mu.Unlock()
	return plan.Known(c, r.Output)
}

// settled records how a resource is after its step.
func (e *executor) settled(c *plan.Change, o *resource.Object) {
	after := *c
	after.Live, after.Action, after.Unsettled = o, plan.NoOp, ""
	if o != nil && c.Kind.Versioned {
		after.Name = o.Name
	}
	e.mu.Lock()
	e.done[c.Address] = &after
	e.mu.Unlock()
}

func (e *executor) result() *Result {
	r := &Result{Interrupted: e.interrupted}
	for _, c := range e.in.Plan.Changes {
		if s := e.results[c]; s != nil {
			r.Steps = append(r.Steps, s)
		}
	}
	for _, o := range e.in.Program.Outputs {
		v := value.Resolve(o.Value, e.resolve)
		out := OutputResult{Name: o.Name, Sensitive: o.Sensitive || value.Sensitive(v), Text: o.Description}
		if out.Known = value.Known(v); out.Known {
			out.Value = v
		}
		r.Outputs = append(r.Outputs, out)
	}
	return r
}

// closeOpened closes the connections to scopes that came to be in this run,
// where nobody took them over.
func (e *executor) closeOpened() {
	if e.in.Opened != nil {
		return
	}
	for _, s := range e.scopes {
		if s.opened {
			s.scope.Conn.Close() // nothing can be done about a failure, and nothing depends on it
		}
	}
}

// scopeOf returns the scope of a step, which it opens where this run has just
// made it.
func (e *executor) scopeOf(ctx context.Context, addr string) (*liveScope, error) {
	e.mu.Lock()
	s := e.scopes[addr]
	if s == nil {
		s = &liveScope{}
		e.scopes[addr] = s
	}
	opener := e.done[value.Address(addr)]
	e.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scope != nil && s.scope.State.Status == plan.Present && !e.replaced(opener, s) {
		return s, nil
	}
	if s.refused != nil {
		return nil, s.refused
	}
	if opener == nil || opener.Live == nil {
		return nil, fmt.Errorf("%s does not exist", addr)
	}
	open, ok := opener.Kind.Handler.(resource.Opener)
	if !ok {
		return nil, fmt.Errorf("%s cannot be opened", addr)
	}
	parent, err := e.scopeOf(ctx, opener.Scope)
	if err != nil {
		return nil, err
	}
	outer, _ := parent.current()
	conn, err := open.Open(ctx, outer, opener.Live)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", addr, err)
	}
	obs, err := conn.Observe(ctx, e.in.Program.Query(addr))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("observe %s: %w", addr, err)
	}
	scope := &Scope{Conn: conn, State: &plan.ScopeState{
		Scope:  &resource.Scope{Address: addr, Type: opener.Kind.Opens},
		Status: plan.Present, Obs: obs,
	}}
	if e.in.Opened != nil {
		if err := e.in.Opened(ctx, addr, opener.Live, scope); err != nil {
			conn.Close()
			s.refused = err
			return nil, err
		}
	}
	s.scope, s.index, s.opened = scope, newIndex(scope.State, e.in.Program), true
	return s, nil
}

// replaced reports whether the scope that was observed is not the one that is
// there now, because its opener was replaced in this run.
func (e *executor) replaced(opener *plan.Change, s *liveScope) bool {
	if opener == nil || s.opened {
		return false
	}
	planned := e.planned[opener.Address]
	// It is created where what it lives in is replaced.
	return planned != nil && (planned.Action == plan.Replace || planned.Action == plan.Create)
}

// refresh observes a scope again. What the caller of [Run] has of it stays as it
// is: that may be read meanwhile.
func (s *liveScope) refresh(ctx context.Context, p *resource.Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	obs, err := s.scope.Conn.Observe(ctx, p.Query(s.scope.State.Scope.Address))
	if err != nil {
		return err
	}
	st := *s.scope.State
	st.Obs = obs
	s.scope = &Scope{Conn: s.scope.Conn, State: &st}
	s.index = newIndex(&st, p)
	return nil
}

func (s *liveScope) current() (resource.Conn, *plan.Index) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scope.Conn, s.index
}
