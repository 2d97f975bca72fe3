package lang

import (
	"context"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Function is a function that a file defines at its top level.
type Function struct {
	Name string
	Pos  diag.Pos // of the name
	// Params is how many parameters it has.
	Params int
}

// Functions returns the functions that a file defines at its top level, in the
// order of the source. Nothing is run. The error is a [diag.List].
func Functions(name string, text []byte) ([]Function, error) {
	if d := checkText(name, text); d != nil {
		return nil, diag.List{d}
	}
	f, err := dialect().Parse(name, text, 0)
	if err != nil {
		return nil, Parse(name, text) // which words it
	}
	var out []Function
	for _, st := range f.Stmts {
		if def, ok := st.(*syntax.DefStmt); ok {
			out = append(out, Function{Name: def.Name.Name, Pos: toSpan(name, def.Name), Params: len(def.Params)})
		}
	}
	return out, nil
}

// Call calls a function that a script of the session defined. As with a script,
// the error is a [diag.List] with every problem that was found.
func (s *Session) Call(ctx context.Context, fn starlark.Callable, args ...starlark.Value) (v starlark.Value, err error) {
	stop, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	v, err = s.call(fn, args)
	if err != nil {
		s.addError(err)
	}
	return v, s.finish()
}

// call calls a function. A panic in a builtin becomes an error, as in run.
func (s *Session) call(fn starlark.Callable, args starlark.Tuple) (v starlark.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &diag.Diagnostic{Summary: fmt.Sprintf("internal error: %v", r), Detail: panicStack()}
		}
	}()
	return starlark.Call(s.thread, fn, args, nil)
}

// Try does a part of what a builtin does, such as calling a function that the
// script gave it, and returns the problems of that alone: what it returned, and
// what it reported. They are none of the script's then, which goes on.
func (s *Session) Try(do func() error) error {
	before := s.diags
	s.diags = nil
	if err := do(); err != nil {
		s.addError(err)
	}
	err := s.finish()
	s.diags = before
	return err
}

// Problem is an error of one call: it says where the call is that a builtin is
// running for, and how the script got there.
func (s *Session) Problem(thread *starlark.Thread, d *diag.Diagnostic) *diag.Diagnostic {
	d.Pos = s.Expand(CallPos(thread))
	if frames := Frames(thread); len(frames) > 1 {
		d.Stack = frames
	}
	return d
}

// Equal is x == y, as in a script: an error where one of them is not known yet.
func Equal(thread *starlark.Thread, x, y starlark.Value) (bool, error) {
	v, err := compare(thread, syntax.EQL, x, y)
	return v == starlark.True, err
}

// Contains is x in y, as in a script.
func Contains(thread *starlark.Thread, x, y starlark.Value) (bool, error) {
	v, err := contains(thread, syntax.IN, x, y)
	return v == starlark.True, err
}

// Truth is what a condition asks, as in a script.
func Truth(v starlark.Value) (bool, error) {
	if d, ok := v.(*Deferred); ok {
		return false, d.misuse("be a condition")
	}
	return bool(v.Truth()), nil
}
