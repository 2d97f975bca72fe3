package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) psCommand() *cobra.Command {
	var o run.LiveOptions
	var asJSON, history bool
	cmd := &cobra.Command{
		Use:   "ps [SERVICE...]",
		Short: "List the project's tasks: where they run, and why they do not",
		Long: "List the tasks of the project's services, those first that somebody should look at, with the swarm's\n" +
			"message in full. A SERVICE is a name, an address such as service.web, or the beginning of an ID.",
		Example: "  swarmscript ps\n" +
			"  swarmscript ps web --history     # also the tasks before\n" +
			"  swarmscript ps --all --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLive(cmd, &o, func(ctx context.Context, l *run.Live) error {
				states, err := l.States(ctx)
				if err != nil {
					return err
				}
				services, err := operate.Find(states, args)
				if err != nil {
					return err
				}
				tasks := operate.Tasks(services, history)
				if asJSON {
					return ui.PrettyJSON(a.out, struct {
						Tasks []operate.Task `json:"tasks"`
					}{append([]operate.Task{}, tasks...)})
				}
				if len(tasks) == 0 {
					a.notef("no tasks")
					return nil
				}
				return ui.Tasks(a.out, tasks, time.Now(), a.stdout().Style())
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&history, "history", false, "also the tasks that others have taken the place of")
	f.BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	liveFlags(cmd, &o)
	return cmd
}
