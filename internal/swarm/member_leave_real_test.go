package swarm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// web is a service with a task on each of the workers that shall leave.
func (f *members) web(replicas string) {
	f.t.Helper()
	for _, m := range f.at {
		testengine.Images(m.e)
	}
	f.e.Docker("service", "create", "--quiet", "--name=web", "--replicas="+replicas, "--endpoint-mode=dnsrr", "--stop-grace-period=1s", testengine.Web1)
}

// running counts the tasks that run on a node.
func (f *members) running(node string) int {
	f.t.Helper()
	return strings.Count(f.e.Docker("node", "ps", node, "--filter=desired-state=running", "--format", "{{.CurrentState}}"), "Running")
}

// A node that is declared no more is drained first; its tasks run elsewhere when
// it has left, and nobody knows it any more.
func TestRealLeave(t *testing.T) {
	f := newMembers(t, "wrk-0", "wrk-1-old", "mgr-1")
	f.joins("wrk-0", args{"labels": map[string]string{"tier": "web"}})
	f.joins("wrk-1-old", args{})
	f.joins("mgr-1", args{"role": "manager"})
	f.web("8")
	for _, name := range []string{"wrk-0", "wrk-1-old", "mgr-1"} {
		o := f.node(f.id(name))
		if f.running(o.ID) == 0 {
			t.Errorf("nothing runs on %s", name)
		}
		f.leaves(f.removal(o))
		if f.state(name) != "inactive" {
			t.Errorf("the engine of %s is %s", name, f.state(name))
		}
		if n := len(f.at[name].e.Docker("ps", "--quiet")); n > 0 {
			t.Errorf("containers run on %s", name)
		}
	}
	if n := f.running("mgr-0"); n != 8 {
		t.Errorf("%d tasks run on the node that is left", n)
	}
	if got := f.e.Docker("node", "ls", "--format", "{{.Hostname}}"); got != "mgr-0" {
		t.Errorf("the nodes are %s", got)
	}

	// A node that another declaration has marked since stays.
	f.joins("wrk-0", args{})
	r := f.removal(f.node(f.id("wrk-0")))
	f.e.Docker("node", "update", "--label-add=swarmscript.address=swarm.main/node.other", r.Live.ID)
	if err := swarm.NodeKind.Handler.Delete(t.Context(), f.sw, r); err != nil || f.state("wrk-0") != "active" {
		t.Errorf("a node that is somebody else's: %v, %s", err, f.state("wrk-0"))
	}

	// The last manager is the swarm.
	home := f.joins("mgr-0", args{"role": "manager"})
	var d *diag.Diagnostic
	if err := swarm.NodeKind.Handler.Delete(t.Context(), f.sw, f.removal(f.node(home.ID))); !errors.As(err, &d) || !strings.Contains(d.Summary, "removing mgr-0 now would lose the quorum") {
		t.Errorf("without its last manager: %v", err)
	}
}

// A node whose tasks fit nowhere else stays, and that is told. A machine that took
// its name is another node, and is left alone.
func TestRealLeaveNowhere(t *testing.T) {
	f := newMembers(t, "wrk-0", "wrk-1")
	f.joins("wrk-0", args{"labels": map[string]string{"tier": "web"}})
	f.e.Docker("node", "update", "--label-add=disk=ssd", f.id("wrk-0"))
	testengine.Images(f.at["wrk-0"].e)
	f.e.Docker("service", "create", "--quiet", "--name=web", "--constraint=node.labels.disk==ssd", "--endpoint-mode=dnsrr", "--stop-grace-period=1s", testengine.Web1)
	r := f.removal(f.node(f.id("wrk-0")))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	contains(t, swarm.NodeKind.Handler.Delete(ctx, f.sw, r), "was not drained in", "web.1 is pending: no suitable node", "it stays drained", `availability = "active"`)
	if o := f.node(r.Live.ID); o == nil || f.state("wrk-0") != "active" {
		t.Fatalf("the node is %+v, its engine %s", o, f.state("wrk-0"))
	}

	// The address of the host is changed: the old machine runs on.
	f.e.Docker("service", "rm", "web")
	other := f.joins("wrk-1", args{})
	r.On = f.at["wrk-1"]
	f.leaves(r)
	if f.node(other.ID) == nil || f.state("wrk-1") != "active" {
		t.Error("the other machine has left")
	}
}

// Machines that are gone are forgotten when the swarm takes them for down; one
// that only we do not reach stays.
func TestRealLeaveDead(t *testing.T) {
	f := newMembers(t, "mgr-1", "mgr-2-old", "wrk-0", "wrk-1-old")
	f.joins("mgr-1", args{"role": "manager"})
	f.joins("mgr-2-old", args{"role": "manager"})
	f.joins("wrk-0", args{})
	f.joins("wrk-1-old", args{})
	f.web("5")
	dead := []string{"wrk-0", "mgr-2-old", "wrk-1-old"}
	var nodes []*resource.Object
	for _, name := range dead {
		nodes = append(nodes, f.node(f.id(name)))
	}
	for i, name := range dead[:2] { // one with a connection that fails, one without
		f.at[name].e.Kill()
		r := f.removal(nodes[i])
		if i == 1 {
			r.On = nil
		}
		f.leaves(r)
	}
	if got := f.e.Docker("info", "--format", "{{.Swarm.Managers}}"); got != "2" {
		t.Errorf("there are %s managers", got)
	}
	f.eventually("all tasks run again", func() bool { return f.running("mgr-0")+f.running("mgr-1")+f.running("wrk-1-old") == 5 })

	r := f.removal(nodes[2])
	r.On = nil
	err := swarm.NodeKind.Handler.Delete(t.Context(), f.sw, r)
	var n *resource.NotConverged
	if !errors.As(err, &n) {
		t.Errorf("a node that does not answer us, and does the swarm: %v", err)
	}
	contains(t, err, "cannot leave: its engine does not answer", "the swarm takes it for ready")
	if o := f.node(nodes[2].ID); o == nil || o.Args[2] != "active" {
		t.Errorf("it was changed: %+v", o)
	}

	// Of two managers one is gone: nobody can be demoted any more.
	f.at["mgr-1"].e.Kill()
	o := f.node(nodes[2].ID)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := swarm.NodeKind.Handler.Delete(ctx, f.sw, f.removal(o)); err == nil {
		t.Error("without a quorum a node has left")
	}
}

// The leader goes; another leads, and the swarm is reached through that one.
func TestRealLeaveLeader(t *testing.T) {
	f := newMembers(t, "mgr-1-old", "mgr-2", "wrk-0")
	leader := f.joins("mgr-0", args{"role": "manager"})
	f.joins("mgr-1-old", args{"role": "manager"})
	f.joins("mgr-2", args{"role": "manager"})
	f.joins("wrk-0", args{})
	f.web("4")
	f.reach("mgr-2")
	f.leaves(f.removal(f.node(leader.ID)))
	if f.state("mgr-0") != "inactive" {
		t.Errorf("its engine is %s", f.state("mgr-0"))
	}
	f.eventually("the tasks run elsewhere", func() bool { return f.running("mgr-1-old")+f.running("mgr-2")+f.running("wrk-0") == 4 })
	f.joins("mgr-0", args{"role": "manager"}) // as if made anew
	if got := f.e.Docker("info", "--format", "{{.Swarm.Managers}}"); got != "3" {
		t.Errorf("there are %s managers", got)
	}
}

// From one manager to three, to five, one of them made anew, to three, to one: in
// the order that a plan has, with a majority at every moment.
func TestRealManagers(t *testing.T) {
	names := []string{"mgr-1-old", "mgr-2", "mgr-3", "mgr-4-old"}
	f := newMembers(t, names...)
	f.joins("mgr-0", args{"role": "manager"})
	manager := f.check(swarm.NodeKind, args{"name": "any", "role": "manager"})
	node := func(name string) *resource.Object {
		objects := f.observe(f.sw).Objects
		return objects[slices.IndexFunc(objects, func(o *resource.Object) bool { return o.Kind == "node" && o.Name == name })]
	}
	carry := func(join, leave []string, want int) {
		t.Helper()
		var planned []resource.Planned
		for _, name := range leave {
			o := node(name)
			planned = append(planned, resource.Planned{Address: o.Mark.Address, Live: o, Goes: true})
		}
		for _, name := range join {
			planned = append(planned, resource.Planned{Address: f.declared(name, args{}).Address, Args: manager})
		}
		var nodes []*resource.Object
		for _, o := range f.observe(f.sw).Objects {
			if o.Kind == "node" {
				nodes = append(nodes, o)
			}
		}
		chain, problem := swarm.NodeKind.Sequence(nodes, planned)
		if problem != nil {
			t.Fatal(problem)
		}
		for _, p := range chain {
			if p.Goes {
				f.leaves(f.removal(p.Live))
			} else {
				f.joins(p.Address.Name(), args{"role": "manager"})
			}
		}
		if got := f.e.Docker("node", "ls", "--filter=role=manager", "--format", "{{.ManagerStatus}}"); strings.Count(got, "Leader") != 1 || strings.Count(got, "Reachable") != want-1 {
			t.Errorf("the managers are %q, want %d", got, want)
		}
	}
	carry(names[:2], nil, 3)
	carry(names[2:], nil, 5)
	carry(names[3:], names[3:], 5)
	carry(nil, names[:2], 3)
	carry(nil, names[2:], 1)
	for _, name := range names {
		if f.state(name) != "inactive" {
			t.Errorf("%s is %s", name, f.state(name))
		}
	}
}

// With the swarm all leave, by force, and whatever becomes of the others.
func TestRealLeaveEnds(t *testing.T) {
	f := newMembers(t, "mgr-1", "mgr-2-old", "wrk-0", "wrk-1-old")
	names := []string{"mgr-1", "mgr-2-old", "wrk-0", "wrk-1-old"}
	for _, name := range names {
		f.joins(name, args{"role": map[bool]string{true: "manager", false: "worker"}[name[0] == 'm']})
	}
	f.web("5")
	var rs []*resource.Request
	for _, name := range names {
		r := f.removal(f.node(f.id(name)))
		r.Ends = true
		rs = append(rs, r)
	}
	silent := *rs[3]
	silent.On = nil
	contains(t, swarm.NodeKind.Handler.Delete(t.Context(), f.sw, &silent), "cannot leave: its engine does not answer", "shut it down")
	errs := make(chan error)
	for _, r := range rs {
		go func() { errs <- swarm.NodeKind.Handler.Delete(t.Context(), f.sw, r) }()
	}
	for range rs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i, name := range names {
		if f.state(name) != "inactive" {
			t.Errorf("%s is %s", name, f.state(name))
		}
		if err := swarm.NodeKind.Handler.Delete(t.Context(), f.sw, rs[i]); err != nil {
			t.Errorf("%s leaves twice: %v", name, err)
		}
	}
	f.delete2(swarm.SwarmKind)
}
