package schema

import (
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Given returns a value in normal form in a form in which a script may give
// it: durations as text, CPUs as a number of them, structs as dicts.
func (t *Type) Given(v value.Value) value.Value { return t.GivenWith(v, nil) }

// GivenWith is Given with something else in place of the names for which a
// handle may be given: what ref returns for a kind and a name. It may be nil.
func (t *Type) GivenWith(v value.Value, ref func(kind, name string) value.Value) value.Value {
	switch x := v.(type) {
	case value.Secret:
		return value.Secret{V: t.GivenWith(x.V, ref)}
	case string:
		if ref != nil && t.RefKind != "" {
			return ref(t.RefKind, x)
		}
	case int64:
		switch t.Kind {
		case Duration:
			return t.Format(x)
		case CPUs:
			return float64(x) / 1e9
		}
	case value.Struct:
		if t.Struct == nil {
			return v
		}
		var entries []value.Entry
		for i, f := range t.Struct.Fields() {
			if x[i] != nil {
				entries = append(entries, value.Entry{Key: f.Name, Value: f.Type.GivenWith(x[i], ref)})
			}
		}
		return value.NewMap(entries)
	case value.List:
		out := make(value.List, len(x))
		for i, e := range x {
			out[i] = t.elem().GivenWith(e, ref)
		}
		return out
	}
	return v
}

// GivenName is the name of the type of what [Type.Given] returns, as that of
// an output.
func (t *Type) GivenName() string {
	switch t.Kind {
	case Duration, String:
		return "string"
	case CPUs:
		return "float"
	case Bytes, Mode:
		return "int"
	}
	return t.Name()
}

// sameList reports whether two names are those of lists of the same, in order
// or not.
func sameList(a, b string) bool {
	elements := func(name string) string {
		if s, ok := strings.CutPrefix(name, "set of "); ok {
			return "list of " + s
		}
		return name
	}
	return elements(a) == elements(b)
}
