package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
)

const importLong = `Take a live object under the address of a declaration: its mark is written, and nothing else of it is
changed. What is different from the script, the next plan shows. ID is the object's ID, the beginning of
one, or its name.

With --live: write a script that declares everything on an engine and in its swarm. That only reads. What the
script declares is what is live, so that nothing changes but marks when it is applied with --adopt-all; with
--take they are written at once, and the first plan is empty.

With --compose: write a script that declares, one by one, what compose files say: what stack() makes of them,
and docker stack deploy. Nothing is contacted.`

// importing is an import as it was asked for.
type importing struct {
	run.Options
	live, take  bool
	out         string
	liveOpts    run.LiveScriptOptions
	composeOpts run.ComposeOptions
}

func (a *app) importCommand() *cobra.Command {
	var g importing
	cmd := &cobra.Command{
		Use:   "import ADDRESS ID [FILE]",
		Short: "Take what is live under a declaration, or write a script of it",
		Long:  importLong,
		Example: "  swarmscript import service.web 5vqk2fjz3\n" +
			"  swarmscript import network.backend backend staging.star\n" +
			"  swarmscript import --live --project shop\n" +
			"  swarmscript import --live --project shop -o cluster.star --take\n" +
			"  swarmscript import --compose compose.yml -o cluster.star",
		Args: func(cmd *cobra.Command, args []string) error { return g.check(cmd, args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case g.live:
				return a.importLive(cmd, g)
			case g.composeOpts.Files != nil:
				return a.importCompose(cmd, g)
			}
			if err := a.script(cmd, &g.Options, args[2:]); err != nil {
				return err
			}
			g.Imports = []plan.Import{{Address: args[0], Object: args[1]}}
			return a.importMarks(cmd.Context(), g.Options, "import "+args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&g.live, "live", false, "write a script of all that is live")
	f.StringVarP(&g.out, "out", "o", "", "with --live or --compose: write the script to this new `FILE`; of what is live, long configs become files beside it")
	f.BoolVar(&g.take, "take", false, "with --live and --out: write the marks at once")
	f.StringVar(&g.liveOpts.Project, "project", "", "with --live or --compose: the project's `NAME`, or NAME/ENV; imported, or the stack's name, unless given")
	f.StringArrayVar(&g.composeOpts.Files, "compose", nil, "write a script of this compose `FILE`; may be repeated, the later ones count")
	f.StringVar(&g.composeOpts.Stack, "stack", "", "with --compose: the stack's `NAME`; that of the file's folder unless given")
	f.StringArrayVar(&g.composeOpts.EnvFiles, "env-file", nil, "with --compose: a `FILE` of variables, in place of .env; may be repeated")
	f.StringArrayVar(&g.composeOpts.Profiles, "profile", nil, "with --compose: a `NAME` of a profile that is on; may be repeated")
	f.StringVar(&g.liveOpts.Host, "host", "", "with --live: the engine's `ADDRESS`, in place of DOCKER_HOST")
	f.StringVar(&g.liveOpts.Context, "context", "", "with --live: the docker context of that `NAME`")
	f.DurationVar(&g.LockTimeout, "lock-timeout", 0, "how long to wait for another apply to end")
	inputFlags(cmd, &g.Options)
	_ = cmd.MarkFlagFilename("out", "star")
	return cmd
}

// check refuses what does not go together.
func (g *importing) check(cmd *cobra.Command, args []string) error {
	bad := func(hint, format string, a ...any) error { return usagef(cmd.CommandPath(), hint, format, a...) }
	composed := cmd.Flags().Changed("compose")
	for name, of := range map[string]string{"take": "--live", "host": "--live", "context": "--live", "stack": "--compose", "env-file": "--compose", "profile": "--compose"} {
		if cmd.Flags().Changed(name) && !(of == "--live" && g.live || of == "--compose" && composed) {
			return bad("", "--%s belongs to %s", name, of)
		}
	}
	for _, name := range []string{"out", "project"} {
		if !g.live && !composed && cmd.Flags().Changed(name) {
			return bad("", "--%s belongs to --live and --compose", name)
		}
	}
	switch {
	case g.live && composed:
		return bad("", "--live and --compose exclude each other")
	case composed && len(args) > 0:
		return bad("--compose may be repeated", "unexpected argument %q", args[0])
	case composed:
		return nil
	case g.live && len(args) > 0:
		return bad("", "unexpected argument %q: --live takes all there is", args[0])
	case g.live && g.take && g.out == "":
		return bad("", "--take needs --out: what is marked must be declared in a file")
	case g.live && g.liveOpts.Host != "" && g.liveOpts.Context != "":
		return bad("", "--host and --context exclude each other")
	case g.live:
		return nil
	case len(args) < 2:
		return bad("or --live, or --compose", "import needs an ADDRESS and an ID")
	case len(args) > 3:
		return bad("", "unexpected argument %q", args[3])
	}
	return nil
}

// importMarks writes marks, and says what became whose.
func (a *app) importMarks(ctx context.Context, o run.Options, why string) error {
	stop, end := a.interrupt.during(func(msg string) { a.notef("%s", msg) })
	s, done, err := run.Import(ctx, o, run.ApplyOptions{Why: why, Stop: stop, Sink: a.importEvent})
	end()
	if err != nil {
		a.problems(err, s.Source)
		if a.interrupt.begun() {
			return exit(apply.ExitInterrupted)
		}
		return exit(apply.ExitCodeOf(err, apply.ExitError))
	}
	for _, i := range done {
		c := i.Change
		word := "imported"
		if i.Already {
			word = "is ours already"
		}
		fmt.Fprintf(a.out, "%s: %s %s (%s) %s\n", c.Address.Short(), c.Kind.Name, c.Live.Name, c.Live.ID, word)
	}
	return nil
}

// importEvent shows what a person waits for; that a mark was written is told at
// the end.
func (a *app) importEvent(e apply.Event) {
	if e.Type == apply.Notice || e.Type == apply.Retried {
		a.notef("%s", e.Text)
	}
}

func (a *app) importLive(cmd *cobra.Command, g importing) error {
	if g.out != "" {
		if _, err := os.Lstat(g.out); err == nil {
			return usagef(cmd.CommandPath(), "remove it first, or give another name", "%s exists already", g.out)
		}
		g.liveOpts.Beside, g.liveOpts.File = true, g.out
	}
	if g.liveOpts.Project == "" {
		g.liveOpts.Project = "imported"
	}
	begun := time.Now()
	l, err := run.ImportLive(cmd.Context(), g.liveOpts)
	if err != nil {
		return exit(a.fail(err, nil))
	}
	if err := a.written(g.out, l); err != nil {
		return err
	}
	a.notef("wrote %s, %d of them external, in %.1f s", count(l.Declared+l.External, "declaration"), l.External, time.Since(begun).Seconds())
	if !g.take {
		return nil
	}
	if err := a.script(cmd, &g.Options, []string{g.out}); err != nil {
		return err
	}
	if g.Imports = l.Imports; len(g.Imports) == 0 {
		return nil
	}
	return a.importMarks(cmd.Context(), g.Options, "import --live")
}

func (a *app) importCompose(cmd *cobra.Command, g importing) error {
	if g.out != "" {
		if _, err := os.Lstat(g.out); err == nil {
			return usagef(cmd.CommandPath(), "remove it first, or give another name", "%s exists already", g.out)
		}
	}
	o := g.composeOpts
	o.Project, o.File, o.Env = g.liveOpts.Project, g.out, os.LookupEnv
	l, texts, err := run.ImportCompose(cmd.Context(), o)
	if err != nil {
		a.problems(err, func(file string) []byte { return texts[file] })
		return exit(apply.ExitError)
	}
	if err := a.written(g.out, l); err != nil {
		return err
	}
	a.notef("wrote %s, %d of them external", count(l.Declared+l.External, "declaration"), l.External)
	return nil
}

// written writes a script to standard output, or to the file out and beside it,
// and says what there is to note.
func (a *app) written(out string, l *run.LiveScript) error {
	if out == "" {
		if _, err := a.out.Write(l.Text); err != nil {
			return err
		}
	} else if err := writeBeside(out, l.Text, l.Files); err != nil {
		return err
	}
	for _, n := range l.Notes {
		a.notef("%s", n)
	}
	return nil
}

// writeBeside writes a file and those that it reads, none of which may be there.
func writeBeside(path string, text []byte, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := writeNew(file, []byte(text)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeNew(path, text)
}

func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
