package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) outputCommand() *cobra.Command {
	var o run.Options
	var file string
	var asJSON, raw bool
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Show the script's outputs, read from what is live",
		Long: "Show the script's outputs, read from what is live. All of them, sensitive ones hidden; or the one of a\n" +
			"NAME, as plain text, sensitive or not.",
		Example: "  swarmscript output\n" +
			"  curl \"$(swarmscript output url)\"\n" +
			"  swarmscript output --json | jq -r .url.value",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && raw {
				return usagef(cmd.CommandPath(), "", "--json and --raw exclude each other")
			}
			if raw && len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "--raw shows one output: give its NAME")
			}
			var files []string
			if file != "" {
				files = []string{file}
			}
			if err := a.script(cmd, &o, files); err != nil {
				return err
			}
			p, err := a.planned(cmd.Context(), o, nil, nil)
			if err != nil {
				return err
			}
			defer p.Close()
			return a.showOutputs(p, args, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "the script; cluster.star if left out")
	f.BoolVar(&asJSON, "json", false, "as JSON; sensitive values are null, unless asked for by NAME")
	f.BoolVar(&raw, "raw", false, "as plain text, which is what a NAME shows anyway")
	inputFlags(cmd, &o)
	_ = cmd.MarkFlagFilename("file", "star")
	return cmd
}

func (a *app) showOutputs(p *run.Planned, names []string, asJSON bool) error {
	list := apply.Evaluated(p.Plan.Outputs)
	var err error
	switch {
	case len(names) == 1 && asJSON:
		err = ui.OutputJSON(a.out, list, names[0])
	case len(names) == 1:
		err = ui.OutputRaw(a.out, list, names[0])
	case asJSON:
		err = ui.OutputsJSON(a.out, list, false)
	default:
		if len(list) == 0 {
			a.notef("the script has no outputs")
		}
		err = ui.Outputs(a.out, list, a.stdout().Style())
	}
	if len(p.Plan.Unreachable) > 0 {
		for _, scope := range slices.Sorted(maps.Keys(p.Plan.Unreachable)) {
			a.notef("%s: %v", scope, p.Plan.Unreachable[scope])
		}
		return exit(apply.ExitUnreachable)
	}
	return err
}
