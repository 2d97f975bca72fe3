package run

import (
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What opens a scope is found by its old address too, where it was moved: a
// machine, and a swarm on whichever manager has it.
func TestMovedOpeners(t *testing.T) {
	dir := t.TempDir()
	s, err := Evaluate(t.Context(), Options{File: write(t, dir, `project("p")
vm("new", provider = local(site = "crit"))
one = host("one", "192.0.2.1")
two = host("two", "192.0.2.2")
c = swarm.init(one, name = "new")
swarm.join(two, c, role = "manager")
moved("vm.old", "vm.new")
moved("swarm.old", "swarm.new")
`)})
	if err != nil {
		t.Fatal(err)
	}
	v := newView(&Script{Program: s.Program, root: dir})
	present := func(addr, typ string, objects ...*resource.Object) *apply.Scope {
		st := &plan.ScopeState{Scope: &resource.Scope{Address: addr, Type: typ}, Obs: &resource.Observation{Objects: objects}}
		v.scopes[addr] = &apply.Scope{State: st}
		return v.scopes[addr]
	}
	ours := func(addr string) resource.Mark {
		return resource.Mark{Project: s.Program.Project, Address: value.Address(addr)}
	}
	cloud := present("local.crit", "local", &resource.Object{Kind: "vm", ID: "1", Name: "old", Mark: ours("vm.old")})
	if o, _ := v.openerObject(&resource.Scope{Address: "vm.new"}, cloud); o == nil {
		t.Error("the machine is not found")
	}
	present("docker.one", "engine")
	present("docker.two", "engine", &resource.Object{Kind: "swarm", ID: "S", Name: "old", Mark: ours("swarm.old")})
	sw := &resource.Scope{Address: "swarm.new", Type: "swarm"}
	if !v.settle(sw, false) || v.opener(sw).Scope != "docker.two" {
		t.Errorf("the swarm is looked for in %s", v.opener(sw).Scope)
	}
}

// closing is a connection that counts how often it is closed.
type closing struct {
	resource.Conn
	n int
}

func (c *closing) Close() error { c.n++; return nil }

// A connection that a view does not keep is closed, one that it keeps is not.
func TestPutCloses(t *testing.T) {
	v := newView(&Script{Program: &resource.Program{}, root: t.TempDir()})
	s := &resource.Scope{Address: "engine.a", Type: "engine"}
	one, two := &closing{}, &closing{}
	v.put(s, one, unreachable(s, nil))
	v.put(s, one, unreachable(s, nil))
	if one.n != 0 {
		t.Errorf("what is kept was closed %d times", one.n)
	}
	v.put(s, two, unreachable(s, nil))
	v.put(s, nil, unreachable(s, nil))
	if one.n != 1 || two.n != 1 {
		t.Errorf("what is not kept was closed %d and %d times", one.n, two.n)
	}
}
