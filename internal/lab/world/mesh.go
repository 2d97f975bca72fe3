package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/swarmkit/v2/agent/exec"
	swarmapi "github.com/moby/swarmkit/v2/api"
)

// takenPause is after how long a port is tried again that another program has.
const takenPause = 2 * time.Second

// mesh is the routing mesh of the swarms in a lab: each host of a swarm listens at
// the published ports of its services, for as long as a task that it reaches
// serves them. A swarm is known by its ingress network, in which each of its hosts
// has an address.
//
// It watches tasks where an executor runs them: a task serves from when SwarmKit
// says that it runs, which is when it is healthy, until its container ends.
type mesh struct {
	wire Wire

	mu    sync.Mutex
	hosts map[*daemon]*meshed
	tasks map[string]*serving // by task
	turn  int
	retry *time.Timer // of ports that another program has, nil where there is none
}

// meshed is a host in the mesh.
type meshed struct {
	network string // its swarm's ingress network
	open    map[int]func()
}

// serving is a task that serves published ports.
type serving struct {
	on      *daemon
	network string
	ports   []int
	text    string
}

func newMesh(w Wire) *mesh {
	return &mesh{wire: w, hosts: map[*daemon]*meshed{}, tasks: map[string]*serving{}}
}

// join says that a host is in the swarm of an ingress network.
func (m *mesh) join(d *daemon, network string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hosts[d]; h != nil && h.network == network || network == "" && h == nil {
		return
	}
	if h := m.hosts[d]; h != nil {
		h.shut()
	}
	delete(m.hosts, d)
	if network != "" {
		m.hosts[d] = &meshed{network: network, open: map[int]func(){}}
	}
	m.sync()
}

// leave takes a host, with its tasks, out of the mesh.
func (m *mesh) leave(d *daemon) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hosts[d]; h != nil {
		h.shut()
	}
	delete(m.hosts, d)
	maps.DeleteFunc(m.tasks, func(_ string, s *serving) bool { return s.on == d })
	m.sync()
}

func (h *meshed) shut() {
	for _, release := range h.open {
		release()
	}
	clear(h.open)
}

// changed is told when hosts may reach others than before.
func (m *mesh) changed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sync()
}

func (m *mesh) serve(task string, s *serving) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks[task] = s
	m.sync()
}

func (m *mesh) cease(task string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tasks[task] != nil {
		delete(m.tasks, task)
		m.sync()
	}
}

// sync opens and closes ports. The lock is held.
func (m *mesh) sync() {
	taken := false
	for d, h := range m.hosts {
		want := map[int]bool{}
		for _, s := range m.tasks {
			if s.network == h.network && m.wire.Reaches(d.in.Address, s.on.in.Address) {
				for _, p := range s.ports {
					want[p] = true
				}
			}
		}
		for port, release := range h.open {
			if !want[port] {
				release()
				delete(h.open, port)
			}
		}
		for port := range want {
			if h.open[port] != nil {
				continue
			}
			release, err := d.in.Open(port, func(c net.Conn) { answerHTTP(c, func() string { return m.who(d, port) }) })
			var cannot *portUnserved
			switch {
			case err == nil:
			case errors.As(err, &cannot) && cannot.taken:
				d.in.Trouble(err.Error())
				taken = true
				continue
			default:
				d.in.Trouble(err.Error())
				release = func() {}
			}
			h.open[port] = release
		}
	}
	if taken && m.retry == nil {
		m.retry = time.AfterFunc(takenPause, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.retry = nil
			m.sync()
		})
	}
}

// who says which task would answer, another one each time.
func (m *mesh) who(d *daemon, port int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.hosts[d]
	var texts []string
	for _, s := range m.tasks {
		if h != nil && s.network == h.network && slices.Contains(s.ports, port) && m.wire.Reaches(d.in.Address, s.on.in.Address) {
			texts = append(texts, s.text)
		}
	}
	if texts == nil {
		return "nobody would answer any more"
	}
	slices.Sort(texts)
	m.turn++
	return texts[m.turn%len(texts)]
}

// executor watches what another one runs.
func (m *mesh) executor(d *daemon, e exec.Executor) exec.Executor {
	w := &watching{Executor: e, mesh: m, daemon: d}
	if dependencies, ok := e.(exec.DependencyManager); ok { // SwarmKit asks whether it is one
		return struct {
			exec.Executor
			exec.DependencyManager
		}{w, dependencies}
	}
	return w
}

type watching struct {
	exec.Executor
	mesh   *mesh
	daemon *daemon
}

// Configure learns which swarm the host is in.
func (w *watching) Configure(ctx context.Context, node *swarmapi.Node) error {
	err := w.Executor.Configure(ctx, node)
	network := ""
	for _, a := range append(slices.Clone(node.Attachments), node.Attachment) {
		if a != nil && a.Network != nil && a.Network.Spec.Ingress {
			network = a.Network.ID
		}
	}
	w.mesh.join(w.daemon, network)
	return err
}

// Controller watches tasks that have ports in the mesh.
func (w *watching) Controller(t *swarmapi.Task) (exec.Controller, error) {
	c, err := w.Executor.Controller(t)
	s := w.daemon.servingOf(t)
	if err != nil || s == nil {
		return c, err
	}
	return &watchedTask{Controller: c, mesh: w.mesh, task: t.ID, serves: s}, nil
}

// servingOf is what a task serves, nil where it has no port in the mesh.
func (d *daemon) servingOf(t *swarmapi.Task) *serving {
	if t.Endpoint == nil {
		return nil
	}
	s := &serving{on: d}
	for _, p := range t.Endpoint.Ports {
		if p.PublishMode == swarmapi.PublishModeIngress && p.Protocol == swarmapi.ProtocolTCP && p.PublishedPort != 0 {
			s.ports = append(s.ports, int(p.PublishedPort))
		}
	}
	for _, a := range t.Networks {
		if a.Network != nil && a.Network.Spec.Ingress {
			s.network = a.Network.ID
		}
	}
	if s.ports == nil || s.network == "" {
		return nil
	}
	image := ""
	if c := t.Spec.GetContainer(); c != nil {
		image, _, _ = strings.Cut(c.Image, "@")
	}
	name := t.ServiceAnnotations.Name
	if t.Slot != 0 {
		name = fmt.Sprintf("%s.%d", name, t.Slot)
	}
	s.text = fmt.Sprintf("task %s (%s) on host %s would answer", name, image, d.in.Hostname)
	return s
}

// watchedTask is a task's controller that tells the mesh when the task serves.
type watchedTask struct {
	exec.Controller
	mesh   *mesh
	task   string
	serves *serving
}

// Wait implements [exec.Controller]: it is called when the task runs, and again
// where it was interrupted.
func (t *watchedTask) Wait(ctx context.Context) error {
	t.mesh.serve(t.task, t.serves)
	err := t.Controller.Wait(ctx)
	if ctx.Err() == nil {
		t.mesh.cease(t.task)
	}
	return err
}

// Shutdown implements [exec.Controller].
func (t *watchedTask) Shutdown(ctx context.Context) error {
	t.mesh.cease(t.task)
	return t.Controller.Shutdown(ctx)
}

// Terminate implements [exec.Controller].
func (t *watchedTask) Terminate(ctx context.Context) error {
	t.mesh.cease(t.task)
	return t.Controller.Terminate(ctx)
}

// Remove implements [exec.Controller].
func (t *watchedTask) Remove(ctx context.Context) error {
	t.mesh.cease(t.task)
	return t.Controller.Remove(ctx)
}

// Close implements [exec.Controller].
func (t *watchedTask) Close() error {
	t.mesh.cease(t.task)
	return t.Controller.Close()
}

// The rest is what SwarmKit asks for by type.

// ContainerStatus implements [exec.ContainerStatuser].
func (t *watchedTask) ContainerStatus(ctx context.Context) (*swarmapi.ContainerStatus, error) {
	if c, ok := t.Controller.(exec.ContainerStatuser); ok {
		return c.ContainerStatus(ctx)
	}
	return nil, nil
}

// PortStatus implements [exec.PortStatuser].
func (t *watchedTask) PortStatus(ctx context.Context) (*swarmapi.PortStatus, error) {
	if c, ok := t.Controller.(exec.PortStatuser); ok {
		return c.PortStatus(ctx)
	}
	return nil, nil
}

// Logs implements [exec.ControllerLogs].
func (t *watchedTask) Logs(ctx context.Context, publisher exec.LogPublisher, options swarmapi.LogSubscriptionOptions) error {
	if c, ok := t.Controller.(exec.ControllerLogs); ok {
		return c.Logs(ctx, publisher, options)
	}
	return fmt.Errorf("task %s has no logs", t.task)
}
