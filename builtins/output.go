package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// output(name, value, description="", sensitive=False) shows a value once
// everything is applied. What holds a secret is sensitive without being told.
func (in *Inputs) output(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, description string
	var v starlark.Value
	sensitive := false
	if err := starlark.UnpackArgs(b.Name(), args, kwargs,
		"name", &name, "value", &v, "description?", &description, "sensitive?", &sensitive); err != nil {
		return nil, err
	}
	s := lang.FromThread(thread)
	report := func(d *diag.Diagnostic) (starlark.Value, error) {
		s.Report(thread, d)
		return starlark.None, nil
	}
	if lang.Loading(thread) {
		return report(&diag.Diagnostic{
			Summary: fmt.Sprintf("output %q is declared while its module is loaded", name),
			Detail:  "a module declares nothing when it is loaded: put this into a function that the script calls",
		})
	}
	if !identifier().MatchString(name) {
		return report(&diag.Diagnostic{Summary: fmt.Sprintf("output: %q is not a name: want letters, digits and _", name)})
	}
	plain, err := lang.ToValue(v)
	if err != nil {
		return report(&diag.Diagnostic{Summary: fmt.Sprintf("output: for parameter value: %v", err)})
	}
	pos := lang.CallPos(thread)
	first, ok := in.byName[name]
	if ok && !in.isEarlier(in.outputs[first]) {
		return report(&diag.Diagnostic{
			Summary: fmt.Sprintf("output %q is declared twice", name),
			Related: []diag.Note{{Pos: in.outputs[first].Pos, Text: "the first is here"}},
		})
	}
	o := Output{
		Name: name, Value: plain, Description: description,
		Sensitive: sensitive || value.Sensitive(plain), Pos: pos,
	}
	if ok {
		in.outputs[first] = o
		return starlark.None, nil
	}
	if in.byName == nil {
		in.byName = map[string]int{}
	}
	in.byName[name] = len(in.outputs)
	in.outputs = append(in.outputs, o)
	return starlark.None, nil
}
