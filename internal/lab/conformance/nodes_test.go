package conformance

import (
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/swarm"
)

// Nodes as the swarm's objects. The hosts mgr and wrk are nodes.
var nodes = []testCase{
	{"a node is found by id, its prefix and its name", func(c *scene) {
		all := c.nodes()
		for _, id := range []string{all["mgr"].ID, all["mgr"].ID[:12], "mgr"} {
			var n swarm.Node
			c.get("/nodes/"+id, &n)
			c.same(id, n.ID, all["mgr"].ID)
		}
		// The word is the CLI's alone.
		c.refused(404, "node self not found", "GET", "/nodes/self", nil)
		c.refused(404, "node none not found", "GET", "/nodes/none", nil)
		c.refused(404, "node none not found", "DELETE", "/nodes/none", nil)
		c.refused(404, "node none not found", "POST", "/nodes/none/update?version=1", all["mgr"].Spec)
	}},
	{"a node describes itself", func(c *scene) {
		n := c.nodes()["mgr"]
		c.same("role", n.Spec.Role, swarm.NodeRoleManager)
		c.same("availability", n.Spec.Availability, swarm.NodeAvailabilityActive)
		c.same("status", n.Status.State, swarm.NodeStateReady)
		c.same("leads", n.ManagerStatus, swarm.ManagerStatus{Leader: true, Reachability: swarm.ReachabilityReachable, Addr: c.at.addr})
		c.same("platform", n.Description.Platform, swarm.Platform{Architecture: "x86_64", OS: "linux"})
		c.same("has resources", n.Description.Resources.NanoCPUs > 0 && n.Description.Resources.MemoryBytes > 0, true)
		c.same("has TLS", n.Description.TLSInfo.TrustRoot == c.swarm().TLSInfo.TrustRoot, true)
		var drivers []string
		for _, p := range n.Description.Engine.Plugins {
			drivers = append(drivers, p.Type+" "+p.Name)
		}
		for _, want := range []string{"Network bridge", "Network host", "Network overlay", "Volume local", "Log json-file"} {
			if !slices.Contains(drivers, want) {
				c.Errorf("no %s in %q", want, drivers)
			}
		}
	}},
	{"filters of nodes", func(c *scene) {
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"tier": "web", "zone": "a"} })
		wrk := c.nodes()["wrk"].ID
		for _, f := range []struct {
			pairs []string
			want  int
		}{
			{[]string{"role", "worker"}, 1}, {[]string{"role", "manager"}, 1}, {[]string{"role", "worker", "role", "manager"}, 2},
			{[]string{"name", "wr"}, 1}, {[]string{"name", "zzz"}, 0}, {[]string{"id", wrk[:8]}, 1},
			// A node's spec in JSON has no membership: by the update above, Docker made it pending. It does not matter.
			{[]string{"membership", "accepted"}, 1}, {[]string{"membership", "pending"}, 1},
			{[]string{"node.label", "tier"}, 1}, {[]string{"node.label", "tier=web"}, 1}, {[]string{"node.label", "tier=db"}, 0},
			{[]string{"node.label", "tier=web", "node.label", "zone=b"}, 0},
		} {
			var list []swarm.Node
			c.get("/nodes"+filter(f.pairs...), &list)
			c.same(fmt.Sprint(f.pairs), len(list), f.want)
		}
		c.refused(500, "Invalid role filter: 'boss'", "GET", "/nodes"+filter("role", "boss"), nil)
		c.refused(500, "Invalid membership filter: 'x'", "GET", "/nodes"+filter("membership", "x"), nil)
		c.refused(400, c.either("Invalid filter 'color'", "invalid filter 'color'"), "GET", "/nodes"+filter("color", "red"), nil)
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{} })
	}},
	{"labels of a node are replaced as a whole", func(c *scene) {
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"a": "1", "b": ""} })
		c.same("labels", c.nodes()["wrk"].Spec.Labels, map[string]string{"a": "1", "b": ""})
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{} })
		c.same("labels", c.nodes()["wrk"].Spec.Labels, map[string]string{})
	}},
	{"a node's version", func(c *scene) {
		n := c.nodes()["wrk"]
		path := "/nodes/" + n.ID + "/update"
		c.refused(400, `invalid node version '': strconv.ParseUint: parsing "": invalid syntax`, "POST", path, n.Spec)
		c.refused(400, `invalid node version 'x': strconv.ParseUint: parsing "x": invalid syntax`, "POST", path+"?version=x", n.Spec)
		c.refused(500, rpc("Unknown", "update out of sequence"), "POST", path+fmt.Sprintf("?version=%d", n.Version.Index-1), n.Spec)
	}},
	{"a node's spec that is none", func(c *scene) {
		n := c.nodes()["wrk"]
		path := fmt.Sprintf("/nodes/%s/update?version=%d", n.ID, n.Version.Index)
		bad := n.Spec
		bad.Role = "boss"
		c.refused(400, `invalid Role: "boss"`, "POST", path, bad)
		bad = n.Spec
		bad.Availability = "asleep"
		c.refused(400, `invalid Availability: "asleep"`, "POST", path, bad)
	}},
	{"drain moves tasks, and they stay away", func(c *scene) {
		spec := c.service("web")
		id := c.create(spec)
		c.same("where", c.where(c.becomes(id, "2 running/running")), "mgr 1, wrk 1")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain })
		tasks := c.becomes(id, "2 running/running, 1 shutdown/shutdown")
		c.same("where", c.where(wanted(tasks)), "mgr 2")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityActive })
		c.same("where", c.where(wanted(c.becomes(id, "2 running/running, 1 shutdown/shutdown"))), "mgr 2")
		c.update(id, scaled(spec, 3))
		c.same("where", c.where(wanted(c.becomes(id, "3 running/running, 1 shutdown/shutdown"))), "mgr 2, wrk 1")
	}},
	{"pause keeps tasks and takes none", func(c *scene) {
		id := c.create(c.service("web"))
		c.becomes(id, "2 running/running")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityPause })
		c.update(id, scaled(c.service("web"), 4))
		c.same("where", c.where(c.becomes(id, "4 running/running")), "mgr 3, wrk 1")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityActive })
	}},
	{"a label that goes stops a task that needs it", func(c *scene) {
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"disk": "ssd"} })
		id := c.create(scaled(placed(c.service("db"), "node.labels.disk==ssd"), 1))
		c.same("where", c.where(c.becomes(id, "1 running/running")), "wrk 1")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{} })
		tasks := c.becomes(id, "1 pending/running, 1 rejected/shutdown")
		for _, t := range tasks {
			c.same("error", t.Status.Err, map[swarm.TaskState]string{
				swarm.TaskStatePending:  "no suitable node (scheduling constraints not satisfied on 2 nodes)",
				swarm.TaskStateRejected: "assigned node no longer meets constraints",
			}[t.Status.State])
		}
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"disk": "ssd"} })
		c.becomes(id, "1 rejected/shutdown, 1 running/running")
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Labels = map[string]string{} })
	}},
	{"a global service follows nodes", func(c *scene) {
		spec := c.service("agent")
		spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		id := c.create(spec)
		c.same("where", c.where(c.becomes(id, "2 running/running")), "mgr 1, wrk 1")
		c.on("spare").ok(200, "POST", "/swarm/join", c.joinRequest("spare", "worker"), nil)
		c.same("where", c.where(c.becomes(id, "3 running/running")), "mgr 1, spare 1, wrk 1")
		c.setNode("spare", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain })
		c.becomes(id, "2 running/running, 1 shutdown/shutdown")
		c.setNode("spare", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityActive })
		c.wait(func() string {
			if got := c.where(wanted(c.tasks(id))); got != "mgr 1, spare 1, wrk 1" {
				return got
			}
			return ""
		})
		c.on("spare").ok(200, "POST", "/swarm/leave", nil, nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateDown })
		c.ok(200, "DELETE", "/nodes/spare", nil, nil)
	}},
}
