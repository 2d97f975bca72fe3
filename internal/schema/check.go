package schema

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Check brings a script's value to the field's normal form, or returns
// [Problems]. References and templates pass: they are checked again when they
// are known.
func (f *Field) Check(v value.Value) (value.Value, error) {
	out, err := f.Type.Check(v)
	if err != nil {
		if f.Secret {
			err = hideValue(err, v)
		}
		return nil, within(f.Name, err)
	}
	if f.Secret && out != nil {
		out = value.Secret{V: value.Reveal(out)}
	}
	return out, nil
}

// CheckAll checks every field that is given and that the required ones are.
// The result has the struct's fields in order, nil where not given.
func (s *Struct) CheckAll(args value.Struct) (value.Struct, Problems) {
	out := make(value.Struct, len(s.Fields()))
	var all Problems
	for i, f := range s.Fields() {
		if args[i] == nil {
			if f.Required {
				all = append(all, &Problem{Msg: "missing argument " + f.Name})
			}
			continue
		}
		v, err := f.Check(args[i])
		if err != nil {
			all = append(all, err.(Problems)...)
			continue
		}
		out[i] = v
	}
	return out, all
}

// Check brings a value to the type's normal form.
func (t *Type) Check(v value.Value) (value.Value, error) {
	if v == nil && t.Null {
		return nil, nil
	}
	switch x := v.(type) {
	case value.Secret:
		out, err := t.Check(x.V)
		if err != nil {
			return nil, hideValue(err, x.V)
		}
		return value.Secret{V: value.Reveal(out)}, nil
	case value.Ref:
		return t.checkRef(x)
	case *value.Template:
		if value.Known(x) {
			return t.Check(value.Join(x.Parts))
		}
		switch t.Kind {
		case ListOf, MapOf, Bool, Int, Float:
			return nil, wrong("got text, want %s", t.Name())
		case StructOf:
			return t.checkStruct(v)
		}
		return x, nil
	}
	switch t.Kind {
	case Bool:
		if _, ok := v.(bool); ok {
			return v, nil
		}
	case Int:
		if n, ok := v.(int64); ok {
			return v, t.inRange(n)
		}
	case Float:
		switch n := v.(type) {
		case float64:
			if math.IsNaN(n) || math.IsInf(n, 0) {
				return nil, wrong("got %v, want a finite number", n)
			}
			return v, nil
		case int64:
			return float64(n), nil
		}
	case String:
		if s, ok := v.(string); ok {
			n, err := t.checkString(s)
			switch {
			case err != nil:
				return nil, err
			case n == s:
				return v, nil // as it is: to wrap text again allocates
			}
			return n, nil
		}
	case Duration, Bytes, CPUs, Mode:
		n, err := t.number(v)
		if err != nil {
			return nil, err
		}
		return n, t.inRange(n)
	case ListOf:
		if l, ok := v.(value.List); ok {
			return t.checkList(l)
		}
		if s, ok := v.(string); ok && t.parse != nil {
			l, err := t.parse(s)
			if err != nil {
				return nil, wrong("%v", err)
			}
			return t.checkList(l.(value.List))
		}
	case MapOf:
		if m, ok := v.(*value.Map); ok {
			return t.checkMap(m)
		}
	case StructOf:
		return t.checkStruct(v)
	case Any:
		return v, nil
	}
	return nil, wrong("got %s, want %s", describe(v), t.want())
}

func (t *Type) want() string {
	switch t.Kind {
	case Duration:
		return `a duration such as "10s", or a number of seconds`
	case Bytes:
		return `a size such as "512m", or a number of bytes`
	case CPUs:
		return `a number of CPUs such as 0.5`
	case Mode:
		return `permission bits such as 0o440 or "0440"`
	case StructOf:
		return t.Struct.Name + "(...) or a dict"
	}
	return t.Name()
}

func (t *Type) checkRef(r value.Ref) (value.Value, error) {
	switch {
	case r.Output == "" && t.Kind == StructOf:
		return t.checkStruct(r)
	case r.Output == "" && t.RefKind == "":
		return nil, wrong("got %s, want %s", r.Address.Short(), t.want())
	case r.Output == "" && r.Address.Kind() != t.RefKind && !slices.Contains(t.RefAlso, r.Address.Kind()):
		return nil, wrong("got %s, want %s", r.Address.Short(), t.Name())
	case r.Output == "":
		r.Output, r.Type = t.RefOutput, "string"
		return r, nil
	case t.Kind == StructOf && r.Type == t.Struct.Name:
		return r, nil
	case t.Kind == StructOf:
		return t.checkStruct(r)
	case r.Type != "" && !t.accepts(r.Type):
		return nil, wrong("got %s (%s), want %s", r, r.Type, t.want())
	}
	return r, nil
}

// accepts reports whether an output of that type may stand here.
func (t *Type) accepts(output string) bool {
	switch t.Kind {
	case String, Any:
		return output == "string" || output == "int" || t.Kind == Any
	case Int:
		return output == "int"
	case Float, CPUs:
		return output == "int" || output == "float"
	case Duration, Bytes, Mode:
		return output == "int" || output == "string"
	}
	return output == t.Name() || t.Kind == ListOf && sameList(output, t.Name())
}

func (t *Type) checkString(s string) (string, error) {
	if len(t.Enum) > 0 && !slices.Contains(t.Enum, s) {
		words := slices.DeleteFunc(slices.Clone(t.Enum), func(s string) bool { return s == "" }) // that is leaving it out
		return "", Problems{{
			Msg:  fmt.Sprintf("got %q, want one of %s", s, strings.Join(words, ", ")),
			Hint: diag.DidYouMean(s, t.Enum),
		}}
	}
	if !t.Binary && strings.IndexByte(s, 0) >= 0 {
		return "", wrong("text with a NUL byte")
	}
	if t.normal != nil {
		n, err := t.normal(s)
		if err != nil {
			return "", wrong("%v", err)
		}
		return n, nil
	}
	return s, nil
}

// isNormal reports that a value is in the type's normal form for certain: the
// plain text that most lists and maps are made of. They need no copy then.
func (t *Type) isNormal(v value.Value) bool {
	s, ok := v.(string)
	return ok && t.Kind == String && t.normal == nil && len(t.Enum) == 0 && strings.IndexByte(s, 0) < 0
}

func (t *Type) inRange(n int64) error {
	if t.Kind == Mode && (n < 0 || n > 0o7777) {
		return wrong("got %d, want permission bits from 0 to 0o7777", n)
	}
	if t.Min != nil && n < *t.Min || t.Max != nil && n > *t.Max {
		switch {
		case t.Min != nil && t.Max != nil:
			return wrong("got %s, want %s to %s", t.Format(n), t.Format(*t.Min), t.Format(*t.Max))
		case t.Min != nil:
			return wrong("got %s, want at least %s", t.Format(n), t.Format(*t.Min))
		}
		return wrong("got %s, want at most %s", t.Format(n), t.Format(*t.Max))
	}
	if t.goType == nil {
		return nil
	}
	switch zero := reflect.Zero(t.goType); {
	case zero.CanUint() && n < 0:
		return wrong("got %s, want at least 0", t.Format(n))
	case zero.CanUint() && zero.OverflowUint(uint64(n)), zero.CanInt() && zero.OverflowInt(n):
		return wrong("%s is out of range", t.Format(n))
	}
	return nil
}

// number reads the types that have a unit.
func (t *Type) number(v value.Value) (int64, error) {
	switch v := v.(type) {
	case int64:
		switch t.Kind {
		case Duration:
			if v > math.MaxInt64/int64(time.Second) || v < math.MinInt64/int64(time.Second) {
				return 0, wrong("%d seconds is out of range", v)
			}
			return v * int64(time.Second), nil
		case CPUs:
			if v > math.MaxInt64/1_000_000_000 || v < 0 {
				return 0, wrong("%d CPUs is out of range", v)
			}
			return v * 1_000_000_000, nil
		}
		return v, nil
	case float64:
		switch t.Kind {
		case Duration, CPUs:
			if n := math.Round(v * 1e9); n >= math.MinInt64 && n < math.MaxInt64 && (t.Kind == Duration || n >= 0) {
				return int64(n), nil
			}
			return 0, wrong("%v is out of range", v)
		}
	case string:
		return t.parseNumber(v)
	}
	return 0, wrong("got %s, want %s", describe(v), t.want())
}

func (t *Type) parseNumber(s string) (int64, error) {
	switch t.Kind {
	case Duration:
		if d, err := time.ParseDuration(s); err == nil {
			return int64(d), nil
		}
	case Bytes:
		if n, err := units.RAMInBytes(s); err == nil && n >= 0 && n < math.MaxInt64 { // what does not fit is negative, or the largest
			return n, nil
		}
	case CPUs:
		if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 1e9 {
			return int64(math.Round(f * 1e9)), nil
		}
	case Mode:
		if n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32); err == nil {
			return int64(n), nil
		}
	}
	return 0, wrong("got %q, want %s", s, t.want())
}

func (t *Type) checkList(l value.List) (value.Value, error) {
	if !t.Set && !slices.ContainsFunc(l, func(e value.Value) bool { return !t.Elem.isNormal(e) }) {
		return l, nil
	}
	out := make(value.List, 0, len(l))
	var all Problems
	for i, e := range l {
		v, err := t.Elem.Check(e)
		if err != nil {
			all = append(all, within(fmt.Sprintf("[%d]", i), err)...)
			continue
		}
		out = append(out, v)
	}
	if all != nil {
		return nil, all
	}
	if t.Set {
		out = sortSet(out)
	}
	return out, nil
}

func (t *Type) checkMap(m *value.Map) (value.Value, error) {
	if m.Len() == 0 {
		return (*value.Map)(nil), nil
	}
	for _, e := range m.Entries { // no API keeps these
		switch {
		case e.Key == "":
			return nil, wrong("a key is empty")
		case strings.IndexByte(e.Key, 0) >= 0:
			return nil, wrong("a key has a NUL byte: %q", e.Key)
		}
	}
	if !slices.ContainsFunc(m.Entries, func(e value.Entry) bool { return !t.Elem.isNormal(e.Value) }) {
		return m, nil
	}
	out := make([]value.Entry, 0, m.Len())
	var all Problems
	for _, e := range m.Entries {
		v, err := t.Elem.Check(e.Value)
		if err != nil {
			all = append(all, within(fmt.Sprintf("[%q]", e.Key), err)...)
			continue
		}
		out = append(out, value.Entry{Key: e.Key, Value: v})
	}
	if all != nil {
		return nil, all
	}
	return &value.Map{Entries: out}, nil
}
