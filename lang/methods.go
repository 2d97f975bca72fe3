package lang

import (
	"strings"

	"go.starlark.net/starlark"
)

// own are the methods of the language's types that are ours: they can hold
// deferred values, or multiply what they are called on.
var own = map[string]*starlark.Builtin{}

func init() {
	text := func(name string, fn func(*starlark.Thread, starlark.String, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)) {
		own["string."+name] = starlark.NewBuiltin(name, func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			return fn(thread, b.Receiver().(starlark.String), args, kwargs)
		})
	}
	text("format", formatText)
	text("join", joinText)
	text("replace", replaceText)

	method := func(typ, name string, before func(*starlark.Thread, starlark.Value, starlark.Tuple) error, after func(*starlark.Thread, starlark.Value) error) {
		own[typ+"."+name] = starlark.NewBuiltin(name, func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			recv := b.Receiver()
			if before != nil {
				if err := before(thread, recv, args); err != nil {
					return nil, err
				}
			}
			m, err := recv.(starlark.HasAttrs).Attr(name)
			if err != nil {
				return nil, err
			}
			v, err := m.(*starlark.Builtin).CallInternal(thread, args, kwargs)
			if err == nil && after != nil {
				err = after(thread, v)
			}
			return v, err
		})
	}
	method("list", "extend", func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple) error {
		if len(args) == 1 {
			return checkSum(thread, recv, args[0])
		}
		return nil
	}, nil)
	find := func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple) error {
		if len(args) > 0 {
			if err := searchable(thread, args[0], "be searched for"); err != nil {
				return err
			}
		}
		return searchable(thread, recv, "be compared")
	}
	method("list", "index", find, nil)
	method("list", "remove", find, nil)
	method("dict", "items", nil, tuplesIn)
	method("dict", "popitem", nil, checkTuple)
	all := func(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple) error {
		return iterates(thread, args, "")
	}
	method("dict", "update", all, nil)
	for _, name := range []string{"update", "union", "difference", "intersection", "symmetric_difference", "issubset", "issuperset"} {
		method("set", name, all, nil)
	}
}

// ownMethod returns our method of that name bound to x, or nil.
func ownMethod(x starlark.Value, name string) starlark.Value {
	switch x.(type) {
	case starlark.String, *starlark.List, *starlark.Dict, *starlark.Set:
		if m := own[x.Type()+"."+name]; m != nil {
			return m.BindReceiver(x)
		}
	}
	return nil
}

func replaceText(thread *starlark.Thread, recv starlark.String, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var old, new string
	count := -1
	for _, a := range args {
		if d, ok := a.(*Deferred); ok {
			return nil, d.misuse("be searched for or put in place of something: use format")
		}
	}
	if err := starlark.UnpackPositionalArgs("replace", args, kwargs, 2, &old, &new, &count); err != nil {
		return nil, err
	}
	n := strings.Count(string(recv), old)
	if count >= 0 {
		n = min(n, count)
	}
	if grow := len(new) - len(old); grow > 0 && n > limitsOf(thread).MaxSize/grow {
		return nil, checkSize(thread, "string", limitsOf(thread).MaxSize+1)
	} else if err := checkSize(thread, "string", len(recv)+n*grow); err != nil {
		return nil, err
	}
	return starlark.String(strings.Replace(string(recv), old, new, count)), nil
}
