package scripttest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/lang"
)

// test is one running test, and the t that its function gets.
type test struct {
	*runner
	file    *File
	name    string
	root    string // of its files
	session *lang.Session
	rec     *builtins.Recorder
	ctx     context.Context
	scratch string // a folder of its own, "" until it is needed

	output  []string
	skipped *string
	sources map[string][]byte // of scripts that it planned, by the name that is shown

	applied *wishes    // what was applied last
	planned *plan.Plan // the last plan, nil once something changed after it
	lab     Lab
	swarms  bool         // something was applied that has a swarm
	manager *engine.Conn // that answered for the lab's swarm last
}

// script is a script that a test named or declared, to be made again with other
// wishes.
type script struct {
	make func(thread *starlark.Thread, o run.Options) (*run.Script, error)
	text string // how messages call it
}

// method is an attribute of t that is called.
type method struct {
	name string
	// signature and doc are for spec.md.
	signature, doc string
	fn             func(t *test, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)
}

func methods() []method {
	return slices.Concat(assertMethods, planMethods, liveMethods, faultMethods)
}

func (t *test) Type() string          { return "t" }
func (t *test) String() string        { return "<t of " + t.name + ">" }
func (t *test) Freeze()               {}
func (t *test) Truth() starlark.Bool  { return starlark.True }
func (t *test) Hash() (uint32, error) { return 0, errors.New("unhashable type: t") }

// Attr returns what a test can do.
func (t *test) Attr(name string) (starlark.Value, error) {
	if name == "name" {
		return starlark.String(t.name), nil
	}
	for _, m := range methods() {
		if m.name == name {
			return starlark.NewBuiltin("t."+name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
				if lang.Loading(thread) || t.ctx == nil {
					return nil, fmt.Errorf("t.%s: not before the test has begun", name)
				}
				return m.fn(t, thread, args, kwargs)
			}), nil
		}
	}
	return nil, nil
}

func (t *test) AttrNames() []string {
	names := []string{"name"}
	for _, m := range methods() {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

// say takes down what the test says.
func (t *test) say(text string) {
	t.output = append(t.output, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
}

// fail is a failed assertion: it says where the test makes it.
func (t *test) fail(thread *starlark.Thread, summary, detail string) error {
	return t.session.Problem(thread, &diag.Diagnostic{Summary: summary, Detail: detail})
}

// cancelled is why the test cannot go on, if so: it was interrupted, or took too
// long.
func (t *test) cancelled() error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return nil
}

// shownName is the name of a file of the test's session as a person would name
// it.
func (t *test) shownName(name string) string {
	if strings.HasPrefix(name, "@") {
		return name
	}
	return shownIn(t.root, name)
}

// shownIn names a file of a root from the current folder, where that is shorter.
func shownIn(root, name string) string {
	full := filepath.Join(root, filepath.FromSlash(name))
	here, err := filepath.Abs(".")
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(here, full)
	if err != nil || len(rel) > len(full) {
		return filepath.ToSlash(full)
	}
	return filepath.ToSlash(rel)
}

// rename makes the positions of a problem ones that a person can open. Those of
// other scripts have been already.
func (t *test) rename(d *diag.Diagnostic) {
	fix := func(p *diag.Pos) {
		if t.session.Source(p.File) != nil {
			p.File = t.shownName(p.File)
		}
	}
	eachPos(d, fix)
}

// adopt takes the problems of another script over: their positions are named as
// a person would, and their lines can be shown.
func (t *test) adopt(s *run.Script, list diag.List) diag.List {
	out := make(diag.List, len(list))
	for i, d := range list {
		c := *d
		c.Stack, c.Related = slices.Clone(d.Stack), slices.Clone(d.Related)
		eachPos(&c, func(p *diag.Pos) {
			if src := s.Source(p.File); src != nil && !strings.HasPrefix(p.File, "@") {
				p.File = shownIn(s.Root(), p.File)
				t.sources[p.File] = src
			}
		})
		out[i] = &c
	}
	return out
}

func eachPos(d *diag.Diagnostic, fn func(*diag.Pos)) {
	fn(&d.Pos)
	for i := range d.Stack {
		fn(&d.Stack[i].Pos)
	}
	for i := range d.Related {
		fn(&d.Related[i].Pos)
	}
}

// beside is a path that the test names, relative to its file.
func (t *test) beside(p string) (string, error) {
	if p == "" || path.IsAbs(p) || filepath.IsAbs(p) || strings.ContainsAny(p, "\\\x00") {
		return "", fmt.Errorf("got %q, want a path from the folder of the test", p)
	}
	return filepath.Join(t.file.dir(), filepath.FromSlash(p)), nil
}
