package whatif

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"github.com/moby/swarmkit/v2/protobuf/ptypes"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// load puts what is live into the store, under its own IDs.
func (w *world) load() error {
	services := map[string]*swarm.Service{}
	final := finals(w.in.Tasks)
	return w.store.Update(func(tx store.Tx) error {
		if err := loadCluster(tx); err != nil {
			return err
		}
		for i := range w.in.Nodes {
			n := &w.in.Nodes[i]
			w.size(n, nil)
			w.nodes[n.ID] = &outcome.TraceNode{ID: n.ID, Name: nameOf(n)}
			if err := store.CreateNode(tx, nodeFrom(n)); err != nil {
				return fmt.Errorf("node %s: %w", nameOf(n), err)
			}
		}
		for i := range w.in.Services {
			s := &w.in.Services[i]
			if s.Spec.TaskTemplate.ContainerSpec == nil {
				continue // a plugin's: it takes no room
			}
			services[s.ID] = s
			if err := w.loadService(tx, s); err != nil {
				return fmt.Errorf("service %s: %w", s.Spec.Name, err)
			}
		}
		for i := range w.in.Tasks {
			t := &w.in.Tasks[i]
			s := services[t.ServiceID]
			if w.nodes[t.NodeID] == nil && t.NodeID != "" {
				continue // it went with its node
			}
			if s == nil || t.Spec.ContainerSpec == nil || !counts(t, s) && !(final[t.ID] && !restarts(s)) {
				continue
			}
			task, err := w.taskFrom(t, s)
			if err == nil {
				err = store.CreateTask(tx, task)
			}
			if err != nil {
				return fmt.Errorf("task %s of service %s: %w", t.ID, s.Spec.Name, err)
			}
		}
		return nil
	})
}

// loadCluster makes what a swarm always has.
func loadCluster(tx store.Tx) error {
	cluster := &api.Cluster{ID: "cluster", Spec: api.ClusterSpec{
		Annotations:   api.Annotations{Name: store.DefaultClusterName},
		Orchestration: api.OrchestrationConfig{TaskHistoryRetentionLimit: 5},
	}}
	ingress := &api.Network{ID: "ingress", Spec: api.NetworkSpec{Annotations: api.Annotations{Name: "ingress"}, Ingress: true}}
	if err := store.CreateCluster(tx, cluster); err != nil {
		return err
	}
	probe := &api.Service{ID: probeService, Spec: api.ServiceSpec{Annotations: api.Annotations{Name: "whatif.probe"}}}
	if err := store.CreateService(tx, probe); err != nil {
		return err
	}
	return store.CreateNetwork(tx, ingress)
}

func (w *world) loadService(tx store.Tx, s *swarm.Service) error {
	spec, err := w.specFrom(s.Spec)
	if err != nil {
		return err
	}
	service := &api.Service{ID: s.ID, Spec: *spec, SpecVersion: &api.Version{Index: liveSpec}}
	if u := s.UpdateStatus; u != nil && (u.State == swarm.UpdateStatePaused || u.State == swarm.UpdateStateRollbackPaused) {
		service.UpdateStatus = &api.UpdateStatus{State: api.UpdateStatus_PAUSED} // it is not gone on with
	}
	if j := s.JobStatus; j != nil {
		service.JobStatus = &api.JobStatus{JobIteration: api.Version{Index: j.JobIteration.Index}, LastExecution: gogotypes.TimestampNow()}
	}
	if err := w.loadFiles(tx, spec); err != nil {
		return err
	}
	w.services = append(w.services, &outcome.TraceService{
		IDs: []string{s.ID}, Name: s.Spec.Name, Mode: mode(&s.Spec), Policy: policyOf(&s.Spec), Zero: wantsNone(&s.Spec),
	})
	return store.CreateService(tx, service)
}

// loadFiles makes the secrets and configs that a service uses: the swarm only
// asks whether they are there.
func (w *world) loadFiles(tx store.Tx, spec *api.ServiceSpec) error {
	c := spec.Task.GetContainer()
	for _, r := range c.Secrets {
		if store.GetSecret(tx, r.SecretID) == nil {
			s := &api.Secret{ID: r.SecretID, Spec: api.SecretSpec{Annotations: api.Annotations{Name: r.SecretName}}}
			if err := store.CreateSecret(tx, s); err != nil {
				return fmt.Errorf("secret %s: %w", r.SecretName, err)
			}
		}
	}
	for _, r := range c.Configs {
		if store.GetConfig(tx, r.ConfigID) == nil {
			s := &api.Config{ID: r.ConfigID, Spec: api.ConfigSpec{Annotations: api.Annotations{Name: r.ConfigName}}}
			if err := store.CreateConfig(tx, s); err != nil {
				return fmt.Errorf("config %s: %w", r.ConfigName, err)
			}
		}
	}
	return nil
}

// specFrom converts a spec and takes its delays out.
func (w *world) specFrom(s swarm.ServiceSpec) (*api.ServiceSpec, error) {
	c := *s.TaskTemplate.ContainerSpec
	c.Mounts = slices.DeleteFunc(slices.Clone(c.Mounts), func(m mount.Mount) bool { return m.Type == mount.TypeCluster })
	w.clusters = w.clusters || len(c.Mounts) < len(s.TaskTemplate.ContainerSpec.Mounts)
	s.TaskTemplate.ContainerSpec = &c
	spec, err := convert.ServiceSpecToGRPC(s)
	if err != nil {
		return nil, err
	}
	undelayed(&spec, &s, hurried(&s, len(w.in.Nodes)))
	return &spec, nil
}

// mostRounds bounds the steps of a rolling update: where a service has many
// tasks more of them are renewed at a time than its policy says.
const mostRounds = 20

// hurried is how many tasks of a service are renewed at a time here.
func hurried(s *swarm.ServiceSpec, nodes int) int {
	p, tasks := policyOf(s), 0
	switch m := s.Mode; {
	case p.Parallelism == 0:
		return 0
	case m.Global != nil:
		tasks = nodes
	case m.Replicated != nil && m.Replicated.Replicas != nil:
		tasks = int(min(*m.Replicated.Replicas, 1<<20))
	}
	return max(p.Parallelism, (tasks+mostRounds-1)/mostRounds)
}

// undelayed takes out of a spec what a swarm would wait for. A policy that is
// another one must stay so, since it renews tasks: what it was becomes a label of
// the container, which nobody reads.
func undelayed(spec *api.ServiceSpec, s *swarm.ServiceSpec, parallelism int) {
	if r := s.TaskTemplate.RestartPolicy; r != nil {
		was, _ := json.Marshal(r) // numbers and a word
		c := spec.Task.GetContainer()
		labels := map[string]string{"whatif.restart": string(was)}
		for k, v := range c.Labels {
			labels[k] = v
		}
		c.Labels = labels
	}
	restart := api.RestartPolicy{Condition: api.RestartOnAny}
	if spec.Task.Restart != nil {
		restart.Condition = spec.Task.Restart.Condition
	}
	restart.Delay = gogotypes.DurationProto(time.Millisecond)
	spec.Task.Restart = &restart
	if strings.HasSuffix(mode(s), "-job") {
		return
	}
	order := api.UpdateConfig_STOP_FIRST
	if policyOf(s).StartFirst {
		order = api.UpdateConfig_START_FIRST
	}
	spec.Update = &api.UpdateConfig{
		Parallelism: uint64(parallelism), Order: order, FailureAction: api.UpdateConfig_CONTINUE,
		Monitor: gogotypes.DurationProto(time.Millisecond),
	}
}

// What a swarm does where a policy does not say.
const (
	defaultMonitor      = 5 * time.Second
	defaultRestartDelay = 5 * time.Second
	defaultHealthCheck  = 30 * time.Second
)

// switchTime is how long a container takes to start, or to stop.
const switchTime = time.Second

// policyOf is what makes a service's changes take time.
func policyOf(s *swarm.ServiceSpec) outcome.Policy {
	p := outcome.Policy{Parallelism: 1, Monitor: defaultMonitor, Start: switchTime, Stop: switchTime, RestartDelay: defaultRestartDelay}
	if u := s.UpdateConfig; u != nil {
		p.Parallelism, p.Delay, p.StartFirst = int(u.Parallelism), u.Delay, u.Order == swarm.UpdateOrderStartFirst
		if u.Monitor > 0 {
			p.Monitor = u.Monitor
		}
	}
	if r := s.TaskTemplate.RestartPolicy; r != nil && r.Delay != nil {
		p.RestartDelay = *r.Delay
	}
	h := s.TaskTemplate.ContainerSpec.Healthcheck
	if h == nil || len(h.Test) == 1 && h.Test[0] == "NONE" || len(h.Test) == 0 && h.Interval == 0 {
		return p
	}
	p.Healthy = true
	switch {
	case h.StartPeriod > 0 && h.StartInterval > 0:
		p.Start += h.StartInterval
	case h.Interval > 0:
		p.Start += h.Interval
	default:
		p.Start += defaultHealthCheck
	}
	return p
}

func mode(s *swarm.ServiceSpec) string {
	switch m := s.Mode; {
	case m.Global != nil:
		return "global"
	case m.ReplicatedJob != nil:
		return "replicated-job"
	case m.GlobalJob != nil:
		return "global-job"
	}
	return "replicated"
}

func wantsNone(s *swarm.ServiceSpec) bool {
	r := s.Mode.Replicated
	return r != nil && r.Replicas != nil && *r.Replicas == 0
}

// counts reports whether a task still matters: it runs, or will, or it is one of
// a job's that have completed.
func counts(t *swarm.Task, s *swarm.Service) bool {
	if s.JobStatus != nil && t.Status.State == swarm.TaskStateComplete {
		return t.JobIteration != nil && t.JobIteration.Index == s.JobStatus.JobIteration.Index
	}
	state, ok := api.TaskState_value[strings.ToUpper(string(t.Status.State))]
	return ok && api.TaskState(state) <= api.TaskStateRunning
}

// restarts reports whether a service's tasks are made anew however they end.
func restarts(s *swarm.Service) bool {
	r := s.Spec.TaskTemplate.RestartPolicy
	return r == nil || r.Condition == "" || r.Condition == swarm.RestartPolicyConditionAny
}

// finals are the newest tasks of their slots: where they have ended and are not
// started again, they keep their place.
func finals(tasks []swarm.Task) map[string]bool {
	type slot struct {
		service, node string
		n             int
	}
	newest := map[slot]*swarm.Task{}
	for i := range tasks {
		t := &tasks[i]
		at := slot{t.ServiceID, "", t.Slot}
		if t.Slot == 0 {
			at.node = t.NodeID
		}
		if newest[at] == nil || newest[at].CreatedAt.Before(t.CreatedAt) {
			newest[at] = t
		}
	}
	out := map[string]bool{}
	for _, t := range newest {
		out[t.ID] = true
	}
	return out
}

// taskFrom converts a task. Whether it is of its service's spec is told from its
// own.
func (w *world) taskFrom(t *swarm.Task, s *swarm.Service) (*api.Task, error) {
	of := s.Spec
	of.TaskTemplate = t.Spec
	spec, err := w.specFrom(of)
	if err != nil {
		return nil, err
	}
	out := &api.Task{
		ID: t.ID, ServiceID: t.ServiceID, NodeID: t.NodeID, Slot: uint64(t.Slot), Spec: spec.Task, SpecVersion: &api.Version{Index: oldSpec},
		ServiceAnnotations: spec.Annotations,
		Status:             api.TaskStatus{Timestamp: ptypes.MustTimestampProto(t.Status.Timestamp)},
		DesiredState:       api.TaskState(api.TaskState_value[strings.ToUpper(string(t.DesiredState))]),
	}
	out.Status.State = api.TaskState(api.TaskState_value[strings.ToUpper(string(t.Status.State))])
	if now, err := w.specFrom(s.Spec); err == nil && reflect.DeepEqual(now.Task, spec.Task) {
		out.SpecVersion.Index = liveSpec
	}
	if t.JobIteration != nil {
		out.JobIteration = &api.Version{Index: t.JobIteration.Index}
	}
	out.AssignedGenericResources = convert.GenericResourcesToGRPC(t.GenericResources)
	if spec.Endpoint != nil {
		out.Endpoint = &api.Endpoint{Spec: spec.Endpoint, Ports: spec.Endpoint.Ports}
	} else {
		out.Endpoint = &api.Endpoint{}
	}
	return out, nil
}

func nameOf(n *swarm.Node) string {
	if n.Description.Hostname == "" {
		return n.ID
	}
	return n.Description.Hostname
}

// nodeFrom converts a node.
func nodeFrom(n *swarm.Node) *api.Node {
	d := n.Description
	out := &api.Node{
		ID:     n.ID,
		Spec:   nodeSpec(n.Spec),
		Status: api.NodeStatus{State: api.NodeStatus_State(api.NodeStatus_State_value[strings.ToUpper(string(n.Status.State))]), Addr: n.Status.Addr},
		Description: &api.NodeDescription{
			Hostname: d.Hostname, Platform: &api.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture},
			Resources: &api.Resources{
				NanoCPUs: d.Resources.NanoCPUs, MemoryBytes: d.Resources.MemoryBytes,
				Generic: convert.GenericResourcesToGRPC(d.Resources.GenericResources),
			},
			Engine: &api.EngineDescription{EngineVersion: d.Engine.EngineVersion, Labels: d.Engine.Labels},
		},
	}
	out.Role = out.Spec.DesiredRole
	for _, p := range d.Engine.Plugins {
		out.Description.Engine.Plugins = append(out.Description.Engine.Plugins, api.PluginDescription{Type: p.Type, Name: p.Name})
	}
	return out
}

// nodeSpec converts what can be said of a node; what is not said is as Docker
// has it: an active worker.
func nodeSpec(s swarm.NodeSpec) api.NodeSpec {
	return api.NodeSpec{
		Annotations:  api.Annotations{Name: s.Name, Labels: s.Labels},
		DesiredRole:  api.NodeRole(api.NodeRole_value[strings.ToUpper(string(s.Role))]),
		Availability: api.NodeSpec_Availability(api.NodeSpec_Availability_value[strings.ToUpper(string(s.Availability))]),
	}
}
