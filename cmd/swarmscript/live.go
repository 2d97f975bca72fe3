package main

import (
	"context"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
)

// liveFlags are those of the verbs that look at what runs. They find it the
// same way: by the script, or where there is none as the docker CLI does.
func liveFlags(cmd *cobra.Command, o *run.LiveOptions) {
	f := cmd.Flags()
	short := "f"
	if f.ShorthandLookup(short) != nil {
		short = "" // -f follows logs, as everywhere
	}
	f.StringVarP(&o.File, "file", short, "", "the script; cluster.star if there is one, otherwise the engine of DOCKER_HOST or DOCKER_CONTEXT")
	f.StringVar(&o.Cluster, "cluster", "", "which of the script's swarms, such as `NAME` main; all if left out")
	f.BoolVar(&o.All, "all", false, "also what is not this project's")
	inputFlags(cmd, &o.Options)
	_ = cmd.MarkFlagFilename("file", "star")
}

// attach finds the swarms, or shows why it cannot.
func (a *app) attach(cmd *cobra.Command, o *run.LiveOptions) (*run.Live, error) {
	var files []string
	if o.File != "" {
		files = []string{o.File}
	} else if _, err := os.Stat(defaultFile); os.IsNotExist(err) {
		o.NoScript = true
		if len(o.Vars)+len(o.VarFiles) > 0 || o.Cluster != "" {
			return nil, usagef(cmd.CommandPath(), "", "there is no %s here for --var, --var-file or --cluster: give the script with -f", defaultFile)
		}
	}
	if !o.NoScript {
		if err := a.script(cmd, &o.Options, files); err != nil {
			return nil, err
		}
	}
	l, err := run.Attach(cmd.Context(), *o)
	if err != nil {
		return nil, a.failed(err, sourceOf(l), nil)
	}
	if len(l.Swarms) > 0 { // otherwise what is unreachable is the error
		for _, addr := range slices.Sorted(maps.Keys(l.Unreachable)) {
			a.notef("unreachable: %s: %v", addr, l.Unreachable[addr])
		}
	}
	return l, nil
}

func sourceOf(l *run.Live) func(string) []byte {
	if l == nil || l.Script == nil {
		return nil
	}
	return l.Script.Source
}

// withLive does something with what runs. What it returns is the verb's error.
func (a *app) withLive(cmd *cobra.Command, o *run.LiveOptions, do func(context.Context, *run.Live) error) error {
	l, err := a.attach(cmd, o)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := do(cmd.Context(), l); err != nil {
		if _, said := err.(exit); said {
			return err
		}
		return a.failed(err, sourceOf(l), nil)
	}
	if len(l.Unreachable) > 0 {
		return exit(apply.ExitUnreachable)
	}
	return nil
}
