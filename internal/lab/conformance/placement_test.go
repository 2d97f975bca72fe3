package conformance

import (
	"fmt"

	"github.com/docker/docker/api/types/swarm"
)

// Where tasks go, and why some go nowhere.
var placement = []testCase{
	{"constraints", func(c *scene) {
		for i, p := range []struct{ constraint, where string }{
			{"node.hostname==wrk-1", "wrk-1 2"},
			{"node.role==manager", "mgr 2"},
			{"node.role!=manager", "wrk-1 1, wrk-2 1"},
			{"node.id==" + c.nodes()["wrk-2"].ID, "wrk-2 2"},
			{"node.platform.os!=linux", ""},
		} {
			id := c.create(placed(c.service(fmt.Sprint("web-", i)), p.constraint))
			if p.where == "" {
				c.becomes(id, "2 pending/running")
				continue
			}
			c.same(p.constraint, c.where(c.becomes(id, "2 running/running")), p.where)
		}
	}},
	{"a constraint that no node meets", func(c *scene) {
		id := c.create(placed(scaled(c.service("web"), 1), "node.labels.none==1"))
		c.becomes(id, "1 pending/running")
		c.pends(id, "no suitable node (scheduling constraints not satisfied on 3 nodes)")
		c.update(id, placed(scaled(c.service("web"), 1), "node.role==worker"))
		c.wait(func() string {
			if got := wanted(c.tasks(id)); states(got) != "1 running/running" {
				return states(got)
			}
			return ""
		})
	}},
	{"constraints that are none", func(c *scene) {
		for constraint, text := range map[string]string{
			"node.role":   "constraint expected one operator from ==, !=",
			"==worker":    "key '' is invalid",
			"node.role==": "value '' is invalid",
		} {
			c.refused(500, rpc("Unknown", text), "POST", "/services/create", placed(c.service("web"), constraint))
		}
	}},
	{"at most so many replicas on a node", func(c *scene) {
		spec := scaled(c.service("web"), 3)
		spec.TaskTemplate.Placement = &swarm.Placement{MaxReplicas: 1, Constraints: []string{"node.role==worker"}}
		id := c.create(spec)
		tasks := c.becomes(id, "1 pending/running, 2 running/running")
		c.same("where", c.where(running(tasks)), "wrk-1 1, wrk-2 1")
		c.pends(id, "no suitable node (max replicas per node limit exceed; scheduling constraints not satisfied on 1 node)", "no suitable node (scheduling constraints not satisfied on 1 node; max replicas per node limit exceed)")
	}},
	{"memory that no node has", func(c *scene) {
		spec := scaled(c.service("web"), 1)
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{MemoryBytes: 1 << 50}}
		id := c.create(spec)
		c.becomes(id, "1 pending/running")
		c.pends(id, "no suitable node (insufficient resources on 3 nodes)")
	}},
	{"cores that no node has", func(c *scene) {
		spec := placed(scaled(c.service("web"), 1), "node.role==worker")
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{NanoCPUs: 10000e9}}
		id := c.create(spec)
		c.becomes(id, "1 pending/running")
		// Resources are looked at before constraints.
		c.pends(id, "no suitable node (insufficient resources on 3 nodes)")
	}},
	{"a platform that no node is", func(c *scene) {
		spec := scaled(c.service("web"), 1)
		spec.TaskTemplate.Placement = &swarm.Placement{Platforms: []swarm.Platform{{OS: "plan9", Architecture: "amd64"}}}
		id := c.create(spec)
		c.becomes(id, "1 pending/running")
		c.pends(id, "no suitable node (unsupported platform on 3 nodes)")
	}},
	{"a log driver that no node has", func(c *scene) {
		spec := scaled(c.service("web"), 1)
		spec.TaskTemplate.LogDriver = &swarm.Driver{Name: "none-such"}
		id := c.create(spec)
		c.becomes(id, "1 pending/running")
		c.pends(id, "no suitable node (missing plugin on 3 nodes)")
	}},
	{"a host's port is given once", func(c *scene) {
		spec := scaled(c.service("web"), 3)
		spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 18090, PublishMode: "host"}}}
		id := c.create(placed(spec, "node.role==worker"))
		tasks := c.becomes(id, "1 pending/running, 2 running/running")
		c.same("where", c.where(running(tasks)), "wrk-1 1, wrk-2 1")
		c.pends(id, "no suitable node (host-mode port already in use on 2 nodes; scheduling constraints not satisfied on 1 node)", "no suitable node (scheduling constraints not satisfied on 1 node; host-mode port already in use on 2 nodes)")
		for _, t := range running(tasks) {
			// A real engine lists a port for each address family.
			for _, p := range t.Status.PortStatus.Ports {
				c.same("port of a task", p, swarm.PortConfig{Protocol: "tcp", TargetPort: 80, PublishedPort: 18090, PublishMode: "host"})
			}
			c.same("has a port", len(t.Status.PortStatus.Ports) > 0, true)
		}
	}},
	{"spread over a label's values", func(c *scene) {
		// No node has the label: all are one group, and tasks are spread over nodes as ever.
		spec := scaled(c.service("web"), 3)
		spec.TaskTemplate.Placement = &swarm.Placement{Preferences: []swarm.PlacementPreference{{Spread: &swarm.SpreadOver{SpreadDescriptor: "node.labels.zone"}}}}
		id := c.create(spec)
		tasks := c.becomes(id, "3 running/running")
		c.same("preferences", c.inspect(id).Spec.TaskTemplate.Placement.Preferences, spec.TaskTemplate.Placement.Preferences)
		c.same("where", c.where(tasks), "mgr 1, wrk-1 1, wrk-2 1")
	}},
}

// pends checks why a service's tasks go nowhere: one of some reasons, as SwarmKit names several in any order.
func (c *scene) pends(id string, reasons ...string) {
	c.Helper()
	c.wait(func() string {
		for _, t := range c.tasks(id) {
			for _, reason := range reasons {
				if t.Status.State == swarm.TaskStatePending && t.Status.Err == reason {
					return ""
				}
			}
		}
		return "no task waits for " + reasons[0] + ":" + problems(c.tasks(id))
	})
}

func running(tasks []swarm.Task) []swarm.Task {
	var out []swarm.Task
	for _, t := range tasks {
		if t.Status.State == swarm.TaskStateRunning {
			out = append(out, t)
		}
	}
	return out
}
