package apply

import (
	"context"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Some objects live in one scope and are made by another: a node lives in its
// swarm, and an engine becomes it.

// refreshOn looks again at the scope that a declaration stands on, after the
// steps that may have changed it; one that this run has made is opened.
func (e *executor) refreshOn(ctx context.Context, d *resource.Declaration) error {
	if d == nil || d.On == "" {
		return nil
	}
	on, err := e.scopeOf(ctx, d.On)
	if err != nil {
		return err
	}
	return on.refresh(ctx, e.in.Program)
}

// connOn returns the connection to a scope that something stands on, nil where
// there is none.
func (e *executor) connOn(addr string) resource.Conn {
	if s := e.known(addr); addr != "" && s != nil && s.State.Status == plan.Present {
		return s.Conn
	}
	return nil
}

// connOf returns the connection to a scope that a step reaches beside its own. What
// this run has made is opened.
func (e *executor) connOf(ctx context.Context, addr string) (resource.Conn, error) {
	s, err := e.scopeOf(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn, _ := s.current()
	return conn, nil
}

// nodeConn returns the connection to the engine that is a node of that ID, nil
// where the program names none. What has joined in this run was not seen as one:
// its declaration tells.
func (e *executor) nodeConn(ctx context.Context, id string) (resource.Conn, error) {
	for _, s := range e.in.Program.Scopes {
		if s := e.known(s.Address); s != nil && s.State.Status == plan.Present && s.State.Obs != nil && s.State.Obs.Node == id {
			return s.Conn, nil
		}
	}
	for _, d := range e.in.Program.Declarations {
		if d.On == "" {
			continue
		}
		e.mu.Lock()
		c := e.done[d.Address]
		e.mu.Unlock()
		if c == nil || c.Live == nil || c.Live.ID != id {
			continue
		}
		s, err := e.scopeOf(ctx, d.On)
		if err != nil {
			return nil, err
		}
		conn, _ := s.current()
		return conn, nil
	}
	return nil, nil
}

// stateOn is what is known of such a scope now.
func (e *executor) stateOn(addr string) *plan.ScopeState {
	if s := e.known(addr); s != nil {
		return s.State
	}
	return &plan.ScopeState{Scope: &resource.Scope{Address: addr}, Status: plan.Absent}
}

// known returns a scope as it was last looked at, nil where nobody has.
func (e *executor) known(addr string) *Scope {
	e.mu.Lock()
	s := e.scopes[addr]
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scope
}
