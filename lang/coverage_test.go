package lang

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.starlark.net/starlark"
)

const coveredSource = `"""A module."""

def pick(x, many = [
    1,
    2,
]):
    """Docstrings do nothing."""
    if x == 1:
        return "one"
    elif x == 2:
        return "two"
    else:
        for _ in many:
            y = (
                x +
                1
            )
        return "many"

a = pick(1); b = pick(3)
c = [pick(1)
     for _ in range(3)]
if a == b: fail("same")
`

// Each line has the number of its evaluations; a docstring, else: and a blank
// line have none.
func TestCoverage(t *testing.T) {
	var c Coverage
	for range 2 { // sessions add up
		s := NewSession(Options{Root: "/scripts", Coverage: &c})
		if _, err := s.ExecSource(context.Background(), "pick.star", []byte(coveredSource)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[int]int{
		3: 2, 4: 2, 5: 2, 6: 2, // def pick
		8: 10, 9: 8, 10: 2, 11: 0, 13: 2, 14: 4, 15: 4, 16: 4, 17: 4, 18: 2,
		20: 2, 21: 2, 22: 2, 23: 2,
	}
	files := c.Files()
	if len(files) != 1 || files[0].Name != filepath.Join("/scripts", "pick.star") || string(files[0].Src) != coveredSource {
		t.Fatalf("the files are %v", files)
	}
	got := map[int]int{}
	for _, l := range files[0].Lines() {
		got[l.Line] = int(l.Count)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Counting changes neither what a script does nor where its errors are, and
// where nothing is counted a script takes the steps that it always took.
func TestCoverageChangesNothing(t *testing.T) {
	src := []byte("def f(*args):\n    \"\"\"Text.\"\"\"\n    x = [1]\n    x += [args[0]]\n    return x[args[0]]\n\nok = f(1)\nbad = f(7)\n")
	run := func(c *Coverage) (*Session, starlark.StringDict, error) {
		s := NewSession(Options{Coverage: c})
		globals, err := s.ExecSource(context.Background(), "f.star", src)
		return s, globals, err
	}
	plain, want, wantErr := run(nil)
	counting, got, err := run(&Coverage{})
	if err == nil || wantErr == nil || err.Error() != wantErr.Error() || !strings.Contains(err.Error(), "f.star:5:12: list index 7 out of range") {
		t.Errorf("got  %v\nwant %v", err, wantErr)
	}
	if got["ok"].String() != want["ok"].String() || got["f"].(*starlark.Function).Doc() != "Text." {
		t.Errorf("got %v, want %v", got, want)
	}
	if counting.Steps() <= plain.Steps() || len(plain.counters) != 0 {
		t.Errorf("%d steps with, %d without", counting.Steps(), plain.Steps())
	}
}
