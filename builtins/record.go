package builtins

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// recordMaker is the builtin that makes a struct, such as port(). What is
// wrong is reported at its own call, and the script goes on.
type recordMaker struct {
	schema *schema.Struct
}

func (m *recordMaker) call(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	s := lang.FromThread(thread)
	r := &record{schema: m.schema, fields: make(value.Struct, len(m.schema.Fields()))}
	pos := lang.CallPos(thread)
	report := func(arg string, index int, hint, format string, a ...any) {
		r.broken = true
		s.Report(thread, &diag.Diagnostic{
			Pos: s.ExpandArg(pos, arg, index), Summary: b.Name() + ": " + fmt.Sprintf(format, a...), Hint: hint,
		})
	}
	set := func(f *schema.Field, v starlark.Value, arg string, index int) {
		if r.fields[f.Index] != nil {
			report(arg, index, "", "got two values for %s", f.Name)
			return
		}
		if v == starlark.None {
			return
		}
		raw, err := lang.ToValue(v)
		if err == nil {
			raw, err = f.Check(raw)
		}
		var problems schema.Problems
		switch {
		case err == nil:
			r.fields[f.Index] = raw
		case errors.As(err, &problems):
			for _, p := range problems {
				report(arg, index, p.Hint, "%s: %s", p.Path, p.Msg)
			}
		case errors.Is(err, errReported):
			r.broken = true
		default:
			report(arg, index, "", "%s: %v", f.Name, err)
		}
	}
	var positional []*schema.Field
	for _, f := range m.schema.Fields() {
		if f.Pos {
			positional = append(positional, f)
		}
	}
	for i, a := range args {
		if i >= len(positional) {
			report("", i, "", "too many positional arguments: name this one")
			break
		}
		set(positional[i], a, "", i)
	}
	for _, kw := range kwargs {
		key := string(kw[0].(starlark.String))
		f, ok := m.schema.Field(key)
		if !ok {
			report(key, -1, diag.DidYouMean(key, m.schema.FieldNames()), "unexpected argument %q", key)
			continue
		}
		set(f, kw[1], key, -1)
	}
	for i, f := range m.schema.Fields() {
		if f.Required && r.fields[i] == nil && !r.broken {
			report("", -1, "", "missing argument %s", f.Name)
		}
	}
	return r, nil
}
