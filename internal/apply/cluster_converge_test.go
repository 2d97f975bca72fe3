package apply

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// TestClusterConverges is the same law for clusters of machines: random sets of
// managers and workers follow one another, machines are lost and made anew,
// every apply may crash at any write. The swarm stays the one that it was, its
// managers can agree after every step, no machine goes that is still a member,
// and in the end the members are those that are declared.
func TestClusterConverges(t *testing.T) {
	stories(t, 200, 11, clusterStory)
}

var machineNames = []string{"a", "b", "c", "d", "e"}

func clusterStory(t *testing.T, r *rand.Rand) {
	s := newSite()
	sizes := map[string]string{}
	for chapter := range 3 + r.IntN(5) {
		c := &clusterSession{site: s, sizes: sizes, roles: map[string]string{}, opts: plan.Options{AllowDataLoss: true}}
		for _, n := range machineNames {
			switch r.IntN(4) {
			case 0, 1:
				c.roles[n] = "manager"
			case 2:
				c.roles[n] = "worker"
			}
			if r.IntN(6) == 0 {
				sizes[n] = fmt.Sprint("s", r.IntN(2))
			}
		}
		for _, n := range machineNames { // the first manager is where it begins
			if c.roles[n] == "manager" && (c.first == "" || r.IntN(3) == 0) {
				c.first = n
			}
		}
		if c.first == "" {
			continue
		}
		c.opts.Destroy = chapter > 0 && r.IntN(10) == 0
		was := ""
		if s.swarm != nil {
			was = s.swarm.id
		}
		if !c.converge(t, r) {
			continue // it was refused, and nothing was done
		}
		if was != "" && !c.opts.Destroy && s.swarm.id != was && !c.mayLose {
			t.Fatalf("the swarm is another one now")
		}
		c.check(t)
		s.accidents(r)
	}
}

// clusterSession is one program and the world that it is applied to.
type clusterSession struct {
	site         *site
	roles, sizes map[string]string
	first        string
	home         string // where the swarm is reached
	opts         plan.Options
	scopes       map[string]*Scope
	program      *resource.Program
	mayLose      bool // a plan showed that the swarm is made anew
}

func (c *clusterSession) declare() {
	kinds := c.site.kinds
	p := &resource.Program{Project: project}
	add := func(kind, scope string, addr value.Address, args value.Struct, on string) {
		args[0] = addr.Name()
		p.Declarations = append(p.Declarations, &resource.Declaration{Address: addr, Kind: kinds[kind], Scope: scope, Args: args, On: on})
	}
	for _, n := range machineNames {
		if c.roles[n] == "" {
			continue
		}
		add("vm", "cloud.c", value.Address("vm."+n), value.Struct{nil, c.sizes[n], ""}, "")
		add("docker", "vm."+n, value.Address("docker."+n), value.Struct{nil, "", ""}, "")
	}
	add("swarm", "docker."+c.first, "swarm.main", value.Struct{nil, "", ""}, "")
	for _, n := range machineNames {
		if c.roles[n] != "" {
			add("node", "swarm.main", value.Address("swarm.main/node."+n), value.Struct{nil, "", c.roles[n]}, "docker."+n)
		}
	}
	c.program = p
}

// observe looks at everything in stages; the swarm by a manager that answers and
// stays.
func (c *clusterSession) observe(ctx context.Context, avoid map[string]bool) error {
	c.scopes = map[string]*Scope{}
	put := func(addr, typ, parent string, conn resource.Conn) error {
		st := &plan.ScopeState{Scope: &resource.Scope{Address: addr, Type: typ, Parent: parent}, Status: plan.Absent}
		c.scopes[addr] = &Scope{State: st}
		if conn == nil {
			return nil
		}
		obs, err := conn.Observe(ctx, c.program.Query(addr))
		if err != nil {
			return err
		}
		st.Status, st.Obs, c.scopes[addr].Conn = plan.Present, obs, conn
		return nil
	}
	open := func(parent string, kind string) (conn resource.Conn) {
		st := c.scopes[parent]
		if st.State.Obs == nil {
			return nil
		}
		for _, o := range st.State.Obs.Objects {
			if o.Kind == kind && (kind != "swarm" || o.Mark.Project == project) {
				conn, _ = siteKind{c.site, kind}.Open(ctx, st.Conn, o)
			}
		}
		return conn
	}
	if err := put("cloud.c", "cloud", "", &siteConn{s: c.site, typ: "cloud"}); err != nil {
		return err
	}
	for _, n := range machineNames {
		var conn resource.Conn
		if m := c.site.machines[n]; m != nil {
			conn = &siteConn{s: c.site, typ: "host", machine: m}
		}
		if err := put("vm."+n, "host", "cloud.c", conn); err != nil {
			return err
		}
		if err := put("docker."+n, "engine", "vm."+n, open("vm."+n, "docker")); err != nil {
			return err
		}
	}
	if c.home == "" || avoid == nil {
		c.home = "docker." + c.first
	}
	for _, n := range append([]string{c.first}, machineNames...) {
		if addr := "docker." + n; open(addr, "swarm") != nil && !avoid[addr] {
			c.home = addr
			break
		}
	}
	for _, d := range c.program.Declarations {
		if d.Kind.Name == "swarm" {
			d.Scope = c.home
		}
	}
	return put("swarm.main", "swarm", c.home, open(c.home, "swarm"))
}

func (c *clusterSession) input() plan.Input {
	states := map[string]*plan.ScopeState{}
	for a, s := range c.scopes {
		states[a] = s.State
	}
	kinds := c.site.kinds
	return plan.Input{Program: c.program, Scopes: states, Options: c.opts, Kinds: func(_, n string) *resource.Kind { return kinds[n] }}
}

func (c *clusterSession) plan(ctx context.Context) (*plan.Plan, error) {
	c.declare()
	if err := c.observe(ctx, nil); err != nil {
		return nil, err
	}
	avoid := map[string]bool{}
	for was := ""; was != c.home; { // until it stays, as in a run
		was = c.home
		maps.Copy(avoid, plan.Going(c.input()))
		if err := c.observe(ctx, avoid); err != nil {
			return nil, err
		}
	}
	p, problems := plan.Build(c.input())
	return p, problems.Err()
}

// converge applies until nothing is left to do; false where the plan is refused.
func (c *clusterSession) converge(t *testing.T, r *rand.Rand) bool {
	t.Helper()
	ctx := context.Background()
	s := c.site
	s.ending = c.opts.Destroy
	for try := 0; ; try++ {
		s.crashed, s.budget, s.after = false, -1, r.IntN(2) == 0
		p, err := c.plan(ctx)
		if err != nil && (strings.Contains(err.Error(), "would lose the quorum") || strings.Contains(err.Error(), "is reached through")) {
			return false
		}
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		if p.Empty() {
			return true
		}
		if try > 25 {
			t.Fatalf("does not converge:\n%s", dump(p))
		}
		for _, ch := range p.Changes {
			c.mayLose = c.mayLose || ch.Address == "swarm.main" && ch.Changes()
		}
		if try < 12 && r.IntN(3) > 0 {
			s.budget = r.IntN(8)
		}
		res := Run(ctx, Input{Plan: p, Program: c.program, Scopes: c.scopes, Options: c.opts, Parallelism: 4, Backoff: time.Microsecond})
		if len(s.sins) > 0 {
			t.Fatalf("%s\nplan:\n%s", strings.Join(s.sins, "\n"), dump(p))
		}
		for _, step := range res.Steps {
			if step.Err != nil && !s.crashed {
				t.Fatalf("%s %s: %v\nplan:\n%s", step.Change.Action, step.Change.Address, step.Err, dump(p))
			}
		}
	}
}

// check compares what is there with what is declared.
func (c *clusterSession) check(t *testing.T) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	if !c.opts.Destroy {
		want = c.roles
	}
	if s := c.site; s.swarm != nil && !s.swarm.answers(s, "") && c.opts.Destroy {
		s.swarm = nil // it went with its machines
	}
	if c.site.swarm != nil {
		for _, m := range c.site.swarm.members {
			if got[m.name] != "" {
				t.Fatalf("%s is twice in the swarm", m.name)
			}
			got[m.name] = m.role
			if c.site.of(m) == nil {
				t.Fatalf("%s is in the swarm and nowhere else", m.name)
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("the members are %v, want %v", got, want)
	}
	if names := sortedNames(c.site.machines); !slices.Equal(names, sortedNames(want)) {
		t.Fatalf("the machines are %v, want %v", names, sortedNames(want))
	}
}

// accidents happen: a machine is lost, an engine leaves its swarm by hand, a node
// is demoted; never so many that nobody can help.
func (s *site) accidents(r *rand.Rand) {
	if s.swarm == nil {
		return
	}
	for range r.IntN(3) {
		m := s.machines[machineNames[r.IntN(len(machineNames))]]
		if m == nil || !s.swarm.answers(s, m.node) {
			continue
		}
		node := s.swarm.members[m.node]
		if node == nil {
			continue
		}
		left := &cluster{members: maps.Clone(s.swarm.members)}
		switch r.IntN(3) {
		case 0: // the machine is gone, and its node stays behind
			delete(s.machines, m.name)
			if !left.answers(s, "") {
				s.machines[m.name] = m
			}
		case 1:
			was := m.node
			m.node = ""
			if !left.answers(s, "") {
				m.node = was
			}
		case 2:
			node.role = "worker"
		}
	}
}
