package builtins

import (
	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/value"
)

// scopeArgument is the keyword that names a scope of that type.
func scopeArgument(scope string) string {
	switch scope {
	case "swarm":
		return "cluster"
	case "lab", "local", "azure":
		return "provider"
	}
	return scope
}

// scopeIndex is the place of the scope among the positional arguments, where it
// has one.
func (d *declarer) scopeIndex() int {
	if d.joins {
		return 1
	}
	return 0
}

// bind finds the scope and makes the address.
func (c *call) bind(name string, scope starlark.Value) {
	addr, ok := "", true
	if scope == nil && c.target != nil && c.kind.Scope != "" && c.target.decl.Kind.Scope == c.kind.Scope {
		addr = c.target.decl.Scope // where the check's target lives
	} else if addr, ok = c.d.recorder.scopeFor(c, scope); !ok {
		addr = "unknown"
	}
	c.decl.Scope = addr
	if c.d.joins {
		c.decl.On = c.d.recorder.joiner(c)
	}
	if c.kind.Opens != "" {
		addr = "" // what opens a scope stands alone
	}
	c.decl.Address = value.NewAddress(addr, c.kind.Name, name)
}

// joinOnly are the arguments of a node that only a join can say.
var joinOnly = []string{"advertise_addr", "listen_addr", "data_path_addr"}

// membership gives a node that joins the role that it has unless told
// otherwise, and refuses what has no meaning for one that has joined already.
func (c *call) membership() {
	if c.kind.Name != "node" || c.kind.Scope != "swarm" {
		return
	}
	if f, ok := c.kind.Schema.Field("role"); ok && c.d.joins {
		c.inherit()
		if c.decl.Args[f.Index] == nil {
			c.decl.Args[f.Index] = "worker"
		}
	}
	for _, name := range joinOnly {
		if f, ok := c.kind.Schema.Field(name); ok && !c.d.joins && c.decl.Args[f.Index] != nil {
			c.report(name, -1, "%s: %s is an argument of swarm.join", c.d.name, name).Detail = "this node has joined already"
		}
	}
}

// inherit gives a swarm.join of the host that the swarm begins on what swarm.init
// has said of it, where the join does not say otherwise: it is a manager.
func (c *call) inherit() {
	swarm := c.d.recorder.declared[value.Address(c.decl.Scope)]
	if swarm == nil || swarm.Scope != c.decl.On {
		return
	}
	given := value.Struct{}
	if old := c.d.recorder.declared[c.decl.Address]; c.d.recorder.founders[old] {
		given = old.Args
	} else if f, ok := c.kind.Schema.Field("role"); ok { // of an engine(), nothing is declared
		given = make(value.Struct, len(c.decl.Args))
		given[f.Index] = "manager"
	}
	for i, v := range given {
		if c.decl.Args[i] == nil {
			c.decl.Args[i] = v
		}
	}
}
