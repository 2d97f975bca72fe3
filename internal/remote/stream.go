package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial opens a connection that the host makes: "unix" to a socket's path, "tcp"
// to an address as the host sees it. Deadlines are not supported on it.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := h.streams.acquire(ctx, false); err != nil {
		return nil, err
	}
	var conn net.Conn
	err := h.over(ctx, func(l *link) (err error) {
		conn, err = l.stream(ctx, network, addr)
		return err
	})
	if err != nil {
		h.streams.release()
		return nil, h.refused(ctx, network, addr, err)
	}
	h.channels.Add(1)
	s := conn.(*stream)
	s.onClose(s.link.unuse)
	s.onClose(h.streams.release)
	return s, nil
}

// over runs what opens something on the link. Where the link turns out to be
// lost, it is dialled anew: nothing was opened, so nothing is done twice.
func (h *Host) over(ctx context.Context, open func(*link) error) error {
	for try := 0; ; try++ {
		l, err := h.connect(ctx)
		if err != nil {
			return err
		}
		if !l.use() { // it retired in between
			continue
		}
		if err = open(l); err == nil {
			return nil
		}
		l.unuse()
		var no *ssh.OpenChannelError
		switch {
		case ctx.Err() != nil:
			return err
		case errors.As(err, &no):
			return &refusal{no.Message}
		}
		if !l.dying() || try == 2 {
			return h.err("use", err)
		}
	}
}

// refusal is a channel that the host would not open, for its reason.
type refusal struct{ said string }

func (e *refusal) Error() string { return e.said }

// dying waits for a link whose channels fail to end, and reports whether it
// did.
func (l *link) dying() bool {
	select {
	case <-l.done:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// stream opens a forwarded connection on a link.
func (l *link) stream(ctx context.Context, network, addr string) (net.Conn, error) {
	kind, payload, err := forward(network, addr)
	if err != nil {
		return nil, err
	}
	ch, reqs, err := l.open(ctx, kind, payload)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs)
	l.hurry()
	return &stream{Channel: ch, link: l, to: place{network, addr}}, nil
}

// forward is the request for a forwarded connection: RFC 4254 section 7.2, and
// OpenSSH's PROTOCOL section 2.4.
func forward(network, addr string) (kind string, payload []byte, err error) {
	switch network {
	case "unix":
		return "direct-streamlocal@openssh.com", ssh.Marshal(&struct {
			Path      string
			Reserved0 string
			Reserved1 uint32
		}{Path: addr}), nil
	case "tcp":
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", nil, err
		}
		n, err := net.LookupPort("tcp", port)
		if err != nil {
			return "", nil, err
		}
		return "direct-tcpip", ssh.Marshal(&struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}{host, uint32(n), "127.0.0.1", 0}), nil
	}
	return "", nil, fmt.Errorf("cannot dial %q over SSH, only unix and tcp", network)
}

// stream is a forwarded connection.
type stream struct {
	ssh.Channel
	link *link
	to   place

	mu    sync.Mutex
	over  bool
	after []func()
}

// onClose adds what is done when it is closed.
func (s *stream) onClose(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
}

// Read implements [net.Conn]. Where the whole connection was lost, it says so:
// what reads to the end must not take that for the end.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Channel.Read(b)
	if err != io.EOF || s.isOver() || s.link.alive() {
		return n, err
	}
	s.link.dying()
	return n, &lostError{cause: s.link.cause()}
}

// isOver reports whether we closed it.
func (s *stream) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Close implements [net.Conn].
func (s *stream) Close() error {
	s.mu.Lock()
	over, after := s.over, s.after
	s.over = true
	s.mu.Unlock()
	if over {
		return nil
	}
	err := s.Channel.Close()
	for _, f := range after {
		f()
	}
	if err == io.EOF {
		return nil // the other side was first
	}
	return err
}

// LocalAddr implements [net.Conn].
func (s *stream) LocalAddr() net.Addr { return place{s.to.network, "ssh"} }

// RemoteAddr implements [net.Conn].
func (s *stream) RemoteAddr() net.Addr { return s.to }

// SetDeadline implements [net.Conn].
func (s *stream) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline implements [net.Conn].
func (s *stream) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// SetWriteDeadline implements [net.Conn].
func (s *stream) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// place is an address on the other side.
type place struct{ network, address string }

// Network implements [net.Addr].
func (p place) Network() string { return p.network }

// String implements [net.Addr].
func (p place) String() string { return p.address }
