package lang

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
)

func TestOneBudget(t *testing.T) {
	f := newFixture(t)
	f.opts.Limits.MaxSteps = 200_000
	loop := "def f():\n    for i in range(10000):\n        pass\nf()\nx = 1\n"
	var loads string
	for _, m := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		f.file(m+".star", loop)
		loads += "load('" + m + ".star', " + m + " = 'x')\n"
	}
	f.file("main.star", loads)
	f.file("one.star", "load('a.star', 'x')\n")
	f.ok("one.star")
	_, list := f.exec("main.star")
	if len(list) != 1 || !strings.Contains(list[0].Summary, "too many steps") {
		t.Errorf("modules share one budget: got %v", list)
	}
}

func TestCancelRunning(t *testing.T) {
	f := newFixture(t)
	s := NewSession(f.opts)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	s.limits.MaxSteps = 1 << 62
	_, err := s.ExecSource(ctx, "a.star", []byte("for i in range(1 << 50):\n    pass\n"))
	list := diag.From(err)
	if len(list) != 1 || list[0].Summary != "cancelled: context deadline exceeded" || list[0].Pos.Line == 0 {
		t.Errorf("got %v", list)
	}
}
