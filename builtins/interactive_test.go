package builtins_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// typed is a session of inputs over one recorder.
type typed struct {
	*testing.T
	rec  *builtins.Recorder
	s    *lang.Session
	vars starlark.StringDict
	n    int
}

func newTyped(t *testing.T) *typed {
	rec := builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
	return &typed{T: t, rec: rec, s: lang.NewSession(lang.Options{Predeclared: rec.Predeclared()}), vars: starlark.StringDict{}}
}

// input evaluates one; what fails is undone.
func (f *typed) input(text string) error {
	f.n++
	f.rec.Next()
	bound, _, err := f.s.ExecInput(context.Background(), fmt.Sprintf("input %d", f.n), []byte(text), f.vars)
	if err != nil {
		f.rec.Undo()
		return err
	}
	maps.Copy(f.vars, bound)
	return nil
}

func (f *typed) fine(texts ...string) {
	f.Helper()
	for _, text := range texts {
		if err := f.input(text); err != nil {
			f.Fatalf("%s: %v", text, err)
		}
	}
}

func (f *typed) fails(text, want string) {
	f.Helper()
	if err := f.input(text); err == nil || !strings.Contains(err.Error(), want) {
		f.Fatalf("%s: got %v, want %q", text, err, want)
	}
}

// declares checks what there is now, as "address image".
func (f *typed) declares(want ...string) {
	f.Helper()
	p, problems := f.rec.Current()
	if err := problems.Err(); err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, d := range p.Declarations {
		text := d.Address.Short()
		if field, ok := d.Kind.Schema.Field("image"); ok {
			text += " " + strings.TrimSuffix(value.Text(d.Args[field.Index]), ":latest")
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		f.Fatalf("declared are %q, want %q", got, want)
	}
}

func TestALaterInputReplaces(t *testing.T) {
	f := newTyped(t)
	f.fine("project('p')", "cluster = swarm.init()", "n = network('n')", "service('web', image = 'a', networks = [n])", "service('db', image = 'a')")
	f.declares("swarm.main", "network.n", "service.web a", "service.db a")
	f.fine("service('web', image = 'b')") // in its place
	f.declares("swarm.main", "network.n", "service.web b", "service.db a")
	f.fails("service('db', image = 'c')\nservice('db', image = 'd')", "service.db is declared twice")
	f.declares("swarm.main", "network.n", "service.web b", "service.db a")
	f.fails("service('new', image = 'c')\nservice('web', image = 'c')\n1 // 0", "division")
	f.fails("service('web', image = 'c', replica = 1)", `(did you mean "replicas"?)`)
	f.declares("swarm.main", "network.n", "service.web b", "service.db a")
	f.fine("cluster = swarm.init()", "service('x', image = 'a')") // still one swarm
	f.fine("project('q', env = 'e')", "engine('tcp://1.2.3.4:1', name = 'e')", "engine('tcp://1.2.3.4:2', name = 'e')",
		"output('o', 1)", "output('o', 2)", "moved('service.y', 'service.x')", "moved('service.y', 'service.x')")
	f.fails("output('o', 3)\noutput('o', 4)", `output "o" is declared twice`)
	f.fails("project('r')\nproject('s')", "project() is called twice")
	p, problems := f.rec.Current()
	if problems.Err() != nil || p.Project != "q/e" || len(p.Outputs) != 1 || p.Outputs[0].Value != int64(2) || len(p.Moves) != 1 {
		t.Errorf("got %+v, %v", p, problems)
	}
	for _, s := range p.Scopes {
		if s.Address == "engine.e" && s.Config != (builtins.Engine{Host: "tcp://1.2.3.4:2"}) {
			t.Errorf("engine.e is %+v", s.Config)
		}
	}
}

// A program is a picture of the moment, however often it is asked for.
func TestCurrent(t *testing.T) {
	f := newTyped(t)
	f.fine("project('p')\nswarm.init()\nnetwork('n')\nservice('web', image = 'a', networks = ['n'])")
	first, _ := f.rec.Current()
	for range 3 {
		again, _ := f.rec.Current()
		if got := again.Declarations[2].After; !slices.Equal(got, []value.Address{"swarm.main/network.n"}) {
			t.Fatalf("service.web comes after %v", got)
		}
	}
	f.fine("service('web', image = 'b')", "project('q')")
	if first.Project != "p" || len(first.Declarations) != 3 || first.Declarations[2].Args[1] == nil {
		t.Errorf("the first picture has changed: %+v", first)
	}
	empty := newTyped(t)
	if p, problems := empty.rec.Current(); problems.Err() != nil || len(p.Scopes) != 0 {
		t.Errorf("nothing was declared: %v, %v", p, problems)
	}
	p := empty.rec.Observed()
	if len(p.Scopes) != 2 || !p.Declarations[0].External {
		t.Errorf("looked at would be %+v", p)
	}
	empty.declares() // looking declares nothing
}

func TestUndeclare(t *testing.T) {
	f := newTyped(t)
	f.fine("project('p')", "swarm.init()", "n = network('n')", "service('web', image = 'a', networks = [n])", "output('id', n.id)")
	for address, want := range map[string]string{
		"network.n":  "network.n is used by service.web, output id",
		"swarm.main": "swarm.main is used by network.n, service.web",
		"network.m":  `network.m is not declared (did you mean "network.n"?)`,
	} {
		if _, err := f.rec.Undeclare(address); err == nil || !strings.Contains(diag.From(err)[0].Error(), want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
	for _, address := range []string{"swarm.main/service.web"} {
		if _, err := f.rec.Undeclare(address); err != nil {
			t.Error(err)
		}
	}
	f.declares("swarm.main", "network.n")
	f.fine("service('web', image = 'b')")
	f.declares("swarm.main", "network.n", "service.web b")
}

// What stands on an engine uses it.
func TestUndeclareEngine(t *testing.T) {
	f := newTyped(t)
	f.fine("project('p')", "c = swarm.init()", "h = host('h', '192.0.2.1')", "docker_install(h)", "swarm.join(h, c)")
	if _, err := f.rec.Undeclare("docker.h"); err == nil || !strings.Contains(diag.From(err)[0].Error(), "docker.h is used by node.h") {
		t.Errorf("got %v", err)
	}
	for _, address := range []string{"node.h", "docker.h"} {
		if _, err := f.rec.Undeclare(address); err != nil {
			t.Error(err)
		}
	}
}
