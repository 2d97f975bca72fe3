package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// busyEngine is an engine with a swarm, a network, and a proxy that notes when
// writes arrive.
type busyEngine struct {
	*testengine.Engine
	proxy *testengine.FaultProxy

	mu       sync.Mutex
	all      []time.Time // of the writes since the last reset
	services []time.Time // of those that create services
}

func startBusy(b *testing.B) *busyEngine {
	e := &busyEngine{Engine: testengine.Start(b, testengine.Docker28)}
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	e.Docker("network", "create", "--driver", "overlay", "bench")
	e.proxy = testengine.Proxy(b, e.Engine)
	b.Setenv("DOCKER_HOST", e.proxy.Host)
	return e
}

// writes does something and returns the seconds between its first and its last
// write, and between the first and the last service.
func (e *busyEngine) writes(b *testing.B, want int, do func()) (all, services float64) {
	b.Helper()
	e.all, e.services = nil, nil
	e.proxy.Reset()
	e.proxy.Fault(func(c testengine.Call) testengine.Fault {
		e.mu.Lock()
		defer e.mu.Unlock()
		if c.Write() {
			e.all = append(e.all, time.Now())
			if c.Path == "/services/create" {
				e.services = append(e.services, time.Now())
			}
		}
		return testengine.Pass
	})
	runtime.GC() // each begins as a process does, without another's garbage
	do()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.services) != want {
		b.Fatalf("%d services were created, want %d", len(e.services), want)
	}
	first, last := e.all[0], e.all[len(e.all)-1]
	return last.Sub(first).Seconds(), e.services[want-1].Sub(e.services[0]).Seconds()
}

// clear removes all services and configs.
func (e *busyEngine) clear(b *testing.B) {
	b.Helper()
	ctx, api := b.Context(), e.client(b, e.Host)
	defer api.Close()
	list, err := api.ServiceList(ctx, swarm.ServiceListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range list {
		if err := api.ServiceRemove(ctx, s.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func (e *busyEngine) client(b *testing.B, host string) *client.Client {
	b.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	api.NegotiateAPIVersion(b.Context())
	return api
}

const realLoop = `
project("bench", env = "real")
for i in range(%d):
    service("web-%%d" %% i, image = "swarmtest/web:1", replicas = 0, networks = ["bench"], env = {"ID": str(i)},
            labels = {"id": str(i)}, no_resolve_image = True)
`

// createBare creates services with docker's Go client, ten at once.
func (e *busyEngine) createBare(b *testing.B, specs []swarm.ServiceSpec) {
	api := e.client(b, e.proxy.Host)
	defer api.Close()
	var wg sync.WaitGroup
	next := make(chan swarm.ServiceSpec)
	for range 10 {
		wg.Go(func() {
			for spec := range next {
				if _, err := api.ServiceCreate(b.Context(), spec, swarm.ServiceCreateOptions{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, spec := range specs {
		next <- spec
	}
	close(next)
	wg.Wait()
}

// specs are those of the live services.
func (e *busyEngine) specs(b *testing.B) []swarm.ServiceSpec {
	api := e.client(b, e.Host)
	defer api.Close()
	list, err := api.ServiceList(b.Context(), swarm.ServiceListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	out := make([]swarm.ServiceSpec, len(list))
	for i, s := range list {
		out[i] = s.Spec
	}
	return out
}

// stackFile writes a compose file of n services into a folder.
func stackFile(t testing.TB, dir string, n int) string {
	t.Helper()
	var text bytes.Buffer
	text.WriteString("version: '3.8'\nnetworks: {bench: {external: true}}\nservices:\n")
	for i := range n {
		fmt.Fprintf(&text, "  web-%d: {image: 'swarmtest/web:1', networks: [bench], environment: {ID: '%d'}, deploy: {replicas: 0, labels: {id: '%d'}}}\n", i, i, i)
	}
	path := filepath.Join(dir, "stack.yml")
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// BenchmarkRealCreate is 100 services created without waiting for them: from
// the first write to the last, and from the first service to the last, against
// a bare client with the same concurrency and docker stack deploy.
func BenchmarkRealCreate(b *testing.B) {
	const n = 100
	collectAsProgram(b)
	e := startBusy(b)
	opts := Options{File: write(b, b.TempDir(), fmt.Sprintf(realLoop, n)), Detach: true}
	stack := stackFile(b, b.TempDir(), n)
	applyFake(b, opts)
	specs := e.specs(b) // the same services for the bare client
	e.clear(b)
	var whole, services stopwatch
	whole.each, services.each = make([][]float64, 3), make([][]float64, 3)
	cli := *e.Engine
	cli.Host = e.proxy.Host
	for b.Loop() {
		first := len(whole.each[0])
		for i := range 3 {
			k := (i + first) % 3
			all, some := e.writes(b, n, []func(){
				func() { applyFake(b, opts) },
				func() { e.createBare(b, specs) },
				func() { cli.Docker("stack", "deploy", "--detach=true", "--resolve-image=never", "-c", stack, "bench") },
			}[k])
			whole.each[k] = append(whole.each[k], all)
			services.each[k] = append(services.each[k], some)
			e.clear(b)
		}
	}
	whole.report(b, "apply", "client", "stack")
	services.report(b, "services", "client-services", "stack-services")
}

// BenchmarkRealNoChange is a plan of 500 live services without a change, with
// all that a run does, against the bare lists.
func BenchmarkRealNoChange(b *testing.B) {
	const n = 500
	collectAsProgram(b)
	e := startBusy(b)
	b.Setenv("DOCKER_HOST", e.Host)
	opts := Options{File: write(b, b.TempDir(), fmt.Sprintf(realLoop, n)), Detach: true}
	applyFake(b, opts)
	var w stopwatch
	for b.Loop() {
		w.pair(
			func() {
				p, err := Plan(b.Context(), opts)
				if err != nil {
					b.Fatal(err)
				}
				if !p.Plan.Empty() {
					b.Fatalf("the plan is not empty:\n%s", show(p.Plan))
				}
				p.Close()
			},
			func() { e.lists(b) })
	}
	w.report(b, "plan", "lists")
}

// lists asks for what a plan needs to know, all at once.
func (e *busyEngine) lists(b *testing.B) {
	api := e.client(b, e.Host)
	defer api.Close()
	var wg sync.WaitGroup
	for _, list := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := api.Info(ctx); return err },
		func(ctx context.Context) error { _, err := api.SwarmInspect(ctx); return err },
		func(ctx context.Context) error {
			_, err := api.ServiceList(ctx, swarm.ServiceListOptions{Status: true})
			return err
		},
		func(ctx context.Context) error {
			_, err := api.NetworkList(ctx, network.ListOptions{})
			return err
		},
		func(ctx context.Context) error { _, err := api.NodeList(ctx, swarm.NodeListOptions{}); return err },
		func(ctx context.Context) error {
			_, err := api.SecretList(ctx, swarm.SecretListOptions{})
			return err
		},
		func(ctx context.Context) error {
			_, err := api.ConfigList(ctx, swarm.ConfigListOptions{})
			return err
		},
	} {
		wg.Go(func() {
			if err := list(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}
