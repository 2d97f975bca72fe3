package run

import (
	"context"
	"errors"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A machine that is switched off in an apply may keep the apply's lease, or that of the
// swarm which is reached through it.

// away has the leases outlast that machine, of which one may be its swarm's.
func (p *Planned) away(ctx context.Context, machine string, leases *leases, off bool) error {
	if leases == nil {
		return nil
	}
	var errs []error
	for _, addr := range p.view.inside(machine) {
		if store, ok := p.view.scope(addr).Conn.(resource.Leaser); ok {
			errs = append(errs, leases.outlast(ctx, store, off))
		}
	}
	return errors.Join(errs...)
}

// leaving lets the leases run out that are kept on machines which the plan switches
// off for good. It is done before the first goes: a swarm may be on all of them.
func (p *Planned) leaving(leases *leases) {
	for _, c := range p.Plan.Changes {
		if leases == nil || !switchesOff(c) {
			continue
		}
		for _, addr := range p.view.inside(string(c.Outage.Machine)) {
			if store, ok := p.view.scope(addr).Conn.(resource.Leaser); ok {
				leases.runOut(store)
			}
		}
	}
}

// switchesOff reports whether a change has a machine off for good.
func switchesOff(c *plan.Change) bool { return c.Outage != nil && c.Outage.Begins && !c.Outage.Ends }

// switchedOff has it that nothing is asked any more of a machine that is off.
func (p *Planned) switchedOff(machine string) {
	for _, addr := range p.view.inside(machine) {
		s := p.view.scope(addr)
		st := *s.State
		st.Status, st.Off, st.Obs, st.Err = plan.Absent, true, nil, resource.ErrOff
		s.State = &st
	}
}
