package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// dialTimeout is for TCP, where ConnectTimeout says nothing.
const dialTimeout = 10 * time.Second

var (
	errSilent = errors.New("the port is open, but no SSH server says hello")
	errHello  = errors.New("the connection was closed before the login")
)

// settings are where and how to log in, after ~/.ssh/config was asked.
type settings struct {
	alias   string // what known_hosts and the user know it by
	address string // what is dialled
	port    int
	user    string
	timeout time.Duration // of TCP
	auth    *auth
	keys    *hostKeys
	hops    []*settings // the jump hosts, the first one first
	command string      // makes the connection instead of us: ProxyCommand
}

func (s *settings) dialled() string { return net.JoinHostPort(s.address, strconv.Itoa(s.port)) }

// dialOnce dials the jump hosts one through the other, and the host behind
// them.
func (h *Host) dialOnce(ctx context.Context, s *settings) (*link, error) {
	h.dials.Add(1)
	var hops []*link
	for _, hop := range s.hops {
		l, err := dialHop(ctx, hop, hops, newSlots(1), h.time)
		if err != nil {
			closeAll(hops, err)
			return nil, &hopError{hop.alias, err}
		}
		hops = append(hops, l)
	}
	l, err := dialHop(ctx, s, hops, h.sessions, h.time)
	if err != nil {
		closeAll(hops, err)
	}
	return l, err
}

// hopError is a jump host that could not be reached or used.
type hopError struct {
	name string
	err  error
}

func (e *hopError) Error() string { return "the jump host " + e.name + ": " + e.err.Error() }

func (e *hopError) Unwrap() error { return e.err }

func closeAll(hops []*link, why error) {
	for i := len(hops) - 1; i >= 0; i-- {
		hops[i].close(why)
	}
}

// dialHop dials one host through the last of the hops before it.
func dialHop(ctx context.Context, s *settings, before []*link, sessions *slots, t timing) (*link, error) {
	conn, err := dialTCP(ctx, s, before)
	if err != nil {
		return nil, err
	}
	g := &greeting{Conn: conn}
	client, err := login(ctx, g, s, t.hello)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return newLink(client, g, before, sessions, t), nil
}

// dialTCP opens the connection that SSH goes over.
func dialTCP(ctx context.Context, s *settings, before []*link) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, &net.OpError{Op: "dial", Net: "tcp", Err: errTimeout(s.timeout)})
	defer cancel()
	if s.command != "" && len(before) == 0 {
		return startProxy(s.command, s.dialled())
	}
	if len(before) == 0 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.dialled())
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return conn, err
	}
	return before[len(before)-1].stream(ctx, "tcp", s.dialled())
}

// login does the SSH handshake on a connection.
func login(ctx context.Context, g *greeting, s *settings, patience time.Duration) (*ssh.Client, error) {
	keys, err := s.keys.load()
	if err != nil {
		return nil, err
	}
	a := s.auth.begin()
	defer a.end()
	var late atomic.Bool
	hello := time.AfterFunc(patience, func() {
		late.Store(true)
		g.Close()
	})
	defer hello.Stop()
	a.asking = func() { hello.Stop() }
	stop := context.AfterFunc(ctx, func() { g.Close() })
	defer stop()
	c, chans, reqs, err := ssh.NewClientConn(g, s.dialled(), &ssh.ClientConfig{
		User:              s.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(a.signers)},
		AuthCallback:      a.offered,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(),
		ClientVersion:     "SSH-2.0-SwarmScript",
	})
	switch {
	case err == nil:
		return ssh.NewClient(c, chans, reqs), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case a.err != nil: // the library would say that no method remains
		return nil, a.err
	case late.Load() && !g.said.Load():
		return nil, errSilent
	case late.Load():
		return nil, &net.OpError{Op: "login", Net: "ssh", Err: errTimeout(patience)}
	case !g.said.Load() && hungUp(err):
		return nil, errHello
	}
	return nil, a.explain(keys.explain(err))
}

// hungUp reports whether the other side ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// mayPass reports whether a dial that failed may go well in a while: a server
// that hangs up drops logins that come in numbers, and one that had answered
// before may be restarting.
func mayPass(err error, before bool) bool {
	if errors.Is(err, errHello) {
		return true
	}
	var timeout net.Error
	return before && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) ||
		hungUp(err) || errors.As(err, &timeout) && timeout.Timeout())
}

// errTimeout is a [net.Error] that says how long was waited.
type errTimeout time.Duration

func (e errTimeout) Error() string { return "no answer in " + time.Duration(e).String() }

// Timeout implements [net.Error].
func (e errTimeout) Timeout() bool { return true }

// Temporary implements [net.Error].
func (e errTimeout) Temporary() bool { return true }
