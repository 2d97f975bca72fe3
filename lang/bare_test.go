package lang

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExecBare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.star")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	write("print('a', 1 == 1, [x for x in range(3)])\n")
	if err := ExecBare(context.Background(), file, &out); err != nil || out.String() != "a True [0, 1, 2]\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	for src, want := range map[string]string{
		"x = 1 // 0\n":           "x.star:1:5: floored division by zero",
		"x = (\n":                "x.star:2:1: ",
		"format('a')\n":          "x.star:1:1: undefined: format",
		"x = [x]\nx = json\n":    "undefined: json",
		"while True:\n  pass\n":  "x.star:1:1: ",
		"fail('no')\n":           "x.star:1:1: fail: no",
		"def f(): f()\nf()\n":    "called recursively",
		"x = 1\nfor i in 3: i\n": "x.star:2:10: int value is not iterable",
	} {
		write(src)
		if err := ExecBare(context.Background(), file, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", src, err, want)
		}
	}
	if err := ExecBare(context.Background(), file+"x", &out); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}
