package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Machine says how a host is reached over SSH. Zero fields mean what
// ~/.ssh/config says, and then ssh's defaults.
type Machine struct {
	// Address is an IP address or a name. It is also what Host in
	// ~/.ssh/config is compared with.
	Address string
	Port    int
	User    string
	// KeyFile is the path of a private key, Key a private key itself in PEM
	// format, for machines that we made. With one of them, no other key is
	// tried.
	KeyFile string
	Key     []byte
	// HostKeys are the host's own, known beforehand, as lines of
	// authorized_keys. Without them, known_hosts decides.
	HostKeys []string
	// Jump is what ssh -J takes: [user@]host[:port], several with commas;
	// "none" ignores ProxyJump in ~/.ssh/config.
	Jump string
	// Sudo says how a command becomes root: "" and "auto" use sudo where the
	// user is not root, "never" runs it as the user is.
	Sudo string
	// SudoPassword is given to sudo where it asks, by standard input.
	SudoPassword string
	// AcceptNew takes the key of a host that is not known yet, and remembers
	// it, as StrictHostKeyChecking=accept-new does. A changed key is never
	// taken.
	AcceptNew bool
	// Keyring decrypts private keys by their passphrases. Nil: encrypted keys
	// only work by an agent.
	Keyring *Keyring
}

// Host is one machine behind one SSH connection, which commands, files and the
// Engine API share. It is dialled when it is needed first, and again when it
// was lost. A Host is safe for concurrent use.
type Host struct {
	m        Machine
	time     timing
	sessions *slots // commands: sshd counts them, MaxSessions is 10 by default; one of them is for what is urgent
	streams  *slots // forwarded connections, which it does not count
	relays   *slots // connections that commands make: they are sessions as well
	stops    *slots // commands that end others

	dials, commands, channels atomic.Int64

	turn chan struct{} // holds one token: who has it may dial

	mu       sync.Mutex
	link     *link
	lost     error // why the last link ended
	attempts int   // dials that ended
	failed   error // how the last one ended
	closed   bool
}

// Usage counts what a host's connection was used for.
type Usage struct {
	Dials    int64 // TCP connections to the host, logins included
	Commands int64 // those that were run by [Host.Run]
	Channels int64 // commands and forwarded connections
}

const (
	// maxSessions leaves two of sshd's ten: for a command that ends another, and
	// for the one that hurries.
	maxSessions = 8
	// maxStreams bounds what is forwarded at once. A plan lists everything at
	// once over about ten.
	maxStreams = 32
)

// errClosed is a use after [Host.Close].
var errClosed = errors.New("the connection was closed by us")

// DialHost returns the host that m means. Nothing is dialled or read before
// the first use.
func DialHost(m Machine) *Host {
	h := &Host{m: m, time: usual, sessions: &slots{max: maxSessions, kept: 1}, streams: newSlots(maxStreams), relays: newSlots(maxRelays), stops: newSlots(1), turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h
}

// Name is the host for a person: user@address:port, as far as m says.
func (h *Host) Name() string {
	name := h.m.Address
	if h.m.Port != 0 && h.m.Port != 22 {
		name = net.JoinHostPort(name, fmt.Sprint(h.m.Port))
	}
	if h.m.User != "" {
		name = h.m.User + "@" + name
	}
	return name
}

// Used returns what was used so far.
func (h *Host) Used() Usage { return Usage{h.dials.Load(), h.commands.Load(), h.channels.Load()} }

// Close ends the connection, and what runs over it. A closed host is not
// dialled again.
func (h *Host) Close() error {
	h.mu.Lock()
	l := h.link
	h.link, h.closed = nil, true
	h.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.close(errClosed)
}

// Reconnect ends the connection when nothing uses it any more; the next use
// dials anew. A login has the groups that its user had when it began: after
// the user was added to a group, only a new one has it.
func (h *Host) Reconnect() {
	h.mu.Lock()
	l := h.link
	h.link = nil
	h.mu.Unlock()
	if l != nil {
		l.retire()
	}
}

// connect returns the link that is up, or dials. Those that come while another
// dials get what it gets.
func (h *Host) connect(ctx context.Context) (*link, error) {
	l, seen, err := h.current()
	if l != nil || err != nil {
		return l, err
	}
	select {
	case <-h.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { h.turn <- struct{}{} }()
	l, now, err := h.current()
	if l != nil || err != nil {
		return l, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if now != seen {
		h.mu.Lock()
		err := h.failed
		h.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	l, err = h.dial(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // otherwise it says nothing about the host
			h.attempts++
			h.failed = err
		}
		return nil, err
	}
	if h.closed {
		l.close(errClosed)
		return nil, h.err("use", errClosed)
	}
	h.attempts++
	h.failed, h.link = nil, l
	return l, nil
}

// current returns the link if it is up, and how many dials there were.
func (h *Host) current() (*link, int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, 0, h.err("use", errClosed)
	}
	if h.link != nil && h.link.ended() {
		h.lost, h.link = h.link.cause(), nil
	}
	return h.link, h.attempts, nil
}

// dial makes a link. What may pass by itself is tried again after a pause.
func (h *Host) dial(ctx context.Context) (*link, error) {
	h.mu.Lock()
	before := h.lost != nil
	h.mu.Unlock()
	s, err := h.m.resolve()
	if err != nil {
		return nil, h.err("reach", err)
	}
	for try := 0; ; try++ {
		l, err := h.dialOnce(ctx, s)
		if err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if try == len(h.time.pauses) || !mayPass(err, before) {
			return nil, h.err("reach", err)
		}
		pause := h.time.pauses[try] // not in step with other hosts behind the same jump host
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
