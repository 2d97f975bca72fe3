package run

import (
	"context"
	"errors"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// ownBuiltin is a function that only an interactive session has.
type ownBuiltin struct {
	name, signature, doc string
	params               []string
	fn                   func(s *Session, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)
}

func ownBuiltins() []ownBuiltin {
	return []ownBuiltin{
		{"help", `help(what=None)`, "Shows what a script can call: all of it, or one builtin, or one argument as in help(\"service.ports\"). Of a function of yours, its text.", []string{"what"}, (*Session).help},
		{"plan", `plan()`, "Shows what an apply would change. Changes nothing.", nil, (*Session).planBuiltin},
		{"apply", `apply(auto_approve=False)`, "Shows the plan, asks, and makes what is live as declared. Returns how it went.", []string{"auto_approve"}, (*Session).applyBuiltin},
		{"diff", `diff(address=None)`, "The changes that a plan would show, as values: all of them, or that of one resource, by its handle or address.", []string{"address"}, (*Session).diff},
		{"live", `live(what=None)`, "What is live: all of it, that of a kind as in live(\"service\"), or one object as in live(\"service.web\"). What is live in it can be read.", []string{"what"}, (*Session).live},
		{"undeclare", `undeclare(address)`, "Takes a declaration back, by its handle or address.", []string{"address"}, (*Session).undeclare},
		{"reload", `reload()`, "Starts over: evaluates the script anew, and forgets what was typed. If the script has errors all stays as it was.", nil, (*Session).reload},
	}
}

func (s *Session) builtins() starlark.StringDict {
	out := starlark.StringDict{}
	for _, b := range ownBuiltins() {
		out[b.name] = starlark.NewBuiltin(b.name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if lang.Loading(thread) {
				return nil, fmt.Errorf("%s: not while a module is loaded", b.name)
			}
			return b.fn(s, thread, args, kwargs)
		})
	}
	return out
}

// told is what plan() and apply() return: it has been shown already.
type told struct{ *starlarkstruct.Struct }

// current makes the script of what is declared now.
func (s *Session) current(thread *starlark.Thread) (*Script, error) {
	if lang.FromThread(thread).Problems() > 0 {
		return nil, errors.New("what this input declares has problems")
	}
	program, problems := s.rec.Current()
	if err := problems.Err(); err != nil {
		return nil, s.script.expand(problems)
	}
	return s.with(program), nil
}

func (s *Session) with(program *resource.Program) *Script {
	script := s.script
	script.Program = program
	return &script
}

// planned plans what is declared now.
func (s *Session) planned(thread *starlark.Thread) (*Planned, error) {
	script, err := s.current(thread)
	if err != nil {
		return nil, err
	}
	p := &Planned{Script: script}
	if err := p.look(lang.Context(thread)); err != nil {
		return nil, explained(err)
	}
	return p, nil
}

// explained keeps an error's problems, which else are one text.
func explained(err error) error {
	if list := diag.From(err); len(list) > 0 && !errors.Is(err, context.Canceled) {
		return list
	}
	return err
}

func (s *Session) planBuiltin(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("plan", args, kwargs); err != nil {
		return nil, err
	}
	p, err := s.planned(thread)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := s.front.Plan(p); err != nil {
		return nil, err
	}
	n := p.Plan.Counts()
	return toldStruct(starlark.StringDict{
		"add": starlark.MakeInt(n.Add), "change": starlark.MakeInt(n.Change), "replace": starlark.MakeInt(n.Replace),
		"delete": starlark.MakeInt(n.Delete), "empty": starlark.Bool(p.Plan.Empty()), "changes": changesOf(p.Plan),
	}), nil
}

func toldStruct(fields starlark.StringDict) *told {
	return &told{starlarkstruct.FromStringDict(starlarkstruct.Default, fields)}
}

func (s *Session) applyBuiltin(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	approved := false
	if err := starlark.UnpackArgs("apply", args, kwargs, "auto_approve?", &approved); err != nil {
		return nil, err
	}
	p, err := s.planned(thread)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := s.front.Plan(p); err != nil {
		return nil, err
	}
	r, err := s.front.Apply(lang.Context(thread), p, approved)
	if r != nil {
		// What was applied is declared, whatever becomes of the rest of the input.
		s.rec.Next()
	}
	if err != nil {
		return nil, explained(err)
	}
	if r == nil {
		return starlark.None, nil
	}
	return applied(r), nil
}

// applied is a result as a value.
func applied(r *apply.Result) *told {
	counts := map[apply.Outcome]int{}
	for _, step := range r.Steps {
		counts[step.Outcome]++
	}
	outputs := starlark.NewDict(len(r.Outputs))
	for _, o := range r.Outputs {
		v := starlark.Value(starlark.None)
		if o.Known {
			v = lang.FromValue(o.Value)
			if _, secret := o.Value.(value.Secret); o.Sensitive && !secret {
				v = lang.FromValue(value.Secret{V: o.Value})
			}
		}
		_ = outputs.SetKey(starlark.String(o.Name), v)
	}
	return toldStruct(starlark.StringDict{
		"done": starlark.MakeInt(counts[apply.OK]), "failed": starlark.MakeInt(counts[apply.Broken]),
		"skipped": starlark.MakeInt(counts[apply.Omitted]), "exit_code": starlark.MakeInt(r.ExitCode()), "outputs": outputs,
	})
}

func (s *Session) undeclare(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var what starlark.Value
	if err := starlark.UnpackArgs("undeclare", args, kwargs, "address", &what); err != nil {
		return nil, err
	}
	addr, err := addressOf("undeclare", what)
	if err != nil {
		return nil, err
	}
	_, err = s.rec.Undeclare(addr)
	return starlark.None, err
}

// addressOf is the address that a handle or a text means.
func addressOf(fn string, v starlark.Value) (string, error) {
	if address, ok := AddressOf(v); ok {
		return address, nil
	}
	return "", fmt.Errorf("%s: got %s, want a resource or its address, such as \"service.web\"", fn, v.Type())
}

// AddressOf is the address that a handle or a text means; ok is false for any other
// value.
func AddressOf(v starlark.Value) (address string, ok bool) {
	if text, ok := starlark.AsString(v); ok {
		return text, true
	}
	if h, ok := v.(lang.Valuer); ok {
		if given, err := h.ToValue(); err == nil {
			if ref, ok := given.(value.Ref); ok {
				return string(ref.Address), true
			}
		}
	}
	return "", false
}

// reload takes effect when its input has ended.
func (s *Session) reload(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("reload", args, kwargs); err != nil {
		return nil, err
	}
	s.again = true
	return starlark.None, nil
}
