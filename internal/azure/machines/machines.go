package machines

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// The labels of machines: whose they are, and that their custom data was taken.
const (
	idLabel    = "azure.id"
	takenLabel = "azure.customdata"
)

// A backend is where machines are.
type backend interface {
	// find returns the machine of an ID, nil where there is none.
	find(ctx context.Context, id string) (*machine, error)
	// create makes one, which is off.
	create(ctx context.Context, m emulator.Machine, project string, hostKey []byte) (*machine, error)
	// start and stop do nothing where it is so already.
	start(ctx context.Context, m *machine) error
	stop(ctx context.Context, m *machine) error
	resize(ctx context.Context, m *machine, size emulator.Size) error
	label(ctx context.Context, m *machine, key, value string) error
	destroy(ctx context.Context, m *machine) error
	close() error
}

// machine is one of a backend.
type machine struct {
	labels  map[string]string
	address string
	access  func() (access, error)
	native  any
}

// access is how a machine is reached over SSH.
type access struct {
	address, user, hostKey string
	key                    []byte
	dial                   func(context.Context) (net.Conn, error)
}

// to dials an address.
func to(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
}

// behind is [emulator.Machines] by a backend, with what sends to its machines.
type behind struct {
	backend
	*balancer
}

// Boot implements [emulator.Machines].
func (b behind) Boot(ctx context.Context, m emulator.Machine) (emulator.Booted, error) {
	data, err := parseCustomData(m.CustomData)
	if err != nil {
		return emulator.Booted{}, err
	}
	found, err := b.find(ctx, m.ID)
	if err != nil {
		return emulator.Booted{}, err
	}
	if found == nil {
		if found, err = b.create(ctx, m, projectOf(m), data.hostKey); err != nil {
			return emulator.Booted{}, err
		}
	}
	if err := b.start(ctx, found); err != nil {
		return emulator.Booted{}, err
	}
	if found.labels[takenLabel] == "" {
		if err := run(ctx, found, data.script); err != nil {
			return emulator.Booted{}, fmt.Errorf("custom data: %w", err)
		}
		if err := b.label(ctx, found, takenLabel, "yes"); err != nil {
			return emulator.Booted{}, err
		}
	}
	return emulator.Booted{Private: found.address, Public: found.address}, nil
}

// projectOf tells machines of one host name apart: by their group, and by their
// resource's name where it is another one.
func projectOf(m emulator.Machine) string {
	parts := strings.Split(m.ID, "/")
	group, name := parts[4], parts[len(parts)-1]
	if name == m.Name {
		return group
	}
	return group + "/" + name
}

// the does something to the machine of an ID, which must be there.
func (b behind) the(ctx context.Context, id string, do func(*machine) error) error {
	m, err := b.find(ctx, id)
	if err != nil {
		return err
	}
	if m == nil {
		return fmt.Errorf("the machine of %s is gone: it was destroyed behind the emulator's back", id)
	}
	return do(m)
}

// Power implements [emulator.Machines].
func (b behind) Power(ctx context.Context, id string, p emulator.Power) error {
	return b.the(ctx, id, func(m *machine) error {
		if p != emulator.Start {
			if err := b.stop(ctx, m); err != nil || p == emulator.Stop {
				return err
			}
		}
		if err := b.start(ctx, m); err != nil {
			return err
		}
		return run(ctx, m, "")
	})
}

// Resize implements [emulator.Machines].
func (b behind) Resize(ctx context.Context, id string, size emulator.Size) error {
	return b.the(ctx, id, func(m *machine) error { return b.resize(ctx, m, size) })
}

// Delete implements [emulator.Machines].
func (b behind) Delete(ctx context.Context, id string) error {
	m, err := b.find(ctx, id)
	if err != nil || m == nil {
		return err
	}
	return b.destroy(ctx, m)
}

// Close implements [emulator.Machines].
func (b behind) Close() error {
	b.end()
	return b.close()
}

// sshLimit bounds one attempt to reach a machine, and bootLimit all of them.
const (
	sshLimit  = 20 * time.Second
	bootLimit = 5 * time.Minute
)

// run waits until a machine's SSH server answers, and runs a script as root.
func run(ctx context.Context, m *machine, script string) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	client, a, err := reach(ctx, m)
	if err != nil {
		return err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	command := "sh -ec " + quote(script)
	if a.user != "root" {
		command = "sudo " + command
	}
	if out, err := session.CombinedOutput(command); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// reach waits until a machine's SSH server answers.
func reach(ctx context.Context, m *machine) (*ssh.Client, access, error) {
	a, err := m.access()
	if err != nil {
		return nil, a, err
	}
	client, err := dial(ctx, a)
	for err != nil {
		select {
		case <-ctx.Done():
			return nil, a, err
		case <-time.After(200 * time.Millisecond):
		}
		client, err = dial(ctx, a)
	}
	return client, a, nil
}

func dial(ctx context.Context, a access) (*ssh.Client, error) {
	signer, err := ssh.ParsePrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(a.hostKey))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, sshLimit)
	defer cancel()
	conn, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, a.address, &ssh.ClientConfig{
		User: a.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(hostKey), HostKeyAlgorithms: []string{hostKey.Type()},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}
