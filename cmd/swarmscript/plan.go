package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) planCommand() *cobra.Command {
	var o run.Options
	var asJSON, detailed bool
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Show what an apply would change; changes nothing",
		Example: "  swarmscript plan\n" +
			"  swarmscript plan staging.star --var replicas=4\n" +
			"  swarmscript plan --detailed-exitcode   # 0: no changes, 2: changes",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			return a.plan(cmd.Context(), o, asJSON, detailed)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Destroy, "destroy", false, "plan to take everything away")
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 where there are changes")
	f.BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	planFlags(cmd, &o)
	return cmd
}

func (a *app) plan(ctx context.Context, o run.Options, asJSON, detailed bool) error {
	var onError func(io.Writer, error) error
	if asJSON {
		onError = func(w io.Writer, err error) error { return ui.PlanErrorJSON(w, err, version) }
	}
	p, err := a.planned(ctx, o, onError)
	if err != nil {
		return err
	}
	defer p.Close()
	if asJSON {
		err = ui.PlanJSON(a.out, p.Plan, version)
	} else {
		err = a.showPlan(p, o)
	}
	switch {
	case err != nil:
		return err
	case p.Refused() != nil:
		return a.refused(p, "an apply would change nothing")
	case len(p.Plan.Unreachable) > 0:
		return exit(apply.ExitUnreachable)
	case detailed && !p.Plan.Empty():
		return exit(apply.ExitChanges)
	}
	return nil
}

// planned makes the plan, or shows why there is none; see failed for onError.
func (a *app) planned(ctx context.Context, o run.Options, onError func(io.Writer, error) error) (*run.Planned, error) {
	p, err := run.Plan(ctx, o)
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
	return ui.Plan(a.out, p.Plan, ui.PlanOptions{Style: a.stdout().Style(), Destroy: o.Destroy})
}
