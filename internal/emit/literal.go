package emit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// errBinary is about text that no script can hold.
var errBinary = errors.New("it is not UTF-8 text")

// writer makes expressions of values.
type writer struct {
	// ref returns the name of the variable that holds the resource of a kind and
	// a live name, "" where there is none.
	ref func(kind, name string) string
	// words are written as expressions.
	words map[string]string
}

// expr writes a value in normal form as a script gives it.
func (w *writer) expr(t *schema.Type, v value.Value) (node, error) {
	v = value.Reveal(v)
	switch x := v.(type) {
	case nil:
		return leaf("None"), nil
	case bool:
		if x {
			return leaf("True"), nil
		}
		return leaf("False"), nil
	case int64:
		return leaf(number(t, x)), nil
	case float64:
		return leaf(float(x)), nil
	case string:
		if t.RefKind != "" {
			if name := w.ref(t.RefKind, x); name != "" {
				return leaf(name), nil
			}
		}
		return w.text(x)
	case value.List:
		return w.list(t, x)
	case *value.Map:
		return w.dict(t, x)
	case value.Struct:
		if t.Struct != nil {
			return w.record(t, x)
		}
	}
	return node{}, fmt.Errorf("a %T cannot be written", v)
}

func (w *writer) list(t *schema.Type, l value.List) (node, error) {
	n := node{open: "[", close: "]"}
	for _, e := range l {
		item, err := w.expr(elem(t), e)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	return n, nil
}

func (w *writer) dict(t *schema.Type, m *value.Map) (node, error) {
	n := node{open: "{", close: "}"}
	if m == nil {
		return n, nil
	}
	for _, e := range m.Entries {
		item, err := w.expr(elem(t), e.Value)
		if err != nil {
			return n, err
		}
		key, err := w.text(e.Key)
		if err != nil {
			return n, err
		}
		item.label = key.open + ": "
		n.items = append(n.items, item)
	}
	return n, nil
}

var anyType = &schema.Type{Kind: schema.Any}

func elem(t *schema.Type) *schema.Type {
	if t.Elem != nil {
		return t.Elem
	}
	return anyType
}

// record writes a struct as a call of its builtin or, where the plain value of
// one field says it all, as that.
func (w *writer) record(t *schema.Type, x value.Struct) (node, error) {
	if f := t.Struct.ShortField(); f != nil {
		if short, ok, err := w.short(t, f, x); ok || err != nil {
			return short, err
		}
	}
	n := node{open: t.Struct.Name + "(", close: ")"}
	items, err := w.arguments(t.Struct, x)
	n.items = items
	return n, err
}

// short writes a struct as the value of its short field, if a script that says
// so gets just this struct.
func (w *writer) short(t *schema.Type, f *schema.Field, x value.Struct) (node, bool, error) {
	v := x[f.Index]
	name, _ := v.(string)
	given := v
	if f.Type.RefKind != "" && w.ref(f.Type.RefKind, name) != "" {
		given = value.Ref{Address: value.NewAddress("", f.Type.RefKind, name)}
	}
	got, err := t.Check(given)
	if err != nil {
		return node{}, false, nil
	}
	if s, ok := got.(value.Struct); ok {
		s = append(value.Struct(nil), s...)
		s[f.Index] = v // the reference stands for it
		got = s
	}
	if !t.Same(got, x) || !t.Same(x, got) {
		return node{}, false, nil
	}
	n, err := w.expr(f.Type, v)
	return n, true, err
}

// arguments writes the fields of a struct that are not what silence means:
// those that may be given by position first, as long as none is left out.
func (w *writer) arguments(s *schema.Struct, x value.Struct) ([]node, error) {
	var first, named []node
	positional := true
	for _, f := range s.Fields() {
		if silent(s, f, x) {
			positional = positional && !f.Pos
			continue
		}
		item, err := w.expr(f.Type, x[f.Index])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if f.Pos && positional {
			first = append(first, item)
			continue
		}
		item.label = f.Name + " = "
		named = append(named, item)
	}
	return append(first, named...), nil
}

// silent reports whether leaving a field out says the same.
func silent(s *schema.Struct, f *schema.Field, x value.Struct) bool {
	v := x[f.Index]
	switch {
	case f.Required:
		return false
	case v == nil:
		return true
	case f.From != "": // it follows another field
		from, _ := s.Field(f.From)
		return v == x[from.Index]
	}
	return f.Default != nil && f.Type.Same(v, f.Default) && f.Type.Same(f.Default, v)
}

// number writes the types that have a unit with it.
func number(t *schema.Type, n int64) string {
	switch t.Kind {
	case schema.Duration:
		s := time.Duration(n).String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return strconv.Quote(s)
	case schema.Bytes:
		return size(n)
	case schema.CPUs:
		return strconv.FormatFloat(float64(n)/1e9, 'f', -1, 64)
	case schema.Mode:
		return fmt.Sprintf("0o%03o", n)
	}
	return strconv.FormatInt(n, 10)
}

// size writes a number of bytes in the largest unit that it is a whole number
// of.
func size(n int64) string {
	unit := int64(1)
	suffix := ""
	for _, s := range []string{"k", "m", "g", "t"} {
		if n == 0 || n%(unit*1024) != 0 {
			break
		}
		unit, suffix = unit*1024, s
	}
	if suffix == "" {
		return strconv.FormatInt(n, 10)
	}
	s := strconv.FormatInt(n/unit, 10) + suffix
	if back, err := units.RAMInBytes(s); err != nil || back != n { // it goes through a float
		return strconv.FormatInt(n, 10)
	}
	return strconv.Quote(s)
}

func float(x float64) string {
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") && !math.IsInf(x, 0) && !math.IsNaN(x) {
		s += ".0"
	}
	return s
}

// text writes a string, with expressions in place of words.
func (w *writer) text(s string) (node, error) {
	var found []string
	for i := 0; i < len(s); i++ {
		for word, e := range w.words {
			if strings.HasPrefix(s[i:], word) {
				found = append(found, e)
			}
		}
	}
	switch {
	case found == nil:
		return text(s)
	case len(found) == 1 && w.words[s] != "":
		return leaf(w.words[s]), nil
	}
	s = strings.ReplaceAll(s, "%", "%%")
	for word := range w.words {
		s = strings.ReplaceAll(s, word, "%s")
	}
	n, err := text(s)
	values := found[0]
	if len(found) > 1 {
		values = "(" + strings.Join(found, ", ") + ")"
	}
	n.open += " % " + values
	return n, err
}

// text writes a string, one of several lines as such.
func text(s string) (node, error) {
	if !utf8.ValidString(s) {
		return node{}, errBinary
	}
	if strings.Count(s, "\n") > 1 && !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) && r != '\t' }) {
		return node{open: `"""` + escapeLines(s) + `"""`, lines: true}, nil
	}
	return leaf(quote(s)), nil
}

// quotes are those in a text that would end it.
var quotes = pattern.Of(`"""+|"+$`)

// escapeLines is what stands between two times three quotes.
func escapeLines(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	return quotes().ReplaceAllStringFunc(s, func(q string) string { return strings.Repeat(`\"`, len(q)) })
}

// quote writes a string with the escapes that Starlark and Go share.
func quote(s string) string { return strconv.Quote(s) }
