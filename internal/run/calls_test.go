package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// maxCalls is how many requests a run with nothing to do may make of a swarm,
// whatever its size.
const maxCalls = 10

// ofEveryKind is a project of every kind, with n services that run nothing.
const ofEveryKind = `
project("calls", env = "test")
cluster = swarm.init(engine(), advertise_addr = var("addr"))
net = network("backend", driver = "overlay")
pw = secret("password", generate = 32)
conf = config("motd", content = "hello")
data = volume("calls_data")
for i in range(var("n", 0)):
    service("s%d" % i, image = "swarmtest/web:1", replicas = 0, networks = [net], secrets = [pw], configs = [conf],
            env = {"ID": str(i)}, labels = {"id": str(i)}, no_resolve_image = True)
`

// A plan or an apply without changes makes as many requests for 300 services
// as for 5, and none that writes.
func TestRealCalls(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	proxy := testengine.Proxy(t, e)
	t.Setenv("DOCKER_HOST", proxy.Host)
	opts := Options{File: write(t, t.TempDir(), ofEveryKind), Detach: true}
	seen := map[int]int{}
	for _, n := range []int{5, 300} {
		opts.Vars = []string{"addr=" + e.Addr, fmt.Sprintf("n=%d", n)}
		p := planOf(t, opts)
		if res, err := p.Apply(t.Context(), ApplyOptions{Why: "test"}); err != nil || res.ExitCode() != 0 {
			t.Fatalf("apply of %d: %v", n, err)
		}
		if got := proxy.Count("POST", "/services/create"); got > n {
			t.Errorf("%d services were created with %d requests", n, got)
		}
		proxy.Reset()
		p = planOf(t, opts)
		if !p.Plan.Empty() {
			t.Fatalf("the plan of %d is not empty:\n%s", n, show(p.Plan))
		}
		seen[n] = quiet(t, proxy, fmt.Sprintf("plan of %d services", n))

		// The apply goes on from the plan that was shown, and asks nothing more.
		proxy.Reset()
		if res, err := p.Apply(context.Background(), ApplyOptions{Why: "test"}); err != nil || res.ExitCode() != 0 {
			t.Fatalf("apply of nothing: %v", err)
		}
		quiet(t, proxy, fmt.Sprintf("apply of %d services", n))
		if got := len(proxy.Calls()); got > 0 {
			t.Errorf("an apply without changes made %d requests after its plan: %v", got, proxy.Calls())
		}
	}
	if seen[5] != seen[300] {
		t.Errorf("a plan makes %d requests for 5 services, %d for 300", seen[5], seen[300])
	}
}

// Nor does it write for a stack of compose files, whether they are loaded or what
// they came to was kept.
func TestRealStackCalls(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	e.Docker("network", "create", "--driver", "overlay", "bench")
	proxy := testengine.Proxy(t, e)
	t.Setenv("DOCKER_HOST", proxy.Host)
	dir := t.TempDir()
	opts := Options{Detach: true, Keep: filepath.Join(dir, "kept"), File: write(t, dir, `
project("calls", env = "stack")
cluster = swarm.init(engine(), external = True)
stack("shop", files = ["`+filepath.Base(stackFile(t, dir, 50))+`"], resolve_image = "never")
`)}
	if res, err := planOf(t, opts).Apply(t.Context(), ApplyOptions{Why: "test"}); err != nil || res.ExitCode() != 0 {
		t.Fatalf("apply: %v", err)
	}
	if got := proxy.Count("POST", "/services/create"); got != 50 {
		t.Fatalf("%d services were created", got)
	}
	kept, err := filepath.Glob(filepath.Join(opts.Keep, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v, want one file", kept, err)
	}
	for _, what := range []string{"what was kept", "the files"} {
		proxy.Reset()
		p := planOf(t, opts)
		if !p.Plan.Empty() {
			t.Fatalf("by %s the plan is not empty:\n%s", what, show(p.Plan))
		}
		if res, err := p.Apply(t.Context(), ApplyOptions{Why: "test"}); err != nil || res.ExitCode() != 0 {
			t.Fatalf("apply of nothing: %v", err)
		}
		quiet(t, proxy, "apply of a stack by "+what)
		if err := os.Remove(kept[0]); err != nil {
			t.Fatal(err)
		}
	}
}

// quiet checks what a run with nothing to do asked for, and returns how many
// requests that were.
func quiet(t *testing.T, p *testengine.FaultProxy, what string) int {
	t.Helper()
	calls := p.Calls()
	if len(calls) > maxCalls {
		t.Errorf("%s: %d requests, want at most %d: %v", what, len(calls), maxCalls, calls)
	}
	if n := p.Writes(); n > 0 {
		t.Errorf("%s: %d requests that write: %v", what, n, calls)
	}
	t.Logf("%s: %d requests", what, len(calls))
	return len(calls)
}
