package schema

import (
	"fmt"
	"slices"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Change is one difference between what is declared and what is live.
type Change struct {
	Path    string // limit_memory, ports[0], labels["tier"], update.parallelism
	Field   *Field // the argument that it belongs to
	Type    *Type  // of the values
	Before  value.Value
	After   value.Value // may be unknown
	Replace bool        // cannot be made in place
	Unknown bool        // waits for a step
	Secret  bool        // must not be shown
}

// Diff compares checked arguments with a live object's, field by field. Both
// are in normal form. owned is the keys that we once set in each merge field,
// by field name: a key of ours that is no longer declared is a change.
func (s *Struct) Diff(desired, live value.Struct, owned map[string][]string) []Change {
	var out []Change
	for i, f := range s.Fields() {
		if f.Local || f.WriteOnly {
			continue
		}
		want := desired[i]
		if want == nil && !(f.Merge && len(owned[f.Name]) > 0) {
			if want = f.Default; want == nil {
				continue
			}
		}
		d := differ{field: f, secret: f.Secret}
		if f.Merge {
			d.merge(want, live[i], owned[f.Name])
		} else {
			d.compare(f.Name, f.Type, want, live[i])
		}
		out = append(out, d.changes...)
	}
	return out
}

// Same reports whether a value of this type equals another, defaults aside.
func (t *Type) Same(a, b value.Value) bool {
	d := differ{field: &Field{}}
	d.compare("", t, a, b)
	return len(d.changes) == 0
}

type differ struct {
	field   *Field
	secret  bool // a field on the path is
	changes []Change
}

func (d *differ) add(path string, t *Type, before, after value.Value) {
	d.changes = append(d.changes, Change{
		Path: path, Field: d.field, Type: t, Before: before, After: after,
		Replace: d.field.Replace, Unknown: !value.Known(after),
		Secret: d.secret || t.holdsSecret(before) || t.holdsSecret(after),
	})
}

// holdsSecret reports whether a value has a secret in it, by its own mark or
// by its type's.
func (t *Type) holdsSecret(v value.Value) bool {
	if value.Sensitive(v) {
		return true
	}
	switch v := v.(type) {
	case value.List:
		return slices.ContainsFunc(v, t.elem().holdsSecret)
	case *value.Map:
		return v != nil && slices.ContainsFunc(v.Entries, func(e value.Entry) bool { return t.elem().holdsSecret(e.Value) })
	case value.Struct:
		if t.Struct == nil {
			return false
		}
		for i, f := range t.Struct.Fields() {
			if v[i] != nil && (f.Secret || f.Type.holdsSecret(v[i])) {
				return true
			}
		}
	}
	return false
}

// compare walks two values of one type, and records differences as deep as
// they can be named: whole elements of lists, keys of maps, fields of structs.
func (d *differ) compare(path string, t *Type, want, live value.Value) {
	if value.Equal(want, live) {
		return
	}
	w, l := value.Reveal(want), value.Reveal(live)
	if _, hidden := live.(value.Secret); hidden && !d.secret {
		d.secret = true
		defer func() { d.secret = false }()
	}
	switch t.Kind {
	case StructOf:
		ws, ok1 := w.(value.Struct)
		ls, ok2 := l.(value.Struct)
		if ok1 && ok2 {
			outer := d.secret
			for i, f := range t.Struct.Fields() {
				want := ws[i]
				if want == nil {
					want = f.Default
				}
				if want == nil || f.Local || f.WriteOnly {
					continue
				}
				d.secret = outer || f.Secret
				d.compare(path+"."+f.Name, f.Type, want, ls[i])
			}
			d.secret = outer
			return
		}
	case MapOf:
		wm, ok1 := w.(*value.Map)
		lm, ok2 := l.(*value.Map)
		if (ok1 || w == nil) && (ok2 || l == nil) {
			d.compareMaps(path, t, wm, lm)
			return
		}
	case ListOf:
		wl, ok1 := w.(value.List)
		ll, ok2 := l.(value.List)
		if ok1 && (ok2 || l == nil) {
			if len(wl) == 0 && len(ll) == 0 {
				return
			}
			if t.Set && t.Elem.Kind == StructOf && d.keyed(path, t, wl, ll) {
				return
			}
			if t.Set { // what has become known since may have changed its place
				wl, ll = sortSet(slices.Clone(wl)), sortSet(slices.Clone(ll))
				if value.Equal(wl, ll) {
					return
				}
			}
			if t.Elem.Kind == StructOf && len(wl) == len(ll) {
				if allSame(t.Elem, wl, ll) {
					return
				}
			}
			d.add(path, t, live, want)
			return
		}
	}
	if IsEmpty(w) && IsEmpty(l) {
		return
	}
	d.add(path, t, live, want)
}

// keyed compares two sets of structs by the field that names an element. It
// returns false where the struct has none, or where names are not known or not
// unique: the sets are then compared as a whole.
func (d *differ) keyed(path string, t *Type, want, live value.List) bool {
	w, ok1 := byKey(t.Elem.Struct, want)
	l, ok2 := byKey(t.Elem.Struct, live)
	if !ok1 || !ok2 {
		return false
	}
	keys := make([]string, 0, len(w)+len(l))
	for k := range w {
		keys = append(keys, k)
	}
	for k := range l {
		if _, both := w[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		at := fmt.Sprintf("%s[%q]", path, k)
		switch {
		case w[k] == nil:
			d.add(at, t.Elem, l[k], nil)
		case l[k] == nil:
			d.add(at, t.Elem, nil, w[k])
		default:
			d.compare(at, t.Elem, w[k], l[k])
		}
	}
	return true
}

func byKey(s *Struct, l value.List) (map[string]value.Struct, bool) {
	key := s.built().key
	if key < 0 {
		return nil, false
	}
	out := make(map[string]value.Struct, len(l))
	for _, e := range l {
		x, ok := value.Reveal(e).(value.Struct)
		if !ok {
			return nil, false
		}
		switch x[key].(type) {
		case string, int64:
		default:
			return nil, false
		}
		k := value.Text(x[key])
		if _, dup := out[k]; dup {
			return nil, false
		}
		out[k] = x
	}
	return out, true
}

func allSame(t *Type, a, b value.List) bool {
	for i := range a {
		if !t.Same(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (d *differ) compareMaps(path string, t *Type, want, live *value.Map) {
	if want != nil {
		for _, e := range want.Entries {
			before, ok := live.Get(e.Key)
			if !ok || !t.Elem.Same(e.Value, before) {
				d.add(fmt.Sprintf("%s[%q]", path, e.Key), t.Elem, before, e.Value)
			}
		}
	}
	if live != nil {
		for _, e := range live.Entries {
			if _, ok := want.Get(e.Key); !ok {
				d.add(fmt.Sprintf("%s[%q]", path, e.Key), t.Elem, e.Value, nil)
			}
		}
	}
}

// IsEmpty reports whether a value is none, or a list or map without elements.
func IsEmpty(v value.Value) bool {
	switch v := v.(type) {
	case nil:
		return true
	case value.List:
		return len(v) == 0
	case *value.Map:
		return v.Len() == 0
	}
	return false
}
