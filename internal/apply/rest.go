package apply

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// rest is what rests while a step switches its machine off.
type rest struct {
	e     *executor
	c     *plan.Change
	begun []func(context.Context) error // how it is woken
}

// wakeTime is how long what rests may take to be woken where the step itself has
// failed. It is woken by the next run otherwise.
const wakeTime = time.Minute

// begin ends when what runs on the machine runs elsewhere. Nothing has been done to
// the machine where it fails.
func (r *rest) begin(ctx context.Context, turn *turn) error {
	if len(r.begun) > 0 || len(r.c.Rests) == 0 {
		return nil
	}
	turn.free()
	for _, addr := range r.c.Rests {
		c := r.e.planned[addr]
		s, err := r.e.scopeOf(ctx, c.Scope)
		if err != nil {
			return err
		}
		conn, _ := s.current()
		rester := c.Kind.Handler.(resource.Rester)
		req := r.request(c)
		r.begun = append(r.begun, func(ctx context.Context) error { return rester.Wake(ctx, conn, req) })
		if err := rester.Rest(ctx, conn, req); err != nil {
			return err
		}
	}
	return turn.take(ctx)
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

// end wakes what rests, whatever came of the step.
func (r *rest) end(ctx context.Context, err error) error {
	if err != nil {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, wakeTime)
		defer cancel()
	}
	for _, wake := range r.begun {
		if werr := wake(ctx); err == nil {
			err = werr
		}
	}
	return err
}
