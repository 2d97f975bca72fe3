package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
)

// node is a worker without a swarm: it does with a task what SwarmKit's agent does.
type node struct {
	t *testing.T
	e *Engine
	x exec.Executor
}

func newNode(t *testing.T, e *Engine) *node {
	t.Helper()
	x := e.Executor()
	if _, err := x.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &node{t, e, x}
}

// drive moves a task on until it is in a state, or goes no further.
func (n *node) drive(ctx context.Context, task *api.Task, until api.TaskState) exec.Controller {
	n.t.Helper()
	ctlr, status, err := exec.Resolve(ctx, task, n.x)
	task.Status = *status
	if err != nil {
		return nil
	}
	for task.Status.State < until {
		status, err := exec.Do(ctx, task, ctlr)
		task.Status = *status
		if errors.Is(err, exec.ErrTaskNoop) || ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, exec.ErrTaskRetry) {
			n.t.Fatal(err)
		}
	}
	return ctlr
}

func task(id, image string, args ...string) *api.Task {
	return &api.Task{
		ID: id, ServiceID: "service1", NodeID: "node1", Slot: 1, ServiceAnnotations: api.Annotations{Name: "web"},
		Spec:         api.TaskSpec{Runtime: &api.TaskSpec_Container{Container: &api.ContainerSpec{Image: image, Args: args}}},
		Status:       api.TaskStatus{State: api.TaskStateAssigned},
		DesiredState: api.TaskStateRunning,
	}
}

func overlay(id, name string) *api.Network {
	return &api.Network{
		ID: id, Spec: api.NetworkSpec{Annotations: api.Annotations{Name: name}},
		DriverState: &api.Driver{Name: "overlay", Options: map[string]string{"com.docker.network.driver.overlay.vxlanid_list": "4097"}},
		IPAM:        &api.IPAMOptions{Driver: &api.Driver{Name: "default"}, Configs: []*api.IPAMConfig{{Subnet: "10.0.1.0/24", Gateway: "10.0.1.1"}}},
	}
}

func TestDescribe(t *testing.T) {
	cfg := config("m1")
	cfg.Daemon = map[string]any{"labels": []string{"tier=web"}, "node-generic-resources": []string{"gpu=2", "fpga=a1"}}
	d, err := start(t, cfg).Executor().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Hostname != "m1" || d.Platform.OS != "linux" || d.Platform.Architecture != "x86_64" || d.Engine.EngineVersion != "28.5.2" ||
		d.Engine.Labels["tier"] != "web" || d.Engine.Labels["lab"] != "true" || d.Resources.NanoCPUs != 2e9 || d.Resources.MemoryBytes != 4<<30 ||
		len(d.Resources.Generic) != 2 || len(d.Engine.Plugins) == 0 {
		t.Errorf("%+v", d)
	}
}

// TestTask runs a task with a network, a secret and a port of the host.
func TestTask(t *testing.T) {
	e := start(t, config("m1"))
	n := newNode(t, e)
	back := overlay("net1", "back")
	if err := n.x.Configure(t.Context(), &api.Node{Attachments: []*api.NetworkAttachment{{Network: back, Addresses: []string{"10.0.1.2/24"}}}}); err != nil {
		t.Fatal(err)
	}
	n.x.(exec.SecretsProvider).Secrets().Add(api.Secret{ID: "secret1", Spec: api.SecretSpec{Data: []byte("x")}})
	task := task("task1", "nginx:1.27")
	spec := task.Spec.GetContainer()
	spec.Env = []string{"NAME={{.Service.Name}}.{{.Task.Slot}} on {{.Node.Hostname}}"}
	spec.Secrets = []*api.SecretReference{{SecretID: "secret1", SecretName: "pw", Target: &api.SecretReference_File{File: &api.FileTarget{Name: "pw"}}}}
	spec.Mounts = []api.Mount{{Type: api.MountTypeVolume, Source: "data", Target: "/data"}}
	task.Networks = []*api.NetworkAttachment{{Network: back, Addresses: []string{"10.0.1.7/24"}, Aliases: []string{"www"}}}
	task.Endpoint = &api.Endpoint{Ports: []*api.PortConfig{
		{PublishMode: api.PublishModeHost, TargetPort: 80, PublishedPort: 8080},
		{PublishMode: api.PublishModeIngress, TargetPort: 81, PublishedPort: 8081},
	}}
	ctlr := n.drive(t.Context(), task, api.TaskStateRunning)
	if task.Status.State != api.TaskStateRunning {
		t.Fatalf("%v", task.Status)
	}
	c := inspect(t, e, "web.1.task1")
	if status := task.Status.GetContainer(); status.ContainerID != c.ID || int(status.PID) != c.State.Pid {
		t.Errorf("container status %v", status)
	}
	if p := task.Status.PortStatus; p == nil || len(p.Ports) == 0 || p.Ports[0].PublishedPort != 8080 || p.Ports[0].TargetPort != 80 {
		t.Errorf("port status %v", p)
	}
	if c.Config.Labels["com.docker.swarm.task.id"] != "task1" || c.Config.Labels["com.docker.swarm.service.name"] != "web" || c.Config.Env[0] != "NAME=web.1 on m1" {
		t.Errorf("labels %v, env %v", c.Config.Labels, c.Config.Env)
	}
	if ep := c.NetworkSettings.Networks["back"]; ep == nil || ep.IPAddress != "10.0.1.7" || ep.NetworkID != "net1" || !slices.Contains(ep.DNSNames, "www") {
		t.Errorf("endpoint %+v", ep)
	}
	if len(c.NetworkSettings.Networks) != 1 || len(c.Mounts) != 1 || c.Mounts[0].Name != "data" {
		t.Errorf("networks %v, mounts %v", c.NetworkSettings.Networks, c.Mounts)
	}
	e.mu.Lock()
	files := e.containers[c.ID].Files
	e.mu.Unlock()
	if !slices.Equal(files, []string{"/run/secrets/pw"}) {
		t.Errorf("files %v", files)
	}

	task.DesiredState = api.TaskStateShutdown
	n.drive(t.Context(), task, api.TaskStateShutdown)
	if task.Status.State != api.TaskStateShutdown || inspect(t, e, "web.1.task1").State.Running {
		t.Errorf("shut down: %v", task.Status)
	}
	if err := ctlr.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ctlr.Remove(t.Context()); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.containers) != 0 || e.networks["net1"] != nil {
		t.Errorf("left: %d containers, network %v", len(e.containers), e.networks["net1"])
	}
}

// The last task of a network ends while another is about to start: as in Docker, the
// network is made again.
func TestNetworkGoesBeforeStart(t *testing.T) {
	e := start(t, config("m1"))
	n := newNode(t, e)
	back := overlay("net1", "back")
	if err := n.x.Configure(t.Context(), &api.Node{Attachments: []*api.NetworkAttachment{{Network: back, Addresses: []string{"10.0.1.2/24"}}}}); err != nil {
		t.Fatal(err)
	}
	on := func(id, address string) *api.Task {
		task := task(id, "nginx:1.27")
		task.Networks = []*api.NetworkAttachment{{Network: back, Addresses: []string{address}}}
		return task
	}
	old, next := on("task1", "10.0.1.7/24"), on("task2", "10.0.1.8/24")
	ctlr := n.drive(t.Context(), old, api.TaskStateRunning)
	n.drive(t.Context(), next, api.TaskStateReady)

	old.DesiredState = api.TaskStateShutdown
	n.drive(t.Context(), old, api.TaskStateShutdown)
	if err := ctlr.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	gone := e.networks["net1"] == nil
	e.mu.Unlock()
	if !gone {
		t.Fatal("the network is still there: this test shows nothing")
	}
	n.drive(t.Context(), next, api.TaskStateRunning)
	if next.Status.State != api.TaskStateRunning {
		t.Fatalf("%v", next.Status)
	}
	if ep := inspect(t, e, "web.1.task2").NetworkSettings.Networks["back"]; ep == nil || ep.IPAddress != "10.0.1.8" {
		t.Errorf("endpoint %+v", ep)
	}
}

func TestTasksThatFail(t *testing.T) {
	e := start(t, config("m1"))
	n := newNode(t, e)
	e.Fault(Fault{Image: "nope", Pull: "missing"})
	sick := task("sick", "nginx")
	sick.Spec.GetContainer().Healthcheck = &api.HealthConfig{Test: []string{"CMD", "x"}, Interval: gogotypes.DurationProto(2 * time.Millisecond), Retries: 1}
	sick.Spec.GetContainer().Labels = map[string]string{"lab.unhealthy": "true"}
	exits := task("exits", "busybox", "sh", "-c", "sleep 0.02; exit 3")
	ends := task("ends", "busybox", "true")
	migrates, again := task("migrates", "app:1", "/app", "migrate"), &api.Version{Index: 1} // a job ends, whatever its command
	migrates.JobIteration = again
	fails := task("fails", "app:1")
	fails.JobIteration = again
	fails.Spec.GetContainer().Labels = map[string]string{"lab.exit": "3"}
	oom := task("oom", "nginx")
	oom.Spec.GetContainer().Labels = map[string]string{"lab.oom": "", "lab.exit-after": "10ms"}
	unpulled := task("unpulled", "alpine")
	unpulled.Spec.GetContainer().Labels = map[string]string{"lab.pull": "missing"}
	unmounted := task("unmounted", "nginx")
	unmounted.Spec.GetContainer().Mounts = []api.Mount{{Type: api.MountTypeBind, Source: "rel", Target: "/x"}}
	secretless := task("secretless", "nginx")
	secretless.Spec.GetContainer().Secrets = []*api.SecretReference{{SecretID: "gone", SecretName: "pw"}}
	for _, c := range []struct {
		task  *api.Task
		state api.TaskState
		err   string
	}{
		{task("missing", "nope:1"), api.TaskStateRejected, "No such image: nope:1"},
		{unpulled, api.TaskStateRejected, "No such image: alpine:latest"},
		{unmounted, api.TaskStateRejected, "invalid bind mount source, must be an absolute path: rel"},
		{secretless, api.TaskStateRejected, "unable to get secret from secret store"},
		{task("imageless", ""), api.TaskStateRejected, "dockerexec: image required"},
		{exits, api.TaskStateFailed, "task: non-zero exit (3)"},
		{ends, api.TaskStateCompleted, ""},
		{migrates, api.TaskStateCompleted, ""},
		{fails, api.TaskStateFailed, "task: non-zero exit (3)"},
		{oom, api.TaskStateFailed, "task: non-zero exit (137)"},
		{sick, api.TaskStateCompleted, ""}, // it ends with 0 when it is stopped for that: no failure to Docker
	} {
		n.drive(t.Context(), c.task, api.TaskStateCompleted)
		if c.task.Status.State != c.state || !strings.Contains(c.task.Status.Err, c.err) || (c.err == "") != (c.task.Status.Err == "") {
			t.Errorf("%s: %s %q, want %s %q", c.task.ID, c.task.Status.State, c.task.Status.Err, c.state, c.err)
		}
	}
	waits := task("waits", "busybox", "sh", "-c", "echo waits; sleep infinity") // but one that says itself that it does not
	waits.JobIteration = again
	n.drive(t.Context(), waits, api.TaskStateRunning)
	e.mu.Lock()
	for _, c := range e.containers {
		if strings.HasSuffix(c.Name, ".waits") && len(c.timers) > 0 {
			t.Errorf("%s ends by itself", c.Name)
		}
	}
	e.mu.Unlock()
	full := task("full", "nginx")
	full.Endpoint = &api.Endpoint{Ports: []*api.PortConfig{{PublishMode: api.PublishModeHost, TargetPort: 80, PublishedPort: 9000}}}
	n.drive(t.Context(), full, api.TaskStateRunning)
	second := full.Copy()
	second.ID, second.Status = "second", api.TaskStatus{State: api.TaskStateAssigned}
	n.drive(t.Context(), second, api.TaskStateRunning)
	if second.Status.State != api.TaskStateFailed || !strings.Contains(second.Status.Err, "port is already allocated") {
		t.Errorf("second: %v", second.Status)
	}
}

// TestTaskResumes finds a task's container again after the node was away.
func TestTaskResumes(t *testing.T) {
	host, e := newReopened(t)
	running := task("task1", "nginx:1.27")
	ctx, cancel := context.WithCancel(t.Context())
	newNode(t, e).drive(ctx, running, api.TaskStateRunning)
	cancel()
	before := inspect(t, e, "web.1.task1")

	e = host.again(true)
	n := newNode(t, e)
	ctlr, _, err := exec.Resolve(t.Context(), running, n.x)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- ctlr.Wait(t.Context()) }()
	if after := inspect(t, e, "web.1.task1"); after.ID != before.ID || !after.State.Running {
		t.Errorf("after: %+v", after.State)
	}
	if err := e.ContainerKill("web.1.task1", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err == nil || err.Error() != "task: non-zero exit (137)" {
		t.Errorf("killed: %v", err)
	}
	if err := ctlr.Close(); err != nil {
		t.Error(err)
	}
	if err := ctlr.Shutdown(t.Context()); !errors.Is(err, exec.ErrControllerClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestTaskLogs(t *testing.T) {
	e := start(t, config("m1"))
	n := newNode(t, e)
	logging := task("task1", "busybox", "sh", "-c", "echo one; echo two; sleep 0.05")
	ctlr := n.drive(t.Context(), logging, api.TaskStateRunning)
	var got []string
	publish := exec.LogPublisherFunc(func(_ context.Context, m api.LogMessage) error {
		got = append(got, fmt.Sprintf("%s %s %s", m.Context.TaskID, m.Stream, strings.TrimSpace(string(m.Data))))
		return nil
	})
	logs := ctlr.(exec.ControllerLogs)
	if err := logs.Logs(t.Context(), publish, api.LogSubscriptionOptions{Follow: true}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"task1 LOG_STREAM_STDOUT one", "task1 LOG_STREAM_STDOUT two"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got = nil
	if err := logs.Logs(t.Context(), publish, api.LogSubscriptionOptions{Tail: -2}); err != nil || len(got) != 1 || !strings.HasSuffix(got[0], "two") {
		t.Errorf("the last line: %q, %v", got, err)
	}
}

// TestIngress makes the networks that a node in a swarm has.
func TestIngress(t *testing.T) {
	e := start(t, config("m1"))
	x := e.Executor()
	ingress := overlay("ing", "ingress")
	ingress.Spec.Ingress = true
	if err := x.Configure(t.Context(), &api.Node{Attachments: []*api.NetworkAttachment{{Network: ingress, Addresses: []string{"10.0.0.2/24"}}}}); err != nil {
		t.Fatal(err)
	}
	names := func() (names []string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, n := range e.networks {
			names = append(names, n.Name)
		}
		slices.Sort(names)
		return names
	}
	if got := names(); !slices.Equal(got, []string{"bridge", gwbridge, "host", "ingress", "none"}) {
		t.Errorf("in a swarm: %v", got)
	}
	if err := x.Configure(t.Context(), &api.Node{}); err != nil {
		t.Fatal(err)
	}
	e.LeaveSwarm()
	if got := names(); !slices.Equal(got, []string{"bridge", gwbridge, "host", "none"}) {
		t.Errorf("after it left: %v", got)
	}
}
