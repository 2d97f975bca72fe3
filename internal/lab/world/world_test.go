package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// yard is a world in a folder of its own, that can be left and come back to.
type yard struct {
	*testing.T
	dir   string
	store *store.Store
	*World
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{T: t, dir: filepath.Join(t.TempDir(), "lab")}
	if err := os.MkdirAll(y.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	y.open()
	t.Cleanup(func() { y.leave() })
	return y
}

func (y *yard) ok(err error) {
	y.Helper()
	if err != nil {
		y.Fatal(err)
	}
}

func (y *yard) open() {
	y.Helper()
	var err error
	y.store, err = store.Open(filepath.Join(y.dir, api.StoreFile))
	y.ok(err)
	y.World, err = OpenDebian(y.Context(), Config{Dir: y.dir, Store: y.store, Log: slog.New(slog.NewTextHandler(&testLog{y.T}, nil))})
	y.ok(err)
}

type testLog struct{ t *testing.T }

func (l *testLog) Write(b []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// leave ends the world as the end of its process does.
func (y *yard) leave() {
	y.World.Close()
	y.ok(y.store.Close())
}

// host makes a host that runs, with an engine.
func (y *yard) host(name string) *Host {
	y.Helper()
	h, err := y.Create(y.Context(), api.Spec{Project: "shop", Name: name, Image: "debian-12"})
	y.ok(err)
	y.ok(h.Start(y.Context()))
	y.sh(h, "apt-get update -q && apt-get install -yq docker.io")
	return h
}

// sh runs a script on a host as root, and returns what it says.
func (y *yard) sh(h *Host, script string) string {
	y.Helper()
	var out bytes.Buffer
	p := debian.Process{User: "root", Line: script, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	if code := h.body.(*inside).system.Exec(y.Context(), p); code != 0 {
		y.Fatalf("%q ended with %d:\n%s", script, code, &out)
	}
	return strings.TrimSpace(out.String())
}

// engine is a client of a host's engine.
func (y *yard) engine(h *Host) *client.Client {
	y.Helper()
	c, err := client.NewClientWithOpts(client.WithAPIVersionNegotiation(), client.WithHost("http://"+h.rec.Name), client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return h.body.Engine(ctx)
	}))
	y.ok(err)
	y.Cleanup(func() { c.Close() })
	return c
}

func (y *yard) swarm(names ...string) []*Host {
	y.Helper()
	var hosts []*Host
	var token, first string
	for _, name := range names {
		h := y.host(name)
		hosts = append(hosts, h)
		c := y.engine(h)
		if first == "" {
			first = h.rec.Address
			_, err := c.SwarmInit(y.Context(), swarm.InitRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: first})
			y.ok(err)
			s, err := c.SwarmInspect(y.Context())
			y.ok(err)
			token = s.JoinTokens.Manager
			continue
		}
		y.ok(c.SwarmJoin(y.Context(), swarm.JoinRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: h.rec.Address, RemoteAddrs: []string{first + ":2377"}, JoinToken: token}))
	}
	return hosts
}

// until waits for something to be so.
func (y *yard) until(what string, so func() bool) {
	y.Helper()
	for begun := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 5*time.Minute {
			y.Fatalf("it is not so that %s", what)
		}
	}
}

// tasks are the IDs of a service's running tasks.
func (y *yard) tasks(h *Host, service string) (ids []string) {
	y.Helper()
	all, err := y.engine(h).TaskList(y.Context(), swarm.TaskListOptions{})
	if err != nil {
		return nil // no leader yet
	}
	for _, task := range all {
		if task.Status.State == swarm.TaskStateRunning && task.DesiredState == swarm.TaskStateRunning {
			ids = append(ids, task.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func get(url string) string {
	c := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		return "nobody"
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return strings.TrimSpace(string(text))
}

func (y *yard) service(h *Host, name string, replicas uint64, published uint32) {
	y.Helper()
	_, err := y.engine(h).ServiceCreate(y.Context(), swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "nginx:1.27"}},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		EndpointSpec: &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: published}}},
	}, swarm.ServiceCreateOptions{})
	y.ok(err)
}

// at is what is answered at a port of a host.
func at(h *Host, port int) string { return get(fmt.Sprintf("http://%s:%d", h.rec.Address, port)) }

// answers waits until hosts answer in the mesh, and others do not.
func (y *yard) answers(port int, yes, no []*Host) {
	y.Helper()
	for _, h := range yes {
		y.until(h.rec.Name+" answers", func() bool { return strings.HasPrefix(at(h, port), "not simulated: task web.") })
	}
	for _, h := range no {
		y.until(h.rec.Name+" does not answer", func() bool { return at(h, port) == "nobody" })
	}
}

// again finds the hosts of a world that was opened again.
func (y *yard) again(hosts []*Host) (out []*Host) {
	y.Helper()
	for _, h := range hosts {
		now, err := y.Host(h.rec.ID)
		y.ok(err)
		out = append(out, now)
	}
	return out
}

// A world that is left goes on where it was, with the same tasks.
func TestResume(t *testing.T) {
	y := newYard(t)
	hosts := y.swarm("a", "b", "c")
	y.answers(8080, nil, hosts)
	y.service(hosts[0], "web", 2, 8080)
	y.until("both tasks run", func() bool { return len(y.tasks(hosts[0], "web")) == 2 })
	if got := at(hosts[2], 8080); !strings.Contains(got, " (nginx:1.27) on host ") {
		t.Errorf("it answers %q", got)
	}
	y.answers(8080, hosts, nil)
	before := y.tasks(hosts[0], "web")
	for range 3 {
		y.leave()
		y.answers(8080, nil, hosts)
		y.open()
		hosts = y.again(hosts)
		y.until("both tasks run", func() bool { return len(y.tasks(hosts[1], "web")) == 2 })
		if after := y.tasks(hosts[1], "web"); !slices.Equal(before, after) {
			t.Fatalf("there are %v, and were %v", after, before)
		}
		y.answers(8080, hosts, nil)
	}
}

// A port that another program has is served once that program is gone, and then
// nothing is said of it any more.
func TestPortTaken(t *testing.T) {
	y := newYard(t)
	hosts := y.swarm("a")
	a := hosts[0]
	other, err := net.Listen("tcp4", a.rec.Address+":8080")
	y.ok(err)
	defer other.Close()
	y.service(a, "web", 1, 8080)
	y.until("it says so", func() bool {
		trouble := a.Describe().Trouble
		return len(trouble) == 1 && strings.HasPrefix(trouble[0], "port 8080 is not served: another program ")
	})
	y.ok(other.Close())
	y.answers(8080, hosts, nil)
	if trouble := a.Describe().Trouble; len(trouble) > 0 {
		t.Errorf("it still says %q", trouble)
	}
}

// What happens to hosts happens to their part of the mesh, and of the swarm.
func TestFailures(t *testing.T) {
	y := newYard(t)
	hosts := y.swarm("a", "b", "c")
	a, b, c := hosts[0], hosts[1], hosts[2]
	y.service(a, "web", 1, 8080)
	y.until("the task runs", func() bool { return len(y.tasks(a, "web")) == 1 })
	y.answers(8080, hosts, nil)
	// The host with the task, and another one.
	on, other := a, b
	for _, h := range hosts {
		if strings.Contains(at(a, 8080), "on host "+h.rec.Name+" ") {
			on = h
		}
	}
	if on == other {
		other = c
	}

	y.ok(y.Partition(on.rec.ID, other.rec.ID))
	y.answers(8080, []*Host{on}, []*Host{other})
	y.ok(y.Heal("", ""))
	y.answers(8080, hosts, nil)

	y.ok(other.Pause())
	if got := at(other, 8080); got != "nobody" {
		t.Errorf("a paused host answers %q", got)
	}
	y.ok(other.Resume())
	y.answers(8080, hosts, nil)

	// A power cut: the swarm has the task run elsewhere.
	y.ok(on.Kill())
	y.until("the task runs elsewhere", func() bool { return len(y.tasks(other, "web")) == 1 && at(on, 8080) == "nobody" })
	y.answers(8080, []*Host{other}, []*Host{on})
	y.ok(on.Start(t.Context()))
	y.answers(8080, hosts, nil)

	// From inside.
	boots := other.Describe().Boots
	y.sh(other, "echo kept >/etc/kept; systemctl reboot")
	y.until("it has booted", func() bool { h := other.Describe(); return h.Boots == boots+1 && h.State == api.Running })
	y.answers(8080, hosts, nil)
	if got := y.sh(other, "cat /etc/kept"); got != "kept" {
		t.Errorf("its disk has %q", got)
	}
	y.sh(other, "systemctl stop docker.socket docker")
	y.answers(8080, nil, []*Host{other})
	if v := other.Describe().Engine; v != "" {
		t.Errorf("its engine is %q", v)
	}
	y.sh(other, "systemctl start docker")
	y.answers(8080, hosts, nil)
	y.sh(other, "poweroff")
	y.until("it is off", func() bool { return other.Describe().State == api.Off })
}

// run starts a container on a host's engine, with a published port where one is
// given.
func (y *yard) run(h *Host, name string, published int) error {
	y.Helper()
	c := y.engine(h)
	pulled, err := c.ImagePull(y.Context(), "nginx:1.27", image.PullOptions{})
	y.ok(err)
	_, err = io.Copy(io.Discard, pulled)
	y.ok(errors.Join(err, pulled.Close()))
	host := &container.HostConfig{}
	if published != 0 {
		host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: fmt.Sprint(published)}}}
	}
	made, err := c.ContainerCreate(y.Context(), &container.Config{Image: "nginx:1.27", ExposedPorts: nat.PortSet{"80/tcp": {}}}, host, nil, nil, name)
	y.ok(err)
	return c.ContainerStart(y.Context(), made.ID, container.StartOptions{})
}

// A port of a container is served by its host, as far as the computer has it.
func TestPorts(t *testing.T) {
	y := newYard(t)
	h := y.host("a")
	y.ok(y.run(h, "web", 8080))
	if got := at(h, 8080); !strings.HasPrefix(got, "not simulated: container ") || !strings.HasSuffix(got, " of host a would answer at port 80") {
		t.Errorf("it answers %q", got)
	}
	conn, err := h.dial(t.Context(), h.rec.Address+":8080")
	y.ok(err)
	fmt.Fprint(conn, "HEAD / HTTP/1.0\r\n\r\n")
	reply, err := io.ReadAll(conn)
	y.ok(err)
	if !strings.HasPrefix(string(reply), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(reply), "\r\n\r\n") {
		t.Errorf("it answers %q", reply)
	}
	conn.Close()
	y.ok(y.engine(h).ContainerStop(t.Context(), "web", container.StopOptions{}))
	if got := at(h, 8080); got != "nobody" {
		t.Errorf("a container that is stopped answers %q", got)
	}

	// What somebody else of the computer has is not to be had.
	taken, err := net.Listen("tcp", h.rec.Address+":8081")
	y.ok(err)
	defer taken.Close()
	if err := y.run(h, "other", 8081); err == nil || !strings.Contains(err.Error(), "another program of this computer listens at "+h.rec.Address+":8081") {
		t.Errorf("got %v", err)
	}
	if _, err := h.dial(t.Context(), h.rec.Address+":9"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a port that nobody has: %v", err)
	}
	if _, err := h.dial(t.Context(), "192.0.2.1:80"); err == nil || !strings.Contains(err.Error(), "not simulated") {
		t.Errorf("the internet: %v", err)
	}
}

// Faults hold on every host, also on one that boots later.
func TestFaultsOfEngines(t *testing.T) {
	y := newYard(t)
	_, err := y.SetFault(api.Fault{Image: "redis", Effects: map[string]string{"pull": "missing"}})
	y.ok(err)
	f, err := y.SetFault(api.Fault{Container: "bad", Effects: map[string]string{"exit": "3"}})
	y.ok(err)
	h := y.host("a")
	state := func(name string) string {
		c, err := y.engine(h).ContainerInspect(t.Context(), name)
		y.ok(err)
		return fmt.Sprint(c.State.Status, " ", c.State.ExitCode)
	}
	y.ok(errors.Join(y.run(h, "bad", 0), y.run(h, "good", 0)))
	y.until("it has ended", func() bool { return state("bad") == "exited 3" })
	if got := state("good"); got != "running 0" {
		t.Errorf("the other one is %s", got)
	}
	if _, err := y.engine(h).ImagePull(t.Context(), "redis:7", image.PullOptions{}); err == nil || !strings.Contains(err.Error(), "redis") {
		t.Errorf("the pull says %v", err)
	}
	y.ok(y.ClearFault(f.ID))
	y.ok(y.engine(h).ContainerStart(t.Context(), "bad", container.StartOptions{}))
	if got := state("bad"); got != "running 0" {
		t.Errorf("without the fault it is %s", got)
	}
	for _, wrong := range []struct{ effect, value, want string }{
		{"exit", "x", "the effect exit=x is not known: want an exit code, 0 to 255"},
		{"exit", "-1", "the effect exit=-1 is not known: want an exit code, 0 to 255"},
		{"exit-after", "soon", "the effect exit-after=soon is not known: want a time, as 2s or 500ms"},
		{"explode", "", "the effect explode is not known: want exit, exit-after, oom, unhealthy, start-delay, pull or log"},
	} {
		_, err := y.SetFault(api.Fault{Effects: map[string]string{wrong.effect: wrong.value}})
		if err == nil || err.Error() != wrong.want {
			t.Errorf("got %v, want %s", err, wrong.want)
		}
	}
}

// A host that cannot be brought back is off and says why; the others go on.
func TestHostThatDoesNotComeBack(t *testing.T) {
	y := newYard(t)
	good, bad := y.host("good"), y.host("bad")
	y.leave()
	var err error
	y.store, err = store.Open(filepath.Join(y.dir, api.StoreFile))
	y.ok(err)
	disk, damaged := y.store.In("host").In(bad.rec.ID).In("debian").In("fs"), map[string][]byte{}
	y.ok(disk.All(func(key string, _ []byte) error { damaged[key] = []byte("{"); return nil }))
	y.ok(disk.PutAll(damaged))
	y.ok(y.store.Close())
	y.open()
	hosts := y.again([]*Host{good, bad})
	if h := hosts[0].Describe(); h.State != api.Running || h.Engine == "" {
		t.Errorf("the other one is %s, its engine %q", h.State, h.Engine)
	}
	h := hosts[1].Describe()
	if h.State != api.Off || len(h.Trouble) != 1 || !strings.HasPrefix(h.Trouble[0], "it did not come back: ") {
		t.Errorf("it is %s: %q", h.State, h.Trouble)
	}
	if err := hosts[1].Change(api.Change{}); err == nil || !strings.Contains(err.Error(), "make it anew") {
		t.Errorf("it was changed: %v", err)
	}
	if err := hosts[1].Start(t.Context()); err == nil {
		t.Error("it was started")
	}
	y.ok(hosts[1].Destroy())
}

func TestMain(m *testing.M) {
	cluster.Logs(io.Discard, logrus.WarnLevel)
	os.Exit(m.Run())
}
