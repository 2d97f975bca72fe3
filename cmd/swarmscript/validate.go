package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) validateCommand() *cobra.Command {
	var o run.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check the script; contacts nothing",
		Long: "Check the script: it is evaluated, and every argument is checked. Nothing is contacted. All problems are\n" +
			"shown, not just the first.",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			if run.IsSaved(o.File) {
				return notSaved(cmd, o.File)
			}
			s, err := run.Evaluate(cmd.Context(), o)
			if asJSON {
				list := diag.From(err)
				if err == nil {
					list = s.Program.Warnings
				}
				if werr := ui.ValidateJSON(a.out, list); werr != nil {
					return werr
				}
				if err != nil {
					return exit(apply.ExitError)
				}
				return nil
			}
			if err != nil {
				var source func(string) []byte
				if s != nil {
					source = s.Source
				}
				return exit(a.fail(err, source))
			}
			for _, w := range s.Program.Warnings {
				a.notef("warning: %s", w.Error())
			}
			fmt.Fprintf(a.out, "%s is valid: %s, %s.\n", o.File,
				count(declared(s.Program), "resource"), count(len(s.Program.Outputs), "output"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	inputFlags(cmd, &o)
	return cmd
}

// declared counts what the script declares itself: not what it only looks up.
func declared(p *resource.Program) int {
	n := 0
	for _, d := range p.Declarations {
		if !d.External {
			n++
		}
	}
	return n
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
