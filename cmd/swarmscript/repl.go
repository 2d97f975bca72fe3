package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/repl"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (a *app) replCommand() *cobra.Command {
	var o run.Options
	cmd := &cobra.Command{
		Use:   "repl [FILE]",
		Short: "Try things at a prompt: declare, plan, apply, look at what is live",
		Long: "Try things at a prompt: every builtin of a script, and help(), plan(), apply(), diff(), live(), undeclare()\n" +
			"and reload(). With a FILE, what it declares and defines is there; what is typed adds to it, or replaces it.\n" +
			"Tab completes, Ctrl-C gives up a line or an evaluation, Ctrl-D ends. Off a terminal it evaluates its input,\n" +
			"and exits with 1 if anything in it failed.",
		Example: "  swarmscript repl\n" +
			"  swarmscript repl staging.star --var replicas=4\n" +
			"  echo 'live(\"service\")' | swarmscript repl",
		Args:              atMost(1),
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.settings(cmd, &o)
			if len(args) > 0 {
				err = a.script(cmd, &o, args)
			}
			if err != nil {
				return err
			}
			o.Print = func(msg string) { fmt.Fprintln(a.out, msg) }
			return a.repl(cmd.Context(), o)
		},
	}
	planFlags(cmd, &o)
	applyFlags(cmd, &o)
	return cmd
}

// prompt is the program at a prompt.
type prompt struct {
	*app
	opts   run.Options
	person bool
	lines  repl.Lines
	failed bool
}

func (a *app) repl(ctx context.Context, o run.Options) error {
	p := &prompt{app: a, opts: o}
	session, err := run.NewSession(o, p)
	if err != nil {
		return err
	}
	p.person = a.stdout().Ask
	p.lines = repl.NewPlain(a.in, nil)
	loop := &repl.Loop{Person: p.person}
	if p.person {
		_, end := a.interrupt.evaluation()
		end()
		loop.History, err = repl.OpenHistory(repl.HistoryFile(a.getenv))
		loop.Warn = func(err error) { a.notef("the history is not kept: %v", err) }
		if err != nil {
			loop.Warn(err)
		}
		fmt.Fprintf(a.out, "swarmscript %s. help() shows what there is, Tab completes, Ctrl-D ends.\n", version)
		p.lines = repl.NewPlain(a.in, a.out)
		if t := a.stdout(); t.Live {
			p.lines = repl.NewEditor(a.in, a.out, t.Size, loop.History, session.Complete)
		}
	}
	loop.Lines = p.lines
	if o.File != "" || len(o.Vars)+len(o.VarFiles) > 0 {
		p.evaluate(ctx, session, func(ctx context.Context) (string, error) { return "", session.Load(ctx) })
	}
	loop.Eval = func(ctx context.Context, text string) {
		p.evaluate(ctx, session, func(ctx context.Context) (string, error) { return session.Eval(ctx, text) })
	}
	if err := loop.Run(ctx); err != nil {
		return err
	}
	if p.failed && !p.person {
		return exit(apply.ExitError)
	}
	return nil
}

// evaluate does something that Ctrl-C cancels, and shows what comes of it.
func (p *prompt) evaluate(ctx context.Context, session *run.Session, do func(context.Context) (string, error)) {
	end := func() {}
	if p.person {
		ctx, end = p.interrupt.evaluation()
	}
	shown, err := do(ctx)
	interrupted := ctx.Err() != nil
	end()
	switch {
	case err != nil && interrupted:
		p.failed = true
		fmt.Fprintln(p.err) // after the terminal's own ^C
		p.notef("interrupted")
	case err != nil:
		p.failed = true
		p.problemsUncounted(err, session.Source)
	case shown != "":
		fmt.Fprintln(p.out, ui.Clean(shown))
	}
}

// problemsUncounted shows problems; one needs no line that says it is one.
func (p *prompt) problemsUncounted(err error, source func(string) []byte) {
	list := diag.From(err)
	if len(list) != 1 {
		p.problems(err, source)
		return
	}
	var b bytes.Buffer
	ui.Diagnostics(&b, list, source, p.stderr().Color)
	text := bytes.TrimSuffix(b.Bytes(), []byte("1 error\n"))
	_, _ = p.err.Write(text)
}

// The prompt is the person's side of the session: run.Front.

func (p *prompt) Out() io.Writer { return p.out }

func (p *prompt) Width() int { return p.stdout().Style().Width }

func (p *prompt) Plan(planned *run.Planned) error { return p.showPlan(planned, p.opts) }

// Apply asks and applies as the verb does; but what it says with its exit code
// is in the result.
func (p *prompt) Apply(ctx context.Context, planned *run.Planned, approved bool) (*apply.Result, error) {
	g := applying{Options: p.opts, approved: approved}
	if g.File = p.opts.File; g.File == "" {
		g.File = "at a prompt"
	}
	if planned.Plan.Empty() && planned.Plan.Counts().Wait == 0 {
		return nil, p.said(p.nothingToDo(planned, g))
	}
	if !planned.Plan.Empty() && !approved {
		yes, err := p.ask(ctx, planned, g)
		if err != nil {
			return nil, err
		}
		if !yes {
			p.notef("not approved; nothing was changed")
			return nil, nil
		}
	}
	r, err := p.carryOut(ctx, planned, g)
	return r, p.said(err)
}

// ask reads the answer where the lines come from: a second reader would take
// what is typed ahead.
func (p *prompt) ask(ctx context.Context, planned *run.Planned, g applying) (bool, error) {
	t := p.stderr()
	t.In = &answer{ctx, p.lines}
	yes, err := ui.Approve(ctx, t, question(planned, g))
	if errors.Is(err, ui.ErrNobodyToAsk) {
		err = errors.New("these actions need approval, and there is no terminal to ask on: look at the plan, then apply(auto_approve = True)")
	}
	return yes, err
}

// answer is one line of the session's as a file.
type answer struct {
	ctx   context.Context
	lines repl.Lines
}

// Read implements [io.Reader]. A line that was given up is no answer.
func (a *answer) Read(b []byte) (int, error) {
	line, _, err := a.lines.Line(a.ctx, "", "")
	if errors.Is(err, repl.ErrInterrupted) {
		line, err = "", nil
	}
	if err != nil {
		return 0, err
	}
	return copy(b, line+"\n"), nil
}

// said drops an error that says no more than an exit code.
func (p *prompt) said(err error) error {
	if errors.As(err, new(exit)) {
		p.failed = true
		return nil
	}
	return err
}
