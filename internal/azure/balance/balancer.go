package balance

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// A Front is a port of a load balancer, and where that sends.
type Front struct {
	At       netip.AddrPort
	Protocol string // "tcp" or "udp"
	Backends []netip.AddrPort
	Probe    *Probe // of each backend; nil takes all for well
	// Distribution is what goes to one backend as long as that is well, in Azure's
	// words: "Default" is each connection by itself, "SourceIP" all of a client,
	// "SourceIPProtocol" all of a client and protocol.
	Distribution string
}

func (f Front) socket() socket { return socket{f.At, f.Protocol} }

// A socket is what can be listened at once.
type socket struct {
	at       netip.AddrPort
	protocol string
}

func (s socket) String() string { return fmt.Sprintf("%s/%s", s.at, s.protocol) }

// A Balancer has fronts.
type Balancer struct {
	mu     sync.Mutex
	fronts map[socket]*front
	closed bool
}

// New returns a balancer that has none.
func New() *Balancer { return &Balancer{fronts: map[socket]*front{}} }

// Set has the balancer do what fronts say from now on, and nothing else. What is the
// same goes on, and so do connections of a front that changes; those of one that is
// not there any more end. A front that cannot be listened at is an error until it can,
// at the next Set; the others do not mind.
func (b *Balancer) Set(fronts []Front) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	want := map[socket]bool{}
	for _, f := range fronts {
		want[f.socket()] = true
	}
	for s, f := range b.fronts {
		if !want[s] {
			f.close()
			delete(b.fronts, s)
		}
	}
	var errs []error
	for _, f := range fronts {
		s := f.socket()
		if b.fronts[s] == nil {
			b.fronts[s] = newFront(s)
		}
		if err := b.fronts[s].update(f); err != nil {
			errs = append(errs, fmt.Errorf("nobody is served at %s: %w", s, err))
		}
	}
	return errors.Join(errs...)
}

// Close ends all fronts, and their connections.
func (b *Balancer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, f := range b.fronts {
		f.close()
	}
	clear(b.fronts)
}
