//lint:file-ignore SA1019 SwarmKit dials so

package wire_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/swarmscript/swarmscript/internal/lab/wire"
)

// certificate stands for a swarm node's: it says who dials.
type certificate struct {
	credentials.TransportCredentials
	node string
}

func (c certificate) NodeID() string { return c.node }

// manager serves where a host's manager is to listen, and returns how to end it.
func manager(t *testing.T, h *wire.Host) (stop func()) {
	t.Helper()
	at, err := h.Listen("2377")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return s.Stop
}

func attach(t *testing.T, w *wire.Wire, address string) *wire.Host {
	t.Helper()
	h, err := w.Attach(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Detach)
	return h
}

// dial connects as SwarmKit does.
func dial(t *testing.T, target, node string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.Dial(target,
		grpc.WithTransportCredentials(certificate{insecure.NewCredentials(), node}),
		grpc.WithDialer(func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, timeout)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// answers asks once, and not for long.
func answers(conn *grpc.ClientConn, patience time.Duration) codes.Code {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	return status.Code(err)
}

const (
	long  = 5 * time.Minute        // for what must come
	short = 300 * time.Millisecond // for what must not
)

func TestCutAndHeal(t *testing.T) {
	w := wire.New()
	a, b, c := attach(t, w, "127.78.0.1"), attach(t, w, "127.78.0.2"), attach(t, w, "127.78.0.3")
	manager(t, b)
	a.Runs(func() string { return "node-a" })
	fromA, fromC := dial(t, "127.78.0.2:2377", "node-a"), dial(t, c.Target("127.78.0.2:2377"), "")
	for range 2 {
		for name, conn := range map[string]*grpc.ClientConn{"a": fromA, "c": fromC} {
			if got := answers(conn, long); got != codes.OK {
				t.Fatalf("from %s: %s", name, got)
			}
		}
		w.Cut("127.78.0.2", "127.78.0.1")
		if w.Reaches("127.78.0.1", "127.78.0.2") || !w.Reaches("127.78.0.3", "127.78.0.2") {
			t.Error("not that pair is cut, or not alone")
		}
		if got := answers(fromA, short); got != codes.DeadlineExceeded {
			t.Errorf("through a cut: %s", got)
		}
		if got := answers(dial(t, "127.78.0.2:2377", "node-a"), short); got != codes.DeadlineExceeded {
			t.Errorf("a new connection through a cut: %s", got)
		}
		if got := answers(fromC, long); got != codes.OK {
			t.Errorf("beside a cut: %s", got)
		}
		w.Heal("127.78.0.1", "127.78.0.2")
	}
	w.Isolate("127.78.0.3")
	if got := answers(fromC, short); got != codes.DeadlineExceeded {
		t.Errorf("from an isolated host: %s", got)
	}
	w.HealAll()
	if got := answers(fromC, long); got != codes.OK {
		t.Errorf("healed: %s", got)
	}
}

func TestPower(t *testing.T) {
	w := wire.New()
	a, b := attach(t, w, "127.78.2.1"), attach(t, w, "127.78.2.2")
	a.Runs(func() string { return "node-power" })
	if _, err := w.Attach("127.78.2.1"); err == nil {
		t.Error("an address was given twice")
	}
	if a.Answers("127.78.2.2:2377") {
		t.Error("nobody listens there")
	}
	stop := manager(t, b)
	if !a.Answers("127.78.2.2:2377") || a.Answers("127.78.2.2:2378") || a.Answers("10.0.0.1:2377") {
		t.Error("Answers does not tell who listens")
	}
	conn := dial(t, "127.78.2.2:2377", "node-power")
	for range 3 {
		if got := answers(conn, long); got != codes.OK {
			t.Fatal(got)
		}
		b.Detach()
		stop()
		if got := answers(conn, short); got == codes.OK {
			t.Errorf("of a host that is off: %s", got)
		}
		b = attach(t, w, "127.78.2.2")
		stop = manager(t, b)
	}
	// What is left of a host that is off reaches nobody.
	a.Detach()
	if _, err := grpc.Dial("127.78.2.2:2377", grpc.WithTransportCredentials(certificate{insecure.NewCredentials(), "node-power"})); err == nil {
		t.Error("a host that is off dialled")
	}
}

// Connections that have nothing to do with a lab go where they say.
func TestOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(l)
	t.Cleanup(s.Stop)
	if got := answers(dial(t, l.Addr().String(), "stranger"), long); got != codes.OK {
		t.Error(got)
	}
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := answers(conn, short); got == codes.OK {
		t.Error("TLS with a server that has none")
	}
}
