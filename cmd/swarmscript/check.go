package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
)

func (a *app) checkCommand() *cobra.Command {
	var g applying
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Make the script's checks; changes nothing",
		Long: "Make every check_http, check_tcp and check_exec of the script, whether or not something has changed.\n" +
			"Nothing is changed. The exit code is 0 where all pass, 5 where one does not.",
		Example: "  swarmscript check\n" +
			"  swarmscript check --json",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.script(cmd, &g.Options, args); err != nil {
				return err
			}
			g.Check, g.checks = true, true
			return a.check(cmd.Context(), g)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&g.asJSON, "json", false, "events on standard output, one JSON object a line")
	f.DurationVar(&g.Timeout, "timeout", apply.DefaultTimeout, "how long a check is tried, unless it says so itself")
	f.IntVar(&g.Parallelism, "parallelism", apply.DefaultParallelism, "checks made at once")
	inputFlags(cmd, &g.Options)
	return cmd
}

func (a *app) check(ctx context.Context, g applying) error {
	p, err := a.planned(ctx, g.Options, nil, g.onError())
	if err != nil {
		return err
	}
	defer p.Close()
	if !p.Plan.Empty() {
		a.notef("the script has changes that are not applied; what is live is checked (swarmscript plan shows them)")
	}
	if p.OnlyChecks() == 0 {
		a.notef("the script has no checks")
		return nil
	}
	_, err = a.carryOut(ctx, p, g)
	return err
}
