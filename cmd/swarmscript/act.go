package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// acting is a change by a person's word as it was asked for.
type acting struct {
	run.LiveOptions
	asJSON, approved, dryRun bool
	why                      string
}

// actFlags are those of the verbs that change services.
func actFlags(cmd *cobra.Command, g *acting) {
	f := cmd.Flags()
	f.BoolVar(&g.approved, "auto-approve", false, "do not ask before stopping or renewing tasks")
	f.BoolVar(&g.dryRun, "dry-run", false, "show what would happen, and change nothing")
	f.BoolVar(&g.asJSON, "json", false, "events on standard output, one JSON object a line")
	f.BoolVar(&g.Detach, "detach", false, "do not wait until the services have converged")
	f.DurationVar(&g.Timeout, "timeout", apply.DefaultTimeout, "how long a service may take to converge")
	f.DurationVar(&g.LockTimeout, "lock-timeout", 0, "how long to wait for an apply to end")
	liveFlags(cmd, &g.LiveOptions)
}

func (a *app) rollbackCommand() *cobra.Command {
	var g acting
	cmd := &cobra.Command{
		Use:   "rollback SERVICE...",
		Short: "Bring services back to what they were before their last update",
		Long: "Bring services back to what they were before their last update, as their rollback policy says, and wait\n" +
			"until they have converged. The script does not change: where it says otherwise, the next apply makes it\n" +
			"so again.",
		Example: "  swarmscript rollback web",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.act(cmd, &g, args, func(ctx context.Context, _ int, s *operate.Service) (*operate.Act, error) {
				return operate.Rollback(ctx, s)
			})
		},
	}
	actFlags(cmd, &g)
	return cmd
}

func (a *app) scaleCommand() *cobra.Command {
	var g acting
	cmd := &cobra.Command{
		Use:   "scale SERVICE=REPLICAS...",
		Short: "Give services another number of tasks, until the next apply",
		Long: "Give services another number of tasks, and wait until they run. The script does not change: where it says\n" +
			"otherwise, the next apply makes it so again, unless lifecycle(ignore_changes = [\"replicas\"]) leaves it alone.",
		Example: "  swarmscript scale web=5 api=2",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, counts, err := replicas(cmd, args)
			if err != nil {
				return err
			}
			return a.act(cmd, &g, names, func(ctx context.Context, i int, s *operate.Service) (*operate.Act, error) {
				return operate.Scale(ctx, s, counts[i])
			})
		},
	}
	actFlags(cmd, &g)
	return cmd
}

// replicas reads web=5 api=2.
func replicas(cmd *cobra.Command, args []string) (names []string, counts []uint64, err error) {
	for _, arg := range args {
		i := strings.LastIndexByte(arg, '=')
		if i <= 0 {
			return nil, nil, usagef(cmd.CommandPath(), "", "%q: want SERVICE=REPLICAS, such as web=5", arg)
		}
		n, err := strconv.ParseUint(arg[i+1:], 10, 31)
		if err != nil {
			return nil, nil, usagef(cmd.CommandPath(), "", "%q: %q is not a number of replicas", arg, arg[i+1:])
		}
		names, counts = append(names, arg[:i]), append(counts, n)
	}
	return names, counts, nil
}

func (a *app) rebalanceCommand() *cobra.Command {
	var g acting
	cmd := &cobra.Command{
		Use:   "rebalance SERVICE...",
		Short: "Spread tasks anew, over nodes that came back or joined",
		Long: "Spread the tasks of services evenly over the nodes that fit, where they are not. The swarm leaves tasks\n" +
			"where they are when a node comes back, and cannot move one: all tasks of such a service are started anew,\n" +
			"as its update policy says. A service that is spread evenly is left alone.",
		Example: "  swarmscript rebalance web --dry-run\n" +
			"  swarmscript rebalance web api",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.act(cmd, &g, args, func(ctx context.Context, _ int, s *operate.Service) (*operate.Act, error) {
				return operate.Rebalance(ctx, s)
			})
		},
	}
	actFlags(cmd, &g)
	return cmd
}

// act finds the services, makes an act of each, shows them and carries them
// out.
func (a *app) act(cmd *cobra.Command, g *acting, names []string, of func(context.Context, int, *operate.Service) (*operate.Act, error)) error {
	if len(names) == 0 {
		return usagef(cmd.CommandPath(), "", "%s needs a SERVICE", cmd.Name())
	}
	if g.asJSON && !g.approved && !g.dryRun {
		return usagef(cmd.CommandPath(), "", "--json asks nothing: give --auto-approve too")
	}
	g.why = cmd.Name() + " " + strings.Join(names, " ")
	return a.withLive(cmd, &g.LiveOptions, func(ctx context.Context, l *run.Live) error {
		states, err := l.States(ctx)
		if err != nil {
			return err
		}
		var acts []*operate.Act
		var problems diag.List
		seen := map[string]bool{}
		for i, name := range names {
			found, err := operate.Find(states, []string{name})
			if err == nil && seen[found[0].ID] {
				err = fmt.Errorf("%s is named twice", found[0].Spec.Name)
			}
			if err != nil {
				problems = append(problems, diag.From(err)...)
				continue
			}
			seen[found[0].ID] = true
			act, err := of(ctx, i, found[0])
			var nothing *operate.ErrNothing
			switch {
			case errors.As(err, &nothing):
				a.notef("%s", nothing.Why)
			case err != nil:
				problems = append(problems, diag.From(err)...)
			default:
				acts = append(acts, act)
			}
		}
		if err := problems.Err(); err != nil {
			return err
		}
		if len(acts) == 0 {
			return nil
		}
		return a.carryOutActs(ctx, l.Acts(ctx, acts), g)
	})
}

func (a *app) carryOutActs(ctx context.Context, acts *run.Acts, g *acting) error {
	if !g.asJSON {
		if err := ui.Plan(a.out, acts.Plan, ui.PlanOptions{Style: a.stdout().Style()}); err != nil {
			return err
		}
	}
	for _, w := range acts.Warnings {
		a.notef("warning: %s", w)
	}
	if g.dryRun {
		return nil
	}
	if acts.Interrupts() && !g.approved {
		yes, err := ui.Approve(ctx, a.stderr(), ui.Question{Project: acts.Plan.Project})
		if err != nil {
			return err
		}
		if !yes {
			a.notef("not approved; nothing was changed")
			return exit(apply.ExitError)
		}
	}
	r, err := a.watched(acts.Plan, g.asJSON, func(o run.ApplyOptions) (*apply.Result, error) {
		o.Why = g.why
		return acts.Apply(ctx, g.Options, o)
	})
	if err != nil {
		return err
	}
	code := r.ExitCode()
	if code != apply.ExitOK && a.interrupt.begun() {
		code = apply.ExitInterrupted
	}
	err = a.summary(r, ui.SummaryOptions{Names: ui.NewNames(acts.Plan), Exit: code}, g.asJSON)
	if err == nil && code != apply.ExitOK {
		err = exit(code)
	}
	return err
}
