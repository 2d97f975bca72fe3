package swarm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// threeNodes are n1, n2, n3, with 2 CPUs and 4 GiB each; n1 has a GPU.
func threeNodes(change ...func(n []swarm.Node)) []swarm.Node {
	nodes := make([]swarm.Node, 3)
	for i := range nodes {
		n := &nodes[i]
		n.ID, n.Description.Hostname = fmt.Sprintf("id%d", i+1), fmt.Sprintf("n%d", i+1)
		n.Spec.Role, n.Spec.Availability, n.Status.State = swarm.NodeRoleManager, swarm.NodeAvailabilityActive, swarm.NodeStateReady
		n.Description.Platform = swarm.Platform{OS: "linux", Architecture: "x86_64"}
		n.Description.Resources = swarm.Resources{NanoCPUs: 2e9, MemoryBytes: 4 << 30}
	}
	nodes[0].Description.Resources.GenericResources = []swarm.GenericResource{{NamedResourceSpec: &swarm.NamedGenericResource{Kind: "gpu", Value: "a"}}}
	for _, c := range change {
		c(nodes)
	}
	return nodes
}

func drain(v int) func([]swarm.Node) {
	return func(n []swarm.Node) { n[v-1].Spec.Availability = swarm.NodeAvailabilityDrain }
}

// anew is a service that is made, update one that changes, kept one that stays.
func anew(t *testing.T, name string, a args) resource.Prospect {
	return resource.Prospect{
		Address: value.NewAddress("swarm.main", "service", name), Title: "service." + name, Kind: "service", Changes: true, Anew: true,
		Args: declare(t, a.with("name", name, "image", "a")),
	}
}

func update(t *testing.T, name string, live *swarm.Service, a args, fields ...string) resource.Prospect {
	p := anew(t, name, a)
	p.Anew, p.Live = false, &resource.Object{Kind: "service", Name: name, Native: live}
	for _, f := range fields {
		field, _ := ServiceSchema.Field(f)
		p.Fields = append(p.Fields, schema.Change{Field: field, Path: f})
	}
	return p
}

func kept(address value.Address, title string, live *swarm.Service) resource.Prospect {
	return resource.Prospect{Address: address, Title: title, Kind: "service", Live: &resource.Object{Kind: "service", Name: title, Native: live}}
}

// live is a service as the swarm lists it.
func live(replicas, running uint64, change ...func(s *swarm.Service)) *swarm.Service {
	s := &swarm.Service{ServiceStatus: &swarm.ServiceStatus{RunningTasks: running}}
	s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	s.Spec.EndpointSpec = &swarm.EndpointSpec{}
	s.Spec.TaskTemplate.Placement = &swarm.Placement{}
	for _, c := range change {
		c(s)
	}
	return s
}

func publishes(mode swarm.PortConfigPublishMode, port uint32) func(s *swarm.Service) {
	return func(s *swarm.Service) {
		s.Spec.EndpointSpec.Ports = append(s.Spec.EndpointSpec.Ports, swarm.PortConfig{TargetPort: 80, PublishedPort: port, PublishMode: mode, Protocol: "tcp"})
	}
}

func imageFor(os, arch string) func(s *swarm.Service) {
	return func(s *swarm.Service) {
		s.Spec.TaskTemplate.Placement.Platforms = []swarm.Platform{{OS: os, Architecture: arch}}
	}
}

func ports(mode string, number int64) value.Value {
	return list(dict("target", int64(80), "published", number, "mode", mode))
}

func TestForecast(t *testing.T) {
	host80 := publishes(swarm.PortConfigPublishModeHost, 80)
	stranger := kept("", "service proxy, unmanaged", live(2, 2, host80))
	for _, tt := range []struct {
		name  string
		nodes []swarm.Node
		list  []resource.Prospect
		want  string
	}{
		{"four web servers on port 80 of three nodes", threeNodes(), []resource.Prospect{anew(t, "web", args{"replicas": int64(4), "ports": ports("host", 80)})}, `
error: service.web: 1 of 4 tasks cannot be placed
  n1, n2 and n3 each take 1 task: host port 80/tcp
  publish the port in ingress mode, which needs no node of its own; or replicas = 3 fits; or wait = False, or --allow-pending, lets them be pending
`},
		{"a stranger has the port", threeNodes(drain(3)), []resource.Prospect{stranger, anew(t, "web", args{"ports": ports("host", 80)})}, `
warning: service.web: its task cannot be placed
  n1 and n2 have host port 80/tcp 2 times, and 3 tasks want it: service proxy, unmanaged (2) and service.web (1)
  n3 is drained
  it fits once all nodes are ready and active; or give one of them another port, or keep them on different nodes
`},
		{"what changes has its place before what is new", threeNodes(), []resource.Prospect{
			anew(t, "first", args{"reserve_memory": "3GiB", "replicas": int64(2)}),
			update(t, "second", live(2, 2), args{"reserve_memory": "3GiB", "replicas": int64(2)}, "reserve_memory"),
		}, `
error: service.first: 1 of 2 tasks cannot be placed
  n1, n2 and n3 have room for 3 tasks that reserve 3 GiB of memory or more, and there are 4: service.second (2) and service.first (2)
  reserve less, or add a node; or wait = False, or --allow-pending, lets them be pending
`},
		{"nobody waits for it", threeNodes(), []resource.Prospect{func() resource.Prospect {
			p := anew(t, "web", args{"generic_resources": dict("gpu", int64(1)), "replicas": int64(2)})
			p.NoWait = true
			return p
		}()}, `
warning: service.web: 1 of 2 tasks cannot be placed
  n1 takes 1 task: it has 1 gpu, and each task reserves 1 gpu
  n2 and n3 take none: it has 0 gpu, and each task reserves 1 gpu
  reserve less; or replicas = 1 fits
`},
		{"what is live and runs is not told", threeNodes(), []resource.Prospect{kept("swarm.main/service.web", "service.web", live(4, 4, host80))}, ``},
		{"what is live and waits is a warning", threeNodes(), []resource.Prospect{func() resource.Prospect {
			p := kept("swarm.main/service.web", "service.web", live(4, 3, host80))
			p.Live.Unsettled = "3/4 running"
			return p
		}()}, `
warning: service.web: 1 of 4 tasks cannot be placed
  n1, n2 and n3 each take 1 task: host port 80/tcp
  publish the port in ingress mode, which needs no node of its own; or replicas = 3 fits
`},
		{"start-first without a free node", threeNodes(), []resource.Prospect{
			update(t, "web", live(3, 3, host80), policy("order", "start-first").with("replicas", int64(3), "ports", ports("host", 80)), "env"),
		}, `
error: service.web: its update would get stuck: order = "start-first" needs room for a new task beside the old ones
  n1, n2 and n3 each take 1 task: host port 80/tcp
  update = update_policy(order = "stop-first") lets the old task go first; or wait = False, or --allow-pending, lets them be pending
`},
		{"start-first where only labels change", threeNodes(), []resource.Prospect{
			update(t, "web", live(3, 3, host80), policy("order", "start-first").with("replicas", int64(3), "ports", ports("host", 80)), "labels"),
		}, ``},
		{"start-first of what does not run", threeNodes(), []resource.Prospect{
			update(t, "web", live(3, 2, host80), policy("order", "start-first").with("replicas", int64(3), "ports", ports("host", 80)), "env"),
		}, ``},
		{"the image's platform, as long as it is the same image", threeNodes(), []resource.Prospect{
			update(t, "web", live(1, 1, imageFor("windows", "amd64")), args{}, "env"),
			update(t, "api", live(1, 1, imageFor("windows", "amd64")), args{}, "image"),
		}, `
warning: service.web: its task cannot be placed
  n1, n2 and n3 are linux/amd64, the image is for windows/amd64
`},
		{"a shortage that the plan does not make", threeNodes(), []resource.Prospect{
			update(t, "web", live(4, 3, host80), args{"replicas": int64(4), "ports": ports("host", 80)}, "env"),
		}, `
warning: service.web: 1 of 4 tasks cannot be placed
  n1, n2 and n3 each take 1 task: host port 80/tcp
  publish the port in ingress mode, which needs no node of its own; or replicas = 3 fits
`},
		{"a job that has room for one task", threeNodes(), []resource.Prospect{anew(t, "job", args{"mode": "replicated-job", "replicas": int64(9), "reserve_cpu": 2.0})}, ``},
		{"what is not known asks for nothing", threeNodes(), []resource.Prospect{func() resource.Prospect {
			p := anew(t, "web", args{"constraints": list("node.id==x"), "replicas": int64(9), "ports": ports("host", 80)})
			for _, name := range []string{"constraints", "replicas", "ports"} {
				f, _ := ServiceSchema.Field(name)
				p.Args[f.Index] = value.Ref{Address: "vm.a", Output: name}
			}
			return p
		}()}, ``},
		{"what is sensitive is not told", threeNodes(), []resource.Prospect{func() resource.Prospect {
			p := anew(t, "web", args{"constraints": list("node.id==x")})
			f, _ := ServiceSchema.Field("constraints")
			p.Args[f.Index] = value.Secret{V: p.Args[f.Index]}
			return p
		}(), func() resource.Prospect {
			p := kept("swarm.main/service.api", "service.api", live(4, 3, host80))
			p.Live.Unsettled, p.Live.Mark.Sensitive = "3/4 running", []string{"ports"}
			return p
		}()}, ``},
		{"nodes that are not known", nil, []resource.Prospect{anew(t, "web", args{"constraints": list("node.id==x")})}, ``},

		{"a port of the mesh that a stranger has", threeNodes(), []resource.Prospect{
			kept("", "service proxy, unmanaged", live(1, 1, publishes(swarm.PortConfigPublishModeIngress, 80))),
			anew(t, "mesh", args{"ports": ports("ingress", 80)}), anew(t, "host", args{"ports": ports("host", 80)}), anew(t, "other", args{"ports": ports("ingress", 81)}),
		}, `
error: service.mesh: port 80/tcp is published by service proxy, unmanaged already, and the swarm gives it to one service only
  publish another port, or take it away there
error: service.host: port 80/tcp is published by service proxy, unmanaged already, and the swarm gives it to one service only
  publish another port, or take it away there
`},
		{"a port of the mesh that is a node's for another", threeNodes(), []resource.Prospect{stranger, anew(t, "web", args{"ports": ports("ingress", 80)})}, `
error: service.web: port 80/tcp is published by service proxy, unmanaged already, and the swarm gives it to one service only
  publish another port, or take it away there
`},
		{"a port that the swarm gave out", threeNodes(), []resource.Prospect{
			kept("", "service old, unmanaged", live(1, 1, func(s *swarm.Service) {
				s.Endpoint.Ports = []swarm.PortConfig{{TargetPort: 80, PublishedPort: 30000, PublishMode: "ingress", Protocol: "tcp"}}
			})), anew(t, "web", args{"ports": ports("ingress", 30000)}),
		}, `
error: service.web: port 30000/tcp is published by service old, unmanaged already, and the swarm gives it to one service only
  publish another port, or take it away there
`},
		{"a port that moves", threeNodes(), []resource.Prospect{
			update(t, "old", live(1, 1, publishes(swarm.PortConfigPublishModeIngress, 80)), args{}, "ports"),
			update(t, "new", live(1, 1), args{"ports": ports("ingress", 80)}, "ports"),
		}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := told(forecaster{nodes: tt.nodes}.Forecast(tt.list, nil))
			if want := strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// told are findings as text.
func told(list []resource.Finding) string {
	var b strings.Builder
	for _, f := range list {
		severity := "error"
		if f.Severity == diag.Warning {
			severity = "warning"
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", severity, f.Address.Short(), f.Summary)
		for _, l := range strings.Split(f.Detail+"\n"+f.Hint, "\n") {
			if l != "" {
				b.WriteString("  " + l + "\n")
			}
		}
	}
	return b.String()
}

// What a script declares for nodes counts as it will be: their labels, their
// availability.
func TestForecastOfDeclaredNodes(t *testing.T) {
	nodes := schema.Of(struct {
		Name         string            `star:"name,required,pos"`
		Availability *string           `star:"availability"`
		Role         *string           `star:"role"`
		Labels       map[string]string `star:"labels,merge"`
	}{})
	declared := func(id string, availability value.Value, labels *value.Map) resource.Prospect {
		return resource.Prospect{
			Address: value.NewAddress("swarm.main", "node", id), Kind: "node", Changes: true, Live: &resource.Object{Kind: "node", ID: id},
			Schema: nodes, Args: value.Struct{id, availability, nil, labels},
		}
	}
	joins := func(name string, labels *value.Map) resource.Prospect {
		p := declared(name, nil, labels)
		p.Live, p.Anew = nil, true
		return p
	}
	joined := threeNodes(func(n []swarm.Node) {
		n[2].Spec.Labels = resource.Mark{Project: "shop", Address: "swarm.main/node.n3", On: "docker.n3"}.Labels(nil)
	})
	stays := resource.Prospect{Address: "swarm.main/node.n3", Kind: "node", Live: &resource.Object{Kind: "node", ID: "id3"}}
	four := anew(t, "web", args{"replicas": int64(4), "ports": ports("host", 80)})
	marked := threeNodes(func(n []swarm.Node) {
		n[0].Spec.Labels = resource.Mark{Project: "shop", Address: "swarm.main/node.n1", Keys: []string{"labels:tier"}}.Labels(map[string]string{"tier": "web", "zone": "a"})
	})
	tier := anew(t, "web", args{"constraints": list("node.labels.tier==web")})
	for _, tt := range []struct {
		name  string
		nodes []swarm.Node
		list  []resource.Prospect
		want  string
	}{
		{"a label to come", threeNodes(), []resource.Prospect{declared("id2", nil, dict("tier", "web")), tier}, ""},
		{"a label that is not known yet", threeNodes(), []resource.Prospect{declared("id2", nil, dict("tier", value.Ref{Address: "vm.a", Output: "x"})), tier}, ""},
		{"a label that goes, as its node is not declared any more", marked, []resource.Prospect{tier}, "none"},
		{"a label that goes", marked, []resource.Prospect{declared("id1", nil, dict("other", "x")), tier}, "none"},
		{"a label of somebody else's stays", marked, []resource.Prospect{declared("id1", nil, dict("other", "x")), anew(t, "web", args{"constraints": list("node.labels.zone==a")})}, ""},
		{"a node that is being drained", threeNodes(), []resource.Prospect{declared("id3", "drain", nil), anew(t, "web", args{"replicas": int64(3), "ports": ports("host", 80)})}, "n3 is drained"},
		{"a node that comes back", threeNodes(drain(3)), []resource.Prospect{declared("id3", "active", nil), anew(t, "web", args{"replicas": int64(3), "ports": ports("host", 80)})}, ""},
		{"a machine that joins", threeNodes(), []resource.Prospect{joins("n4", nil), four}, ""},
		{"a machine that joins has what is declared", threeNodes(), []resource.Prospect{joins("n4", dict("tier", "web")), tier}, ""},
		{"and nothing else of that", threeNodes(), []resource.Prospect{joins("n4", dict("tier", "db")), tier}, "none"},
		{"what is not known of it is as it should be", threeNodes(), []resource.Prospect{joins("n4", nil), anew(t, "web", args{
			"constraints": list("node.platform.arch==arm64", "engine.labels.disk==ssd", "node.hostname==x", "node.ip==10.0.0.9"), "reserve_memory": "900GiB"})}, ""},
		{"but not what no node has", threeNodes(), []resource.Prospect{joins("n4", nil), anew(t, "web", args{"constraints": list("node.role==worker", "node.moon==full")})}, "none"},
		{"a node that leaves", joined, []resource.Prospect{joins("n4", nil), four}, "1 of 4 tasks cannot be placed"},
		{"a node that would leave if it were declared no more", joined, []resource.Prospect{joins("n4", nil), stays, four}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := told(forecaster{nodes: tt.nodes}.Forecast(tt.list, nil))
			want := map[string]string{"none": "its task cannot be placed"}[tt.want]
			if want == "" {
				want = tt.want
			}
			if (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A volume of one node's engine draws no task of a service to that node.
func TestForecastOfVolumes(t *testing.T) {
	volumes := schema.Of(struct {
		Name string `star:"name,required,pos,local"`
	}{})
	made := func(node, name string) resource.Prospect {
		return resource.Prospect{Address: value.NewAddress("engine."+node, "volume", "data"), Kind: "volume", Changes: true, Anew: true, Node: node, Schema: volumes, Args: value.Struct{name}}
	}
	there := resource.Prospect{Kind: "volume", Node: "id1", Live: &resource.Object{Kind: "volume", Name: "data"}}
	mounts := func(kv ...value.Value) args { return args{"mounts": list(dict(append(kv, "target", "/data")...))} }
	const stray = `warning: service.db: volume data is on n1, and its tasks may run on n2 and n3 too
  there they would get an empty volume of that name
  constraints = ["node.hostname==n1"] keeps them where it is
`
	for _, tt := range []struct {
		name      string
		service   args
		elsewhere []resource.Prospect
		want      string
	}{
		{"declared on one node", mounts("source", "data"), []resource.Prospect{made("id1", "data")}, stray},
		{"live on one node", mounts("source", "data"), []resource.Prospect{there}, stray},
		{"on all nodes", mounts("source", "data"), []resource.Prospect{made("id1", "data"), made("id2", "data"), made("id3", "data")}, ""},
		{"another one", mounts("source", "data"), []resource.Prospect{made("id1", "other")}, ""},
		{"constrained to it", mounts("source", "data").with("constraints", list("node.id==id1")), []resource.Prospect{made("id1", "data")}, ""},
		{"a path", mounts("source", "/data", "type", "bind"), []resource.Prospect{made("id1", "/data")}, ""},
		{"a driver that may share it", mounts("source", "data", "volume_driver", "nfs"), []resource.Prospect{made("id1", "data")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(forecaster{nodes: threeNodes()}.Forecast([]resource.Prospect{anew(t, "db", tt.service)}, tt.elsewhere)); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
