package schema

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Resolve replaces every reference in checked arguments that lookup knows, and
// brings what has become known to normal form. Arguments without references
// are returned as they are, not copied.
func (s *Struct) Resolve(args value.Struct, lookup func(value.Ref) (value.Value, bool)) (value.Struct, Problems) {
	var all Problems
	out := args
	for i, v := range args {
		if value.Known(v) {
			continue
		}
		f := s.Fields()[i]
		r, err := f.Type.resolve(v, lookup)
		if err != nil {
			all = append(all, within(f.Name, err)...)
			continue
		}
		if f.Secret && r != nil {
			r = value.Secret{V: value.Reveal(r)}
		}
		if &out[0] == &args[0] {
			out = append(value.Struct(nil), args...)
		}
		out[i] = r
	}
	return out, all
}

// resolve checks only what it replaces: what is in normal form already must
// not be checked again.
func (t *Type) resolve(v value.Value, lookup func(value.Ref) (value.Value, bool)) (value.Value, error) {
	if value.Known(v) {
		return v, nil
	}
	switch x := v.(type) {
	case value.Ref, *value.Template:
		r := value.Resolve(v, lookup)
		if !value.Known(r) || r == nil { // nil is an argument that what was looked up does not have
			return r, nil
		}
		return t.Check(r)
	case value.Secret:
		r, err := t.resolve(x.V, lookup)
		if err != nil {
			return nil, hideValue(err, value.Resolve(x.V, lookup))
		}
		return value.Secret{V: value.Reveal(r)}, nil
	case value.Struct:
		if t.Struct == nil {
			return value.Resolve(v, lookup), nil
		}
		out, problems := t.Struct.Resolve(x, lookup)
		if problems != nil {
			return nil, problems
		}
		return out, nil
	case value.List:
		return t.resolveList(x, lookup)
	case *value.Map:
		entries := append([]value.Entry(nil), x.Entries...)
		var all Problems
		for i, e := range entries {
			r, err := t.elem().resolve(e.Value, lookup)
			if err != nil {
				all = append(all, within(fmt.Sprintf("[%q]", e.Key), err)...)
			}
			entries[i].Value = r
		}
		if all != nil {
			return nil, all
		}
		return &value.Map{Entries: entries}, nil
	}
	return value.Resolve(v, lookup), nil
}

func (t *Type) resolveList(l value.List, lookup func(value.Ref) (value.Value, bool)) (value.Value, error) {
	out := make(value.List, len(l))
	var all Problems
	for i, e := range l {
		r, err := t.elem().resolve(e, lookup)
		if err != nil {
			all = append(all, within(fmt.Sprintf("[%d]", i), err)...)
		}
		out[i] = r
	}
	if all != nil {
		return nil, all
	}
	if t.Set {
		out = sortSet(out)
	}
	return out, nil
}
