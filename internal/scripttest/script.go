package scripttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// wishes are what a test gives to plan and apply.
type wishes struct {
	script  *script
	given   *builtins.VarFile
	env     map[string]string
	options run.Options
}

// wishes reads the arguments of plan, apply and fails; more are those that only
// one of them has, after fn.
func (t *test) wishes(fn string, args starlark.Tuple, kwargs []starlark.Tuple, more ...any) (*wishes, error) {
	var what starlark.Value
	vars, env := starlark.NewDict(0), starlark.NewDict(0)
	w := &wishes{env: map[string]string{}}
	o := &w.options
	var targets, exclude, replace *starlark.List
	params := append([]any{"fn?", &what}, more...)
	params = append(params, "vars?", &vars, "env?", &env, "destroy?", &o.Destroy, "allow_data_loss?", &o.AllowDataLoss, "allow_pending?", &o.AllowPending,
		"targets?", &targets, "exclude?", &exclude, "replace?", &replace, "check?", &o.Check)
	if err := starlark.UnpackArgs(fn, args, kwargs, params...); err != nil {
		return nil, err
	}
	var errs []error
	for _, l := range []struct {
		name string
		from *starlark.List
		to   *[]string
	}{{"targets", targets, &o.Targets}, {"exclude", exclude, &o.Exclude}, {"replace", replace, &o.Replace}} {
		var err error
		*l.to, err = addresses(l.from)
		errs = append(errs, named(fn, l.name, err))
	}
	given, err := lang.ToValue(vars)
	errs = append(errs, named(fn, "vars", err))
	if m, ok := given.(*value.Map); ok {
		w.given = &builtins.VarFile{Name: "vars", Values: m}
	}
	for _, kv := range env.Items() {
		name, ok := starlark.AsString(kv[0])
		text, isText := starlark.AsString(kv[1])
		if !ok || !isText {
			errs = append(errs, named(fn, "env", fmt.Errorf("got %s: %s, want text: text", kv[0].Type(), kv[1].Type())))
		}
		w.env[name] = text
	}
	w.script, err = t.scriptOf(what)
	errs = append(errs, named(fn, "fn", err))
	return w, errors.Join(errs...)
}

func named(fn, param string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: for parameter %s: %w", fn, param, err)
}

// addresses reads a list of addresses or handles.
func addresses(list *starlark.List) (out []string, err error) {
	if list == nil {
		return nil, nil
	}
	for i := range list.Len() {
		a, ok := run.AddressOf(list.Index(i))
		if !ok {
			return nil, fmt.Errorf("got %s, want a resource or its address", list.Index(i).Type())
		}
		out = append(out, a)
	}
	return out, nil
}

// scriptOf is the script that a function declares, that has a path, or that the
// test itself declares.
func (t *test) scriptOf(what starlark.Value) (*script, error) {
	switch what := what.(type) {
	case nil, starlark.NoneType:
		return &script{make: t.ownScript, text: t.name}, nil
	case starlark.String:
		file, err := t.beside(string(what))
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("there is no script %s", filepath.ToSlash(file))
		}
		return &script{text: string(what), make: func(_ *starlark.Thread, o run.Options) (*run.Script, error) { return t.fileScript(file, o) }}, nil
	case starlark.Callable:
		return &script{text: what.Name(), make: func(thread *starlark.Thread, o run.Options) (*run.Script, error) {
			return t.recorded(thread, what, o)
		}}, nil
	}
	return nil, fmt.Errorf("got %s, want a function that declares, or the path of a script", what.Type())
}

// recorded is what a function declares.
func (t *test) recorded(thread *starlark.Thread, fn starlark.Callable, o run.Options) (*run.Script, error) {
	in := &builtins.Inputs{Env: o.Env, VarFiles: o.Given}
	var p *resource.Program
	err := t.session.Try(func() error {
		var problems diag.List
		var err error
		p, problems, err = t.rec.Apart(in, func() error {
			// What it reports is wrong with what it declares.
			return t.session.Try(func() error {
				_, err := starlark.Call(thread, fn, nil, nil)
				return err
			})
		})
		if err != nil {
			return err
		}
		return problems.Err()
	})
	if err != nil {
		return nil, err
	}
	return run.Recorded(o, t.root, t.session, p), nil
}

// ownScript is what the test declared itself.
func (t *test) ownScript(_ *starlark.Thread, o run.Options) (*run.Script, error) {
	p, problems := t.rec.Current()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return run.Recorded(o, t.root, t.session, p), nil
}

// fileScript evaluates a script as a verb does.
func (t *test) fileScript(file string, o run.Options) (*run.Script, error) {
	o.File = file
	if t.Root != "" {
		abs, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		o.File, o.Chdir = abs, t.Root
	}
	s, err := run.Evaluate(t.ctx, o)
	if err != nil {
		return nil, t.adopt(s, diag.From(err))
	}
	t.adopt(s, nil)
	return s, nil
}
