package ui

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// appendJSONString appends text as a JSON string. Bytes that are not UTF-8
// become U+FFFD; control characters are escaped, and DEL and C1 too, so that
// printing the JSON does nothing to a terminal.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
			if r >= 0xa0 && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || n > 1) {
				i += n
				continue
			}
		}
		b = append(b, s[from:i]...)
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, `\n`...)
		case '\t':
			b = append(b, `\t`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
		i += n
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// appendJSONValue appends a value. What is secret, unknown or write-only is
// null: its place is in after_sensitive and after_unknown. Durations and modes
// are strings as in a script ("10s", "0440"), sizes are bytes, CPUs numbers.
func appendJSONValue(b []byte, t *schema.Type, v value.Value) []byte {
	if t == nil {
		t = anyType
	}
	switch x := v.(type) {
	case bool:
		return strconv.AppendBool(b, x)
	case string:
		return appendJSONString(b, x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return appendJSONString(b, value.Text(x))
		}
		return strconv.AppendFloat(b, x, 'g', -1, 64)
	case int64:
		switch t.Kind {
		case schema.Duration, schema.Mode:
			return appendJSONString(b, t.Format(x))
		case schema.CPUs:
			return append(b, t.Format(x)...)
		}
		return strconv.AppendInt(b, x, 10)
	case value.List:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONValue(b, t.Elem, e)
		}
		return append(b, ']')
	case *value.Map:
		b = append(b, '{')
		for i := range x.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, x.Entries[i].Key), ':')
			b = appendJSONValue(b, t.Elem, x.Entries[i].Value)
		}
		return append(b, '}')
	case value.Struct:
		if t.Struct != nil {
			return appendJSONFields(b, t.Struct, x)
		}
	}
	return append(b, "null"...)
}

func appendJSONFields(b []byte, s *schema.Struct, x value.Struct) []byte {
	b = append(b, '{')
	for i, f := range s.Fields() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSONString(b, f.Name), ':')
		if i >= len(x) || f.Secret || f.WriteOnly {
			b = append(b, "null"...)
		} else {
			b = appendJSONValue(b, f.Type, x[i])
		}
	}
	return append(b, '}')
}

// A leaf test asks a value without parts whether it has a property.
type leafTest func(f *schema.Field, v value.Value) bool

func isUnknown(_ *schema.Field, v value.Value) bool {
	switch v := v.(type) {
	case value.Ref:
		return true
	case *value.Template, value.Secret:
		return !value.Known(v)
	}
	return false
}

func isSecret(f *schema.Field, v value.Value) bool {
	if v == nil {
		return false
	}
	if f != nil && f.Secret {
		return true
	}
	switch v := v.(type) {
	case value.Secret:
		return true
	case value.Ref, *value.Template:
		return value.Sensitive(v)
	}
	return false
}

// any reports whether the test holds anywhere in a value.
func (has leafTest) any(t *schema.Type, v value.Value) bool {
	if t == nil {
		t = anyType
	}
	switch x := v.(type) {
	case value.List:
		for _, e := range x {
			if has.any(t.Elem, e) {
				return true
			}
		}
		return false
	case *value.Map:
		for i := range x.Len() {
			if has.any(t.Elem, x.Entries[i].Value) {
				return true
			}
		}
		return false
	case value.Struct:
		return t.Struct != nil && has.anyField(t.Struct, x)
	}
	return has(nil, v)
}

func (has leafTest) anyField(s *schema.Struct, x value.Struct) bool {
	for i, f := range s.Fields() {
		if i < len(x) && (has(f, x[i]) || has.any(f.Type, x[i])) {
			return true
		}
	}
	return false
}

// append writes where the test holds, after Terraform's manner: true for a
// whole value, else an object with the keys, or a list with the elements, in
// which it holds.
func (has leafTest) append(b []byte, t *schema.Type, v value.Value) []byte {
	if t == nil {
		t = anyType
	}
	if !has.any(t, v) {
		return append(b, "false"...)
	}
	switch x := v.(type) {
	case value.List:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = has.append(b, t.Elem, e)
		}
		return append(b, ']')
	case *value.Map:
		b = append(b, '{')
		first := true
		for _, e := range x.Entries {
			if has.any(t.Elem, e.Value) {
				b = appendKey(b, &first, e.Key)
				b = has.append(b, t.Elem, e.Value)
			}
		}
		return append(b, '}')
	case value.Struct:
		return has.appendFields(b, t.Struct, x)
	}
	return append(b, "true"...)
}

func (has leafTest) appendFields(b []byte, s *schema.Struct, x value.Struct) []byte {
	b = append(b, '{')
	first := true
	for i, f := range s.Fields() {
		if i >= len(x) {
			break
		}
		if has(f, x[i]) {
			b = append(appendKey(b, &first, f.Name), "true"...)
		} else if has.any(f.Type, x[i]) {
			b = appendKey(b, &first, f.Name)
			b = has.append(b, f.Type, x[i])
		}
	}
	return append(b, '}')
}

// appendKey appends a key, and a comma unless it is the first.
func appendKey(b []byte, first *bool, key string) []byte {
	if !*first {
		b = append(b, ',')
	}
	*first = false
	return append(appendJSONString(b, key), ':')
}
