package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Keys are what the known elements of a merged field are told apart by: the keys of a
// map, the names of a set's structs, or the texts of a set. They are in order.
func (f *Field) Keys(v value.Value) []string {
	var out []string
	switch v := value.Reveal(v).(type) {
	case *value.Map:
		out = make([]string, 0, v.Len())
		if v != nil {
			for _, e := range v.Entries {
				out = append(out, e.Key)
			}
		}
		return out
	case value.List:
		for _, e := range v {
			if key, known := f.keyOf(e); known {
				out = append(out, key)
			}
		}
		slices.Sort(out)
	}
	return out
}

// HasKey reports whether one of the elements has that key.
func (f *Field) HasKey(v value.Value, key string) bool { return f.has(f.Keys(v), key) }

func (f *Field) has(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return f.sameKey(k, key) })
}

// After is a merged field as it will be: of what is live, what others have put there
// stays. owned is the keys that we once set.
func (f *Field) After(want, live value.Value, owned []string) value.Value {
	ours := slices.Concat(f.Keys(want), owned)
	others := func(key string) bool { return !f.has(ours, key) }
	switch l := live.(type) {
	case *value.Map:
		w, ok := want.(*value.Map)
		if !ok || l.Len() == 0 {
			return want
		}
		entries := slices.DeleteFunc(slices.Clone(l.Entries), func(e value.Entry) bool { return !others(e.Key) })
		if w != nil {
			entries = append(entries, w.Entries...)
		}
		return value.NewMap(entries)
	case value.List:
		w, ok := want.(value.List)
		if !ok {
			return want
		}
		theirs := slices.DeleteFunc(slices.Clone(l), func(e value.Value) bool {
			key, known := f.keyOf(e)
			return !known || !others(key)
		})
		if len(theirs) == 0 {
			return want
		}
		return sortSet(append(theirs, w...))
	}
	return want
}

// keyOf is what an element of a set is told apart by, if that is known.
func (f *Field) keyOf(e value.Value) (string, bool) {
	e = value.Reveal(e)
	if x, ok := e.(value.Struct); ok {
		e = value.Reveal(x[f.Type.Elem.Struct.built().key])
	}
	key, known := e.(string)
	return key, known
}

func (f *Field) sameKey(a, b string) bool {
	return a == b || f.Fold && strings.EqualFold(a, b)
}

// entry is what a map has at a key.
func (f *Field) entry(m *value.Map, key string) (value.Value, bool) {
	if v, ok := m.Get(key); ok || !f.Fold || m == nil {
		return v, ok
	}
	i := slices.IndexFunc(m.Entries, func(e value.Entry) bool { return f.sameKey(e.Key, key) })
	if i < 0 {
		return nil, false
	}
	return m.Entries[i].Value, true
}

// merge compares only the elements that are declared, or were.
func (d *differ) merge(want, live value.Value, owned []string) {
	f := d.field
	if f.Type.Kind == ListOf {
		d.mergeSets(want, live, owned)
		return
	}
	w, _ := value.Reveal(want).(*value.Map)
	l, _ := value.Reveal(live).(*value.Map)
	if !isMap(want) {
		d.add(f.Name, f.Type, live, want)
		return
	}
	elem := f.Type.Elem
	if w != nil {
		for _, e := range w.Entries {
			before, ok := f.entry(l, e.Key)
			if !ok || !value.Equal(e.Value, before) {
				d.add(fmt.Sprintf("%s[%q]", f.Name, e.Key), elem, before, e.Value)
			}
		}
	}
	for _, k := range owned {
		if _, declared := f.entry(w, k); declared {
			continue
		}
		if before, ok := f.entry(l, k); ok {
			d.add(fmt.Sprintf("%s[%q]", f.Name, k), elem, before, nil)
		}
	}
}

func (d *differ) mergeSets(want, live value.Value, owned []string) {
	f := d.field
	if want == nil {
		want = value.List{}
	}
	l, _ := value.Reveal(live).(value.List)
	keys := slices.Concat(f.Keys(want), owned)
	ours := slices.DeleteFunc(slices.Clone(l), func(e value.Value) bool {
		key, _ := f.keyOf(e)
		return !f.has(keys, key)
	})
	d.compare(f.Name, f.Type, want, ours)
}

func isMap(v value.Value) bool {
	switch value.Reveal(v).(type) {
	case nil, *value.Map:
		return true
	}
	return false
}
