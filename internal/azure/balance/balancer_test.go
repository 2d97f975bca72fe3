package balance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// often is how often probes ask here, and many how many connections do not all go to
// one of two by chance.
const (
	often = 5 * time.Millisecond
	many  = 64
)

// Connections go to those whose probes go well, by turns; one that does not answer
// well gets none, whether or not it would take it, until it is well again.
func TestProbes(t *testing.T) {
	all := probed(t, "127.1.0.1", "127.1.0.2")
	front := Front{
		At: free(t, "127.1.0.9"), Protocol: "tcp", Backends: []netip.AddrPort{all[0].at, all[1].at},
		Probe: &Probe{Protocol: "http", Port: all[0].probe, Path: "/health", Interval: often, Threshold: 2},
	}
	b := newBalancer(t)
	must(t, b.Set([]Front{front}))
	shares := func(names ...string) func() bool {
		return func() bool { return slices.Equal(who(front.At, "127.0.0.1", many), names) }
	}
	eventually(t, "both are well", shares("127.1.0.1", "127.1.0.2"))

	all[0].sick.Store(true)
	eventually(t, "one is left out", shares("127.1.0.2"))
	before := all[0].took.Load()
	if got := who(front.At, "127.0.0.1", many); !slices.Equal(got, []string{"127.1.0.2"}) || all[0].took.Load() != before {
		t.Errorf("while it is sick, connections go to %v", got)
	}
	all[1].sick.Store(true)
	eventually(t, "nobody is well", shares(""))
	if _, err := net.Dial("tcp", front.At.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("where nobody is well, who connects hears %v", err)
	}
	all[0].sick.Store(false)
	eventually(t, "one is well again", shares("127.1.0.1"))

	// By connections, where nobody listens any more.
	front.Probe = &Probe{Protocol: "tcp", Port: all[0].at.Port(), Interval: often, Threshold: 1}
	must(t, b.Set([]Front{front}))
	eventually(t, "the one that has this port is well", shares("127.1.0.1"))
}

// It takes as many answers in a row as the threshold says, but for the first that is
// well.
func TestThreshold(t *testing.T) {
	answers := []int{500, 500, 200, 500, 200, 302, 500, 200, 500, 200, 200}
	want := []bool{false, false, true, true, true, true, false, false, false, false, true} // after each
	var mu sync.Mutex
	var up bool
	var got []bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, up); len(got) > len(answers) {
			cancel()
			return
		}
		w.WriteHeader(answers[len(got)-1])
	}))
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	Probe{Protocol: "http", Port: at.Port(), Path: "/", Interval: time.Millisecond, Threshold: 2}.watch(ctx, at.Addr(), false, func(now bool) {
		mu.Lock()
		defer mu.Unlock()
		up = now
	})
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got[1:], want) {
		t.Errorf("it was up: %v, want %v", got[1:], want)
	}
}

// What belongs together goes to one backend, as Azure's distributions say.
func TestDistribution(t *testing.T) {
	var to []netip.AddrPort
	for _, a := range []string{"127.1.1.1", "127.1.1.2", "127.1.1.3"} {
		to = append(to, newBackend(t, a, 0).at)
	}
	b := newBalancer(t)
	for _, by := range []string{"Default", "SourceIP", "SourceIPProtocol"} {
		front := Front{At: free(t, "127.1.1.9"), Protocol: "tcp", Backends: to, Distribution: by}
		must(t, b.Set([]Front{front}))
		clients := map[string]bool{}
		for i := range many {
			from := fmt.Sprintf("127.1.2.%d", i+1)
			had := who(front.At, from, 3)
			if len(had) != 1 && by != "Default" {
				t.Errorf("%s: %s goes to %v", by, from, had)
			}
			for _, name := range had {
				clients[name] = true
			}
		}
		if len(clients) != 3 {
			t.Errorf("%s: %d clients go to %v", by, many, clients)
		}
		if had := who(front.At, "127.0.0.1", many); by == "Default" && len(had) != 3 {
			t.Errorf("connections of one client go to %v", had)
		}
	}
}

// A front that changes does what it says from then on; connections go on, but for
// those of one that goes, whose port is free.
func TestChange(t *testing.T) {
	one, two := newBackend(t, "127.1.3.1", 0), newBackend(t, "127.1.3.2", 0)
	front := Front{At: free(t, "127.1.3.9"), Protocol: "tcp", Backends: []netip.AddrPort{one.at}}
	other := Front{At: free(t, "127.1.3.8"), Protocol: "tcp", Backends: []netip.AddrPort{one.at}}
	b := newBalancer(t)
	must(t, b.Set([]Front{front, other}))
	stays, _, err := connect(front.At, "127.0.0.1")
	must(t, err)
	defer stays.Close()
	goes, _, err := connect(other.At, "127.0.0.1")
	must(t, err)
	defer goes.Close()

	front.Backends = []netip.AddrPort{two.at}
	must(t, b.Set([]Front{front}))
	if got := who(front.At, "127.0.0.1", many); !slices.Equal(got, []string{"127.1.3.2"}) {
		t.Errorf("after the change connections go to %v", got)
	}
	fmt.Fprintln(stays, "still there")
	if said, err := stays.ReadString('\n'); said != "still there\n" {
		t.Errorf("the connection from before says %q, %v", said, err)
	}
	if said, err := goes.ReadString('\n'); err == nil {
		t.Errorf("the connection of the front that is gone says %q", said)
	}
	freed(t, other.At)

	b.Close()
	freed(t, front.At)
	if said, err := stays.ReadString('\n'); err == nil {
		t.Errorf("after the end the connection says %q", said)
	}
	if err := b.Set([]Front{front}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a balancer that is closed was set: %v", err)
	}
}

// freed takes a port, which nobody has to have.
func freed(t *testing.T, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Errorf("the port is not free: %v", err)
		return
	}
	l.Close()
}

// A port that somebody else has is an error, and it is taken once it is free; other
// fronts do not mind.
func TestPortIsTaken(t *testing.T) {
	to := newBackend(t, "127.1.4.1", 0)
	squatter, err := net.Listen("tcp", "127.1.4.9:0")
	must(t, err)
	fronts := []Front{
		{At: squatter.Addr().(*net.TCPAddr).AddrPort(), Protocol: "tcp", Backends: []netip.AddrPort{to.at}},
		{At: free(t, "127.1.4.8"), Protocol: "tcp", Backends: []netip.AddrPort{to.at}},
	}
	b := newBalancer(t)
	if err := b.Set(fronts); err == nil {
		t.Error("two have one port")
	}
	if got := who(fronts[1].At, "127.0.0.1", 1); got[0] != to.name {
		t.Errorf("the other front has %v", got)
	}
	squatter.Close()
	must(t, b.Set(fronts))
	if got := who(fronts[0].At, "127.0.0.1", 1); got[0] != to.name {
		t.Errorf("the front has %v", got)
	}
}

// What is sent arrives whole, and so does the answer after the end of what is sent.
func TestHalfClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.1.5.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, _ := io.Copy(io.Discard, conn)
		fmt.Fprintln(conn, n)
	}()
	front := Front{At: free(t, "127.1.5.9"), Protocol: "tcp", Backends: []netip.AddrPort{l.Addr().(*net.TCPAddr).AddrPort()}}
	b := newBalancer(t)
	must(t, b.Set([]Front{front}))
	conn, err := net.Dial("tcp", front.At.String())
	must(t, err)
	defer conn.Close()
	_, err = conn.Write(make([]byte, 1<<20))
	must(t, err)
	must(t, conn.(*net.TCPConn).CloseWrite())
	if got, err := io.ReadAll(conn); err != nil || string(got) != "1048576\n" {
		t.Errorf("it got %s, %v", got, err)
	}
}

// Packets of udp go to a backend and back; where that is not well any more another
// one takes over.
func TestPackets(t *testing.T) {
	all := probed(t, "127.1.6.1", "127.1.6.2")
	front := Front{Protocol: "udp", Probe: &Probe{Protocol: "http", Port: all[0].probe, Path: "/health", Interval: often, Threshold: 1}}
	for _, b := range all {
		conn, err := net.ListenPacket("udp", b.name+":0")
		must(t, err)
		defer conn.Close()
		front.Backends = append(front.Backends, conn.LocalAddr().(*net.UDPAddr).AddrPort())
		go func() {
			packet := make([]byte, 100)
			for {
				n, from, err := conn.ReadFrom(packet)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo(append([]byte(b.name+": "), packet[:n]...), from)
			}
		}()
	}
	front.At = free(t, "127.1.6.9")
	b := newBalancer(t)
	must(t, b.Set([]Front{front}))
	conn, err := net.Dial("udp", front.At.String())
	must(t, err)
	defer conn.Close()
	says := func() string {
		_, err := conn.Write([]byte("hello"))
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		packet := make([]byte, 100)
		n, _ := conn.Read(packet)
		return string(packet[:n])
	}
	var first string
	eventually(t, "one answers", func() bool { first = says(); return first != "" })
	has, other := all[0], all[1]
	if first == other.name+": hello" {
		has, other = other, has
	}
	if first != has.name+": hello" {
		t.Fatalf("it says %q", first)
	}
	has.sick.Store(true)
	eventually(t, "the other one answers", func() bool { return says() == other.name+": hello" })

	must(t, b.Set(nil))
	l, err := net.ListenPacket("udp", front.At.String())
	must(t, err)
	l.Close()
}
