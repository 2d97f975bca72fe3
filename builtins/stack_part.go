package builtins

import (
	"errors"
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// partCall is the declaration of one part of a stack on its way.
type partCall struct {
	call
	part *compose.Part
}

func (r *Recorder) partCall(thread *starlark.Thread, p *compose.Part, scope starlark.Value) *partCall {
	d := &declarer{recorder: r, name: p.Kind.Name + " " + p.Key, kinds: []*resource.Kind{p.Kind}}
	pc := &partCall{part: p, call: call{
		d: d, thread: thread, s: lang.FromThread(thread), pos: lang.CallPos(thread), kind: p.Kind, place: p.At,
		decl: &resource.Declaration{Kind: p.Kind, Args: slices.Clone(p.Args), Pos: p.Pos, NameGiven: true, External: p.External},
	}}
	if p.Kind.Scope != "engine" {
		pc.bind(p.Name, scope)
		return pc
	}
	// An image is built where the swarm begins: one node needs no registry.
	of := pc.call
	of.kind = r.kinds[slices.IndexFunc(r.kinds, func(k *resource.Kind) bool { return k.Name == "service" })]
	if addr, ok := r.scopeFor(&of, scope); ok {
		pc.decl.Scope = r.declared[value.Address(addr)].Scope
	}
	pc.decl.Address = value.NewAddress(pc.decl.Scope, p.Kind.Name, p.Name)
	return pc
}

// declare records the part. Names of other parts become references to them.
func (pc *partCall) declare(parts map[liveName]*Handle, common []starlark.Tuple) *Handle {
	for _, f := range pc.kind.Schema.Fields() {
		v := pc.decl.Args[f.Index]
		if v == nil || f == pc.kind.Schema.NameField() {
			continue
		}
		pc.decl.Args[f.Index] = nil
		given := f.Type.GivenWith(v, func(kind, name string) value.Value {
			if h := parts[liveName{kind: kind, name: name}]; h != nil {
				return value.Ref{Address: h.decl.Address}
			}
			return name
		})
		raw, err := f.Check(given)
		if err != nil {
			pc.wrong(err, f.Name, -1)
			continue
		}
		pc.decl.Args[f.Index] = raw
	}
	for _, kw := range common {
		key := string(kw[0].(starlark.String))
		if f, ok := pc.kind.Schema.Field(key); ok {
			pc.decl.Args[f.Index] = nil // the file's
		}
		pc.keyword(key, kw[1])
	}
	pc.folder()
	h := &Handle{decl: pc.decl, part: &stackPart{said: slices.Clone(pc.decl.Args), recorder: pc.d.recorder}}
	pc.check()
	r := pc.d.recorder
	if p := r.add(pc.decl); p != nil {
		pc.s.Report(pc.thread, p)
	}
	r.callers[pc.decl] = pc.pos
	return h
}

// externalPart is the script's own declaration of what a file calls external, or
// a look-up of what is somebody else's.
func (r *Recorder) externalPart(pc *partCall) *Handle {
	if own := r.holder(liveName{pc.decl.Scope, pc.kind.Name, pc.part.Name}); own != nil {
		return &Handle{decl: own}
	}
	return r.lookedUp(&pc.call)
}

// stackPart is what is known of a resource that a stack declares: what its files
// say, so that a script can say otherwise.
type stackPart struct {
	said     value.Struct // before it was brought to normal form
	recorder *Recorder
}

// change is h.override(...) and h.extend(...): arguments of the kind's builtin in
// place of those of the file, or added to its lists and dicts. It returns the
// handle.
func (h *Handle) change(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("%s: want the arguments of %s(...), by name", b.Name(), h.decl.Kind.Name)
	}
	s := lang.FromThread(thread)
	next := &resource.Declaration{Kind: h.decl.Kind, Args: make(value.Struct, len(h.part.said)), NameGiven: true, Address: h.decl.Address, Scope: h.decl.Scope}
	c := &call{
		d:      &declarer{recorder: h.part.recorder, name: b.Name(), kinds: []*resource.Kind{h.decl.Kind}},
		thread: thread, s: s, pos: lang.CallPos(thread), kind: h.decl.Kind, decl: next,
	}
	instead := b.Name() == "override"
	common := map[string]bool{} // which of those that every kind takes are changed
	for _, kw := range kwargs {
		key, none := string(kw[0].(starlark.String)), kw[1] == starlark.None
		f, ofKind := c.kind.Schema.Field(key)
		switch {
		case key == "name", key == "external", key == scopeArgument(c.kind.Scope):
			c.report(key, -1, "%s: %s is the stack's", b.Name(), key)
		case none && ofKind && instead:
			h.part.said = slices.Clone(h.part.said)
			h.part.said[f.Index] = nil
		case none && slices.Contains(changeable, key):
			common[key] = instead
		default:
			c.keyword(key, kw[1])
			common[key] = true
		}
	}
	if c.failed {
		return h, nil
	}
	for i, f := range c.kind.Schema.Fields() {
		v := next.Args[i]
		if v == nil {
			next.Args[i] = h.part.said[i]
		} else if !instead {
			sum, err := extended(f, h.part.said[i], v)
			if err != nil {
				c.report(f.Name, -1, "extend: %v", err).Hint = "override puts it in the place of what the file says"
				continue
			}
			next.Args[i] = sum
		}
	}
	if c.failed {
		return h, nil
	}
	said := slices.Clone(next.Args)
	if c.check(); c.failed {
		return h, nil
	}
	h.part.said = said
	h.decl.SetArgs(next.Args)
	if !instead {
		next.After = append(slices.Clone(h.decl.After), next.After...)
	}
	setCommon(h.decl, next, common)
	h.decl.Refs()
	c.copies()
	return h, nil
}

// changeable are the common arguments that a part of a stack may get otherwise, or
// lose again with None.
var changeable = []string{"after", "lifecycle", "timeout", "wait"}

// setCommon gives a declaration those common arguments of another one that are given.
func setCommon(d, next *resource.Declaration, given map[string]bool) {
	if given["after"] {
		d.After = next.After
	}
	if given["lifecycle"] {
		d.Lifecycle = next.Lifecycle
	}
	if given["timeout"] {
		d.Timeout = next.Timeout
	}
	if given["wait"] {
		d.NoWait = next.NoWait
	}
}

// extended is a list or dict with more in it. Of a dict's keys the new ones win.
func extended(f *schema.Field, old, more value.Value) (value.Value, error) {
	if old == nil && (f.Type.Kind == schema.ListOf || f.Type.Kind == schema.MapOf) {
		return more, nil
	}
	switch m := more.(type) {
	case value.Secret:
		sum, err := extended(f, value.Reveal(old), m.V)
		return value.Secret{V: sum}, err
	case value.List:
		was, ok := old.(value.List)
		if !ok {
			break
		}
		sum := append(slices.Clone(was), m...)
		if !f.Type.Set {
			return sum, nil // each is checked, with its defaults, which are not to be given
		}
		return f.Check(sum) // in its order, and each once
	case *value.Map:
		was, ok := old.(*value.Map)
		if !ok {
			break
		}
		switch {
		case was.Len() == 0: // there is no map then
			return m, nil
		case m.Len() == 0:
			return was, nil
		}
		entries := slices.Clone(was.Entries)
		for _, e := range m.Entries {
			i := slices.IndexFunc(entries, func(o value.Entry) bool { return o.Key == e.Key })
			if i >= 0 {
				entries[i] = e
			} else {
				entries = append(entries, e)
			}
		}
		return value.NewMap(entries), nil
	}
	return nil, errors.New(f.Name + " is neither a list nor a dict, or not known yet")
}
