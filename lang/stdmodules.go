package lang

import (
	"fmt"
	"strings"

	"go.starlark.net/lib/json"
	"go.starlark.net/lib/time"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// timeModule is time without the clock: a plan has to come out the same
// tomorrow.
func timeModule() *starlarkstruct.Module {
	m := &starlarkstruct.Module{Name: "time", Members: starlark.StringDict{}}
	for name, v := range time.Module.Members {
		if name != "now" {
			m.Members[name] = v
		}
	}
	return m
}

// jsonModule is json, with its recursion and its output bounded.
func jsonModule() *starlarkstruct.Module {
	m := &starlarkstruct.Module{Name: "json", Members: starlark.StringDict{}}
	wrap := func(name string, before func(*starlark.Thread, starlark.Tuple, []starlark.Tuple) error) {
		orig := json.Module.Members[name].(*starlark.Builtin)
		m.Members[name] = starlark.NewBuiltin(orig.Name(), func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if err := before(thread, args, kwargs); err != nil {
				return nil, err
			}
			return orig.CallInternal(thread, args, kwargs)
		})
	}
	encode := func(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) error {
		if len(args) == 0 {
			return nil
		}
		mt := newMeter(thread)
		err := mt.visit(args[0], 0)
		if mt.deferred != nil {
			return mt.deferred.misuse("be encoded as JSON: use format")
		}
		if err != nil {
			return fmt.Errorf("json.encode: %w", err)
		}
		return charge(thread, mt.size)
	}
	wrap("encode", encode)
	wrap("decode", func(thread *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) error {
		return checkJSON(thread, "json.decode", args)
	})
	wrap("indent", func(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) error {
		if err := checkJSON(thread, "json.indent", args); err != nil {
			return err
		}
		if len(args) > 0 {
			if s, ok := args[0].(starlark.String); ok {
				return checkIndent(thread, string(s), kwargs)
			}
		}
		return nil
	})
	if _, ok := json.Module.Members["encode_indent"]; ok {
		wrap("encode_indent", func(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) error {
			if err := encode(thread, args, kwargs); err != nil {
				return err
			}
			if len(args) > 0 {
				v, err := json.Module.Members["encode"].(*starlark.Builtin).CallInternal(thread, args[:1], nil)
				if err == nil {
					return checkIndent(thread, string(v.(starlark.String)), kwargs)
				}
			}
			return nil
		})
	}
	return m
}

// checkJSON refuses text whose decoder would recurse too deep, or parse a
// number of a million digits.
func checkJSON(thread *starlark.Thread, fn string, args starlark.Tuple) error {
	if len(args) == 0 {
		return nil
	}
	if d, ok := args[0].(*Deferred); ok {
		return d.misuse("be decoded")
	}
	s, ok := starlark.AsString(args[0])
	if !ok {
		return nil
	}
	depth, digits, inString := 0, 0, false
	limit := limitsOf(thread).MaxDepth
	for i := 0; i < len(s); i++ {
		c := s[i]
		if inString {
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
			continue
		}
		if c >= '0' && c <= '9' {
			if digits++; digits > maxBits/4 {
				return fmt.Errorf("%s: at offset %d, a number of more than %d digits", fn, i, maxBits/4)
			}
			continue
		}
		digits = 0
		switch c {
		case '"':
			inString = true
		case '[', '{':
			if depth++; depth > limit {
				return fmt.Errorf("%s: at offset %d, nested more than %d levels deep", fn, i, limit)
			}
		case ']', '}':
			depth--
		}
	}
	return checkSize(thread, "text", len(s))
}

// checkIndent bounds what indentation adds.
func checkIndent(thread *starlark.Thread, s string, kwargs []starlark.Tuple) error {
	prefix, indent := 0, 1
	for _, kv := range kwargs {
		if v, ok := starlark.AsString(kv[1]); ok {
			switch kv[0] {
			case starlark.String("prefix"):
				prefix = len(v)
			case starlark.String("indent"):
				indent = len(v)
			}
		}
	}
	depth, deepest := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	lines := strings.Count(s, ",") + 2*strings.Count(s, "[") + 2*strings.Count(s, "{") + 1
	if per := prefix + indent*deepest; per > 0 && lines > limitsOf(thread).MaxSize/per {
		return checkSize(thread, "text", limitsOf(thread).MaxSize+1)
	}
	return nil
}
