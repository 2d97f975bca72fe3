package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A cluster in short: machines of a cloud, an engine on each, a swarm that began
// on one of them, and their nodes in it.
var (
	plainSpec = schema.Of(struct {
		Name string `star:"name,pos,local"`
		Size string `star:"size,replace"`
		Role string `star:"role"`
	}{})
	machineKind = &resource.Kind{Name: "vm", Schema: plainSpec, Out: out, Scope: "cloud", Opens: "host", Rank: 1, Handler: opens{}}
	dockerKind  = &resource.Kind{Name: "docker", Schema: plainSpec, Out: out, Scope: "host", Opens: "engine", Single: true, Keeps: true, Rank: 1, Handler: opens{}}
	clusterKind = &resource.Kind{Name: "swarm", Schema: plainSpec, Out: out, Scope: "engine", Opens: "swarm", Single: true, DataLoss: "the swarm", Rank: 30, Handler: opens{}}
	nodeKind    = &resource.Kind{Name: "node", Schema: plainSpec, Out: out, Scope: "swarm", Rank: 5,
		Find: func([]*resource.Object, func(*resource.Object) bool, value.Struct) (*resource.Object, *diag.Diagnostic) {
			panic("what stands on an engine is found by it")
		},
		Sequence: func(_ []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
			out := slices.Clone(planned)
			slices.SortStableFunc(out, func(a, b resource.Planned) int {
				if a.Goes == b.Goes {
					return 0
				}
				if a.Goes {
					return -1
				}
				return 1
			})
			return out, nil
		},
		StepsDown: func(changes []schema.Change) bool {
			return slices.ContainsFunc(changes, func(c schema.Change) bool { return c.Field.Name == "role" })
		},
	}
	appKind = &resource.Kind{Name: "service", Schema: plainSpec, Out: out, Scope: "swarm", Rank: 20, Spreads: true}
)

// cluster is a plan's input: which machines are declared, which are there, and
// which of these are in the swarm.
type cluster struct {
	declared, there, joined string
	home                    string // where the swarm is reached; the first declared one unless told
	hosts                   bool   // the machines are hosts that exist: no resources
	opts                    Options
	change                  func(in *Input)
}

func bare(k *resource.Kind, scope, addr string) *resource.Declaration {
	return &resource.Declaration{Address: value.Address(addr), Kind: k, Scope: scope, Args: args(k, "name", value.Address(addr).Name()), Pos: diag.Pos{File: "x.star", Line: 1, Col: 1}}
}

func alive(k *resource.Kind, id, addr string) *resource.Object {
	o := live(k, id, value.Address(addr).Name())
	o.Mark.Address = value.Address(addr)
	return o
}

func (c cluster) input() Input {
	machine := func(n string) string {
		if c.hosts {
			return "host." + n
		}
		return "vm." + n
	}
	in := Input{
		Program: &resource.Program{Project: "shop"},
		Scopes:  map[string]*ScopeState{"cloud.c": {Scope: &resource.Scope{Address: "cloud.c", Type: "cloud"}, Obs: &resource.Observation{}}},
		Kinds: func(_, name string) *resource.Kind {
			return map[string]*resource.Kind{"vm": machineKind, "docker": dockerKind, "swarm": clusterKind, "node": nodeKind, "service": appKind}[name]
		},
		Options: c.opts,
	}
	swarmIs := alive(clusterKind, "S", "swarm.main")
	inSwarm := &resource.Observation{}
	add := func(d *resource.Declaration) { in.Program.Declarations = append(in.Program.Declarations, d) }
	all := strings.Split(c.declared, "")
	for _, n := range strings.Split(c.there, "") {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	home := c.home
	if home == "" {
		home = c.declared[:1]
	}
	for _, n := range all {
		wanted, there, joined := strings.Contains(c.declared, n), strings.Contains(c.there, n), strings.Contains(c.joined, n)
		if wanted {
			if !c.hosts {
				add(bare(machineKind, "cloud.c", machine(n)))
			}
			add(bare(dockerKind, machine(n), "docker."+n))
		}
		host := &ScopeState{Scope: &resource.Scope{Address: machine(n), Type: "host", Parent: "cloud.c"}, Status: Absent}
		engine := &ScopeState{Scope: &resource.Scope{Address: "docker." + n, Type: "engine", Parent: machine(n)}, Status: Absent}
		if c.hosts {
			host.Scope.Parent = ""
		}
		if there {
			if !c.hosts {
				in.Scopes["cloud.c"].Obs.Objects = append(in.Scopes["cloud.c"].Obs.Objects, alive(machineKind, "m-"+n, machine(n)))
			}
			host.Status, host.Obs = Present, &resource.Observation{Objects: []*resource.Object{alive(dockerKind, "e-"+n, "docker."+n)}}
			engine.Status, engine.Obs = Present, &resource.Observation{}
		}
		if joined {
			o := alive(nodeKind, "n-"+n, "swarm.main/node."+n)
			o.Mark.On = "docker." + n
			inSwarm.Objects = append(inSwarm.Objects, o)
			if there {
				engine.Obs.Node, engine.Obs.Objects = "n-"+n, []*resource.Object{swarmIs}
			}
		}
		in.Scopes[machine(n)], in.Scopes["docker."+n] = host, engine
	}
	add(bare(clusterKind, "docker."+home, "swarm.main"))
	for _, n := range strings.Split(c.declared, "") {
		d := bare(nodeKind, "swarm.main", "swarm.main/node."+n)
		d.On = "docker." + n
		add(d)
	}
	add(bare(appKind, "swarm.main", "swarm.main/service.web"))
	sw := &ScopeState{Scope: &resource.Scope{Address: "swarm.main", Type: "swarm"}, Status: Absent}
	if c.joined != "" {
		sw.Status, sw.Obs = Present, inSwarm
		inSwarm.Objects = append(inSwarm.Objects, alive(appKind, "w", "swarm.main/service.web"))
	}
	in.Scopes["swarm.main"] = sw
	if c.change != nil {
		c.change(&in)
	}
	return in
}

func declared(in *Input, addr string) *resource.Declaration {
	i := slices.IndexFunc(in.Program.Declarations, func(d *resource.Declaration) bool { return string(d.Address) == addr })
	return in.Program.Declarations[i]
}

// poweredOff is a machine whose disk is there, and that does not run.
func poweredOff(n string) func(in *Input) {
	return func(in *Input) {
		for _, addr := range []string{"vm." + n, "docker." + n} {
			in.Scopes[addr] = &ScopeState{Scope: in.Scopes[addr].Scope, Status: Absent, Off: true}
		}
	}
}

func TestMembers(t *testing.T) {
	for _, tt := range []struct {
		name string
		cluster
		want   string
		before []string // "x < y": x ends before y begins
	}{
		{"from nothing", cluster{declared: "ab"}, `
+ vm.a
+ docker.a
+ vm.b
+ docker.b
+ swarm.main
+ node.a
+ node.b
+ service.web`, []string{"vm.a < docker.a", "docker.a < swarm.main", "docker.b < node.b", "swarm.main < node.b", "node.a < service.web", "node.b < service.web", "node.a < node.b"}},
		{"as declared", cluster{declared: "ab", there: "ab", joined: "ab"}, "", nil},
		{"one more", cluster{declared: "abc", there: "ab", joined: "ab"}, "+ vm.c\n+ docker.c\n+ node.c", []string{"docker.c < node.c"}},
		{"one has left by itself", cluster{declared: "ab", there: "ab", joined: "a"}, "+ node.b", nil},
		{"one less", cluster{declared: "a", there: "ab", joined: "ab"}, "- node.b (no longer declared)\n- vm.b (no longer declared)", []string{"-node.b < -vm.b"}},
		{"one machine is gone", cluster{declared: "ab", there: "a", joined: "ab"}, `
+ vm.b
+ docker.b
+ node.b
- node.b (node.b is another node now)`, []string{"docker.b < node.b"}},
		{"it stays while its machine does not answer", cluster{declared: "ab", there: "ab", joined: "ab", change: func(in *Input) {
			in.Scopes["docker.b"] = &ScopeState{Scope: in.Scopes["docker.b"].Scope, Status: Unreachable, Err: resource.ErrUnreachable}
		}}, "", nil},
		{"it cannot join while its machine does not answer", cluster{declared: "ab", there: "ab", joined: "a", change: func(in *Input) {
			in.Scopes["docker.b"] = &ScopeState{Scope: in.Scopes["docker.b"].Scope, Status: Unreachable, Err: resource.ErrUnreachable}
		}}, "  node.b BLOCKED docker.b is unreachable", nil},
		{"it stays while its machine is powered off", cluster{declared: "ab", there: "ab", joined: "ab", change: func(in *Input) {
			poweredOff("b")(in)
			declared(in, "vm.b").Args[2] = "runs"
		}}, "~ vm.b role:\"\">\"runs\"\n+ docker.b", []string{"vm.b < docker.b"}},
		{"its machine is powered off, and made anew", cluster{declared: "ab", there: "ab", joined: "ab", change: func(in *Input) {
			poweredOff("b")(in)
			declared(in, "vm.b").Args[1] = "big"
		}}, `
-/+ vm.b size:"">"big"!
+ docker.b
+ node.b
- node.b (node.b is another node now)`, []string{"-node.b < -vm.b", "docker.b < node.b"}},
		{"it is in another swarm", cluster{declared: "ab", there: "ab", joined: "a", change: func(in *Input) { in.Scopes["docker.b"].Obs.Node = "n-x" }},
			"error: the engine of docker.b is in another swarm", nil},
		{"the machine that the swarm began on is made anew", cluster{declared: "ab", there: "ab", joined: "ab", home: "b", change: func(in *Input) { declared(in, "vm.a").Args[1] = "big" }}, `
-/+ vm.a size:"">"big"!
+ docker.a
+ node.a
- node.a (node.a is another node now)`, []string{"-node.a < -vm.a", "-vm.a < node.a"}},
		{"what it is in goes with it, and leaves no trace on hosts that stay", cluster{declared: "abc", there: "abc", joined: "abc", hosts: true, opts: Options{Destroy: true, AllowDataLoss: true}}, `
- docker.a
- docker.b
- docker.c
- swarm.main
- node.b
- node.c`, []string{"-node.b < -swarm.main", "-node.c < -swarm.main", "-swarm.main < -docker.a", "-node.c < -docker.c"}},
		{"one machine is gone, and a service changes", cluster{declared: "ab", there: "a", joined: "ab", change: func(in *Input) { declared(in, "swarm.main/service.web").Args[2] = "x" }}, `
+ vm.b
+ docker.b
+ node.b
~ service.web role:"">"x"
- node.b (node.b is another node now)`, []string{"node.b < service.web", "-node.b < node.b"}},
		{"one less, and a service changes", cluster{declared: "a", there: "ab", joined: "ab", change: func(in *Input) { declared(in, "swarm.main/service.web").Args[2] = "x" }},
			"~ service.web role:\"\">\"x\"\n- node.b (no longer declared)\n- vm.b (no longer declared)", []string{"service.web < -node.b"}},
		{"one makes room for another, and a service changes", cluster{declared: "ac", there: "ab", joined: "ab", change: func(in *Input) { declared(in, "swarm.main/service.web").Args[2] = "x" }}, `
+ vm.c
+ docker.c
+ node.c
~ service.web role:"">"x"
- node.b (no longer declared)
- vm.b (no longer declared)`, []string{"-node.b < node.c", "node.c < service.web", "-node.b < -vm.b"}},
		{"one joins after a service, which waits for the other alone", cluster{declared: "abc", there: "abc", joined: "a", change: func(in *Input) {
			declared(in, "swarm.main/service.web").Args[2] = "x"
			declared(in, "swarm.main/node.c").After = []value.Address{"swarm.main/service.web"}
		}}, `
+ node.b
+ node.c
~ service.web role:"">"x"`, []string{"node.b < service.web", "service.web < node.c"}},
		{"what no member comes after waits for all", cluster{declared: "abc", there: "abc", joined: "a", change: func(in *Input) {
			in.Program.Declarations = append(in.Program.Declarations, bare(appKind, "swarm.main", "swarm.main/service.db"), bare(appKind, "swarm.main", "swarm.main/service.api"))
			declared(in, "swarm.main/node.b").After = []value.Address{"swarm.main/service.web"}
			declared(in, "swarm.main/node.c").After = []value.Address{"swarm.main/service.db"}
			declared(in, "swarm.main/service.web").Args[2] = "x"
		}}, `
+ node.b
+ node.c
~ service.web role:"">"x"
+ service.db
+ service.api`, []string{"service.web < node.b", "service.db < node.c", "node.b < service.api", "node.c < service.api"}},
		{"everything", cluster{declared: "ab", there: "ab", joined: "ab", opts: Options{Destroy: true, AllowDataLoss: true}}, "- vm.a\n- vm.b", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Build(tt.input())
			if want, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
				if p != nil || !strings.Contains(problems.Error(), want) {
					t.Fatalf("got %v, want an error with %q", problems, want)
				}
				return
			}
			if p == nil {
				t.Fatal(problems)
			}
			if got := text(p); got != strings.TrimPrefix(tt.want, "\n") && "  "+got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			for _, b := range tt.before {
				x, y, _ := strings.Cut(b, " < ")
				if !reaches(p.Graph, find(t, p, x), find(t, p, y)) {
					t.Errorf("%s does not come before %s", x, y)
				}
			}
		})
	}
}

// find returns the node of a step, "-a" the one that takes it away.
func find(t *testing.T, p *Plan, name string) *Node {
	t.Helper()
	short, away := strings.CutPrefix(name, "-")
	var found *Node
	for _, n := range p.Graph.Nodes {
		if n.Change == nil || n.Change.Address.Short() != short {
			continue
		}
		if drops := n.Phase == Destroy || n.Change.Action.Drops(); away == drops || found == nil && !away {
			found = n
		}
	}
	if found == nil {
		t.Fatalf("there is no step %s", name)
	}
	return found
}

// reaches reports whether y waits for x, at once or through others.
func reaches(g *Graph, x, y *Node) bool {
	seen := map[int]bool{}
	var visit func(id int) bool
	visit = func(id int) bool {
		if id == x.ID {
			return true
		}
		if seen[id] {
			return false
		}
		seen[id] = true
		return slices.ContainsFunc(g.Nodes[id].Deps, visit)
	}
	return x != y && visit(y.ID)
}

// A plan is looked through for what goes before the swarm's home is chosen.
func TestGoing(t *testing.T) {
	c := cluster{declared: "ab", there: "abc", joined: "abc", home: "b", change: func(in *Input) {
		declared(in, "vm.a").Args[1] = "big"
		declared(in, "swarm.main/node.b").Args[2] = "worker"
	}}
	got := fmt.Sprint(sortedKeys(Going(c.input())))
	if want := "[docker.a docker.b docker.c vm.a vm.c]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What does not answer, and goes with its machine, keeps nothing from going; but
// it may have held the swarm.
func TestUnreachableGoes(t *testing.T) {
	c := cluster{declared: "ab", there: "ab", joined: "ab", opts: Options{Destroy: true, AllowDataLoss: true}, change: func(in *Input) {
		for _, addr := range []string{"docker.a", "docker.b", "swarm.main"} {
			in.Scopes[addr] = &ScopeState{Scope: in.Scopes[addr].Scope, Status: Unreachable, Err: resource.ErrUnreachable}
		}
	}}
	p, problems := Build(c.input())
	if p == nil || len(p.Unreachable) > 0 {
		t.Fatalf("got %v, %+v", problems, p)
	}
	c.opts.AllowDataLoss = false
	if p, problems := Build(c.input()); p != nil || !strings.Contains(problems.Error(), "docker.a goes in this plan and cannot be looked at: with it swarm.main may be lost") {
		t.Errorf("got %v", problems)
	}
}

// An engine that is stopped: where its step starts it, what is in it is compared
// again in the same apply, as where it is only starting; where nothing does, it is
// not planned. Whatever it holds is not lost unasked.
func TestStoppedEngine(t *testing.T) {
	c := cluster{declared: "ab", there: "ab", joined: "a", hosts: true}
	down, starts := false, false
	c.change = func(in *Input) {
		machine := in.Scopes[in.Scopes["docker.a"].Scope.Parent]
		for _, o := range machine.Obs.Objects {
			if o.Stuck = down; down || starts {
				o.Unsettled = "it is down"
			}
		}
		for _, addr := range []string{"docker.a", "swarm.main"} {
			in.Scopes[addr] = &ScopeState{Scope: in.Scopes[addr].Scope, Status: Absent, Off: true, Err: resource.ErrOff}
		}
	}
	for _, state := range [][2]bool{{true, false}, {false, true}, {false, false}} {
		down, starts = state[0], state[1]
		p, problems := Build(c.input())
		if p == nil {
			t.Fatal(problems)
		}
		for _, ch := range p.Changes {
			switch ch.Address {
			case "docker.a", "docker.b":
			default:
				if blocked := ch.Blocked == "docker.a does not run" || strings.HasSuffix(ch.Blocked, "cannot be reached"); ch.Deferred == blocked || blocked == (down || starts) {
					t.Errorf("the engine's step starts it: %v, it starts: %v; %s %s: deferred %v, blocked %q", down, starts, ch.Action, ch.Address, ch.Deferred, ch.Blocked)
				}
			}
		}
	}
	c.hosts, c.opts.Destroy = false, true
	if p, problems := Build(c.input()); p != nil || !strings.Contains(problems.Error(), "docker.a goes in this plan and cannot be looked at") {
		t.Errorf("got %v", problems)
	}
}

// A swarm that does not answer may count on a machine that is to go: it has to
// leave first.
func TestUnreachableMembersStay(t *testing.T) {
	lost := func(scopes ...string) func(in *Input) {
		return func(in *Input) {
			for _, addr := range append(scopes, "swarm.main") {
				in.Scopes[addr] = &ScopeState{Scope: in.Scopes[addr].Scope, Status: Unreachable, Err: resource.ErrUnreachable}
			}
		}
	}
	const refused = "may be a member of swarm.main, which cannot be reached: it would go without leaving it"
	for _, tt := range []struct {
		name string
		cluster
		want string
	}{
		{"a member", cluster{declared: "a", there: "ab", joined: "ab", change: lost("docker.a")}, "vm.b " + refused},
		{"one that does not answer either", cluster{declared: "a", there: "ab", joined: "ab", change: lost("vm.a", "docker.a", "vm.b", "docker.b")}, "vm.b " + refused},
		{"one that was never looked at", cluster{declared: "a", there: "ab", joined: "ab", change: func(in *Input) {
			lost("docker.a")(in)
			delete(in.Scopes, "vm.b")
			delete(in.Scopes, "docker.b")
		}}, "vm.b " + refused},
		{"one that is made anew", cluster{declared: "ab", there: "ab", joined: "ab", change: func(in *Input) {
			lost("docker.a")(in)
			declared(in, "vm.b").Args[1] = "big"
		}}, "vm.b " + refused},
		{"a stranger to the swarm", cluster{declared: "a", there: "ab", joined: "a", change: lost("docker.a")}, ""},
		{"with permission", cluster{declared: "a", there: "ab", joined: "ab", change: lost("docker.a"), opts: Options{AllowDataLoss: true}}, ""},
	} {
		_, problems := Build(tt.input())
		if got := problems.Error(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The last manager's machine holds the swarm.
func TestLastManagerIsData(t *testing.T) {
	c := cluster{declared: "a", there: "a", joined: "a", opts: Options{Destroy: true}}
	if p, problems := Build(c.input()); p != nil || !strings.Contains(problems.Error(), "vm.a: without it swarm.main is lost: the swarm") {
		t.Errorf("got %v", problems)
	}
	c.declared, c.there, c.joined, c.home = "b", "ab", "ab", "b"
	c.opts = Options{}
	if p, problems := Build(c.input()); p == nil {
		t.Errorf("another manager stays, and got %v", problems)
	}
}
