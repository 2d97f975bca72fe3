package lang

import (
	"context"
	"fmt"
	"testing"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
)

const benchLoop = `
def run():
    n = 0
    for i in range(100000):
        s = "web-%d" % i
        if s == "web-5" or i in (1, 2):
            n += 1
    return n
x = run()
`

func bench(b *testing.B, opts Options, src string) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSession(opts).ExecSource(context.Background(), "bench.star", []byte(src)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGuarded(b *testing.B) { bench(b, Options{}, benchLoop) }
func BenchmarkPlain(b *testing.B)   { bench(b, Options{Bare: true}, benchLoop) }

// BenchmarkDeclarations is what 10,000 declarations cost before anything is
// done with them.
func BenchmarkDeclarations(b *testing.B) {
	var pos diag.Pos
	declare := starlark.NewBuiltin("declare", func(thread *starlark.Thread, _ *starlark.Builtin, _ starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if len(kwargs) != 9 {
			return nil, fmt.Errorf("got %d arguments", len(kwargs))
		}
		pos = CallPos(thread)
		return starlark.None, nil
	})
	src := `
def run():
    for i in range(10000):
        declare(name = "web-%d" % i, image = "nginx:1.27", replicas = 4, networks = ["backend"],
            labels = {"tier": "web"}, env = ["A=%d" % i], mode = "replicated", user = "app", workdir = "/")
run()
`
	for _, bare := range []bool{false, true} {
		b.Run(map[bool]string{false: "guarded", true: "plain"}[bare], func(b *testing.B) {
			bench(b, Options{Bare: bare, Predeclared: starlark.StringDict{"declare": declare}}, src)
		})
	}
	_ = pos
}
