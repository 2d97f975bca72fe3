package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// leader waits until a manager is the leader, as another one sees it, and returns it.
func (h *host) leader(of []*host) *host {
	h.lab.t.Helper()
	var leader *host
	h.lab.eventually("a leader", func() string {
		list, err := h.docker.NodeList(ctx, swarm.NodeListOptions{})
		if err != nil {
			return err.Error()
		}
		for _, n := range list {
			if n.ManagerStatus != nil && n.ManagerStatus.Leader {
				for _, m := range of {
					if m.name == n.Description.Hostname {
						leader = m
						return ""
					}
				}
			}
		}
		return "none of these"
	})
	return leader
}

func without(hosts []*host, not *host) []*host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h *host) bool { return h == not })
}

// ids are the tasks, by what must not change while hosts lose power.
func ids(tasks []swarm.Task) []string {
	var list []string
	for _, t := range tasks {
		list = append(list, t.ID+" on "+t.NodeID)
	}
	slices.Sort(list)
	return list
}

// A power cut of all hosts while the second manager joins: the first one counts it
// already, and cannot answer without it.
func TestPowerCutDuringJoin(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.host("m1"), l.host("m2")
	m1.init()
	manager := m1.tokens().Manager
	m2.join(m1, manager)
	m1.off()
	m2.off()
	file := filepath.Join(l.dir, "m2", "lab-member.json")
	text := must(os.ReadFile(file))(t)
	joining := bytes.Replace(text, []byte(`"JoinInProgress":false`), []byte(`"JoinInProgress":true`), 1)
	if bytes.Equal(joining, text) {
		t.Fatalf("it says %s", text)
	}
	l.ok(os.WriteFile(file, joining, 0o600)) // as it was until just before the join ended
	m1.on()
	m2.on()
	m1.leader([]*host{m1, m2})
	l.ok(m2.Wait(ctx))
}

// A power cut while a swarm begins: nobody was told of it, and it has no labels yet, by
// which who asked for it would know it. So it is as if it had not been asked for.
func TestPowerCutDuringInit(t *testing.T) {
	l := newLab(t)
	m1 := l.host("m1")
	file := filepath.Join(l.dir, "m1", "lab-member.json")
	begun := make(chan error, 1)
	labelled := func(r *swarm.InitRequest) { r.Spec.Labels = map[string]string{"mine": "yes"} }
	go func() {
		_, err := m1.docker.SwarmInit(ctx, swarm.InitRequest{ListenAddr: "0.0.0.0:2377"})
		begun <- err
	}()
	var beginning []byte
	l.eventually("m1 begins a swarm", func() (why string) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		beginning = text
		return ""
	})
	l.ok(<-begun)
	first := m1.Info(ctx).NodeID
	m1.off()
	m1.on()
	l.ok(m1.Wait(ctx))
	if id := m1.Info(ctx).NodeID; id != first || id == "" {
		t.Fatalf("after a power cut it is node %q, before %q", id, first)
	}
	m1.off()
	l.ok(os.WriteFile(file, beginning, 0o600)) // as it was until just before the init ended
	m1.on()
	if s := m1.Info(ctx).LocalNodeState; s != swarm.LocalNodeStateInactive {
		t.Fatalf("a swarm that had not begun is %s", s)
	}
	m1.init(labelled)
	if s, err := m1.docker.SwarmInspect(ctx); err != nil || s.Spec.Labels["mine"] != "yes" {
		t.Errorf("begun again: %v, %v", s.Spec.Labels, err)
	}
}

func TestLeaderLosesPower(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(3, 1)
	ms[0].create(replicated("web", 4))
	ms[0].runs("web", 4)
	first := ms[0].leader(ms)
	rest := without(ms, first)
	first.off()
	second := rest[0].leader(rest)
	second.runs("web", 4)
	second.create(replicated("more", 2))
	second.runs("more", 2)
	l.eventually("the lost manager", func() string {
		n := second.nodes()[first.name]
		if n.Status.State != "down" || n.ManagerStatus.Reachability != "unreachable" || n.Status.Addr != first.address {
			return fmt.Sprintf("%+v %+v", n.Status, n.ManagerStatus)
		}
		return ""
	})
	first.on()
	l.ok(first.Wait(ctx))
	l.eventually("it is back", func() string {
		n := second.nodes()[first.name]
		if n.Status.State != "ready" || n.ManagerStatus.Reachability != "reachable" {
			return fmt.Sprintf("%+v %+v", n.Status, n.ManagerStatus)
		}
		return ""
	})
	first.runs("more", 2)
}

func TestPartition(t *testing.T) {
	l := newLab(t)
	ms, ws := l.swarm(3, 1)
	leader := ms[0].leader(ms)
	rest := without(ms, leader)
	joiner := l.host("late")
	token := leader.tokens().Worker

	// The minority loses the leadership and answers nobody; the others go on.
	for _, h := range append(rest, ws...) {
		l.wire.Cut(leader.address, h.address)
	}
	next := rest[0].leader(rest)
	next.create(replicated("web", 2))
	next.runs("web", 2)
	_, err := leader.docker.ServiceCreate(ctx, replicated("no", 1), swarm.ServiceCreateOptions{})
	if err == nil {
		t.Error("a minority made a service")
	}
	l.eventually("the minority is down", func() string { return unless(next.nodes()[leader.name].Status.State, "down") })

	// Nobody joins through a cut.
	l.wire.Isolate(joiner.address)
	if err := joiner.tryJoin(next, token); err == nil {
		t.Error("it joined through a cut")
	} else {
		t.Log(err)
	}

	l.wire.HealAll()
	l.eventually("the minority is back", func() string { return unless(next.nodes()[leader.name].Status.State, "ready") })
	leader.runs("web", 2)
	if joiner.Status() != "inactive" {
		l.ok(joiner.docker.SwarmLeave(ctx, true))
	}
	joiner.join(next, token)

	// A worker that is cut off loses its tasks to others.
	l.wire.Isolate(joiner.address)
	id := joiner.Info(ctx).NodeID
	l.eventually("the worker is down", func() string { return unless(next.node(id).Status.State, "down") })
	l.wire.HealAll()
	l.eventually("the worker is back", func() string { return unless(next.node(id).Status.State, "ready") })
}

func unless[T ~string](got, want T) string {
	if got == want {
		return ""
	}
	return string(got)
}

func TestAutolock(t *testing.T) {
	l := newLab(t)
	m := l.host("m1")
	m.init(func(r *swarm.InitRequest) {
		r.AutoLockManagers = true
		r.Spec.EncryptionConfig.AutoLockManagers = true
	})
	key := must(m.docker.SwarmGetUnlockKey(ctx))(t).UnlockKey
	fails(t, m.docker.SwarmUnlock(ctx, swarm.UnlockRequest{UnlockKey: key}), "swarm is not locked")
	m.create(replicated("web", 2))
	tasks := ids(m.runs("web", 2))
	m.off()
	m.on()
	fails(t, m.Wait(ctx), "Swarm is encrypted and needs to be unlocked before it can be used")
	if got := m.Status(); got != "locked" {
		t.Errorf("status %s", got)
	}
	_, err := m.docker.NodeList(ctx, swarm.NodeListOptions{})
	fails(t, err, "needs to be unlocked")
	fails(t, m.docker.SwarmLeave(ctx, false), "Swarm is encrypted and locked")
	fails(t, m.docker.SwarmUnlock(ctx, swarm.UnlockRequest{UnlockKey: "SWMKEY-1-wrong"}), "invalid key string")
	fails(t, m.docker.SwarmUnlock(ctx, swarm.UnlockRequest{UnlockKey: "SWMKEY-1-" + strings.Repeat("A", 43)}), "swarm could not be unlocked: invalid key provided")
	l.ok(m.docker.SwarmUnlock(ctx, swarm.UnlockRequest{UnlockKey: key}))
	if got := ids(m.runs("web", 2)); !slices.Equal(got, tasks) {
		t.Errorf("tasks %v, were %v", got, tasks)
	}

	// Another key; then none.
	s := must(m.docker.SwarmInspect(ctx))(t)
	l.ok(m.docker.SwarmUpdate(ctx, s.Version, s.Spec, swarm.UpdateFlags{RotateManagerUnlockKey: true}))
	if again := must(m.docker.SwarmGetUnlockKey(ctx))(t).UnlockKey; again == key || again == "" {
		t.Errorf("the unlock key is %q after its rotation", again)
	}
	s = must(m.docker.SwarmInspect(ctx))(t)
	s.Spec.EncryptionConfig.AutoLockManagers = false
	l.ok(m.docker.SwarmUpdate(ctx, s.Version, s.Spec, swarm.UpdateFlags{}))
	l.eventually("no key", func() string { return must(m.docker.SwarmGetUnlockKey(ctx))(t).UnlockKey })
}

func TestRotations(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(3, 1)
	m := ms[0]
	before := must(m.docker.SwarmInspect(ctx))(t)
	l.ok(m.docker.SwarmUpdate(ctx, before.Version, before.Spec, swarm.UpdateFlags{RotateWorkerToken: true}))
	fails(t, m.docker.SwarmUpdate(ctx, before.Version, before.Spec, swarm.UpdateFlags{}), "update out of sequence")
	after := must(m.docker.SwarmInspect(ctx))(t)
	if after.JoinTokens.Worker == before.JoinTokens.Worker || after.JoinTokens.Manager != before.JoinTokens.Manager {
		t.Error("not the worker's token was rotated, or not alone")
	}
	if after.Spec.Dispatcher.HeartbeatPeriod != before.Spec.Dispatcher.HeartbeatPeriod || after.Spec.Raft != before.Spec.Raft && after.Spec.Raft.ElectionTick != 10 {
		t.Errorf("spec %+v, was %+v", after.Spec, before.Spec)
	}
	w := l.host("w9")
	fails(t, w.tryJoin(m, before.JoinTokens.Worker), "A valid join token is necessary")
	w.join(m, after.JoinTokens.Worker)

	// The CA: every node gets a new certificate before the old root goes.
	root := after.TLSInfo.TrustRoot
	after = must(m.docker.SwarmInspect(ctx))(t)
	after.Spec.CAConfig.ForceRotate++
	l.ok(m.docker.SwarmUpdate(ctx, after.Version, after.Spec, swarm.UpdateFlags{}))
	l.eventually("CA rotation", func() string {
		s := asked(l, func() (swarm.Swarm, error) { return m.docker.SwarmInspect(ctx) })
		if s.RootRotationInProgress || s.TLSInfo.TrustRoot == root {
			return fmt.Sprintf("in progress: %v", s.RootRotationInProgress)
		}
		for name, n := range m.nodes() {
			if n.Description.TLSInfo.TrustRoot != s.TLSInfo.TrustRoot {
				return name + " trusts the old one"
			}
		}
		return ""
	})
}

func TestPromoteAndDemote(t *testing.T) {
	l := newLab(t)
	ms, ws := l.swarm(1, 2)
	m := ms[0]
	for _, w := range ws {
		m.update(w.name, func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleManager })
	}
	for _, w := range ws {
		l.eventually(w.name+" is a manager", func() string {
			if _, err := w.docker.NodeList(ctx, swarm.NodeListOptions{}); err != nil {
				return err.Error()
			}
			n := m.nodes()[w.name]
			if n.ManagerStatus == nil || n.ManagerStatus.Reachability != "reachable" || n.ManagerStatus.Addr != w.address+":2377" {
				return fmt.Sprintf("%+v", n.ManagerStatus)
			}
			return ""
		})
	}
	m.update("w1", func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker })
	l.eventually("w1 is a worker", func() string {
		if got := ws[0].Status(); got != "active/worker" {
			return got
		}
		if m.nodes()["w1"].ManagerStatus != nil {
			return "it is in the raft"
		}
		return ""
	})
	if info := m.Info(ctx); len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "two-manager configuration") {
		t.Errorf("warnings %q", info.Warnings)
	}
	fails(t, ws[1].docker.SwarmLeave(ctx, false), "Removing this node leaves 1 managers out of 2. Without a Raft quorum your swarm will be inaccessible.")
	m.update("w2", func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker })
	l.eventually("one manager", func() string {
		if got := ws[1].Status(); got != "active/worker" {
			return got
		}
		return ""
	})
	// By force a worker is removed that is not down.
	fails(t, m.docker.NodeRemove(ctx, "w2", swarm.NodeRemoveOptions{}), "is not down and can't be removed")
	l.ok(m.docker.NodeRemove(ctx, "w2", swarm.NodeRemoveOptions{Force: true}))
}

// A manager that has just joined answers, and remembers it when the power goes at once.
func TestPowerCutAfterJoin(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(3, 0)
	for _, m := range ms {
		if got := len(m.nodes()); got != 3 {
			t.Errorf("%s knows %d nodes", m.name, got)
		}
	}
	for _, m := range ms {
		m.off()
	}
	for _, m := range ms {
		m.on()
	}
	for _, m := range ms {
		l.ok(m.Wait(ctx))
	}
	l.eventually("all ready", func() string {
		for _, m := range ms {
			for name, n := range m.nodes() {
				if n.Status.State != swarm.NodeStateReady {
					return m.name + ": " + name + " " + string(n.Status.State)
				}
			}
		}
		return ""
	})
}

func TestForceNewCluster(t *testing.T) {
	l := newLab(t)
	ms, _ := l.swarm(3, 1)
	m := ms[0]
	m.create(replicated("web", 2))
	m.runs("web", 2)
	ms[1].off()
	ms[2].off()
	l.eventually("no quorum", func() string {
		if _, err := m.docker.ServiceCreate(ctx, replicated("no", 1), swarm.ServiceCreateOptions{}); err == nil {
			return "it answers"
		}
		return ""
	})
	m.init(func(r *swarm.InitRequest) { r.ForceNewCluster = true })
	m.runs("web", 2)
	if info := m.Info(ctx); info.Managers != 1 {
		t.Errorf("%d managers", info.Managers)
	}
}

// TestPowerCuts cuts the power of a whole lab again and again: the same nodes and the
// same tasks come back.
func TestPowerCuts(t *testing.T) {
	l := newLab(t)
	ms, ws := l.swarm(3, 3)
	hosts := append(slices.Clone(ms), ws...)
	ms[0].create(replicated("web", 9))
	tasks := ids(ms[0].runs("web", 9))
	for round := range *powerCuts {
		for _, h := range hosts {
			h.off()
		}
		for _, h := range hosts {
			h.on()
		}
		for _, h := range hosts {
			l.ok(h.Wait(ctx))
		}
		ms[0].leader(ms)
		l.eventually("all nodes", func() string {
			for name, n := range ms[0].nodes() {
				if n.Status.State != "ready" {
					return name + " " + string(n.Status.State) + " " + n.Status.Message
				}
			}
			return ""
		})
		if got := ids(ms[0].runs("web", 9)); !slices.Equal(got, tasks) {
			t.Fatalf("round %d: tasks\n%s\nwere\n%s", round, strings.Join(got, "\n"), strings.Join(tasks, "\n"))
		}
	}
	running := 0
	for _, h := range hosts {
		running += len(must(h.docker.ContainerList(ctx, container.ListOptions{}))(t))
	}
	if running != 9 {
		t.Errorf("%d containers run", running)
	}
}
