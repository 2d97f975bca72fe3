package local

import (
	"context"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Open implements [resource.Opener]: the machine over SSH.
func (vmHandler) Open(_ context.Context, _ resource.Conn, o *resource.Object) (resource.Conn, error) {
	m, ok := o.Native.(*Machine)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as a machine of this computer", o.Name)
	}
	if m.State() == Off {
		return nil, fmt.Errorf("%s: %w", m.Name, resource.ErrOff)
	}
	s, err := m.SSH()
	if err != nil {
		return nil, err
	}
	return host.Connect(remote.Machine{
		Address: m.Address.String(), Port: 22, User: s.User, Key: s.Key, HostKeys: []string{s.HostKey}, Jump: "none",
	}), nil
}
