package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// nodes is a fixture in a swarm of several engines.
type nodes struct {
	*fixture
	swarm *testengine.Swarm
}

func newNodes(t *testing.T, managers, workers int) *nodes {
	t.Parallel()
	s := testengine.StartSwarm(t, managers, workers)
	s.Images()
	return &nodes{newFixture(t, s.Managers[0]), s}
}

// node reads something of a node, as the docker CLI does.
func (f *nodes) node(host, field string) string {
	f.Helper()
	return f.Docker("node", "inspect", host, "--format", "{{"+field+"}}")
}

func (f *nodes) labels(host string) string {
	f.Helper()
	var out []string
	for _, kv := range strings.Fields(strings.Trim(f.node(host, ".Spec.Labels"), "map[]")) {
		if !strings.HasPrefix(kv, "swarmscript.") {
			out = append(out, kv)
		}
	}
	return strings.Join(out, " ")
}

// A project labels, drains and releases nodes that others use too.
func TestStoryNodes(t *testing.T) {
	f := newNodes(t, 1, 2)
	f.Docker("node", "update", "--label-add=theirs=1", "wrk-0")
	const web = `svc("web", replicas = 4, constraints = ["node.labels.tier==web"], stop_grace_period = "1s")
svc("each", mode = "global")
`
	f.Script(`
node("wrk-0", labels = {"tier": "web", "rack": "a"})
w = node("wrk-1", labels = {"tier": "web"})
output("addr", w.addr)
` + web)
	p := f.Plan()
	f.shows(p, `~ node.wrk-0: labels["rack"] labels["tier"] (taken over)`, `~ node.wrk-1: labels["tier"] (taken over)`, "+ service.web", "+ service.each")
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()
	if got := f.labels("wrk-0"); got != "rack:a theirs:1 tier:web" {
		t.Errorf("the labels are %s", got)
	}

	// Somebody changes what is ours, and what is not.
	f.Docker("node", "update", "--label-rm=tier", "--label-add=rack=b", "--label-add=theirs=2", "--availability=pause", "wrk-0")
	f.Repaired(`~ node.wrk-0: labels["rack"] labels["tier"]`)
	if got := f.labels("wrk-0"); got != "rack:a theirs:2 tier:web" {
		t.Errorf("the labels are %s", got)
	}
	if got := f.node("wrk-0", ".Spec.Availability"); got != "pause" {
		t.Errorf("what is not declared was changed to %s", got)
	}

	// A drain ends when the tasks run elsewhere.
	f.Script(`
node("wrk-0", labels = {"tier": "web"}, availability = "active")
node("wrk-1", labels = {"tier": "web"}, availability = "drain")
` + web)
	p = f.Plan()
	f.shows(p, `~ node.wrk-0: availability labels["rack"]`, "~ node.wrk-1: availability")
	f.wentWell(f.Carry(p))
	if got := strings.Fields(f.Docker("node", "ps", "wrk-1", "--filter=desired-state=running", "--format", "{{.Name}}")); len(got) > 0 {
		t.Errorf("%v still run on the node that was drained", got)
	}
	if got := strings.Fields(f.Docker("service", "ps", "web", "--filter=desired-state=running", "--filter=node=wrk-0", "--format", "{{.CurrentState}}")); strings.Count(strings.Join(got, " "), "Running") != 4 {
		t.Errorf("when the drain ended the tasks on the other node were %v", got)
	}
	if !strings.Contains(f.said.String(), "its tasks move to other nodes") {
		t.Error("the plan does not say what a drain does")
	}
	f.PlanIsEmpty()

	// A node that is not there, and one that another project has.
	f.Script(`node("wrk-7")`)
	f.PlanFails(`swarm.main/node.wrk-7: there is no node of the host name "wrk-7"`, "nodes: mgr-0, wrk-0, wrk-1", "did you mean")
	other := f.sibling("other")
	other.Script(`node("wrk-0")`)
	other.PlanFails(`node "wrk-0" belongs to project ` + f.project)

	// What is declared no more is released: it stays as it is, without what we set.
	f.Script(strings.ReplaceAll(web, "node.labels.tier==web", "node.role==worker"))
	p, err := f.Saved(f.Save()) // a saved plan knows releases too
	if err != nil {
		t.Fatal(err)
	}
	f.shows(p, `~ service.web: constraints`, ". node.wrk-0 (no longer declared)", ". node.wrk-1 (no longer declared)")
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()
	for host, want := range map[string]string{"wrk-0": "theirs:2", "wrk-1": ""} {
		if got := f.labels(host); got != want || strings.Contains(f.node(host, ".Spec.Labels"), "swarmscript") {
			t.Errorf("%s was left with %s", host, f.node(host, ".Spec.Labels"))
		}
	}
	if got := f.node("wrk-1", ".Spec.Availability"); got != "drain" {
		t.Errorf("the node that was drained is %s", got)
	}
	if text := f.said.String(); !strings.Contains(text, ". release") || !strings.Contains(text, "the node stays, without our mark and what we set: tier; no longer declared") ||
		!strings.Contains(text, "2 to release") || !strings.Contains(text, "2 released") {
		t.Error("a release is not told")
	}
	other.Apply()
	other.Apply(func(o *Options) { o.Destroy = true })
	if strings.Contains(f.node("wrk-0", ".Spec.Labels"), "swarmscript") {
		t.Error("destroy did not release the node")
	}
}

// A drain for which there is no room says so, and what is left.
func TestStoryDrainNowhere(t *testing.T) {
	f := newNodes(t, 1, 1)
	f.Script(`svc("web", replicas = 2, constraints = ["node.role==worker"])`)
	f.Apply()
	f.Script(`svc("web", replicas = 2, constraints = ["node.role==worker"])
node("wrk-0", availability = "drain", timeout = "20s")`)
	f.ApplyEnds(5, "was not drained in 20s", "web.1 is pending: no suitable node", "web.2 is pending", "it stays drained")
}

// Managers change one by one, and never so that the rest cannot agree.
func TestStoryManagers(t *testing.T) {
	f := newNodes(t, 3, 1)
	all := func(roles ...string) string {
		out := ""
		for i, r := range roles {
			out += fmt.Sprintf("node(%q, role = %q)\n", []string{"mgr-0", "mgr-1", "mgr-2", "wrk-0"}[i], r)
		}
		return out
	}
	f.Script(all("manager", "manager", "manager", "manager"))
	f.Repaired("~ node.mgr-0 (taken over)", "~ node.mgr-1 (taken over)", "~ node.mgr-2 (taken over)", "~ node.wrk-0: role (taken over)")
	if got := f.node("wrk-0", ".ManagerStatus.Reachability"); got != "reachable" {
		t.Errorf("the new manager is %s", got)
	}

	f.Script(all("worker", "manager", "manager", "manager"))
	f.PlanFails("swarm.main: mgr-0 cannot be demoted: the swarm is reached through it", "managers: mgr-0 (leader), mgr-1 (reachable), mgr-2 (reachable), wrk-0 (reachable)")

	// Two at once: one after the other.
	f.Script(all("manager", "worker", "manager", "worker"))
	f.Repaired("~ node.mgr-1: role", "~ node.wrk-0: role")
	if got := f.Docker("info", "--format", "{{.Swarm.Managers}}"); got != "2" {
		t.Errorf("there are %s managers", got)
	}
	f.Script(all("manager", "manager", "manager"))
	f.Repaired("~ node.mgr-1: role", ". node.wrk-0 (no longer declared)")

	// With one of three gone, no other may go.
	f.swarm.Managers[2].Kill()
	f.eventually("mgr-2 is unreachable", func() bool { return f.node("mgr-2", ".ManagerStatus.Reachability") == "unreachable" })
	f.Script(all("manager", "worker", "manager"))
	f.PlanFails("swarm.main: demoting mgr-1 now would lose the quorum", "managers: mgr-0 (leader), mgr-1 (reachable), mgr-2 (unreachable)",
		"3 managers need 2; after demoting mgr-1: 2 managers, 1 reachable, and 2 needed", `bring mgr-2 back, or demote it first: node("mgr-2", role = "worker")`)
	// But the one that is gone may, and then the other.
	f.Script(all("manager", "worker", "worker"))
	f.Repaired("~ node.mgr-1: role", "~ node.mgr-2: role")
	if got := f.Docker("info", "--format", "{{.Swarm.Managers}}"); got != "1" {
		t.Errorf("there are %s managers", got)
	}
}

// The leader goes last, and another leads from then on: here the manager that
// is left, through which all this is done.
func TestStoryLeaderGoes(t *testing.T) {
	f := newNodes(t, 3, 0)
	f.host, f.e = f.swarm.Managers[1].Host, f.swarm.Managers[1]
	f.Script(`
node("mgr-0", role = "worker", labels = {"was": "leader"})
node("mgr-1", role = "manager")
node("mgr-2", role = "worker")
svc("web", replicas = 3)
`)
	var demoted []string
	p := f.Plan()
	r, err := f.Carry(p, func(o *ApplyOptions) {
		o.Sink = func(e apply.Event) {
			f.sink(e)
			if e.Type == apply.Finished && e.Address.Kind() == "node" && e.Address.Name() != "mgr-1" {
				demoted = append(demoted, e.Address.Name())
			}
		}
	})
	f.wentWell(r, err)
	if !slices.Equal(demoted, []string{"mgr-2", "mgr-0"}) {
		t.Errorf("demoted were, in order, %v", demoted)
	}
	f.PlanIsEmpty()
	if got := f.node("mgr-1", ".ManagerStatus.Leader") + f.labels("mgr-0"); got != "truewas:leader" {
		t.Errorf("the manager that is left: %s", got)
	}
	f.Script(`node("mgr-1", role = "worker")`)
	f.PlanFails("demoting mgr-1 now would lose the quorum", "a swarm needs a manager; after demoting mgr-1 there is none", "promote another node first")
}

// A host that has joined anew is the one that is meant; the node that it left
// behind is released.
func TestStoryRejoined(t *testing.T) {
	f := newNodes(t, 1, 1)
	f.Script(`node("wrk-0", labels = {"tier": "web"})`)
	f.Apply()
	old := f.node("wrk-0", ".ID")
	w := f.swarm.Workers[0]
	w.Docker("swarm", "leave")
	f.swarm.Join(w, "worker")
	f.eventually("the old node is down", func() bool { return f.node(old, ".Status.State") == "down" })
	f.Repaired(`~ node.wrk-0: labels["tier"] (taken over)`, ". node.wrk-0 (node.wrk-0 is another node now)")
	if f.labels(old) != "" {
		t.Errorf("the old node has the labels %s", f.labels(old))
	}

	// Two that are up, of one host name.
	f.swarm.Managers = append(f.swarm.Managers, testengine.Start(t, testengine.Docker28, testengine.Hostname("mgr-0")))
	f.swarm.Join(f.swarm.Managers[1], "worker")
	f.Script(`node("mgr-0")`)
	f.PlanFails(`there are 2 nodes of the host name "mgr-0"`, "manager, ready, at "+f.e.Addr, `say which one: node("mgr-0", id = "`)
	self := f.Docker("info", "--format", "{{.Swarm.NodeID}}")
	f.Script(`node("first", id = "` + self + `", labels = {"n": "1"})`)
	f.Repaired(`~ node.first: labels["n"] (taken over)`, ". node.wrk-0 (no longer declared)")
}
