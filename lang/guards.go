package lang

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// guards are what the rewriter calls in place of operators. Each does what the
// operator does, with the same words when it fails, unless a value is deferred
// or the result would break a limit.
var guards starlark.StringDict

func init() {
	guards = starlark.StringDict{}
	add := func(name string, fn func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)) {
		guards[hiddenPrefix+name] = starlark.NewBuiltin(hiddenPrefix+name, fn)
	}
	binary := func(name string, fn func(thread *starlark.Thread, x, y starlark.Value) (starlark.Value, error)) {
		add(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return fn(thread, args[0], args[1])
		})
	}
	binary("==", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		return compare(t, syntax.EQL, x, y)
	})
	binary("!=", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		return compare(t, syntax.NEQ, x, y)
	})
	for _, op := range []syntax.Token{syntax.LT, syntax.LE, syntax.GT, syntax.GE} {
		binary(op.String(), func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return compare(t, op, x, y) })
	}
	binary("in", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		return contains(t, syntax.IN, x, y)
	})
	binary("not in", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		return contains(t, syntax.NOT_IN, x, y)
	})
	binary("%", modulo)
	binary("+", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		if err := checkSum(t, x, y); err != nil {
			return nil, err
		}
		return built(t, syntax.PLUS, x, y)
	})
	binary("*", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		if err := checkProduct(t, x, y); err != nil {
			return nil, err
		}
		return built(t, syntax.STAR, x, y)
	})
	binary("<<", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		if err := checkShift(x); err != nil {
			return nil, err
		}
		return starlark.Binary(syntax.LTLT, x, y)
	})
	binary("grow", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return y, checkSum(t, x, y) })
	binary("times", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return y, checkProduct(t, x, y) })
	binary("shift", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return y, checkShift(x) })
	binary("dot", func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		return dotMethod(t, x, string(y.(starlark.String)))
	})
	add("count", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		counted(t, args)
		return starlark.None, nil
	})
	add("test", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		if d, ok := args[0].(*Deferred); ok {
			return nil, d.misuse("be a condition")
		}
		return args[0], nil
	})
	add("sliced", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		if _, text := args[0].(starlark.String); text {
			return args[0], nil // slices share the text
		}
		n := starlark.Len(args[0])
		if err := allocates(t, n*elementBytes); err != nil {
			return nil, err
		}
		return args[0], charge(t, n)
	})
	add("spread", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		if d, ok := args[0].(*Deferred); ok {
			return nil, d.misuse("be iterated over")
		}
		return args[0], checkSize(t, "argument list", starlark.Len(args[0]))
	})
	add("tuple", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return args, checkTuple(t, args)
	})
	add("tupled", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		if tuple, ok := args[0].(starlark.Tuple); ok {
			if err := checkTuple(t, tuple); err != nil {
				return nil, err
			}
		}
		return args[0], nil
	})
}

// compare is ==, !=, <, <=, > and >=.
func compare(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	if !isScalar(x) || !isScalar(y) {
		if err := comparable(thread, op, x, y); err != nil {
			return nil, err
		}
	} else if x, ok := x.(starlark.String); ok {
		if err := charge(thread, len(x)); err != nil {
			return nil, err
		}
	}
	ok, err := starlark.Compare(op, x, y)
	return starlark.Bool(ok), err
}

// comparable refuses to compare what is deferred, or too large: comparison
// stops at ten levels, but ten levels of a thousand elements are not to be
// waited for.
func comparable(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) error {
	for _, v := range []starlark.Value{x, y} {
		if d, ok := v.(*Deferred); ok {
			return d.misuse("be compared")
		}
	}
	if x.Type() != y.Type() {
		return nil // unequal, or an error
	}
	if (op == syntax.EQL || op == syntax.NEQ) && starlark.Len(x) != starlark.Len(y) {
		return nil // unequal, whatever is inside
	}
	for _, v := range []starlark.Value{x, y} {
		if err := searchable(thread, v, "be compared"); err != nil {
			return err
		}
	}
	return nil
}

// searchable looks through a value for deferred ones.
func searchable(thread *starlark.Thread, v starlark.Value, verb string) error {
	if isScalar(v) {
		return nil
	}
	m := newMeter(thread)
	m.maxDepth = starlark.CompareLimit + 2
	err := m.visit(v, 0)
	if m.deferred != nil {
		return m.deferred.misuse(verb)
	}
	if err != nil {
		if isTooDeep(err) {
			return nil // the comparison will say so
		}
		return err
	}
	return charge(thread, m.size)
}

// contains is in and not in.
func contains(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	if d, ok := x.(*Deferred); ok {
		return nil, d.misuse("be searched for")
	}
	if d, ok := y.(*Deferred); ok {
		return nil, d.misuse("be searched")
	}
	if err := searchable(thread, x, "be searched for"); err != nil {
		return nil, err
	}
	switch y := y.(type) {
	case *starlark.List, starlark.Tuple:
		if err := searchable(thread, y, "be compared"); err != nil {
			return nil, err
		}
	case starlark.String:
		if err := charge(thread, len(y)); err != nil {
			return nil, err
		}
	}
	return starlark.Binary(op, x, y)
}

// checkSum refuses a sum that would be too large.
func checkSum(thread *starlark.Thread, x, y starlark.Value) error {
	switch x := x.(type) {
	case starlark.Int, starlark.Float:
		return nil
	case starlark.String:
		if y, ok := y.(starlark.String); ok {
			return checkSize(thread, "string", len(x)+len(y))
		}
	case starlark.Bytes:
		if y, ok := y.(starlark.Bytes); ok {
			return checkSize(thread, "bytes", len(x)+len(y))
		}
	case *starlark.List, starlark.Tuple:
		if n := starlark.Len(y); n >= 0 {
			return checkSize(thread, x.Type(), starlark.Len(x)+n)
		}
	}
	return nil
}

// checkProduct refuses a repetition that would be too large, with the
// interpreter's words for it, and an integer that would be.
func checkProduct(thread *starlark.Thread, x, y starlark.Value) error {
	n, ok := x.(starlark.Int)
	other := y
	if !ok {
		if n, ok = y.(starlark.Int); !ok {
			return nil
		}
		other = x
	}
	size := 0
	switch other := other.(type) {
	case starlark.Int:
		if bits(n)+bits(other) > maxBits {
			return fmt.Errorf("integer too large: more than %d bits", maxBits)
		}
		return nil
	case starlark.String:
		size = len(other)
	case starlark.Bytes:
		size = len(other)
	case *starlark.List:
		size = other.Len()
	case starlark.Tuple:
		size = len(other)
	}
	count, ok := n.Int64()
	if size == 0 || !ok || count <= 0 || count >= 1<<31 {
		return nil // nothing, or an error of the interpreter's
	}
	if limit := limitsOf(thread).MaxSize; count > int64(limit/size) {
		return fmt.Errorf("excessive repeat (%d * %d elements)", size, count)
	}
	size *= int(count)
	switch other.(type) {
	case *starlark.List, starlark.Tuple:
		if err := allocates(thread, size*elementBytes); err != nil {
			return err
		}
	default:
		if err := allocates(thread, size); err != nil {
			return err
		}
	}
	return charge(thread, size)
}

// maxBits bounds integers: squaring doubles their length each time.
const maxBits = 1 << 17

func bits(i starlark.Int) int {
	if _, small := i.Int64(); small {
		return 64
	}
	return i.BigInt().BitLen()
}

func checkShift(x starlark.Value) error {
	if i, ok := x.(starlark.Int); ok && bits(i) > maxBits {
		return fmt.Errorf("integer too large: more than %d bits", maxBits)
	}
	return nil
}

// built applies an operator and measures a tuple or struct that came out.
func built(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	z, err := starlark.Binary(op, x, y)
	if err != nil {
		return nil, err
	}
	switch z.(type) {
	case starlark.Tuple, *starlarkstruct.Struct:
		return z, checkTuple(thread, z)
	}
	return z, nil
}

// dotMethod is x.name for the methods in copying, and getattr for any name.
func dotMethod(thread *starlark.Thread, x starlark.Value, name string) (starlark.Value, error) {
	if own := ownMethod(x, name); own != nil {
		return own, nil
	}
	return attribute(x, name)
}

// attribute is x.name, in the interpreter's words where there is none.
func attribute(x starlark.Value, name string) (starlark.Value, error) {
	msg := fmt.Sprintf("%s has no .%s field or method", x.Type(), name)
	h, ok := x.(starlark.HasAttrs)
	if !ok {
		return nil, errors.New(msg)
	}
	v, err := h.Attr(name)
	if v != nil && err == nil {
		return v, nil
	}
	if _, missing := err.(starlark.NoSuchAttrError); err != nil && !missing {
		return nil, err
	} else if missing {
		msg = err.Error()
	}
	if n := diag.Suggest(name, h.AttrNames()); n != "" {
		msg += fmt.Sprintf(" (did you mean .%s?)", n)
	}
	return nil, errors.New(msg)
}

// modulo is %.
func modulo(thread *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
	format, ok := x.(starlark.String)
	if !ok {
		return starlark.Binary(syntax.PERCENT, x, y)
	}
	return interpolate(thread, format, y)
}

func isTooDeep(err error) bool { return strings.HasPrefix(err.Error(), errTooDeep.Error()) }
