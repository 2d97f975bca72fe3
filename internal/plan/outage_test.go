package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// rester is a handler of what can rest. Two can be spared at most.
type rester struct {
	resource.Handler
	resource.Rester
}

func (rester) Spare(_ []*resource.Object, off, cycled []string) *diag.Diagnostic {
	if len(off)+min(1, len(cycled)) <= 2 {
		return nil
	}
	return &diag.Diagnostic{Summary: fmt.Sprint(off, " and ", cycled, " cannot be spared")}
}

// A machine is off while its size changes, and while its disk does: a disk is called
// after the machine that has it, with a number.
var (
	offSpec = schema.Of(struct {
		Name string `star:"name,pos,local"`
		Size string `star:"size"`
		Runs bool   `star:"runs" default:"true"`
	}{})
	offMachine = &resource.Kind{Name: "vm", Schema: offSpec, Out: out, Scope: "cloud", Opens: "host", Rank: 1, Handler: opens{},
		Outage: func(o *resource.Object, _ value.Struct, changes []schema.Change) *resource.Outage {
			runs := o.Args[2] == true
			out := &resource.Outage{Machine: o.ID, Begins: runs, Ends: runs}
			for _, c := range changes {
				if c.Field.Name == "runs" {
					out.Ends = c.After == true
				}
			}
			return out
		},
		Off: func(args value.Struct) bool { return args[2] == false },
	}
	offDisk = &resource.Kind{Name: "disk", Schema: offSpec, Out: out, Scope: "cloud", Rank: 1, Handler: opens{},
		Outage: func(o *resource.Object, _ value.Struct, _ []schema.Change) *resource.Outage {
			runs := o.Args[2] == true
			return &resource.Outage{Machine: "m-" + o.Name[:1], Begins: runs, Ends: runs}
		}}
	restingNode = func() *resource.Kind {
		k := *nodeKind
		k.Handler = rester{}
		return &k
	}()
)

// switched is a cluster whose machines, and so many disks of each, can be changed:
// those of the names given get another size.
func switched(declared, joined string, disks int, change ...string) cluster {
	size := func(name string) string {
		if slices.Contains(change, name) {
			return "big"
		}
		return "small"
	}
	return cluster{declared: declared, there: declared, joined: joined, change: func(in *Input) {
		var extra []*resource.Declaration
		for _, d := range in.Program.Declarations {
			switch d.Kind {
			case machineKind:
				d.Kind = offMachine
				d.Args = args(offMachine, "name", d.Address.Name(), "size", size(d.Address.Name()), "runs", true)
				for i := range disks {
					name := fmt.Sprint(d.Address.Name(), i)
					disk := bare(offDisk, "cloud.c", "disk."+name)
					disk.Args = args(offDisk, "name", name, "size", size(name), "runs", true)
					extra = append(extra, disk)
				}
			case nodeKind:
				d.Kind = restingNode
			}
		}
		in.Program.Declarations = append(extra, in.Program.Declarations...)
		cloud := in.Scopes["cloud.c"].Obs
		for _, o := range cloud.Objects {
			o.Args = args(offMachine, "name", o.Name, "size", "small", "runs", true)
		}
		for _, d := range extra {
			o := alive(offDisk, "d-"+d.Address.Name(), string(d.Address))
			o.Args = args(offDisk, "name", o.Name, "size", "small", "runs", true)
			cloud.Objects = append(cloud.Objects, o)
		}
	}}
}

// made returns the nodes of a plan that do something.
func made(t *testing.T, c cluster) map[string]*Node {
	t.Helper()
	p, problems := Build(c.input())
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	do := map[string]*Node{}
	for _, n := range p.Graph.Nodes {
		if n.Change != nil && n.Phase == Do {
			do[n.Change.Address.Short()] = n
		}
	}
	return do
}

// What is switched off for a while is so behind what rests on it, whether it changes
// itself or its disk does.
func TestRests(t *testing.T) {
	do := made(t, switched("abcd", "abc", 1, "b", "c0", "d", "d0"))
	for name, want := range map[string]string{"vm.a": "", "disk.a0": "", "vm.b": "node.b", "disk.b0": "", "vm.c": "", "disk.c0": "node.c", "vm.d": "", "disk.d0": ""} {
		c := do[name].Change
		got := ""
		if c.Outage != nil {
			for _, a := range c.Outage.Rests {
				got += a.Short()
			}
		}
		if got != want || strings.Contains(c.Effect, want+" is drained before, and takes tasks again after") != (want != "") {
			t.Errorf("%s: %s rests, %q; want %s", name, got, c.Effect, want)
		}
	}
	after := func(a, b string) bool { return slices.Contains(do[a].Deps, do[b].ID) }
	if !after("service.web", "vm.b") && !after("service.web", "disk.c0") {
		t.Error("the service does not wait until all are back")
	}
	if !after("vm.b", "disk.c0") || after("vm.d", "vm.b") || after("disk.d0", "disk.c0") {
		t.Error("the machines of the swarm are not switched off one after another, or one that is in none waits for them")
	}
	if !after("vm.d", "disk.d0") {
		t.Error("a machine and its disk change at once")
	}
}

// A machine that is off already is started before another is switched off, and what
// its disks become they become before it runs.
func TestStartsBeforeOthersStop(t *testing.T) {
	c := switched("abc", "abc", 1, "a", "c0")
	off := c.change
	c.change = func(in *Input) {
		off(in)
		poweredOff("c")(in)
		for _, o := range in.Scopes["cloud.c"].Obs.Objects {
			if strings.HasPrefix(o.Name, "c") {
				o.Args[2] = false
			}
		}
		disks := in.Program.Declarations[:3]
		in.Program.Declarations = append(slices.Clone(in.Program.Declarations[3:]), disks...)
		declared(in, "disk.c0").Args[2] = false
	}
	do := made(t, c)
	if got := do["vm.c"].Change.Effect; got != "; node.c takes tasks again after" {
		t.Errorf("the effect is %q", got)
	}
	if !slices.Contains(do["vm.a"].Deps, do["vm.c"].ID) || !slices.Contains(do["vm.c"].Deps, do["disk.c0"].ID) {
		t.Error("the order is another one")
	}
}

// What is chosen with a disk is what rests meanwhile, though it refers to none of it.
func TestTargetRests(t *testing.T) {
	c := switched("abc", "abc", 1, "b0", "c0")
	c.opts.Targets = []string{"disk.b0"}
	do := made(t, c)
	if o := do["disk.b0"].Change.Outage; len(o.Rests) != 1 || do["disk.c0"] != nil {
		t.Errorf("%v rests", o.Rests)
	}
}

// A machine that is made anew lets go of its disk before that changes.
func TestDiskOfWhatIsMadeAnew(t *testing.T) {
	c := switched("ab", "ab", 1, "b0")
	c.opts.Replace = []string{"vm.b"}
	do := made(t, c)
	if disk := do["disk.b0"]; disk.Change.Outage != nil || !slices.Contains(disk.Deps, do["vm.b"].Deps[0]) {
		t.Errorf("the disk changes under its machine: %+v", disk)
	}
}

// A machine that is switched off for good is so behind what rests on it. What is on it
// is left as it is, and what needs to know of that; all else goes on.
func TestSwitchedOffForGood(t *testing.T) {
	c := switched("abcd", "abcd", 0)
	c.home = "b"
	on := c.change
	c.change = func(in *Input) {
		on(in)
		for _, name := range []string{"vm.c", "vm.d"} {
			declared(in, name).Args[2] = false
		}
		declared(in, "docker.c").Args[2] = "changed"
		declared(in, "docker.d").Args[2] = value.Ref{Address: "docker.c", Output: "id", Type: "string"}
		declared(in, "docker.a").Args[2] = value.Ref{Address: "docker.d", Output: "id", Type: "string"}
		declared(in, "docker.b").After = []value.Address{"docker.c"}
		declared(in, "docker.b").Args[2] = "changed"
		in.Scopes["vm.c"].Obs.Objects = append(in.Scopes["vm.c"].Obs.Objects, alive(appKind, "x", "vm.c/service.gone"))
	}
	got := ""
	p, problems := Build(c.input())
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	for _, change := range p.Changes {
		if change.Action != NoOp || change.Left != "" {
			got += fmt.Sprintln(change.Action, change.Address.Short(), change.Effect+change.Left)
		}
	}
	if want := `update vm.c ; node.c is drained before
update vm.d ; node.d is drained before
no-op docker.a vm.d is not to run
update docker.b 
no-op docker.c vm.c is not to run
no-op docker.d vm.d is not to run
`; sortedLines(got) != sortedLines(want) {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if going := Going(c.input()); !going["vm.c"] || !going["docker.d"] || going["docker.a"] {
		t.Errorf("the swarm is not to be reached through %v", going)
	}
	inOrder(t, p, []*Node{find(t, p, "vm.c"), find(t, p, "vm.d")})

	// Together with another it is too much, also where that is only off for a while, or
	// is off already.
	for _, more := range []func(in *Input){
		func(in *Input) { declared(in, "vm.a").Args[2] = false },
		func(in *Input) { declared(in, "vm.a").Args[1] = "big" },
		func(in *Input) {
			declared(in, "vm.a").Args[2] = false
			for _, o := range in.Scopes["cloud.c"].Obs.Objects {
				o.Args[2] = o.Name != "a"
			}
			poweredOff("a")(in)
		},
	} {
		much := c
		much.change = func(in *Input) { c.change(in); more(in) }
		if _, problems := Build(much.input()); !strings.Contains(problems.Error(), "x.star:1:1: swarm.main: [n-") {
			t.Errorf("it is not refused: %v", problems)
		}
	}
}

// One that is made anew, and not to run, leaves its swarm before: it is another node
// when it runs.
func TestMadeAnewAndOff(t *testing.T) {
	c := switched("abc", "abc", 0)
	c.opts.Replace = []string{"vm.c"}
	on := c.change
	c.change = func(in *Input) { on(in); declared(in, "vm.c").Args[2] = false }
	p, problems := Build(c.input())
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, change := range p.Changes {
		if change.Changes() {
			got = append(got, fmt.Sprint(change.Action, " ", change.Address.Short()))
		}
	}
	if want := []string{"replace vm.c", "delete node.c"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if !reaches(p.Graph, find(t, p, "-node.c"), find(t, p, "-vm.c")) {
		t.Error("the machine goes before its node has left")
	}
}

func sortedLines(s string) string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// However machines, their disks and the members of a swarm change: no two machines of
// a swarm are off at once, no machine is in two steps at once, and nobody joins or
// leaves meanwhile.
func TestOneOff(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		var change []string
		for _, m := range "abcde" {
			for _, suffix := range []string{"", "0", "1"} {
				if r.IntN(3) == 0 {
					change = append(change, string(m)+suffix)
				}
			}
		}
		joined := "abcde"[:2+r.IntN(4)]
		c := switched("abcde", joined, 2, change...)
		if r.IntN(3) == 0 {
			c.opts.Replace = []string{"vm." + string("bcde"[r.IntN(4)])}
		}
		p, problems := Build(c.input())
		if problems.Err() != nil {
			t.Fatalf("seed %d: %v", seed, problems)
		}
		var queue []*Node // what takes a member of the swarm out, or in
		machine := map[value.Address][]*Node{}
		for _, n := range p.Graph.Nodes {
			if n.Change == nil || n.Phase != Do {
				continue
			}
			o := n.Change.Outage
			if o != nil {
				machine[o.Machine] = append(machine[o.Machine], n)
			}
			if o != nil && strings.Contains(joined, o.Machine.Name()) || n.Change.Kind == restingNode && (n.Change.Action == Create || n.Change.Action == Delete) {
				queue = append(queue, n)
			}
			if o != nil && strings.Contains(joined, o.Machine.Name()) != (len(o.Rests) == 1) {
				t.Errorf("seed %d: while %s is off %v rest", seed, o.Machine, o.Rests)
			}
		}
		inOrder(t, p, queue)
		for _, nodes := range machine {
			inOrder(t, p, nodes)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v change, %s are in the swarm, %v", seed, change, joined, c.opts.Replace)
		}
	}
}

// inOrder fails the test where two nodes may run at once.
func inOrder(t *testing.T, p *Plan, nodes []*Node) {
	t.Helper()
	for i, n := range nodes {
		for _, m := range nodes[:i] {
			if !reaches(p.Graph, n, m) && !reaches(p.Graph, m, n) {
				t.Errorf("%s %s and %s %s may be made at once", n.Change.Action, n.Change.Address, m.Change.Action, m.Change.Address)
			}
		}
	}
}
