package apply

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// session is what internal/run does, for the world: observe, plan, apply.
type session struct {
	w       *world
	program *resource.Program
	opts    plan.Options
	conns   map[string]*Scope
	events  []Event // of the last apply
}

func (s *session) observe(ctx context.Context) error {
	s.conns = map[string]*Scope{}
	outer := &worldConn{w: s.w}
	obs, err := outer.Observe(ctx, s.program.Query("world.w"))
	if err != nil {
		return err
	}
	add := func(addr, typ string, conn resource.Conn, status plan.Status, obs *resource.Observation) {
		s.conns[addr] = &Scope{Conn: conn, State: &plan.ScopeState{Scope: &resource.Scope{Address: addr, Type: typ}, Status: status, Obs: obs}}
	}
	add("world.w", "world", outer, plan.Present, obs)
	if len(obs.Objects) == 0 {
		add("room.main", "room", nil, plan.Absent, nil)
		return nil
	}
	inner := &worldConn{w: s.w, room: obs.Objects[0].ID}
	iobs, err := inner.Observe(ctx, s.program.Query("room.main"))
	if err != nil {
		return err
	}
	add("room.main", "room", inner, plan.Present, iobs)
	return nil
}

func (s *session) plan(ctx context.Context) (*plan.Plan, error) {
	if err := s.observe(ctx); err != nil {
		return nil, err
	}
	states := map[string]*plan.ScopeState{}
	for a, c := range s.conns {
		states[a] = c.State
	}
	kinds := s.w.kinds()
	p, problems := plan.Build(plan.Input{Program: s.program, Scopes: states, Options: s.opts, Kinds: func(_, n string) *resource.Kind { return kinds[n] }})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// begin is what happens between approval and the first step: the ledger is
// there, the world is observed again, and nothing may go that was not shown.
func (s *session) begin(ctx context.Context, shown *plan.Plan) (*plan.Plan, error) {
	if inner := s.conns["room.main"]; inner.Conn != nil {
		if _, err := inner.Conn.(resource.Keeper).SaveLedger(ctx, s.program.Project, func(*resource.Ledger) {}); err != nil {
			return nil, err
		}
	}
	now, err := s.plan(ctx)
	if err != nil {
		return nil, err
	}
	plan.Restrict(now, shown)
	return now, nil
}

func (s *session) apply(ctx context.Context, p *plan.Plan) *Result {
	s.events = nil
	return Run(ctx, Input{
		Sink: func(e Event) { s.events = append(s.events, e) },
		Plan: p, Program: p.Program, Scopes: s.conns, Options: s.opts, Parallelism: 4, Backoff: time.Microsecond,
		Opened: func(ctx context.Context, addr string, _ *resource.Object, sc *Scope) error {
			l, err := sc.Conn.(resource.Keeper).SaveLedger(ctx, s.program.Project, func(*resource.Ledger) {})
			sc.State.Obs.Ledger = l
			return err
		},
	})
}
