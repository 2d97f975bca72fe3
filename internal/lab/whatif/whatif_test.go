package whatif

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// node is a node with two CPUs and 1 GiB of memory.
func node(name string, change ...func(*swarm.Node)) swarm.Node {
	n := swarm.Node{
		ID:     "id-" + name,
		Spec:   swarm.NodeSpec{Role: swarm.NodeRoleWorker, Availability: swarm.NodeAvailabilityActive},
		Status: swarm.NodeStatus{State: swarm.NodeStateReady},
		Description: swarm.NodeDescription{
			Hostname: name, Platform: swarm.Platform{OS: "linux", Architecture: "x86_64"},
			Resources: swarm.Resources{NanoCPUs: 2e9, MemoryBytes: 1 << 30},
		},
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

func label(key, v string) func(*swarm.Node) {
	return func(n *swarm.Node) { n.Spec.Labels = map[string]string{key: v} }
}

func drained(n *swarm.Node) { n.Spec.Availability = swarm.NodeAvailabilityDrain }

// nodes are active nodes by their names.
func nodes(names string) (out []swarm.Node) {
	for _, n := range strings.Fields(names) {
		out = append(out, node(n))
	}
	return out
}

// spec is a service; its containers do nothing.
func spec(name string, replicas uint64, change ...func(*swarm.ServiceSpec)) swarm.ServiceSpec {
	s := swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "app:1"}},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
	}
	return with(s, change...)
}

func with(s swarm.ServiceSpec, change ...func(*swarm.ServiceSpec)) swarm.ServiceSpec {
	for _, f := range change {
		f(&s)
	}
	return s
}

func image(ref string) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		c := *s.TaskTemplate.ContainerSpec
		c.Image = ref
		s.TaskTemplate.ContainerSpec = &c
	}
}

func everywhere(s *swarm.ServiceSpec) { s.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}} }

func memory(bytes int64) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{MemoryBytes: bytes}}
	}
}

func place(change func(*swarm.Placement)) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		p := swarm.Placement{}
		if s.TaskTemplate.Placement != nil {
			p = *s.TaskTemplate.Placement
		}
		change(&p)
		s.TaskTemplate.Placement = &p
	}
}

func demands(text string) func(*swarm.ServiceSpec) {
	return place(func(p *swarm.Placement) { p.Constraints = []string{text} })
}

func update(u swarm.UpdateConfig) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) { s.UpdateConfig = &u }
}

func hostPort(port uint32) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{
			Protocol: swarm.PortConfigProtocolTCP, TargetPort: 80, PublishedPort: port, PublishMode: swarm.PortConfigPublishModeHost,
		}}}
	}
}

// live is a service that runs, with tasks on the named nodes.
func (in *Input) live(s swarm.ServiceSpec, on string) *Input {
	svc := swarm.Service{ID: "id-" + s.Name, Spec: s}
	svc.Version.Index = 7
	in.Services = append(in.Services, svc)
	for i, name := range strings.Fields(on) {
		t := swarm.Task{
			ID: fmt.Sprintf("%s-%d", s.Name, i+1), ServiceID: svc.ID, NodeID: "id-" + name, Slot: i + 1, Spec: s.TaskTemplate,
			Status: swarm.TaskStatus{State: swarm.TaskStateRunning, Timestamp: time.Unix(1e9, 0)}, DesiredState: swarm.TaskStateRunning,
		}
		if s.Mode.Global != nil {
			t.Slot = 0
		}
		in.Tasks = append(in.Tasks, t)
	}
	return in
}

// step adds a step that waits for those before.
func (in *Input) step(s Step) *Input {
	s.ID = len(in.Steps)
	for i := range in.Steps {
		s.After = append(s.After, i)
	}
	in.Steps = append(in.Steps, s)
	return in
}

func (in *Input) create(s swarm.ServiceSpec) *Input {
	return in.step(Step{Service: &ServiceStep{Address: "service." + s.Name, Action: "create", Spec: &s}})
}

func (in *Input) update(s swarm.ServiceSpec) *Input {
	return in.step(Step{Service: &ServiceStep{Address: "service." + s.Name, Action: "update", ID: "id-" + s.Name, Spec: &s}})
}

func (in *Input) remove(name string) *Input {
	return in.step(Step{Service: &ServiceStep{Address: "service." + name, Action: "delete", ID: "id-" + name}})
}

func (in *Input) node(n swarm.Node) *Input {
	return in.step(Step{Node: &NodeStep{Address: "node." + n.Description.Hostname, ID: n.ID, Node: &n}})
}

func swarmOf(names string) *Input { return &Input{Swarm: "swarm.main", Nodes: nodes(names)} }

// say puts a service into a line: what a test compares.
func say(s *outcome.Service) string {
	parts := []string{fmt.Sprintf("%s %d -> %d:", s.Name, s.Before, s.After)}
	for _, n := range s.Nodes {
		parts = append(parts, fmt.Sprintf("%s %d -> %d", n.Node, n.Before, n.After))
	}
	add := func(cond bool, format string, args ...any) {
		if cond {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(s.Renewed > 0, "renewed %d by %d", s.Renewed, s.AtATime)
	add(s.Moved > 0, "moved %d", s.Moved)
	add(s.Seconds > 0, "in %g s", s.Seconds)
	add(s.Interrupted > 0, "interrupted %g s", s.Interrupted)
	add(s.Before > 0 && s.Fewest < s.Before, "fewest %d", s.Fewest)
	add(s.Down, "down")
	add(s.Stuck, "stuck")
	add(s.Refused != "", "refused: %s", s.Refused)
	add(s.NotReached != "", "not reached: %s", s.NotReached)
	for _, p := range s.Pending {
		parts = append(parts, p.Task+": "+p.Why)
	}
	return strings.Join(parts, ", ")
}

func simulate(t *testing.T, in *Input) (*outcome.Report, string) {
	t.Helper()
	r, err := Simulate(t.Context(), *in)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range r.Services {
		lines = append(lines, say(&r.Services[i]))
	}
	if r.Cut {
		lines = append(lines, "cut")
	}
	return r, strings.ReplaceAll(strings.Join(lines, "\n"), ":,", ":")
}

func TestSimulate(t *testing.T) {
	half := int64(600 << 20)
	tests := []struct {
		name string
		in   *Input
		want string
	}{
		{"nothing happens", swarmOf("a b").live(spec("web", 2), "a b"), ""},
		{"new tasks spread", swarmOf("a b c").create(spec("web", 6)),
			"web 0 -> 6: a 0 -> 2, b 0 -> 2, c 0 -> 2, in 6 s"},
		{"more tasks go where there are fewest", swarmOf("a b").live(spec("web", 4), "a a b b").update(spec("web", 6)),
			"web 4 -> 6: a 2 -> 3, b 2 -> 3, in 6 s"},
		{"fewer tasks", swarmOf("a b").live(spec("web", 4), "a a b b").update(spec("web", 2)),
			"web 4 -> 2: a 2 -> 1, b 2 -> 1, in 1 s, fewest 2"},
		{"constraints", &Input{Nodes: []swarm.Node{node("a", label("tier", "web")), node("b")}, Steps: []Step{{Service: &ServiceStep{
			Address: "service.web", Action: "create", Spec: ptr(spec("web", 2, demands("node.labels.tier==web")))}}}},
			"web 0 -> 2: a 0 -> 2, in 6 s"},
		{"constraints that nothing meets", swarmOf("a b").create(spec("web", 1, demands("node.labels.tier==web"))),
			"web 0 -> 0: web.1: no suitable node (scheduling constraints not satisfied on 2 nodes)"},
		{"preferences", &Input{Nodes: []swarm.Node{node("a", label("rack", "1")), node("b", label("rack", "1")), node("c", label("rack", "2"))}, Steps: []Step{{Service: &ServiceStep{
			Address: "service.web", Action: "create", Spec: ptr(spec("web", 4, place(func(p *swarm.Placement) {
				p.Preferences = []swarm.PlacementPreference{{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.labels.rack"}}}
			})))}}}},
			"web 0 -> 4: a 0 -> 1, b 0 -> 1, c 0 -> 2, in 6 s"},
		{"replicas_max_per_node", swarmOf("a b").create(spec("web", 3, place(func(p *swarm.Placement) { p.MaxReplicas = 1 }))),
			"web 0 -> 2: a 0 -> 1, b 0 -> 1, in 6 s, web.N: no suitable node (max replicas per node limit exceed)"},
		{"memory is exhausted", swarmOf("a b").live(spec("db", 1, memory(half)), "a").create(spec("web", 2, memory(half))),
			"web 0 -> 1: b 0 -> 1, in 6 s, web.N: no suitable node (insufficient resources on 2 nodes)"},
		{"a host port is taken", swarmOf("a b").live(spec("db", 1, hostPort(80)), "a").create(spec("web", 2, hostPort(80))),
			"web 0 -> 1: b 0 -> 1, in 6 s, web.N: no suitable node (host-mode port already in use on 2 nodes)"},
		{"a port of the mesh is taken", swarmOf("a").live(spec("db", 1, meshPort(80)), "a").create(spec("web", 1, meshPort(80))),
			"web 0 -> 0: refused: port '80' is already in use by service 'db' (id-db) as an ingress port"},
		{"a drained node", swarmOf("a b").live(spec("web", 2), "a b").node(node("b", drained)),
			"web 2 -> 2: a 1 -> 2, b 1 -> 0, moved 1, in 2 s, fewest 1"},
		{"a drained node has the only task", swarmOf("a b").live(spec("web", 1), "b").node(node("b", drained)),
			"web 1 -> 1: a 0 -> 1, b 1 -> 0, moved 1, in 2 s, interrupted 2 s, fewest 0"},
		{"nowhere to go from a drained node", swarmOf("a").live(spec("web", 1), "a").node(node("a", drained)),
			"web 1 -> 0: a 1 -> 0, moved 1, in 1 s, fewest 0, down, web.1: no suitable node (1 node not available for new tasks)"},
		{"a node cannot leave whose tasks have no other", swarmOf("b").live(spec("web", 1), "b").step(Step{Node: &NodeStep{Address: "node.b", ID: "id-b"}}).create(spec("api", 1)),
			"api 0 -> 0: not reached: node.b\nweb 1 -> 0: b 1 -> 0, moved 1, in 1 s, fewest 0, down, web.1: no suitable node (1 node not available for new tasks)"},
		{"a label that a constraint needs goes", &Input{Nodes: []swarm.Node{node("a", label("tier", "web")), node("b", label("tier", "web"))}},
			"web 1 -> 1: a 0 -> 1, b 1 -> 0, moved 1, in 6 s, interrupted 6 s, fewest 0"},
		{"one replica, stop-first", swarmOf("a").live(spec("web", 1), "a").update(spec("web", 1, image("app:2"))),
			"web 1 -> 1: a 1 -> 1, renewed 1 by 1, in 7 s, interrupted 2 s, fewest 0"},
		{"one replica, start-first", swarmOf("a").live(spec("web", 1), "a").update(spec("web", 1, image("app:2"), update(swarm.UpdateConfig{Parallelism: 1, Order: "start-first"}))),
			"web 1 -> 1: a 1 -> 1, renewed 1 by 1, in 6 s"},
		{"rolling, two at a time, with a delay", swarmOf("a b").live(spec("web", 4), "a a b b").update(spec("web", 4, image("app:2"), update(swarm.UpdateConfig{Parallelism: 2, Delay: 10 * time.Second, FailureAction: "pause"}))),
			"web 4 -> 4: a 2 -> 2, b 2 -> 2, renewed 4 by 2, in 35 s, fewest 2"},
		{"all at once", swarmOf("a b").live(spec("web", 2), "a b").update(spec("web", 2, image("app:2"), update(swarm.UpdateConfig{}))),
			"web 2 -> 2: a 1 -> 1, b 1 -> 1, renewed 2 by 2, in 7 s, interrupted 2 s, fewest 0"},
		{"an update that needs more room gets stuck", swarmOf("a b").live(spec("web", 2, memory(half)), "a b").update(spec("web", 2, memory(2<<30))),
			"web 2 -> 1: a 1 -> N, b 1 -> N, renewed 1 by 1, fewest 1, stuck, web.N: no suitable node (insufficient resources on 2 nodes)"},
		{"an update to where no node is gets stuck", swarmOf("a b").live(spec("web", 2), "a b").update(spec("web", 2, demands("node.labels.tier==none"))),
			"web 2 -> 1: a 1 -> N, b 1 -> N, renewed 1 by 1, fewest 1, stuck, web.N: no suitable node (scheduling constraints not satisfied on 2 nodes)"},
		{"start-first needs room beside", swarmOf("a").live(spec("web", 1, memory(half)), "a").update(spec("web", 1, memory(half), image("app:2"), update(swarm.UpdateConfig{Parallelism: 1, Order: "start-first"}))),
			"web 1 -> 1: a 1 -> 1, renewed 1 by 1, stuck, web.1: no suitable node (insufficient resources on 1 node)"},
		{"what waits for a stuck one is not reached", swarmOf("a").create(spec("db", 1, memory(2<<30))).create(spec("web", 1)),
			"db 0 -> 0: db.1: no suitable node (insufficient resources on 1 node)\nweb 0 -> 0: not reached: service.db"},
		{"a service goes, and its room is another's", swarmOf("a").live(spec("db", 1, memory(half)), "a").remove("db").create(spec("web", 1, memory(half))),
			"db 1 -> 0: a 1 -> 0, in 1 s, fewest 0\nweb 0 -> 1: a 0 -> 1, in 6 s"},
		{"a node joins, and gets what waits", swarmOf("a").live(spec("db", 1, memory(half)), "a").live(spec("web", 1, memory(half)), "").node(swarm.Node{Description: swarm.NodeDescription{Hostname: "b"}}),
			"web 0 -> 1: b 0 -> 1, in 6 s"},
		{"a node leaves", swarmOf("a b").live(spec("web", 2), "a b").step(Step{Node: &NodeStep{Address: "node.b", ID: "id-b"}}),
			"web 2 -> 2: a 1 -> 2, b 1 -> 0, moved 1, in 2 s, fewest 1"},
		{"everywhere, with a node more", swarmOf("a b").live(spec("web", 0, everywhere), "a b").node(swarm.Node{Description: swarm.NodeDescription{Hostname: "c"}}),
			"web 2 -> 3: a 1 -> 1, b 1 -> 1, c 0 -> 1, in 6 s"},
		{"everywhere, updated", swarmOf("a b").live(spec("web", 0, everywhere), "a b").update(spec("web", 0, everywhere, image("app:2"))),
			"web 2 -> 2: a 1 -> 1, b 1 -> 1, renewed 2 by 1, in 9 s, fewest 1"},
		{"a job", swarmOf("a b").create(spec("job", 0, func(s *swarm.ServiceSpec) {
			s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: ptr(uint64(2)), TotalCompletions: ptr(uint64(4))}}
		})), "job 0 -> 4: a 0 -> 2, b 0 -> 2, in 1 s"},
		{"a health check comes first", swarmOf("a").live(spec("web", 1), "a").update(spec("web", 1, image("app:2"), healthy(10*time.Second))),
			"web 1 -> 1: a 1 -> 1, renewed 1 by 1, in 17 s, interrupted 12 s, fewest 0"},
		{"many tasks", swarmOf("a b c d e").live(spec("web", 100), strings.Repeat("a b c d e ", 20)).update(spec("web", 100, image("app:2"), update(swarm.UpdateConfig{Parallelism: 1, Delay: 10 * time.Second}))),
			"web 100 -> 100: a 20 -> N, b 20 -> N, c 20 -> N, d 20 -> N, e 20 -> N, renewed 100 by 1, in 1211 s, fewest 99"},
		{"a restart policy that changes renews", swarmOf("a").live(spec("web", 1), "a").update(spec("web", 1, func(s *swarm.ServiceSpec) {
			s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "any", Delay: ptr(time.Minute)}
		})), "web 1 -> 1: a 1 -> 1, renewed 1 by 1, in 7 s, interrupted 2 s, fewest 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "a label that a constraint needs goes" {
				tt.in.live(spec("web", 1, demands("node.labels.tier==web")), "b").node(node("b"))
			}
			began := time.Now()
			r, got := simulate(t, tt.in)
			t.Log(time.Since(began))
			if hurried := strings.Contains(fmt.Sprint(r.Assumptions), "for web: it has many tasks"); hurried != (tt.name == "many tasks") {
				t.Errorf("it assumes %q", r.Assumptions)
			}
			if !matchN(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func meshPort(port uint32) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{Protocol: swarm.PortConfigProtocolTCP, TargetPort: 80, PublishedPort: port, PublishMode: swarm.PortConfigPublishModeIngress}}}
	}
}

func healthy(interval time.Duration) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		c := *s.TaskTemplate.ContainerSpec
		c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: interval}
		s.TaskTemplate.ContainerSpec = &c
	}
}

// matchN compares, where N stands for what the scheduler is free to choose.
func matchN(got, want string) bool {
	g, w := words(got), words(want)
	return slices.EqualFunc(g, w, func(a, b string) bool {
		return a == b || strings.HasSuffix(b, ".N:") && strings.HasPrefix(a, strings.TrimSuffix(b, "N:")) || strings.TrimSuffix(b, ",") == "N"
	})
}

func words(s string) []string { return strings.Fields(s) }
