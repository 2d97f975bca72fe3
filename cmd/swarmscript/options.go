package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/run"
)

// defaultFile is the script that a verb takes where none is given.
const defaultFile = "cluster.star"

// inputFlags are those of every verb that evaluates a script.
func inputFlags(cmd *cobra.Command, o *run.Options) {
	f := cmd.Flags()
	f.StringArrayVar(&o.Vars, "var", nil, "set a variable of the script, as `NAME=VALUE`; may be repeated")
	f.StringArrayVar(&o.VarFiles, "var-file", nil, "set variables from a TOML, JSON or YAML `FILE`; may be repeated, the last one wins")
	f.StringVar(&o.Provider, "provider", "", "where a vm() comes from that does not say it: `NAME` is "+providerNames()+"; "+run.Providers[0]+" if left out")
	labFlag(f, &o.Lab)
	_ = cmd.MarkFlagFilename("var-file", "toml", "json", "yaml", "yml")
	_ = cmd.RegisterFlagCompletionFunc("provider", cobra.FixedCompletions(run.Providers, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("lab")
}

// providerNames are the names that --provider takes, for a person.
func providerNames() string {
	last := len(run.Providers) - 1
	return strings.Join(run.Providers[:last], ", ") + " or " + run.Providers[last]
}

// labFlag is that of every verb that may need a lab.
func labFlag(f *pflag.FlagSet, dir *string) {
	f.StringVar(dir, "lab", "", "the folder of the lab, in place of .swarmscript/lab beside the script, as `DIR`")
}

// planFlags are those of the verbs that plan.
func planFlags(cmd *cobra.Command, o *run.Options) {
	inputFlags(cmd, o)
	f := cmd.Flags()
	f.StringArrayVar(&o.Adopt, "adopt", nil, "take over what has our name but not our mark, by its `ADDRESS`, such as service.web; may be repeated")
	f.BoolVar(&o.AdoptAll, "adopt-all", false, "take over all that has our names and nobody's mark")
	f.StringArrayVar(&o.Forget, "forget", nil, "let go of a scope of the inventory that is gone for good, by its `ADDRESS`, such as engine.old; may be repeated")
	f.BoolVar(&o.AllowPending, "allow-pending", false, "go on where tasks would have no node to run on")
	f.BoolVar(&o.Check, "check", false, "make every check of the script, not only those after something that changes")
	f.BoolVar(&o.AllowDataLoss, "allow-data-loss", false, "delete also what cannot be brought back, such as a swarm")
}

// applyFlags are those of the verbs that change something.
func applyFlags(cmd *cobra.Command, o *run.Options) {
	f := cmd.Flags()
	f.IntVar(&o.Parallelism, "parallelism", apply.DefaultParallelism, "steps that write at once")
	f.BoolVar(&o.Detach, "detach", false, "do not wait until services have converged")
	f.DurationVar(&o.Timeout, "timeout", apply.DefaultTimeout, "how long a step may take to converge, unless it says so itself")
	f.DurationVar(&o.LockTimeout, "lock-timeout", 0, "how long to wait for another apply to end")
}

// settings fills in what the flags and the surroundings say.
func (a *app) settings(cmd *cobra.Command, o *run.Options) error {
	o.Env = a.lookupEnv
	if t := a.stderr(); t.Ask {
		o.Ask = t.Secret
	}
	if dir, err := os.UserCacheDir(); err == nil {
		o.Keep = filepath.Join(dir, "swarmscript", "stacks")
	}
	o.Print = func(msg string) { fmt.Fprintln(a.err, msg) }
	if o.Parallelism < 0 || cmd.Flags().Changed("parallelism") && o.Parallelism == 0 {
		return usagef(cmd.CommandPath(), "", "--parallelism %d: want 1 or more", o.Parallelism)
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"timeout", o.Timeout}, {"lock-timeout", o.LockTimeout}} {
		if f.d < 0 {
			return usagef(cmd.CommandPath(), "", "--%s %s: want no less than 0", f.name, f.d)
		}
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"destroy", o.Destroy}, {"replace", len(o.Replace) > 0}, {"check", o.Check}} {
		if o.RefreshOnly && f.set {
			return usagef(cmd.CommandPath(), "", "--refresh-only does nothing that --%s asks for: leave out one of them", f.name)
		}
	}
	if o.Provider != "" && !slices.Contains(run.Providers, o.Provider) {
		return usagef(cmd.CommandPath(), diag.DidYouMean(o.Provider, run.Providers), "--provider %s: want %s", o.Provider, providerNames())
	}
	if o.Lab != "" {
		dir, err := filepath.Abs(o.Lab) // a saved plan may be applied elsewhere
		if err != nil {
			return err
		}
		o.Lab = dir
	}
	if a.chdir != "" {
		o.Chdir = "." // the folder has been changed
	}
	return nil
}

// script is settings, and finds the script.
func (a *app) script(cmd *cobra.Command, o *run.Options, args []string) error {
	if err := a.settings(cmd, o); err != nil {
		return err
	}
	o.File = defaultFile
	if len(args) > 0 {
		o.File = args[0]
	}
	if info, err := os.Stat(o.File); err == nil && info.IsDir() {
		o.File = filepath.Join(o.File, defaultFile)
		if _, err := os.Stat(o.File); os.IsNotExist(err) {
			return usagef(cmd.CommandPath(), "", "%s has no %s; name the script: %s FILE", args[0], defaultFile, cmd.CommandPath())
		}
	}
	if _, err := os.Stat(o.File); os.IsNotExist(err) && len(args) == 0 {
		return usagef(cmd.CommandPath(), "", "there is no %s here: give a FILE, or --chdir", defaultFile)
	}
	return nil
}
