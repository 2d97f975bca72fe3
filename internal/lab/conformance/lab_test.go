package conformance

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/engine"
	"github.com/swarmscript/swarmscript/internal/lab/store"
	"github.com/swarmscript/swarmscript/internal/lab/wire"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

func TestMain(m *testing.M) {
	cluster.Logs(io.Discard, logrus.PanicLevel)
	os.Exit(m.Run())
}

func TestLab(t *testing.T) {
	t.Parallel()
	conform(t, labs(t))
}

// labs is the backend of the lab: engines and memberships in this process, without the machines around them.
func labs(t *testing.T) backend {
	b := backend{release: "28.5", api: "1.51"}
	// Two swarms that do not know of each other are two labs, but one network serves both.
	network, dir := wire.New(), t.TempDir()
	t.Cleanup(func() { cluster.Remove(dir) })
	var count atomic.Int32
	b.start = func(t *testing.T, hostname string) *host {
		n := count.Add(1)
		m := &machine{name: hostname, address: fmt.Sprintf("127.88.0.%d", n), dir: filepath.Join(dir, fmt.Sprint(n)), wire: network}
		m.on(t)
		t.Cleanup(m.off)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*m.api.Load()).ServeHTTP(w, r) })}
		go server.Serve(listener)
		t.Cleanup(func() { server.Close() })
		h := &host{name: hostname, addr: m.address + ":2377"}
		h.dial = func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
		}
		h.restart = func(t *testing.T) {
			m.engine.Shutdown()
			m.off()
			m.on(t)
		}
		h.images = func(t *testing.T) { loadImages(t, h) }
		return h.connect(t, b)
	}
	return b
}

// A machine is a host of the lab: an engine and its membership.
type machine struct {
	name, address, dir string
	wire               *wire.Wire

	store   *store.Store
	engine  *engine.Engine
	cluster *cluster.Cluster
	api     atomic.Pointer[http.Handler]
}

func (m *machine) on(t *testing.T) {
	t.Helper()
	var err error
	if err = os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if m.store, err = store.Open(filepath.Join(m.dir, "store")); err != nil {
		t.Fatal(err)
	}
	m.engine, err = engine.New(context.Background(), engine.Config{
		Hostname: m.name, Address: m.address, Version: "28.5.2", OS: "Debian GNU/Linux 12 (bookworm)",
		NanoCPUs: 4e9, Memory: 8 << 30, Store: m.store.In("engine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.cluster, err = cluster.New(cluster.Config{
		Hostname: m.name, Address: m.address, Dir: filepath.Join(m.dir, "swarm"), Wire: m.wire, Executor: m.engine.Executor(),
		Engine: cluster.Engine{
			Digest: m.digest, Network: m.engine.LocalNetwork, Event: m.engine.Event,
			Left: func(string) { m.engine.LeaveSwarm() },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.engine.Use(m.cluster)
	api := m.engine.Handler()
	m.api.Store(&api)
	// As a daemon does, it answers when its node does, or cannot.
	_ = m.cluster.Wait(t.Context())
}

func (m *machine) off() {
	m.cluster.Kill()
	m.engine.Close()
	m.store.Close()
}

func (m *machine) digest(ctx context.Context, image reference.NamedTagged, _ registry.AuthConfig) (digest.Digest, error) {
	d, err := m.engine.Distribution(ctx, image.String())
	return d.Descriptor.Digest, err
}

// loadImages is docker load of the test images.
func loadImages(t *testing.T, h *host) {
	t.Helper()
	f, err := os.Open(testengine.Archive(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := h.send(t.Context(), "POST", h.version+"/images/load?quiet=1", "application/x-tar", f)
	if err != nil || a.status != 200 {
		t.Fatalf("loading images: %v %v", a, err)
	}
}
