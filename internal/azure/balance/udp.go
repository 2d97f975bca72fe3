package balance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// idle is after what time without a packet a client of udp is forgotten, and largest
// what a packet holds at most.
const (
	idle    = 4 * time.Minute
	largest = 1 << 16
)

func (f *front) listenUDP() (io.Closer, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(f.at))
	if err != nil {
		return nil, err
	}
	f.running.Go(func() { (&datagrams{front: f, conn: conn, sessions: map[netip.AddrPort]*session{}}).receive() })
	return conn, nil
}

// datagrams is what a front of udp does.
type datagrams struct {
	*front
	conn *net.UDPConn

	mu       sync.Mutex
	sessions map[netip.AddrPort]*session // by client
}

// A session is a client of udp, and who it is sent to.
type session struct {
	to   netip.AddrPort
	conn *net.UDPConn
}

// receive takes packets until the front is closed.
func (d *datagrams) receive() {
	packet := make([]byte, largest)
	for {
		n, client, err := d.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause(d.ctx, acceptPause)
			continue
		}
		if s := d.session(client); s != nil {
			_ = s.conn.SetReadDeadline(time.Now().Add(idle))
			_, _ = s.conn.Write(packet[:n]) // as packets are lost
		}
	}
}

// session is that of a client, nil where nobody takes it. Where its backend is not
// well any more another one takes over.
func (d *datagrams) session(client netip.AddrPort) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.sessions[client]; s != nil {
		if d.isUp(s.to) {
			return s
		}
		s.conn.Close()
		delete(d.sessions, client)
	}
	to, ok := d.pick(client)
	if !ok || len(d.sessions) >= atOnce {
		return nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil
	}
	s := &session{to: to, conn: conn}
	d.sessions[client] = s
	d.running.Go(func() { d.answer(s, client) })
	return s
}

// answer sends back what the backend says, until nobody has said anything for long.
func (d *datagrams) answer(s *session, client netip.AddrPort) {
	stop := context.AfterFunc(d.ctx, func() { s.conn.Close() })
	defer stop()
	defer func() {
		s.conn.Close()
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.sessions[client] == s {
			delete(d.sessions, client)
		}
	}()
	packet := make([]byte, largest)
	for {
		n, err := s.conn.Read(packet)
		if err != nil {
			return
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(idle))
		_, _ = d.conn.WriteToUDPAddrPort(packet[:n], client)
	}
}
