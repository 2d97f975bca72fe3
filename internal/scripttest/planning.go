package scripttest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/lang"
)

var planMethods = []method{
	{"plan", `t.plan(fn=None, vars={}, env={}, destroy=False, allow_data_loss=False, allow_pending=False, targets=[], exclude=[], replace=[], check=False)`, "plans what fn declares, as the verb does, and returns the plan; fails where the verb does", (*test).plan},
	{"apply", `t.apply(fn=None, ...)`, "applies it to the test's lab; takes what t.plan takes; fails where anything of it failed, returns done, skipped, outputs", (*test).apply},
	{"destroy", `t.destroy(allow_data_loss=False)`, "destroys what was applied last", (*test).destroy},
}

// options are those of the verb, with nothing of the surroundings.
func (t *test) options(w *wishes) run.Options {
	o := w.options
	o.Sealed, o.Env = true, func(name string) (string, bool) { text, ok := w.env[name]; return text, ok }
	if w.given != nil {
		o.Given = []*builtins.VarFile{w.given}
	}
	o.Print, o.Coverage = func(msg string) { t.say(msg) }, t.Coverage
	o.Parallelism, o.LockTimeout = apply.DefaultParallelism, t.Timeout
	o.Absent = func(s *resource.Scope) bool { return s.Config != nil && !inLab(s) }
	return o
}

// inLab reports whether an outermost scope is a lab: all that a test reaches.
func inLab(s *resource.Scope) bool { return s.Type == "lab" }

// planScript plans, and fails where the verb would. The caller closes what it
// gets.
func (t *test) planScript(s *run.Script) (*run.Planned, error) {
	p, err := s.Plan(t.ctx)
	if err == nil {
		t.planned = p.Plan
		err = p.Refused()
	}
	if err != nil {
		return p, t.adopt(s, diag.From(err))
	}
	return p, nil
}

// prepared plans what the arguments of a call mean.
func (t *test) prepared(thread *starlark.Thread, w *wishes) (*run.Script, *run.Planned, error) {
	o := t.options(w)
	if err := t.setUp(&o); err != nil {
		return nil, nil, err
	}
	s, err := w.script.make(thread, o)
	if err != nil {
		return nil, nil, t.asked(thread, w, err)
	}
	p, err := t.planScript(s)
	if err != nil {
		if cause := t.cancelled(); cause != nil {
			err = cause
		}
		return s, p, t.asked(thread, w, errors.Join(err, p.Close()))
	}
	return s, p, nil
}

// asked adds to the problems of a script where the test asked for it, unless the
// calls that led to them say so.
func (t *test) asked(thread *starlark.Thread, w *wishes, err error) error {
	call := t.session.Expand(lang.CallPos(thread))
	list := diag.From(err)
	for i, d := range list {
		led := slices.ContainsFunc(d.Stack, func(f diag.Frame) bool { return f.Pos.File == call.File && f.Pos.Line == call.Line })
		if d.Pos.IsValid() && d.Pos != call && !led {
			c := *d
			c.Related = append(slices.Clone(d.Related), diag.Note{Pos: call, Text: "asked for here"})
			list[i] = &c
		}
	}
	return list
}

func (t *test) plan(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	w, err := t.wishes("t.plan", args, kwargs)
	if err != nil {
		return nil, err
	}
	_, p, err := t.prepared(thread, w)
	if err != nil {
		return nil, err
	}
	return &run.PlanValue{Plan: p.Plan}, p.Close()
}

func (t *test) apply(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	w, err := t.wishes("t.apply", args, kwargs)
	if err != nil {
		return nil, err
	}
	v, err := t.carryOut(thread, w)
	if err == nil {
		t.applied = w
	}
	return v, err
}

func (t *test) destroy(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	o := run.Options{Destroy: true}
	if err := starlark.UnpackArgs("t.destroy", args, kwargs, "allow_data_loss?", &o.AllowDataLoss); err != nil {
		return nil, err
	}
	if t.applied == nil {
		return nil, errors.New("t.destroy: nothing was applied")
	}
	w := *t.applied
	w.options = o
	return t.carryOut(thread, &w)
}

// carryOut plans and applies.
func (t *test) carryOut(thread *starlark.Thread, w *wishes) (starlark.Value, error) {
	s, p, err := t.prepared(thread, w)
	if err != nil {
		return nil, err
	}
	defer p.Close() // what was done is known by then
	if outside := outsideLab(s.Program); len(outside) > 0 {
		return nil, t.fail(thread, fmt.Sprintf("%s is not in the lab: a test changes nothing else", strings.Join(outside, ", ")), "t.plan() plans it, as if nothing were there yet")
	}
	res := &apply.Result{Outputs: apply.Evaluated(p.Plan.Outputs)}
	if !p.Plan.Idle() {
		if err := t.begin(); err != nil {
			return nil, err
		}
		t.planned = nil
		t.swarms = t.swarms || slices.ContainsFunc(s.Program.Scopes, func(s *resource.Scope) bool { return s.Type == "swarm" })
		log := &tail{}
		progress := ui.NewProgress(ui.Terminal{Out: log}, ui.Lines, p.Plan)
		begun := time.Now()
		res, err = p.Apply(t.ctx, run.ApplyOptions{Why: "test " + t.name, Sink: progress.Event})
		progress.Close()
		if cause := t.cancelled(); cause != nil {
			return nil, t.fail(thread, cause.Error(), log.String())
		}
		t.say(fmt.Sprintf("%s of %s took %.1f s", w.verb(), w.script.text, time.Since(begun).Seconds()))
	}
	if err != nil {
		return nil, t.asked(thread, w, t.adopt(s, diag.From(err)))
	}
	if code := res.ExitCode(); code != apply.ExitOK {
		return nil, t.fail(thread, fmt.Sprintf("%s failed (exit %d)", w.verb(), code), summaryOf(p.Plan, res, w.options.Destroy))
	}
	if len(p.Plan.Unreachable) > 0 {
		names := slices.Sorted(maps.Keys(p.Plan.Unreachable))
		return nil, t.fail(thread, fmt.Sprintf("%s did not answer", strings.Join(names, ", ")), "what is in it was neither planned nor changed")
	}
	return run.ResultValue(res), nil
}

func (w *wishes) verb() string {
	if w.options.Destroy {
		return "the destroy"
	}
	return "the apply"
}

// summaryOf is what a person would have read.
func summaryOf(p *plan.Plan, res *apply.Result, destroy bool) string {
	var b strings.Builder
	if err := ui.Summary(&b, res, ui.SummaryOptions{Names: ui.NewNames(p), Destroy: destroy}); err != nil {
		return err.Error()
	}
	return strings.Trim(b.String(), "\n")
}

// outsideLab are the outermost scopes of a program that are not in the lab.
func outsideLab(p *resource.Program) (out []string) {
	for _, s := range p.Scopes {
		if s.Config != nil && !inLab(s) {
			out = append(out, s.Address)
		}
	}
	return out
}

// setUp gives a run the test's own folder to remember things in, and its lab's.
// Neither is a lab made by that, nor a process begun.
func (t *test) setUp(o *run.Options) error {
	dir, err := t.folder()
	o.State, o.Lab = dir, filepath.Join(dir, "lab")
	return err
}

// begin makes the test's lab, if it has none yet.
func (t *test) begin() error {
	if t.lab != nil {
		return nil
	}
	dir, err := t.folder()
	if err != nil {
		return err
	}
	labs := t.Labs
	if labs == nil {
		labs = OwnLab
	}
	t.lab, err = labs(filepath.Join(dir, "lab"))
	return err
}

// folder is the test's own, made when it is first needed. Its name is short:
// sockets in it have long ones.
func (t *test) folder() (string, error) {
	if t.scratch == "" {
		dir, err := os.MkdirTemp("", "swarmtest")
		if err != nil {
			return "", err
		}
		t.scratch = dir
	}
	return t.scratch, nil
}
