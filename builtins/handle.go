package builtins

import (
	"fmt"
	"sort"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// Handle is what a kind's builtin returns. The arguments that were given read
// back as plain values, the outputs as deferred ones. Handles are true,
// hashable, and equal where they name the same resource.
type Handle struct {
	decl *resource.Declaration
	part *stackPart // of what a stack declares, nil otherwise
}

var (
	_ starlark.HasAttrs   = (*Handle)(nil)
	_ starlark.Comparable = (*Handle)(nil)
	_ lang.Valuer         = (*Handle)(nil)
)

// String names the resource.
func (h *Handle) String() string { return "<" + string(h.decl.Address) + ">" }

// Type returns the kind's name.
func (h *Handle) Type() string { return h.decl.Kind.Name }

// Freeze does nothing: a handle is immutable.
func (h *Handle) Freeze() {}

// Truth is true: a resource that was declared is there.
func (h *Handle) Truth() starlark.Bool { return starlark.True }

// Hash is that of the address.
func (h *Handle) Hash() (uint32, error) { return starlark.String(h.decl.Address).Hash() }

// CompareSameType compares the addresses; there is no order.
func (h *Handle) CompareSameType(op syntax.Token, y starlark.Value, depth int) (bool, error) {
	same := h.decl.Address == y.(*Handle).decl.Address
	switch op {
	case syntax.EQL:
		return same, nil
	case syntax.NEQ:
		return !same, nil
	}
	return false, fmt.Errorf("%s %s %s: there is no order of resources", h.Type(), op, y.Type())
}

// ToValue returns a reference to the resource as a whole; the argument that it
// is given to decides which output is meant.
func (h *Handle) ToValue() (value.Value, error) { return value.Ref{Address: h.decl.Address}, nil }

// Attr returns an argument or an output. An argument that was not given has
// its default, None where that is the engine's to choose. A secret that the
// script does not give, because it is generated or exists already, is an error:
// nobody can read it back, and None would say "unset" to what it is passed to.
// Of what is only read, an argument is what it is live: a deferred value.
func (h *Handle) Attr(name string) (starlark.Value, error) {
	k := h.decl.Kind
	output, isOutput := k.Output(name)
	if f, ok := k.Schema.Field(name); ok {
		v := h.decl.Args[f.Index]
		switch {
		case v != nil:
		case isOutput && f.Default == nil: // what the script does not give, what is live may tell
			return h.deferred(output), nil
		case h.decl.External && !f.WriteOnly:
			return h.deferred(resource.Output{Name: name, Type: f.Type.GivenName(), Sensitive: f.Secret}), nil
		default:
			v = f.Default
		}
		if v == nil && f.Secret && f.WriteOnly {
			return nil, &diag.Diagnostic{
				Summary: fmt.Sprintf("%s: %s cannot be read: the script does not give it", h.decl.Address.Short(), name),
				Detail:  "what is generated or exists already is known to the swarm only, which does not tell it",
				Hint:    "pass the resource itself: a service reads it from a file",
			}
		}
		return plain(f.Type, v), nil
	}
	if isOutput {
		return h.deferred(output), nil
	}
	if name == "address" {
		return starlark.String(h.decl.Address), nil
	}
	if h.part != nil && (name == "override" || name == "extend") {
		return starlark.NewBuiltin(name, h.change).BindReceiver(h), nil
	}
	return nil, nil
}

func (h *Handle) deferred(o resource.Output) *lang.Deferred {
	return lang.NewDeferred(value.Ref{Address: h.decl.Address, Output: o.Name, Type: o.Type, Sensitive: o.Sensitive}, o.Type)
}

// AttrNames returns the names of arguments and outputs.
func (h *Handle) AttrNames() []string {
	names := append(h.decl.Kind.Schema.FieldNames(), "address")
	if h.part != nil {
		names = append(names, "override", "extend")
	}
	for _, o := range h.decl.Kind.Out {
		if _, arg := h.decl.Kind.Schema.Field(o.Name); !arg {
			names = append(names, o.Name)
		}
	}
	sort.Strings(names)
	return names
}

// Plain returns a value of a type, as of a live object, as a script reads it.
func Plain(t *schema.Type, v value.Value) starlark.Value { return plain(t, v) }

// Describes returns the kind that a value is a handle of, or the struct that it
// is, by the name of its builtin; "" for any other value.
func Describes(v starlark.Value) string {
	switch v := v.(type) {
	case *Handle:
		return v.decl.Kind.Name
	case *record:
		return v.schema.Name
	case *EngineHandle:
		return "engine"
	case *lifecycleValue:
		return "lifecycle"
	}
	return ""
}

// plain returns a checked argument as a script reads it: structs as records,
// durations and CPUs in the form in which they may be given again, lists and
// dicts frozen.
func plain(t *schema.Type, v value.Value) starlark.Value {
	switch x := v.(type) {
	case int64:
		switch t.Kind {
		case schema.Duration:
			return starlark.String(t.Format(x))
		case schema.CPUs:
			return starlark.Float(float64(x) / 1e9)
		}
	case value.Struct:
		if t.Struct != nil {
			return &record{schema: t.Struct, fields: x}
		}
	case value.List:
		elems := make([]starlark.Value, len(x))
		for i, e := range x {
			if t.Elem == nil { // any value
				elems[i] = lang.FromValue(e)
				continue
			}
			elems[i] = plain(t.Elem, e)
		}
		list := starlark.NewList(elems)
		list.Freeze()
		return list
	}
	out := lang.FromValue(v)
	out.Freeze()
	return out
}

// record is a struct that a script made with its builtin, such as port().
type record struct {
	schema *schema.Struct
	fields value.Struct
	broken bool // a problem with it has been reported
}

var (
	_ starlark.HasAttrs   = (*record)(nil)
	_ starlark.Comparable = (*record)(nil)
	_ lang.Valuer         = (*record)(nil)
)

func (r *record) String() string {
	return (&schema.Type{Kind: schema.StructOf, Struct: r.schema}).Format(r.fields)
}
func (r *record) Type() string          { return r.schema.Name }
func (r *record) Freeze()               {}
func (r *record) Truth() starlark.Bool  { return starlark.True }
func (r *record) Hash() (uint32, error) { return starlark.String(r.String()).Hash() }

func (r *record) CompareSameType(op syntax.Token, y starlark.Value, depth int) (bool, error) {
	o := y.(*record)
	same := r.schema == o.schema && value.Equal(r.fields, o.fields)
	switch op {
	case syntax.EQL:
		return same, nil
	case syntax.NEQ:
		return !same, nil
	}
	return false, fmt.Errorf("%s %s %s: there is no order of them", r.Type(), op, y.Type())
}

// errReported says that a value cannot be used because of a problem that has
// been reported already.
var errReported = fmt.Errorf("reported already")

func (r *record) ToValue() (value.Value, error) {
	if r.broken {
		return nil, errReported
	}
	return value.Record{Type: r.schema.Name, Fields: r.fields}, nil
}

func (r *record) Attr(name string) (starlark.Value, error) {
	if f, ok := r.schema.Field(name); ok {
		v := r.fields[f.Index]
		if v == nil {
			v = f.Default
		}
		return plain(f.Type, v), nil
	}
	return nil, nil
}

func (r *record) AttrNames() []string {
	names := r.schema.FieldNames()
	sort.Strings(names)
	return names
}
