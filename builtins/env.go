package builtins

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// env(name, default=None, sensitive=False) reads an environment variable.
func (in *Inputs) env(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	var dflt starlark.Value
	sensitive := false
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "default?", &dflt, "sensitive?", &sensitive); err != nil {
		return nil, err
	}
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return nil, fmt.Errorf("env: %q is not the name of an environment variable", name)
	}
	s := lang.FromThread(thread)
	text, ok := "", false
	if in.Env != nil {
		text, ok = in.Env(name)
	}
	if !ok {
		s.Record("env", name, nil, sensitive)
		if dflt != nil {
			return hide(dflt, sensitive)
		}
		s.Report(thread, &diag.Diagnostic{
			Summary: fmt.Sprintf("env: %s is not set", name),
			Detail:  "set it, or give a default",
		})
		return lang.FromValue(missing("env", name)), nil
	}
	s.Record("env", name, []byte(text), sensitive)
	return hide(starlark.String(text), sensitive)
}

// hide makes a value opaque where it is sensitive.
func hide(v starlark.Value, sensitive bool) (starlark.Value, error) {
	if !sensitive || v == starlark.None {
		return v, nil
	}
	plain, err := lang.ToValue(v)
	if err != nil {
		return nil, err
	}
	return lang.FromValue(secret(plain)), nil
}

func secret(v value.Value) value.Value {
	switch v := v.(type) {
	case nil, value.Secret:
		return v
	case value.Ref:
		v.Sensitive = true
		return v
	}
	return value.Secret{V: v}
}
