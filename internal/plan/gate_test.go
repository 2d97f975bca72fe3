package plan

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A gate in short: it lets in whom it names.
var gateKind = &resource.Kind{
	Name: "firewall", Scope: "host", Out: out, Rank: 3, Single: true,
	Schema: schema.Of(struct {
		Name string   `star:"name,pos,local"`
		Lets []string `star:"lets,set"`
	}{}),
	Widen: func(live *resource.Object, args value.Struct) (value.Struct, bool) {
		wide, more := slices.Clone(args), false
		var all value.List
		want, _ := args[1].(value.List)
		for _, v := range want {
			if value.Known(v) {
				all = append(all, v)
			} else {
				more = true
			}
		}
		have, _ := live.Args[1].(value.List)
		for _, v := range have {
			if !slices.Contains(all, v) {
				all, more = append(all, v), true
			}
		}
		wide[1] = all
		return wide, more
	},
}

// gated gives each machine of a cluster a gate that lets the others in, and lets
// nodes join when the gates are open. Those of the machines that are in the swarm
// let its members in.
func (c cluster) gated() cluster {
	change, machines := c.change, "vm."
	if c.hosts {
		machines = "host."
	}
	machine := func(n string) string { return machines + n }
	c.change = func(in *Input) {
		known := in.Kinds
		in.Kinds = func(scope, name string) *resource.Kind {
			if name == "firewall" {
				return gateKind
			}
			return known(scope, name)
		}
		var gates []value.Address
		for _, n := range strings.Split(c.declared, "") {
			d := bare(gateKind, machine(n), machine(n)+"/firewall."+n)
			var lets value.List
			for _, o := range strings.Split(c.declared, "") {
				if o != n {
					lets = append(lets, value.Value("m-"+o))
					if !c.hosts {
						lets[len(lets)-1] = value.Ref{Address: value.Address("vm." + o), Output: "id", Type: "string"}
					}
				}
			}
			d.Args[1] = lets
			gates = append(gates, d.Address)
			in.Program.Declarations = append(in.Program.Declarations, d)
		}
		for _, n := range strings.Split(c.joined, "") {
			if obs := in.Scopes[machine(n)].Obs; obs != nil {
				o := alive(gateKind, "f-"+n, machine(n)+"/firewall."+n)
				var lets value.List
				for _, m := range strings.Split(c.joined, "") {
					if m != n {
						lets = append(lets, "m-"+m)
					}
				}
				o.Args[1] = lets
				obs.Objects = append(obs.Objects, o)
			}
		}
		for _, d := range in.Program.Declarations {
			if d.On != "" {
				d.Follows = gates
			}
		}
		if change != nil {
			change(in)
		}
	}
	return c
}

// anew sets the machines that are made anew, each when the one before is back.
func anew(names string) func(in *Input) {
	return func(in *Input) {
		for _, n := range strings.Split(names, "") {
			declared(in, "vm."+n).Args[1] = "big"
		}
		oneByOne, known := *nodeKind, in.Kinds
		in.Kinds = func(scope, name string) *resource.Kind {
			if name == "node" {
				return &oneByOne
			}
			return known(scope, name)
		}
		oneByOne.Sequence = func(_ []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
			out := slices.Clone(planned)
			slices.SortStableFunc(out, func(a, b resource.Planned) int {
				if c := strings.Compare(string(a.Address), string(b.Address)); c != 0 {
					return c
				}
				if a.Goes {
					return -1
				}
				return 1
			})
			return out, nil
		}
		for _, d := range in.Program.Declarations {
			if d.Kind == nodeKind {
				d.Kind = &oneByOne
			}
		}
	}
}

// Who joins finds the gates open, who leaves is let in until it has left. "w:"
// names what is widened first, or for somebody.
func TestGates(t *testing.T) {
	for _, tt := range []struct {
		name string
		cluster
		want   string
		before []string
		wide   int
	}{
		{"from nothing", cluster{declared: "ab"}, `
+ vm.a
+ docker.a
+ vm.b
+ docker.b
+ swarm.main
+ node.a
+ node.b
+ service.web
+ firewall.a
+ firewall.b`, []string{"vm.b < firewall.a", "firewall.a < node.b", "firewall.b < node.b", "firewall.b < node.a"}, 0},
		{"as declared", cluster{declared: "ab", there: "ab", joined: "ab"}, "", nil, 0},
		{"one more", cluster{declared: "abc", there: "ab", joined: "ab"}, `
+ vm.c
+ docker.c
+ node.c
~ firewall.a lets:["m-b"]>["m-b", (known after apply)]
~ firewall.b lets:["m-a"]>["m-a", (known after apply)]
+ firewall.c`, []string{"firewall.a < node.c", "firewall.b < node.c", "firewall.c < node.c"}, 0},
		{"one less", cluster{declared: "ab", there: "abc", joined: "abc"}, `
~ firewall.a lets:["m-b", "m-c"]>["m-b"]
~ firewall.b lets:["m-a", "m-c"]>["m-a"]
- node.c (no longer declared)
- vm.c (no longer declared)`, []string{"-node.c < firewall.a", "-node.c < firewall.b", "w:firewall.a < firewall.a"}, 2},
		{"one for another", cluster{declared: "abd", there: "abc", joined: "abc"}, `
+ vm.d
+ docker.d
+ node.d
~ firewall.a lets:["m-b", "m-c"]>["m-b", (known after apply)]
~ firewall.b lets:["m-a", "m-c"]>["m-a", (known after apply)]
+ firewall.d
- node.c (no longer declared)
- vm.c (no longer declared)`, []string{"w:firewall.a < node.d", "w:firewall.b < node.d", "-node.c < firewall.a", "-node.c < firewall.b"}, 2},
		{"one steps down", cluster{declared: "ab", there: "ab", joined: "ab", change: func(in *Input) {
			declared(in, "swarm.main/node.b").Args[2] = "worker"
			declared(in, "vm.b/firewall.b").Args[1] = value.List{}
		}}, `
~ node.b role:"">"worker"
~ firewall.b lets:["m-a"]>[]`, []string{"w:firewall.b < node.b", "node.b < firewall.b"}, 1},
		{"one machine is made anew", cluster{declared: "ab", there: "ab", joined: "ab", change: anew("b")}, `
-/+ vm.b size:"">"big"!
+ docker.b
+ node.b
~ firewall.a lets:["m-b"]>[(known after apply)]
+ firewall.b
- node.b (node.b is another node now)`, []string{"-node.b < -vm.b", "vm.b < w:firewall.a", "w:firewall.a < node.b"}, 1},
		{"several machines are made anew, one after another", cluster{declared: "abc", there: "abc", joined: "abc", change: anew("bc")}, `
-/+ vm.b size:"">"big"!
+ docker.b
-/+ vm.c size:"">"big"!
+ docker.c
+ node.b
+ node.c
~ firewall.a lets:["m-b", "m-c"]>[(known after apply), (known after apply)]
+ firewall.b
+ firewall.c
- node.b (node.b is another node now)
- node.c (node.c is another node now)`,
			[]string{"node.b < -node.c", "vm.b < w:firewall.a", "w:firewall.a < node.b", "w:firewall.c < node.b", "w:firewall.c < -vm.c", "vm.c < firewall.a", "w:firewall.a < firewall.a"}, 4},
		{"a gate cannot be reached", cluster{declared: "abc", there: "ab", joined: "ab", change: func(in *Input) {
			in.Scopes["vm.b"] = &ScopeState{Scope: in.Scopes["vm.b"].Scope, Status: Unreachable, Err: resource.ErrUnreachable}
		}}, "", []string{"firewall.a < node.c"}, 0},
		{"somebody lets a gate wait for who joins", cluster{declared: "ab", there: "ab", joined: "a", change: func(in *Input) {
			declared(in, "vm.a/firewall.a").After = []value.Address{"swarm.main/node.b"}
		}}, "", []string{"w:firewall.a < node.b", "node.b < firewall.a"}, 1},
		{"a part: who joins takes along what lets it in", cluster{declared: "abc", there: "ab", joined: "ab", opts: Options{Targets: []string{"node.c"}}}, `
+ vm.c
+ docker.c
+ node.c
~ firewall.a lets:["m-b"]>["m-b", (known after apply)]
~ firewall.b lets:["m-a"]>["m-a", (known after apply)]
+ firewall.c`, []string{"firewall.a < node.c"}, 0},
		{"a part: a gate that is left out keeps nobody out", cluster{declared: "abc", there: "ab", joined: "ab", opts: Options{Exclude: []string{"vm.b/firewall.b"}}}, `
+ vm.c
+ docker.c
+ node.c
~ firewall.a lets:["m-b"]>["m-b", (known after apply)]
+ firewall.c`, []string{"firewall.a < node.c"}, 0},
		{"everything goes", cluster{declared: "ab", there: "ab", joined: "ab", hosts: true, opts: Options{Destroy: true, AllowDataLoss: true}}, "",
			[]string{"-node.b < -firewall.a", "-node.b < -firewall.b"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Build(tt.gated().input())
			if p == nil {
				t.Fatal(problems)
			}
			if got := text(p); tt.want != "" && got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			wide := 0
			for _, n := range p.Graph.Nodes {
				if n.Phase == Widen {
					wide++
				}
			}
			if wide != tt.wide {
				t.Errorf("%d times something is widened, want %d", wide, tt.wide)
			}
			for _, b := range tt.before {
				x, y, _ := strings.Cut(b, " < ")
				if !slices.ContainsFunc(nodesOf(p, x), func(x *Node) bool {
					return slices.ContainsFunc(nodesOf(p, y), func(y *Node) bool { return reaches(p.Graph, x, y) })
				}) {
					t.Errorf("%s does not come before %s", x, y)
				}
			}
		})
	}
}

// nodesOf returns the nodes of a step: "-a" takes it away, "w:a" widens it.
func nodesOf(p *Plan, name string) (out []*Node) {
	short, away := strings.CutPrefix(name, "-")
	short, wide := strings.CutPrefix(short, "w:")
	for _, n := range p.Graph.Nodes {
		if n.Change != nil && n.Change.Address.Short() == short && (n.Phase == Widen) == wide && (n.Phase == Destroy || n.Change.Action.Drops()) == away {
			out = append(out, n)
		}
	}
	return out
}

// Whoever comes and goes, and whatever is made anew, there is an order in which
// nobody joins before the gates that are there are open to it, or is shut out
// before it has left.
func TestGatesRandom(t *testing.T) {
	built, loose := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var c cluster
		var fresh string
		for _, n := range "abcdef" {
			there := r.IntN(3) > 0
			joined := there && r.IntN(4) > 0
			if there {
				c.there += string(n)
			}
			if joined {
				c.joined += string(n)
			}
			if r.IntN(4) > 0 || c.declared == "" && n == 'f' {
				c.declared += string(n)
				if there && r.IntN(3) == 0 {
					fresh += string(n)
				}
			}
		}
		home := strings.IndexFunc(c.declared, func(n rune) bool { return strings.ContainsRune(c.joined, n) && !strings.ContainsRune(fresh, n) })
		if home < 0 {
			continue // another manager has to be found first
		}
		c.home = c.declared[home : home+1]
		c.opts.AllowDataLoss = true
		if fresh != "" {
			c.change = anew(fresh)
		}
		in := c.gated().input()
		p, problems := Build(in)
		if p == nil {
			if strings.Contains(problems.Error(), "order") || strings.Contains(problems.Error(), "wait for each other") {
				t.Fatalf("seed %d: %+v, anew %s: %v", seed, c, fresh, problems)
			}
			continue // it may be that nothing of the swarm would be left
		}
		built++
		for _, x := range p.Graph.Nodes {
			if x.Change == nil || x.Change.Kind.Name != "node" || x.Change.Action != Create && x.Change.Action != Delete {
				continue
			}
			for _, n := range strings.Split(c.declared, "") {
				if !strings.Contains(c.joined, n) { // no gate is there yet
					continue
				}
				gate := "firewall." + n
				all := append(nodesOf(p, "w:"+gate), nodesOf(p, gate)...)
				if x.Change.Action == Create && len(all) > 0 && all[0].Change.Changes() && !slices.ContainsFunc(all, func(g *Node) bool { return reaches(p.Graph, g, x) }) {
					t.Fatalf("seed %d: %+v, anew %s: %s joins before %s is open", seed, c, fresh, x.Change.Address, gate)
				}
				if x.Change.Action == Delete && !strings.Contains(fresh, n) && slices.ContainsFunc(nodesOf(p, gate), func(g *Node) bool { return g.Change.Action == Update && !reaches(p.Graph, x, g) }) {
					t.Fatalf("seed %d: %+v, anew %s: %s is closed before %s has left", seed, c, fresh, gate, x.Change.Address)
				}
			}
		}
		if slices.ContainsFunc(p.Graph.Nodes, func(n *Node) bool {
			return n.Phase == Widen && slices.ContainsFunc(n.Deps, func(d int) bool {
				c := p.Graph.Nodes[d].Change
				return c != nil && c.Kind.Name == "docker"
			})
		}) {
			loose++
		}
	}
	if built < 300 || loose < 20 {
		t.Errorf("only %d plans were made, %d of them with gates that are widened one by one", built, loose)
	}
}
