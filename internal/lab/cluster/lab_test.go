package cluster_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"

	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/engine"
	"github.com/swarmscript/swarmscript/internal/lab/store"
	"github.com/swarmscript/swarmscript/internal/lab/wire"
)

// lab is a network of hosts, each with an engine of the lab and a membership.
type lab struct {
	t     testing.TB
	dir   string
	wire  *wire.Wire
	store *store.Store
}

// host is one of them.
type host struct {
	*cluster.Cluster
	lab     *lab
	name    string
	address string
	engine  *engine.Engine
	docker  *client.Client
	events  chan events.Message
	server  *http.Server
}

func newLab(t testing.TB) *lab {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { cluster.Remove(dir) })
	s, err := store.Open(filepath.Join(dir, "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &lab{t: t, dir: dir, wire: wire.New(), store: s}
}

// Each host has an address of its own: tests may run at once, also those of two
// processes. A process keeps a block of addresses to itself by listening at the end of it.
var (
	hostCount atomic.Int32
	blockEnd  = sync.OnceValues(func() (l net.Listener, err error) {
		const first, count = 64, 128
		for i := range count {
			l, err = net.Listen("tcp", fmt.Sprintf("127.%d.255.254:19999", first+(os.Getpid()+i)%count))
			if err == nil {
				return l, nil
			}
		}
		return nil, err
	})
)

// host makes a host and switches it on.
func (l *lab) host(name string) *host {
	l.t.Helper()
	end, err := blockEnd()
	if err != nil {
		l.t.Fatal(err)
	}
	n, block := hostCount.Add(1), end.Addr().(*net.TCPAddr).IP.To4()[1]
	h := &host{lab: l, name: name, address: fmt.Sprintf("127.%d.%d.%d", block, n/250, n%250+1)}
	h.on()
	l.t.Cleanup(h.off)
	return h
}

// on switches a host on, or on again. What its store has is as if it was never off.
func (h *host) on() {
	h.lab.t.Helper()
	e, err := engine.New(ctx, engine.Config{
		Hostname: h.name, Address: h.address, Version: "28.5.2", OS: "Debian GNU/Linux 12 (bookworm)",
		NanoCPUs: 4e9, Memory: 8 << 30, Store: h.lab.store.In(h.name), Live: true,
	})
	if err != nil {
		h.lab.t.Fatal(err)
	}
	h.events = make(chan events.Message, 500)
	c, err := cluster.New(cluster.Config{
		Hostname: h.name, Address: h.address, Links: map[string]string{"eth0": h.address},
		Dir: filepath.Join(h.lab.dir, h.name), Wire: h.lab.wire, Executor: e.Executor(),
		Engine: cluster.Engine{
			Digest: func(ctx context.Context, image reference.NamedTagged, _ registry.AuthConfig) (digest.Digest, error) {
				d, err := e.Distribution(ctx, reference.FamiliarString(image))
				return d.Descriptor.Digest, err
			},
			Network: e.LocalNetwork,
			Event: func(m events.Message) {
				e.Event(m)
				select {
				case h.events <- m:
				default: // a test that reads none
				}
			},
			Left: func(string) { e.LeaveSwarm() },
		},
	})
	if err != nil {
		h.lab.t.Fatal(err)
	}
	e.Use(c)
	h.Cluster, h.engine = c, e
	h.serve()
}

// serve answers the engine's API.
func (h *host) serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.lab.t.Fatal(err)
	}
	h.server = &http.Server{Handler: h.engine.Handler()}
	go h.server.Serve(l)
	h.docker, err = client.NewClientWithOpts(client.WithHost("tcp://"+l.Addr().String()), client.WithVersion("1.51"))
	if err != nil {
		h.lab.t.Fatal(err)
	}
}

// off cuts a host's power.
func (h *host) off() {
	if h.Cluster != nil {
		h.Kill()
		h.engine.Close()
		h.server.Close()
		h.docker.Close()
		h.Cluster = nil
	}
}

// init makes a swarm on the host.
func (h *host) init(change ...func(*swarm.InitRequest)) string {
	h.lab.t.Helper()
	req := swarm.InitRequest{ListenAddr: "0.0.0.0:2377"}
	for _, f := range change {
		f(&req)
	}
	id, err := h.docker.SwarmInit(context.Background(), req)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return id
}

// join makes the host a member of the swarm that another one manages.
func (h *host) join(manager *host, token string) {
	h.lab.t.Helper()
	h.joined(h.tryJoin(manager, token))
}

// joined is the end of a join: one that takes longer than Docker waits goes on.
func (h *host) joined(err error) {
	h.lab.t.Helper()
	if err != nil && strings.Contains(err.Error(), "will continue in the background") {
		h.lab.eventually(h.name+" joins", func() string {
			if now := h.Status(); !strings.HasPrefix(now, "active/") {
				return now
			}
			return ""
		})
		return
	}
	h.lab.ok(err)
}

func (h *host) tryJoin(manager *host, token string) error {
	return h.docker.SwarmJoin(context.Background(), swarm.JoinRequest{
		ListenAddr: "0.0.0.0:2377", RemoteAddrs: []string{manager.address + ":2377"}, JoinToken: token,
	})
}

func (h *host) tokens() swarm.JoinTokens {
	h.lab.t.Helper()
	s, err := h.docker.SwarmInspect(context.Background())
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return s.JoinTokens
}

// swarm makes a swarm of that many managers and workers, named m1... and w1....
func (l *lab) swarm(managers, workers int) (ms, ws []*host) {
	l.t.Helper()
	first := l.host("m1")
	first.init()
	tokens := first.tokens()
	ms = append(ms, first)
	for i := 2; i <= managers; i++ {
		m := l.host(fmt.Sprintf("m%d", i))
		m.join(first, tokens.Manager)
		ms = append(ms, m)
	}
	for i := 1; i <= workers; i++ {
		ws = append(ws, l.host(fmt.Sprintf("w%d", i)))
	}
	errs := make([]error, workers)
	var joins sync.WaitGroup
	for i, w := range ws {
		joins.Go(func() { errs[i] = w.tryJoin(first, tokens.Worker) })
	}
	joins.Wait()
	for i, w := range ws {
		w.joined(errs[i])
	}
	return ms, ws
}

// asked asks until there is an answer: a manager without a leader says first that it has
// none, and one that asks a leader who is cut off waits in vain.
func asked[T any](l *lab, ask func() (T, error)) T {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got, err := ask()
		if err == nil {
			return got
		}
		if time.Now().After(deadline) {
			l.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// patience is how long a busy computer may take.
const patience = 5 * time.Minute

// eventually waits until a condition holds. What it says while it does not is the
// failure's text.
func (l *lab) eventually(what string, holds func() string) {
	l.t.Helper()
	began := time.Now()
	deadline := began.Add(patience)
	for {
		said := holds()
		if said == "" {
			l.t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: %s", what, said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
