package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Services created, read, scaled and removed.
var services = []testCase{
	{"a minimal service, and what Docker makes of it", func(c *scene) {
		id := c.create(swarm.ServiceSpec{Annotations: swarm.Annotations{Name: c.named("web")}, TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: testengine.Sleep}}})
		s := c.inspect(id)
		one := uint64(1)
		c.same("spec", s.Spec, swarm.ServiceSpec{
			Annotations:  swarm.Annotations{Name: c.named("web"), Labels: map[string]string{}},
			TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: testengine.Sleep, Isolation: "default"}, ForceUpdate: 0, Runtime: "container"},
			Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &one}},
		})
		c.same("previous spec", s.PreviousSpec, nil)
		c.same("update", s.UpdateStatus, nil)
		tasks := c.becomes(id, "1 running/running")
		c.same("slot", tasks[0].Slot, 1)
	}},
	{"defaults are shown when asked for", func(c *scene) {
		id := c.create(scaled(c.service("web"), 0))
		var s swarm.Service
		c.get("/services/"+id+"?insertDefaults=true", &s)
		grace := 10 * time.Second
		c.same("grace", s.Spec.TaskTemplate.ContainerSpec.StopGracePeriod, &grace)
		delay, attempts := 5*time.Second, uint64(0)
		c.same("restart", s.Spec.TaskTemplate.RestartPolicy, &swarm.RestartPolicy{Condition: "any", Delay: &delay, MaxAttempts: &attempts})
		policy := swarm.UpdateConfig{Parallelism: 1, FailureAction: "pause", Monitor: 5 * time.Second, Order: "stop-first"}
		c.same("update", s.Spec.UpdateConfig, policy)
		c.same("rollback", s.Spec.RollbackConfig, policy)
		c.same("DNS", s.Spec.TaskTemplate.ContainerSpec.DNSConfig, swarm.DNSConfig{})
		c.refused(400, `invalid value for insertDefaults: x: strconv.ParseBool: parsing "x": invalid syntax`, "GET", "/services/"+id+"?insertDefaults=x", nil)
	}},
	{"a name is taken once", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		c.create(spec)
		c.refused(409, rpc("AlreadyExists", "name conflicts with an existing object: service "+spec.Name+" already exists"), "POST", "/services/create", spec)
	}},
	{"names that are none", func(c *scene) {
		for name, text := range map[string]string{
			"-x":                    "name must be valid as a DNS name component",
			"a b":                   "name must be valid as a DNS name component",
			strings.Repeat("a", 64): "name must be 63 characters or fewer",
		} {
			spec := c.service("web")
			spec.Name = name
			c.refused(400, rpc("InvalidArgument", text), "POST", "/services/create", spec)
		}
	}},
	{"a service without a name gets one", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		spec.Name = ""
		c.same("name", matches("*_*", c.inspect(c.create(spec)).Spec.Name), true)
	}},
	{"images that are none", func(c *scene) {
		for image, text := range map[string]string{
			"":        "ContainerSpec: image reference must be provided",
			"Upper:1": `ContainerSpec: "Upper:1" is not a valid repository/tag`,
			"web:1:2": `ContainerSpec: "web:1:2" is not a valid repository/tag`,
		} {
			spec := c.service("web")
			spec.TaskTemplate.ContainerSpec.Image = image
			c.refused(400, rpc("InvalidArgument", text), "POST", "/services/create", spec)
		}
	}},
	{"specs that are none", func(c *scene) {
		for text, change := range map[string]func(*swarm.ServiceSpec){
			rpc("InvalidArgument", "ContainerSpec: duplicate mount point: /a"): func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: "volume", Target: "/a"}, {Type: "volume", Target: "/a"}}
			},
			rpc("InvalidArgument", "ContainerSpec: Interval in HealthConfig cannot be less than 1ms"): func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Interval: time.Microsecond}
			},
			rpc("InvalidArgument", "ContainerSpec: Retries in HealthConfig cannot be negative"): func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Retries: -1}
			},
			rpc("InvalidArgument", "TaskSpec: restart-delay cannot be negative"): func(s *swarm.ServiceSpec) {
				delay := -time.Second
				s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Delay: &delay}
			},
			rpc("InvalidArgument", "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1"): func(s *swarm.ServiceSpec) {
				s.UpdateConfig = &swarm.UpdateConfig{MaxFailureRatio: 2}
			},
			rpc("InvalidArgument", "TaskSpec: update-delay cannot be negative"): func(s *swarm.ServiceSpec) {
				s.UpdateConfig = &swarm.UpdateConfig{Delay: -1}
			},
			"unrecognized update failure action explode": func(s *swarm.ServiceSpec) {
				s.UpdateConfig = &swarm.UpdateConfig{FailureAction: "explode"}
			},
			`invalid RestartCondition: "sometimes"`: func(s *swarm.ServiceSpec) {
				s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "sometimes"}
			},
			`invalid MountType: "floppy"`: func(s *swarm.ServiceSpec) {
				s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: "floppy", Target: "/a"}}
			},
			`invalid resolution mode: "best"`: func(s *swarm.ServiceSpec) {
				s.EndpointSpec = &swarm.EndpointSpec{Mode: "best"}
			},
			"unsupported runtime": func(s *swarm.ServiceSpec) {
				s.TaskTemplate = swarm.TaskSpec{Runtime: "vm"}
			},
		} {
			spec := c.service("web")
			change(&spec)
			c.refused(400, text, "POST", "/services/create", spec)
		}
	}},
	{"a service without a container", func(c *scene) {
		spec := c.service("web")
		spec.TaskTemplate.ContainerSpec = nil
		c.refused(400, "mismatched Runtime and *Spec fields", "POST", "/services/create", spec)
	}},
	{"resources that are too small", func(c *scene) {
		spec := c.service("web")
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1000}}
		c.refused(400, rpc("InvalidArgument", "invalid memory value 1000: Must be at least 4MiB"), "POST", "/services/create", spec)
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{NanoCPUs: 1000}}
		c.refused(400, rpc("InvalidArgument", "invalid cpu value 1e-06: Must be at least 0.001"), "POST", "/services/create", spec)
	}},
	{"two modes at once", func(c *scene) {
		spec := c.service("web")
		spec.Mode.Global = &swarm.GlobalService{}
		c.refused(400, "must specify only one service mode", "POST", "/services/create", spec)
	}},
	{"a service that is not there", func(c *scene) {
		c.refused(404, "service none not found", "GET", "/services/none", nil)
		c.refused(404, "service none not found", "DELETE", "/services/none", nil)
		c.refused(404, "service none not found", "POST", "/services/none/update?version=1", c.service("web"))
		c.refused(404, "service none not found", "GET", "/services/none/logs?stdout=1", nil)
	}},
	{"a service is found by id, its prefix and its name, and removed", func(c *scene) {
		id := c.create(scaled(c.service("web"), 1))
		c.becomes(id, "1 running/running")
		for _, key := range []string{id, id[:12], c.named("web")} {
			c.same(key, c.inspect(key).ID, id)
		}
		c.ok(200, "DELETE", "/services/"+c.named("web"), nil, nil)
		c.refused(404, "service "+id+" not found", "GET", "/services/"+id, nil)
		c.removeService(id)
	}},
	{"scaled up, down and to nothing", func(c *scene) {
		spec := c.service("web")
		id := c.create(scaled(spec, 1))
		c.becomes(id, "1 running/running")
		c.update(id, scaled(spec, 4))
		c.becomes(id, "4 running/running")
		c.update(id, scaled(spec, 2))
		tasks := c.becomes(id, "2 running/running")
		c.same("spread", len(c.where(tasks)) > 0 && tasks[0].NodeID != tasks[1].NodeID, true)
		c.update(id, scaled(spec, 0))
		c.becomes(id, "")
		negative := uint64(1 << 63)
		spec.Mode.Replicated.Replicas = &negative
		c.refused(400, rpc("InvalidArgument", "Number of replicas must be non-negative"), "POST", c.updatePath(id, ""), spec)
	}},
	{"a global service runs on every node", func(c *scene) {
		spec := c.service("web")
		spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		id := c.create(spec)
		tasks := c.becomes(id, "3 running/running")
		c.same("where", c.where(tasks), "mgr 1, wrk-1 1, wrk-2 1")
		for _, t := range tasks {
			c.same("slot", t.Slot, 0)
		}
		c.update(id, placed(spec, "node.role==worker"))
		c.becomes(id, "2 running/running, 1 shutdown/shutdown")
	}},
	{"neither name nor mode can change", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		id := c.create(spec)
		global := spec
		global.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		c.refused(501, rpc("Unimplemented", "service mode change is not allowed"), "POST", c.updatePath(id, ""), global)
		renamed := spec
		renamed.Name = c.named("other")
		c.refused(501, rpc("Unimplemented", "renaming services is not supported"), "POST", c.updatePath(id, ""), renamed)
	}},
	{"filters of services", func(c *scene) {
		one := scaled(c.service("one"), 0)
		one.Labels = map[string]string{"case": c.prefix, "n": "1"}
		id := c.create(one)
		two := c.service("two")
		two.Labels = map[string]string{"case": c.prefix}
		two.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		two = placed(two, "node.hostname==none")
		c.create(two)
		c.counts("/services", 2, "label", "case="+c.prefix)
		c.counts("/services", 1, "label", "case="+c.prefix, "label", "n=1")
		c.counts("/services", 2, "name", c.prefix)
		c.counts("/services", 1, "id", id[:12])
		c.counts("/services", 1, "name", c.prefix, "mode", "global")
		c.counts("/services", 1, "name", c.prefix, "mode", "replicated")
		c.counts("/services", 0, "name", c.prefix, "runtime", "plugin")
		c.refused(400, c.badFilter("color"), "GET", "/services"+filter("color", "red"), nil)
	}},
	{"a list with status counts tasks", func(c *scene) {
		id := c.create(placed(scaled(c.service("web"), 2), "node.role==worker"))
		c.becomes(id, "2 running/running")
		var list []swarm.Service
		c.get("/services"+filter("id", id)+"&status=true", &list)
		c.same("status", list[0].ServiceStatus, swarm.ServiceStatus{RunningTasks: 2, DesiredTasks: 2})
		var plain []swarm.Service
		c.get("/services"+filter("id", id), &plain)
		c.same("status", plain[0].ServiceStatus, nil)
	}},
	{"a published port goes through ingress", func(c *scene) {
		spec := scaled(c.service("web"), 1)
		spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18080}, {TargetPort: 81, Protocol: "udp"}}}
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		e := c.inspect(id).Endpoint
		c.same("mode", e.Spec.Mode, "vip")
		c.same("ports", len(e.Ports), 2)
		c.same("given", e.Ports[0], swarm.PortConfig{Protocol: "tcp", TargetPort: 80, PublishedPort: 18080, PublishMode: "ingress"})
		c.same("chosen", e.Ports[1].PublishedPort >= 30000 && e.Ports[1].PublishedPort <= 32767, true)
		c.same("virtual IP in ingress", e.VirtualIPs[0].NetworkID, c.inspectNetwork("ingress").ID)
		other := scaled(c.service("other"), 1)
		other.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18080}}}
		c.refused(400, rpc("InvalidArgument", fmt.Sprintf("port '18080' is already in use by service '%s' (%s) as an ingress port", spec.Name, id)), "POST", "/services/create", other)
		other.EndpointSpec.Ports[0].PublishMode = "host"
		c.refused(400, rpc("InvalidArgument", fmt.Sprintf("port '18080' is already in use by service '%s' (%s) as an ingress port", spec.Name, id)), "POST", "/services/create", other)
		other.EndpointSpec.Ports[0].PublishMode, other.EndpointSpec.Ports[0].Protocol = "ingress", "udp"
		c.create(scaled(other, 0))
	}},
	{"ports that are none", func(c *scene) {
		spec := c.service("web")
		spec.EndpointSpec = &swarm.EndpointSpec{Mode: "dnsrr", Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18081}}}
		c.refused(400, rpc("InvalidArgument", "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"), "POST", "/services/create", spec)
		spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18081}, {TargetPort: 81, PublishedPort: 18081}}}
		c.refused(400, rpc("InvalidArgument", "EndpointSpec: duplicate published ports provided"), "POST", "/services/create", spec)
	}},
	{"a service without a virtual IP", func(c *scene) {
		net := c.network(network.CreateOptions{Driver: "overlay"})
		spec := scaled(c.attached(net), 1)
		spec.EndpointSpec = &swarm.EndpointSpec{Mode: "dnsrr"}
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		s := c.inspect(id)
		c.same("mode", s.Spec.EndpointSpec.Mode, "dnsrr")
		c.same("virtual IPs", len(s.Endpoint.VirtualIPs), 0)
		spec.EndpointSpec.Mode = "vip"
		c.update(id, spec)
		c.wait(func() string {
			if e := c.inspect(id).Endpoint; len(e.VirtualIPs) != 1 {
				return fmt.Sprintf("endpoint is %+v", e)
			}
			return ""
		})
	}},
	{"all of a container's spec is kept", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		grace := 3 * time.Second
		yes := true
		cs := &swarm.ContainerSpec{
			Image: testengine.Sleep, Labels: map[string]string{"l": "1"}, Command: []string{"/swarmtest"}, Args: []string{"sleep"}, Hostname: "{{.Node.Hostname}}",
			Env: []string{"A=1"}, Dir: "/", User: "0", Groups: []string{"1"}, StopSignal: "SIGINT", TTY: true, OpenStdin: true, ReadOnly: true,
			Mounts:          []mount.Mount{{Type: "volume", Source: "v", Target: "/v", VolumeOptions: &mount.VolumeOptions{NoCopy: true}}, {Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20}}},
			StopGracePeriod: &grace, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, Hosts: []string{"1.2.3.4 a"},
			DNSConfig: &swarm.DNSConfig{Nameservers: []string{"1.1.1.1"}, Search: []string{"x"}, Options: []string{"ndots:1"}},
			Isolation: "default", Init: &yes, Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}, CapabilityAdd: []string{"CAP_NET_ADMIN"}, CapabilityDrop: []string{"CAP_CHOWN"},
			Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}},
		}
		spec.TaskTemplate.ContainerSpec = cs
		spec.TaskTemplate.LogDriver = &swarm.Driver{Name: "json-file", Options: map[string]string{"max-size": "1m"}}
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{NanoCPUs: 1e9, MemoryBytes: 1 << 28, Pids: 10}, Reservations: &swarm.Resources{NanoCPUs: 1e8, MemoryBytes: 1 << 24}}
		id := c.create(spec)
		got := c.inspect(id).Spec.TaskTemplate
		c.same("container", got.ContainerSpec, cs)
		c.same("log driver", got.LogDriver, spec.TaskTemplate.LogDriver)
		c.same("resources", got.Resources, spec.TaskTemplate.Resources)
	}},
	{"an empty update changes nothing", func(c *scene) {
		id := c.create(c.service("web"))
		before := c.becomes(id, "2 running/running")
		c.update(id, c.inspect(id).Spec)
		after := c.becomes(id, "2 running/running")
		ids := func(tasks []swarm.Task) map[string]bool {
			out := map[string]bool{}
			for _, t := range tasks {
				out[t.ID] = true
			}
			return out
		}
		c.same("tasks", ids(after), ids(before))
	}},
	{"a service's own labels restart nothing", func(c *scene) {
		spec := c.service("web")
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		spec.Labels = map[string]string{"a": "1"}
		c.update(id, spec)
		c.becomes(id, "2 running/running")
		c.same("labels", c.inspect(id).Spec.Labels, spec.Labels)
	}},
}
