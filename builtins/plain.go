package builtins

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// plainArgs returns the arguments of a builtin that needs them while the script
// runs, as what says where a machine is. One that is not known yet is reported,
// unless it is an input without a value, which has been; the script goes on
// without it where it may be left out; standIn is in the place of a positional one.
func plainArgs(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple, standIn starlark.String, required ...string) (starlark.Tuple, []starlark.Tuple) {
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	unknown := func(v starlark.Value, name string, index int) bool {
		d, ok := v.(*lang.Deferred)
		if !ok {
			return false
		}
		if !isInput(d.Value()) {
			p := &diag.Diagnostic{
				Pos:     s.ExpandArg(pos, name, index),
				Summary: fmt.Sprintf("%s: %s is not known before an apply, and is needed to look at what is there", b.Name(), source(d.Value())),
				Hint:    "the handle of a vm goes wherever a machine is wanted",
			}
			if value.Sensitive(d.Value()) {
				p.Summary, p.Hint = b.Name()+": a sensitive value cannot say where something is, which is shown", ""
			}
			s.Report(thread, p)
		}
		return true
	}
	args, kwargs = slices.Clone(args), slices.Clone(kwargs)
	for i, v := range args {
		if unknown(v, "", i) {
			args[i] = standIn
		}
	}
	var known []starlark.Tuple
	for _, kw := range kwargs {
		name := string(kw[0].(starlark.String))
		switch {
		case !unknown(kw[1], name, -1):
			known = append(known, kw)
		case slices.Contains(required, name):
			known = append(known, starlark.Tuple{kw[0], starlark.String("unknown")})
		}
	}
	return args, known
}

// isInput reports whether a value stands for an input that has none.
func isInput(v value.Value) bool {
	r, ok := v.(value.Ref)
	return ok && slices.Contains([]string{"var", "env", "read_file"}, r.Address.Kind())
}

// source is where a value will come from.
func source(v value.Value) string {
	if t, ok := v.(*value.Template); ok {
		return t.String()
	}
	return fmt.Sprint(v) // a reference
}
