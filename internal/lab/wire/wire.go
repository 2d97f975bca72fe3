// Package wire is the network between the hosts of a lab, as far as a swarm sees it.
//
// A host has an address of its own, and its swarm manager is known as ADDRESS:2377
// to all. Where that manager listens really is another matter: a free port that
// every system has. In between is a relay for each pair of hosts, made when the one
// first dials the other, so that the pair can be cut: what is sent meanwhile is held
// back, as a network without a route loses it, and goes on when the cut is healed.
//
// SwarmKit dials by itself and asks nobody. But gRPC asks its resolver for each
// target, and tells it the credentials that will be shown there: a node's certificate
// says who dials. See resolver.go.
package wire

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// Wire is the network of one lab. Its methods may be called at once.
type Wire struct {
	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, when a cut or a host changes
	hosts    map[string]*Host
	cuts     map[pair]bool
	isolated map[string]bool
	relays   map[route]*relay
}

// pair is two addresses, the lower one first.
type pair struct{ a, b string }

func pairOf(a, b string) pair {
	if a > b {
		a, b = b, a
	}
	return pair{a, b}
}

// New returns a network without hosts.
func New() *Wire {
	return &Wire{
		changed: make(chan struct{}), hosts: map[string]*Host{},
		cuts: map[pair]bool{}, isolated: map[string]bool{}, relays: map[route]*relay{},
	}
}

// Host is a host that is on.
type Host struct {
	wire    *Wire
	address string

	// Guarded by wire.mu.
	port   string // the one that is known, "2377"
	listen string // where it listens really

	node   func() string             // guarded by labs.mu
	filter func(from string) Verdict // guarded by wire.mu; nil admits all
}

// Verdict is what a host does with who dials its manager.
type Verdict int

const (
	Admitted Verdict = iota
	Dropped          // nobody answers
	Rejected         // refused, as where nobody listens
)

// Filter sets who may connect to the host's manager, by address. What is connected
// stays so.
func (h *Host) Filter(f func(from string) Verdict) {
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	h.filter = f
}

// verdict is what becomes of a connection between two hosts. Whoever is not known
// gets through, and so does a host to itself.
func (w *Wire) verdict(from, to string) Verdict {
	w.mu.Lock()
	h := w.hosts[to]
	var filter func(string) Verdict
	if h != nil {
		filter = h.filter
	}
	w.mu.Unlock()
	if from == "" || from == to || filter == nil {
		return Admitted
	}
	return filter(from)
}

// Attach adds a host that was switched on. Its address is its own among all labs of
// the process.
func (w *Wire) Attach(address string) (*Host, error) {
	h := &Host{wire: w, address: address}
	if err := labs.add(h); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[address] = h
	w.change()
	return h, nil
}

// Detach ends a host as a power cut does: its connections are gone, and nobody hears
// a last word of it. Cuts remain.
func (h *Host) Detach() {
	labs.remove(h)
	w := h.wire
	w.mu.Lock()
	if w.hosts[h.address] == h {
		delete(w.hosts, h.address)
	}
	var gone []*relay
	for route, r := range w.relays {
		switch h.address {
		case route.from:
			delete(w.relays, route)
			gone = append(gone, r)
		case route.host():
			r.drop()
		}
	}
	w.change()
	w.mu.Unlock()
	for _, r := range gone {
		r.close()
	}
}

// Address is the host's.
func (h *Host) Address() string { return h.address }

// Listen returns where the manager of this host is to listen, that all others know
// as ADDRESS:port. Who has dialled it in vain does so again.
func (h *Host) Listen(port string) (string, error) {
	at, err := freePort(h.address)
	if err != nil {
		return "", err
	}
	var callers []*relay
	h.wire.set(func() {
		h.port, h.listen = port, at
		for route, r := range h.wire.relays {
			if route.host() == h.address {
				callers = append(callers, r)
			}
		}
	})
	for _, r := range callers {
		r.recall()
	}
	return at, nil
}

// Target is what a host without a certificate dials to reach an address, so that it
// is known who dials.
func (h *Host) Target(address string) string { return scheme + "://" + h.address + "/" + address }

// Runs tells which swarm node runs on this host: a function that returns the node's ID,
// "" until it has one.
func (h *Host) Runs(node func() string) { labs.runs(h, node) }

// Cut separates two hosts, given by their addresses.
func (w *Wire) Cut(a, b string) { w.set(func() { w.cuts[pairOf(a, b)] = true }) }

// Heal joins two hosts that were cut.
func (w *Wire) Heal(a, b string) { w.set(func() { delete(w.cuts, pairOf(a, b)) }) }

// Isolate separates a host from all others.
func (w *Wire) Isolate(address string) { w.set(func() { w.isolated[address] = true }) }

// Rejoin ends the isolation of a host; cuts remain.
func (w *Wire) Rejoin(address string) { w.set(func() { delete(w.isolated, address) }) }

// HealAll ends every cut and isolation.
func (w *Wire) HealAll() {
	w.set(func() {
		clear(w.cuts)
		clear(w.isolated)
	})
}

func (w *Wire) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.change()
}

// change wakes who waits for a cut to end. Call it with the lock.
func (w *Wire) change() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Reaches tells whether packets go from one host to the other.
func (w *Wire) Reaches(from, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reaches(from, to)
}

func (w *Wire) reaches(from, to string) bool {
	return from == to || !w.cuts[pairOf(from, to)] && !w.isolated[from] && !w.isolated[to]
}

// Answers tells whether something may answer at an address: it is cut or keeps silent,
// so that nobody knows, or the manager of a host that is on listens there.
func (h *Host) Answers(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	w := h.wire
	w.mu.Lock()
	cut, listen := !w.reaches(h.address, host), ""
	if to := w.hosts[host]; to != nil && to.port == port {
		listen = to.listen
	}
	w.mu.Unlock()
	if cut || listen == "" {
		return cut
	}
	if v := w.verdict(h.address, host); v != Admitted {
		return v == Dropped
	}
	// A worker has a place to listen at, and does not.
	conn, err := net.DialTimeout("tcp", listen, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// open waits until packets go the way of a relay, and returns where the other host
// listens, "" if it does not. It ends with false when done is closed.
func (w *Wire) open(r *relay, done <-chan struct{}) (string, bool) {
	host := r.route.host()
	for {
		w.mu.Lock()
		if w.reaches(r.route.from, host) {
			defer w.mu.Unlock()
			if to := w.hosts[host]; to != nil && net.JoinHostPort(host, to.port) == r.route.to {
				return to.listen, true
			}
			return "", true
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-done:
			return "", false
		}
	}
}

// freePort finds a port that is below those which systems give away by themselves, so
// that it is still free when SwarmKit listens on it: a worker does when it is promoted.
// The host's own address is taken where the system has it, which no other lab uses.
func freePort(address string) (string, error) {
	const first, count = 20000, 10000
	var last error
	for _, ip := range []string{address, "127.0.0.1"} {
		for range 100 {
			at := net.JoinHostPort(ip, strconv.Itoa(first+rand.IntN(count)))
			l, err := net.Listen("tcp", at)
			if err != nil {
				last = err
				continue
			}
			l.Close()
			return at, nil
		}
	}
	return "", fmt.Errorf("no port to listen on for host %s: %w", address, last)
}
