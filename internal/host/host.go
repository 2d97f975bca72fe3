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
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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

	mu    sync.Mutex
	facts *Facts
}

// Connect returns the connection to a machine. Nothing is dialled yet.
func Connect(m remote.Machine) *Conn {
	c := &Conn{machine: m, host: remote.DialHost(m)}
	c.apt.run, c.apt.busy = c.installAll, make(chan struct{}, 1)
	return c
}

// Remote is the connection that everything on the machine shares.
func (c *Conn) Remote() *remote.Host { return c.host }

// WaitReady waits until a machine that is new, or that may only be starting, can
// be worked on; see [remote.WaitReady].
func (c *Conn) WaitReady(ctx context.Context, port time.Duration, progress func(string)) error {
	return remote.WaitReady(ctx, c.host, port, progress)
}

// MadeReady is [resource.Settler]'s part for what a provider has just made: it
// returns when the machine can be worked on, or says what it still waited for.
func (c *Conn) MadeReady(ctx context.Context, r *resource.Request) error {
	err := c.WaitReady(ctx, 0, func(text string) { r.Progress(resource.Progress{Text: text}) })
	if err != nil && !errors.Is(err, context.Canceled) {
		return &resource.NotConverged{Address: r.Address, Summary: "runs, but cannot be worked on yet", Detail: err.Error()}
	}
	return err
}

// Close implements [resource.Conn].
func (c *Conn) Close() error { return c.host.Close() }

// Facts returns what the last observation found out about the machine, nil
// before the first.
func (c *Conn) Facts() *Facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.facts
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
