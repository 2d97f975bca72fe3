package swarm_test

import (
	"flag"
	"io"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/resource/resourcetest"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4") // unless -parallel says otherwise: these tests wait more than they work
	os.Exit(m.Run())
}

// args is what a script gives.
type args = resourcetest.Args

// world is an engine of a release and what a test does with it.
type world struct {
	t       *testing.T
	e       *testengine.Engine
	eng     *engine.Conn
	sw      resource.Conn // nil before there is a swarm
	project string
	outputs map[string]bool // that a program would refer to
}

// onEngines runs a test on an engine of each release.
func onEngines(t *testing.T, test func(w *world)) {
	t.Parallel()
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			e := testengine.Start(t, v)
			conn, err := engine.Connect(remote.Endpoint{Host: e.Host, ConfigDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			test(&world{t: t, e: e, eng: conn, project: "shop/test"})
		})
	}
}

// inSwarm runs a test on an engine that a swarm was made on.
func (w *world) inSwarm() *world {
	w.t.Helper()
	w.e.Docker("swarm", "init", "--advertise-addr", w.e.Addr)
	w.join()
	return w
}

func (w *world) join() {
	w.t.Helper()
	o := w.find(swarm.SwarmKind, "")
	if o == nil {
		w.t.Fatal("there is no swarm")
	}
	c, err := swarm.SwarmKind.Handler.(resource.Opener).Open(w.t.Context(), w.eng, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sw = c
}

func (w *world) conn(k *resource.Kind) resource.Conn {
	if k.Scope == "engine" {
		return w.eng
	}
	return w.sw
}

func (w *world) observe(c resource.Conn) *resource.Observation {
	w.t.Helper()
	obs, err := c.Observe(w.t.Context(), resource.Query{Project: w.project, Outputs: w.outputs})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range obs.Objects {
		if m, ok := obs.Ledger.Marks[o.ID]; ok {
			o.Mark = m
		}
	}
	return obs
}

// find returns the live object of a kind; "" is the only one.
func (w *world) find(k *resource.Kind, name string) *resource.Object {
	w.t.Helper()
	for _, o := range w.observe(w.conn(k)).Objects {
		if o.Kind == k.Name && (name == "" || o.Name == name) {
			return o
		}
	}
	return nil
}

// check brings a script's arguments to normal form.
func (w *world) check(k *resource.Kind, a args) value.Struct {
	w.t.Helper()
	out, problems := resourcetest.Check(k, a)
	if problems != nil {
		w.t.Fatal(problems)
	}
	return out
}

func (w *world) request(k *resource.Kind, name string, a value.Struct) *resource.Request {
	addr := value.NewAddress("", k.Name, name)
	m := resource.Mark{Project: w.project, Address: addr}
	for i, f := range k.Schema.Fields() {
		if mp, ok := value.Reveal(a[i]).(*value.Map); ok && f.Merge && mp != nil {
			for _, e := range mp.Entries {
				m.Keys = append(m.Keys, f.Name+":"+e.Key)
			}
		}
	}
	return &resource.Request{Address: addr, Args: a, Mark: m, Name: name, Progress: func(resource.Progress) {}}
}

// diff returns the paths that differ, those that force a replacement with a
// "!" before them.
func (w *world) diff(k *resource.Kind, name string, a args) []string {
	w.t.Helper()
	o := w.find(k, name)
	if o == nil {
		w.t.Fatalf("there is no %s %s", k.Name, name)
	}
	var out []string
	for _, c := range k.Schema.Diff(w.check(k, a), o.Args, o.Mark.Owned()) {
		p := c.Path
		if c.Replace {
			p = "!" + p
		}
		out = append(out, p)
	}
	sort.Strings(out)
	return out
}

func (w *world) wantDiff(k *resource.Kind, name string, a args, want ...string) {
	w.t.Helper()
	sort.Strings(want)
	if got := w.diff(k, name, a); !slices.Equal(got, want) {
		w.t.Errorf("%s %s differs in %q, want %q", k.Name, name, got, want)
	}
}

// create makes an object; a second look must find nothing to change.
func (w *world) create(k *resource.Kind, name string, a args) *resource.Object {
	w.t.Helper()
	o, err := k.Handler.Create(w.t.Context(), w.conn(k), w.request(k, name, w.check(k, a)))
	if err != nil {
		w.t.Fatalf("create %s %s: %v", k.Name, name, err)
	}
	w.settled(k, name, a)
	return o
}

func (w *world) settled(k *resource.Kind, name string, a args) {
	w.t.Helper()
	find := name
	if k.Single {
		find = ""
	}
	w.wantDiff(k, find, a)
	o := w.find(k, find)
	if want := w.request(k, name, w.check(k, a)).Mark; !o.Mark.Equal(want) {
		w.t.Errorf("%s %s has the mark %+v, want %+v", k.Name, name, o.Mark, want)
	}
}

// update changes an object in place.
func (w *world) update(k *resource.Kind, name string, a args) {
	w.t.Helper()
	find := name
	if k.Single {
		find = ""
	}
	r := w.request(k, name, w.check(k, a))
	r.Live = w.find(k, find)
	if _, err := k.Handler.Update(w.t.Context(), w.conn(k), r); err != nil {
		w.t.Fatalf("update %s %s: %v", k.Name, name, err)
	}
	w.settled(k, name, a)
}

func (w *world) delete(k *resource.Kind, name string) {
	w.t.Helper()
	o := w.find(k, name)
	if o == nil {
		w.t.Fatalf("there is no %s %s", k.Name, name)
	}
	r := w.request(k, name, make(value.Struct, len(k.Schema.Fields())))
	r.Live, r.Args = o, nil
	for range 2 { // gone already is no error
		if err := k.Handler.Delete(w.t.Context(), w.conn(k), r); err != nil {
			w.t.Fatalf("delete %s %s: %v", k.Name, name, err)
		}
	}
	if w.find(k, name) != nil {
		w.t.Errorf("%s %s is still there", k.Name, name)
	}
}

func (w *world) api(atLeast string) bool {
	got := w.observe(w.eng).API
	return len(got) > len(atLeast) || len(got) == len(atLeast) && got >= atLeast
}

func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error is %q, want %q in it", err, p)
		}
	}
}

// httpGet asks a published port until it answers.
func httpGet(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(url)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return string(body)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
	}
}

// handLabels changes a secret's labels as somebody else's program would.
func (w *world) handLabels(name string) {
	w.t.Helper()
	api := w.eng.Docker()
	s, _, err := api.SecretInspectWithRaw(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Spec.Labels["tier"], s.Spec.Labels["theirs"] = "x", "1"
	if err := api.SecretUpdate(w.t.Context(), s.ID, s.Version, s.Spec); err != nil {
		w.t.Fatal(err)
	}
}
