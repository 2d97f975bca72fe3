package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/lang"
)

func (a *app) execCommand() *cobra.Command {
	var o run.Options
	var bare bool
	var in execin
	cmd := &cobra.Command{
		Use:   "exec SERVICE[.SLOT] -- COMMAND... | exec FILE",
		Short: "Run a command in a service's container; or a script that declares nothing",
		Long: "With --: run a command in a container of a service, of one of its tasks where a SLOT is given (web.2; in\n" +
			"global mode web.NODE). It has a terminal where this one is, its exit code is ours. The container must be\n" +
			"on an engine that can be reached: those of the script, or that of DOCKER_HOST.\n\n" +
			"Without --: run a script that declares nothing, and show what it prints, then its outputs. Nothing is\n" +
			"contacted: a script that declares resources is refused. With --bare the file is plain Starlark, without our\n" +
			"builtins.",
		Example: "  swarmscript exec web -- sh\n" +
			"  swarmscript exec db.1 -- pg_dump shop > shop.sql\n" +
			"  swarmscript exec --bare calc.star",
		Args: func(cmd *cobra.Command, args []string) error {
			return execUsage(cmd, args, cmd.ArgsLenAtDash())
		},
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 1 {
				if bare {
					return usagef(cmd.CommandPath(), "", "--bare is for a FILE, not for a command in a container")
				}
				return a.execIn(cmd, in, args[0], args[1:])
			}
			o.Vars, o.VarFiles = in.Vars, in.VarFiles
			if bare {
				if len(o.Vars)+len(o.VarFiles) > 0 {
					return usagef(cmd.CommandPath(), "", "--bare knows no variables")
				}
				if err := lang.ExecBare(cmd.Context(), args[0], a.out); err != nil {
					return exit(a.fail(err, beside(args[0])))
				}
				return nil
			}
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			o.Print = func(msg string) { fmt.Fprintln(a.out, msg) }
			s, err := run.Evaluate(cmd.Context(), o)
			if err != nil {
				source := beside(o.File)
				if s != nil {
					source = s.Source
				}
				return exit(a.fail(err, source))
			}
			if n := declared(s.Program); n > 0 {
				return usagef(cmd.CommandPath(), "use plan or apply", "%s declares %s, and exec changes nothing", args[0], count(n, "resource"))
			}
			return ui.Outputs(a.out, apply.Evaluated(s.Program.Outputs), a.stdout().Style())
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		err = flagError(cmd, err)
		var usage *usageError
		if errors.As(err, &usage) && usage.hint == "" {
			usage.hint = "a command in a container comes after --"
		}
		return err
	})
	cmd.Flags().BoolVar(&bare, "bare", false, "plain Starlark: only the language's own builtins, and load() below the file's folder")
	liveFlags(cmd, &in.LiveOptions)
	execinFlags(cmd, &in)
	return cmd
}

// beside returns the text of files by their names relative to a script's
// folder.
func beside(script string) func(string) []byte {
	return func(file string) []byte {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(script), file))
		if err != nil {
			return nil // then the line is not shown
		}
		return text
	}
}
