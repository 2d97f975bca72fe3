package apply

import (
	"context"
	"sync"

	"github.com/swarmscript/swarmscript/internal/plan"
)

// gate is something that lets others in, and is widened before it is as it shall
// be: once, or for one after another of those who come.
type gate struct{ sync.Mutex }

// gate returns the gate of a step, which begins with it.
func (e *executor) gate(c *plan.Change) *gate {
	e.mu.Lock()
	g := e.gates[c.Address]
	begins := g == nil
	if begins {
		g = &gate{}
		e.gates[c.Address] = g
	}
	e.mu.Unlock()
	if begins {
		e.emit(Event{Type: Started, Address: c.Address, Action: c.Action})
	}
	return g
}

// starts tells that a step has begun, unless it was widened before, which it
// reports.
func (e *executor) starts(c *plan.Change) (widened bool) {
	e.mu.Lock()
	widened = e.gates[c.Address] != nil
	e.mu.Unlock()
	if !widened {
		e.emit(Event{Type: Started, Address: c.Address, Action: c.Action})
	}
	return widened
}

// widen lets in whom an object shall let in, as far as that is known, beside those
// that it lets in already.
func (e *executor) widen(ctx context.Context, c *plan.Change, turn *turn) error {
	g := e.gate(c)
	g.Lock()
	defer g.Unlock()
	s, err := e.scopeOf(ctx, c.Scope)
	if err != nil {
		return err
	}
	err = e.retry(ctx, c, s, func(bool) error {
		_, ix := s.current()
		cs := ix.Case(c.Decl)
		cs.Resolve = e.resolve
		now, problems := cs.Widened()
		if problems != nil {
			return declError(problems)
		}
		if now == nil {
			return nil
		}
		if _, err := e.write(ctx, now, s, turn); err != nil {
			return err
		}
		return s.refresh(ctx, e.in.Program)
	})
	if err == nil {
		e.emit(Event{Type: Progressed, Address: c.Address, Action: c.Action, Text: "open to those who come"})
	}
	return err
}
