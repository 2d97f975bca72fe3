package main

import (
	"context"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// logging is how logs were asked for.
type logging struct {
	run.LiveOptions
	operate.LogOptions
	ui   ui.LogOptions
	grep string
}

func (a *app) logsCommand() *cobra.Command {
	var g logging
	cmd := &cobra.Command{
		Use:   "logs [SERVICE...]",
		Short: "Show the logs of services, merged",
		Long: "Show the logs of services, all of the project's where none is named: the lines of all their tasks in\n" +
			"one, each with its task in front. With --follow they go on until Ctrl-C, through tasks that come and go\n" +
			"and connections that break.",
		Example: "  swarmscript logs web\n" +
			"  swarmscript logs -f --tail 20 web api\n" +
			"  swarmscript logs --since 10m --grep 'ERROR|panic'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.Tail != "all" {
				if n, err := strconv.Atoi(g.Tail); err != nil || n < 0 {
					return usagef(cmd.CommandPath(), "", "--tail %q: want a number, or all", g.Tail)
				}
			}
			if g.grep != "" {
				var err error
				if g.Grep, err = regexp.Compile(g.grep); err != nil {
					return usagef(cmd.CommandPath(), "", "--grep: %v", err)
				}
			}
			return a.withLive(cmd, &g.LiveOptions, func(ctx context.Context, l *run.Live) error {
				return a.logs(ctx, l, g, args)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&g.Follow, "follow", "f", false, "go on with what is written from now on")
	f.StringVar(&g.Since, "since", "", "only lines since a `TIME`, or for as long as 10m")
	f.StringVarP(&g.Tail, "tail", "n", "all", "only the last `LINES` of each task")
	f.StringVar(&g.grep, "grep", "", "only lines that match a regular expression `REGEXP`")
	f.BoolVarP(&g.ui.Timestamps, "timestamps", "t", false, "show when each line was written")
	f.BoolVar(&g.ui.NoPrefix, "no-prefix", false, "do not show the task in front of each line")
	f.BoolVar(&g.ui.JSON, "json", false, "one JSON object a line")
	liveFlags(cmd, &g.LiveOptions)
	return cmd
}

func (a *app) logs(ctx context.Context, l *run.Live, g logging, names []string) error {
	states, err := l.States(ctx)
	if err != nil {
		return err
	}
	services, err := operate.Find(states, names)
	if err != nil {
		return err
	}
	if len(services) == 0 {
		a.notef("no services")
		return nil
	}
	term := a.stdout()
	g.ui.Style, g.ui.Terminal = term.Style(), term.Size != nil
	for _, t := range operate.Tasks(services, false) {
		g.ui.Tasks = append(g.ui.Tasks, t.Name)
	}
	out := ui.NewLogs(a.out, g.ui)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var writeErr error
	err = operate.Logs(ctx, services, g.LogOptions, func(line operate.Line) {
		if writeErr == nil {
			if writeErr = out.Line(line); writeErr != nil {
				stop() // nobody reads any more
			}
		}
	}, func(msg string) { a.notef("%s", msg) })
	switch {
	case a.interrupt.begun():
		return exit(apply.ExitInterrupted)
	case writeErr != nil:
		return writeErr
	}
	return err
}
