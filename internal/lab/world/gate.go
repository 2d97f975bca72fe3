package world

import (
	"net"
	"sync"
)

// gate holds up what a paused host should answer. Connections stay open, and the
// system takes new ones: they only are not answered.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
	isOpen bool
}

func newGate(shut bool) *gate {
	g := &gate{opened: make(chan struct{})}
	if !shut {
		g.open()
	}
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isOpen {
		g.isOpen = true
		close(g.opened)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isOpen {
		g.isOpen = false
		g.opened = make(chan struct{})
	}
}

// pass waits until the gate is open, and reports false where done came first.
func (g *gate) pass(done <-chan struct{}) bool {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return true
	default:
	}
	select {
	case <-opened:
		return true
	case <-done:
		return false
	}
}

// gatedConn is a connection to a host that may be paused.
type gatedConn struct {
	net.Conn
	gate *gate
	done chan struct{}
	once sync.Once
	left func()
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.gate.pass(c.done) {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if !c.gate.pass(c.done) {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Close ends the connection.
func (c *gatedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		close(c.done)
		c.left()
	})
	return err
}

// CloseWrite ends one direction, where the connection has two.
func (c *gatedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
