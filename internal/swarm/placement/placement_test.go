package placement

import (
	"fmt"
	"strings"
	"testing"
)

// swarm makes nodes n1, n2, ... that are ready, each with 4 CPUs and 4 GiB.
func swarm(n int, change ...func(v int, n *Node)) []Node {
	nodes := make([]Node, n)
	for v := range nodes {
		nodes[v] = Node{
			ID: fmt.Sprintf("id%d", v+1), Name: fmt.Sprintf("n%d", v+1), Addr: fmt.Sprintf("10.0.0.%d", v+1), Role: "worker",
			OS: "linux", Arch: "x86_64", State: "ready", Availability: "active", CPU: 4e9, Memory: 4 << 30,
		}
		for _, c := range change {
			c(v, &nodes[v])
		}
	}
	return nodes
}

func on(v int, change func(n *Node)) func(int, *Node) {
	return func(i int, n *Node) {
		if i+1 == v {
			change(n)
		}
	}
}

func drained(v int) func(int, *Node) { return on(v, func(n *Node) { n.Availability = "drain" }) }
func paused(v int) func(int, *Node)  { return on(v, func(n *Node) { n.Availability = "pause" }) }
func down(v int) func(int, *Node)    { return on(v, func(n *Node) { n.State = "down" }) }

func label(v int, key, value string) func(int, *Node) {
	return on(v, func(n *Node) { n.Labels = map[string]string{key: value} })
}

var (
	port80 = []Port{{80, "tcp"}}
	port81 = []Port{{81, "tcp"}}
	udp80  = []Port{{80, "udp"}}
)

func gpus(n int64) map[string]int64 { return map[string]int64{"gpu": n} }

// show is a shortage in a few lines.
func show(services []Service, list []Shortage) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s: %d of %d", services[s.Service].Name, s.Missing, s.Tasks)
		for _, flag := range []struct {
			set  bool
			name string
		}{{s.Away, "away"}, {s.Rolling, "rolling"}, {s.Nowhere, "nowhere"}} {
			if flag.set {
				b.WriteString(", " + flag.name)
			}
		}
		b.WriteString("\n")
		for _, w := range append(s.Why, s.Do...) {
			b.WriteString("  " + w + "\n")
		}
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name     string
		nodes    []Node
		services []Service
		want     string
	}{
		{"four web servers on port 80 of three nodes", swarm(3), []Service{{Name: "web", Tasks: 4, Ports: port80}}, `
web: 1 of 4
  n1, n2 and n3 each take 1 task: host port 80/tcp
  publish the port in ingress mode, which needs no node of its own
  replicas = 3 fits
`},
		{"three are no problem", swarm(3), []Service{{Name: "web", Tasks: 3, Ports: port80}}, ``},
		{"a port that others have", swarm(3), []Service{{Name: "proxy", Tasks: 2, Ports: port80, Settled: true, Running: 9}, {Name: "web", Tasks: 2, Ports: port80}}, `
web: 1 of 2
  n1, n2 and n3 have host port 80/tcp 3 times, and 4 tasks want it: proxy (2) and web (2)
  give one of them another port, or keep them on different nodes
`},
		{"a port that others want, and do not have", swarm(3), []Service{{Name: "proxy", Tasks: 2, Ports: port80, Settled: true, Running: 1}, {Name: "web", Tasks: 2, Ports: port80}}, ``},
		{"another port, another protocol", swarm(1), []Service{{Name: "a", Tasks: 1, Ports: port80}, {Name: "b", Tasks: 1, Ports: port81}, {Name: "c", Tasks: 1, Ports: udp80}}, ``},
		{"services that could make room, and do", swarm(2, label(1, "z", "a")),
			[]Service{{Name: "any", Tasks: 1, Ports: port80}, {Name: "one", Tasks: 1, Ports: port80, Constraints: []string{"node.labels.z==a"}}}, ``},
		{"a global service has it everywhere", swarm(2), []Service{{Name: "proxy", Global: true, Ports: port80, Settled: true, Running: 9}, {Name: "web", Tasks: 1, Ports: port80}}, `
web: 1 of 1
  n1 and n2 take none: host port 80/tcp is taken by proxy
  publish the port in ingress mode, which needs no node of its own
`},
		{"a new global service", swarm(3), []Service{{Name: "web", Tasks: 2, Ports: port80, Settled: true, Running: 9, Constraints: []string{"node.hostname!=n3"}}, {Name: "proxy", Global: true, Ports: port80}}, `
proxy: 2 of 3
  n1 and n2 have host port 80/tcp 2 times, and 3 tasks want it: web (2) and proxy (1)
  keep it off those nodes with a constraint, or make room there
`},
		{"nodes that are away", swarm(4, drained(2), paused(3), down(4)), []Service{{Name: "web", Tasks: 3, Ports: port80}}, `
web: 2 of 3, away
  n1 takes 1 task: host port 80/tcp
  n2 is drained
  n3 is paused
  n4 is down
  it fits once all nodes are ready and active
  publish the port in ingress mode, which needs no node of its own
  replicas = 1 fits
`},
		{"what runs on a paused node stays", swarm(2, paused(2)), []Service{{Name: "web", Tasks: 2, Ports: port80, Stays: true, Settled: true, Running: 9}}, ``},
		{"no node with that label", swarm(2, label(1, "tier", "db")), []Service{{Name: "web", Tasks: 2, Constraints: []string{"node.labels.tier==web"}}}, `
web: 2 of 2
  n1 and n2 do not satisfy node.labels.tier==web
  docker node update --label-add tier=web NODE makes a node satisfy node.labels.tier==web
`},
		{"a global service without a node", swarm(2), []Service{{Name: "agent", Global: true, Constraints: []string{"node.role==manager"}}}, `
agent: 0 of 0, nowhere
  n1 and n2 do not satisfy node.role==manager
`},
		{"a global service on drained nodes", swarm(2, drained(2)), []Service{{Name: "agent", Global: true, Ports: port80}}, ``},
		{"an image for another platform", swarm(2, on(2, func(n *Node) { n.OS = "windows" })),
			[]Service{{Name: "web", Tasks: 1, Platforms: []Platform{{"linux", "amd64"}}}, {Name: "agent", Global: true, Platforms: []Platform{{"linux", "amd64"}}}}, `
agent: 1 of 2
  n2 is windows/amd64, the image is for linux/amd64
  keep it off those nodes with a constraint, or make room there
`},
		{"replicas_max_per_node", swarm(2), []Service{{Name: "web", Tasks: 5, MaxPerNode: 2}}, `
web: 1 of 5
  n1 and n2 each take 2 tasks: replicas_max_per_node = 2
  raise replicas_max_per_node
  replicas = 4 fits
`},
		{"CPUs do not add up across nodes", swarm(2), []Service{{Name: "web", Tasks: 3, CPU: 2.5e9}}, `
web: 1 of 3
  n1 and n2 each take 1 task: it has 4 CPUs, and each task reserves 2.5 CPUs
  reserve less
  replicas = 2 fits
`},
		{"memory that others have reserved", swarm(2), []Service{{Name: "db", Tasks: 2, Memory: 3 << 30, Settled: true, Running: 9}, {Name: "web", Tasks: 3, Memory: 1 << 30}}, `
web: 1 of 3
  n1 and n2 have 8 GiB of memory, and 9 GiB are reserved: db (2 x 3 GiB) and web (3 x 1 GiB)
  reserve less, or add a node
`},
		{"tasks that cannot be cut in pieces", swarm(3), []Service{{Name: "db", Tasks: 2, Memory: 3 << 30, Settled: true, Running: 9}, {Name: "web", Tasks: 2, Memory: 2 << 30}, {Name: "api", Tasks: 1, Memory: 1 << 30}}, ``},
		{"too many tasks that cannot be cut in pieces", swarm(3), []Service{{Name: "db", Tasks: 2, Memory: 3 << 30, Settled: true, Running: 9}, {Name: "api", Tasks: 2, Memory: 5 << 29}}, `
api: 1 of 2
  n1, n2 and n3 have room for 3 tasks that reserve 2.5 GiB of memory or more, and there are 4: db (2) and api (2)
  reserve less, or add a node
`},
		{"memory that a global service leaves", swarm(2), []Service{{Name: "log", Global: true, Memory: 3 << 30, Settled: true, Running: 9}, {Name: "web", Tasks: 1, Memory: 2 << 30}}, `
web: 1 of 1
  n1 and n2 take none: log leaves it 1 GiB of memory, and each task reserves 2 GiB
  reserve less
`},
		{"generic resources", swarm(3, on(2, func(n *Node) { n.Generic = gpus(3) })), []Service{{Name: "train", Tasks: 2, Generic: gpus(2)}}, `
train: 1 of 2
  n1 and n3 take none: it has 0 gpu, and each task reserves 2 gpu
  n2 takes 1 task: it has 3 gpu, and each task reserves 2 gpu
  reserve less
  replicas = 1 fits
`},
		{"a job may run one task after the other", swarm(1), []Service{{Name: "job", Job: true, Tasks: 4, CPU: 3e9}, {Name: "web", Tasks: 1, CPU: 4e9}}, ``},
		{"a job that cannot run", swarm(2), []Service{{Name: "job", Job: true, Tasks: 4, CPU: 5e9}}, `
job: 4 of 4
  n1 and n2 take none: it has 4 CPUs, and each task reserves 5 CPUs
  reserve less
`},
		{"a global job that a node has no room for", swarm(2), []Service{{Name: "db", Tasks: 1, CPU: 3e9, Settled: true, Running: 9, Constraints: []string{"node.id==id1"}}, {Name: "job", Job: true, Global: true, CPU: 2e9}}, `
job: 1 of 2
  n1 has 4 CPUs, and 5 CPUs are reserved: db (3 CPUs) and job (2 CPUs)
  keep it off those nodes with a constraint, or make room there
`},
		{"start-first without a free node", swarm(3), []Service{{Name: "web", Tasks: 3, Ports: port80, StartFirst: true, Running: 3}}, `
web: 3 of 3, rolling
  n1, n2 and n3 each take 1 task: host port 80/tcp
  update = update_policy(order = "stop-first") lets the old task go first
`},
		{"start-first with a free node", swarm(4), []Service{{Name: "web", Tasks: 3, Ports: port80, StartFirst: true, Running: 3}}, ``},
		{"start-first, while too few run", swarm(3), []Service{{Name: "web", Tasks: 3, Ports: port80, StartFirst: true, Running: 2}}, ``},
		{"start-first, and others changing", swarm(2), []Service{{Name: "web", Tasks: 1, CPU: 4e9, StartFirst: true, Running: 3}, {Name: "api", Tasks: 1, CPU: 4e9}}, ``},
		{"start-first of a global service", swarm(2), []Service{{Name: "proxy", Global: true, Ports: port80, StartFirst: true, Running: 3}}, `
proxy: 2 of 2, rolling
  n1 and n2 each have host port 80/tcp once, and 2 tasks want it: proxy (2)
  update = update_policy(order = "stop-first") lets the old task go first
`},
		{"what cannot run does not take from others", swarm(2), []Service{{Name: "big", Tasks: 4, Ports: port80, Memory: 2 << 30}, {Name: "web", Tasks: 2, Memory: 2 << 30}}, `
big: 2 of 4
  n1 and n2 each take 1 task: host port 80/tcp
  publish the port in ingress mode, which needs no node of its own
  replicas = 2 fits
`},
		{"nothing asked for", swarm(1), []Service{{Name: "web", Tasks: 1000}, {Name: "none", Ports: port80}}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := show(tt.services, Check(tt.nodes, tt.services))
			if want := strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestSatisfies(t *testing.T) {
	n := Node{
		ID: "abc", Name: "Web-1", Addr: "10.1.2.3", Role: "manager", OS: "linux", Arch: "x86_64",
		Labels: map[string]string{"tier": "Web", "Zone": "a"}, EngineLabels: map[string]string{"disk": "ssd"},
	}
	for constraint, want := range map[string]bool{
		"node.id==abc": true, "node.id!=abc": false, "NODE.ID==ABC": true,
		"node.hostname==web-1": true, "node.hostname!=web-2": true,
		"node.role==Manager": true, "node.role==worker": false,
		"node.platform.os==linux": true, "node.platform.arch==x86_64": true, "node.platform.arch==amd64": false,
		"node.labels.tier==web": true, "node.labels.Tier==web": false, "Node.Labels.Zone==A": true,
		"node.labels.none==x": false, "node.labels.none!=x": true,
		"engine.labels.disk==ssd": true, "engine.labels.disk!=ssd": false, "engine.labels.none!=x": true,
		"node.ip==10.1.2.3": true, "node.ip!=10.1.2.0/24": false, "node.ip==10.1.2.0/24": true, "node.ip==10.9.0.0/16": false,
		"node.ip==nonsense": false, "node.ip!=nonsense": false,
		"node.labels.==x": false, "node.labels.!=x": false, "nonsense==x": false, "nonsense!=x": false,
	} {
		if got := n.Satisfies(constraint); got != want {
			t.Errorf("%s: got %t", constraint, got)
		}
	}
}
