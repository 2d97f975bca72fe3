package apply

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// rest is what rests while a machine is off in a step.
type rest struct {
	e     *executor
	c     *plan.Change
	ready bool // whatever can run elsewhere does
	wakes []func(context.Context) error
	away  bool // that the machine goes off was told
}

// wakeTime is how long what rests may take to be woken where the step itself has
// failed. It is woken by the next run otherwise.
const wakeTime = time.Minute

// begin ends when what runs on the machine runs elsewhere. Nothing has been done to
// the machine where it fails.
func (r *rest) begin(ctx context.Context, turn *turn) error {
	out := r.c.Outage
	if out == nil || r.ready {
		return nil
	}
	turn.free()
	r.wakes = nil // those of a try before
	for _, addr := range out.Rests {
		if err := r.rest(ctx, r.e.planned[addr]); err != nil {
			return err
		}
	}
	if err := r.leave(ctx, out); err != nil {
		return err
	}
	r.ready = true
	return turn.take(ctx)
}

// leave tells that the machine goes off.
func (r *rest) leave(ctx context.Context, out *plan.Outage) error {
	switch {
	case !out.Begins || out.Machine == "":
	case !out.Ends && r.e.in.Leaving != nil:
		r.e.in.Leaving()
	case out.Ends && r.e.in.Away != nil:
		r.away = true
		return r.e.in.Away(ctx, string(out.Machine), true)
	}
	return nil
}

func (r *rest) rest(ctx context.Context, c *plan.Change) error {
	s, err := r.e.scopeOf(ctx, c.Scope)
	if err != nil {
		return err
	}
	conn, _ := s.current()
	rester := c.Kind.Handler.(resource.Rester)
	req := r.request(c)
	r.wakes = append(r.wakes, func(ctx context.Context) error { return rester.Wake(ctx, conn, req) })
	if !r.c.Outage.Begins {
		return nil
	}
	return rester.Rest(ctx, conn, req)
}

// request is that of the object; how far it is, the machine's step tells.
func (r *rest) request(c *plan.Change) *resource.Request {
	req := r.e.request(c)
	req.Progress = func(p resource.Progress) {
		r.e.emit(Event{Type: Progressed, Address: r.c.Address, Action: r.c.Action, Done: p.Done, Total: p.Total, Text: p.Text})
	}
	if c.Decl != nil {
		req.On = r.e.connOn(c.Decl.On)
	}
	return req
}

// end wakes what rests, where its machine runs again, or still: the step has failed.
func (r *rest) end(ctx context.Context, err error) error {
	if out := r.c.Outage; out == nil || err == nil && !out.Ends || err != nil && !out.Begins {
		return err
	}
	if err != nil {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, wakeTime)
		defer cancel()
	}
	for _, wake := range r.wakes {
		if werr := wake(ctx); err == nil {
			err = werr
		}
	}
	if r.away { // a lease that lasts too long is given back all the same
		_ = r.e.in.Away(ctx, string(r.c.Outage.Machine), false)
	}
	return err
}
