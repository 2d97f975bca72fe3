package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// attempts bounds how often a step is tried: against conflicts, and against
// what is transient.
const attempts = 6

// blockedError says why a step is not run: what it needs did not answer when
// the plan was made, or it would do what the plan did not show.
func blockedError(c *plan.Change) error {
	if !c.Changes() {
		return fmt.Errorf("%w: %s", resource.ErrUnreachable, c.Blocked)
	}
	return fmt.Errorf("%w: %s", ErrStale, c.Blocked)
}

// step carries out one node, and returns the change as it was carried out.
func (e *executor) step(ctx context.Context, n *plan.Node, turn *turn) (*plan.Change, error) {
	c := n.Change
	if n.Phase == plan.Destroy || c.Action.Drops() {
		stays, err := e.destroy(ctx, n, turn)
		if stays == "" || err != nil {
			return nil, err
		}
		did := *c
		did.Action, did.Reason = plan.Release, stays
		return &did, nil
	}
	if n.Phase == plan.Widen {
		return nil, e.widen(ctx, c, turn)
	}
	s, err := e.scopeOf(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	widened := e.starts(c)
	if c.Deferred && c.Kind.Find != nil {
		// What came in another step was not there when the scope was looked at.
		if err := s.refresh(ctx, e.in.Program); err != nil {
			return nil, err
		}
		if err := e.refreshOn(ctx, c.Decl); err != nil {
			return nil, err
		}
	}
	var made *resource.Object
	var did, done *plan.Change
	resting := &rest{e: e, c: c}
	err = e.retry(ctx, c, s, func(again bool) error {
		if err := turn.take(ctx); err != nil {
			return err
		}
		now, err := e.decide(c, s, again || widened)
		if err != nil {
			return err
		}
		// A write whose answer was lost is one, and so is what was widened before.
		if done = now; !widened && (did == nil || did.Action == plan.NoOp) {
			did = now
		}
		if now.Action == plan.Update {
			if err := resting.begin(ctx, turn); err != nil {
				return err
			}
		}
		made, err = e.write(ctx, now, s, turn)
		return err
	})
	if err == nil {
		turn.free()
		if made != nil { // what it has become meanwhile is known to those that use it
			own := *made
			made = &own
		}
		err = e.settle(ctx, done, s, made)
	}
	if err = resting.end(ctx, err); err != nil {
		return did, err
	}
	e.settled(done, made)
	return did, nil
}

// destroy carries out a deletion, or the first half of a replacement. It returns
// why the object stays nevertheless, "" where it does not.
func (e *executor) destroy(ctx context.Context, n *plan.Node, turn *turn) (stays string, err error) {
	c := n.Change
	s, err := e.scopeOf(ctx, c.Scope)
	if err != nil {
		return "", err
	}
	if c.Tentative {
		needed, err := e.stillNeeded(c, s)
		if err != nil || !needed {
			return "", err
		}
	}
	e.emit(Event{Type: Started, Address: c.Address, Action: c.Action, Phase: n.Phase})
	if c.Kind.Opens != "" && e.in.Closing != nil {
		e.in.Closing(string(c.Address))
	}
	conn, _ := s.current()
	err = e.retry(ctx, c, s, func(bool) error {
		r := e.request(c)
		r.Ends, r.On = c.Ends, e.connOn(c.Live.Mark.On)
		r.Waits, r.Turn = turn.free, turn.take
		r.Stays = func(why string) { stays = why }
		return c.Kind.Handler.Delete(ctx, conn, r)
	})
	if err != nil {
		return "", err
	}
	if c.Action != plan.Release && stays == "" {
		e.mu.Lock()
		e.destroyed[c.Live.ID] = true
		e.mu.Unlock()
	}
	return stays, e.forget(ctx, c, s)
}

// stillNeeded reports whether the first half of a tentative replacement is
// needed, now that what decides it is known.
func (e *executor) stillNeeded(c *plan.Change, s *liveScope) (bool, error) {
	if c.ReplacedBy != "" {
		by, _ := e.forcedBy(c)
		return by != "", nil
	}
	return e.stillReplaces(c, s)
}

func (e *executor) wasDestroyed(c *plan.Change) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.Live != nil && e.destroyed[c.Live.ID]
}

// forget drops the ledger's mark of an object that is gone.
func (e *executor) forget(ctx context.Context, c *plan.Change, s *liveScope) error {
	conn, ix := s.current()
	marker, ok := conn.(resource.Marker)
	if !ok || ix.State.Obs == nil {
		return nil
	}
	if _, marked := ix.State.Obs.Ledger.Marks[c.Live.ID]; !marked {
		return nil
	}
	return marker.SaveMarks(ctx, e.in.Program.Project, func(m map[string]resource.Mark) { delete(m, c.Live.ID) })
}

// stillReplaces decides a tentative replacement again, now that the values
// that it waits for are known.
func (e *executor) stillReplaces(c *plan.Change, s *liveScope) (bool, error) {
	now, err := e.decide(c, s, true)
	if err != nil {
		return false, err
	}
	return now.Action == plan.Replace, nil
}

// decide returns the change as it is now. The planned one stands where all was
// known; otherwise, or when something unexpected was met, the case is decided
// again, and what it may become is bounded by what the plan showed.
func (e *executor) decide(c *plan.Change, s *liveScope, again bool) (*plan.Change, error) {
	if c.Imported {
		return e.decideImport(c, s, again)
	}
	if !again && !c.Deferred && !c.Tentative && c.Args != nil && value.Known(c.Args) &&
		!(c.Kind.Versioned && c.Name == "") && (c.Decl.Lifecycle.ReplaceOn == nil || c.Mark.Triggers != "") {
		return c, nil
	}
	_, ix := s.current()
	cs := ix.Case(c.Decl)
	cs.Resolve = e.resolve
	cs.Adopt, cs.AdoptFree = c.Reason == "adopted" || e.adopts(c.Address), e.in.Options.AdoptAll
	cs.Replaced, cs.ReplacedMaybe = e.forcedBy(c)
	cs.Due = c.Action == plan.Check
	if c.Decl.On != "" {
		cs.On = e.stateOn(c.Decl.On)
	}
	if e.wasDestroyed(c) {
		cs = e.afterDestroy(cs, c)
	}
	now, problems := plan.Decide(cs)
	if now == nil {
		return nil, declError(problems)
	}
	now.Pending = c.Pending // what was foreseen stands
	if !value.Known(now.Args) {
		return nil, fmt.Errorf("%s: a value that it needs is still not known", c.Address)
	}
	if now.Kind.Versioned && now.Name == "" && !now.Decl.External {
		return nil, fmt.Errorf("%s: the project has no hash key in %s yet; run it again", c.Address, c.Scope)
	}
	if now.Action == plan.Replace && c.Action != plan.Replace {
		return nil, fmt.Errorf("%w: %s would be replaced", ErrStale, c.Address)
	}
	if now.Action == plan.Replace && now.Live.ID != c.Live.ID {
		return nil, fmt.Errorf("%w: another %s would be replaced", ErrStale, c.Address)
	}
	return now, nil
}

// decideImport keeps an import what it is, a mark on one object.
func (e *executor) decideImport(c *plan.Change, s *liveScope, again bool) (*plan.Change, error) {
	if !again {
		return c, nil
	}
	_, ix := s.current()
	if now := plan.ImportAgain(c, ix); now != nil {
		return now, nil
	}
	return nil, fmt.Errorf("%w: %s %q was removed, or is somebody else's now", ErrStale, c.Kind.Name, c.Live.Name)
}

// afterDestroy hides the object that the first half of a replacement removed:
// the scope's observation is older than that.
func (e *executor) afterDestroy(cs plan.Case, c *plan.Change) plan.Case {
	var rest []*resource.Object
	for _, o := range cs.Ours {
		if o.ID != c.Live.ID {
			rest = append(rest, o)
		}
	}
	cs.Ours = rest
	named := cs.Named
	cs.Named = func(name string) *resource.Object {
		if o := named(name); o != nil && o.ID != c.Live.ID {
			return o
		}
		return nil
	}
	cs.Replaced, cs.Keep = "", plan.KeptName(c.Kind, c.Live)
	return cs
}

// forcedBy returns the used resource whose replacement forces this one's.
func (e *executor) forcedBy(c *plan.Change) (value.Address, bool) {
	if c.ReplacedBy == "" {
		return "", false
	}
	planned := e.planned[c.ReplacedBy]
	if planned == nil || !planned.Tentative {
		return c.ReplacedBy, false
	}
	e.mu.Lock()
	s := e.scopes[planned.Scope]
	e.mu.Unlock()
	if needed, err := e.stillReplaces(planned, s); err == nil && !needed {
		return "", false
	}
	return c.ReplacedBy, true
}

func (e *executor) adopts(a value.Address) bool {
	for _, s := range e.in.Options.Adopt {
		if s == string(a) || s == a.Short() {
			return true
		}
	}
	return false
}

func declError(problems diag.List) error {
	if len(problems) == 1 {
		return problems[0]
	}
	return problems
}

func (e *executor) request(c *plan.Change) *resource.Request {
	return &resource.Request{
		Address: c.Address, Args: c.Args, Mark: c.Mark, Live: c.Live, Name: c.Name, Restart: c.Restart, Timeout: e.timeout(c),
		Going: e.going[members{c.Scope, c.Kind.Name}],
		Progress: func(p resource.Progress) {
			e.emit(Event{Type: Progressed, Address: c.Address, Action: c.Action, Done: p.Done, Total: p.Total, Tried: p.Tried, Text: p.Text})
		},
	}
}

// write makes the change and returns the object as it is then.
func (e *executor) write(ctx context.Context, c *plan.Change, s *liveScope, turn *turn) (*resource.Object, error) {
	conn, ix := s.current()
	r := e.request(c)
	r.Waits, r.Turn = turn.free, turn.take
	if c.Decl != nil {
		r.On = e.connOn(c.Decl.On)
	}
	r.Scope = e.connOf
	switch c.Action {
	case plan.Create, plan.NewVersion, plan.Replace:
		// The first half of a replacement has run, unless the values that ask for
		// it have only now become known.
		if c.Action == plan.Replace && !e.wasDestroyed(c) {
			if err := c.Kind.Handler.Delete(ctx, conn, r); err != nil {
				return nil, err
			}
			e.mu.Lock()
			e.destroyed[c.Live.ID] = true
			e.mu.Unlock()
			if err := e.forget(ctx, c, s); err != nil {
				return nil, err
			}
		}
		r.Live = nil
		o, err := c.Kind.Handler.Create(ctx, conn, r)
		if err == nil {
			err = e.remarkFormer(ctx, c, conn)
		}
		return o, err
	case plan.Update:
		fixed := c.Kind.MarkFixed || c.Live.MarkFixed && c.MarkOnly()
		if fixed && c.Remark {
			if err := e.remark(ctx, c, conn, ix); err != nil {
				return nil, err
			}
		}
		if fixed && c.MarkOnly() {
			return c.Live, nil
		}
		if err := e.remarkFormer(ctx, c, conn); err != nil {
			return nil, err
		}
		if len(c.Former) > 0 && len(c.Fields) == 0 && !c.Remark {
			return c.Live, nil
		}
		o, err := c.Kind.Handler.Update(ctx, conn, r)
		if err == nil && !c.Kind.MarkFixed {
			err = e.forget(ctx, c, s) // the object carries its mark itself now
		}
		return o, err
	}
	return c.Live, nil
}

// remarkFormer gives the older versions of what was moved its new address, and those
// that are taken over our mark; they stay as they are otherwise.
func (e *executor) remarkFormer(ctx context.Context, c *plan.Change, conn resource.Conn) error {
	for _, o := range c.Former {
		r := e.request(c)
		r.Live, r.Args, r.Mark, r.Name = o, o.Args, o.Mark, o.Name
		r.Mark.Project, r.Mark.Address = c.Mark.Project, c.Address
		if _, err := c.Kind.Handler.Update(ctx, conn, r); err != nil {
			return err
		}
	}
	return nil
}

// remark writes the mark of an object whose labels cannot be changed.
func (e *executor) remark(ctx context.Context, c *plan.Change, conn resource.Conn, ix *plan.Index) error {
	marker, ok := conn.(resource.Marker)
	if !ok {
		return fmt.Errorf("the labels of %s cannot be changed, and %s cannot keep its mark", c.Address, ix.State.Scope.Address)
	}
	return marker.SaveMarks(ctx, e.in.Program.Project, func(m map[string]resource.Mark) { m[c.Live.ID] = c.Mark })
}

// timeout is how long a step may wait: for what others hold, and for its
// convergence.
func (e *executor) timeout(c *plan.Change) time.Duration {
	if c.Decl != nil && c.Decl.Timeout > 0 {
		return c.Decl.Timeout
	}
	return e.in.Timeout
}

// settle waits until the object has converged.
func (e *executor) settle(ctx context.Context, c *plan.Change, s *liveScope, o *resource.Object) error {
	settle, ok := e.settler(c, o)
	if !ok {
		return nil
	}
	if c.Action == plan.Check {
		var release func()
		ctx, release = e.untilStopped(ctx)
		defer release()
	}
	timeout := e.timeout(c)
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, _ := s.current()
	r := e.request(c)
	r.On, r.Node = e.connOn(c.Decl.On), e.nodeConn
	err := settle(wait, conn, r)
	if err != nil && ctx.Err() == nil && wait.Err() != nil && !errors.As(err, new(*resource.NotConverged)) {
		return &resource.NotConverged{Address: c.Address, Summary: "did not converge in " + timeout.String(), Detail: err.Error()}
	}
	if err != nil && errors.Is(context.Cause(ctx), errCut) {
		return errors.Join(err, errCut)
	}
	return err
}

// settler returns what there is to wait for after a step.
func (e *executor) settler(c *plan.Change, o *resource.Object) (func(context.Context, resource.Conn, *resource.Request) error, bool) {
	if c.Action == plan.Check {
		return c.Kind.Verify, true
	}
	s, ok := c.Kind.Handler.(resource.Settler)
	waits := c.Changes() && c.Action != plan.Read || c.Unsettled != ""
	if !ok || !waits || e.in.Detach || c.Decl.NoWait || c.Pending || c.Imported {
		return nil, false
	}
	return func(ctx context.Context, conn resource.Conn, r *resource.Request) error {
		return s.Settle(ctx, conn, r, o)
	}, true
}

// gone says that what a step uses was there when the plan was made, and was
// removed since. This run cannot make it again: it had nothing to do for it.
type gone struct {
	name string
	err  error
}

func (e *gone) Error() string { return e.name + " went away meanwhile: run it again" }

func (e *gone) Unwrap() []error { return []error{e.err, ErrStale} }

// wentAway says which of the things that a step uses is missing, where the
// error names one that this run found.
func (e *executor) wentAway(c *plan.Change, err error) error {
	if c.Decl == nil {
		return err
	}
	for _, r := range c.Decl.Refs() {
		e.mu.Lock()
		used := e.done[r.Address]
		e.mu.Unlock()
		if used == nil || used.Live == nil {
			continue
		}
		for _, word := range strings.FieldsFunc(err.Error(), notInNames) {
			if word == used.Live.Name || word == used.Live.ID {
				return &gone{used.Kind.Name + " " + used.Live.Name, err}
			}
		}
	}
	return err
}

func notInNames(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`:,;"'()`, r) }

// retry runs a step until it ends well or for good. A conflict is looked at
// again; what is transient is tried again after a pause.
func (e *executor) retry(ctx context.Context, c *plan.Change, s *liveScope, fn func(again bool) error) error {
	pause, again := e.in.Backoff, false
	for try := 1; ; try++ {
		err := fn(again)
		switch {
		case err == nil, ctx.Err() != nil && err != nil, try == attempts:
			return err
		case errors.Is(err, ErrStale):
			return err
		case errors.Is(err, resource.ErrMissing):
			return e.wentAway(c, err)
		case errors.Is(err, resource.ErrExists), errors.Is(err, resource.ErrConflict):
			if errors.Is(err, resource.ErrExists) && try > 2 {
				return err
			}
			if rerr := s.refresh(ctx, e.in.Program); rerr != nil {
				return errors.Join(err, rerr)
			}
			again = true
		case errors.Is(err, resource.ErrTransient), errors.Is(err, resource.ErrUnreachable):
			e.emit(Event{Type: Retried, Address: c.Address, Action: c.Action, Text: err.Error()})
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return err
			}
			pause = min(2*pause, 16*e.in.Backoff)
		default:
			return err
		}
	}
}
