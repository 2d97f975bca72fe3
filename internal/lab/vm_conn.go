package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Conn is the scope of a lab's hosts.
type Conn struct{ lab *Lab }

// Connect returns the scope of the lab in a folder. Nothing is written, and
// nothing is started.
func Connect(dir string) (*Conn, error) {
	l, err := Open(dir)
	if err != nil {
		return nil, err
	}
	return &Conn{l}, nil
}

// Lab is where the hosts are.
func (c *Conn) Lab() *Lab { return c.lab }

// Close implements [resource.Conn]. The lab goes on.
func (c *Conn) Close() error {
	c.lab.Close()
	return nil
}

// Observe implements [resource.Conn]. A lab that is not there has no hosts, and is
// not made; the process of one that is there is started where it does not run.
func (c *Conn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
	all, err := c.lab.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	obs := &resource.Observation{Identity: "lab " + c.lab.dir, Summary: fmt.Sprintf("%d hosts", len(all))}
	if len(all) == 1 {
		obs.Summary = "1 host"
	}
	for _, h := range all {
		obs.Objects = append(obs.Objects, object(h, q.Project))
	}
	return obs, nil
}

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	return c.lab.ReadLease(ctx, project)
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	return c.lab.WriteLease(ctx, project, old, next)
}

var _ resource.Leaser = (*Conn)(nil)

// hostOf is the host that an observed object is.
func hostOf(o *resource.Object) (*api.Host, error) {
	h, ok := o.Native.(*api.Host)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as a host of a lab", o.Name)
	}
	return h, nil
}
