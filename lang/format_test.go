package lang

import (
	"math/rand/v2"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The shortcut for names must say what the interpreter says, or nothing.
func TestFormatScalars(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "%s", "%d", "%%", "%", "%r", "%x", "%(k)s", "é", "%i", ""}
	values := []starlark.Value{
		starlark.String("web"), starlark.String(""), starlark.MakeInt(0), starlark.MakeInt(-7), starlark.MakeInt64(1 << 40),
		starlark.MakeInt(1).Lsh(80), starlark.None, starlark.True, starlark.Float(1.5), starlark.NewList(nil), starlark.Tuple{},
	}
	taken := 0
	for range 50000 {
		var format strings.Builder
		for range rnd.IntN(5) {
			format.WriteString(parts[rnd.IntN(len(parts))])
		}
		y := values[rnd.IntN(len(values))]
		if rnd.IntN(2) == 0 {
			tuple := make(starlark.Tuple, rnd.IntN(4))
			for i := range tuple {
				tuple[i] = values[rnd.IntN(len(values))]
			}
			y = tuple
		}
		got, ok := formatScalars(format.String(), y)
		if !ok {
			continue
		}
		taken++
		want, err := starlark.Binary(syntax.PERCENT, starlark.String(format.String()), y)
		if err != nil || got != want {
			t.Fatalf("%q %% %v is %q, the interpreter says %v, %v", format.String(), y, string(got), want, err)
		}
	}
	if taken < 1000 {
		t.Errorf("the shortcut was taken %d times only", taken)
	}
	for i, s := range map[string]string{"web-%d": "web-3", "%d:%%": "3:%"} {
		if got, ok := formatScalars(i, starlark.MakeInt(3)); !ok || string(got) != s {
			t.Errorf("%q is %q, %v", i, got, ok)
		}
	}
}
