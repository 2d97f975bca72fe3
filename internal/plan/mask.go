package plan

import (
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What is read back from a swarm has forgotten that it was sensitive: the
// declaration alone knows. So what the script declares sensitive is hidden in
// what is live too, at the same place. What the script does not mention any
// more cannot be known to have been sensitive.

// declaredArgs are the arguments as the script gave them, in which its marks still
// are; lifecycle(ignore_changes=) puts live values in their place.
func declaredArgs(c *Change) []value.Struct {
	all := []value.Struct{c.Args}
	if c.Decl != nil {
		all = append(all, c.Decl.Args)
	}
	return all
}

// Masked returns arguments, live ones or kept ones, with what is declared
// sensitive marked so.
func (c *Change) Masked(args value.Struct) value.Struct {
	if c.Kind == nil {
		return args
	}
	if c.Live != nil {
		args = c.Live.Mark.Conceal(c.Kind.Schema, args)
	}
	for _, want := range declaredArgs(c) {
		args = maskFields(c.Kind.Schema, want, args)
	}
	return args
}

// Kept returns the arguments as they will be, with live values that are kept
// marked where the script declares them sensitive.
func (c *Change) Kept() value.Struct {
	if c.Decl == nil || len(c.Decl.Args) != len(c.Args) {
		return c.Args
	}
	out := append(value.Struct(nil), c.Args...)
	for i, f := range c.Kind.Schema.Fields() {
		if i >= len(out) || value.Sensitive(out[i]) || !value.Sensitive(c.Decl.Args[i]) {
			continue
		}
		v := out[i]
		if v == nil {
			v = f.Default
		}
		out[i] = Mask(f.Type, c.Decl.Args[i], v)
	}
	return out
}

func maskFields(s *schema.Struct, want, live value.Struct) value.Struct {
	if len(want) != len(live) || !value.Sensitive(want) {
		return live
	}
	out := append(value.Struct(nil), live...)
	for i, f := range s.Fields() {
		out[i] = Mask(f.Type, want[i], live[i])
	}
	return out
}

// Mask marks the parts of a live value where the wanted one is sensitive.
// Which element of a list stands for which cannot be told once they differ:
// a list with anything sensitive in it is hidden as a whole.
func Mask(t *schema.Type, want, live value.Value) value.Value {
	if live == nil || !value.Sensitive(want) {
		return live
	}
	switch w := want.(type) {
	case *value.Map:
		l, ok := live.(*value.Map)
		if !ok || l == nil {
			break
		}
		entries := append([]value.Entry(nil), l.Entries...)
		for i, e := range entries {
			if x, ok := w.Get(e.Key); ok {
				entries[i].Value = Mask(t.Elem, x, e.Value)
			}
		}
		return &value.Map{Entries: entries}
	case value.Struct:
		if l, ok := live.(value.Struct); ok && t != nil && t.Struct != nil && len(w) == len(l) {
			return maskFields(t.Struct, w, l)
		}
	}
	if value.Sensitive(live) {
		return value.Secret{V: value.RevealAll(live)}
	}
	return value.Secret{V: live}
}

// HidesList reports whether a difference is within an argument of which a list
// has something sensitive in it.
func (c *Change) HidesList(f *schema.Field) bool {
	if f == nil {
		return false
	}
	for _, want := range declaredArgs(c) {
		if f.Index < len(want) && sensitiveList(want[f.Index]) {
			return true
		}
	}
	return false
}

func sensitiveList(v value.Value) bool {
	switch v := v.(type) {
	case value.List:
		return value.Sensitive(v)
	case value.Struct:
		for _, e := range v {
			if sensitiveList(e) {
				return true
			}
		}
	case *value.Map:
		for i := range v.Len() {
			if sensitiveList(v.Entries[i].Value) {
				return true
			}
		}
	}
	return false
}
