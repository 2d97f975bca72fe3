package lang

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// universe holds the predeclared names of every script: what Starlark has, made
// safe, and json, math, struct, time and format.
var universe starlark.StringDict

type builtinFunc = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// refuses says what a function of the language would have to know a deferred
// argument for.
var refuses = map[string]string{
	"abs": "be computed with", "any": "be tested", "all": "be tested", "bool": "be tested",
	"bytes": "be converted", "chr": "be converted", "dict": "be converted",
	"enumerate": "be iterated over", "float": "be converted", "hash": "be hashed",
	"int": "be converted", "len": "be measured", "list": "be iterated over",
	"max": "be compared", "min": "be compared", "ord": "be converted",
	"range": "be counted to", "repr": "be turned into text", "reversed": "be iterated over",
	"set": "be iterated over", "sorted": "be compared",
	"str":   "be turned into a plain string: use it as it is, or in format(), % or +",
	"tuple": "be iterated over", "zip": "be iterated over",
}

func init() {
	universe = starlark.StringDict{
		"json":   jsonModule(),
		"math":   math.Module,
		"time":   timeModule(),
		"struct": starlark.NewBuiltin("struct", makeStruct),
		"format": starlark.NewBuiltin("format", format),
		"print":  starlark.NewBuiltin("print", printValues),
		"fail":   starlark.NewBuiltin("fail", fail),
		"getattr": starlark.NewBuiltin("getattr", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			var x, dflt starlark.Value
			var name string
			if err := starlark.UnpackPositionalArgs("getattr", args, kwargs, 2, &x, &name, &dflt); err != nil {
				return nil, err
			}
			if copying[name] {
				if v, err := dotMethod(thread, x, name); err == nil {
					return v, nil
				}
			}
			return original("getattr")(thread, args, kwargs)
		}),
	}
	for name, verb := range refuses {
		universe[name] = starlark.NewBuiltin(name, careful(name, verb))
	}
	universe.Freeze()
}

// original returns a function of the language, to be called in the frame that
// is there already.
func original(name string) func(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return starlark.Universe[name].(*starlark.Builtin).CallInternal
}

// careful wraps a function of the language.
func careful(name, verb string) builtinFunc {
	orig := original(name)
	before := checks[name]
	after := results[name]
	return func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		for _, a := range args {
			if d, ok := a.(*Deferred); ok {
				return nil, d.misuse(verb)
			}
		}
		if before != nil {
			if err := before(thread, args, verb); err != nil {
				return nil, err
			}
		}
		v, err := orig(thread, args, kwargs)
		if err == nil && after != nil {
			err = after(thread, v)
		}
		return v, err
	}
}

var checks = map[string]func(*starlark.Thread, starlark.Tuple, string) error{
	"any": eachKnown, "all": eachKnown,
	"sorted": comparableElems, "min": comparableElems, "max": comparableElems,
	"bytes": iterates, "dict": iterates, "enumerate": iterates, "list": iterates,
	"reversed": iterates, "set": iterates, "tuple": iterates, "zip": iterates,
	"str": showable, "repr": showable, "hash": iterates,
	"int": func(thread *starlark.Thread, args starlark.Tuple, _ string) error {
		// Parsing is quadratic.
		if len(args) > 0 {
			if s, ok := args[0].(starlark.String); ok && len(s) > maxBits {
				return fmt.Errorf("int: text of more than %d digits", maxBits)
			}
		}
		return nil
	},
}

var results = map[string]func(*starlark.Thread, starlark.Value) error{
	"tuple":     func(thread *starlark.Thread, v starlark.Value) error { return checkTuple(thread, v) },
	"zip":       tuplesIn,
	"enumerate": tuplesIn,
}

// tuplesIn measures the tuples that a function made.
func tuplesIn(thread *starlark.Thread, v starlark.Value) error {
	list, ok := v.(*starlark.List)
	if !ok {
		return nil
	}
	for i := 0; i < list.Len(); i++ {
		if err := checkTuple(thread, list.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// perElement is what going through an element costs, in the bytes that charge
// counts: some 20 ns, for hashing or the comparisons of a sort.
const perElement = 64

// iterates charges for what a function will go through.
func iterates(thread *starlark.Thread, args starlark.Tuple, _ string) error {
	for _, a := range args {
		if n := starlark.Len(a); n > 0 {
			if err := checkSize(thread, a.Type(), n); err != nil {
				return err
			}
			if err := charge(thread, n*perElement); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachKnown refuses deferred elements, whose truth would be asked.
func eachKnown(thread *starlark.Thread, args starlark.Tuple, verb string) error {
	return eachElem(thread, args, verb, func(starlark.Value) error { return nil })
}

// comparableElems refuses to sort what is deferred, or what would take forever
// to compare.
func comparableElems(thread *starlark.Thread, args starlark.Tuple, verb string) error {
	return eachElem(thread, args, verb, func(e starlark.Value) error { return searchable(thread, e, verb) })
}

// eachElem refuses deferred elements of the sequences among the arguments, and
// those that check refuses.
func eachElem(thread *starlark.Thread, args starlark.Tuple, verb string, check func(starlark.Value) error) error {
	if err := iterates(thread, args, verb); err != nil {
		return err
	}
	for _, a := range args {
		seq, ok := a.(starlark.Sequence)
		if !ok {
			continue
		}
		for e := range starlark.Elements(seq) {
			if d, ok := e.(*Deferred); ok {
				return d.misuse(verb)
			}
			if err := check(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// showable measures what is to become text, and refuses what is deferred in it.
func showable(thread *starlark.Thread, args starlark.Tuple, verb string) error {
	for _, a := range args {
		if _, ok := a.(starlark.String); ok {
			continue
		}
		m := newMeter(thread)
		if err := m.visit(a, 0); err != nil {
			return err
		}
		if m.deferred != nil {
			return m.deferred.misuse(verb)
		}
		if err := charge(thread, m.size); err != nil {
			return err
		}
	}
	return nil
}

// show returns the text of a value for a person: strings bare, what is
// deferred or secret as its placeholder.
func show(thread *starlark.Thread, v starlark.Value) (string, error) {
	if s, ok := v.(starlark.String); ok {
		return string(s), nil
	}
	m := newMeter(thread)
	if err := m.visit(v, 0); err != nil {
		return "", err
	}
	if err := charge(thread, m.size); err != nil {
		return "", err
	}
	return v.String(), nil
}

// Repr returns the text of a value for a message. It is safe for any value a
// script can make, and short.
func Repr(v starlark.Value) string {
	m := &meter{maxDepth: 50, maxSize: 4096}
	if err := m.visit(v, 0); err != nil {
		return "a large " + v.Type()
	}
	return clip(v.String())
}

func showAll(thread *starlark.Thread, fn string, args starlark.Tuple, kwargs []starlark.Tuple) (string, error) {
	sep := " "
	for _, kv := range kwargs {
		name := string(kv[0].(starlark.String))
		if name != "sep" {
			return "", fmt.Errorf("%s: unexpected keyword argument %q", fn, name)
		}
		var ok bool
		if sep, ok = starlark.AsString(kv[1]); !ok {
			return "", fmt.Errorf("%s: for parameter sep: got %s, want string", fn, kv[1].Type())
		}
	}
	var parts []string
	size := 0
	for _, a := range args {
		text, err := show(thread, a)
		if err != nil {
			return "", fmt.Errorf("%s: %w", fn, err)
		}
		size += len(text) + len(sep)
		if err := checkSize(thread, "text", size); err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, sep), nil
}

func printValues(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	msg, err := showAll(thread, "print", args, kwargs)
	if err != nil {
		return nil, err
	}
	if thread.Print != nil {
		thread.Print(thread, msg)
	}
	return starlark.None, nil
}

// fail stops the script with the user's own words. Where the standard library does, it
// is for a call of the user's, which the words name.
func fail(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	msg, err := showAll(thread, "fail", args, kwargs)
	if err != nil {
		return nil, err
	}
	first, rest, _ := strings.Cut(msg, "\n")
	d := &diag.Diagnostic{Summary: "fail: " + first, Detail: rest}
	if inStdlib(thread) {
		d.Summary, d.Pos, d.Stack = first, CallPos(thread), userFrames(thread)
	}
	return nil, d
}

// format(fmt, *args, **kwargs) is fmt.format(*args, **kwargs).
func format(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("format: missing argument for fmt")
	}
	f, ok := args[0].(starlark.String)
	if !ok {
		if d, ok := args[0].(*Deferred); ok {
			return nil, d.misuse("be a format")
		}
		return nil, fmt.Errorf("format: for parameter fmt: got %s, want string", args[0].Type())
	}
	return formatText(thread, f, args[1:], kwargs)
}

func makeStruct(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	v, err := starlarkstruct.Make(thread, b, args, kwargs)
	if err != nil {
		return nil, err
	}
	return v, checkTuple(thread, v)
}

// Names returns the names that every script has from the language: a variable
// of one hides it.
func Names() []string {
	names := append(universe.Keys(), starlark.Universe.Keys()...)
	slices.Sort(names)
	return slices.Compact(names)
}
