package lang

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// FuzzExecSource: no text makes the loader, the rewriter or a guard panic, and
// a script without deferred values comes out as it does without the rewrite.
func FuzzExecSource(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.star")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split(string(data), "\n---\n") {
			f.Add(c)
		}
	}
	for _, src := range []string{
		"x = [1, 2] + [3]\ny = x == [1, 2, 3]\nx += [4]\nx[0] += 5\nz = 'a%s' % (x,)\nz %= ()\n",
		"def f(*a, **k): return (a, k, '-'.join(['a', 'b']), '{}{k}'.format(1, k = 2))\nx = f(1, *[2, 3], y = 4)\n",
		"x = {(1, 2): {3}} if not [] and 1 or 2 else [i for i in range(3) if i]\ny = lambda *a: a in [a]\nz = y(1)\n",
		"load('x.star', 'y')\n", "x = (1,\n", "x = struct(a = 1, b = (2,)) == struct(a = 1, b = (2,))\n",
		"d = {'a': [1]}\nd['a'] += (2,)\nd['a'] *= 3\nx = d.items()\ny = 1 << 3\ny <<= 2\ns = 'x'.replace('x', 'y') * 3\n",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		limits := Limits{MaxSteps: 100_000, MaxSize: 100_000, MaxMemory: 256 << 20}
		ref := starlark.StringDict{"struct": starlark.NewBuiltin("struct", starlarkstruct.Make)}
		ours := NewSession(Options{Root: t.TempDir(), Limits: limits})
		got, err := ours.ExecSource(context.Background(), "fuzz.star", []byte(src))
		if err != nil {
			if strings.Contains(err.Error(), "internal error") {
				t.Fatalf("%v", err)
			}
			return
		}
		if strings.Contains(src, "format") || strings.Contains(src, "json") || strings.Contains(src, "math") || strings.Contains(src, "time") {
			return // names that the plain dialect does not have
		}
		plain := NewSession(Options{Bare: true, Limits: limits, Predeclared: ref})
		want, err := plain.ExecSource(context.Background(), "fuzz.star", []byte(src))
		if err != nil {
			t.Fatalf("the plain dialect fails: %v", err)
		}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got.Keys(), want.Keys())
		}
		for name := range want {
			a, b := Repr(got[name]), Repr(want[name])
			if a != b {
				t.Errorf("%s: got %s, want %s", name, a, b)
			}
		}
	})
}
