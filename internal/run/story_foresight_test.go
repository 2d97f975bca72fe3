package run

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// threeNodes is a swarm of engines n1, n2, n3, the last one of an old release.
// n1 has a label, n2 has two GPUs.
func threeNodes(t *testing.T) []*testengine.Engine {
	t.Helper()
	first := testengine.Start(t, testengine.Docker28, testengine.Hostname("n1"), testengine.Args("--label=disk=ssd"))
	nodes := []*testengine.Engine{
		first,
		testengine.Start(t, testengine.Docker28, testengine.Hostname("n2"), testengine.Args("--node-generic-resource=gpu=2")),
		testengine.Start(t, testengine.Debian20, testengine.Hostname("n3")),
	}
	first.Docker("swarm", "init", "--advertise-addr", first.Addr)
	token := first.Docker("swarm", "join-token", "-q", "worker")
	for _, e := range nodes {
		testengine.Images(e)
		if e != first {
			e.Docker("swarm", "join", "--advertise-addr", e.Addr, "--token", token, first.Addr+":2377")
		}
	}
	first.Docker("node", "update", "--label-add", "tier=web", "n1")
	newFixture(t, first).eventually("all nodes are ready", func() bool {
		return first.Docker("node", "ls", "--format", "{{.Status}}") == "Ready\nReady\nReady"
	})
	return nodes
}

// foreseen is one case: a script, and of each service what is foreseen, as
// "error: 1 of 4 tasks cannot be placed", and what the swarm makes of it, as
// "3 running, 1 pending".
type foreseen struct {
	name, script string
	drained      string // a node
	said         map[string]string
	then         map[string]string
}

// What a plan says of the tasks that have no node is what the swarm does when
// it is applied all the same: on three real nodes, the swarm's own scheduler
// is the judge.
func TestStoryForesight(t *testing.T) {
	t.Parallel()
	nodes := threeNodes(t)
	cases := []foreseen{
		{
			name:   "four web servers on port 80 of three nodes",
			script: `svc("fore_web", replicas = 4, ports = [port(8080, published = 80, mode = "host")], wait = False)`,
			said:   map[string]string{"fore_web": "1 of 4 tasks cannot be placed"},
			then:   map[string]string{"fore_web": "3 running, 1 pending"},
		},
		{
			name: "three are no problem, nor is another protocol",
			script: `svc("fore_web", replicas = 3, ports = [port(8080, published = 80, mode = "host")])
svc("fore_udp", replicas = 3, ports = [port(8080, published = 80, mode = "host", protocol = "udp")])`,
			then: map[string]string{"fore_web": "3 running", "fore_udp": "3 running"},
		},
		{
			name: "two services and one port",
			script: `a = svc("fore_proxy", replicas = 2, ports = [port(8080, published = 80, mode = "host")])
svc("fore_web", replicas = 2, ports = [port(8080, published = 80, mode = "host")], after = [a], wait = False)`,
			said: map[string]string{"fore_web": "1 of 2 tasks cannot be placed"},
			then: map[string]string{"fore_proxy": "2 running", "fore_web": "1 running, 1 pending"},
		},
		{
			name: "a global service has the port on two nodes",
			script: `a = svc("fore_proxy", mode = "global", constraints = ["node.hostname!=n3"], ports = [port(8080, published = 80, mode = "host")])
svc("fore_web", replicas = 2, ports = [port(8080, published = 80, mode = "host")], after = [a], wait = False)`,
			said: map[string]string{"fore_web": "1 of 2 tasks cannot be placed"},
			then: map[string]string{"fore_proxy": "2 running", "fore_web": "1 running, 1 pending"},
		},
		{
			name: "constraints",
			script: `svc("fore_label", replicas = 2, constraints = ["node.labels.tier==WEB"])
svc("fore_disk", constraints = ["engine.labels.disk==ssd", "node.role==manager"])
svc("fore_none", replicas = 2, constraints = ["node.labels.Tier==web"], wait = False)
svc("fore_both", constraints = ["node.hostname==n2", "node.labels.tier==web"], wait = False)`,
			said: map[string]string{"fore_none": "none of its 2 tasks can be placed", "fore_both": "its task cannot be placed"},
			then: map[string]string{"fore_label": "2 running", "fore_disk": "1 running", "fore_none": "2 pending", "fore_both": "1 pending"},
		},
		{
			name: "replicas_max_per_node, generic resources",
			script: `svc("fore_max", replicas = 7, replicas_max_per_node = 2, wait = False)
svc("fore_gpu", replicas = 3, generic_resources = {"gpu": 1}, wait = False)
svc("fore_tpu", generic_resources = {"tpu": 1}, wait = False)`,
			said: map[string]string{"fore_max": "1 of 7 tasks cannot be placed", "fore_gpu": "1 of 3 tasks cannot be placed", "fore_tpu": "its task cannot be placed"},
			then: map[string]string{"fore_max": "6 running, 1 pending", "fore_gpu": "2 running, 1 pending", "fore_tpu": "1 pending"},
		},
		{
			name: "reserved CPUs",
			script: fmt.Sprintf(`a = svc("fore_big", replicas = 2, reserve_cpu = %[1]g)
svc("fore_more", replicas = 2, reserve_cpu = %[1]g, after = [a], wait = False)
svc("fore_huge", reserve_cpu = 1000, wait = False)`, halfOf(t, nodes[0])),
			said: map[string]string{"fore_more": "1 of 2 tasks cannot be placed", "fore_huge": "its task cannot be placed"},
			then: map[string]string{"fore_big": "2 running", "fore_more": "1 running, 1 pending", "fore_huge": "1 pending"},
		},
		{
			name:    "a drained node",
			drained: "n3",
			script: `svc("fore_web", replicas = 3, ports = [port(8080, published = 80, mode = "host")], wait = False)
svc("fore_agent", mode = "global", ports = [port(8080, published = 81, mode = "host")])`,
			said: map[string]string{"fore_web": "1 of 3 tasks cannot be placed"},
			then: map[string]string{"fore_web": "2 running, 1 pending", "fore_agent": "2 running"},
		},
		{
			name: "a job that cannot run, one that can",
			script: `svc("fore_job", mode = "replicated-job", replicas = 2, generic_resources = {"tpu": 1}, restart = restart_policy(condition = "none"), update = None, wait = False)
svc("fore_turns", mode = "replicated-job", replicas = 4, max_concurrent = 4, generic_resources = {"gpu": 2}, command = ["exit", "0"], restart = restart_policy(condition = "none"), update = None)`,
			said: map[string]string{"fore_job": "none of its 2 tasks can be placed"},
			then: map[string]string{"fore_job": "2 pending", "fore_turns": "4 complete"},
		},
		{
			name: "a label that the script gives to a node",
			script: `node("n2", labels = {"tier": "db"})
svc("fore_db", constraints = ["node.labels.tier==db"])
svc("fore_none", constraints = ["node.labels.tier==cache"], wait = False)`,
			said: map[string]string{"fore_none": "its task cannot be placed"},
			then: map[string]string{"fore_db": "1 running", "fore_none": "1 pending"},
		},
		{
			name: "a volume of one node",
			script: `data = volume("fore_data", engine = engine(var("host"), name = "lab"))
svc("fore_stray", mounts = [mount(target = "/data", source = data)])
svc("fore_home", mounts = [mount(target = "/data", source = data)], constraints = ["node.hostname==n1"])`,
			said: map[string]string{"fore_stray": "volume fore_data is on n1, and its tasks may run on n2 and n3 too"},
			then: map[string]string{"fore_stray": "1 running", "fore_home": "1 running"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, nodes[0]) })
	}
	t.Run("start-first", func(t *testing.T) { startFirst(t, nodes[0]) })
}

// Before there is a swarm, the engine that it is to begin on is its only node: what
// the first plan foresees is what the swarm makes of it. Where nodes of other names
// are declared, nobody knows.
func TestStoryForesightFirst(t *testing.T) {
	t.Parallel()
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, testengine.Start(t, v, testengine.Hostname("n1"), testengine.Args("--label=disk=ssd", "--node-generic-resource=gpu=1")))
			testengine.Images(f.e)
			script := func(init, text string) {
				f.Bare(strings.Replace(prelude, "external = True", `advertise_addr = var("addr"), `+init, 1) + text)
			}
			text := `
svc("first_web", replicas = 2, ports = [port(8080, published = 8097, mode = "host")])
svc("first_disk", constraints = ["engine.labels.disk==ssd", "node.hostname==n1", "node.role==manager", "node.labels.tier==web", "node.platform.os==linux"])
svc("first_gpu", generic_resources = {"gpu": 1})
svc("first_none", constraints = ["node.labels.tier==db"])
svc("first_huge", reserve_cpu = 1000)
svc("first_addr", constraints = ["node.ip==203.0.113.1"], wait = False)
node("n1", labels = {"tier": "web"})
`
			missing := map[string]string{"first_web": "1 of 2 tasks cannot be placed", "first_none": "its task cannot be placed", "first_huge": "its task cannot be placed"}
			script("", text)
			p := f.Plan()
			f.foresees(p, diag.Error, missing)
			if _, err := f.Carry(p); err == nil || !strings.Contains(err.Error(), "service.first_web: 1 of 2 tasks cannot be placed") {
				t.Fatalf("the apply ended with %v", err)
			}
			if got := f.Docker("info", "--format", "{{.Swarm.LocalNodeState}}"); got != "inactive" {
				t.Errorf("the refused apply left the engine %s", got)
			}
			script("", text+`node("n2", labels = {"tier": "db"})`)
			f.foresees(f.Plan(), diag.Error, map[string]string{})
			script("", text)
			f.opts.AllowPending = true
			p = f.Plan()
			f.foresees(p, diag.Warning, missing)
			f.wentWell(f.Carry(p))
			for name, want := range map[string]string{"first_web": "1 running, 1 pending", "first_disk": "1 running", "first_gpu": "1 running", "first_none": "1 pending", "first_huge": "1 pending"} {
				got := ""
				f.eventually(name+": "+want, func() bool { got = f.verdict(name); return got == want || t.Failed() })
			}
			f.PlanShows("service.first_web (1/2 running)", "service.first_none (0/1 running)", "service.first_huge (0/1 running)", "service.first_addr (0/1 running)")
			f.opts.AllowPending = false
			f.destroyed()
			script(`availability = "drain"`, `svc("drained_web")`)
			f.foresees(f.Plan(), diag.Warning, map[string]string{"drained_web": "its task cannot be placed"})
		})
	}
}

// halfOf is more than half of an engine's CPUs, so that two do not fit.
func halfOf(t *testing.T, e *testengine.Engine) float64 {
	t.Helper()
	var info struct{ NCPU int }
	if err := json.Unmarshal([]byte(e.Docker("info", "--format", "{{json .}}")), &info); err != nil {
		t.Fatal(err)
	}
	return float64(info.NCPU)/2 + 0.25
}

func (c foreseen) run(t *testing.T, e *testengine.Engine) {
	f := newFixture(t, e.In(t))
	if c.drained != "" {
		f.Docker("node", "update", "--availability", "drain", c.drained)
		defer f.Docker("node", "update", "--availability", "active", c.drained)
	}
	f.Script(c.script)
	p := f.Plan()
	f.foresees(p, diag.Warning, c.said)
	simulated := f.simulated(p)
	f.wentWell(f.Carry(p))
	for name, want := range c.then {
		got := ""
		f.eventually(name+": "+want, func() bool { got = f.verdict(name); return got == want || t.Failed() })
		f.likeIt(simulated[name])
	}
	f.destroyed()
}

// foresees checks the findings of a plan: those, of that severity, and no
// others.
func (f *fixture) foresees(p *Planned, severity diag.Severity, want map[string]string) {
	f.Helper()
	seen := map[string]string{}
	for _, c := range p.Plan.Changes {
		for _, d := range c.Findings {
			if d.Severity != severity {
				f.Errorf("%s: the severity is %d", c.Address, d.Severity)
			}
			seen[c.Address.Name()] += d.Summary
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		f.Fatalf("foreseen is %v, want %v:\n%s", seen, want, show(p.Plan))
	}
}

// verdict is what the scheduler has made of a service's tasks.
func (f *fixture) verdict(service string) string {
	f.Helper()
	count := map[string]int{}
	for _, id := range strings.Fields(f.Docker("service", "ps", "-q", service)) {
		var tasks []swarm.Task
		if err := json.Unmarshal([]byte(f.Docker("inspect", "--type", "task", id)), &tasks); err != nil {
			f.Fatal(err)
		}
		for _, task := range tasks {
			if task.DesiredState == swarm.TaskStateShutdown || task.DesiredState == swarm.TaskStateRemove {
				continue
			}
			state := string(task.Status.State)
			if state == "pending" && !strings.HasPrefix(task.Status.Err, "no suitable node") {
				state = "not looked at yet"
			}
			count[state]++
		}
	}
	var parts []string
	for _, state := range []string{"complete", "running", "pending", "not looked at yet"} {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
			delete(count, state)
		}
	}
	if len(count) > 0 {
		parts = append(parts, fmt.Sprint(count))
	}
	return strings.Join(parts, ", ")
}

// destroyed takes the project away.
func (f *fixture) destroyed() {
	f.Helper()
	f.wentWell(f.Carry(f.Plan(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })))
}

// An update that starts new tasks first has no room on nodes that are full: it
// is refused, and stuck where it is done all the same.
func startFirst(t *testing.T, e *testengine.Engine) {
	f := newFixture(t, e.In(t))
	script := func(version, more string) {
		f.Script(fmt.Sprintf(`svc("fore_web", image = "swarmtest/web:%s", replicas = 3, ports = [port(8080, published = 80, mode = "host")],
			update = update_policy(order = "start-first", monitor = "100ms")%s)`, version, more))
	}
	script("1", "")
	f.Apply()
	script("2", "")
	stuck := map[string]string{"fore_web": `its update would get stuck: order = "start-first" needs room for a new task beside the old ones`}
	p := f.Plan()
	f.foresees(p, diag.Error, stuck)
	_, err := f.Carry(p)
	if err == nil || !strings.Contains(err.Error(), "its update would get stuck") {
		t.Fatalf("the apply ended with %v", err)
	}
	if got := f.Docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "fore_web"); got != "swarmtest/web:1" {
		t.Errorf("the refused apply wrote %s", got)
	}
	script("2", ", wait = False")
	p = f.Plan()
	f.foresees(p, diag.Warning, stuck)
	f.wentWell(f.Carry(p))
	f.eventually("the new task has no node", func() bool { return f.verdict("fore_web") == "3 running, 1 pending" })
	f.destroyed()
}
