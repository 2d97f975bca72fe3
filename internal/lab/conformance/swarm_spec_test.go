package conformance

import (
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

const locked = `Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.`

// The swarm's own spec, tokens, keys and certificates.
var swarmSpec = []testCase{
	{"a swarm's version", func(c *scene) {
		s := c.swarm()
		c.refused(400, `invalid swarm version '': strconv.ParseUint: parsing "": invalid syntax`, "POST", "/swarm/update", s.Spec)
		c.refused(500, rpc("Unknown", "update out of sequence"), "POST", fmt.Sprintf("/swarm/update?version=%d", s.Version.Index-1), s.Spec)
		c.refused(400, "invalid value for rotateWorkerToken: x", "POST", fmt.Sprintf("/swarm/update?version=%d&rotateWorkerToken=x", s.Version.Index), s.Spec)
	}},
	{"a spec that is none", func(c *scene) {
		s := c.swarm()
		path := fmt.Sprintf("/swarm/update?version=%d", s.Version.Index)
		bad := s.Spec
		bad.Name = "mine"
		c.refused(400, `swarm spec must be named "default"`, "POST", path, bad)
		bad = s.Spec
		bad.CAConfig.NodeCertExpiry = 60e9
		c.refused(400, rpc("InvalidArgument", "minimum certificate expiry time is: 1h0m0s"), "POST", path, bad)
		bad = s.Spec
		bad.Dispatcher.HeartbeatPeriod = -1
		c.refused(400, rpc("InvalidArgument", "heartbeat time period cannot be a negative duration"), "POST", path, bad)
	}},
	{"every field of the spec is kept", func(c *scene) {
		before := c.swarm().Spec
		limit := int64(2)
		c.setSwarm("", func(s *swarm.Spec) {
			s.Labels = map[string]string{"a": "1"}
			s.Orchestration.TaskHistoryRetentionLimit = &limit
			s.Raft.SnapshotInterval = 20000
			s.Dispatcher.HeartbeatPeriod = 7e9
			s.CAConfig.NodeCertExpiry = 48 * 3600e9
		})
		got := c.swarm().Spec
		c.same("labels", got.Labels, map[string]string{"a": "1"})
		c.same("history", got.Orchestration.TaskHistoryRetentionLimit, 2)
		c.same("snapshots", got.Raft.SnapshotInterval, 20000)
		c.same("heartbeat", got.Dispatcher.HeartbeatPeriod, 7e9)
		c.same("expiry", got.CAConfig.NodeCertExpiry, 48*3600e9)
		c.setSwarm("", func(s *swarm.Spec) { *s = before })
		c.same("spec", c.swarm().Spec, before)
	}},
	{"tokens are rotated one by one", func(c *scene) {
		before := c.swarm().JoinTokens
		c.setSwarm("&rotateWorkerToken=true", func(*swarm.Spec) {})
		worker := c.swarm().JoinTokens
		c.same("only the worker's", worker.Manager == before.Manager && worker.Worker != before.Worker, true)
		c.setSwarm("&rotateManagerToken=1", func(*swarm.Spec) {})
		manager := c.swarm().JoinTokens
		c.same("only the manager's", manager.Manager != before.Manager && manager.Worker == worker.Worker, true)
		c.same("the swarm's part stays", strings.Split(manager.Worker, "-")[2], strings.Split(before.Worker, "-")[2])
	}},
	{"without autolock there is no key", func(c *scene) {
		c.same("key", c.unlockKey(), "")
		c.refused(409, "swarm is not locked", "POST", "/swarm/unlock", swarm.UnlockRequest{UnlockKey: "SWMKEY-1-x"})
	}},
	{"autolock gives a key, which can be rotated", func(c *scene) {
		c.setSwarm("", func(s *swarm.Spec) { s.EncryptionConfig.AutoLockManagers = true })
		first := c.unlockKey()
		c.same("a key", strings.HasPrefix(first, "SWMKEY-1-"), true)
		c.setSwarm("&rotateManagerUnlockKey=true", func(*swarm.Spec) {})
		c.same("another key", c.unlockKey() != first, true)
		c.setSwarm("", func(s *swarm.Spec) { s.EncryptionConfig.AutoLockManagers = false })
		c.same("key", c.unlockKey(), "")
	}},
	{"a locked manager", func(c *scene) {
		s := c.on("spare")
		req := s.initRequest()
		req.AutoLockManagers, req.Spec.EncryptionConfig.AutoLockManagers = true, true
		s.ok(200, "POST", "/swarm/init", req, nil)
		before, key := s.swarm(), s.unlockKey()
		c.same("autolock", before.Spec.EncryptionConfig.AutoLockManagers, true)
		s.at.restart(c.T)
		c.same("state", s.info().LocalNodeState, swarm.LocalNodeStateLocked)
		s.refused(503, locked, "GET", "/swarm", nil)
		s.refused(503, locked, "GET", "/services", nil)
		s.refused(503, inSwarm, "POST", "/swarm/init", s.initRequest())
		s.refused(503, "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.", "POST", "/swarm/leave", nil)
		s.refused(400, "*", "POST", "/swarm/unlock", swarm.UnlockRequest{UnlockKey: "wrong"})
		s.refused(401, "swarm could not be unlocked: invalid key provided", "POST", "/swarm/unlock", swarm.UnlockRequest{UnlockKey: "SWMKEY-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
		s.ok(200, "POST", "/swarm/unlock", swarm.UnlockRequest{UnlockKey: key}, nil)
		s.wait(func() string {
			if a := s.ask("GET", "/swarm", nil); a.status != 200 {
				return a.String()
			}
			return ""
		})
		c.same("swarm", s.swarm().ID, before.ID)
		s.ok(200, "POST", "/swarm/leave?force=1", nil, nil)
	}},
	{"the certificates' root is rotated", func(c *scene) {
		before := c.swarm()
		c.setSwarm("", func(s *swarm.Spec) { s.CAConfig.ForceRotate++ })
		c.wait(func() string {
			s := c.swarm()
			if s.RootRotationInProgress || s.TLSInfo.TrustRoot == before.TLSInfo.TrustRoot {
				return "the root is still the old one"
			}
			return ""
		})
		after := c.swarm()
		c.same("another fingerprint in tokens", strings.Split(after.JoinTokens.Worker, "-")[2] != strings.Split(before.JoinTokens.Worker, "-")[2], true)
		c.nodeIs("wrk", func(n swarm.Node) bool {
			return n.Description.TLSInfo.TrustRoot == after.TLSInfo.TrustRoot && n.Status.State == swarm.NodeStateReady
		})
		c.on("spare").ok(200, "POST", "/swarm/join", c.joinRequest("spare", "worker"), nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
		c.on("spare").ok(200, "POST", "/swarm/leave", nil, nil)
		c.nodeIs("spare", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateDown })
		c.ok(200, "DELETE", "/nodes/spare", nil, nil)
	}},
	{"the swarm outlives a restart of its manager", func(c *scene) {
		id := c.create(c.service("web"))
		c.becomes(id, "2 running/running")
		before := c.swarm()
		c.at.restart(c.T)
		c.nodeIs("mgr", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
		c.nodeIs("wrk", func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateReady })
		after := c.swarm()
		c.same("swarm", []any{after.ID, after.JoinTokens}, []any{before.ID, before.JoinTokens})
		c.wait(func() string {
			if got := wanted(c.tasks(id)); states(got) != "2 running/running" {
				return states(got) + problems(got)
			}
			return ""
		})
	}},
}

// setSwarm changes the swarm's spec.
func (c *scene) setSwarm(query string, change func(*swarm.Spec)) {
	c.Helper()
	c.wait(func() string {
		s := c.swarm()
		change(&s.Spec)
		a := c.ask("POST", fmt.Sprintf("/swarm/update?version=%d%s", s.Version.Index, query), s.Spec)
		if a.status != 200 && !strings.Contains(a.message, "update out of sequence") {
			c.Fatalf("update of the swarm: %s", a)
		}
		if a.status != 200 {
			return a.String()
		}
		return ""
	})
}

func (c *scene) unlockKey() string {
	c.Helper()
	var r swarm.UnlockKeyResponse
	c.get("/swarm/unlockkey", &r)
	return r.UnlockKey
}
