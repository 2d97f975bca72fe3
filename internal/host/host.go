// Package host holds the scope of one machine's operating system: its files,
// packages, units, accounts and settings, what a project marks there, and its
// lease.
//
// A machine is looked at in one command over the one connection that everything
// shares ([remote.Host]). Each kind contributes a [section]: a piece of shell
// that asks for what the script declares, and the reading of what it printed.
// A step is one command too. Scripts and data go to the machine by standard
// input, so that neither is seen in its list of processes.
//
// What the machine keeps of us is below [root]: for each project a folder with
// a mark for each object, its lease; and beside them what was there before us,
// which a deletion puts back. The things of an operating system are there
// before we come, so a declaration takes over what has its name: no --adopt is
// asked for, the plan shows what changes, and what is as declared already is
// left, unmarked.
package host

import (
	"fmt"
	"sync"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Conn reaches one machine. It dials when it is observed first.
type Conn struct {
	machine remote.Machine
	host    *remote.Host
	apt     apt

	mu       sync.Mutex
	facts    *Facts
	declared map[string]bool // the IDs of what the last observation was for
}

// Connect returns the connection to a machine. Nothing is dialled yet.
func Connect(m remote.Machine) *Conn {
	c := &Conn{machine: m, host: remote.DialHost(m)}
	c.apt.run, c.apt.busy = c.installAll, make(chan struct{}, 1)
	return c
}

// Remote is the connection that everything on the machine shares.
func (c *Conn) Remote() *remote.Host { return c.host }

// Close implements [resource.Conn].
func (c *Conn) Close() error { return c.host.Close() }

// Facts returns what the last observation found out about the machine, nil
// before the first.
func (c *Conn) Facts() *Facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.facts
}

// declares reports whether the last observation was for a program that declares
// an object.
func (c *Conn) declares(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.declared[id]
}

// connOf is the machine's connection, which all kinds of this package need.
func connOf(c resource.Conn) (*Conn, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("this lives on a machine, not in a %T", c)
	}
	return conn, nil
}

// hiding makes a kind's check say nothing of what is sensitive.
func hiding(s *schema.Struct, check func(value.Struct) schema.Problems) func(value.Struct) schema.Problems {
	return func(args value.Struct) schema.Problems { return s.HideSecrets(args, check(args)) }
}

// Kinds returns the kinds of a machine's operating system, in the order of the
// documentation.
func Kinds() []*resource.Kind {
	return []*resource.Kind{
		FileKind,
		DirectoryKind,
		PackageKind,
		CommandKind,
		UnitKind,
		SysctlKind,
		UserKind,
		FirewallKind,
		Fail2banKind,
		UpgradesKind,
		DockerKind,
	}
}
