package conformance

import (
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

const (
	inSwarm  = `This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`
	onWorker = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager."
)

// Who is in the swarm: the hosts mgr and wrk are, spare is not.
var membership = []testCase{
	{"init and join in a swarm", func(c *scene) {
		c.refused(503, inSwarm, "POST", "/swarm/init", c.initRequest())
		c.refused(503, inSwarm, "POST", "/swarm/join", c.joinRequest("mgr", "worker"))
		c.on("wrk").refused(503, inSwarm, "POST", "/swarm/init", c.on("wrk").initRequest())
		c.on("wrk").refused(503, inSwarm, "POST", "/swarm/join", c.joinRequest("wrk", "manager"))
	}},
	{"a worker shows nothing of the swarm", func(c *scene) {
		wrk := c.on("wrk")
		for _, path := range []string{"swarm", "services", "tasks", "nodes", "secrets", "configs", "nodes/self"} {
			wrk.refused(503, onWorker, "GET", "/"+path, nil)
		}
		wrk.refused(503, onWorker, "POST", "/swarm/update?version=1", swarm.Spec{})
		wrk.refused(503, onWorker, "POST", "/services/create", c.service("web"))
	}},
	{"force a new cluster on a worker", func(c *scene) {
		req := c.on("wrk").initRequest()
		req.ForceNewCluster = true
		c.on("wrk").refused(503, onWorker, "POST", "/swarm/init", req)
	}},
	{"info of a manager", func(c *scene) {
		info := c.info()
		c.same("state", info.LocalNodeState, swarm.LocalNodeStateActive)
		c.same("manages", info.ControlAvailable, true)
		c.same("nodes, managers", []int{info.Nodes, info.Managers}, []int{2, 1})
		c.same("address", info.NodeAddr+":2377", c.at.addr)
		c.same("node", info.NodeID, c.nodes()["mgr"].ID)
		c.same("managers", info.RemoteManagers, []swarm.Peer{{NodeID: info.NodeID, Addr: c.at.addr}})
		c.same("swarm", info.Cluster.ID, c.swarm().ID)
	}},
	{"info of a worker", func(c *scene) {
		info := c.on("wrk").info()
		c.same("state", info.LocalNodeState, swarm.LocalNodeStateActive)
		c.same("manages", info.ControlAvailable, false)
		c.same("node", info.NodeID, c.nodes()["wrk"].ID)
		c.same("managers", info.RemoteManagers, []swarm.Peer{{NodeID: c.nodes()["mgr"].ID, Addr: c.at.addr}})
		c.same("address", info.NodeAddr+":2377", c.hosts["wrk"].addr)
		c.same("swarm", info.Cluster, nil)
	}},
	{"ping tells the role", func(c *scene) {
		for name, want := range map[string]string{"mgr": "active/manager", "wrk": "active/worker", "spare": "inactive"} {
			c.same(name, c.on(name).ask("GET", "/_ping", nil).header.Get("Swarm"), c.either("", want))
		}
	}},
	{"a worker joins and leaves", func(c *scene) {
		req := c.joinRequest("spare", "worker")
		req.Availability = swarm.NodeAvailabilityPause
		c.on("spare").ok(200, "POST", "/swarm/join", req, nil)
		n := c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
		c.same("role", n.Spec.Role, swarm.NodeRoleWorker)
		c.same("availability", n.Spec.Availability, swarm.NodeAvailabilityPause)
		c.same("address", n.Status.Addr+":2377", c.hosts["spare"].addr)
		c.same("manager", n.ManagerStatus, nil)
		c.refused(400, rpc("FailedPrecondition", "node "+n.ID+" is not down and can't be removed"), "DELETE", "/nodes/spare", nil)
		c.on("spare").ok(200, "POST", "/swarm/leave", nil, nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateDown })
		c.ok(200, "DELETE", "/nodes/spare", nil, nil)
		c.refused(404, "node spare not found", "GET", "/nodes/spare", nil)
	}},
	{"a node removed by force", func(c *scene) {
		c.on("spare").ok(200, "POST", "/swarm/join", c.joinRequest("spare", "worker"), nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
		c.ok(200, "DELETE", "/nodes/spare?force=1", nil, nil)
		c.same("nodes", len(c.nodes()), 2)
		c.on("spare").ok(200, "POST", "/swarm/leave?force=1", nil, nil)
	}},
	{"a manager joins, and is removed when it was demoted", func(c *scene) {
		c.on("spare").ok(200, "POST", "/swarm/join", c.joinRequest("spare", "manager"), nil)
		n := c.nodeIs("spare", func(n swarm.Node) bool {
			return n.ManagerStatus != nil && n.ManagerStatus.Reachability == swarm.ReachabilityReachable && n.Status.State == swarm.NodeStateReady
		})
		c.same("leader", n.ManagerStatus.Leader, false)
		c.same("address", n.ManagerStatus.Addr, c.hosts["spare"].addr)
		c.same("answers the same", c.on("spare").swarm().ID, c.swarm().ID)
		c.same("warnings", c.on("spare").info().Warnings, c.info().Warnings)
		c.refused(400, rpc("FailedPrecondition", "node "+n.ID+" is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal"), "DELETE", "/nodes/spare", nil)
		c.on("spare").refused(503, "You are attempting to leave the swarm on a node that is participating as a manager. Removing this node leaves 1 managers out of 2. Without a Raft quorum your swarm will be inaccessible. The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.", "POST", "/swarm/leave", nil)
		c.setNode("spare", func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker })
		c.demoted("spare")
		c.on("spare").ok(200, "POST", "/swarm/leave", nil, nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateDown })
		c.ok(200, "DELETE", "/nodes/spare", nil, nil)
	}},
	{"a worker is promoted and demoted", func(c *scene) {
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleManager })
		c.nodeIs("wrk", func(n swarm.Node) bool {
			return n.ManagerStatus != nil && n.ManagerStatus.Reachability == swarm.ReachabilityReachable
		})
		c.wait(func() string {
			if !c.on("wrk").info().ControlAvailable {
				return "wrk does not manage"
			}
			return ""
		})
		c.same("managers", c.info().Managers, 2)
		c.setNode("wrk", func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker })
		c.demoted("wrk")
		c.nodeIs("wrk", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
	}},
	{"demote the last manager", func(c *scene) {
		n := c.nodes()["mgr"]
		n.Spec.Role = swarm.NodeRoleWorker
		c.refused(400, rpc("FailedPrecondition", "attempting to demote the last manager of the swarm"), "POST", fmt.Sprintf("/nodes/%s/update?version=%d", n.ID, n.Version.Index), n.Spec)
	}},
	{"remove the last manager", func(c *scene) {
		c.refused(400, rpc("FailedPrecondition", "node "+c.nodes()["mgr"].ID+" is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal"), "DELETE", "/nodes/mgr?force=1", nil)
	}},
}

// info is what a host tells of its swarm.
func (c *scene) info() swarm.Info {
	c.Helper()
	var info system.Info
	c.get("/info", &info)
	return info.Swarm
}

// nodeIs waits until a node is so.
func (c *scene) nodeIs(name string, so func(swarm.Node) bool) swarm.Node {
	c.Helper()
	var n swarm.Node
	c.wait(func() string {
		// While managers change, none leads for a moment: then the list is refused.
		var list []swarm.Node
		if a := c.ask("GET", "/nodes", nil); a.status != 200 {
			return a.String()
		} else {
			c.decode(a.body, &list)
		}
		for _, n = range list {
			if n.Description.Hostname == name && so(n) {
				return ""
			}
		}
		return fmt.Sprintf("node %s is not as it shall be: %+v", name, list)
	})
	return n
}

// demoted waits until a node is a worker in its own eyes and in raft's.
func (c *scene) demoted(name string) {
	c.Helper()
	c.wait(func() string {
		var workers []swarm.Node
		if a := c.ask("GET", "/nodes"+filter("role", "worker", "name", name), nil); a.status != 200 {
			return a.String()
		} else {
			c.decode(a.body, &workers)
		}
		if len(workers) == 0 || c.on(name).info().ControlAvailable {
			return name + " still manages"
		}
		return ""
	})
}

// setNode changes a node's spec. The swarm writes nodes too, as when one becomes ready: then the version is old.
func (c *scene) setNode(name string, change func(*swarm.NodeSpec)) {
	c.Helper()
	c.wait(func() string {
		n := c.nodes()[name]
		change(&n.Spec)
		a := c.ask("POST", fmt.Sprintf("/nodes/%s/update?version=%d", n.ID, n.Version.Index), n.Spec)
		if a.status != 200 && !strings.Contains(a.message, "update out of sequence") {
			c.Fatalf("update of node %s: %s", name, a)
		}
		if a.status != 200 {
			return a.String()
		}
		return ""
	})
}
