package world

import (
	"errors"
	"net"
	"sync"
	"time"
)

// pipes is a listener for connections that somebody else has accepted.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements [net.Listener].
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. What was accepted stays open.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements [net.Listener].
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Net: "pipe"} }

// hand passes a connection on, and reports whether anybody took it.
func (p *pipes) hand(c net.Conn) bool {
	select {
	case p.conns <- c:
		return true
	case <-p.done:
		return false
	}
}

// serve passes a connection on, and returns when it is closed.
func (p *pipes) serve(c net.Conn) {
	w := &watched{Conn: c, closed: make(chan struct{})}
	if !p.hand(w) {
		return
	}
	select {
	case <-w.closed:
	case <-p.done:
	}
}

// watched tells when a connection is closed.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

// Close ends the connection.
func (w *watched) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// CloseWrite ends one direction, where the connection has two.
func (w *watched) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// duplex is a connection within the process of which each direction ends by itself:
// who has said all may go on to read.
type duplex struct {
	net.Conn          // from the other end
	to       net.Conn // to it
}

func newDuplex() (a, b net.Conn) {
	fromB, toA := net.Pipe()
	fromA, toB := net.Pipe()
	return duplex{fromB, toB}, duplex{fromA, toA}
}

// Write implements [net.Conn].
func (d duplex) Write(b []byte) (int, error) { return d.to.Write(b) }

// CloseWrite ends one direction.
func (d duplex) CloseWrite() error { return d.to.Close() }

// Close ends both.
func (d duplex) Close() error { return errors.Join(d.Conn.Close(), d.to.Close()) }

// SetDeadline implements [net.Conn].
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.Conn.SetReadDeadline(t), d.to.SetWriteDeadline(t))
}

// SetWriteDeadline implements [net.Conn].
func (d duplex) SetWriteDeadline(t time.Time) error { return d.to.SetWriteDeadline(t) }
