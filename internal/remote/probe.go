package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Probe lets the engine's machine connect to an address, and hang up: whether a
// firewall is between two machines, only they can tell. The error is what that
// machine says; one that is [resource.ErrUnreachable] says nothing of the address:
// the machine could not be asked.
func (d *Docker) Probe(ctx context.Context, network, addr string) error {
	if d.host == nil {
		return fmt.Errorf("%w: the machine of the engine at %s cannot be asked to dial", resource.ErrUnreachable, d.target.Name())
	}
	conn, err := d.host.Dial(ctx, network, addr)
	if err == nil {
		return conn.Close()
	}
	var no *refusal
	switch {
	case ctx.Err() != nil, !errors.As(err, &no):
		return err
	case no.said == "open failed", strings.Contains(no.said, "prohibited"): // what sshd says where AllowTcpForwarding is off
		return err
	}
	return errors.New(no.said)
}
