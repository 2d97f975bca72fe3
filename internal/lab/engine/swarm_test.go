package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// host is an engine with a real membership, as a lab's world joins them.
type host struct {
	t             *testing.T
	name, address string
	dir           string
	wire          *wire.Wire
	store         *store.Store

	engine  *engine.Engine
	cluster *cluster.Cluster
	http    *http.Server
	socket  string
}

func (h *host) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// on switches the host on: what ran runs again if it was live.
func (h *host) on(live bool) {
	h.t.Helper()
	var err error
	h.store, err = store.Open(filepath.Join(h.dir, h.name+".db"))
	h.ok(err)
	h.engine, err = engine.New(h.t.Context(), engine.Config{
		Hostname: h.name, Address: h.address, Version: "28.5.2", OS: "Debian GNU/Linux 12 (bookworm)", NanoCPUs: 2e9, Memory: 4 << 30,
		Store: h.store.In("engine"), Live: live,
	})
	h.ok(err)
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	h.cluster, err = cluster.New(cluster.Config{
		Hostname: h.name, Address: h.address, Dir: filepath.Join(h.dir, h.name), Wire: h.wire, Executor: h.engine.Executor(), Logger: logrus.NewEntry(quiet),
		Engine: cluster.Engine{
			Event: h.engine.Event, Network: h.engine.NetworkName, Left: func(string) { h.engine.LeaveSwarm() },
			Digest: func(ctx context.Context, image reference.NamedTagged, _ registry.AuthConfig) (digest.Digest, error) {
				d, err := h.engine.Distribution(ctx, image.String())
				return d.Descriptor.Digest, err
			},
		},
	})
	h.ok(err)
	h.engine.Use(h.cluster)
	os.Remove(h.socket)
	l, err := net.Listen("unix", h.socket)
	h.ok(err)
	h.http = &http.Server{Handler: h.engine.Handler()}
	go h.http.Serve(l)
}

// off is a power cut.
func (h *host) off() {
	if h.http != nil {
		h.http.Close()
		h.cluster.Kill()
		h.engine.Close()
		h.store.Close()
		h.http = nil
	}
}

func (h *host) docker(line string, more ...string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testengine.CLI(h.t), append(strings.Fields(line), more...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+h.socket)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(&out, "(%v)", err)
	}
	return strings.TrimSpace(out.String())
}

// says runs the CLI until it says something. It asks once where the answer cannot
// change by waiting.
func (h *host) says(want, line string, more ...string) {
	h.t.Helper()
	var got string
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; time.Sleep(50 * time.Millisecond) {
		if got = h.docker(line, more...); strings.Contains(got, want) {
			return
		}
	}
	h.t.Fatalf("%s: docker %s:\n%s\nwant %q", h.name, line, got, want)
}

func swarm(t *testing.T, names ...string) (hosts []*host) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := wire.New()
	for i, name := range names {
		h := &host{t: t, name: name, address: fmt.Sprintf("127.78.0.%d", i+1), dir: dir, wire: w, socket: filepath.Join(dir, name+".sock")}
		h.on(false)
		t.Cleanup(h.off)
		hosts = append(hosts, h)
		if i == 0 {
			h.docker("swarm init --advertise-addr " + h.address)
			continue
		}
		token := hosts[0].docker("swarm join-token -q worker")
		if out := h.docker("swarm join --token " + token + " --advertise-addr " + h.address + " " + hosts[0].address + ":2377"); !strings.Contains(out, "joined a swarm") {
			t.Fatal(out)
		}
	}
	return hosts
}

// TestSwarm runs services of a real swarm, with the real CLI.
func TestSwarm(t *testing.T) {
	hosts := swarm(t, "m1", "w1")
	m1, w1 := hosts[0], hosts[1]
	m1.docker("network create -d overlay --attachable --subnet 10.20.0.0/24 back")
	if out := m1.docker("service create --detach=false --name web --replicas 4 --network back --mount type=volume,source=data,target=/data --publish 8080:80 --update-delay 0s --update-monitor 500ms nginx:1.27"); !strings.Contains(out, "converged") {
		t.Fatalf("service create: %s", out)
	}
	w1.says("web.", "ps --filter name=web --format {{.Names}}")
	w1.says("10.20.0.", "network inspect back --format {{.Containers}}")
	m1.says("overlay", "network ls --filter name=ingress --format {{.Driver}}")
	w1.says("bridge", "network ls --filter name=docker_gwbridge --format {{.Driver}}")
	m1.says("lab=true", "node inspect w1 --format lab={{.Description.Engine.Labels.lab}}")
	m1.says("nginx:1.27@sha256:", "service inspect web --format {{.Spec.TaskTemplate.ContainerSpec.Image}}")
	m1.says("ready for start up", "service logs web")
	if out := m1.docker("service update --detach=false --image nginx:1.28 web"); !strings.Contains(out, "converged") {
		t.Errorf("service update: %s", out)
	}

	// Containers of the engine alone, in a network of the swarm.
	w1.docker("run -d --name alone --network back nginx:1.27")
	w1.says("10.20.0.", "inspect alone --format {{.NetworkSettings.Networks.back.IPAddress}}")
	w1.docker("run -d --name later nginx:1.27")
	w1.docker("network connect --ip 10.20.0.99 back later")
	w1.says("10.20.0.99", "inspect later --format {{.NetworkSettings.Networks.back.IPAddress}}")
	m1.docker("network create -d overlay closed")
	w1.says("network closed not manually attachable", "run -d --rm --network closed nginx:1.27")
	w1.says("network nope not found", "run -d --rm --network nope nginx:1.27")

	// A host that loses its power, and comes back: its tasks run again.
	before := w1.docker("ps -q --no-trunc --filter status=running")
	w1.off()
	w1.on(true)
	if after := w1.docker("ps -q --no-trunc --filter status=running"); after == "" || after != before {
		t.Errorf("resumed: %q, before %q", after, before)
	}
	w1.says("10.20.0.99", "inspect later --format {{.NetworkSettings.Networks.back.IPAddress}}")
	w1.docker("rm -f alone later")
	w1.says("active/worker", "info --format {{.Swarm.LocalNodeState}}/worker")

	// One that cannot be pulled, a fault, a port that is taken.
	m1.docker("service create --detach --name gone --container-label lab.pull=missing nope:1")
	m1.says("No such image: nope:1", "service ps gone --no-trunc --format {{.Error}}")
	// It does not crash for ever: a manager of SwarmKit 2.0.0 may panic where a service is
	// removed while the reaper takes its old tasks.
	m1.docker("service create --detach --name crash --restart-delay 10ms --restart-max-attempts 2 --container-label lab.exit=3 nginx:1.27")
	m1.says("task: non-zero exit (3)", "service ps crash --no-trunc --format {{.Error}}")
	m1.docker("service create --detach --name job --mode replicated-job --replicas 2 busybox true")
	m1.says("2/2 completed", "service ls --filter name=job --format {{.Replicas}}")
	m1.docker("service create --detach --name fixed --mode global --publish mode=host,target=80,published=9090 nginx:1.27")
	m1.says("*:9090->80/tcp", "service ps fixed --format {{.Ports}}")
	w1.says("0.0.0.0:9090->80/tcp", "ps --filter name=fixed --format {{.Ports}}")

	m1.docker("service rm web gone crash job fixed")
	w1.says("0", "info --format {{.Containers}}")
	m1.says("back", "network rm back")
	w1.docker("swarm leave")
	w1.says("inactive", "info --format {{.Swarm.LocalNodeState}}")
}
