package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// The verb exec has two meanings, told apart by the -- that a command stands
// after: exec FILE runs a script, exec SERVICE -- COMMAND a command in a
// container of that service.

// execin is a command for a container as it was asked for.
type execin struct {
	run.LiveOptions
	operate.ExecOptions
	noTTY bool
}

func execinFlags(cmd *cobra.Command, g *execin) {
	f := cmd.Flags()
	f.StringVarP(&g.User, "user", "u", "", "in a container: run as `USER[:GROUP]`")
	f.StringVarP(&g.Workdir, "workdir", "w", "", "in a container: run in `DIR`")
	f.StringArrayVarP(&g.Env, "env", "e", nil, "in a container: set an environment variable, as `NAME=VALUE`; may be repeated")
	f.BoolVar(&g.Privileged, "privileged", false, "in a container: with all capabilities")
	f.BoolVarP(&g.noTTY, "no-tty", "T", false, "in a container: without a terminal, also where there is one")
}

// execUsage says what exec wants, where it was not that. dash is the number of
// arguments before the --, -1 where there is none.
func execUsage(cmd *cobra.Command, args []string, dash int) error {
	switch {
	case dash == 0:
		return usagef(cmd.CommandPath(), "", "exec needs a SERVICE before --")
	case dash > 1:
		return usagef(cmd.CommandPath(), "", "unexpected argument %q before --", args[1])
	case dash == 1 && len(args) == 1:
		return usagef(cmd.CommandPath(), "", "exec needs a COMMAND after --")
	case dash == 1:
		return nil
	case len(args) == 0:
		return usagef(cmd.CommandPath(), "", "exec needs a FILE, or a SERVICE and -- COMMAND")
	}
	_, err := os.Stat(args[0])
	isFile := err == nil || strings.HasSuffix(args[0], ".star")
	switch {
	case !isFile && len(args) > 1:
		return usagef(cmd.CommandPath(), "", "put -- before the command: swarmscript exec %s -- %s", args[0], strings.Join(args[1:], " "))
	case !isFile:
		return usagef(cmd.CommandPath(), "", "there is no file %q to run; for a command in a service's container: swarmscript exec %s -- COMMAND", args[0], args[0])
	}
	return atMost(1)(cmd, args)
}

// execIn runs the command and ends with its exit code.
func (a *app) execIn(cmd *cobra.Command, g execin, service string, command []string) error {
	g.Command = command
	return a.withLive(cmd, &g.LiveOptions, func(ctx context.Context, l *run.Live) error {
		var states []*operate.State
		if len(l.Swarms) > 0 {
			var err error
			if states, err = l.States(ctx); err != nil {
				return err
			}
		}
		target, err := operate.Locate(ctx, states, l.Engines, service)
		if err != nil {
			return err
		}
		code, err := a.execOn(ctx, target, g)
		switch {
		case errors.Is(err, context.Canceled) && a.interrupt.begun():
			a.notef("interrupted; the command in %s is left to itself", target.Task)
			return exit(apply.ExitInterrupted)
		case err != nil:
			return err
		case code != 0:
			return exit(code)
		}
		return nil
	})
}

func (a *app) execOn(ctx context.Context, target *operate.Target, g execin) (int, error) {
	g.Stdin, g.Stdout, g.Stderr = a.in, a.out, a.err
	g.TTY = !g.noTTY && ui.IsTerminal(a.in) && ui.IsTerminal(a.out)
	if g.TTY {
		restore, err := ui.Raw(a.in)
		if err != nil {
			return 0, err
		}
		defer restore()
		sizes := make(chan operate.Size)
		g.Sizes = sizes
		sized, end := context.WithCancel(ctx)
		defer end()
		go a.stdout().Sizes(sized, func(w, h int) {
			select {
			case sizes <- operate.Size{Width: w, Height: h}:
			case <-sized.Done():
			}
		})
		if term := a.getenv("TERM"); term != "" {
			g.Env = append([]string{"TERM=" + term}, g.Env...)
		}
	}
	return operate.Exec(ctx, target, g.ExecOptions)
}
