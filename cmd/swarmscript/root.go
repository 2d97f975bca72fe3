package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/swarmscript/swarmscript/internal/diag"
)

const long = `swarmscript plans and applies Docker Swarm infrastructure from one Starlark file.

  swarmscript plan       # shows what would change; changes nothing
  swarmscript apply      # shows it, asks, and does it
  swarmscript destroy    # takes it all away

FILE is cluster.star where it is not given. There is no state file: what is
live is read, and what is ours carries our label. swarmscript docs shows what a
script can call.

Exit codes: 0 done; 1 error; 2 there are changes (plan --detailed-exitcode), or
something to look at (status); 3 authentication or connection; 4 a step failed;
5 not converged, rolled back, or a check did not pass; 6 another apply runs, or
the plan is stale; 130 interrupted.`

// command makes the tree of verbs.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "swarmscript",
		Short:         "Plan and apply Docker Swarm infrastructure from a Starlark script",
		Long:          long,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var verbs []string
			for _, c := range cmd.Commands() {
				verbs = append(verbs, c.Name())
			}
			return usagef(cmd.CommandPath(), diag.DidYouMean(args[0], verbs), "unknown command %q", args[0])
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.chdir == "" {
				return nil
			}
			return os.Chdir(a.chdir)
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetIn(a.in)
	flags := root.PersistentFlags()
	flags.StringVar(&a.chdir, "chdir", "", "work in `DIR`: files are relative to it, and load() reads from it")
	flags.BoolVar(&a.noColor, "no-color", false, "no colour, as with NO_COLOR set")
	flags.SortFlags = false
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		a.planCommand(), a.applyCommand(), a.destroyCommand(), a.showCommand(), a.graphCommand(), a.validateCommand(), a.outputCommand(),
		a.checkCommand(), a.psCommand(), a.statusCommand(), a.logsCommand(),
		a.rollbackCommand(), a.scaleCommand(), a.rebalanceCommand(), a.localCommand(), a.labCommand(), a.azureEmulatorCommand(), a.testCommand(),
		a.fmtCommand(), a.importCommand(), a.exportCommand(), a.execCommand(), a.replCommand(), a.docsCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.Args, c.RunE = cobra.ArbitraryArgs, completionUsage
	}
	for _, c := range root.Commands() {
		c.Flags().SortFlags = false
		c.DisableFlagsInUseLine = true
	}
	return root
}

// flagError adds to pflag's error what was probably meant: a name that is
// near, or Terraform's single dash.
func flagError(cmd *cobra.Command, err error) error {
	if err == pflag.ErrHelp {
		return err
	}
	msg := err.Error()
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	hint := ""
	if name, ok := strings.CutPrefix(msg, "unknown flag: "); ok {
		hint = diag.DidYouMean(name, names)
	} else if i := strings.LastIndex(msg, " in -"); strings.HasPrefix(msg, "unknown shorthand flag") && i >= 0 {
		word := "-" + msg[i+len(" in "):]
		name, _, _ := strings.Cut(word, "=")
		msg = "unknown flag: " + word[1:]
		hint = diag.DidYouMean(name, names)
	}
	return usagef(cmd.CommandPath(), hint, "%s", msg)
}

// completionUsage is what completion says without one of the shells that are
// its subcommands.
func completionUsage(cmd *cobra.Command, args []string) error {
	var shells []string
	for _, c := range cmd.Commands() {
		shells = append(shells, c.Name())
	}
	if len(args) == 0 {
		return usagef(cmd.CommandPath(), "", "completion needs a SHELL: %s", strings.Join(shells, ", "))
	}
	return usagef(cmd.CommandPath(), diag.DidYouMean(args[0], shells), "there is no completion for %q: want %s", args[0], strings.Join(shells, ", "))
}

// atMost refuses more arguments than a verb takes.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef(cmd.CommandPath(), "", "unexpected argument %q", args[n])
		}
		return nil
	}
}

// starFiles completes names of scripts.
func starFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"star"}, cobra.ShellCompDirectiveFilterFileExt
}
