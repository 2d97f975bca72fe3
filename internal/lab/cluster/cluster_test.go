package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"
)

var ctx = context.Background()

// fails checks that an error says something.
func fails(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("got error %v, want one that says %q", err, text)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (l *lab) ok(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// nodes are the swarm's nodes by name, "" for those it does not know.
func (h *host) nodes() map[string]swarm.Node {
	h.lab.t.Helper()
	byName := map[string]swarm.Node{}
	for _, n := range asked(h.lab, func() ([]swarm.Node, error) { return h.docker.NodeList(ctx, swarm.NodeListOptions{}) }) {
		byName[n.Description.Hostname] = n
	}
	return byName
}

// node is one of them by its ID: a host that left, and joined again, is in the list twice.
func (h *host) node(id string) swarm.Node {
	h.lab.t.Helper()
	return asked(h.lab, func() (swarm.Node, error) {
		n, _, err := h.docker.NodeInspectWithRaw(ctx, id)
		return n, err
	})
}

// update changes a node's spec.
func (h *host) update(name string, change func(*swarm.NodeSpec)) {
	h.lab.t.Helper()
	h.lab.eventually("update of node "+name, func() string {
		n := h.nodes()[name]
		change(&n.Spec)
		if err := h.docker.NodeUpdate(ctx, n.ID, n.Version, n.Spec); err != nil {
			return err.Error()
		}
		return ""
	})
}

func replicated(name string, replicas uint64, change ...func(*swarm.ServiceSpec)) swarm.ServiceSpec {
	spec := swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "nginx:1.27"}},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
	}
	for _, f := range change {
		f(&spec)
	}
	return spec
}

func (h *host) create(spec swarm.ServiceSpec) string {
	h.lab.t.Helper()
	r, err := h.docker.ServiceCreate(ctx, spec, swarm.ServiceCreateOptions{})
	h.lab.ok(err)
	return r.ID
}

// change updates a service. The orchestrator writes it too, when an update ends: then
// the version is another one, and it is asked for again.
func (h *host) change(service string, change func(*swarm.ServiceSpec), options swarm.ServiceUpdateOptions) {
	h.lab.t.Helper()
	h.lab.eventually("update of service "+service, func() string {
		now, _, err := h.docker.ServiceInspectWithRaw(ctx, service, swarm.ServiceInspectOptions{})
		h.lab.ok(err)
		change(&now.Spec)
		_, err = h.docker.ServiceUpdate(ctx, now.ID, now.Version, now.Spec, options)
		if err != nil && !strings.Contains(err.Error(), "update out of sequence") {
			h.lab.t.Fatal(err)
		}
		if err != nil {
			return err.Error()
		}
		return ""
	})
}

// tasks are a service's tasks that are to run.
func (h *host) tasks(service string) []swarm.Task {
	h.lab.t.Helper()
	return asked(h.lab, func() ([]swarm.Task, error) {
		return h.docker.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service), filters.Arg("desired-state", "running"))})
	})
}

// runs waits until so many tasks of a service run.
func (h *host) runs(service string, n int) []swarm.Task {
	h.lab.t.Helper()
	var tasks []swarm.Task
	h.lab.eventually(service, func() string {
		tasks = h.tasks(service)
		running := 0
		var why []string
		for _, t := range tasks {
			if t.Status.State == swarm.TaskStateRunning {
				running++
			} else {
				why = append(why, string(t.Status.State)+" "+t.Status.Err)
			}
		}
		if running == n && len(tasks) == n {
			return ""
		}
		return fmt.Sprintf("%d of %d run: %v", running, n, why)
	})
	return tasks
}

func TestInitAndJoin(t *testing.T) {
	l := newLab(t)
	m1 := l.host("m1")
	_, err := m1.docker.NodeList(ctx, swarm.NodeListOptions{})
	fails(t, err, `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`)
	fails(t, m1.docker.SwarmLeave(ctx, true), "This node is not part of a swarm")
	if got := m1.Status(); got != "inactive" {
		t.Errorf("status %s", got)
	}

	id := m1.init(func(r *swarm.InitRequest) {
		r.DefaultAddrPool, r.SubnetSize, r.DataPathPort = []string{"10.20.0.0/16"}, 26, 7777
		r.Spec.Labels = map[string]string{"env": "test"}
	})
	_, err = m1.docker.SwarmInit(ctx, swarm.InitRequest{ListenAddr: "0.0.0.0:2377"})
	fails(t, err, `This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`)
	info := m1.Info(ctx)
	if info.NodeID != id || info.NodeAddr != m1.address || !info.ControlAvailable || info.LocalNodeState != "active" || info.Nodes != 1 || info.Managers != 1 {
		t.Errorf("info %+v", info)
	}
	s := must(m1.docker.SwarmInspect(ctx))(t)
	if s.Spec.Labels["env"] != "test" || s.SubnetSize != 26 || s.DataPathPort != 7777 || s.DefaultAddrPool[0] != "10.20.0.0/16" {
		t.Errorf("swarm %+v", s.ClusterInfo)
	}
	if s.Spec.Dispatcher.HeartbeatPeriod != 5*time.Second || s.Spec.Raft.ElectionTick != 10 || s.Spec.Raft.HeartbeatTick != 1 {
		t.Errorf("a user reads %+v %+v, not Docker's defaults", s.Spec.Dispatcher, s.Spec.Raft)
	}

	w1 := l.host("w1")
	fails(t, w1.tryJoin(m1, "SWMTKN-1-wrong"), "invalid join token")
	wrong := s.JoinTokens.Worker[:len(s.JoinTokens.Worker)-25] + strings.Repeat("a", 25)
	fails(t, w1.tryJoin(m1, wrong), "A valid join token is necessary to join this cluster")
	nobody := l.host("nobody")
	fails(t, w1.tryJoin(nobody, s.JoinTokens.Worker), "connection refused")
	w1.join(m1, s.JoinTokens.Worker)
	fails(t, w1.tryJoin(m1, s.JoinTokens.Worker), "This node is already part of a swarm")
	_, err = w1.docker.NodeList(ctx, swarm.NodeListOptions{})
	fails(t, err, "Worker nodes can't be used to view or modify cluster state")
	if got := w1.Status(); got != "active/worker" {
		t.Errorf("status %s", got)
	}
	if info := w1.Info(ctx); len(info.RemoteManagers) != 1 || info.RemoteManagers[0].Addr != m1.address+":2377" {
		t.Errorf("remote managers %+v", info.RemoteManagers)
	}
	n := m1.nodes()["w1"]
	if n.Status.Addr != w1.address || n.Status.State != "ready" || !maps.Equal(n.Description.Engine.Labels, map[string]string{"lab": "true"}) {
		t.Errorf("node %+v", n)
	}

	// The last manager is not let go without force; a worker may leave.
	fails(t, m1.docker.SwarmLeave(ctx, false), "Removing the last manager erases all current state of the swarm")
	l.ok(w1.docker.SwarmLeave(ctx, false))
	l.eventually("w1 is down", func() string {
		if s := m1.nodes()["w1"].Status.State; s != "down" {
			return string(s)
		}
		return ""
	})
	fails(t, m1.docker.NodeRemove(ctx, id, swarm.NodeRemoveOptions{}), "is a cluster manager and is a member of the raft cluster")
	l.ok(m1.docker.NodeRemove(ctx, "w1", swarm.NodeRemoveOptions{}))
	// By its ID: another one's may begin with "w1".
	fails(t, m1.docker.NodeRemove(ctx, n.ID, swarm.NodeRemoveOptions{}), "node "+n.ID+" not found")
	l.ok(m1.docker.SwarmLeave(ctx, true))
	m1.init()
}

func TestServices(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(1, 3)
	m := ms[0]
	r := must(m.docker.ServiceCreate(ctx, replicated("web", 6), swarm.ServiceCreateOptions{QueryRegistry: true}))(t)
	pinned := m.runs("web", 6)[0].Spec.ContainerSpec.Image
	if len(r.Warnings) != 0 || !strings.HasPrefix(pinned, "nginx:1.27@sha256:") {
		t.Errorf("image %s, warnings %q", pinned, r.Warnings)
	}
	_, err := m.docker.ServiceCreate(ctx, replicated("web", 1), swarm.ServiceCreateOptions{})
	fails(t, err, "name conflicts with an existing object: service web already exists")
	if !cerrdefs.IsNotFound(must2(m.docker.ServiceInspectWithRaw(ctx, "none", swarm.ServiceInspectOptions{}))) {
		t.Error("a missing service is not reported as one")
	}

	before, _, err := m.docker.ServiceInspectWithRaw(ctx, "web", swarm.ServiceInspectOptions{InsertDefaults: true})
	l.ok(err)
	if before.Spec.UpdateConfig == nil || before.Spec.TaskTemplate.RestartPolicy == nil {
		t.Errorf("no defaults in %+v", before.Spec)
	}
	spec := replicated("web", 4)
	_, err = m.docker.ServiceUpdate(ctx, r.ID, before.Version, spec, swarm.ServiceUpdateOptions{})
	l.ok(err)
	_, err = m.docker.ServiceUpdate(ctx, r.ID, before.Version, spec, swarm.ServiceUpdateOptions{})
	fails(t, err, "update out of sequence")
	m.runs("web", 4)

	// Back to the previous spec.
	m.change("web", func(*swarm.ServiceSpec) {}, swarm.ServiceUpdateOptions{Rollback: "previous"})
	m.runs("web", 6)

	// One task a node, and jobs that end.
	global := replicated("agent", 0)
	global.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
	m.create(global)
	m.runs("agent", 4)
	total := uint64(5)
	job := replicated("job", 0)
	job.TaskTemplate.ContainerSpec.Command = []string{"exit", "0"}
	job.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{TotalCompletions: &total, MaxConcurrent: &total}}
	m.create(job)
	everywhere := job
	everywhere.Name = "everywhere"
	everywhere.Mode = swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
	m.create(everywhere)
	for name, want := range map[string]uint64{"job": 5, "everywhere": 4} {
		l.eventually(name, func() string {
			list := must(m.docker.ServiceList(ctx, swarm.ServiceListOptions{Status: true, Filters: filters.NewArgs(filters.Arg("name", name))}))(t)
			if got := list[0].ServiceStatus.CompletedTasks; got != want {
				return fmt.Sprintf("%d completed, want %d", got, want)
			}
			return ""
		})
	}
	list := must(m.docker.ServiceList(ctx, swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("mode", "global"))}))(t)
	if len(list) != 1 || list[0].Spec.Name != "agent" {
		t.Errorf("%d services with mode global", len(list))
	}

	l.ok(m.docker.ServiceRemove(ctx, "web"))
	l.eventually("no container of web", func() string {
		all := must(m.docker.TaskList(ctx, swarm.TaskListOptions{}))(t)
		for _, task := range all {
			if task.ServiceID == r.ID {
				return "task " + task.ID
			}
		}
		return ""
	})
}

func must2[A, B any](_ A, _ B, err error) error { return err }

func TestPlacement(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(1, 2)
	m := ms[0]
	m.update("w1", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"tier": "web"} })
	m.create(replicated("web", 3, func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.labels.tier==web"}}
	}))
	w1 := m.nodes()["w1"].ID
	for _, task := range m.runs("web", 3) {
		if task.NodeID != w1 {
			t.Errorf("task on %s", task.NodeID)
		}
	}
	// A port of the host, and memory, are there once on each node.
	m.create(replicated("ports", 4, func(s *swarm.ServiceSpec) {
		s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "host"}}}
	}))
	m.create(replicated("big", 4, func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{MemoryBytes: 5 << 30}}
	}))
	for service, why := range map[string]string{"ports": "no suitable node (host-mode port already in use on 3 nodes)", "big": "no suitable node (insufficient resources on 3 nodes)"} {
		l.eventually(service, func() string {
			running, pending := 0, ""
			for _, task := range m.tasks(service) {
				if task.Status.State == swarm.TaskStateRunning {
					running++
				} else {
					pending = task.Status.Err
				}
			}
			if running == 3 && pending == why {
				return ""
			}
			return fmt.Sprintf("%d run, one waits: %q", running, pending)
		})
	}
	// Drained, a node has no tasks; paused, it gets none.
	m.create(replicated("free", 6))
	m.runs("free", 6)
	m.update("w1", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain })
	l.eventually("w1 is drained", func() string {
		for _, task := range m.tasks("free") {
			if task.NodeID == w1 {
				return "it has a task"
			}
		}
		return ""
	})
	m.runs("free", 6)
}

func TestUpdates(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(1, 2)
	m := ms[0]
	spec := replicated("web", 4, func(s *swarm.ServiceSpec) {
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 2, FailureAction: "rollback", Monitor: time.Second, Order: "start-first"}
		s.RollbackConfig = &swarm.UpdateConfig{Parallelism: 0, Monitor: time.Second}
		s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "none"}
	})
	id := m.create(spec)
	m.runs("web", 4)
	update := func(image string, labels map[string]string) {
		spec.TaskTemplate.ContainerSpec.Image, spec.TaskTemplate.ContainerSpec.Labels = image, labels
		m.change(id, func(s *swarm.ServiceSpec) { *s = spec }, swarm.ServiceUpdateOptions{})
	}
	settles := func(want swarm.UpdateState, image string) {
		l.eventually("update to "+image, func() string {
			s, _, err := m.docker.ServiceInspectWithRaw(ctx, id, swarm.ServiceInspectOptions{})
			l.ok(err)
			if s.UpdateStatus == nil || s.UpdateStatus.State != want {
				return fmt.Sprintf("%+v", s.UpdateStatus)
			}
			if got := s.Spec.TaskTemplate.ContainerSpec.Image; got != image {
				return got
			}
			return ""
		})
	}
	update("nginx:1.28", nil)
	settles(swarm.UpdateStateCompleted, "nginx:1.28")
	update("nginx:1.29", map[string]string{"lab.pull": "missing"})
	settles(swarm.UpdateStateRollbackCompleted, "nginx:1.28")
	m.runs("web", 4)
}

func TestSecretsConfigsNetworks(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(1, 0)
	m := ms[0]
	secret := must(m.docker.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("x")}))(t).ID
	_, err := m.docker.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("x")})
	fails(t, err, "secret s already exists")
	config := must(m.docker.ConfigCreate(ctx, swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "c"}, Data: []byte("y")}))(t).ID
	back := must(m.docker.NetworkCreate(ctx, "back", network.CreateOptions{Driver: "overlay"}))(t).ID
	_, err = m.docker.NetworkCreate(ctx, "back", network.CreateOptions{Driver: "overlay"})
	fails(t, err, "network with name back already exists")
	_, err = m.docker.NetworkCreate(ctx, "host", network.CreateOptions{Driver: "overlay"})
	fails(t, err, "host")
	must(m.docker.NetworkCreate(ctx, "local", network.CreateOptions{Driver: "bridge"}))(t)
	m.create(replicated("web", 1, func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "back"}}
		s.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{SecretID: secret, SecretName: "s", File: &swarm.SecretReferenceFileTarget{Name: "s", UID: "0", GID: "0", Mode: 0o444}}}
		s.TaskTemplate.ContainerSpec.Configs = []*swarm.ConfigReference{{ConfigID: config, ConfigName: "c", File: &swarm.ConfigReferenceFileTarget{Name: "c", UID: "0", GID: "0", Mode: 0o444}}}
	}))
	task := m.runs("web", 1)[0]
	if len(task.NetworksAttachments) != 1 || task.NetworksAttachments[0].Network.ID != back || !strings.HasPrefix(task.NetworksAttachments[0].Addresses[0], "10.0.1.") {
		t.Errorf("networks %+v", task.NetworksAttachments)
	}
	fails(t, m.docker.SecretRemove(ctx, "s"), "secret 's' is in use by the following service: web")
	fails(t, m.docker.ConfigRemove(ctx, "c"), "config 'c' is in use by the following service: web")
	fails(t, m.docker.NetworkRemove(ctx, "back"), "is in use by service")
	for network, why := range map[string]string{
		"nowhere": "network nowhere not found",
		"local":   "The network local cannot be used with services. Only networks scoped to the swarm can be used",
	} {
		_, err = m.docker.ServiceCreate(ctx, replicated("no", 1, func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: network}}
		}), swarm.ServiceCreateOptions{})
		fails(t, err, why)
	}

	got, _, err := m.docker.SecretInspectWithRaw(ctx, "s")
	l.ok(err)
	got.Spec.Labels = map[string]string{"a": "b"}
	l.ok(m.docker.SecretUpdate(ctx, got.ID, got.Version, got.Spec))
	fails(t, m.docker.SecretUpdate(ctx, got.ID, got.Version, got.Spec), "update out of sequence")
	if c, _, err := m.docker.ConfigInspectWithRaw(ctx, "c"); err != nil || string(c.Spec.Data) != "y" {
		t.Errorf("config %q: %v", c.Spec.Data, err)
	}

	var names []string
	for _, n := range must(m.docker.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))}))(t) {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"back", "ingress"}) {
		t.Errorf("networks %q", names)
	}
	l.ok(m.docker.ServiceRemove(ctx, "web"))
	l.ok(m.docker.SecretRemove(ctx, "s"))
	l.ok(m.docker.ConfigRemove(ctx, "c"))
	l.eventually("network back is removed", func() string {
		if err := m.docker.NetworkRemove(ctx, "back"); err != nil {
			return err.Error()
		}
		return ""
	})
}

func TestLogsAndEvents(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(1, 2)
	m := ms[0]
	m.create(replicated("talk", 3, func(s *swarm.ServiceSpec) {
		s.TaskTemplate.ContainerSpec.Labels = map[string]string{"lab.log": "hello"}
	}))
	m.runs("talk", 3)
	r := must(m.docker.ServiceLogs(ctx, "talk", container.LogsOptions{ShowStdout: true}))(t)
	defer r.Close()
	var out strings.Builder
	_, err := stdcopy.StdCopy(&out, &out, r)
	l.ok(err)
	if got := strings.Count(out.String(), "hello"); got != 3 {
		t.Errorf("%d lines: %q", got, &out)
	}
	_, err = m.docker.ServiceLogs(ctx, "none", container.LogsOptions{ShowStdout: true})
	fails(t, err, "service none not found")

	m.update("w1", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain })
	l.ok(m.docker.ServiceRemove(ctx, "talk"))
	must(m.docker.NetworkCreate(ctx, "back", network.CreateOptions{Driver: "overlay"}))(t)
	want := map[string]bool{"service create talk": true, "service remove talk": true, "node update w1 drain": true, "network create back": true}
	l.eventually("events", func() string {
		for {
			select {
			case e := <-m.events:
				got := strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Type, e.Action, e.Actor.Attributes["name"], e.Actor.Attributes["availability.new"]))
				delete(want, got)
				if e.Scope != "swarm" || e.TimeNano == 0 {
					t.Errorf("event %+v", e)
				}
			default:
				if len(want) > 0 {
					return fmt.Sprintf("missing: %v", want)
				}
				return ""
			}
		}
	})
}

// Hosts of one process make swarms at once, and again: nothing of Docker's and SwarmKit's
// code that is the process's comes between them.
func TestManySwarms(t *testing.T) {
	l := newLab(t)
	var all sync.WaitGroup
	for i := range 8 {
		h := l.host(fmt.Sprintf("m%d", i))
		all.Go(func() {
			for range 3 {
				_, err := h.docker.SwarmInit(ctx, swarm.InitRequest{ListenAddr: "0.0.0.0:2377"})
				if err := errors.Join(err, h.docker.SwarmLeave(ctx, true)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
