package builtins

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// CommonArguments are those that every kind's builtin takes beside its own.
var CommonArguments = []struct{ Name, Type, Doc string }{
	{"cluster", "swarm", "The swarm that it lives in; not needed where one is declared."},
	{"engine", "engine or host", "The engine that it lives on, or the host of that engine, for what does not live in a swarm."},
	{"host", "host or vm", "The machine that it lives on, for what a machine has; also the first argument."},
	{"provider", "provider", "Where a machine comes from: local()."},
	{"after", "list of resources", "Resources that come first although no argument refers to them."},
	{"lifecycle", "lifecycle", "How changes are treated: lifecycle(...)."},
	{"external", "bool", "It exists and somebody else manages it: it is read, never changed."},
	{"wait", "bool", "Whether the step waits until it has converged; true unless told otherwise."},
	{"timeout", "duration", "How long the step waits for that."},
}

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
	on     starlark.Value // what joins
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
	c.decl = &resource.Declaration{Kind: c.kind, Args: make(value.Struct, len(c.kind.Schema.Fields)), Pos: c.pos}
	if lang.Loading(thread) {
		c.report("", -1, "%s is called while its module is loaded", d.name).Detail =
			"a module declares nothing when it is loaded: put this into a function that the script calls"
	}
	name, scope := c.unpack(args, kwargs)
	c.bind(name, scope)
	c.check()
	c.decl.Refs() // while the arguments are at hand
	h := &Handle{c.decl}
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
		if target != nil && target.decl.Kind.Scope == k.Scope {
			return k
		}
	}
	return d.kinds[0]
}

// scopeArgument is the keyword that names a scope of that type.
func scopeArgument(scope string) string {
	switch scope {
	case "swarm":
		return "cluster"
	case "local":
		return "provider"
	}
	return scope
}

// report records a problem with an argument: the keyword argument of that
// name, or the positional one at an index, or with neither the whole call.
func (c *call) report(arg string, index int, format string, args ...any) *diag.Diagnostic {
	pos := c.pos
	if arg != "" || index >= 0 {
		pos = c.s.ExpandArg(pos, arg, index)
	}
	p := &diag.Diagnostic{Pos: pos, Summary: fmt.Sprintf(format, args...)}
	c.s.Report(c.thread, p)
	c.failed = true
	return p
}

// unpack puts every argument into its place, unchecked but for the common
// ones. It returns the name and the scope's handle, if given.
func (c *call) unpack(args starlark.Tuple, kwargs []starlark.Tuple) (name string, scope starlark.Value) {
	fields := c.kind.Schema.Fields
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

// scopeIndex is the place of the scope among the positional arguments, where it
// has one.
func (d *declarer) scopeIndex() int {
	if d.joins {
		return 1
	}
	return 0
}

// nameIndex is the place of the name among the positional arguments, -1 where it
// has none.
func (d *declarer) nameIndex(k *resource.Kind) int {
	switch {
	case k.Unnamed != nil || d.defaultName != "" || d.joins || k.Single:
		return -1
	case d.scopeFirst:
		return 1
	}
	return 0
}

// hostName is the name of what has none of its own: that of its machine.
func (c *call) hostName(scope starlark.Value) string {
	if c.d.joins {
		if e, ok := c.on.(*EngineHandle); ok {
			return value.Address(e.scope.Address).Name()
		}
		scope = c.on
	} else if c.kind.Scope != "host" || !c.kind.Single {
		return ""
	}
	_, name, _ := hostOf(scope)
	return name
}

// unnamed is the name that the arguments make.
func (c *call) unnamed() string {
	name := c.kind.Unnamed(c.decl.Args)
	if required := c.kind.Schema.Required; name == "" && len(required) > 0 && c.decl.Args[required[0].Index] == nil {
		return "" // which is reported
	}
	if !isName(name) {
		c.report("", -1, "%s: its arguments make no name that could be shown", c.d.name).Hint = "give it one: name ="
		return ""
	}
	return name
}

func isName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (c *call) nameArg(v starlark.Value, arg string, index int) string {
	s, ok := v.(starlark.String)
	if !ok {
		c.report(arg, index, "%s: the name must be plain text, got %s", c.d.name, v.Type())
		return ""
	}
	if !isName(string(s)) {
		c.report(arg, index, "%s: %q is not a name", c.d.name, string(s))
		return ""
	}
	return string(s)
}

// called puts the name into the field of what the object is called where it
// lives, which may have a normal form.
func (c *call) called(f *schema.Field, name string, index int) {
	if f.LiveName {
		c.set(f, starlark.String(name), "", index)
		return
	}
	c.decl.Args[f.Index] = name
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
		c.report(key, -1, "%s: unexpected argument %q", c.d.name, key).Hint = diag.DidYouMean(key, names)
	}
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

// takes reports whether a kind takes a common argument: of a check there is
// nothing live to treat in one way or another.
func (c *call) takes(key string) bool {
	return c.kind.Verify == nil || key == "after" || key == "timeout" || key == scopeArgument(c.kind.Scope)
}

// common treats the arguments that every kind takes.
func (c *call) common(key string, v starlark.Value) bool {
	wantBool := func() bool {
		b, ok := v.(starlark.Bool)
		if !ok {
			c.report(key, -1, "%s: %s: got %s, want bool", c.d.name, key, v.Type())
		}
		return bool(b)
	}
	if !c.takes(key) {
		return false
	}
	switch key {
	case "after":
		c.after(v)
	case "lifecycle":
		if v != starlark.None {
			c.lifecycle(v)
		}
	case "external":
		c.decl.External = wantBool()
	case "wait":
		c.decl.NoWait = !wantBool()
	case "timeout":
		raw, err := lang.ToValue(v)
		if err == nil {
			raw, err = durationType.Check(raw)
		}
		n, ok := raw.(int64)
		if err != nil || !ok || n <= 0 {
			c.report(key, -1, `%s: timeout: got %s, want a duration such as "60s"`, c.d.name, lang.Repr(v))
			break
		}
		c.decl.Timeout = time.Duration(n)
	default:
		return false
	}
	return true
}

var durationType = &schema.Type{Kind: schema.Duration}

func (c *call) after(v starlark.Value) {
	if h, ok := v.(*Handle); ok {
		c.decl.After = append(c.decl.After, h.decl.Address)
		return
	}
	it, ok := v.(starlark.Iterable)
	if !ok {
		c.report("after", -1, "%s: after: got %s, want a list of resources", c.d.name, v.Type())
		return
	}
	iter := it.Iterate()
	defer iter.Done()
	var e starlark.Value
	for i := 0; iter.Next(&e); i++ {
		h, ok := e.(*Handle)
		if !ok {
			c.report("after", -1, "%s: after[%d]: got %s, want a resource", c.d.name, i, e.Type())
			continue
		}
		c.decl.After = append(c.decl.After, h.decl.Address)
	}
}

// bind finds the scope and makes the address.
func (c *call) bind(name string, scope starlark.Value) {
	addr, ok := "", true
	if scope == nil && c.target != nil && c.kind.Scope != "" && c.target.decl.Kind.Scope == c.kind.Scope {
		addr = c.target.decl.Scope // where the check's target lives
	} else if addr, ok = c.d.recorder.scopeFor(c, scope); !ok {
		addr = "unknown"
	}
	c.decl.Scope = addr
	if c.d.joins {
		c.decl.On = c.d.recorder.joiner(c)
	}
	if c.kind.Opens != "" {
		addr = "" // what opens a scope stands alone
	}
	c.decl.Address = value.NewAddress(addr, c.kind.Name, name)
}

// joinOnly are the arguments of a node that only a join can say.
var joinOnly = []string{"advertise_addr", "listen_addr", "data_path_addr"}

// membership gives a node that joins the role that it has unless told
// otherwise, and refuses what has no meaning for one that has joined already.
func (c *call) membership() {
	if c.kind.Name != "node" || c.kind.Scope != "swarm" {
		return
	}
	if f, ok := c.kind.Schema.Field("role"); ok && c.d.joins {
		c.inherit()
		if c.decl.Args[f.Index] == nil {
			c.decl.Args[f.Index] = "worker"
		}
	}
	for _, name := range joinOnly {
		if f, ok := c.kind.Schema.Field(name); ok && !c.d.joins && c.decl.Args[f.Index] != nil {
			c.report(name, -1, "%s: %s is an argument of swarm.join", c.d.name, name).Detail = "this node has joined already"
		}
	}
}

// inherit gives a swarm.join of the host that the swarm begins on what swarm.init
// has said of it, where the join does not say otherwise: it is a manager.
func (c *call) inherit() {
	swarm := c.d.recorder.declared[value.Address(c.decl.Scope)]
	if swarm == nil || swarm.Scope != c.decl.On {
		return
	}
	given := value.Struct{}
	if old := c.d.recorder.declared[c.decl.Address]; c.d.recorder.founders[old] {
		given = old.Args
	} else if f, ok := c.kind.Schema.Field("role"); ok { // of an engine(), nothing is declared
		given = make(value.Struct, len(c.decl.Args))
		given[f.Index] = "manager"
	}
	for i, v := range given {
		if c.decl.Args[i] == nil {
			c.decl.Args[i] = v
		}
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
	for _, f := range c.kind.Schema.Required {
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
	if c.kind.Check == nil {
		return
	}
	for _, p := range c.kind.Check(c.decl.Args) {
		arg, _, _ := strings.Cut(p.Path, "[")
		arg, _, _ = strings.Cut(arg, ".")
		msg := p.Msg
		if p.Path != "" {
			msg = p.Path + ": " + msg
		}
		c.report(arg, -1, "%s: %s", c.d.name, msg).Hint = p.Hint
	}
}
