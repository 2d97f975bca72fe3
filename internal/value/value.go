// Package value holds what a script's arguments become once Starlark is left
// behind: plain data, and values that are not known until a step has run.
//
// A [Value] is one of
//
//	nil                          not given
//	bool, int64, float64, string plain
//	List                         ordered, or a set where its schema says so
//	*Map                         string keys, sorted
//	Struct                       fields in the order of their schema
//	Ref                          an output of a resource
//	*Template                    text with references in it
//	Secret                       a value that is never shown
//	Record                       a struct that a script made, not checked yet
//
// Durations are int64 nanoseconds, sizes int64 bytes, CPUs int64 billionths;
// the schema knows which is which. Values are immutable once built: they are
// shared between declarations, plans and goroutines.
package value

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Value is any of the types in the package comment.
type Value = any

// List is an ordered list, or a set where the schema says so.
type List []Value

// Struct holds the fields of a schema's struct, by field index. A nil field
// was not given.
type Struct []Value

// Record is a struct as a script made it, by the builtin of its type: port(80,
// published = 8080). Its fields are in normal form, nil where not given.
type Record struct {
	Type   string
	Fields Struct
}

// Entry is one key of a [Map].
type Entry struct {
	Key   string
	Value Value
}

// Map is a map from strings, its entries sorted by key. Make one with
// [NewMap], which sorts.
type Map struct {
	Entries []Entry
}

// NewMap returns a map of the entries. The slice is sorted in place and kept;
// of equal keys the last wins.
func NewMap(entries []Entry) *Map {
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	out := entries[:0]
	for i, e := range entries {
		if i+1 < len(entries) && entries[i+1].Key == e.Key {
			continue
		}
		out = append(out, e)
	}
	return &Map{Entries: out}
}

// MapOf returns a map of plain strings.
func MapOf(m map[string]string) *Map {
	entries := make([]Entry, 0, len(m))
	for k, v := range m {
		entries = append(entries, Entry{k, v})
	}
	return NewMap(entries)
}

// Get returns the value of a key.
func (m *Map) Get(key string) (Value, bool) {
	if m == nil {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(m.Entries, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
	if !ok {
		return nil, false
	}
	return m.Entries[i].Value, true
}

// all returns the entries; a nil map has none.
func (m *Map) all() []Entry {
	if m == nil {
		return nil
	}
	return m.Entries
}

// Len returns the number of entries; a nil map has none.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.Entries)
}

// Ref names one output of a resource: a value that exists only after the
// resource does. Two references to one output are equal.
type Ref struct {
	Address   Address
	Output    string
	Type      string // the schema's name of the output's type: "string", "int", ...
	Sensitive bool
}

// String names the reference, as in vm.mgr-0.private_ip.
func (r Ref) String() string { return r.Address.Short() + "." + r.Output }

// Template is text with references in it. Its parts are string, [Ref] and
// [Secret].
type Template struct {
	Parts []Value
}

// String shows the template with its references in braces and its secrets
// hidden.
func (t *Template) String() string {
	var b strings.Builder
	for _, p := range t.Parts {
		switch p := p.(type) {
		case string:
			b.WriteString(p)
		case Ref:
			b.WriteString("${" + p.String() + "}")
		default:
			b.WriteString(Hidden)
		}
	}
	return b.String()
}

// Secret wraps a value that must never reach a log, a plan or an error.
type Secret struct {
	V Value
}

// Hidden is what is shown in place of a secret.
const Hidden = "(sensitive value)"

// String hides the secret.
func (Secret) String() string { return Hidden }

// Format hides the secret from every verb: a stray %v, %#v or %d cannot leak
// it.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, Hidden) }

// MarshalJSON hides the secret from a value that is encoded as it is.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(Hidden)), nil }

// Reveal returns the value under a [Secret], however often it is wrapped;
// other values are returned as they are. The caller takes on the duty not to
// show it.
func Reveal(v Value) Value {
	for {
		s, ok := v.(Secret)
		if !ok {
			return v
		}
		v = s.V
	}
}

// Text returns the text of a value, as a template shows it: a scalar plain, a
// list or map as the script would write it.
func Text(v Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case List, Struct, *Map, Record:
		var b strings.Builder
		writeLiteral(&b, v)
		return b.String()
	}
	return fmt.Sprint(v)
}

// writeLiteral writes a value inside another one as the script would. What
// knows the names of a struct's fields is its schema, so they go without.
func writeLiteral(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case string:
		b.WriteString(strconv.Quote(v))
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case List:
		writeAll(b, "[", v, "]")
	case Struct:
		writeAll(b, "(", v, ")")
	case Record:
		writeAll(b, v.Type+"(", v.Fields, ")")
	case *Map:
		b.WriteByte('{')
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(strconv.Quote(v.Entries[i].Key) + ": ")
			writeLiteral(b, v.Entries[i].Value)
		}
		b.WriteByte('}')
	default:
		b.WriteString(Text(v))
	}
}

func writeAll(b *strings.Builder, open string, all []Value, end string) {
	b.WriteString(open)
	for i, e := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		writeLiteral(b, e)
	}
	b.WriteString(end)
}
