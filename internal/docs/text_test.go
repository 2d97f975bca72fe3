package docs

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// On a terminal nothing is wider than it, but for single words that are.
func TestTextFits(t *testing.T) {
	modules, err := Modules()
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{40, 60, 80, 120} {
		var b bytes.Buffer
		check := func(name string, err error) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for l := range strings.Lines(b.String()) {
				l = strings.TrimRight(l, "\n")
				if utf8.RuneCountInString(l) > width && len(strings.Fields(l)) > 2 {
					t.Errorf("%s: %d columns, of %d:\n%s", name, utf8.RuneCountInString(l), width, l)
				}
			}
			b.Reset()
		}
		check("the list", List(&b, width))
		for _, e := range All() {
			check(e.Name, Text(&b, e, width))
			for _, r := range e.Rows {
				check(e.Name+"."+r.Name, Argument(&b, e, r.Name, width))
			}
		}
		for _, m := range modules {
			check(m.Name, ModuleText(&b, m, width))
		}
	}
}

// A builtin's own name counts before one of its arguments.
func TestNamed(t *testing.T) {
	for name, want := range map[string]string{
		"service": "service ", "service.ports": "service ports", "swarm.init": "swarm.init ", "swarm": "swarm.init ",
		"swarm.init.name": "swarm.init name", "port.target": "port target", "rolling.delay": "rolling delay", "service.nothing": "service nothing",
	} {
		e, argument, err := Named(name)
		if err != nil || e.Name+" "+argument != want {
			t.Errorf("%s: got %v %q, %v", name, e, argument, err)
		}
	}
	if _, _, err := Named("servise.ports"); err == nil || !strings.Contains(err.Error(), "there is no builtin") {
		t.Errorf("got %v", err)
	}
}
