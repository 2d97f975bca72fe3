package builtins

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// declarer is the builtin of a kind; where a kind lives in scopes of more than
// one type there is one kind for each.
type declarer struct {
	recorder *Recorder
	name     string // as in error messages: "service", "swarm.init"
	kinds    []*resource.Kind
	// scopeFirst is set where the first positional argument is the scope, as in
	// swarm.init(engine()), and the name a keyword with a default.
	scopeFirst  bool
	defaultName string
	// joins is set for swarm.join: the host comes first, then the swarm.
	joins bool
	// last holds the fields of the last call's keywords, by place.
	last     []*schema.Field
	lastKind *resource.Kind
}

// call is one call of the builtin on its way to a declaration.
type call struct {
	d      *declarer
	thread *starlark.Thread
	s      *lang.Session
	pos    diag.Pos
	kind   *resource.Kind
	target *Handle // of a check: what it is about, where that is a resource
	decl   *resource.Declaration
	failed bool
	said   *diag.Diagnostic          // the last problem
	on     starlark.Value            // what joins
	copyTo starlark.Value            // of an image: where it is copied to
	place  func(arg string) diag.Pos // where an argument is, which is not in a script; nil otherwise
}

func (d *declarer) call(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	c := &call{d: d, thread: thread, s: lang.FromThread(thread), pos: lang.CallPos(thread)}
	c.kind = d.kinds[0]
	if c.kind.Verify != nil {
		c.target = d.target(args, kwargs)
	}
	if len(d.kinds) > 1 || d.kinds[0].Opens == "host" {
		c.kind = d.chooseKind(kwargs, c.target)
	}
	c.decl = &resource.Declaration{Kind: c.kind, Args: make(value.Struct, len(c.kind.Schema.Fields())), Pos: c.pos}
	if lang.Loading(thread) {
		c.report("", -1, "%s is called while its module is loaded", d.name).Detail =
			"a module declares nothing when it is loaded: put this into a function that the script calls"
	}
	name, scope := c.unpack(args, kwargs)
	c.content()
	c.folder()
	c.bind(name, scope)
	c.copied()
	c.check()
	c.decl.Refs() // while the arguments are at hand
	h := &Handle{decl: c.decl}
	if c.failed && name == "" {
		return h, nil // without an address there is nothing to record
	}
	if p := d.recorder.installedLate(c.decl); p != nil {
		c.s.Report(thread, p)
	} else if p := d.recorder.add(c.decl); p != nil {
		c.s.Report(thread, p)
	} else if caller := lang.EntryPos(thread); caller != c.pos {
		d.recorder.callers[c.decl] = caller
	}
	if c.kind.Opens != "" {
		d.recorder.opened(thread, h)
	}
	c.copies()
	return h, nil
}

// chooseKind takes the kind of the scope that is named by keyword, or in which
// lives what a check is about, otherwise the first.
func (d *declarer) chooseKind(kwargs []starlark.Tuple, target *Handle) *resource.Kind {
	for _, kw := range kwargs {
		key := string(kw[0].(starlark.String))
		for _, k := range d.kinds {
			if key == scopeArgument(k.Scope) && kw[1] != starlark.None && (key != "provider" || kw[1].Type() == k.Scope) {
				return k
			}
		}
	}
	for _, k := range d.kinds {
		if target != nil && target.decl.Kind.Scope == k.Scope || d.recorder.inputs.Provider == k.Scope {
			return k
		}
	}
	return d.kinds[0]
}

// report records a problem with an argument: the keyword argument of that
// name, or the positional one at an index, or with neither the whole call.
func (c *call) report(arg string, index int, format string, args ...any) *diag.Diagnostic {
	pos := c.pos
	if c.place != nil {
		pos = c.place(arg)
	} else if arg != "" || index >= 0 {
		pos = c.s.ExpandArg(pos, arg, index)
	}
	p := &diag.Diagnostic{Pos: pos, Summary: fmt.Sprintf(format, args...)}
	c.s.Report(c.thread, p)
	c.failed, c.said = true, p
	return p
}

// unpack puts every argument into its place, unchecked but for the common
// ones. It returns the name and the scope's handle, if given.
func (c *call) unpack(args starlark.Tuple, kwargs []starlark.Tuple) (name string, scope starlark.Value) {
	fields := c.kind.Schema.Fields()
	positional := 0
	for i, a := range args {
		switch {
		case positional > len(fields): // said already
		case c.d.joins && i == 0:
			c.on = a
		case c.d.scopeFirst && i == c.d.scopeIndex():
			scope = a
		case i == c.d.nameIndex(c.kind):
			name = c.nameArg(a, "", i)
		default:
			positional = c.positional(fields, positional, i, a)
		}
	}
	for i, kw := range kwargs {
		key := string(kw[0].(starlark.String))
		if f := c.d.seen(i, key, c.kind); f != nil {
			c.given(f, key, kw[1])
			continue
		}
		if key == "host" && c.d.joins {
			c.on = kw[1]
			continue
		}
		if key == scopeArgument(c.kind.Scope) {
			if kw[1] != starlark.None {
				scope = kw[1]
			}
			continue
		}
		if key == "name" && name == "" {
			name = c.nameArg(kw[1], "name", -1)
			if f := c.kind.Schema.NameField(); f == nil || f.Name != "name" {
				continue
			}
		}
		if key == "name" && kw[1] != starlark.None {
			c.decl.NameGiven = true
		}
		c.keyword(key, kw[1])
	}
	if name == "" && c.kind.Unnamed != nil && !c.failed {
		name = c.unnamed()
	}
	if name == "" && !c.failed {
		name = c.hostName(scope)
	}
	if f := c.kind.Schema.NameField(); f != nil && c.decl.Args[f.Index] == nil && name != "" {
		c.called(f, name, 0)
	}
	if name == "" && !c.failed {
		if name = c.d.defaultName; name == "" && c.kind.Unnamed == nil {
			c.report("", -1, "%s: missing argument name", c.d.name)
		}
	}
	return name, scope
}

// positional puts an argument into the next field that may be given so.
func (c *call) positional(fields []*schema.Field, next, i int, v starlark.Value) int {
	for next < len(fields) && (!fields[next].Pos || fields[next].Name == "name") {
		next++
	}
	if next == len(fields) {
		c.report("", i, "%s: too many positional arguments: name this one", c.d.name)
		return next + 1 // said once
	}
	c.set(fields[next], v, "", i)
	return next + 1
}

// seen returns the field of the keyword at a place of a call, if it is the one
// that stood there in the call before: in a loop it is, and needs no look-up.
// Otherwise it notes it for the next call, but for those that unpack treats
// first.
func (d *declarer) seen(i int, key string, kind *resource.Kind) *schema.Field {
	if i < len(d.last) && d.last[i] != nil && d.last[i].Name == key && d.lastKind == kind {
		return d.last[i]
	}
	if d.lastKind != kind {
		d.last, d.lastKind = d.last[:0], kind
	}
	for len(d.last) <= i {
		d.last = append(d.last, nil)
	}
	d.last[i] = nil
	if f, ok := kind.Schema.Field(key); ok && key != "name" && key != scopeArgument(kind.Scope) {
		d.last[i] = f
	}
	return nil
}

// given puts a named argument into its field.
func (c *call) given(f *schema.Field, key string, v starlark.Value) {
	if c.decl.Args[f.Index] != nil {
		c.report(key, -1, "%s: got two values for %s", c.d.name, key)
		return
	}
	c.set(f, v, key, -1)
}

// keyword puts a named argument into its field, or treats it as a common one.
func (c *call) keyword(key string, v starlark.Value) {
	if f, ok := c.kind.Schema.Field(key); ok {
		c.given(f, key, v)
		return
	}
	if !c.common(key, v) {
		names := c.kind.Schema.FieldNames()
		for _, a := range CommonArguments {
			if c.takes(a.Name) {
				names = append(names, a.Name)
			}
		}
		c.report(key, -1, "%s: unexpected argument %q", c.d.name, key).Hint = cmp.Or(c.elsewhere(key), diag.DidYouMean(key, names))
	}
}

// elsewhere says with which other provider an argument is one.
func (c *call) elsewhere(key string) string {
	for _, k := range c.d.kinds {
		if _, ok := k.Schema.Field(key); ok && k != c.kind && scopeArgument(k.Scope) == "provider" {
			return fmt.Sprintf("one in %s() has it: say which with provider =", k.Scope)
		}
	}
	return ""
}

// set checks an argument and puts it into its field. None is the same as
// leaving it out.
func (c *call) set(f *schema.Field, v starlark.Value, arg string, index int) {
	if v == starlark.None {
		return
	}
	raw, err := lang.ToValue(v)
	if err == nil {
		raw, err = f.Check(raw)
	} else if !errors.Is(err, errReported) {
		err = schema.Problems{{Path: f.Name, Msg: err.Error()}}
	}
	if err != nil {
		c.wrong(err, arg, index)
		return
	}
	c.decl.Args[f.Index] = raw
}

// wrong reports the problems of an argument, unless they have been.
func (c *call) wrong(err error, arg string, index int) {
	var problems schema.Problems
	if !errors.As(err, &problems) {
		c.failed = true
		return
	}
	for _, p := range problems {
		c.report(arg, index, "%s: %s: %s", c.d.name, p.Path, p.Msg).Hint = p.Hint
	}
}

// check finds what is missing and what does not go together.
func (c *call) check() {
	if c.failed {
		return
	}
	if c.membership(); c.failed {
		return
	}
	for _, f := range c.kind.Schema.Required() {
		if c.decl.Args[f.Index] == nil && (!c.decl.External || f.Name == "name") {
			c.report("", -1, "%s: missing argument %s", c.d.name, f.Name)
		}
	}
	if c.failed || c.decl.External {
		return
	}
	if c.kind.Complete != nil {
		defer c.kind.Complete(c.decl.Args)
	}
	if c.kind.Check != nil {
		c.problems(c.kind.Check(c.decl.Args))
	}
	if c.kind.Warn != nil && !c.failed {
		c.d.recorder.warn(c, c.kind.Warn(c.decl.Args))
	}
}

// warn keeps what is odd about a declaration, once.
func (r *Recorder) warn(c *call, list schema.Problems) {
	for _, p := range list {
		arg, _, _ := strings.Cut(p.Path, "[")
		d := &diag.Diagnostic{Severity: diag.Warning, Pos: c.s.Expand(c.pos), Summary: fmt.Sprintf("%s: %s: %s", c.d.name, p.Path, p.Msg), Hint: p.Hint}
		if c.place != nil {
			d.Pos = c.place(arg)
		}
		if !slices.ContainsFunc(r.program.Warnings, func(w *diag.Diagnostic) bool { return w.Error() == d.Error() }) {
			r.program.Warnings = append(r.program.Warnings, d)
		}
	}
}

// problems reports what is wrong with arguments.
func (c *call) problems(list schema.Problems) {
	for _, p := range list {
		arg, _, _ := strings.Cut(p.Path, "[")
		arg, _, _ = strings.Cut(arg, ".")
		msg := p.Msg
		if p.Path != "" {
			msg = p.Path + ": " + msg
		}
		c.report(arg, -1, "%s: %s", c.d.name, msg).Hint = p.Hint
	}
}
