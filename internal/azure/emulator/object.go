package emulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// An object is a JSON object. Bodies are kept as they came: what the emulator does
// not know is kept and given back, as Azure does with most of it.
type object = map[string]any

// at returns what is at a path of keys, nil where there is nothing.
func at(o object, keys ...string) any {
	var v any = o
	for _, k := range keys {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func text(o object, keys ...string) string { s, _ := at(o, keys...).(string); return s }

func sub(o object, keys ...string) object { m, _ := at(o, keys...).(object); return m }

func number(o object, keys ...string) int {
	f, _ := at(o, keys...).(float64)
	return int(f)
}

// objects returns the objects of a list.
func objects(o object, keys ...string) []object {
	l, _ := at(o, keys...).([]any)
	var out []object
	for _, v := range l {
		if m, ok := v.(object); ok {
			out = append(out, m)
		}
	}
	return out
}

// texts returns the strings of a list.
func texts(o object, keys ...string) []string {
	l, _ := at(o, keys...).([]any)
	var out []string
	for _, v := range l {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// ensure returns the object at a path of keys, and makes it where it is not.
func ensure(o object, keys ...string) object {
	for _, k := range keys {
		m, ok := o[k].(object)
		if !ok {
			m = object{}
			o[k] = m
		}
		o = m
	}
	return o
}

// fill sets a key that is not set.
func fill(o object, key string, v any) {
	if o[key] == nil {
		o[key] = v
	}
}

// list is a slice as JSON has it.
func list[T any](in []T) []any {
	out := make([]any, 0, len(in))
	for _, v := range in {
		out = append(out, v)
	}
	return out
}

// clone is a deep copy.
func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	default:
		return v
	}
}

func cloneObject(o object) object {
	if o == nil {
		return nil
	}
	return clone(o).(object)
}

// merge lays a patch over an object, as JSON merge patches do, but for lists, which
// are replaced, and tags, which PATCH replaces as a whole in Azure.
func merge(into, patch object) {
	for k, v := range patch {
		m, isObject := v.(object)
		old, wasObject := into[k].(object)
		switch {
		case v == nil:
			delete(into, k)
		case isObject && k == "userAssignedIdentities":
			into[k] = mergeIdentities(old, m)
		case isObject && wasObject && k != "tags":
			merge(old, m)
		default:
			into[k] = clone(v)
		}
	}
}

// mergeIdentities adds identities to those that there are, and takes away those that
// are null. Letter case of their IDs means nothing.
func mergeIdentities(old, patch object) object {
	out := object{}
	maps.Copy(out, old)
	for id, v := range patch {
		maps.DeleteFunc(out, func(had string, _ any) bool { return strings.EqualFold(had, id) })
		if v != nil {
			out[id] = clone(v)
		}
	}
	return out
}

// named finds an object of a list by its name.
func named(list []object, name string) object {
	if i := slices.IndexFunc(list, func(o object) bool { return strings.EqualFold(text(o, "name"), name) }); i >= 0 {
		return list[i]
	}
	return nil
}

// same compares JSON values; letter case of IDs means nothing.
func same(a, b any) bool {
	switch a := a.(type) {
	case string:
		s, ok := b.(string)
		return ok && (a == s || strings.HasPrefix(a, "/subscriptions/") && strings.EqualFold(a, s))
	case object:
		m, ok := b.(object)
		return ok && maps.EqualFunc(a, m, same)
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, same)
	default:
		return a == b
	}
}

// decode reads a JSON object.
func decode(data []byte) (object, error) {
	var o object
	err := json.Unmarshal(data, &o)
	return o, err
}
