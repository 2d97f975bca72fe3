package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/run"
)

const exportLong = `Write what a script declares as a compose file, from which docker stack deploy makes the same services,
networks, volumes, configs and secrets. Nothing is contacted. What such a file cannot say is a warning, or
an error with --strict.

What is sensitive is not written: a secret becomes external, to be made before, and other sensitive values
become variables of the environment. --with-secrets writes them as they are.`

func (a *app) exportCommand() *cobra.Command {
	var o run.Options
	var e run.ExportOptions
	var composed bool
	cmd := &cobra.Command{
		Use:   "export --compose [FILE]",
		Short: "Write a compose file of what the script declares",
		Long:  exportLong,
		Example: "  swarmscript export --compose\n" +
			"  swarmscript export --compose --out stack staging.star\n" +
			"  swarmscript export --compose --stack shop --out stack --with-secrets",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !composed {
				return usagef(cmd.CommandPath(), "", "export needs --compose")
			}
			if err := a.script(cmd, &o, args); err != nil {
				return err
			}
			if err := notSaved(cmd, o.File); err != nil {
				return err
			}
			return a.exportCompose(cmd, o, e)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&composed, "compose", false, "write a compose file, for docker stack deploy")
	f.StringVarP(&e.Dir, "out", "o", "", "write "+run.ComposeFile+", and what it reads, into this `DIR`")
	f.StringVar(&e.Stack, "stack", "", "the stack's `NAME`, for docker stack deploy; that of the only stack() unless given, or the project's")
	f.StringVar(&e.Cluster, "cluster", "", "the swarm of that `NAME`, where there are several")
	f.BoolVar(&e.Secrets, "with-secrets", false, "write what is sensitive as it is")
	f.BoolVar(&e.Strict, "strict", false, "what a compose file cannot say is an error")
	inputFlags(cmd, &o)
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (a *app) exportCompose(cmd *cobra.Command, o run.Options, e run.ExportOptions) error {
	file := filepath.Join(e.Dir, run.ComposeFile)
	if e.Dir != "" {
		if _, err := os.Lstat(file); err == nil {
			return usagef(cmd.CommandPath(), "remove it first, or give another folder", "%s exists already", file)
		}
	}
	s, out, err := run.ExportCompose(cmd.Context(), o, e)
	if err != nil {
		return a.failed(err, s.Source, nil)
	}
	if e.Dir == "" {
		if _, err := a.out.Write(out.Text); err != nil {
			return err
		}
	} else if err := writeBeside(file, out.Text, out.Files); err != nil {
		return err
	}
	for _, w := range slices.Concat(s.Program.Warnings, out.Warnings) {
		a.notef("warning: %s", w.Error())
	}
	if e.Dir == "" {
		return nil
	}
	a.notef("wrote %s: %s, %s beside it", file, count(out.Services, "service"), count(len(out.Files), "file"))
	for _, n := range out.Needs {
		a.notef("needs, before: %s", n)
	}
	fmt.Fprintf(a.out, "docker stack deploy --compose-file %s %s\n", file, out.Stack)
	return nil
}
