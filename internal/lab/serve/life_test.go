package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/world"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// The process of a lab is this test program started again: for a lab in a folder
// that is called hollow with hosts that have nothing inside, as most of these tests
// are about the process.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "lab" && os.Args[2] == "serve" && filepath.Base(os.Args[4]) == "hollow" {
		os.Exit(process(os.Args[3:], func(ctx context.Context, cfg world.Config) (*world.World, error) {
			cfg.Make = func(in world.Inside) (world.Body, error) { return newHollow(in) }
			return world.Open(ctx, cfg, everywhere{})
		}))
	}
	Intercept(os.Args)
	os.Exit(m.Run())
}

// everywhere is a network in which all reach one another.
type everywhere struct{}

func (everywhere) Cut(string, string)          {}
func (everywhere) Heal(string, string)         {}
func (everywhere) Isolate(string)              {}
func (everywhere) Rejoin(string)               {}
func (everywhere) Reaches(string, string) bool { return true }

// hollow is a host with nothing inside but a list of keys, and a server that says
// its name at the port of SSH.
type hollow struct {
	in world.Inside
	mu sync.Mutex
	on bool
}

func newHollow(in world.Inside) (*hollow, error) {
	b := &hollow{in: in}
	if in.Store.Get("keys") == nil {
		return b, b.SetKeys(in.AuthorizedKeys)
	}
	return b, nil
}

func (b *hollow) power(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = on
}

func (b *hollow) Boot(context.Context) error                     { b.power(true); return nil }
func (b *hollow) Halt(context.Context) error                     { b.power(false); return nil }
func (b *hollow) Cut()                                           { b.power(false) }
func (b *hollow) Listens(int) bool                               { return false }
func (b *hollow) Fault()                                         {}
func (b *hollow) Filter(netip.Addr, int) debian.Verdict          { return debian.Admitted }
func (b *hollow) FilterPublished(netip.Addr, int) debian.Verdict { return debian.Admitted }
func (b *hollow) SSH(c net.Conn)                                 { fmt.Fprintf(c, "this is %s, live %t\n", b.in.Hostname, b.in.Live) }

func (b *hollow) Engine(context.Context) (net.Conn, error) {
	return nil, errors.New("there is no engine")
}

func (b *hollow) Version() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on {
		return "1"
	}
	return ""
}

func (b *hollow) Keys() (keys []string, err error) {
	return keys, json.Unmarshal(b.in.Store.Get("keys"), &keys)
}

func (b *hollow) SetKeys(keys []string) error {
	text, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return b.in.Store.Put("keys", text)
}

// newLab returns a lab in a folder of its own, which is gone after the test.
func newLab(t *testing.T) *lab.Lab { return labIn(t, "hollow") }

func labIn(t *testing.T, folder string) *lab.Lab {
	t.Helper()
	l, err := lab.Open(filepath.Join(t.TempDir(), folder))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Reset(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// hosts says what hosts there are, as "web running".
func hosts(t *testing.T, l *lab.Lab) string {
	t.Helper()
	var out []string
	for _, h := range must[[]*api.Host](t)(l.Hosts(t.Context())) {
		out = append(out, h.Name+" "+string(h.State))
	}
	return strings.Join(out, ", ")
}

// greeting is what a host says at the port of SSH.
func greeting(t *testing.T, h *api.Host) string {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("tcp", h.SSH))
	defer conn.Close()
	text := make([]byte, 100)
	n, err := conn.Read(text)
	if err != nil {
		t.Fatalf("%s: %v", h.SSH, err)
	}
	return strings.TrimSpace(string(text[:n]))
}

func up(t *testing.T, l *lab.Lab, name string) *api.Host {
	t.Helper()
	h := must[*api.Host](t)(l.Create(t.Context(), api.Spec{Project: "shop", Name: name, Image: "debian-12"}))
	return must[*api.Host](t)(l.Do(t.Context(), h.ID, lab.Start))
}

func pid(t *testing.T, l *lab.Lab) int {
	t.Helper()
	return must[*api.Info](t)(l.Info(t.Context())).PID
}

// A lab that is not there is not made by who only looks.
func TestNobodyMakesALabByLooking(t *testing.T) {
	l := newLab(t)
	if got := hosts(t, l); got != "" || l.Exists() {
		t.Errorf("there are %q", got)
	}
	if _, err := l.Info(t.Context()); !errors.Is(err, lab.ErrNone) {
		t.Errorf("somebody answered: %v", err)
	}
	if was, err := l.Stop(t.Context()); was || err != nil {
		t.Errorf("it was stopped: %t, %v", was, err)
	}
	if lease, _, err := l.ReadLease(t.Context(), "shop"); lease != nil || err != nil {
		t.Errorf("it has a lease: %v, %v", lease, err)
	}
	if _, err := os.Stat(l.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

// The process is started by who needs it first, serves others, and is followed by
// another one that goes on where it was, however it ended.
func TestLife(t *testing.T) {
	l := newLab(t)
	web := up(t, l, "web")
	if got := greeting(t, web); got != "this is web, live false" {
		t.Errorf("it says %q", got)
	}
	off := must[*api.Host](t)(l.Create(t.Context(), api.Spec{Project: "shop", Name: "off", Image: "debian-12"}))
	if off.State != api.Off || off.Address == web.Address {
		t.Errorf("got %+v", off)
	}
	first := pid(t, l)
	other, err := lab.Open(l.Dir()) // as another command does
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(t, other); got != "web running, off off" || pid(t, other) != first {
		t.Errorf("the other one sees %q", got)
	}

	for _, end := range []struct {
		how string
		do  func() error
	}{
		{"stop", func() error { _, err := l.Stop(t.Context()); return err }},
		{"SIGKILL", func() error { return kill(pid(t, l)) }},
	} {
		before := pid(t, l)
		if err := end.do(); err != nil {
			t.Fatal(end.how, err)
		}
		if got := hosts(t, l); got != "web running, off off" {
			t.Errorf("after %s there are %q", end.how, got)
		}
		if pid(t, l) == before {
			t.Errorf("after %s it is the same process", end.how)
		}
		h := must[*api.Host](t)(l.Host(t.Context(), web.ID))
		if got := greeting(t, h); got != "this is web, live true" {
			t.Errorf("after %s it says %q", end.how, got)
		}
		if h.Address != web.Address || h.HostKey != web.HostKey || h.Boots != 1 {
			t.Errorf("after %s it is another host: %+v", end.how, h)
		}
	}

	// Who did not notice that the process is another one is served as well.
	if got := hosts(t, other); got != "web running, off off" {
		t.Errorf("the other one sees %q", got)
	}
}

// kill ends a process at once, and returns when it is gone.
func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err == nil {
		err = gone(pid)
	}
	return err
}

// gone returns when a process has ended.
func gone(pid int) error {
	p, err := os.FindProcess(pid)
	for err == nil && p.Signal(probe) == nil {
		time.Sleep(time.Millisecond)
	}
	return err
}

// Commands that need a lab at the same moment all get the same one.
func TestManyStartAtOnce(t *testing.T) {
	l := newLab(t)
	pids := make([]int, 8)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() {
			mine, err := lab.Open(l.Dir())
			if err == nil {
				_, err = mine.Create(t.Context(), api.Spec{Project: "shop", Name: fmt.Sprintf("h%d", i), Image: "debian-12"})
			}
			if err != nil {
				t.Error(err)
				return
			}
			pids[i] = pid(t, mine)
		})
	}
	wg.Wait()
	for _, p := range pids {
		if p != pids[0] || p == 0 {
			t.Fatalf("there are several processes: %v", pids)
		}
	}
	if all := must[[]*api.Host](t)(l.Hosts(t.Context())); len(all) != len(pids) {
		t.Errorf("there are %d hosts", len(all))
	}
}

// Who looks while hosts are made never sees one that is on and does not answer.
func TestOnIsAnswering(t *testing.T) {
	l := newLab(t)
	up(t, l, "first") // so that the process runs
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				h, err := l.Create(t.Context(), api.Spec{Project: "shop", Name: fmt.Sprintf("h%d", i), Image: "debian-12"})
				if err == nil {
					_, err = l.Do(t.Context(), h.ID, lab.Start)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}()
	for made := false; !made; {
		select {
		case <-done:
			made = true
		default:
		}
		for _, h := range must[[]*api.Host](t)(l.Hosts(t.Context())) {
			if h.State == api.Running {
				greeting(t, h)
			}
		}
	}
}

// What a process that was killed left behind keeps nobody out, even where another
// program answers at its port by now.
func TestStaleProcessFile(t *testing.T) {
	l := newLab(t)
	up(t, l, "web")
	if err := kill(pid(t, l)); err != nil {
		t.Fatal(err)
	}
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			c.Close()
		}
	}()
	if err := writeProcess(l.Dir(), api.Process{PID: 1, Address: ln.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	again, err := lab.Open(l.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(t, again); got != "web running" {
		t.Errorf("there are %q", got)
	}
}

// A process whose folder was removed ends, and leaves alone what is there by then.
func TestFolderRemoved(t *testing.T) {
	l := newLab(t)
	web := up(t, l, "web")
	must[string](t)(l.Engine(t.Context(), web.ID))
	before := pid(t, l)
	if err := os.RemoveAll(l.Dir()); err != nil {
		t.Fatal(err)
	}
	again, err := lab.Open(l.Dir()) // as the next command does
	if err != nil {
		t.Fatal(err)
	}
	web = up(t, again, "web")
	at := must[string](t)(again.Engine(t.Context(), web.ID))
	if pid(t, again) == before {
		t.Error("the process without a folder still serves")
	}
	if err := gone(before); err != nil {
		t.Fatal(err)
	}
	if got := hosts(t, again); got != "web running" {
		t.Errorf("there are %q", got)
	}
	if _, err := os.Stat(strings.TrimPrefix(at, "unix://")); err != nil {
		t.Errorf("the new lab's socket: %v", err)
	}
}

// A process of another binary makes place for one of ours, which goes on with the
// same hosts.
func TestAnotherBuild(t *testing.T) {
	l := newLab(t)
	up(t, l, "web")
	var p api.Process
	text := must[[]byte](t)(os.ReadFile(filepath.Join(l.Dir(), api.ProcessFile)))
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	p.Build = "another"
	if err := writeProcess(l.Dir(), p); err != nil {
		t.Fatal(err)
	}
	mine, err := lab.Open(l.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(t, mine); got != "web running" || pid(t, mine) == p.PID {
		t.Errorf("there are %q of process %d, which was %d", got, pid(t, mine), p.PID)
	}
}

// A process that nobody uses ends; the lab stays, unless nothing is in it.
func TestIdle(t *testing.T) {
	t.Setenv(IdleVariable, "50ms")
	l := newLab(t)
	up(t, l, "web")
	ended := func() {
		for {
			if _, err := l.Info(t.Context()); errors.Is(err, lab.ErrNone) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond) // asking is using
		}
	}
	ended()
	if !l.Exists() {
		t.Fatal("the lab is gone")
	}
	all := must[[]*api.Host](t)(l.Hosts(t.Context()))
	if len(all) != 1 || all[0].State != api.Running {
		t.Errorf("there are %+v", all)
	}
	if err := l.Destroy(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	ended()
	if _, err := os.Stat(l.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder of an empty lab stays: %v", err)
	}
}

// A lab's address range follows from its folder, and a port that somebody else has
// is no obstacle.
func TestTwoLabs(t *testing.T) {
	one, two := newLab(t), newLab(t)
	a, b := up(t, one, "web"), up(t, two, "web")
	if a.Address == b.Address || a.SSH == b.SSH {
		t.Errorf("they share %s, %s", a.SSH, b.SSH)
	}
	if _, err := one.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln := must[net.Listener](t)(net.Listen("tcp", a.SSH))
	defer ln.Close()
	now := must[*api.Host](t)(one.Host(t.Context(), a.ID))
	if got := greeting(t, now); now.SSH == a.SSH || got != "this is web, live true" {
		t.Errorf("at %s somebody says %q", now.SSH, got)
	}
	if _, err := two.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What is done to hosts by hand is seen, and kept.
func TestPower(t *testing.T) {
	l := newLab(t)
	web := up(t, l, "web")
	do := func(v lab.Verb) error { _, err := l.Do(t.Context(), web.ID, v); return err }
	for _, step := range []struct {
		verb  lab.Verb
		state string
	}{
		{lab.Pause, "paused"}, {lab.Pause, "paused"}, {lab.Resume, "running"}, {lab.Resume, "running"}, {lab.Pause, "paused"}, {lab.Start, "running"},
		{lab.Kill, "off"}, {lab.Kill, "off"}, {lab.Start, "running"}, {lab.Pause, "paused"}, {lab.Stop, "off"}, {lab.Stop, "off"}, {lab.Start, "running"},
	} {
		if err := do(step.verb); err != nil {
			t.Fatalf("%s: %v", step.verb, err)
		}
		if got := hosts(t, l); got != "web "+step.state {
			t.Errorf("after %s: %s", step.verb, got)
		}
	}
	if h := must[*api.Host](t)(l.Host(t.Context(), web.ID)); h.Boots != 3 || h.Engine != "1" {
		t.Errorf("got %+v", h)
	}
	must[string](t)("", do(lab.Kill))
	if err := do(lab.Pause); err == nil || !strings.Contains(err.Error(), "is off: start it first") {
		t.Errorf("a host that is off was paused: %v", err)
	}
	if err := do("explode"); err == nil || !strings.Contains(err.Error(), `there is no verb "explode"`) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Create(t.Context(), api.Spec{Project: "shop", Name: "web", Image: "debian-12"}); !errors.Is(err, resource.ErrExists) {
		t.Errorf("a second host of the name: %v", err)
	}
	if err := l.Destroy(t.Context(), web.ID); err != nil {
		t.Fatal(err)
	}
	if err := do(lab.Start); !errors.Is(err, resource.ErrMissing) {
		t.Errorf("got %v", err)
	}
	if err := l.Destroy(t.Context(), web.ID); err != nil {
		t.Errorf("a host that is gone: %v", err)
	}
}

// A paused host holds up who talks to it, also after the process was another one.
func TestPausedHostHoldsUp(t *testing.T) {
	l := newLab(t)
	web := up(t, l, "web")
	must[*api.Host](t)(l.Do(t.Context(), web.ID, lab.Pause))
	if err := kill(pid(t, l)); err != nil {
		t.Fatal(err)
	}
	web = must[*api.Host](t)(l.Host(t.Context(), web.ID))
	said := make(chan string, 1)
	go func() { said <- greeting(t, web) }()
	select {
	case text := <-said:
		t.Errorf("a paused host said %q", text)
	case <-time.After(100 * time.Millisecond):
	}
	must[*api.Host](t)(l.Do(t.Context(), web.ID, lab.Resume))
	if got := <-said; got != "this is web, live true" {
		t.Errorf("it says %q", got)
	}
}

// Who is kept apart from whom is kept on disk, and ends with a host.
func TestApart(t *testing.T) {
	l := newLab(t)
	a, b, c := up(t, l, "a"), up(t, l, "b"), up(t, l, "c")
	apart := func() string {
		var out []string
		all := must[[]*api.Host](t)(l.Hosts(t.Context()))
		for _, h := range all {
			for _, o := range all {
				if !h.Reaches(o) {
					out = append(out, h.Name+o.Name)
				}
			}
		}
		return strings.Join(out, " ")
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(l.Partition(t.Context(), a.ID, b.ID))
	ok(l.Partition(t.Context(), c.ID, a.ID))
	_, err := l.Stop(t.Context())
	ok(err)
	if got := apart(); got != "ab ac ba ca" {
		t.Errorf("apart are %q", got)
	}
	ok(l.Heal(t.Context(), b.ID, a.ID))
	if got := apart(); got != "ac ca" {
		t.Errorf("apart are %q", got)
	}
	ok(l.Partition(t.Context(), a.ID, b.ID))
	ok(l.Destroy(t.Context(), c.ID))
	if got := apart(); got != "ab ba" {
		t.Errorf("apart are %q", got)
	}
	ok(l.Heal(t.Context(), "", ""))
	if got := apart(); got != "" {
		t.Errorf("apart are %q", got)
	}
	if err := l.Partition(t.Context(), a.ID, a.ID); err == nil {
		t.Error("a host was kept apart from itself")
	}
	if err := l.Partition(t.Context(), a.ID, c.ID); !errors.Is(err, resource.ErrMissing) {
		t.Errorf("got %v", err)
	}
}

// A lease belongs to one holder at a time, and keeps a lab without hosts.
func TestLease(t *testing.T) {
	l := newLab(t)
	mine := &resource.Lease{Holder: "me", Expires: time.Now().Add(time.Minute).UTC()}
	first, err := l.WriteLease(t.Context(), "shop", nil, mine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.WriteLease(t.Context(), "shop", nil, mine); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("another one took it: %v", err)
	}
	if _, err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, now, err := l.ReadLease(t.Context(), "shop")
	if err != nil || got == nil || got.Holder != "me" || got.Version != first.Version || time.Since(now) > time.Minute {
		t.Errorf("got %+v at %s, %v", got, now, err)
	}
	if _, err := l.WriteLease(t.Context(), "shop", first, nil); err != nil {
		t.Error(err)
	}
	if got, _, err := l.ReadLease(t.Context(), "shop"); got != nil || err != nil {
		t.Errorf("after its release: %+v, %v", got, err)
	}
}

// Faults are kept until they are cleared.
func TestFaults(t *testing.T) {
	l := newLab(t)
	f, err := l.Fault(t.Context(), api.Fault{Service: "web", Effects: map[string]string{"exit": "3"}})
	if err != nil || f.ID == "" {
		t.Fatalf("got %+v, %v", f, err)
	}
	must[*api.Fault](t)(l.Fault(t.Context(), api.Fault{Image: "nginx", Effects: map[string]string{"pull": "missing"}}))
	if all := must[[]*api.Fault](t)(l.Faults(t.Context())); len(all) != 2 || all[0].Service != "web" {
		t.Errorf("got %+v", all)
	}
	if err := l.Clear(t.Context(), f.ID); err != nil {
		t.Error(err)
	}
	if err := l.Clear(t.Context(), f.ID); !errors.Is(err, resource.ErrMissing) {
		t.Errorf("got %v", err)
	}
	if err := l.Clear(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if _, err := l.Fault(t.Context(), api.Fault{}); err == nil {
		t.Error("a fault that does nothing was taken")
	}
	if all := must[[]*api.Fault](t)(l.Faults(t.Context())); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}

// Who does not know the token is told nothing.
func TestToken(t *testing.T) {
	l := newLab(t)
	up(t, l, "web")
	var p api.Process
	text := must[[]byte](t)(os.ReadFile(filepath.Join(l.Dir(), api.ProcessFile)))
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	conn := must[net.Conn](t)(net.Dial("tcp", p.Address))
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/reset HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n", strings.Repeat("A", len(p.Token)))
	reply := make([]byte, 12)
	if _, err := conn.Read(reply); err != nil || string(reply) != "HTTP/1.0 401" {
		t.Errorf("got %q, %v", reply, err)
	}
	if info, err := os.Stat(filepath.Join(l.Dir(), api.ProcessFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the token: %v, %v", info, err)
	}
}

// Where the process cannot be, who asked is told why.
func TestItDoesNotStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	if err := os.MkdirAll(filepath.Join(dir, api.StoreFile), 0o700); err != nil { // a folder in place of the file
		t.Fatal(err)
	}
	l, err := lab.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("got %v", err)
	}
}

// Whoever asks is told how long an empty lab really waits.
func TestIdleIsSaid(t *testing.T) {
	t.Setenv(IdleVariable, "10m")
	l := newLab(t)
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must[*api.Info](t)(l.Info(t.Context())).Idle; got != emptyIdle.String() {
		t.Errorf("an empty lab says that it ends after %s", got)
	}
	up(t, l, "web")
	if got := must[*api.Info](t)(l.Info(t.Context())).Idle; got != "10m0s" {
		t.Errorf("one with a host says that it ends after %s", got)
	}
}
