package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// lifecycle() on a service and a network.
func TestStoryLifecycle(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(tier, image, on string) string {
			return `
net = network("life_net", driver = "overlay", labels = {"tier": "` + tier + `"})
svc("life_kept", networks = [net], lifecycle = lifecycle(prevent_destroy = True))
svc("life_ignored", image = "` + image + `", replicas = 1, lifecycle = lifecycle(ignore_changes = ["replicas", "image"]))
svc("life_renewed", lifecycle = lifecycle(replace_on = ["` + on + `"]))
`
		}
		f.Script(script("a", "swarmtest/web:1", "1"))
		f.Apply()

		// What is ignored stays as a person made it.
		f.Docker("service", "scale", "--detach", "life_ignored=2")
		f.Script(script("a", "swarmtest/web:2", "1"))
		f.eventually("both tasks run", func() bool { return len(lines(f.Plan().Plan)) == 0 })

		// What is to be replaced when a value changes gets new tasks.
		task := f.Docker("service", "ps", "-q", "--filter", "desired-state=running", "life_renewed")
		id := f.Docker("service", "inspect", "life_renewed", "--format", "{{.ID}}")
		f.Script(script("a", "swarmtest/web:1", "2"))
		f.Repaired("~ service.life_renewed (lifecycle(replace_on) changed)")
		if now := f.Docker("service", "ps", "-q", "--filter", "desired-state=running", "life_renewed"); now == task {
			f.Error("the task was not renewed")
		}
		if f.Docker("service", "inspect", "life_renewed", "--format", "{{.ID}}") != id {
			f.Error("the service was made anew")
		}

		// What is protected cannot go, nor what it uses be replaced.
		f.Script(script("b", "swarmtest/web:1", "2"))
		f.PlanFails("service.life_kept: replacing it is forbidden by lifecycle(prevent_destroy = True)", "uses network.life_net")
		f.Script(script("a", "swarmtest/web:1", "2"))
		_, err := f.TryPlan(func(o *Options) { o.Destroy = true })
		if err == nil {
			f.Error("what is protected could be destroyed")
		} else {
			f.says(detail(err), []string{"deleting it is forbidden by lifecycle(prevent_destroy = True)"})
		}
		f.PlanIsEmpty()
	})
}

// A network that is replaced while services use it: they go first and come
// back. replace_on makes it so, and so does a changed argument.
func TestStoryNetworkReplaced(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(internal, on string) string {
			return `
net = network("repl_net", driver = "overlay", internal = ` + internal + `, lifecycle = lifecycle(replace_on = ["` + on + `"]))
other = network("repl_other", driver = "overlay")
svc("repl_a", replicas = 2, networks = [net, other])
svc("repl_b", networks = [net])
svc("repl_c", networks = [other])
`
		}
		users := []string{"-/+ service.repl_a (uses network.repl_net, which is replaced)", "-/+ service.repl_b (uses network.repl_net, which is replaced)"}
		f.Script(script("False", "1"))
		f.Apply()
		stays := f.Docker("service", "ps", "-q", "repl_c")
		f.Script(script("True", "1"))
		f.Repaired(append([]string{"-/+ network.repl_net: internal"}, users...)...)
		f.Script(script("True", "2"))
		f.Repaired(append([]string{"-/+ network.repl_net (lifecycle(replace_on) changed)"}, users...)...)
		if f.Docker("service", "ps", "-q", "repl_c") != stays {
			f.Error("a service that does not use the network was touched")
		}

		// A stranger's service on our network: nothing is done at all.
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--network=repl_net", "--name=repl_stranger", "swarmtest/web:1")
		f.Script(script("False", "2"))
		f.PlanFails("network.repl_net", `is not possible while service "repl_stranger" uses it`)
		f.Script(script("True", "2"))
		f.PlanIsEmpty()
		_, err := f.TryPlan(func(o *Options) { o.Destroy = true })
		if err == nil {
			f.Error("a network that a stranger uses could be destroyed")
		}
		f.Docker("service", "rm", "repl_stranger")
	})
}

// Destroy takes everything away, the users first, and the project is no more.
func TestStoryDestroy(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`
net = network("dest_net", driver = "overlay")
pw = secret("dest_pw", value = "destroyed-password")
conf = config("dest_conf", content = "x")
a = svc("dest_a", replicas = 2, networks = [net], secrets = [pw], configs = [conf])
svc("dest_b", networks = [net], after = [a])
`)
		f.Apply()
		p := f.Plan(func(o *Options) { o.Destroy = true })
		f.shows(p, "- config.dest_conf", "- network.dest_net", "- secret.dest_pw", "- service.dest_a", "- service.dest_b")
		var gone []string
		r, err := f.Carry(p, func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Finished {
					gone = append(gone, e.Address.Short())
				}
			}
		})
		f.wentWell(r, err)
		if len(gone) != 5 || slices.Index(gone, "network.dest_net") < slices.Index(gone, "service.dest_a") ||
			slices.Index(gone, "network.dest_net") < slices.Index(gone, "service.dest_b") {
			f.Errorf("they went in the order %v", gone)
		}
		for _, kind := range []string{"service", "secret", "config", "network"} {
			if left := f.Docker(kind, "ls", "-q", "--filter", "label=swarmscript.project="+f.project); left != "" {
				f.Errorf("left of %s: %s", kind, left)
			}
		}
		f.shows(f.Plan(func(o *Options) { o.Destroy = true }))
	})
}

// What a plan says that an update does to what runs is what it does.
func TestStoryEffect(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(on, constraint string) string {
			return `svc("effect_web", constraints = ["` + constraint + `"], lifecycle = lifecycle(replace_on = ["` + on + `"]))`
		}
		task := func() string {
			return f.Docker("service", "ps", "-q", "--filter", "desired-state=running", "effect_web")
		}
		update := func(script, effect string, renewed bool) {
			t.Helper()
			before := task()
			f.Script(script)
			p := f.Plan()
			i := slices.IndexFunc(p.Plan.Changes, func(c *plan.Change) bool { return c.Address == "swarm.main/service.effect_web" })
			if got := p.Plan.Changes[i].Effect; got != effect {
				t.Errorf("the plan says %q, want %q", got, effect)
			}
			f.wentWell(f.Carry(p))
			if now := task(); (now != before) != renewed {
				t.Errorf("%s: the task was %s, and is %s", effect, before, now)
			}
		}
		f.Script(script("1", "node.role==manager"))
		f.Apply()
		update(script("1", "node.id!=nowhere"), "in place; tasks leave nodes that no longer match", false)
		update(script("2", "node.id!=nowhere"), "INTERRUPTED about 2 s: one replica, stop-first", true)
	})
}

// A rolling update that says that there is no interruption has none: each new
// task runs before its predecessor ends, or enough others do. One that says
// so interrupts.
func TestStoryInterruption(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(version string) {
			f.Script(fmt.Sprintf(`
svc("gap_first", image = "swarmtest/web:%[1]s", replicas = 2, update = update_policy(order = "start-first", parallelism = 0, monitor = "100ms"))
svc("gap_batch", image = "swarmtest/web:%[1]s", replicas = 3, update = update_policy(monitor = "100ms"))
svc("gap_one", image = "swarmtest/web:%[1]s")
`, version))
		}
		script("1")
		f.Apply()
		script("2")
		p := f.Plan()
		says := map[string]string{}
		for _, c := range p.Plan.Changes {
			says[c.Address.Name()] = c.Effect
		}
		f.wentWell(f.Carry(p))
		for name, want := range map[string]struct {
			says string
			gap  bool
		}{
			"gap_first": {"rolling, 2 at a time, about 2 s, no interruption", false},
			"gap_batch": {"rolling, 1 at a time, about 6 s, no interruption", false},
			"gap_one":   {"INTERRUPTED about 2 s: one replica, stop-first", true},
		} {
			if says[name] != want.says {
				f.Errorf("%s: the plan says %q, want %q", name, says[name], want.says)
			}
			gap := f.longestGap(name)
			f.Logf("%s: nothing ran for %s", name, gap)
			if (gap > 0) != want.gap {
				f.Errorf("%s: the plan says %q, and nothing ran for %s", name, says[name], gap)
			}
		}
	})
}

// longestGap is the longest time in which no task of a service ran, between the
// first one's start and the last one's: each ran from when it reported so to
// when its container was told to stop.
func (f *fixture) longestGap(service string) time.Duration {
	f.Helper()
	type span struct{ from, to time.Time }
	var spans []span
	for _, id := range strings.Fields(f.Docker("service", "ps", "-q", service)) {
		var tasks []swarm.Task
		if err := json.Unmarshal([]byte(f.Docker("inspect", "--type", "task", id)), &tasks); err != nil {
			f.Fatal(err)
		}
		task := tasks[0]
		var state []struct {
			StartedAt, FinishedAt time.Time
		}
		text := f.Docker("inspect", "--type", "container", "--format", "[{{json .State}}]", task.Status.ContainerStatus.ContainerID)
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			f.Fatal(err)
		}
		s := span{state[0].StartedAt, state[0].FinishedAt}
		if task.Status.State == swarm.TaskStateRunning {
			s.to = time.Now().Add(time.Hour)
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	longest, until := time.Duration(0), spans[0].to
	for _, s := range spans[1:] {
		longest = max(longest, s.from.Sub(until))
		if s.to.After(until) {
			until = s.to
		}
	}
	return longest
}
