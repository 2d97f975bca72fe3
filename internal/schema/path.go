package schema

import (
	"strconv"
	"strings"
)

// TypeAt returns the type of what a path names, as the paths of [Change] do:
// ports[0].target, labels["tier"]. It is nil where the schema has no such
// place.
func (s *Struct) TypeAt(path string) (*Field, *Type) {
	name := path
	if i := strings.IndexAny(path, ".["); i >= 0 {
		name = path[:i]
	}
	f, ok := s.Field(name)
	if !ok {
		return nil, nil
	}
	t := f.Type
	for rest := path[len(name):]; rest != "" && t != nil; {
		t, rest = t.inside(rest)
	}
	return f, t
}

// inside takes one step of a path: .field, ["key"] or [0].
func (t *Type) inside(path string) (*Type, string) {
	if name, ok := strings.CutPrefix(path, "."); ok {
		rest := ""
		if i := strings.IndexAny(name, ".["); i >= 0 {
			name, rest = name[:i], name[i:]
		}
		if t.Struct == nil {
			return nil, ""
		}
		f, ok := t.Struct.Field(name)
		if !ok {
			return nil, ""
		}
		return f.Type, rest
	}
	key := strings.TrimPrefix(path, "[")
	if quoted, err := strconv.QuotedPrefix(key); err == nil {
		key = key[len(quoted):]
	} else if i := strings.IndexByte(key, ']'); i >= 0 {
		key = key[i:]
	}
	rest, ok := strings.CutPrefix(key, "]")
	if !ok {
		return nil, ""
	}
	return t.Elem, rest
}
