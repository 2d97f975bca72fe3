package ui

import (
	"strconv"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// unshown stands for what cannot be read back and has no place in a plan,
// though it is not secret: the content of a config.
const unshown = "(write-only value)"

var anyType = &schema.Type{Kind: schema.Any}

// appendValue appends a value in one line. It shows what [schema.Type.Format]
// does, with a word that needs no quotes left without: a plan is read more
// often than it is parsed.
func appendValue(b []byte, t *schema.Type, v value.Value) []byte {
	if s, ok := v.(string); ok && isWord(s) {
		return append(b, s...)
	}
	return appendNested(b, t, v)
}

// isWord reports whether text can stand without quotes, as an image or a
// number of a port can.
func isWord(s string) bool {
	if s == "" || s == "none" {
		return false
	}
	for _, r := range s {
		switch {
		case r <= ' ', r == '"', r == '\'', r == '(', r == ')', r == '[', r == ']', r == '{', r == '}', r == '#', r == '\\':
			return false
		case r > '~' && (r == utf8.RuneError || !strconv.IsPrint(r)):
			return false
		}
	}
	return true
}

func appendNested(b []byte, t *schema.Type, v value.Value) []byte {
	if t == nil {
		t = anyType
	}
	switch x := v.(type) {
	case nil:
		return append(b, "none"...)
	case string:
		return strconv.AppendQuote(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		if t.Kind == schema.Int || t.Kind == schema.Any {
			return strconv.AppendInt(b, x, 10)
		}
		return append(b, t.Format(x)...)
	case value.Secret:
		return append(b, value.Hidden...)
	case value.Ref, *value.Template:
		if value.Sensitive(x) {
			return append(b, value.Hidden...)
		}
		return append(b, schema.UnknownText...)
	case value.List:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendNested(b, t.Elem, e)
		}
		return append(b, ']')
	case *value.Map:
		b = append(b, '{')
		for i := range x.Len() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = strconv.AppendQuote(b, x.Entries[i].Key)
			b = append(b, ": "...)
			b = appendNested(b, t.Elem, x.Entries[i].Value)
		}
		return append(b, '}')
	case value.Struct:
		return appendStruct(b, t.Struct, x)
	case *value.Record:
		return append(append(b, x.Type...), "(...)"...)
	}
	return append(b, clean(value.Text(v))...)
}

func appendStruct(b []byte, s *schema.Struct, x value.Struct) []byte {
	if s == nil {
		return append(b, "(...)"...)
	}
	b = append(append(b, s.Name...), '(')
	first := true
	for i, f := range s.Fields() {
		if !given(f, x[i]) {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(append(b, f.Name...), " = "...)
		b = appendField(b, f, x[i])
	}
	return append(b, ')')
}

// appendField appends the value of a field that may be hidden.
func appendField(b []byte, f *schema.Field, v value.Value) []byte {
	switch {
	case f.Secret:
		return append(b, value.Hidden...)
	case f.WriteOnly && f.Type.Kind == schema.String && v != nil && value.Known(v) && !value.Sensitive(v):
		return append(b, unshown...)
	}
	return appendNested(b, f.Type, v)
}

// given reports whether a field says something: it has a value that is not
// what silence means.
func given(f *schema.Field, v value.Value) bool {
	switch x := v.(type) {
	case nil:
		return false
	case value.List:
		if len(x) == 0 {
			return f.Default == nil // none is not the same as left as it is
		}
	case *value.Map:
		if x.Len() == 0 {
			return f.Default == nil
		}
	}
	return f.Default == nil || !sameAsDefault(v, f.Default)
}

// sameAsDefault is value.Equal with the common cases first: it is asked for
// every argument of every creation.
func sameAsDefault(v, def value.Value) bool {
	switch x := v.(type) {
	case string:
		d, ok := def.(string)
		return ok && x == d
	case int64:
		d, ok := def.(int64)
		return ok && x == d
	case bool:
		d, ok := def.(bool)
		return ok && x == d
	}
	return value.Equal(v, def)
}
