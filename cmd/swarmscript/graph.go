package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) graphCommand() *cobra.Command {
	var o run.Options
	var format string
	var declared bool
	cmd := &cobra.Command{
		Use:   "graph [FILE]",
		Short: "Show what waits for what",
		Long: "Show the steps of a plan and what each waits for; or, with --declared, what the script declares and what\n" +
			"each refers to, which contacts nothing. FILE is a script, or a saved plan.",
		Example: "  swarmscript graph | dot -Tsvg > plan.svg\n" +
			"  swarmscript graph --declared --format mermaid\n" +
			"  swarmscript graph --format json shop.plan",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(ui.GraphFormats, format) {
				return usagef(cmd.CommandPath(), diag.DidYouMean(format, ui.GraphFormats), "--format %s: want %s", format, strings.Join(ui.GraphFormats, ", "))
			}
			if len(args) > 0 && run.IsSaved(args[0]) {
				for _, name := range append([]string{"declared", "var"}, planOwned...) {
					if cmd.Flags().Changed(name) {
						return usagef(cmd.CommandPath(), "", "--%s is for a script: %s is a saved plan, and shown as it is", name, args[0])
					}
				}
				return a.savedGraph(args[0], format)
			}
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			if err := notSaved(cmd, o.File); err != nil {
				return err
			}
			if declared {
				s, err := run.Evaluate(cmd.Context(), o)
				if err != nil {
					return a.failed(err, s.Source, nil)
				}
				return ui.Graph(a.out, plan.Declared(s.Program), format, false)
			}
			p, err := a.planned(cmd.Context(), o, nil, nil)
			if err != nil {
				return err
			}
			defer p.Close()
			if err := ui.Graph(a.out, p.Plan.Graph, format, true); err != nil {
				return err
			}
			for _, scope := range slices.Sorted(maps.Keys(p.Plan.Unreachable)) {
				a.notef("%s: %v", scope, p.Plan.Unreachable[scope])
			}
			if len(p.Plan.Unreachable) > 0 {
				return exit(apply.ExitUnreachable)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "dot", "`FORMAT`: dot, mermaid or json")
	f.BoolVar(&declared, "declared", false, "of the script alone: nothing is contacted")
	f.BoolVar(&o.Destroy, "destroy", false, "of a plan to take everything away")
	planFlags(cmd, &o)
	selectFlags(cmd, &o)
	_ = cmd.Flags().MarkHidden("refresh-only") // it has no steps
	return cmd
}

func (a *app) savedGraph(path, format string) error {
	f, err := run.LoadPlan(path, version)
	if err != nil {
		return err
	}
	return ui.Graph(a.out, f.Plan.Graph, format, true)
}
