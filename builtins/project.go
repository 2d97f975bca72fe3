package builtins

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

var projectName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// project(name, env="") names the project and its environment: the mark of all
// that the script declares.
func (r *Recorder) projectBuiltin(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, env string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "env?", &env); err != nil {
		return nil, err
	}
	s := lang.FromThread(thread)
	pos := lang.CallPos(thread)
	switch {
	case r.program.Project != "" && !r.isEarlierProject():
		s.Report(thread, &diag.Diagnostic{
			Pos: pos, Summary: "project() is called twice", Detail: "a script is one project in one environment",
			Related: []diag.Note{{Pos: r.project, Text: "the first is here"}},
		})
		return starlark.None, nil
	case !projectName().MatchString(name):
		s.Report(thread, &diag.Diagnostic{Pos: s.ExpandArg(pos, "", 0), Summary: fmt.Sprintf("project: %q is not a name", name),
			Hint: "want letters, digits, _ . and -, at most 63, the first a letter or digit"})
		name = "unnamed"
	case env != "" && !projectName().MatchString(env):
		s.Report(thread, &diag.Diagnostic{Pos: s.ExpandArg(pos, "env", -1), Summary: fmt.Sprintf("project: env: %q is not a name", env),
			Hint: "want letters, digits, _ . and -, at most 63, the first a letter or digit"})
		env = ""
	}
	r.program.Project, r.project = name, pos
	if env != "" {
		r.program.Project += "/" + env
	}
	return starlark.None, nil
}

// move is a call of moved() until all addresses are known.
type move struct {
	from, to string
	pos      diag.Pos
}

// moved(old, new) says that a resource has a new address: its mark is
// rewritten, nothing else.
func (r *Recorder) moved(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var from string
	var to starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "old", &from, "new", &to); err != nil {
		return nil, err
	}
	m := move{from: from, pos: lang.CallPos(thread)}
	switch to := to.(type) {
	case *Handle:
		m.to = string(to.decl.Address)
	case starlark.String:
		m.to = string(to)
	default:
		return nil, fmt.Errorf("moved: new: got %s, want a resource or an address", to.Type())
	}
	if r.earlier != nil {
		r.moves = slices.DeleteFunc(r.moves, func(o move) bool { return o.from == m.from && o.to == m.to })
	}
	r.moves = append(r.moves, m)
	return starlark.None, nil
}

// resolveMove completes the addresses of moved(): the new one is declared, the
// old one was in the same scope unless it says otherwise.
func (r *Recorder) resolveMove(m move) (resource.Move, *diag.Diagnostic) {
	to, problem := r.find(m.to)
	if problem != nil {
		problem.Pos, problem.Summary = m.pos, "moved: "+problem.Summary
		return resource.Move{}, problem
	}
	from := value.Address(m.from)
	if from.Kind() != to.Kind() || from.Name() == "" {
		return resource.Move{}, &diag.Diagnostic{Pos: m.pos,
			Summary: fmt.Sprintf("moved: %q is not the address of a %s", m.from, to.Kind()),
			Hint:    fmt.Sprintf("want something like %q", to.Kind()+".old")}
	}
	if !strings.Contains(m.from, "/") && to.Scope() != "" {
		from = value.Address(to.Scope()) + "/" + from
	}
	return resource.Move{From: from, To: to, Pos: m.pos}, nil
}
