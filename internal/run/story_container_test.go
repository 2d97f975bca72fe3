package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Boxes is Script for containers: box is one that is quick to end.
func (f *fixture) Boxes(text string) {
	f.Helper()
	f.Bare(`project(var("project"))
here = engine(var("host"), name = "lab")
def box(address, **kw):
    args = dict(image = "swarmtest/sleep:1", engine = here, stop_timeout = "1s")
    args.update(kw)
    return container(address, **args)
` + text)
}

// What cannot change in place is made anew, and so is what shares a namespace
// with it, or is in a network that is made anew.
func TestStoryContainerReplaced(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image, internal string) string {
			return `
net = network("box_net", engine = here, internal = ` + internal + `)
volume("box_data", engine = here)
more = volume("box_more", engine = here)
db = box("box_db", image = "swarmtest/` + image + `", networks = [net], volumes = ["box_data:/data"], mounts = [mount(target = "/more", source = more)], ipc = "shareable")
box("box_side", network = db, pid = db, ipc = db, volumes_from = [db])
target = box("box_target")
box("box_linked", links = [target], volumes_from = ["box_target:ro"])
box("box_guest", network = target)
box("box_named", links = ["box_target:other"], pid = "container:box_target")
other = box("box_other")
output("ip", db.ip_address)
output("ips", db.ip_addresses)
`
		}
		f.Boxes(script("web:1", "False"))
		f.Apply()
		f.PlanIsEmpty()
		stays := f.Docker("inspect", "box_other", "--format", "{{.Id}} {{.State.StartedAt}}")
		f.Boxes(script("web:2", "False"))
		f.Repaired("-/+ container.box_db: image", "-/+ container.box_side: network ipc pid (uses container.box_db, which is replaced)")
		f.Boxes(script("web:2", "True"))
		f.Repaired("-/+ network.box_net: internal", "-/+ container.box_db (uses network.box_net, which is replaced)",
			"-/+ container.box_side: network ipc pid (uses container.box_db, which is replaced)")
		if f.Docker("inspect", "box_other", "--format", "{{.Id}} {{.State.StartedAt}}") != stays {
			t.Error("a container that has nothing to do with it was touched")
		}

		// Removed by hand: what shared its namespaces cannot go on.
		f.Docker("rm", "--force", "box_db")
		f.Repaired("+ container.box_db", "-/+ container.box_side: state network ipc pid")
		f.Docker("kill", "box_db") // it takes with it who shares its processes
		f.Repaired("~ container.box_db: state", "~ container.box_side: state")
		f.Docker("restart", "box_target") // its network is another one now
		f.Repaired("~ container.box_guest (it is in a namespace of a container that has ended since)", "~ container.box_named: state")
		f.Docker("stop", "box_target")
		f.Repaired("~ container.box_target: state", "~ container.box_guest (it is in a namespace of a container that has ended since)",
			"~ container.box_named: state")

		// What leaves the script goes, the users first.
		f.Boxes(`
volume("box_data", engine = here)
more = volume("box_more", engine = here)
box("box_other", mounts = [mount(target = "/more", source = more)])
`)
		f.Repaired("-/+ container.box_other: mounts[\"/more\"]", "- container.box_db (no longer declared)", "- container.box_guest (no longer declared)", "- container.box_linked (no longer declared)",
			"- container.box_named (no longer declared)",
			"- container.box_side (no longer declared)", "- container.box_target (no longer declared)", "- network.box_net (no longer declared)")
		p := f.Plan(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
		f.shows(p, "- container.box_other", "- volume.box_data", "- volume.box_more")
		f.wentWell(f.Carry(p))
		if left := f.boxes(); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	})
}

// boxes are the names of the project's containers.
func (f *fixture) boxes() []string {
	f.Helper()
	out := strings.Fields(f.Docker("ps", "--all", "--filter", "label=swarmscript.project="+f.project, "--format", "{{.Names}}"))
	slices.Sort(out)
	return out
}

// What is sensitive in a container's environment is never shown: not when it
// is made, nor when it changes, nor when the script does not mention it any
// more.
func TestStoryContainerSecrets(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(env string) string {
			return `
pw = var("pw", sensitive = True)
box("box_secret", env = {` + env + `}, command = "sleep --password=" + pw)
`
		}
		run := func(pw, env string) {
			f.Boxes(script(env))
			f.opts.Vars = append(f.opts.Vars, "pw="+f.Hide(pw))
		}
		run("hunter-one", `"PW": pw, "PLAIN": "seen"`)
		f.Apply()
		f.PlanIsEmpty()
		if got := f.Docker("exec", "box_secret", "/swarmtest", "exit", "0"); got != "" {
			t.Error(got)
		}
		run("hunter-two", `"PW": pw, "PLAIN": "seen"`)
		f.Repaired(`-/+ container.box_secret: command env["PW"]`)
		run("hunter-two", `"PLAIN": "seen"`)
		f.Repaired(`-/+ container.box_secret: env["PW"]`)
		f.says(f.said.String(), []string{"seen"})
		f.Boxes(``)
		f.Repaired("- container.box_secret (no longer declared)")
	})
}

// Names and marks: a stranger's container is not taken without asking. One that
// is taken, renamed or moved goes on as it is, though its labels cannot change.
func TestStoryContainerNames(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Docker("run", "--detach", "--name", "box_old", "--user", "7", "--env", "A=1", "--stop-timeout", "1", "swarmtest/sleep:1")
		f.Boxes(`box("box_old", user = "7", env = {"A": "1"})`)
		id := f.Docker("inspect", "box_old", "--format", "{{.Id}}")
		f.PlanFails(`container "box_old" exists and is not managed by this project`, "--adopt container.box_old")
		adopt := func(o *Options) { o.Adopt = []string{"container.box_old"} }
		p := f.Plan(adopt)
		f.shows(p, "~ container.box_old (adopted)")
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()

		// Another live name is given in place.
		f.Boxes(`box("box_old", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"})`)
		f.Repaired(`~ container.box_old: memory name`)
		f.Boxes(`
box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"})
moved("container.box_old", "container.box_new")
`)
		f.Repaired("~ container.box_new (moved from container.box_old)")
		if f.Docker("inspect", "box_renamed", "--format", "{{.Id}}") != id {
			t.Error("it was made anew")
		}

		// Where the script does not say it any more it stays, and is not somebody
		// else's to give; what shares a namespace with it still does.
		sharing := func(name string) string {
			return `
new = box("box_new"` + name + `, memory = "64m", user = "7", env = {"A": "1"})
box("box_lodger", network = new)
box("box_friend", links = [new])
box("box_plain", pid = "container:box_renamed", volumes_from = ["box_renamed"])
`
		}
		f.Boxes(sharing(`, name = "box_renamed"`))
		f.Apply()
		f.Boxes(sharing(""))
		f.PlanIsEmpty()
		f.Docker("rename", "box_renamed", "by_hand")
		f.Docker("rename", "box_friend", "by_hand_too")
		f.Repaired("~ container.box_new: name", "~ container.box_friend: name")
		if f.Docker("inspect", "box_renamed", "--format", "{{.Id}}") != id {
			t.Error("it was made anew")
		}
		f.Boxes(`
new = box("box_new", name = "box_again", memory = "64m", user = "7", env = {"A": "1"})
box("box_lodger", network = new)
`)
		f.Repaired("~ container.box_new: name", "- container.box_friend (no longer declared)", "- container.box_plain (no longer declared)")

		f.Boxes(`box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"})`)
		f.Repaired("~ container.box_new: name", "- container.box_lodger (no longer declared)")

		// Triggers renew it, and without them it stays.
		triggers := func(on string) {
			f.Boxes(`box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"}, lifecycle = lifecycle(replace_on = [` + on + `]))`)
		}
		triggers(`"1"`)
		f.Repaired("~ container.box_new")
		triggers(`"2"`)
		f.Repaired("-/+ container.box_new (lifecycle(replace_on) changed)")
		f.Boxes(`box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"}, lifecycle = lifecycle(replace_on = [var("pw", default = "x", sensitive = True)]))`)
		f.PlanFails("replace_on: a sensitive value")
		f.Boxes(`box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1"})`)
		f.Apply() // the trigger is forgotten
		f.PlanIsEmpty()

		// What others manage can be read.
		f.Docker("run", "--detach", "--name", "box_theirs", "--publish", "127.0.0.1::80", "swarmtest/sleep:1")
		f.Boxes(`
theirs = container("box_theirs", engine = here, external = True)
box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1", "IP": theirs.ip_address})
`)
		f.Repaired(`-/+ container.box_new: env["IP"]`)
		ip := f.Docker("inspect", "box_theirs", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}")
		if env := f.Docker("inspect", "box_renamed", "--format", "{{.Config.Env}}"); !strings.Contains(env, "IP="+ip) {
			t.Errorf("the environment is %s, the address %s", env, ip)
		}
		f.Boxes(`
theirs = lookup("container", "box_theirs", engine = here)
output("theirs", theirs.published)
box("box_new", name = "box_renamed", memory = "64m", user = "7", env = {"A": "1", "IP": theirs.ip_address})
`)
		f.PlanIsEmpty()
		f.Docker("rm", "--force", "box_theirs")
		f.Boxes(``)
		f.Apply()
	})
}

// Stopped, killed, unhealthy: the plan says what it is, and apply starts it.
func TestStoryContainerStopped(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Boxes(`
box("box_web", image = "swarmtest/web:1")
box("box_job", image = "swarmtest/web:1", command = "exit 0", state = "completed")
`)
		f.Apply()
		f.PlanIsEmpty()
		f.Docker("kill", "box_web")
		p := f.Plan()
		f.shows(p, "~ container.box_web: state")
		if text := show(p.Plan); !strings.Contains(text, "it is started: exited (137)") {
			t.Errorf("the plan does not say why:\n%s", text)
		}
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()

		// A container that never gets there fails the apply, with its log.
		f.Boxes(`box("box_bad", image = "swarmtest/fail:1")`)
		f.ApplyEnds(apply.ExitNotConverged, "container.box_bad: does not run", "exited (1)", "Database is uninitialized")
		f.Boxes(``)
		f.Repaired("- container.box_bad (no longer declared)")
	})
}

// A mount of type tmpfs cannot be shared: Docker says that there is no such volume,
// the error says what to do, and that works.
func TestStoryContainerTmpfs(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Boxes(`
a = box("tmp_a", mounts = [mount(type = "tmpfs", target = "/q")])
box("tmp_b", volumes_from = [a])
`)
		f.ApplyEnds(apply.ExitFailed, "container.tmp_b: volumes_from: tmp_a has a mount of type tmpfs at /q, which Docker cannot share",
			`declare it there as tmpfs = {"/q": ""}`)
		f.Boxes(`
a = box("tmp_a", tmpfs = {"/q": ""})
box("tmp_b", volumes_from = [a])
`)
		f.Apply()
		f.PlanIsEmpty()
		f.Boxes(``)
		f.Apply()
	})
}

// A run that ends between the container's creation and its start is gone on
// with by the next.
func TestStoryContainerHalfMade(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Docker("run", "--detach", "--name", "half_stranger", "--publish", "127.0.0.1:18080:80", "swarmtest/sleep:1")
		script := `
a = network("half_a", engine = here)
b = network("half_b", engine = here)
box("box_half", networks = [a, b], ports = ["127.0.0.1:18080:80"])
`
		proxy := f.behind()
		f.Boxes(script)
		f.ApplyEnds(apply.ExitFailed, "container.box_half: it was made, but does not start", "port is already allocated")
		f.Docker("rm", "--force", "half_stranger")
		f.Repaired("~ container.box_half: state")

		// An answer that is lost: the container is found by its name.
		f.Boxes(``)
		f.Apply()
		lost := false
		proxy.Fault(func(c testengine.Call) testengine.Fault {
			if !lost && c.Path == "/containers/create" {
				lost = true
				return testengine.LoseBack
			}
			return testengine.Pass
		})
		f.Boxes(script)
		f.Apply()
		f.PlanIsEmpty()
		f.Boxes(``)
		f.Apply()
	})
}

// Containers may join a swarm's networks that let them.
func TestStoryContainerInSwarm(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Boxes(`
cluster = swarm.init(here, external = True)
net = network("box_overlay", cluster = cluster, driver = "overlay", attachable = True)
box("box_joined", networks = [attachment(net, aliases = ["joined"])])
`)
		f.Apply()
		f.PlanIsEmpty()
		p := f.Plan(func(o *Options) { o.Destroy = true })
		f.shows(p, "- container.box_joined", "- network.box_overlay")
		f.inOrder(p, "container.box_joined", "network.box_overlay")
		f.wentWell(f.Carry(p))

		// With the swarm itself, what is in its networks goes before it.
		f.Boxes(`
cluster = swarm.init(here)
net = network("box_overlay", attachable = True)
box("box_joined", networks = [net])
`)
		f.Apply(func(o *Options) { o.AdoptAll = true })
		f.inOrder(f.Plan(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true }), "container.box_joined", "swarm.main")
		f.wentWell(f.Carry(f.Plan(func(o *Options) { o.Destroy, o.Exclude = true, []string{"swarm.main"} })))
	})
}

// inOrder checks that a plan carries out one step only after another.
func (f *fixture) inOrder(p *Planned, first, second string) {
	f.Helper()
	var reach func(id int) bool
	nodes := p.Plan.Graph.Nodes
	is := func(id int, short string) bool {
		return nodes[id].Change != nil && nodes[id].Change.Address.Short() == short
	}
	reach = func(id int) bool { return is(id, first) || slices.ContainsFunc(nodes[id].Deps, reach) }
	at := slices.IndexFunc(nodes, func(n *plan.Node) bool { return is(n.ID, second) })
	if at < 0 || !reach(at) {
		f.Fatalf("%s does not wait for %s:\n%s", second, first, show(p.Plan))
	}
}

// A plan asks once for all containers, and once more for each of its own:
// strangers cost nothing.
func TestStoryContainerCalls(t *testing.T) {
	onNewest(t, func(f *fixture) {
		proxy := f.behind()
		count := func(n int) int {
			f.Boxes(fmt.Sprintf("for i in range(%d): box('box_calls%%d' %% i, state = 'stopped')", n))
			f.Apply()
			proxy.Reset()
			f.PlanIsEmpty()
			if w := proxy.Writes(); w > 0 {
				t.Errorf("a plan made %d requests that write", w)
			}
			return len(proxy.Calls())
		}
		few := count(2)
		for i := range 5 {
			f.Docker("create", "--name", fmt.Sprintf("box_stranger%d", i), "swarmtest/sleep:1")
		}
		if got := count(2); got != few {
			t.Errorf("%d requests, with strangers %d", few, got)
		}
		if got := count(5); got != few+3 {
			t.Errorf("%d requests for 2 containers, %d for 5", few, got)
		}
		for i := range 5 {
			f.Docker("rm", fmt.Sprintf("box_stranger%d", i))
		}
		f.Boxes(``)
		f.Apply()
	})
}
