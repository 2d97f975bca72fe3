package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// members is a fixture with engines that are in no swarm yet.
type members struct {
	*fixture
	at map[string]*testengine.Engine
}

// newMembers starts engines; those whose names end with "old" are of 20.10.
func newMembers(t *testing.T, names ...string) *members {
	t.Parallel()
	f := &members{at: map[string]*testengine.Engine{}}
	for _, name := range names {
		v := testengine.Docker28
		if strings.HasSuffix(name, "old") {
			v = testengine.Debian20
		}
		f.at[name] = testengine.Start(t, v, testengine.Hostname(name))
		testengine.Images(f.at[name])
	}
	f.fixture = newFixture(t, f.at[names[0]])
	return f
}

// cluster is a script in which the swarm begins on the first engine and others
// join it; known are further engines that the script names.
func (f *members) cluster(first, joins, known string) string {
	engine := func(name string) string { return fmt.Sprintf("engine(%q, name = %q)", f.at[name].Host, name) }
	text := `project(var("project"))
cluster = swarm.init(` + engine(first) + `, advertise_addr = "` + f.at[first].Addr + `")
`
	for _, line := range strings.Fields(joins) {
		name, rest, _ := strings.Cut(line, ":")
		text += "swarm.join(" + engine(name) + ", cluster" + strings.ReplaceAll(rest, ";", ", ") + ")\n"
	}
	for _, name := range strings.Fields(known) {
		text += engine(name) + "\n"
	}
	return text
}

func (f *members) state(name string) string {
	f.Helper()
	return f.at[name].Docker("info", "--format", "{{.Swarm.LocalNodeState}}")
}

const membersWeb = `service("web", image = "swarmtest/web:1", no_resolve_image = True, replicas = 4, endpoint_mode = "dnsrr", stop_grace_period = "1s", constraints = ["node.labels.tier==web"])
`

// A swarm grows from nothing, is mended when somebody takes a node away, shrinks,
// and goes.
func TestStoryMembers(t *testing.T) {
	f := newMembers(t, "mgr0", "wrk0", "wrk1old")
	const web = `;labels={"tier":"web"}`
	f.Bare(f.cluster("mgr0", "wrk0:"+web+` wrk1old:;labels={"tier":"web","rack":"a"}`, "") + membersWeb)
	f.Repaired("+ swarm.main", "+ node.wrk0", "+ node.wrk1old", "+ service.web")
	if got := f.Docker("service", "ps", "web", "--filter=desired-state=running", "--format", "{{.Node}}"); strings.Count(got, "wrk0") != 2 || strings.Count(got, "wrk1old") != 2 {
		t.Errorf("the tasks are on %q: the service has not waited for the nodes", got)
	}
	if text := f.said.String(); strings.Contains(text, "SWMTKN") {
		t.Error("a token was shown")
	}

	// Somebody lets a node leave, and changes another.
	f.at["wrk0"].Docker("swarm", "leave")
	f.Docker("node", "update", "--label-rm=rack", "wrk1old")
	f.eventually("the other node has all tasks", func() bool {
		return strings.Count(f.Docker("node", "ps", "wrk1old", "--filter=desired-state=running", "--format", "{{.CurrentState}}"), "Running") == 4
	})
	f.Repaired("+ node.wrk0", `~ node.wrk1old: labels["rack"]`, "- node.wrk0 (node.wrk0 is another node now)")
	if got := f.Docker("node", "ls", "--format", "{{.Hostname}}"); strings.Count(got, "wrk0") != 1 {
		t.Errorf("the nodes are %q", got)
	}

	// One is declared no more, and named no more: its engine leaves, its tasks run
	// elsewhere.
	f.Bare(f.cluster("mgr0", "wrk0:"+web, "") + membersWeb)
	f.Repaired("- node.wrk1old (no longer declared)")
	if !strings.Contains(f.said.String(), "its tasks move to other nodes, and it leaves") {
		t.Error("the plan does not say how a member leaves")
	}
	if f.state("wrk1old") != "inactive" {
		t.Errorf("its engine is %s", f.state("wrk1old"))
	}

	// One becomes a manager, which makes two of them: that is told.
	f.Bare(f.cluster("mgr0", "wrk0:"+web+`;role="manager"`, "") + membersWeb)
	f.Repaired("~ node.wrk0: role")
	if !strings.Contains(f.said.String(), "there will be 2 managers, an even number") {
		t.Error("an even number of managers is not told")
	}

	f.Apply(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
	for name := range f.at {
		if f.state(name) != "inactive" {
			t.Errorf("after all %s is %s", name, f.state(name))
		}
	}
}

// A machine that has died is taken out of the script: its tasks run elsewhere, and
// nobody asks for it any more.
func TestStoryMemberDead(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1", "mgr2old")
	const web = `;role="manager";labels={"tier":"web"}`
	f.Bare(f.cluster("mgr0", "mgr1:"+web+" mgr2old:"+web, "") + membersWeb)
	f.Apply()
	f.at["mgr2old"].Kill()
	f.Bare(f.cluster("mgr0", "mgr1:"+web, "") + membersWeb)
	f.Repaired("- node.mgr2old (no longer declared)") // and the service runs whole
	if got := f.Docker("info", "--format", "{{.Swarm.Managers}} of {{.Swarm.Nodes}}"); got != "2 of 2" {
		t.Errorf("the managers are %s nodes", got)
	}
	f.at["mgr1"].Kill()
	f.eventually("there is no quorum", func() bool { _, err := f.e.TryDocker("node", "ls"); return err != nil })
	f.Bare(f.cluster("mgr0", "", "") + membersWeb)
	f.ApplyEnds(3, "engine.mgr0 is unreachable")
}

// The host that the swarm began on stops being a manager: the swarm is reached
// through another, and its lease is taken once.
func TestStoryMemberFirst(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1", "mgr2")
	const manager = `;role="manager"`
	f.Bare(f.cluster("mgr0", "mgr0:"+manager+" mgr1:"+manager+" mgr2:"+manager, ""))
	f.Apply()
	f.Bare(f.cluster("mgr0", `mgr0:;role="worker" mgr1:`+manager+" mgr2:"+manager, ""))
	f.Repaired("~ node.mgr0: role")
	if got := f.at["mgr1"].Docker("info", "--format", "{{.Swarm.Managers}} of {{.Swarm.Nodes}}"); got != "2 of 3" {
		t.Errorf("the managers are %s nodes", got)
	}
}

// The first manager has lost its swarm, and the other does not know any more
// whom it serves: the swarm may still be mended, and no other one is made.
func TestStoryMemberTwice(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1")
	f.Bare(f.cluster("mgr0", `mgr1:;role="manager"`, ""))
	f.Apply()
	f.at["mgr0"].Docker("swarm", "leave", "--force")
	f.eventually("there is no quorum", func() bool { _, err := f.at["mgr1"].TryDocker("node", "ls"); return err != nil })
	f.ApplyEnds(3, "swarm.main: unreachable: it may be there, and cannot be reached")
	if f.state("mgr0") != "inactive" {
		t.Errorf("another swarm was made: mgr0 is %s", f.state("mgr0"))
	}
}

// The script names the swarm no more, and the machine that it began on is gone:
// what the project has in it is found through another of its managers.
func TestStoryMemberHome(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1", "mgr2")
	const manager = `;role="manager"`
	f.Bare(f.cluster("mgr0", "mgr0:"+manager+" mgr1:"+manager+" mgr2:"+manager, "") + `config("motd", content = "hello")`)
	f.Apply()
	f.at["mgr0"].Kill()
	f.eventually("another leads, and takes it for down", func() bool {
		state, err := f.at["mgr1"].TryDocker("node", "inspect", "mgr0", "--format", "{{.Status.State}}")
		return err == nil && strings.TrimSpace(state) == "down"
	})

	f.Bare(`project(var("project"))`)
	all := func(o *Options) { o.AllowDataLoss = true }
	p := f.Plan(all)
	if got := lines(p.Plan); !slices.Contains(got, "- swarm.main (no longer declared)") {
		t.Errorf("the plan shows %q", got)
	}
	if p.Plan.Unreachable["engine.mgr0"] == nil || p.Plan.Unreachable["swarm.main"] != nil {
		t.Errorf("unreachable are %v", p.Plan.Unreachable)
	}
	f.PlanFailsWith(func(o *Options) { o.Forget = []string{"engine.mgr9"} }, "--forget engine.mgr9: the project's inventory has no such scope", "engine.mgr0, engine.mgr1, engine.mgr2, swarm.main", "did you mean")

	// Its machine is gone for good: the swarm goes nevertheless.
	f.Apply(all, func(o *Options) { o.Forget = []string{"engine.mgr0"} })
	for _, name := range []string{"mgr1", "mgr2"} {
		if f.state(name) != "inactive" {
			t.Errorf("after all %s is %s", name, f.state(name))
		}
	}
	if len(readHint(f.dir, f.project)) > 0 {
		t.Errorf("the inventory still has %v", readHint(f.dir, f.project))
	}
}

// The only manager cannot be a worker: neither while the swarm begins on it, nor
// afterwards. The plan says so, and nothing is begun.
func TestStoryMemberOnly(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1")
	const worker, manager = `mgr0:;role="worker"`, ` mgr1:;role="manager"`
	for _, joins := range []string{worker, worker + manager} {
		f.Bare(f.cluster("mgr0", joins, ""))
		f.PlanFails("swarm.main: mgr0 cannot be a worker yet: the swarm begins on it", "managers: mgr0 (leader)", "a swarm needs a manager; after demoting mgr0 there is none")
	}
	f.Bare(f.cluster("mgr0", "mgr0", ""))
	f.Apply()
	f.Bare(f.cluster("mgr0", worker, ""))
	f.PlanFails("swarm.main: demoting mgr0 now would lose the quorum", "managers: mgr0 (leader)", "a swarm needs a manager; after demoting mgr0 there is none")
	f.Bare(f.cluster("mgr0", "mgr0"+manager, ""))
	f.Repaired("+ node.mgr1")
	f.Bare(f.cluster("mgr0", worker+manager, ""))
	f.Repaired("~ node.mgr0: role")
}

// The host that the swarm began on goes back and forth between its roles, and
// then all is destroyed: each run finds the lease free.
func TestStoryMemberBackAndForth(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1", "mgr2")
	const others = `;role="manager" mgr1:;role="manager" mgr2:;role="manager"`
	for i, role := range []string{"manager", "worker", "manager", "worker"} {
		f.Bare(f.cluster("mgr0", strings.Replace("mgr0:"+others, "manager", role, 1), ""))
		if f.Apply(); i > 0 && strings.Contains(f.said.String(), "could not be given back") {
			t.Fatal("a lease was not given back")
		}
	}
	f.Apply(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
	for name := range f.at {
		if f.state(name) != "inactive" {
			t.Errorf("after all %s is %s", name, f.state(name))
		}
	}
}

// A swarm is the same one wherever the script says that it begins, as long as that
// is one of its members.
func TestStoryMemberBegins(t *testing.T) {
	f := newMembers(t, "mgr0", "mgr1")
	const all = `mgr0:;role="manager" mgr1:;role="manager"`
	f.Bare(f.cluster("mgr0", all, ""))
	f.Apply()
	f.Bare(f.cluster("mgr1", all, ""))
	f.PlanIsEmpty()
	f.Bare(strings.Replace(f.cluster("mgr1", all, ""), "advertise_addr", "task_history_limit = 3, advertise_addr", 1))
	f.Repaired("~ swarm.main: task_history_limit")
	f.Bare(strings.Replace(f.cluster("mgr1", all, ""), f.at["mgr1"].Addr, "192.0.2.77", 1))
	f.PlanFails("swarm.main: replacing it would lose every service", "advertise_addr")
}
