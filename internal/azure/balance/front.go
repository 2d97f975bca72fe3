package balance

import (
	"context"
	"hash/maphash"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"
)

// atOnce is how many connections a front has, or clients of udp; more wait.
const atOnce = 4096

// front is a [Front] that is there.
type front struct {
	socket
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	slots   chan struct{} // of connections

	mu      sync.Mutex
	spec    Front
	members []*member
	open    io.Closer // what listens, nil where nothing does
}

// A member is a backend, and whether it gets anything.
type member struct {
	at   netip.AddrPort
	up   bool
	stop context.CancelFunc
}

func newFront(s socket) *front {
	f := &front{socket: s, slots: make(chan struct{}, atOnce)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// close ends it and its connections.
func (f *front) close() {
	f.cancel()
	f.mu.Lock()
	if f.open != nil {
		f.open.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// update has it do what a front says.
func (f *front) update(spec Front) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !reflect.DeepEqual(f.spec, spec) {
		f.enlist(spec)
	}
	return f.listen()
}

// enlist makes the backends of a front the members. The lock is held.
func (f *front) enlist(spec Front) {
	sameProbe := reflect.DeepEqual(f.spec.Probe, spec.Probe)
	var now []*member
	for _, at := range spec.Backends {
		var m *member
		if i := slices.IndexFunc(f.members, func(m *member) bool { return m.at == at }); i >= 0 {
			m = f.members[i]
		}
		if m == nil || !sameProbe {
			m = f.join(at, spec.Probe, m)
		}
		now = append(now, m)
	}
	for _, m := range f.members {
		if !slices.Contains(now, m) {
			m.stop()
		}
	}
	f.spec, f.members = spec, now
}

// join begins to ask whether a backend is well. One that was, under another probe,
// is until that says something else.
func (f *front) join(at netip.AddrPort, p *Probe, before *member) *member {
	ctx, stop := context.WithCancel(f.ctx)
	m := &member{at: at, stop: stop, up: p == nil || before != nil && before.up}
	if p != nil {
		up := m.up
		f.running.Go(func() {
			p.watch(ctx, at.Addr(), up, func(up bool) {
				f.mu.Lock()
				defer f.mu.Unlock()
				m.up = up
				_ = f.listen() // which the next Set says
			})
		})
	}
	return m
}

// listen listens while there is who answers, and only then: a client is refused else,
// where Azure would not let it hear anything. The lock is held.
func (f *front) listen() error {
	wanted := f.protocol == "udp" || slices.ContainsFunc(f.members, func(m *member) bool { return m.up })
	var err error
	switch {
	case f.ctx.Err() != nil: // it is being closed
	case wanted && f.open == nil && f.protocol == "udp":
		f.open, err = f.listenUDP()
	case wanted && f.open == nil:
		f.open, err = f.listenTCP()
	case !wanted && f.open != nil:
		f.open.Close()
		f.open = nil
	}
	return err
}

var seed = maphash.MakeSeed()

// flow is what decides where something goes.
type flow struct {
	client, front netip.AddrPort
	protocol      string
	backend       netip.Addr
}

// pick is the backend that a client is sent to. Each of those that are well has a
// number for what belongs together, and the highest has it: where one comes or goes,
// only what is its own moves.
func (f *front) pick(client netip.AddrPort) (to netip.AddrPort, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by := flow{client: client, front: f.at, protocol: f.protocol}
	switch f.spec.Distribution {
	case "SourceIP":
		by = flow{client: netip.AddrPortFrom(client.Addr(), 0)}
	case "SourceIPProtocol":
		by = flow{client: netip.AddrPortFrom(client.Addr(), 0), protocol: f.protocol}
	}
	var highest uint64
	for _, m := range f.members {
		if !m.up {
			continue
		}
		by.backend = m.at.Addr()
		if n := maphash.Comparable(seed, by); !ok || n > highest {
			to, highest, ok = m.at, n, true
		}
	}
	return to, ok
}

// isUp reports whether a backend gets anything.
func (f *front) isUp(at netip.AddrPort) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.members, func(m *member) bool { return m.at == at && m.up })
}

// pause waits, and reports whether there is still something to do.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
