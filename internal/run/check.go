package run

import (
	"context"
	"slices"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// OnlyChecks leaves of the plan the checks alone. It returns how many there
// are.
func (p *Planned) OnlyChecks() int {
	p.Plan = p.Plan.Checks()
	return len(p.Plan.Changes)
}

// Check makes the checks of a plan that [Planned.OnlyChecks] has left. It
// writes nothing: a check that passes here is made once more by the next apply
// if that owes it.
func (p *Planned) Check(ctx context.Context, opts ApplyOptions) (*apply.Result, error) {
	res := p.run(ctx, opts, nil)
	p.locate(res)
	return res, nil
}

// due are the addresses of the checks that a plan makes.
func due(p *plan.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		if c.Action == plan.Check {
			out = append(out, string(c.Address))
		}
	}
	slices.Sort(out)
	return out
}

// unpassed are the addresses of the checks that an apply made, or left out, and
// that did not pass.
func unpassed(res *apply.Result) []string {
	var out []string
	for _, s := range res.Steps {
		if s.Change.Action == plan.Check && s.Outcome != apply.OK {
			out = append(out, string(s.Change.Address))
		}
	}
	slices.Sort(out)
	return out
}

// owed adds to checks those that a plan of a part of the project leaves out:
// that ledgers remember, or that come after what it changes.
func (p *Planned) owed(checks []string) []string {
	if !p.partial() {
		return checks
	}
	made := due(p.Plan)
	for _, a := range p.Plan.Owes {
		if !slices.Contains(checks, string(a)) {
			checks = append(checks, string(a))
		}
	}
	for _, s := range p.view.scopes {
		if s.State.Obs == nil {
			continue
		}
		for _, a := range s.State.Obs.Ledger.Unpassed {
			if !slices.Contains(made, a) && !slices.Contains(checks, a) {
				checks = append(checks, a)
			}
		}
	}
	slices.Sort(checks)
	return checks
}

// owesChecks reports whether a ledger remembers checks that have not passed:
// when they have, it is written.
func (v *view) owesChecks() bool {
	for _, s := range v.scopes {
		if s.State.Obs != nil && len(s.State.Obs.Ledger.Unpassed) > 0 {
			return true
		}
	}
	return false
}
