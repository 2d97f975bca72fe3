package ui

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
)

func TestDiagnostics(t *testing.T) {
	source := func(file string) []byte {
		if file != "cluster.star" {
			return nil
		}
		return []byte("x = 1\n" +
			"service(\"web\", replica = 4)\n" +
			"\tif m.private_ip == \"10.0.0.4\":\n" +
			"s = \"日本\" + boom\r\n" +
			"evil = \"\x1b[31m\u202e\" + 1\n" +
			strings.Repeat("a", 300) + " + b\n")
	}
	at := func(line, col, end int) diag.Pos {
		return diag.Pos{File: "cluster.star", Line: line, Col: col, EndLine: line, EndCol: end}
	}
	list := diag.List{
		{Pos: at(2, 16, 27), Summary: `service: unexpected argument "replica"`, Hint: `did you mean "replicas"?`,
			Related: []diag.Note{{Pos: at(1, 1, 2), Text: "x is here"}}},
		{Pos: at(3, 5, 33), Summary: "cannot be compared", Detail: "it is an output\nsee spec.md"},
		{Pos: at(4, 12, 16), Summary: "undefined: boom"},
		{Pos: at(5, 8, 23), Summary: "odd \x1b[2J text"},
		{Pos: at(6, 301, 306), Summary: "far right"},
		{Pos: diag.Pos{File: "gone.star", Line: 1, Col: 1}, Summary: "no source", Severity: diag.Warning,
			Stack: []diag.Frame{{Name: "<toplevel>", Pos: at(1, 1, 2)}, {Name: "f", Pos: at(2, 1, 2)}}},
		{Summary: "nowhere"},
	}
	var b strings.Builder
	Diagnostics(&b, list, source, false)
	want := `cluster.star:2:16: service: unexpected argument "replica" (did you mean "replicas"?)
    2 | service("web", replica = 4)
      |                ^^^^^^^^^^^
  cluster.star:1:1: x is here
    1 | x = 1
      | ^
cluster.star:3:5: cannot be compared
    3 |     if m.private_ip == "10.0.0.4":
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      it is an output
      see spec.md
cluster.star:4:12: undefined: boom
    4 | s = "日本" + boom
      |              ^^^^
cluster.star:5:8: odd \u001b[2J text
    5 | evil = "\u001b[31m\u202e" + 1
      |        ^^^^^^^^^^^^^^^^^^^^^^
cluster.star:6:301: far right
    6 | ...` + strings.Repeat("a", 156) + ` + b
      | ` + strings.Repeat(" ", 159) + `^^^^
gone.star:1:1: warning: no source
  called from
    cluster.star:1:1: the top level
    cluster.star:2:1: f
nowhere
6 errors, 1 warning
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}

	b.Reset()
	Diagnostics(&b, list[:1], source, true)
	plain := b.String()
	for _, style := range []string{bold, red, yellow, dim, reset} {
		plain = strings.ReplaceAll(plain, style, "")
	}
	if !strings.HasPrefix(want, strings.TrimSuffix(plain, "1 error\n")) {
		t.Errorf("colour changes the text:\n%s", plain)
	}
}
