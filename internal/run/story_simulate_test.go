package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// simulated tries a plan out and returns what it says of each service.
func (f *fixture) simulated(p *Planned) map[string]outcome.Service {
	f.Helper()
	began := time.Now()
	reports, err := p.Simulate(f.Context())
	if err != nil {
		f.Fatalf("simulate: %v", err)
	}
	f.Logf("simulated in %s", time.Since(began).Round(time.Millisecond))
	out := map[string]outcome.Service{}
	for _, r := range reports {
		if r.Cut {
			f.Errorf("%s: the simulation did not end", r.Swarm)
		}
		for _, s := range r.Services {
			out[s.Name] = s
		}
	}
	return out
}

// tasks are a service's tasks that are wanted, by the node that they run on; those
// that wait are on "".
func (f *fixture) tasks(service string) map[string]int {
	f.Helper()
	count := map[string]int{}
	for _, t := range f.allTasks(service) {
		if t.DesiredState == swarm.TaskStateShutdown || t.DesiredState == swarm.TaskStateRemove {
			continue
		}
		switch {
		case t.Status.State == swarm.TaskStateRunning || t.Status.State == swarm.TaskStateComplete:
			count[f.hostname(t.NodeID)]++
		case t.Status.State == swarm.TaskStatePending && strings.HasPrefix(t.Status.Err, "no suitable node"):
			count[""]++
		default:
			count[string(t.Status.State)]++
		}
	}
	return count
}

func (f *fixture) allTasks(service string) (out []swarm.Task) {
	f.Helper()
	ids := strings.Fields(f.Docker("service", "ps", "-q", "--no-trunc", service))
	if len(ids) == 0 {
		return nil
	}
	if err := json.Unmarshal([]byte(f.Docker(append([]string{"inspect", "--type", "task"}, ids...)...)), &out); err != nil {
		f.Fatal(err)
	}
	return out
}

func (f *fixture) hostname(node string) string {
	f.Helper()
	return f.Docker("node", "inspect", "--format", "{{.Description.Hostname}}", node)
}

// foretold are the counts that a simulation says, as tasks returns them.
func foretold(s outcome.Service) map[string]int {
	out := map[string]int{}
	for _, n := range s.Nodes {
		if n.After > 0 {
			out[n.Node] = n.After
		}
	}
	if len(s.Pending) > 0 {
		out[""] = len(s.Pending)
	}
	return out
}

// cameTrue waits until the swarm is as a simulation said.
func (f *fixture) cameTrue(s outcome.Service) {
	f.Helper()
	want, got := fmt.Sprint(foretold(s)), ""
	f.eventually(s.Name+" is on "+want, func() bool { got = fmt.Sprint(f.tasks(s.Name)); return got == want || f.Failed() })
}

// likeIt is cameTrue where the scheduler is free to choose among the nodes: the
// numbers are the same.
func (f *fixture) likeIt(s outcome.Service) {
	f.Helper()
	numbers := func(counts map[string]int) string {
		var list []int
		for name, n := range counts {
			if name != "" {
				list = append(list, n)
			}
		}
		slices.Sort(list)
		return fmt.Sprint(list, " and pending ", counts[""])
	}
	want, got := numbers(foretold(s)), ""
	f.eventually(s.Name+" has "+want, func() bool { got = numbers(f.tasks(s.Name)); return got == want || f.Failed() })
}

// gap reports whether the last new task of a service of one came up only after the
// one before had stopped.
func (f *fixture) gap(service string) bool {
	f.Helper()
	f.eventually("one task of "+service+" runs", func() bool {
		return strings.Count(f.Docker("service", "ps", "--format", "{{.CurrentState}}", service), "Running") == 1
	})
	var up, down time.Time
	for _, t := range f.allTasks(service) {
		switch t.Status.State {
		case swarm.TaskStateRunning:
			up = t.Status.Timestamp
		case swarm.TaskStateShutdown, swarm.TaskStateFailed:
			if t.Status.Timestamp.After(down) {
				down = t.Status.Timestamp
			}
		}
	}
	return up.After(down)
}

// What a simulation says is what the swarm does when the plan is applied: on three
// real engines, one of them of an old release, from before there is a swarm until
// a node leaves.
func TestStorySimulate(t *testing.T) {
	f := newMembers(t, "mgr0", "wrk0", "wrk1old")
	const tier = `;labels={"tier":"web"}`
	joins := "wrk0:" + tier + " wrk1old:" + tier
	service := func(name, more string) string {
		return fmt.Sprintf("service(%q, no_resolve_image = True, endpoint_mode = \"dnsrr\", stop_grace_period = \"1s\", %s)\n", name, more)
	}
	onWorkers := `constraints = ["node.labels.tier==web"], `
	try := func(joins, services string) map[string]outcome.Service {
		t.Helper()
		f.Bare(f.cluster("mgr0", joins, "wrk0 wrk1old") + services)
		p := f.Plan()
		said := f.simulated(p)
		f.wentWell(f.Carry(p))
		for _, s := range said {
			if s.Action != "delete" {
				f.cameTrue(s)
			}
		}
		return said
	}
	is := func(s outcome.Service, want string) {
		t.Helper()
		got := fmt.Sprintf("%d -> %d, renewed %d, moved %d, interrupted %t, pending %d", s.Before, s.After, s.Renewed, s.Moved, s.Interrupted > 0, len(s.Pending))
		if got != want {
			t.Errorf("%s: it says %s, want %s", s.Name, got, want)
		}
	}
	web := func(more string) string { return service("web", `image = "swarmtest/web:1", `+onWorkers+more) }
	one := func(image, more string) string {
		return service("one", `constraints = ["node.hostname==wrk0"], image = "swarmtest/web:`+image+`", update = update_policy(monitor = "100ms"`+more+`)`)
	}

	// There is no swarm yet.
	said := try(joins, web("replicas = 4")+one("1", ""))
	is(said["web"], "0 -> 4, renewed 0, moved 0, interrupted false, pending 0")
	if said["web"].Nodes[0] != (outcome.Share{Node: "wrk0", After: 2}) {
		t.Errorf("it says %+v", said["web"].Nodes)
	}

	// Nothing to do is nothing to say.
	if p := f.Plan(); len(f.simulated(p)) > 0 {
		t.Error("it says something of a plan without changes")
	}

	// More tasks; one that stops first, one that starts first.
	said = try(joins, web("replicas = 6")+one("2", ""))
	is(said["web"], "4 -> 6, renewed 0, moved 0, interrupted false, pending 0")
	is(said["one"], "1 -> 1, renewed 1, moved 0, interrupted true, pending 0")
	if !f.gap("one") {
		t.Error("one was not interrupted")
	}
	said = try(joins, web("replicas = 6")+one("1", `, order = "start-first"`))
	is(said["one"], "1 -> 1, renewed 1, moved 0, interrupted false, pending 0")
	if f.gap("one") {
		t.Error("one was interrupted")
	}

	// A rolling update, and what has no room.
	rolling := `replicas = 6, env = {"A": "b"}, update = update_policy(parallelism = 3, monitor = "100ms"), lifecycle = lifecycle(replace_on = ["once"])`
	again := strings.Replace(rolling, "once", "again", 1)
	said = try(joins, web(rolling)+service("big", `image = "swarmtest/web:1", replicas = 4, replicas_max_per_node = 1, wait = False`))
	is(said["web"], "6 -> 6, renewed 6, moved 0, interrupted false, pending 0")
	is(said["big"], "0 -> 3, renewed 0, moved 0, interrupted false, pending 1")
	is(said["one"], "1 -> 0, renewed 0, moved 0, interrupted false, pending 0") // it goes

	// A drained node, and one that leaves: their tasks move.
	said = try(strings.Replace(joins, "wrk0:", `wrk0:;availability="drain"`, 1), web(rolling))
	is(said["web"], "6 -> 6, renewed 0, moved 3, interrupted false, pending 0")
	said = try(strings.Replace(joins, "wrk0:", `wrk0:;availability="active"`, 1), web(again))
	is(said["web"], "6 -> 6, renewed 6, moved 0, interrupted false, pending 0")
	said = try("wrk1old:"+tier, web(again))
	is(said["web"], "6 -> 6, renewed 0, moved 3, interrupted false, pending 0")
	if f.state("wrk0") != "inactive" {
		t.Error("wrk0 did not leave")
	}
}

// Engines of both releases tell what there is; a simulation asks for the tasks
// beside what the plan has read, and writes nothing.
func TestStorySimulateOnBoth(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(version, more string) {
			f.Script(fmt.Sprintf(`svc("whatif_web", image = "swarmtest/web:%s", update = update_policy(delay = "30s", monitor = "40s")%s)
svc("whatif_job", mode = "replicated-job", replicas = 2, command = ["exit", "0"], restart = restart_policy(condition = "none"), update = None)`, version, more))
		}
		script("1", `, wait = False`)
		p := f.Plan()
		said := f.simulated(p)
		f.wentWell(f.Carry(p))
		f.cameTrue(said["whatif_web"])
		f.cameTrue(said["whatif_job"])

		proxy := testengine.Proxy(f.T, f.e)
		f.host = proxy.Host
		script("2", `, healthcheck = healthcheck(cmd = ["CMD", "/web", "version"], interval = "10s")`)
		p = f.Plan()
		proxy.Reset()
		web := f.simulated(p)["whatif_web"]
		if calls := proxy.Calls(); len(calls) != 1 || proxy.Writes() != 0 || proxy.Count("GET", "/tasks") != 1 {
			t.Errorf("it asked %v", calls)
		}
		// Stops and starts in a second each, the check, the delay, the watch.
		if web.Interrupted != 12 || web.Seconds != 12+30+40 || web.Renewed != 1 {
			t.Errorf("it says %+v", web)
		}
		f.Carry(f.Plan(func(o *Options) { o.Destroy = true }))
	})
}
