package conformance

import (
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// Joins that are refused. Docker tries for ten seconds before it says so, for which these cases run beside others; the
// host "lost" tries, and is in no swarm before and after.
var joins = []testCase{
	{"join with a token that is none", func(c *scene) {
		req := c.joinRequest("lost", "worker")
		req.JoinToken = "SWMTKN-1-wrong"
		c.on("lost").refused(500, "invalid join token", "POST", "/swarm/join", req)
		c.same("state", c.on("lost").info().LocalNodeState, swarm.LocalNodeStateInactive)
	}},
	{"join with the secret of another token", func(c *scene) {
		req := c.joinRequest("lost", "worker")
		req.JoinToken = req.JoinToken[:strings.LastIndex(req.JoinToken, "-")] + "-1awxwuwd3z9j1z3puu7rcgdbx"
		c.on("lost").refused(400, rpc("InvalidArgument", "A valid join token is necessary to join this cluster"), "POST", "/swarm/join", req)
	}},
	{"join with another swarm's token", func(c *scene) {
		req := c.joinRequest("lost", "worker")
		req.JoinToken = "SWMTKN-1-3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl-1awxwuwd3z9j1z3puu7rcgdbx"
		c.on("lost").refused(500, "*remote CA does not match fingerprint. Expected: *", "POST", "/swarm/join", req)
	}},
	{"join where nobody listens", func(c *scene) {
		req := c.joinRequest("lost", "manager")
		req.RemoteAddrs = []string{c.hosts["lost"].addr}
		c.on("lost").refused(503, rpc("Unavailable", "*connection refused*"), "POST", "/swarm/join", req)
		c.same("state", c.on("lost").info().LocalNodeState, swarm.LocalNodeStateInactive)
	}},
}
