package balance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A backend says its name to who connects, and then repeats what it hears. Beside
// that it answers probes over HTTP.
type backend struct {
	name  string
	at    netip.AddrPort
	sick  atomic.Bool
	took  atomic.Int64 // connections
	probe uint16       // its port
}

// newBackend is one at an address of this computer's own, and at a port, or any.
func newBackend(t *testing.T, address string, port uint16) *backend {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, port))
	must(t, err)
	t.Cleanup(func() { l.Close() })
	b := &backend{name: address, at: l.Addr().(*net.TCPAddr).AddrPort()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.took.Add(1)
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, b.name)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return b
}

// probed are backends that answer probes at one port.
func probed(t *testing.T, addresses ...string) (all []*backend) {
	t.Helper()
	var port uint16
	for _, a := range addresses {
		b := newBackend(t, a, 0)
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, port))
		must(t, err)
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
		b.probe = port
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" || b.sick.Load() {
				http.Error(w, "sick", http.StatusServiceUnavailable)
			}
		}))
		server.Listener.Close()
		server.Listener = l
		server.Start()
		t.Cleanup(server.Close)
		all = append(all, b)
	}
	return all
}

// client connects to a front from an address, and hears who has it.
type client struct {
	*bufio.Reader
	net.Conn
}

func (c client) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func connect(front netip.AddrPort, from string) (client, string, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	conn, err := dialer.Dial("tcp", front.String())
	if err != nil {
		return client{}, "", err
	}
	c := client{bufio.NewReader(conn), conn}
	name, err := c.ReadString('\n')
	if err != nil {
		conn.Close()
		return c, "", err
	}
	return c, name[:len(name)-1], nil
}

// who are those that have taken so many connections from an address, "" being nobody.
func who(front netip.AddrPort, from string, times int) (names []string) {
	for range times {
		c, name, err := connect(front, from)
		if err == nil {
			c.Close()
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("never: %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// free is a port of an address that nobody has.
func free(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func newBalancer(t *testing.T) *Balancer {
	b := New()
	t.Cleanup(b.Close)
	return b
}
