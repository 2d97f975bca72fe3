package main

import (
	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/docs"
)

func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "docs [NAME]",
		Short: "Show what a script can call",
		Long:  "Show what a script can call: all of it in a line each, or one builtin with its arguments.",
		Example: "  swarmscript docs\n" +
			"  swarmscript docs service\n" +
			"  swarmscript docs update_policy",
		Args: atMost(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, e := range docs.All() {
				names = append(names, e.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return docs.List(a.out)
			}
			e, err := docs.Find(args[0])
			if err != nil {
				return err
			}
			return docs.Text(a.out, e, a.stdout().Style().Width)
		},
	}
}
