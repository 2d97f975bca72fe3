package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// applying is an apply as it was asked for.
type applying struct {
	run.Options
	asJSON, approved bool
	checks           bool       // makes the script's checks and nothing else
	saved            *plan.File // the plan that is applied, nil to make one
}

func (a *app) applyCommand() *cobra.Command {
	cmd := a.changing("apply [FILE]", "Make what is live as the script, or a saved plan, says", false)
	cmd.Example = "  swarmscript apply\n" +
		"  swarmscript apply --auto-approve --var image=nginx:1.27.3\n" +
		"  swarmscript apply --adopt service.web      # it was made by hand before\n" +
		"  swarmscript apply shop.plan                # as plan --out saved it; asks nothing"
	return cmd
}

func (a *app) destroyCommand() *cobra.Command {
	cmd := a.changing("destroy [FILE]", "Take away everything that the project made", true)
	cmd.Example = "  swarmscript destroy\n" +
		"  swarmscript destroy --allow-data-loss      # the swarm too"
	return cmd
}

// changing makes one of the two verbs that change something. They differ in
// their default alone.
func (a *app) changing(use, short string, destroy bool) *cobra.Command {
	var g applying
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			g.Destroy = g.Destroy || destroy
			if !destroy && len(args) > 0 && run.IsSaved(args[0]) {
				return a.applySaved(cmd, g, args[0])
			}
			if g.asJSON && !g.approved {
				return usagef(cmd.CommandPath(), "", "--json asks nothing: give --auto-approve too")
			}
			if err := a.script(cmd, &g.Options, args); err != nil {
				return err
			}
			if err := notSaved(cmd, g.File); err != nil {
				return err
			}
			return a.apply(cmd.Context(), g)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&g.approved, "auto-approve", false, "do not ask before changing anything")
	if !destroy {
		f.BoolVar(&g.Destroy, "destroy", false, "take everything away, as the verb destroy does")
	}
	f.BoolVar(&g.asJSON, "json", false, "events on standard output, one JSON object a line")
	planFlags(cmd, &g.Options)
	selectFlags(cmd, &g.Options)
	applyFlags(cmd, &g.Options)
	return cmd
}

// hostPatience is how long an apply waits for a host() that is new to the project
// and does not answer: a machine of a cloud that was made a moment ago takes about
// a minute to boot.
const hostPatience = 2 * time.Minute

// waiting says which machine an apply waits for before there is a plan.
func (a *app) waiting(scope, text string) { a.notef("%s: %s", scope, text) }

func (a *app) apply(ctx context.Context, g applying) error {
	if !g.Destroy && !g.RefreshOnly {
		g.Patience, g.Waiting = hostPatience, a.waiting
	}
	p, err := a.planned(ctx, g.Options, g.saved, g.onError())
	if err != nil {
		return err
	}
	defer p.Close()
	if g.saved != nil {
		g.Destroy, g.RefreshOnly = g.saved.Wishes.Destroy, g.saved.Wishes.RefreshOnly
	}
	if !g.asJSON {
		if err := a.showPlan(p, g.Options); err != nil {
			return err
		}
		if p.Refused() != nil {
			return a.refused(p, "nothing was changed")
		}
	}
	if g.RefreshOnly {
		return a.refresh(ctx, p, g)
	}
	if p.Plan.Idle() {
		return a.nothingToDo(p, g)
	}
	if !p.Plan.Empty() {
		if err := a.approve(ctx, p, g); err != nil {
			return err
		}
	}
	_, err = a.carryOut(ctx, p, g)
	return err
}

// nothingToDo ends an apply that has no step: nothing is contacted again.
func (a *app) nothingToDo(p *run.Planned, g applying) error {
	r := &apply.Result{Outputs: apply.Evaluated(p.Plan.Outputs)}
	code := apply.ExitOK
	if len(p.Plan.Unreachable) > 0 {
		code = apply.ExitUnreachable
	}
	var err error
	switch {
	case g.asJSON:
		err = ui.SummaryJSON(a.out, r, ui.SummaryOptions{Destroy: g.Destroy, Exit: code, Unreachable: p.Plan.Unreachable}, time.Now())
	case len(r.Outputs) > 0 && !g.Destroy:
		fmt.Fprint(a.out, "\nOutputs:\n\n")
		err = ui.Outputs(a.out, r.Outputs, a.stdout().Style())
	}
	if err == nil && code != apply.ExitOK {
		err = exit(code)
	}
	return err
}

// approve asks, unless it was told not to.
func (a *app) approve(ctx context.Context, p *run.Planned, g applying) error {
	if g.approved {
		return nil
	}
	yes, err := ui.Approve(ctx, a.stderr(), question(p, g))
	if err != nil {
		return exit(a.fail(err, p.Source))
	}
	if !yes {
		a.notef("not approved; nothing was changed")
		return exit(apply.ExitError)
	}
	return nil
}

// question is what is asked before a plan is carried out.
func question(p *run.Planned, g applying) ui.Question {
	q := ui.Question{Project: p.Plan.Project, Destroy: g.Destroy && !p.Plan.Partial}
	for _, c := range p.Plan.Changes {
		if (c.Action == plan.Delete || c.Action == plan.Replace) && c.Kind.DataLoss != "" {
			lost := string(c.Address) + ": " + c.Kind.DataLoss
			if n := len(c.Takes); n > 0 {
				lost += ", " + count(n, "object") + " in it"
			}
			q.Lost = append(q.Lost, lost)
		}
	}
	return q
}

// carryOut applies and shows how it went; the result is nil where nothing was
// begun.
func (a *app) carryOut(ctx context.Context, p *run.Planned, g applying) (*apply.Result, error) {
	r, err := a.watched(p.Plan, g.asJSON, func(o run.ApplyOptions) (*apply.Result, error) {
		o.Why = g.why()
		if g.checks {
			return p.Check(ctx, o)
		}
		return p.Apply(ctx, o)
	})
	code := apply.ExitOK
	if r != nil {
		code = r.ExitCode()
	}
	if err != nil {
		code = apply.ExitCodeOf(err, apply.ExitError)
	}
	if code != apply.ExitOK && a.interrupt.begun() {
		code = apply.ExitInterrupted
	}
	if code == apply.ExitOK && len(p.Plan.Unreachable) > 0 {
		code = apply.ExitUnreachable
	}
	if r != nil {
		err = first(err, a.summary(r, ui.SummaryOptions{
			Names: ui.NewNames(p.Plan), Destroy: g.Destroy, Checks: g.checks, Exit: code, Unreachable: p.Plan.Unreachable,
		}, g.asJSON))
	}
	switch {
	case err != nil && r != nil:
		return r, a.failedAfter(err, code, p.Source, g.onError())
	case err != nil:
		return nil, a.failed(err, p.Source, g.onError())
	case code != apply.ExitOK:
		return r, exit(code)
	}
	return r, nil
}

// watched does what applies a plan, while its progress is shown and signals are
// heeded.
func (a *app) watched(p *plan.Plan, asJSON bool, do func(run.ApplyOptions) (*apply.Result, error)) (*apply.Result, error) {
	term, mode := a.stderr(), ui.Auto
	if asJSON {
		term, mode = a.stdout(), ui.JSON
	}
	progress := ui.NewProgress(term, mode, p)
	defer progress.Close()
	var mu sync.Mutex // a message about a signal comes from elsewhere
	event := func(e apply.Event) {
		mu.Lock()
		defer mu.Unlock()
		progress.Event(e)
	}
	stop, end := a.interrupt.during(func(msg string) {
		event(apply.Event{Time: time.Now(), Type: apply.Notice, Text: msg})
	})
	defer end()
	return do(run.ApplyOptions{Stop: stop, Sink: event})
}

// summary shows how an apply went.
func (a *app) summary(r *apply.Result, o ui.SummaryOptions, asJSON bool) error {
	o.Style = a.stdout().Style()
	if asJSON {
		return ui.SummaryJSON(a.out, r, o, time.Now())
	}
	return ui.Summary(a.out, r, o)
}

// failedAfter shows what failed once there is a result: also where an abort
// caused it, it is not true that nothing was changed.
func (a *app) failedAfter(err error, code int, source func(string) []byte, onError func(io.Writer, error) error) error {
	if onError != nil {
		if werr := onError(a.out, err); werr != nil {
			return werr
		}
	}
	a.problems(err, source)
	return exit(code)
}

// onError is what --json writes about an error: events, as of all else.
func (g applying) onError() func(io.Writer, error) error {
	if !g.asJSON {
		return nil
	}
	return ui.ErrorJSON
}

// why is what others read in the lease.
func (g applying) why() string {
	switch {
	case g.saved != nil:
		return "apply of a saved plan"
	case g.Destroy:
		return "destroy " + g.File
	}
	return "apply " + g.File
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
