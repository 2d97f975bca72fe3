package conformance

import (
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

const (
	noManager = `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`
	noSwarm   = "This node is not part of a swarm"
)

// Hosts that are in no swarm.
var outside = []testCase{
	{"inspect the swarm", func(c *scene) {
		c.refused(503, noManager, "GET", "/swarm", nil)
	}},
	{"lists of what a swarm has", func(c *scene) {
		for _, kind := range []string{"services", "tasks", "nodes", "secrets", "configs"} {
			c.refused(503, noManager, "GET", "/"+kind, nil)
		}
	}},
	{"create what a swarm has", func(c *scene) {
		c.refused(503, noManager, "POST", "/services/create", c.service("web"))
		c.refused(503, noManager, "POST", "/secrets/create", swarm.SecretSpec{Data: []byte("x")})
		c.refused(503, noManager, "POST", "/configs/create", swarm.ConfigSpec{Data: []byte("x")})
	}},
	{"leave", func(c *scene) {
		c.refused(503, noSwarm, "POST", "/swarm/leave", nil)
		c.refused(503, noSwarm, "POST", "/swarm/leave?force=1", nil)
	}},
	{"unlock", func(c *scene) {
		c.refused(503, noManager, "GET", "/swarm/unlockkey", nil)
		c.refused(503, noManager, "POST", "/swarm/unlock", swarm.UnlockRequest{UnlockKey: "SWMKEY-1-x"})
	}},
	{"info is inactive", func(c *scene) {
		var info system.Info
		c.get("/info", &info)
		c.same("swarm", info.Swarm, swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive})
	}},
	{"init at an address that is none", func(c *scene) {
		req := swarm.InitRequest{}
		c.refused(400, `invalid ListenAddr "": invalid empty address`, "POST", "/swarm/init", req)
		req.ListenAddr = "elsewhere:2377"
		c.refused(400, "listen address must be an IP address or network interface (with optional port number)", "POST", "/swarm/init", req)
		req = swarm.InitRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: "elsewhere"}
		c.refused(400, "advertise address must be a non-zero IP address or network interface (with optional port number)", "POST", "/swarm/init", req)
		req = c.initRequest()
		req.DataPathAddr = "0.0.0.0"
		c.refused(400, "data path address must be a non-zero IP address or network interface (without a port number)", "POST", "/swarm/init", req)
	}},
	{"init with a pool that is none", func(c *scene) {
		req := c.initRequest()
		req.DefaultAddrPool = []string{"10.0.0.0"}
		c.refused(500, "invalid base pool 10.0.0.0: invalid CIDR address: 10.0.0.0", "POST", "/swarm/init", req)
		req.DefaultAddrPool, req.SubnetSize = []string{"10.0.0.0/16"}, 30
		c.refused(500, "subnet size is out of range: 30", "POST", "/swarm/init", req)
		req.SubnetSize = 8
		c.refused(500, `invalid CIDR: "10.0.0.0/16". Subnet size is too small for pool: 8`, "POST", "/swarm/init", req)
	}},
	{"init with a data path port out of range", func(c *scene) {
		req := c.initRequest()
		req.DataPathPort = 80
		c.refused(500, "Datapath port number is not in valid range (1024-49151) : 80", "POST", "/swarm/init", req)
	}},
	{"init with another name", func(c *scene) {
		req := c.initRequest()
		req.Spec.Name = "mine"
		c.refused(400, `swarm spec must be named "default"`, "POST", "/swarm/init", req)
	}},
	{"join without a remote", func(c *scene) {
		c.refused(400, "at least 1 RemoteAddr is required to join", "POST", "/swarm/join", swarm.JoinRequest{ListenAddr: "0.0.0.0:2377"})
	}},
	{"init with a spec, and leave", func(c *scene) {
		req := c.initRequest()
		limit := int64(3)
		req.Spec = swarm.Spec{Annotations: swarm.Annotations{Labels: map[string]string{"team": "a"}}, Orchestration: swarm.OrchestrationConfig{TaskHistoryRetentionLimit: &limit}}
		req.DefaultAddrPool, req.SubnetSize, req.DataPathPort = []string{"10.99.0.0/16"}, 26, 4790
		req.Availability = swarm.NodeAvailabilityDrain
		var id string
		c.ok(200, "POST", "/swarm/init", req, &id)
		s := c.swarm()
		c.same("labels", s.Spec.Labels, req.Spec.Labels)
		c.same("history", s.Spec.Orchestration.TaskHistoryRetentionLimit, limit)
		c.same("pools", s.DefaultAddrPool, req.DefaultAddrPool)
		c.same("size of subnets", s.SubnetSize, 26)
		c.same("port", s.DataPathPort, 4790)
		self := c.nodes()[c.at.name]
		c.same("id", self.ID, id)
		c.same("availability", self.Spec.Availability, swarm.NodeAvailabilityDrain)
		c.refused(503, "You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ", "POST", "/swarm/leave", nil)
		c.ok(200, "POST", "/swarm/leave?force=1", nil, nil)
		c.refused(503, noManager, "GET", "/swarm", nil)
	}},
	{"init with defaults, and force a new cluster", func(c *scene) {
		c.ok(200, "POST", "/swarm/init", c.initRequest(), nil)
		s := c.swarm()
		c.same("spec", s.Spec, defaultSpec())
		c.same("pools", s.DefaultAddrPool, []string{"10.0.0.0/8"})
		c.same("size of subnets", s.SubnetSize, 24)
		c.same("port", s.DataPathPort, 4789)
		again := c.initRequest()
		again.ForceNewCluster = true
		c.ok(200, "POST", "/swarm/init", again, nil)
		c.wait(func() string {
			if len(c.nodes()) != 1 {
				return "not one node"
			}
			return ""
		})
		c.same("the swarm's id", c.swarm().ID, s.ID)
		c.ok(200, "POST", "/swarm/leave?force=1", nil, nil)
	}},
}

// defaultSpec is what a swarm has that was made without any.
func defaultSpec() swarm.Spec {
	limit, keep := int64(5), uint64(0)
	return swarm.Spec{
		Annotations:   swarm.Annotations{Name: "default", Labels: map[string]string{}},
		Orchestration: swarm.OrchestrationConfig{TaskHistoryRetentionLimit: &limit},
		Raft:          swarm.RaftConfig{SnapshotInterval: 10000, KeepOldSnapshots: &keep, LogEntriesForSlowFollowers: 500, ElectionTick: 10, HeartbeatTick: 1},
		Dispatcher:    swarm.DispatcherConfig{HeartbeatPeriod: 5e9},
		CAConfig:      swarm.CAConfig{NodeCertExpiry: 90 * 24 * 3600e9},
	}
}
