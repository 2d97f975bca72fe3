package debian

import (
	"context"
	"net"
)

// Dial connects to a socket of the machine as root.
func (s *System) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "unix" {
		return nil, pathError("connect", address, ECONNREFUSED)
	}
	return s.DialAs(ctx, "root", address)
}

// Listen makes a socket in the file system that [System.Dial] reaches: root's, of a
// group, readable and writable as the mode says.
func (s *System) Listen(path string, gid uint32, mode uint32, dial func(context.Context) (net.Conn, error)) error {
	root := s.fs.Root()
	root.Umask = 0
	if err := root.RemoveAll(path); err != nil {
		return err
	}
	if err := root.MakeSocket(path, mode); err != nil {
		return err
	}
	if err := root.Chown(path, 0, int(gid), true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports[path] = dial
	return nil
}

// Unlisten closes what listens at a path; the socket stays where it is.
func (s *System) Unlisten(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ports, path)
}

// DialAs connects to a socket of the machine for an account.
func (s *System) DialAs(ctx context.Context, user, path string) (net.Conn, error) {
	who, ok := s.account(user)
	if !ok {
		return nil, pathError("connect", path, EACCES)
	}
	files := s.fs.As(who)
	st, err := files.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case files.Access(path, 2) != nil:
		return nil, pathError("connect", path, EACCES)
	case st.Kind != Socket:
		return nil, pathError("connect", path, ECONNREFUSED)
	}
	real, err := files.RealPath(path)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	dial := s.ports[real]
	s.mu.Unlock()
	if dial == nil {
		return nil, pathError("connect", path, ECONNREFUSED)
	}
	return dial(ctx)
}
