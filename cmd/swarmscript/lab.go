package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/serve"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// labs is the family of verbs of a lab, with the flag that they share.
type labs struct {
	*app
	dir string
}

func (a *app) labCommand() *cobra.Command {
	l := &labs{app: a}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Look at the hosts of a lab, and try what happens when they fail",
		Long: "Look at the hosts that lab() simulates, and try what happens when they fail. What is done here is by hand:\n" +
			"where the script says otherwise, the next apply makes it so again. The lab is that of the scripts in this\n" +
			"folder, unless --lab or --chdir says otherwise. A HOST is a host's name, or that with its project before it,\n" +
			"as shop/staging/web, where several projects have it.",
		Example: "  swarmscript lab ls\n" +
			"  eval $(swarmscript lab env mgr-0)      # and docker talks to that host's engine\n" +
			"  swarmscript lab ssh mgr-0 docker node ls\n" +
			"  swarmscript lab kill wrk-2             # a power cut\n" +
			"  swarmscript lab partition mgr-0 mgr-1  # they do not reach each other\n" +
			"  swarmscript lab heal",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var verbs []string
			for _, c := range cmd.Commands() {
				if !c.Hidden {
					verbs = append(verbs, c.Name())
				}
			}
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "lab needs a verb: %s", strings.Join(verbs, ", "))
			}
			return usagef(cmd.CommandPath(), diag.DidYouMean(args[0], verbs), "unknown verb %q", args[0])
		},
	}
	labFlag(cmd.PersistentFlags(), &l.dir)
	_ = cmd.MarkPersistentFlagDirname("lab")
	cmd.AddCommand(
		l.listCommand(), l.statusCommand(), l.envCommand(), l.sshCommand(),
		l.powerCommand(lab.Start, "Boot hosts, or, where none is named, start the lab's process"),
		l.powerCommand(lab.Stop, "Shut hosts down in an orderly way, or, where none is named, end the lab's process"),
		l.powerCommand(lab.Kill, "Cut hosts' power: all that runs on them ends at once, their disks stay"),
		l.powerCommand(lab.Pause, "Make hosts hang: connections stay open, and nobody answers"),
		l.powerCommand(lab.Resume, "Let hosts go on that were paused"),
		l.partitionCommand(), l.healCommand(), l.faultCommand(), l.resetCommand(), serveCommand(),
	)
	for _, c := range cmd.Commands() {
		c.Flags().SortFlags = false
		c.DisableFlagsInUseLine = true
	}
	return cmd
}

// serveCommand is the lab's process itself, which lab verbs and plans start.
func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := serve.Main(args); code != 0 {
				return exit(code)
			}
			return nil
		},
	}
}

// open returns the lab. Nothing is written or started.
func (l *labs) open() (*lab.Lab, error) {
	dir := l.dir
	if dir == "" {
		here, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		dir = lab.DefaultDir(here)
	}
	return lab.Open(dir)
}

// there is open for verbs that need a lab to be there.
func (l *labs) there() (*lab.Lab, error) {
	found, err := l.open()
	if err != nil {
		return nil, err
	}
	if !found.Exists() {
		return nil, &diag.Diagnostic{
			Summary: "there is no lab in " + near(found.Dir()),
			Hint:    "an apply makes it; for that of a script elsewhere give --chdir, or its folder with --lab",
		}
	}
	return found, nil
}

// with finds the hosts that are named, and does something to each, some at once.
func (l *labs) with(ctx context.Context, names []string, do func(*lab.Lab, *api.Host) error) error {
	found, err := l.there()
	if err != nil {
		return err
	}
	defer found.Close()
	var hosts []*api.Host
	for _, name := range names {
		h, err := found.Pick(ctx, name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(hosts, func(o *api.Host) bool { return o.ID == h.ID }) {
			hosts = append(hosts, h)
		}
	}
	return each(hosts, func(h *api.Host) error { return do(found, h) })
}

// complete offers the names of hosts that are not there yet, at most so many. It
// starts nothing.
func (l *labs) complete(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		found, err := l.open()
		if err != nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if _, err := found.Info(cmd.Context()); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := found.Hosts(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := slices.DeleteFunc(lab.Names(all), func(n string) bool { return slices.Contains(args, n) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// powerCommand is a verb that does something to each host that is named; two of
// them are about the lab's process where none is.
func (l *labs) powerCommand(verb lab.Verb, short string) *cobra.Command {
	process := verb == lab.Start || verb == lab.Stop
	use := string(verb) + " HOST..."
	if process {
		use = string(verb) + " [HOST...]"
	}
	return &cobra.Command{
		Use: use, Short: short, ValidArgsFunction: l.complete(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !process {
				return usagef(cmd.CommandPath(), "", "%s needs the name of a HOST", verb)
			}
			if len(args) == 0 {
				return l.process(cmd.Context(), verb)
			}
			return l.with(cmd.Context(), args, func(found *lab.Lab, h *api.Host) error {
				_, err := found.Do(cmd.Context(), h.ID, verb)
				return err
			})
		},
	}
}

// process starts or ends the lab's process.
func (l *labs) process(ctx context.Context, verb lab.Verb) error {
	found, err := l.there()
	if err != nil {
		return err
	}
	defer found.Close()
	if verb == lab.Start {
		return found.Start(ctx)
	}
	was, err := found.Stop(ctx)
	if err == nil && !was {
		l.notef("it did not run")
	}
	return err
}

func (l *labs) partitionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "partition A B", Short: "Keep two hosts from reaching each other, until heal", ValidArgsFunction: l.complete(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(cmd.CommandPath(), "", "partition needs the names of two hosts")
			}
			return l.pair(cmd.Context(), args, (*lab.Lab).Partition)
		},
	}
}

func (l *labs) healCommand() *cobra.Command {
	return &cobra.Command{
		Use: "heal [A B]", Short: "Let two hosts reach each other again, or all", Args: atMost(2), ValidArgsFunction: l.complete(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return usagef(cmd.CommandPath(), "", "heal needs the names of two hosts, or none for all")
			}
			if len(args) == 2 {
				return l.pair(cmd.Context(), args, (*lab.Lab).Heal)
			}
			found, err := l.there()
			if err != nil {
				return err
			}
			defer found.Close()
			return found.Heal(cmd.Context(), "", "")
		},
	}
}

func (l *labs) pair(ctx context.Context, names []string, do func(l *lab.Lab, ctx context.Context, a, b string) error) error {
	found, err := l.there()
	if err != nil {
		return err
	}
	defer found.Close()
	a, err := found.Pick(ctx, names[0])
	if err != nil {
		return err
	}
	b, err := found.Pick(ctx, names[1])
	if err != nil {
		return err
	}
	return do(found, ctx, a.ID, b.ID)
}

func (l *labs) resetCommand() *cobra.Command {
	approved := false
	cmd := &cobra.Command{
		Use: "reset", Args: atMost(0), Short: "End the lab, and remove it with all its hosts",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := l.open()
			if err != nil {
				return err
			}
			defer found.Close()
			if !found.Exists() {
				l.notef("there is no lab in %s", near(found.Dir()))
				return nil
			}
			if !approved {
				yes, err := ui.Approve(cmd.Context(), l.stderr(), ui.Question{Lost: []string{fmt.Sprintf("the lab in %s, with all its hosts", near(found.Dir()))}})
				if err != nil {
					return err
				}
				if !yes {
					l.notef("not approved; nothing was changed")
					return exit(apply.ExitError)
				}
			}
			return found.Reset(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&approved, "auto-approve", false, "do not ask")
	return cmd
}

// near is a path as it is told: from here, where it is below.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
