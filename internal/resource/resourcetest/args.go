// Package resourcetest gives tests of kinds the arguments of a declaration from
// plain Go values, checked as those of a script are.
package resourcetest

import (
	"maps"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Args is what a script gives.
type Args map[string]any

// With returns the arguments with some changed; nil removes one.
func (a Args) With(changes Args) Args {
	out := maps.Clone(a)
	for k, v := range changes {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// Check brings arguments to their kind's normal form, or says what is wrong. An
// argument that the kind does not have is a mistake of the test, and panics.
func Check(k *resource.Kind, a Args) (value.Struct, schema.Problems) {
	in := make(value.Struct, len(k.Schema.Fields()))
	for name, v := range a {
		f, ok := k.Schema.Field(name)
		if !ok {
			panic("no argument " + name)
		}
		in[f.Index] = plain(v)
	}
	out, problems := k.Schema.CheckAll(in)
	if problems == nil && k.Check != nil {
		problems = k.Check(out)
	}
	if problems == nil && k.Complete != nil {
		k.Complete(out)
	}
	return out, problems
}

func plain(v any) value.Value {
	switch v := v.(type) {
	case int:
		return int64(v)
	case []string:
		var l value.List
		for _, s := range v {
			l = append(l, s)
		}
		return l
	case []Args:
		var l value.List
		for _, m := range v {
			l = append(l, plain(m))
		}
		return l
	case map[string]string:
		return value.MapOf(v)
	case Args:
		var entries []value.Entry
		for k, e := range v {
			entries = append(entries, value.Entry{Key: k, Value: plain(e)})
		}
		return value.NewMap(entries)
	}
	return v
}
