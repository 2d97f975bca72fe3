package swarm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/swarm/placement"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// realConstraints are of every form that the swarm knows, in the cases that
// matter.
var realConstraints = []string{
	"node.id==<ID>", "node.id!=<ID>", "NODE.ID==<ID>", "node.id==none",
	"node.hostname==<NAME>", "node.hostname!=<NAME>", "node.hostname==E-ONE", "node.hostname==other",
	"node.ip==<ADDR>", "node.ip!=<ADDR>", "node.ip==198.18.0.0/16", "node.ip!=198.18.0.0/16", "node.ip==10.0.0.0/8", "node.ip==nonsense", "node.ip!=nonsense",
	"node.role==manager", "node.role==MANAGER", "node.role==worker", "node.role!=worker",
	"node.platform.os==linux", "node.platform.os!=linux", "node.platform.arch==x86_64", "node.platform.arch==amd64", "node.platform.arch!=amd64",
	"node.labels.tier==web", "node.labels.tier==WEB", "node.labels.Tier==web", "node.labels.tier!=db", "node.labels.none==x", "node.labels.none!=x",
	"Node.Labels.tier==web", "engine.labels.disk==ssd", "engine.labels.disk!=ssd", "engine.labels.none!=x", "Engine.Labels.disk==SSD",
	"node.label.tier==web", "node.labels==x", "node.labels!=x", "nonsense==x", "nonsense!=x",
}

var realPlatforms = []placement.Platform{
	{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "x86_64"}, {OS: "linux"}, {Arch: "amd64"}, {OS: "windows", Arch: "amd64"}, {OS: "linux", Arch: "s390x"},
}

// The swarm's own scheduler lets the same nodes pass: for each constraint and
// platform there is a service, which gets a node or does not.
func TestRealPlacementRules(t *testing.T) {
	t.Parallel()
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			e := testengine.Start(t, v, testengine.Hostname("e-one"), testengine.Args("--label=disk=ssd"))
			e.Docker("swarm", "init", "--advertise-addr", e.Addr)
			e.Docker("node", "update", "--label-add", "tier=web", "e-one")
			r := &rig{T: t, e: e}
			r.conn = r.dial()
			if _, err := r.conn.docker.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			nodes, err := r.conn.Docker().NodeList(t.Context(), swarm.NodeListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			node := placementNode(&nodes[0])
			want := map[string]bool{}
			made := map[string]string{} // what each service asks, by its ID
			add := func(asks string, p *swarm.Placement, fits bool) {
				made[r.pendingService(len(made), p)] = asks
				want[asks] = fits
			}
			for _, text := range realConstraints {
				text = strings.NewReplacer("<ID>", node.ID, "<NAME>", node.Name, "<ADDR>", node.Addr).Replace(text)
				add(text, &swarm.Placement{Constraints: []string{text}}, node.Satisfies(text))
			}
			for _, p := range realPlatforms {
				fits := placement.Check([]placement.Node{node}, []placement.Service{{Tasks: 1, Platforms: []placement.Platform{p}}}) == nil
				add(fmt.Sprint("platform ", p), &swarm.Placement{Platforms: []swarm.Platform{{OS: p.OS, Architecture: p.Arch}}}, fits)
			}
			got := r.placed(made)
			for asks, fits := range want {
				if got[asks] != fits {
					t.Errorf("%s: foreseen %t, and the swarm says %t", asks, fits, got[asks])
				}
			}
			yes := 0
			for _, fits := range want {
				if fits {
					yes++
				}
			}
			t.Logf("%d fit, %d do not", yes, len(want)-yes)
		})
	}
}

// pendingService makes a service whose task may get a node, and ends there: its
// image does not exist.
func (r *rig) pendingService(n int, p *swarm.Placement) string {
	r.Helper()
	spec := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{
		ContainerSpec: &swarm.ContainerSpec{Image: "swarmtest/none:1"}, Placement: p,
		RestartPolicy: &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone},
	}}
	spec.Name = fmt.Sprintf("rule%d", n)
	resp, err := r.conn.Docker().ServiceCreate(r.Context(), spec, swarm.ServiceCreateOptions{})
	if err != nil {
		r.Fatalf("%v: %v", p, err)
	}
	return resp.ID
}

// placed waits until the scheduler has looked at all tasks, and tells which got
// a node.
func (r *rig) placed(made map[string]string) map[string]bool {
	r.Helper()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(100 * time.Millisecond) {
		tasks, err := r.conn.Docker().TaskList(r.Context(), swarm.TaskListOptions{Filters: filters.NewArgs()})
		if err != nil {
			r.Fatal(err)
		}
		got := map[string]bool{}
		for _, task := range tasks {
			if task.NodeID != "" || strings.HasPrefix(task.Status.Err, "no suitable node") {
				got[made[task.ServiceID]] = task.NodeID != ""
			}
		}
		if len(got) == len(made) {
			return got
		}
	}
	r.Fatal("the scheduler does not look at all tasks")
	return nil
}
