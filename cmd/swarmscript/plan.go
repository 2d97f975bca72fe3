package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) planCommand() *cobra.Command {
	var o run.Options
	var asJSON, detailed, simulate bool
	var out string
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Show what an apply would change; changes nothing",
		Example: "  swarmscript plan\n" +
			"  swarmscript plan staging.star --var replicas=4\n" +
			"  swarmscript plan --detailed-exitcode   # 0: no changes, 2: changes\n" +
			"  swarmscript plan --out shop.plan && swarmscript apply shop.plan\n" +
			"  swarmscript plan --simulate            # where tasks land, what is interrupted",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			if err := notSaved(cmd, o.File); err != nil {
				return err
			}
			return a.plan(cmd.Context(), o, planning{out, asJSON, detailed, simulate})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Destroy, "destroy", false, "plan to take everything away")
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 where there are changes")
	f.BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	f.BoolVar(&simulate, "simulate", false, "try the plan out in a swarm in memory: where tasks land, what waits, what is interrupted")
	f.StringVar(&out, "out", "", "save the plan to `FILE`, for apply; its owner alone can read it")
	planFlags(cmd, &o)
	selectFlags(cmd, &o)
	cmd.MarkFlagsMutuallyExclusive("simulate", "refresh-only") // which changes nothing
	return cmd
}

// planning is what a plan is wanted for.
type planning struct {
	out                        string
	asJSON, detailed, simulate bool
}

func (a *app) plan(ctx context.Context, o run.Options, g planning) error {
	var onError func(io.Writer, error) error
	if g.out != "" {
		if err := run.CheckOut(g.out); err != nil {
			return err
		}
	}
	if g.asJSON {
		onError = func(w io.Writer, err error) error { return ui.PlanErrorJSON(w, err, version) }
	}
	p, err := a.planned(ctx, o, nil, onError)
	if err != nil {
		return err
	}
	defer p.Close()
	err = a.writePlan(ctx, p, o, g)
	if err == nil && g.out != "" && p.Refused() == nil {
		if err = p.Save(g.out, version); err == nil {
			a.notef("saved to %s; swarmscript apply %s does just this", g.out, g.out)
		}
	}
	switch {
	case err != nil:
		return err
	case p.Refused() != nil:
		ending := "an apply would change nothing"
		if g.out != "" {
			ending = "it was not saved"
		}
		return a.refused(p, ending)
	case len(p.Plan.Unreachable) > 0:
		return exit(apply.ExitUnreachable)
	case g.detailed && (!p.Plan.Empty() || len(p.Plan.Drift) > 0):
		return exit(apply.ExitChanges)
	}
	return nil
}

// writePlan shows the plan, and what it does to what runs where that is asked for.
// What it does comes to an error only where a swarm does not answer.
func (a *app) writePlan(ctx context.Context, p *run.Planned, o run.Options, g planning) error {
	if !g.simulate {
		if g.asJSON {
			return ui.PlanJSON(a.out, p.Plan, version)
		}
		return a.showPlan(p, o)
	}
	reports, err := p.Simulate(ctx)
	if err != nil {
		return a.failed(err, p.Source, func(w io.Writer, err error) error {
			if g.asJSON {
				return ui.PlanErrorJSON(w, err, version)
			}
			return nil
		})
	}
	if g.asJSON {
		return ui.SimulatedPlanJSON(a.out, p.Plan, reports, version)
	}
	if err := a.showPlan(p, o); err != nil {
		return err
	}
	return ui.Simulation(a.out, reports, a.stdout().Style())
}

// planned makes the plan, which has to be the saved one where there is one, or
// shows why there is none; see failed for onError.
func (a *app) planned(ctx context.Context, o run.Options, saved *plan.File, onError func(io.Writer, error) error) (*run.Planned, error) {
	var p *run.Planned
	var err error
	if saved != nil {
		p, err = run.PlanSaved(ctx, saved, o)
	} else {
		p, err = run.Plan(ctx, o)
	}
	if err == nil {
		return p, nil
	}
	var source func(string) []byte
	if p != nil {
		if p.Script != nil {
			source = p.Source
		}
		defer p.Close()
	}
	return nil, a.failed(err, source, onError)
}

// failed shows an error and returns its code as an error. With --json, onError
// writes it to standard output too; otherwise it is nil.
func (a *app) failed(err error, source func(string) []byte, onError func(io.Writer, error) error) error {
	if onError != nil && !errors.Is(err, context.Canceled) {
		if werr := onError(a.out, err); werr != nil {
			return werr
		}
	}
	return exit(a.fail(err, source))
}

// refused ends a verb whose plan is not carried out: why, the plan itself shows
// with each resource.
func (a *app) refused(p *run.Planned, ending string) error {
	var because []string
	for _, c := range p.Plan.Changes {
		if c.Findings.Err() != nil {
			because = append(because, c.Address.Short())
		}
	}
	a.notef("error: the plan cannot be carried out because of %s; %s", strings.Join(because, ", "), ending)
	return exit(apply.ExitError)
}

func (a *app) showPlan(p *run.Planned, o run.Options) error {
	if p.Observed != "" {
		a.notef("observed %s: %s in %.1f s", p.Plan.Project, p.Observed, p.Took.Seconds())
	}
	fmt.Fprintln(a.err)
	return ui.Plan(a.out, p.Plan, ui.PlanOptions{Style: a.stdout().Style(), Destroy: o.Destroy, RefreshOnly: o.RefreshOnly})
}
