package lang

import (
	"fmt"
	"math"
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Deferred is a value that a script may pass on but not look at: a
// [value.Ref], a [*value.Template] or a [value.Secret]. A script that works on
// the first run, when nothing exists, then works on every later one.
type Deferred struct {
	v   value.Value
	typ string
}

var (
	_ starlark.HasAttrs  = (*Deferred)(nil)
	_ starlark.HasBinary = (*Deferred)(nil)
	_ starlark.HasUnary  = (*Deferred)(nil)
)

// NewDeferred wraps a reference, a template or a secret. typ is the schema's
// name of its type, "string" where it is not known better.
func NewDeferred(v value.Value, typ string) *Deferred {
	if typ == "" {
		typ = "string"
	}
	return &Deferred{v, typ}
}

// Value returns what is inside. The caller takes on the duty not to show it.
func (d *Deferred) Value() value.Value { return d.v }

// ValueType returns the schema's name of the type it will have.
func (d *Deferred) ValueType() string { return d.typ }

// String shows what may be shown: where the value will come from, or nothing
// where it is secret.
func (d *Deferred) String() string {
	switch v := d.v.(type) {
	case value.Ref:
		return "(known after apply: " + v.String() + ")"
	case *value.Template:
		return "(known after apply: " + v.String() + ")"
	}
	return value.Hidden
}

// Type returns "deferred": what it will be is no business of the script's.
func (d *Deferred) Type() string { return "deferred" }

// Freeze does nothing: a deferred value is immutable.
func (d *Deferred) Freeze() {}

// Truth is true, and no script can see it: conditions are rewritten to ask
// [testTruth], and any, all and bool are ours.
func (d *Deferred) Truth() starlark.Bool { return true }

// Hash fails: a key has to be known.
func (d *Deferred) Hash() (uint32, error) {
	return 0, d.misuse("be a key of a dict or an element of a set")
}

// Attr fails, with a message that says what the value is.
func (d *Deferred) Attr(name string) (starlark.Value, error) {
	return nil, d.misuse("be asked for ." + name)
}

// AttrNames returns nothing.
func (d *Deferred) AttrNames() []string { return nil }

// Unary fails: there is nothing to compute with yet.
func (d *Deferred) Unary(op syntax.Token) (starlark.Value, error) {
	return nil, d.misuse("be computed with")
}

// Binary concatenates with + and refuses everything else.
func (d *Deferred) Binary(op syntax.Token, y starlark.Value, side starlark.Side) (starlark.Value, error) {
	if op != syntax.PLUS {
		if op == syntax.IN {
			return nil, d.misuse("be searched")
		}
		return nil, d.misuse("be computed with")
	}
	if !d.isText() {
		return nil, d.misuse("be computed with")
	}
	var other value.Value
	switch y := y.(type) {
	case starlark.String:
		other = string(y)
	case *Deferred:
		if !y.isText() {
			return nil, y.misuse("be computed with")
		}
		other = y.v
	default:
		return nil, nil
	}
	if side == starlark.Left {
		return joinParts([]value.Value{d.v, other}), nil
	}
	return joinParts([]value.Value{other, d.v}), nil
}

func (d *Deferred) isText() bool {
	if s, ok := d.v.(value.Secret); ok {
		_, text := s.V.(string)
		_, template := s.V.(*value.Template)
		_, ref := s.V.(value.Ref)
		return text || template || ref
	}
	return d.typ == "string"
}

// name is how messages call the value.
func (d *Deferred) name() string {
	switch v := d.v.(type) {
	case value.Ref:
		return v.String()
	case *value.Template:
		var first string
		value.Refs(v, func(r value.Ref) {
			if first == "" {
				first = r.String()
			}
		})
		if first != "" {
			return "text that holds " + first
		}
	}
	return "a sensitive value"
}

// misuse is the error for an operation that would have to know the value.
func (d *Deferred) misuse(verb string) *diag.Diagnostic {
	if value.Known(d.v) {
		return &diag.Diagnostic{
			Summary: fmt.Sprintf("a sensitive value cannot %s", verb),
			Detail:  "what is sensitive is passed on unseen, so that it cannot leak by what a script does",
		}
	}
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("%s is not known until it exists, so it cannot %s", d.name(), verb),
		Detail:  `it is an output (spec.md, "Values that are not known yet"): pass it on, join it into text, or decide by something you gave`,
	}
}

// joinParts makes a Starlark value of text in parts.
func joinParts(parts []value.Value) starlark.Value {
	return FromValue(value.Join(parts))
}

// FromValue returns the Starlark value for one of ours. Lists and maps are new
// and mutable.
func FromValue(v value.Value) starlark.Value {
	switch v := v.(type) {
	case nil:
		return starlark.None
	case bool:
		return starlark.Bool(v)
	case int:
		return starlark.MakeInt(v)
	case int64:
		return starlark.MakeInt64(v)
	case uint64:
		return starlark.MakeUint64(v)
	case float64:
		return starlark.Float(v)
	case string:
		return starlark.String(v)
	case value.List:
		elems := make([]starlark.Value, len(v))
		for i, e := range v {
			elems[i] = FromValue(e)
		}
		return starlark.NewList(elems)
	case value.Struct:
		elems := make(starlark.Tuple, len(v))
		for i, e := range v {
			elems[i] = FromValue(e)
		}
		return elems
	case *value.Map:
		d := starlark.NewDict(v.Len())
		if v == nil { // a map that was not given
			return d
		}
		for _, e := range v.Entries {
			_ = d.SetKey(starlark.String(e.Key), FromValue(e.Value))
		}
		return d
	case value.Ref:
		return NewDeferred(v, v.Type)
	case *value.Template:
		return NewDeferred(v, "string")
	case value.Secret:
		return NewDeferred(v, TypeName(v.V))
	}
	panic(fmt.Sprintf("lang.FromValue: unexpected %T", v))
}

// TypeName is the schema's name of a plain value's type.
func TypeName(v value.Value) string {
	switch v.(type) {
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case value.List:
		return "list"
	case *value.Map:
		return "map"
	}
	return "string"
}

// Valuer is a Starlark value that knows what it is as one of ours.
type Valuer interface {
	ToValue() (value.Value, error)
}

// maxConvert bounds the nesting of what ToValue takes.
const maxConvert = 200

// ToValue returns our value for a Starlark one: None, bools, numbers, strings,
// lists, tuples, sets, dicts with string keys, structs (as maps), deferred
// values, and each [Valuer].
func ToValue(v starlark.Value) (value.Value, error) {
	return toValue(v, maxConvert)
}

func toValue(v starlark.Value, depth int) (value.Value, error) {
	if depth == 0 {
		return nil, fmt.Errorf("the value is nested more than %d levels deep", maxConvert)
	}
	switch v := v.(type) {
	case nil, starlark.NoneType:
		return nil, nil
	case *Deferred:
		return v.v, nil
	case Valuer:
		return v.ToValue()
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		i, ok := v.Int64()
		if !ok {
			return nil, fmt.Errorf("the integer %s does not fit in 64 bits", clip(v.String()))
		}
		return i, nil
	case starlark.Float:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, fmt.Errorf("%s is not a finite number", v)
	case starlark.String:
		return string(v), nil
	case *starlark.Dict:
		return toMap(v, depth)
	case *starlarkstruct.Struct:
		var entries []value.Entry
		for _, k := range v.AttrNames() {
			f, err := v.Attr(k)
			if err != nil {
				return nil, err
			}
			e, err := toValue(f, depth-1)
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", k, err)
			}
			entries = append(entries, value.Entry{Key: k, Value: e})
		}
		return value.NewMap(entries), nil
	case *starlark.List:
		return toList(v, depth)
	case starlark.Tuple:
		return toList(v, depth)
	case *starlark.Set:
		return toList(starlark.Tuple(slices.Collect(v.Elements())), depth)
	}
	return nil, fmt.Errorf("a %s cannot be part of a declaration", v.Type())
}

// toMap is no part of toValue: variables of a loop over a function live on the
// heap, and would for every value that is no dict too.
func toMap(v *starlark.Dict, depth int) (value.Value, error) {
	entries := make([]value.Entry, 0, v.Len())
	for key, elem := range v.Entries() {
		k, ok := starlark.AsString(key)
		if !ok {
			return nil, fmt.Errorf("a key is %s, want string", key.Type())
		}
		e, err := toValue(elem, depth-1)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", clip(k), err)
		}
		entries = append(entries, value.Entry{Key: k, Value: e})
	}
	return value.NewMap(entries), nil
}

func toList(seq starlark.Indexable, depth int) (value.Value, error) {
	list := make(value.List, seq.Len())
	for i := range list {
		e, err := toValue(seq.Index(i), depth-1)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		list[i] = e
	}
	return list, nil
}

// clip shortens text for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:18]) + "..." + string(r[len(r)-18:])
	}
	return s
}
