package builtins

import "go.starlark.net/starlark"

// target returns what a check is about, its first argument, where that is a
// resource.
func (d *declarer) target(args starlark.Tuple, kwargs []starlark.Tuple) *Handle {
	var v starlark.Value
	if len(args) > 0 {
		v = args[0]
	}
	for _, kw := range kwargs {
		if string(kw[0].(starlark.String)) == d.kinds[0].Schema.Fields()[0].Name {
			v = kw[1]
		}
	}
	h, _ := v.(*Handle)
	return h
}
