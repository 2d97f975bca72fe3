package local

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Conn is the scope of this computer's machines.
type Conn struct {
	site *Site
}

// Connect returns the scope. Nothing is written. Where there can be no machines
// it is an error that says what else there is.
func Connect(cfg Config) (*Conn, error) {
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Conn{site: s}, nil
}

// Site is where the machines are.
func (c *Conn) Site() *Site { return c.site }

// Close implements [resource.Conn].
func (c *Conn) Close() error { return nil }

// Observe implements [resource.Conn]. It reads files, and starts nothing.
func (c *Conn) Observe(_ context.Context, q resource.Query) (*resource.Observation, error) {
	all, err := c.site.List()
	if err != nil {
		return nil, err
	}
	obs := &resource.Observation{
		// The same site of another computer is another scope.
		Identity: readWord("/etc/machine-id") + "/" + c.site.name,
		Summary:  fmt.Sprintf("%d machines", len(all)),
	}
	if len(all) == 1 {
		obs.Summary = "1 machine"
	}
	for _, m := range all {
		o, err := m.object(q.Project)
		if err != nil {
			return nil, fmt.Errorf("machine %s of %s: %w", m.Name, m.Project, err)
		}
		obs.Objects = append(obs.Objects, o)
	}
	return obs, nil
}

// SSH says how a machine is reached.
type SSH struct {
	Address string // host and port
	User    string
	Key     []byte // the user's private key, as PEM
	HostKey string // the server's public key, as a line of authorized_keys
}

// SSH returns how the machine is reached. It does not have to run.
func (m *Machine) SSH() (SSH, error) {
	key, err := os.ReadFile(m.KeyFile())
	return SSH{Address: net.JoinHostPort(m.Address.String(), "22"), User: m.User, Key: key, HostKey: m.HostKey}, err
}
