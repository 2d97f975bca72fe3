package lang

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
)

func TestFunctions(t *testing.T) {
	src := "def b():\n    pass\n\nx = 1\nif x:\n    def inner(): pass\n\ndef a(t, y = 1):\n    def nested(): pass\n"
	got, err := Functions("x.star", []byte(src))
	want := "[{b x.star:1:5 0} {a x.star:8:5 2}]"
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	if _, err := Functions("x.star", []byte("def f(:\n")); err == nil || err.Error() != "x.star:1:8: got ':', want ')'" {
		t.Errorf("the error is %v", err)
	}
}

// A builtin that tries what a script gave it takes the problems of that alone;
// what it calls a problem itself is where the script calls it.
func TestCallAndTry(t *testing.T) {
	var tried error
	try := starlark.NewBuiltin("attempt", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		s := FromThread(thread)
		tried = s.Try(func() error {
			_, err := starlark.Call(thread, args[0], nil, nil)
			return err
		})
		if tried == nil {
			return nil, s.Problem(thread, &diag.Diagnostic{Summary: "it did not fail"})
		}
		return starlark.String(tried.Error()), nil
	})
	note := starlark.NewBuiltin("note", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		FromThread(thread).Report(thread, &diag.Diagnostic{Summary: "noted"})
		return starlark.None, nil
	})
	s := NewSession(Options{Predeclared: starlark.StringDict{"attempt": try, "note": note}})
	src := `
def bad():
    note()
    return {}["x"]

def works():
    note()
    return attempt(bad)

def fails():
    attempt(lambda: 1)
`
	globals, err := s.ExecSource(context.Background(), "x.star", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Call(context.Background(), globals["works"].(starlark.Callable))
	want := "x.star:3:5: noted\nx.star:4:12: key \"x\" not in dict"
	if tried == nil || tried.Error() != want || v != starlark.String(want) {
		t.Errorf("tried gave %v, %v", v, tried)
	}
	if err == nil || err.Error() != "x.star:7:5: noted" {
		t.Errorf("what the function itself reported is %v", err)
	}
	_, err = s.Call(context.Background(), globals["fails"].(starlark.Callable))
	var list diag.List
	if !errors.As(err, &list) || list.Error() != "x.star:11:5: it did not fail" || list[0].Pos.EndCol != 23 {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Call(ctx, globals["works"].(starlark.Callable)); err == nil || err.Error() != "cancelled" {
		t.Errorf("a cancelled call says %v", err)
	}
}
