package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// object is one live object. Its arguments and outputs are what they are now.
type object struct {
	scope string
	kind  *resource.Kind
	live  *resource.Object
	args  value.Struct          // what was sensitive when it was applied is hidden
	decl  *resource.Declaration // nil where it is not declared
}

// address is that of its declaration or its mark, or what it would be.
func (e *object) address() value.Address {
	if e.decl != nil {
		return e.decl.Address
	}
	if e.live.Mark.Address != "" {
		return e.live.Mark.Address
	}
	scope := e.scope
	if e.kind.Opens != "" {
		scope = ""
	}
	return value.NewAddress(scope, e.kind.Name, e.live.Name)
}

// field is an argument's live value, hidden where the script hides it.
func (e *object) field(f *schema.Field) value.Value {
	if f.Index >= len(e.args) {
		return nil
	}
	v := e.args[f.Index]
	if v != nil && (f.Secret || e.decl != nil && value.Sensitive(e.decl.Args[f.Index])) {
		return value.Secret{V: v}
	}
	return v
}

func (e *object) Type() string          { return e.kind.Name }
func (e *object) Freeze()               {}
func (e *object) Truth() starlark.Bool  { return starlark.True }
func (e *object) Hash() (uint32, error) { return starlark.String(e.address()).Hash() }
func (e *object) String() string        { return "<live " + string(e.address()) + ">" }

// Attr returns an argument, an output, or what every object has.
func (e *object) Attr(name string) (starlark.Value, error) {
	if f, ok := e.kind.Schema.Field(name); ok && name != "name" {
		v := builtins.Plain(f.Type, e.field(f))
		return v, nil
	}
	if o, ok := e.kind.Output(name); ok && e.live.Out[name] != nil {
		v := e.live.Out[name]
		if o.Sensitive {
			v = value.Secret{V: value.Reveal(v)}
		}
		return lang.FromValue(v), nil
	}
	switch name {
	case "address":
		return starlark.String(e.address()), nil
	case "id":
		return starlark.String(e.live.ID), nil
	case "kind":
		return starlark.String(e.kind.Name), nil
	case "name":
		return starlark.String(e.live.Name), nil
	case "project":
		return starlark.String(e.live.Mark.Project), nil
	case "scope":
		return starlark.String(e.scope), nil
	}
	return nil, nil
}

func (e *object) AttrNames() []string {
	names := append(e.kind.Schema.FieldNames(), "address", "id", "kind", "name", "project", "scope")
	for _, o := range e.kind.Out {
		if e.live.Out[o.Name] != nil {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// summary is what a list says of it: whose it is, and the arguments without
// which it would not be what it is.
func (e *object) summary() string {
	var parts []string
	if p := e.live.Mark.Project; p != "" {
		parts = append(parts, "of "+p)
	}
	if e.live.Unsettled != "" {
		parts = append(parts, e.live.Unsettled)
	}
	for _, f := range e.kind.Schema.Fields() {
		if v := e.field(f); v != nil && f.Name != "name" && (f.Required || f.Pos) && !f.Secret {
			parts = append(parts, f.Name+" = "+f.Type.Format(v))
		}
	}
	return strings.Join(parts, ", ")
}

// show writes the object with all that it has and that is not what silence would
// mean.
func (e *object) show(int) string {
	rows := [][2]string{{"id", e.live.ID}}
	if e.live.Mark.Project != "" {
		rows = append(rows, [2]string{"project", e.live.Mark.Project})
	}
	if e.live.Name != e.address().Name() {
		rows = append(rows, [2]string{"name", strconv.Quote(e.live.Name)})
	}
	for _, f := range e.kind.Schema.Fields() {
		if v := e.field(f); f.Name != "name" && !f.Local && !schema.IsEmpty(v) && !value.Equal(v, f.Default) {
			rows = append(rows, [2]string{f.Name, f.Type.Format(v)})
		}
	}
	for _, o := range e.kind.Out {
		if _, arg := e.kind.Schema.Field(o.Name); arg || o.Name == "id" || e.live.Out[o.Name] == nil {
			continue
		}
		text := value.Hidden
		if !o.Sensitive {
			text = (&schema.Type{Kind: schema.Any}).Format(e.live.Out[o.Name])
		}
		rows = append(rows, [2]string{o.Name, text})
	}
	return string(e.address()) + "\n" + table(rows)
}

// table aligns names and values.
func table(rows [][2]string) string {
	column := 0
	for _, r := range rows {
		column = max(column, len(r[0]))
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = fmt.Sprintf("  %-*s  %s", column, r[0], r[1])
	}
	return strings.Join(out, "\n")
}
