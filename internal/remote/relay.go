package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// engineDialer reaches an engine's socket on a host: by a forwarded
// connection, or where that is refused by `docker system dial-stdio`, which the
// docker CLI itself uses over SSH: the user may not open the socket but may use
// sudo, or sshd forwards nothing (AllowStreamLocalForwarding no).
type engineDialer struct {
	h      *Host
	socket string

	mu     sync.Mutex
	link   *link // the login to which the rest applies
	relay  bool
	asRoot bool
}

// maxRelays leaves sessions to commands: an HTTP connection that idles keeps
// its own.
const maxRelays = 4

func (d *engineDialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if relay, asRoot := d.way(); relay {
		return d.h.relay(ctx, d.socket, asRoot)
	}
	conn, err := d.h.Dial(ctx, "unix", d.socket)
	var no *refusal
	if err == nil || !errors.As(err, &no) || ctx.Err() != nil {
		return conn, err
	}
	asRoot, err := d.ask(ctx)
	if err != nil {
		return nil, err
	}
	return d.h.relay(ctx, d.socket, asRoot)
}

// way says how this login reaches the socket. A new login may have what the
// old one had not: its user is in the group docker now.
func (d *engineDialer) way() (relay, asRoot bool) {
	d.h.mu.Lock()
	now := d.h.link
	d.h.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if now == nil || now != d.link {
		return false, false
	}
	return d.relay, d.asRoot
}

// look says what is there: the socket, whether it is open to the user, and the
// docker CLI.
const look = `if [ ! -e "$1" ]; then echo missing; elif [ ! -S "$1" ]; then echo file; elif [ -r "$1" ] && [ -w "$1" ]; then echo open; else echo closed; fi
command -v docker || true`

// ask finds out why the host did not forward, and whether a relay helps.
func (d *engineDialer) ask(ctx context.Context) (asRoot bool, err error) {
	res, err := d.h.Run(ctx, Command{Script: look, Args: []string{d.socket}})
	if err != nil {
		return false, err
	}
	state, cli, _ := strings.Cut(strings.TrimSpace(string(res.Stdout)), "\n")
	name := d.h.Name()
	switch {
	case state == "missing":
		return false, d.fail("there is no socket %s on %s (is Docker installed and running there?)", d.socket, name)
	case state == "file":
		return false, d.fail("%s on %s is no socket", d.socket, name)
	case state == "closed" && d.h.m.Sudo == "never":
		return false, d.fail("the user may not use %s on %s (add the user to the group that owns it, often docker, or allow sudo)", d.socket, name)
	case state == "open" && cli == "":
		return false, d.fail("sshd on %s does not forward to %s, and there is no docker command to do it (AllowStreamLocalForwarding yes in its sshd_config, or start Docker)", name, d.socket)
	case cli == "":
		return false, d.fail("the user may not use %s on %s, and there is no docker command to do it by sudo (add the user to the group that owns it, often docker)", d.socket, name)
	}
	d.h.mu.Lock()
	l := d.h.link
	d.h.mu.Unlock()
	d.mu.Lock()
	d.link, d.relay, d.asRoot = l, true, state == "closed"
	d.mu.Unlock()
	return state == "closed", nil
}

func (d *engineDialer) fail(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &hostError{msg: err.Error(), cause: err, is: []error{resource.ErrUnreachable}}
}

// relay is a connection to a socket by a command on the host.
func (h *Host) relay(ctx context.Context, socket string, asRoot bool) (net.Conn, error) {
	if err := h.relays.acquire(ctx, false); err != nil {
		return nil, err
	}
	ch, reqs, l, err := h.session(ctx, false)
	if err != nil {
		h.relays.release()
		return nil, err
	}
	r := &relayed{stream: stream{Channel: ch, link: l, to: place{"unix", socket}}, host: h}
	r.onClose(l.unuse)
	r.onClose(h.sessions.release)
	r.onClose(h.relays.release)
	c := Command{Script: `exec docker --host "unix://$1" system dial-stdio`, Args: []string{socket}, Root: asRoot}
	run := newRunning(ch, reqs, l, h.m.needsRoot(c, l.user))
	if err := run.request(ctx, c, &r.stderr); err != nil {
		r.Close()
		return nil, h.brokenOff(ctx, l, c, err)
	}
	if run.root == nil {
		return r, nil
	}
	stop := context.AfterFunc(ctx, func() { ch.Close() })
	defer stop()
	write := func(b []byte) error { _, err := ch.Write(b); return err }
	if !run.root.answer(write, run.over) {
		ch.CloseWrite()
		<-run.over
		run.copies.Wait()
		r.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := run.root.failure(h); err != nil {
			return nil, err
		}
		// It was root, and ended before it was asked for anything.
		return nil, &hostError{msg: fmt.Sprintf("the docker command on %s reaches no engine: %s", h.Name(), r.stderr.last()), cause: io.EOF, is: []error{resource.ErrUnreachable}}
	}
	return r, nil
}

// relayed is the connection over such a command.
type relayed struct {
	stream
	host   *Host
	stderr said
	read   bool // only by the reader
}

// Read implements [net.Conn]. A command that ended without a word for us has
// said why on standard error.
func (r *relayed) Read(b []byte) (int, error) {
	n, err := r.stream.Read(b)
	if err == io.EOF && !r.read {
		if text := r.stderr.last(); text != "" {
			return n, &hostError{msg: fmt.Sprintf("the docker command on %s reaches no engine: %s", r.host.Name(), text), cause: err, is: []error{resource.ErrUnreachable}}
		}
	}
	r.read = r.read || n > 0
	return n, err
}

// said keeps what a command writes while others read it.
type said struct {
	mu   sync.Mutex
	text capped
}

// Write implements [io.Writer].
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lastLines(bytes.Clone(s.text.Bytes()), 2)
}
