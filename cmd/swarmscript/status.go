package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) statusCommand() *cobra.Command {
	var o run.LiveOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show on one screen what somebody should look at",
		Long: "Show on one screen how the project is: its services, why tasks fail or find no node, updates that are\n" +
			"paused or rolled back, nodes that are down, and how what is live differs from the script.\n" +
			"The exit code is 0 where all is well, 2 where there is something to look at.",
		Example: "  swarmscript status\n" +
			"  swarmscript status --json | jq '.services[] | select(.problems)'",
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLive(cmd, &o, func(ctx context.Context, l *run.Live) error {
				s, err := projectStatus(ctx, l)
				if err != nil {
					return err
				}
				if asJSON {
					err = ui.StatusJSON(a.out, s)
				} else {
					err = ui.Status(a.out, s, a.stdout().Style())
				}
				if err == nil && !s.Fine() && len(l.Unreachable) == 0 {
					err = exit(apply.ExitChanges)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	liveFlags(cmd, &o)
	return cmd
}

func projectStatus(ctx context.Context, l *run.Live) (*ui.ProjectStatus, error) {
	states, err := l.States(ctx)
	if err != nil {
		return nil, err
	}
	s := &ui.ProjectStatus{Project: l.Project()}
	s.Services, s.Nodes = operate.Status(states)
	var where []string
	for _, st := range states {
		what := count(len(st.Nodes), "node") + ", " + count(len(st.Services), "service")
		if st.Swarm.Address != "" {
			what = st.Swarm.Address + ", " + what
		}
		where = append(where, what)
	}
	s.Where = strings.Join(where, "; ")
	s.Plan, s.NoPlan = l.Planned(ctx)
	return s, nil
}
