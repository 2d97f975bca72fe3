package lang

import (
	"context"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// TestNUL looks at every way in: the scanner takes a NUL byte for the end of
// the file, and what is not declared any more would be pruned.
func TestNUL(t *testing.T) {
	const src = "x = 1\ny = 'é\x00'\nz = nowhere\n"
	const want = "a.star:2:7: the file holds a NUL byte"
	check := func(what string, err error) {
		t.Helper()
		if list := diag.From(err); len(list) != 1 || !strings.Contains(list[0].Error(), want) {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	check("Parse", Parse("a.star", []byte(src)))
	f := newFixture(t)
	f.file("a.star", src)
	_, err := NewSession(f.opts).ExecFile(context.Background(), "a.star")
	check("ExecFile", err)
	_, err = NewSession(f.opts).ExecSource(context.Background(), "a.star", []byte(src))
	check("ExecSource", err)
	f.opts.Bare = true
	_, err = NewSession(f.opts).ExecSource(context.Background(), "a.star", []byte(src))
	check("bare", err)

	if list := diag.From(Parse("a.star", []byte("\xef\xbb\xbfx = 1\n"))); len(list) != 1 || !strings.Contains(list[0].Error(), "a.star:1:1: the file begins with a byte order mark") {
		t.Errorf("got %v", list)
	}
}

func TestUsedBefore(t *testing.T) {
	f := newFixture(t)
	f.fails("x = total(1)\n\ndef total(n): return n\n", "1:5: total is used before it is defined (line 3)")
	f.fails("x = y\nfor i in [1]:\n    (y, z) = 1, 2\n", "1:5: y is used before it is defined (line 3)")
	f.fails("x = x\n", "1:5: x is used before it is defined (line 1)")
	f.fails("def f():\n    y = 1\n    return y\nx = y\n", "4:5: undefined: y")
	f.fails("total = 1\nx = totl\n", `2:5: undefined: totl (did you mean "total"?)`)
}

func TestModuleHasNo(t *testing.T) {
	f := newFixture(t)
	f.fails("x = json.encod(1)\n", `1:5: json has no .encod field or method (did you mean ".encode"?)`)
}
