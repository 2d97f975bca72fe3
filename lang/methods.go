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
	for _, name := range starlark.String("").AttrNames() {
		if own["string."+name] == nil {
			method("string", name, throughText(name), nil)
		}
	}
	whole := func(each int) func(*starlark.Thread, starlark.Value, starlark.Tuple) error {
		return func(thread *starlark.Thread, recv starlark.Value, _ starlark.Tuple) error {
			n := starlark.Len(recv)
			if err := allocates(thread, n*each); err != nil {
				return err
			}
			return charge(thread, n)
		}
	}
	method("list", "insert", whole(0), nil)
	method("list", "pop", func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple) error {
		if len(args) == 0 {
			return nil
		}
		return whole(0)(thread, recv, args)
	}, nil)
	method("dict", "keys", whole(elementBytes), nil)
	method("dict", "values", whole(elementBytes), nil)
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
	method("dict", "items", whole(80), tuplesIn)
	method("dict", "popitem", nil, checkTuple)
	all := func(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple) error {
		return iterates(thread, args, "")
	}
	method("dict", "update", all, nil)
	for _, name := range []string{"update", "union", "difference", "intersection", "symmetric_difference", "issubset", "issuperset"} {
		method("set", name, func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple) error {
			if name != "update" { // which goes through its arguments only
				if err := whole(elementBytes)(thread, recv, args); err != nil {
					return err
				}
			}
			return all(thread, recv, args)
		}, nil)
	}
	for key := range own {
		_, name, _ := strings.Cut(key, ".")
		copying[name] = true
	}
}

// throughText charges for a method of text: for its length, and for the list
// that some make of it.
func throughText(name string) func(*starlark.Thread, starlark.Value, starlark.Tuple) error {
	return func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple) error {
		text := string(recv.(starlark.String))
		parts, bytes := 0, 0
		switch name {
		case "split", "rsplit", "splitlines":
			parts = len(text)/2 + 1
			if sep, ok := separator(args); ok && sep != "" {
				parts = strings.Count(text, sep) + 1
			} else if name == "splitlines" {
				parts = strings.Count(text, "\n") + 1
			}
			bytes = parts * 3 * elementBytes // the text, its place in Go's list, its place in Starlark's
		case "elems", "codepoints", "elem_ords", "codepoint_ords":
			parts = len(text)
			bytes = parts * 3 * elementBytes
		case "upper", "lower", "title", "capitalize":
			bytes = len(text)
		}
		if err := allocates(thread, bytes); err != nil {
			return err
		}
		return charge(thread, len(text)+parts*perElement)
	}
}

func separator(args starlark.Tuple) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	return starlark.AsString(args[0])
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
