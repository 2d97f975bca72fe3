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
	switch m.State() {
	case Off:
		return nil, fmt.Errorf("%s %w", m.Name, resource.ErrOff)
	case Paused: // it would take its time to say nothing
		return nil, fmt.Errorf("machine %s is paused, so it is %w: swarmscript local resume %s, or an apply, lets it go on", m.Name, resource.ErrUnreachable, m.Name)
	}
	s, err := m.SSH()
	if err != nil {
		return nil, err
	}
	return host.Connect(remote.Machine{
		Address: m.Address.String(), Port: 22, User: s.User, Key: s.Key, HostKeys: []string{s.HostKey}, Jump: "none",
	}), nil
}
