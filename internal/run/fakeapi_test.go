package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
)

// fakeAPI answers as an engine does that manages a swarm: it keeps services,
// secrets and configs, and counts. It runs nothing. It is here to find what
// grows faster than the number of declarations, which no real engine is fast
// enough for; what is true of engines is proved on real ones.
type fakeAPI struct {
	host  string
	alone bool // the engine is in no swarm

	mu            sync.Mutex
	next          int
	reads, writes int
	services      map[string]*swarm.Service
	secrets       map[string]*swarm.Secret
	configs       map[string]*swarm.Config
}

func startFake(tb testing.TB) *fakeAPI {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fake") // tb.TempDir is too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	socket := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	f := &fakeAPI{host: "unix://" + socket, services: map[string]*swarm.Service{}, secrets: map[string]*swarm.Secret{}, configs: map[string]*swarm.Config{}}
	srv := &http.Server{Handler: f}
	go srv.Serve(l)
	tb.Cleanup(func() { srv.Close(); os.RemoveAll(dir) })
	return f
}

// count returns the requests since the last call.
func (f *fakeAPI) count() (reads, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reads, writes = f.reads, f.writes
	f.reads, f.writes = 0, 0
	return reads, writes
}

var apiVersion = regexp.MustCompile(`^/v1\.\d+`)

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := apiVersion.ReplaceAllString(r.URL.Path, "")
	if r.Method == http.MethodPost || r.Method == http.MethodDelete {
		f.writes++
		f.write(w, r, strings.Split(strings.TrimPrefix(path, "/"), "/"))
		return
	}
	f.reads++
	w.Header().Set("Api-Version", "1.51")
	node := swarm.Node{ID: "node1", Description: swarm.NodeDescription{Hostname: "fake"}, Status: swarm.NodeStatus{State: swarm.NodeStateReady}}
	switch path {
	case "/_ping":
	case "/info":
		info := system.Info{ID: "fake", ServerVersion: "28.5.2", SystemTime: time.Now().Format(time.RFC3339Nano)}
		info.Swarm.LocalNodeState = swarm.LocalNodeStateInactive
		if !f.alone {
			info.Swarm = swarm.Info{
				NodeID: node.ID, LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true,
				Cluster: &swarm.ClusterInfo{ID: "swarm1"},
			}
		}
		answer(w, info)
	case "/swarm":
		answer(w, swarm.Swarm{ClusterInfo: swarm.ClusterInfo{ID: "swarm1"}})
	case "/nodes":
		answer(w, []swarm.Node{node})
	case "/networks":
		answer(w, []network.Summary{})
	case "/containers/json":
		answer(w, []container.Summary{})
	case "/volumes":
		answer(w, volume.ListResponse{})
	case "/services":
		answer(w, listOf(f.services))
	case "/secrets":
		answer(w, listOf(f.secrets))
	case "/configs":
		answer(w, listOf(f.configs))
	default:
		name, _ := strings.CutPrefix(path, "/configs/")
		for _, c := range f.configs {
			if c.Spec.Name == name {
				answer(w, c)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		answer(w, map[string]string{"message": path + " not found"})
	}
}

func (f *fakeAPI) write(w http.ResponseWriter, r *http.Request, path []string) {
	f.next++
	id := fmt.Sprintf("%025d", f.next)
	meta := swarm.Meta{Version: swarm.Version{Index: uint64(f.next)}, CreatedAt: time.Now()}
	read := func(v any) {
		if err := json.NewDecoder(r.Body).Decode(v); err != nil {
			panic(err)
		}
	}
	kind, what := path[0], path[len(path)-1]
	if r.Method == http.MethodDelete {
		delete(f.services, what)
		delete(f.secrets, what)
		delete(f.configs, what)
		return
	}
	switch {
	case kind == "services" && what == "create":
		o := &swarm.Service{ID: id, Meta: meta}
		read(&o.Spec)
		f.services[id] = o
	case kind == "services":
		o := *f.services[path[1]]
		o.Meta, o.Spec = meta, swarm.ServiceSpec{}
		read(&o.Spec)
		f.services[o.ID] = &o
	case kind == "secrets" && what == "create":
		o := &swarm.Secret{ID: id, Meta: meta}
		read(&o.Spec)
		o.Spec.Data = nil
		f.secrets[id] = o
	case kind == "configs" && what == "create":
		o := &swarm.Config{ID: id, Meta: meta}
		read(&o.Spec)
		f.configs[id] = o
	case kind == "configs":
		o := *f.configs[path[1]]
		o.Meta = meta
		data := o.Spec.Data
		o.Spec = swarm.ConfigSpec{}
		read(&o.Spec)
		o.Spec.Data = data
		f.configs[o.ID] = &o
	default:
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	answer(w, map[string]string{"ID": id})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func listOf[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// fakeLoop declares n services in the swarm that the engine is in.
const fakeLoop = `
project("bench", env = "fake")
for i in range(%d):
    service("web-%%d" %% i, image = "registry.example/web:%%d" %% i, replicas = i %% 7, hostname = "web-%%d" %% i,
            env = {"ID": "%%d" %% i, "MODE": "bench"}, labels = {"tier": "web", "id": "%%d" %% i}, no_resolve_image = True,
            command = ["serve", "--id", "%%d" %% i], limit_cpu = 0.5, stop_signal = "SIGTERM", user = "u%%d" %% i)
`

// applyFake applies a script to the API.
func applyFake(tb testing.TB, opts Options) {
	tb.Helper()
	p, err := Plan(tb.Context(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	res, err := p.Apply(tb.Context(), ApplyOptions{Why: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	if code := res.ExitCode(); code != 0 {
		for _, s := range res.Steps {
			if s.Err != nil {
				tb.Error(s.Change.Address, s.Err)
			}
		}
		tb.Fatalf("apply ended with %d", code)
	}
}

// What an apply sends grows with what there is to do, and with nothing else.
func TestFakeCalls(t *testing.T) {
	f := startFake(t)
	t.Setenv("DOCKER_HOST", f.host)
	opts := Options{Detach: true}
	extra := map[int]int{}
	done := 0
	for _, n := range []int{10, 400} {
		opts.File = write(t, t.TempDir(), fmt.Sprintf(fakeLoop, n)+fmt.Sprintf(`
for i in range(%d):
    c = config("c-%%d" %% i, content = str(i))
    service("s-%%d" %% i, image = "web:1", configs = [c], no_resolve_image = True)
`, n))
		f.count()
		applyFake(t, opts)
		reads, writes := f.count()
		extra[n] = reads + writes - 3*(n-done)
		done = n
		if p := planOf(t, opts); !p.Plan.Empty() {
			t.Fatalf("the plan of %d is not empty:\n%s", n, show(p.Plan))
		}
		if reads, writes := f.count(); reads > maxCalls || writes > 0 {
			t.Errorf("a plan without changes made %d reads and %d writes", reads, writes)
		}
	}
	// Beside one request an object, those of the lease, the ledger and the lists.
	for n, calls := range extra {
		if calls > 40 {
			t.Errorf("an apply of %d made %d requests beside those that create", 3*n, calls)
		}
	}
	t.Log(extra)
}
