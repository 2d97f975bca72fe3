package balance

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// dialLimit is how long a backend that does not answer is waited for, and
// acceptPause how long after nothing can be accepted, as without file descriptors.
const (
	dialLimit   = 20 * time.Second
	acceptPause = 100 * time.Millisecond
)

func (f *front) listenTCP() (io.Closer, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(f.at))
	if err != nil {
		return nil, err
	}
	f.running.Go(func() { f.accept(l) })
	return l, nil
}

// accept takes connections until nobody listens any more.
func (f *front) accept(l *net.TCPListener) {
	for {
		select {
		case f.slots <- struct{}{}:
		case <-f.ctx.Done():
			return
		}
		conn, err := l.AcceptTCP()
		if err != nil {
			<-f.slots
			if errors.Is(err, net.ErrClosed) {
				return
			}
			pause(f.ctx, acceptPause)
			continue
		}
		f.running.Go(func() {
			defer func() { <-f.slots }()
			f.forward(conn)
		})
	}
}

// forward connects a client with a backend. One that nobody takes is reset.
func (f *front) forward(client *net.TCPConn) {
	defer client.Close()
	to, ok := f.pick(client.RemoteAddr().(*net.TCPAddr).AddrPort())
	if !ok {
		_ = client.SetLinger(0)
		return
	}
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(f.ctx, "tcp", to.String())
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	backend := conn.(*net.TCPConn)
	defer backend.Close()
	stop := context.AfterFunc(f.ctx, func() { client.Close(); backend.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pour(client, backend) })
	pour(backend, client)
	both.Wait()
}

// pour copies one way until its end, which it passes on; an error ends both ways.
func pour(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite() // whose end may be gone
}
