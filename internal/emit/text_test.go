package emit

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/format"
	"github.com/swarmscript/swarmscript/lang"
)

// read is what a script has that says x = LITERAL.
func read(t *testing.T, src string) string {
	t.Helper()
	globals, err := lang.NewSession(lang.Options{}).ExecSource(context.Background(), "x.star", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	s, _ := starlark.AsString(globals["x"])
	return s
}

// Any text that is written reads back as it was, also when it is formatted;
// what is no text is refused.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, "a\nb\nc", "a\n\n\"\"\"\"", "\r\n\r\n", "\x00", "é\u2028☃\U0001F600", "'''", "#", "\ttab\n\n", "end\n\n\\", "\xff", "\u202e\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := text(s)
		if (err == nil) != utf8.ValidString(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		src := "x = " + n.open + "\n"
		if got := read(t, src); got != s {
			t.Fatalf("%q is written as %s, which is %q", s, n.open, got)
		}
		formatted, err := format.Source("x.star", []byte(src))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := read(t, string(formatted)); got != s {
			t.Fatalf("%q is formatted as %s, which is %q", s, formatted, got)
		}
	})
}

// A variable's name is one, whatever it is made of.
func TestIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"web": "web", "db.password": "db_password", "My-Net": "my_net", "for": "for_", "2nd": "2nd", "___": "", "": "", "ünï": "n", "a--b__c": "a_b_c", "x!": "x",
	} {
		if got := identifier(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// What does not fit on a line has an item on each.
func TestLayout(t *testing.T) {
	var b strings.Builder
	long := leaf(strings.Repeat("x", 60))
	long.label = "b = "
	n := node{label: "v = ", open: "f(", close: ")", items: []node{leaf("a"), long, {label: "c = ", open: "[", close: "]", items: []node{leaf("1"), leaf(strings.Repeat("y", 96))}}}}
	n.write(&b, 0, 0)
	want := "v = f(\n    a,\n    b = " + strings.Repeat("x", 60) + ",\n    c = [\n        1,\n        " + strings.Repeat("y", 96) + ",\n    ],\n)"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
