package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/template"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// template(path, vars={}) returns the text that a Go template gives: a file
// under the root, as read_file() reads it. Variables that are not known yet, or
// sensitive, can be written out.
func (in *Inputs) template(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	vars := new(starlark.Dict)
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "path", &path, "vars?", &vars); err != nil {
		return nil, err
	}
	plain, err := lang.ToValue(vars)
	if err != nil {
		return nil, fmt.Errorf("template: vars: %w", err)
	}
	v, err := fill(thread, path, plain.(*value.Map))
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return lang.FromValue(v), nil
}

func fill(thread *starlark.Thread, path string, vars *value.Map) (value.Value, error) {
	text, err := lang.FromThread(thread).ReadFile(thread, path)
	if err != nil {
		return nil, err
	}
	return template.Fill(path, string(text), vars)
}
