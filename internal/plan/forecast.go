package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// forecast asks each scope what the plan would come to there.
func (b *builder) forecast() {
	unsettled := func(c *Change) bool { return c.Changes() || c.Unsettled != "" }
	if b.in.Options.Destroy || !slices.ContainsFunc(b.plan.Changes, unsettled) {
		return // there is nothing to foresee
	}
	var elsewhere []resource.Prospect
	for _, addr := range sortedKeys(b.index) {
		if st := b.index[addr].State; st.Obs != nil && st.Obs.Node != "" {
			elsewhere = append(elsewhere, b.prospects(st)...)
		}
	}
	for _, addr := range sortedKeys(b.index) {
		forecaster := b.forecaster(addr)
		if forecaster == nil {
			continue
		}
		for _, f := range forecaster.Forecast(b.prospects(b.index[addr].State), elsewhere) {
			c := b.changes[f.Address]
			if c == nil {
				continue
			}
			d := f.Diagnostic
			if c.Decl != nil {
				d.Pos = c.Decl.Pos
			}
			c.Findings = append(c.Findings, &d)
			c.Pending = c.Pending || f.Pending && b.in.Options.AllowPending
		}
	}
}

// forecaster is that of a scope, or of one that this plan is to open; nil where
// nothing is foreseen.
func (b *builder) forecaster(addr string) resource.Forecaster {
	st := b.index[addr].State
	switch {
	case st.Obs != nil && !b.goes(addr):
		return st.Obs.Forecaster
	case st.Status != Absent:
		return nil
	}
	opener := b.changes[value.Address(addr)]
	if opener == nil || opener.Action != Create || opener.Blocked != "" {
		return nil
	}
	within := b.index[opener.Scope].State.Obs
	if within == nil || within.Begins == nil {
		return nil
	}
	return within.Begins(opener.Args)
}

// prospects are the objects of a scope as they will be.
func (b *builder) prospects(st *ScopeState) []resource.Prospect {
	written := make(map[*resource.Object]*Change, len(b.plan.Changes))
	declared := make(map[*resource.Object]*Change, len(b.plan.Changes))
	for _, c := range b.plan.Changes {
		if c.Live == nil || c.Scope != st.Scope.Address {
			continue
		}
		if c.Changes() && c.Blocked == "" {
			written[c.Live] = c
		} else {
			declared[c.Live] = c
		}
	}
	obs := st.Obs
	if obs == nil { // of a scope that does not exist yet
		obs = &resource.Observation{}
	}
	out := make([]resource.Prospect, 0, len(obs.Objects))
	for _, o := range obs.Objects {
		if written[o] != nil {
			continue
		}
		p := resource.Prospect{Kind: o.Kind, Live: o, Node: obs.Node}
		if c := declared[o]; c != nil {
			p.Address, p.Title = c.Address, c.Address.Short()
		} else {
			p.Title, _ = b.title(o)
		}
		out = append(out, p)
	}
	for _, c := range b.plan.Changes {
		if c.Scope != st.Scope.Address || !c.Changes() || c.Action.Drops() || c.Blocked != "" {
			continue
		}
		out = append(out, resource.Prospect{
			Address: c.Address, Title: c.Address.Short(), Kind: c.Kind.Name, Live: c.Live,
			Changes: true, Args: c.Args, Schema: c.Kind.Schema, Node: obs.Node, Fields: c.Fields, Anew: c.Action == Create || c.Action == Replace, Restart: c.Restart,
			NoWait: b.in.Options.AllowPending || c.Decl != nil && c.Decl.NoWait,
		})
	}
	return out
}

// Refused are the findings for which a plan is not carried out.
func (p *Plan) Refused() diag.List {
	var out diag.List
	for _, c := range p.Changes {
		for _, f := range c.Findings {
			if f.Severity == diag.Error {
				d := *f
				d.Summary = string(c.Address) + ": " + f.Summary
				out = append(out, &d)
			}
		}
	}
	return slices.Clip(out)
}
