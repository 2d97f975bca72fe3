package wire

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// route is a way through the network: the address that dials, "" of a stranger, and
// what it dials.
type route struct{ from, to string }

func (r route) host() string {
	host, _, err := net.SplitHostPort(r.to)
	if err != nil {
		return r.to
	}
	return host
}

// relay carries the connections of a route.
type relay struct {
	wire     *Wire
	route    route
	listener net.Listener

	mu      sync.Mutex
	lines   map[*line]struct{}
	callers map[*caller]struct{}
	times   int // how often the callers were told to connect anew
	closed  bool
}

// line is one connection through a relay.
type line struct {
	once sync.Once
	done chan struct{}
	near net.Conn
	far  net.Conn // guarded by its relay's mu; nil until it is dialled
}

// relay returns the relay of a route, made where it is missing.
func (w *Wire) relay(r route) (*relay, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.relays[r]; got != nil {
		return got, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a way from %s to %s: %w", r.from, r.to, err)
	}
	made := &relay{wire: w, route: r, listener: l, lines: map[*line]struct{}{}, callers: map[*caller]struct{}{}}
	w.relays[r] = made
	go made.accept()
	return made, nil
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		l := &line{done: make(chan struct{}), near: conn}
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			conn.Close()
			return
		}
		r.lines[l] = struct{}{}
		r.mu.Unlock()
		go r.serve(l)
	}
}

// serve carries one connection to its end.
func (r *relay) serve(l *line) {
	defer r.end(l)
	far := r.dial(l)
	if far == nil {
		return
	}
	r.mu.Lock()
	l.far = far
	_, alive := r.lines[l]
	r.mu.Unlock()
	if !alive {
		far.Close()
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		r.carry(l, l.near, far)
		r.end(l)
	}()
	r.carry(l, far, l.near)
	r.end(l)
	<-back
}

// dial reaches the other host. A manager that is just being switched on is given time
// until it listens.
func (r *relay) dial(l *line) net.Conn {
	retry := time.NewTicker(startStep)
	defer retry.Stop()
	for range startSteps {
		at, ok := r.wire.open(r, l.done)
		if !ok || at == "" || !r.admitted(l) {
			return nil
		}
		far, err := net.Dial("tcp", at)
		if err == nil {
			return far
		}
		select {
		case <-l.done:
			return nil
		case <-retry.C:
		}
	}
	return nil
}

const (
	startStep  = 20 * time.Millisecond
	startSteps = 50
	// As TCP knocks again where nobody answers.
	knockStep  = time.Second
	knockSteps = 20
)

// admitted waits until the other host's firewall lets a connection in, for as long
// as one takes that nobody answers.
func (r *relay) admitted(l *line) bool {
	knock := time.NewTicker(knockStep)
	defer knock.Stop()
	for range knockSteps {
		switch r.wire.verdict(r.route.from, r.route.host()) {
		case Admitted:
			return true
		case Rejected:
			return false
		}
		select {
		case <-l.done:
			return false
		case <-knock.C:
		}
	}
	return false
}

// recall lets all callers connect anew.
func (r *relay) recall() {
	r.mu.Lock()
	r.times++
	times, callers := r.times, slices.Collect(maps.Keys(r.callers))
	r.mu.Unlock()
	for _, c := range callers {
		c.call(times)
	}
}

// carry copies from one end to the other. What it has read while the pair is cut it
// holds, and reads no more.
func (r *relay) carry(l *line, to, from net.Conn) {
	buf := make([]byte, 8<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, ok := r.wire.open(r, l.done); !ok {
				return
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			// The end of a connection is a packet too: it does not pass a cut.
			r.wire.open(r, l.done)
			return
		}
	}
}

// end closes a connection.
func (r *relay) end(l *line) {
	l.once.Do(func() {
		close(l.done)
		r.mu.Lock()
		delete(r.lines, l)
		far := l.far
		r.mu.Unlock()
		l.near.Close()
		if far != nil {
			far.Close()
		}
	})
}

// drop closes all connections.
func (r *relay) drop() {
	r.mu.Lock()
	lines := slices.Collect(maps.Keys(r.lines))
	r.mu.Unlock()
	for _, l := range lines {
		r.end(l)
	}
}

// close ends the relay.
func (r *relay) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.listener.Close()
	r.drop()
}
