package swarm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// cell is a swarm and what a plan does with its nodes. Nodes are given as those of
// managersIn are, workers with a "w" behind.
type cell struct {
	objects []*resource.Object
	planned []resource.Planned
}

func newCell(nodes string) *cell {
	c := &cell{}
	for _, s := range strings.Fields(nodes) {
		n := swarm.Node{ID: s[:1], Spec: swarm.NodeSpec{Role: swarm.NodeRoleWorker}, Status: swarm.NodeStatus{State: swarm.NodeStateReady}}
		n.Description.Hostname = s[:1]
		dead := strings.Contains(s, "?")
		if dead {
			n.Status.State = swarm.NodeStateDown
		}
		if !strings.Contains(s, "w") {
			n.Spec.Role = swarm.NodeRoleManager
			n.ManagerStatus = &swarm.ManagerStatus{Leader: strings.Contains(s, "*"), Reachability: swarm.ReachabilityReachable}
			if dead {
				n.ManagerStatus.Reachability = swarm.ReachabilityUnreachable
			}
		}
		c.objects = append(c.objects, nodeObject(n, strings.Contains(s, "@")))
	}
	return c
}

// plan adds what becomes of nodes: "+x" and "+xw" join, "-x" leaves, "^x" and "vx"
// change their role, "=x" is changed otherwise.
func (c *cell) plan(words string) *cell {
	role := func(name, role string) value.Struct {
		args := nodeArgs(name)
		f, _ := nodeSchema.Field("role")
		args[f.Index] = role
		return args
	}
	for _, s := range strings.Fields(words) {
		name := s[1:2]
		p := resource.Planned{Address: value.Address("swarm.main/node." + name)}
		if i := slices.IndexFunc(c.objects, func(o *resource.Object) bool { return o.Name == name }); i >= 0 && s[0] != '+' {
			p.Live = c.objects[i]
		}
		switch s[0] {
		case '+':
			p.Args = role(name, map[bool]string{true: "worker", false: "manager"}[strings.HasSuffix(s, "w")])
		case '-':
			p.Goes = true
		case '^':
			p.Args = role(name, "manager")
		case 'v':
			p.Args = role(name, "worker")
		case '=':
			p.Args = nodeArgs(name)
		}
		c.planned = append(c.planned, p)
	}
	return c
}

// order names the steps as plan does.
func order(chain []resource.Planned) string {
	var out []string
	for _, p := range chain {
		sign := "v"
		switch {
		case p.Goes:
			sign = "-"
		case p.Live == nil:
			sign = "+"
		case roleArg(p.Args) == "manager":
			sign = "^"
		}
		out = append(out, sign+p.Address.Name())
	}
	return strings.Join(out, " ")
}

func TestSequenceNodes(t *testing.T) {
	for _, tt := range []struct{ nodes, plan, want string }{
		{"a* b c dw", "", ""},
		{"a* b c dw", "+xw -d =a", ""},                          // workers come and go side by side
		{"a* bw cw dw?", "-b +bw -c +cw -d +dw", "-b +b -c +c"}, // those that are made anew do so one after another
		{"a* bw c d", "-b +bw -d +d", "-d +d -b +b"},            // managers first
		{"a* dw", "+b +c", "+b +c"},
		{"", "+a +b +c", "+a +b +c"}, // there is no swarm yet
		{"a*@ b c", "-b -c", "-b -c"},
		{"a* b c@", "-a -b", "-b -a"},             // the leader last
		{"a* b c@", "-a +d", "+d -a"},             // replaced: who comes is there first
		{"a* b c?", "-b -c +d +e", "-c +d +e -b"}, // who is gone goes before anybody comes
		{"a* b c@", "-b +b", "-b +b"},             // a machine that is made anew is back before the next one goes
		{"a* b c@ d e", "-a +a -b +b -d +f", "+f -b +b -a +a -d"},
		{"a* b c?", "-c +c", "-c +c"},
		{"a* b@ c d", "-a +aw", "-a"},                   // comes back as a worker
		{"a*@ b c dw", "^d vb -c +e", "+e ^d vb -c"},    // all at once
		{"a* b? c", "-b +d", "-b +d"},                   // a dead one is replaced
		{"a*@ b c d e", "-b -c -d -e", "-b -c -d -e"},   // five to one
		{"a*@ b? c? d e", "-b -c +f +g", "-b -c +f +g"}, // two dead ones of five
		{"a*@", "+b", "+b | warning: there will be 2 managers, an even number | 2 managers need 2, so 0 managers may fail: as many as of 1 | have 1, or 3"},
		{"a*@ b c", "-b", "-b | warning: there will be 2 managers"},
		{"a* b@ c dw?", "^d", "^d"}, // it is down, and no manager before it is back
		{"a*@ b c?", "-b", "error: removing b now would lose the quorum | managers: a (leader), b (reachable), c (unreachable) | " +
			"3 managers need 2; after removing b: 2 managers, 1 reachable, and 2 needed | bring c back, or remove it first"},
		{"a* b", "-a -b", "error: removing b and a now would lose the quorum | a swarm needs a manager | the last manager is the swarm itself, which goes with its declaration and --allow-data-loss"},
		{"a*@ b c", "-a", "error: a cannot be removed: the swarm is reached through it | managers: a (leader)"},
	} {
		c := newCell(tt.nodes).plan(tt.plan)
		chain, problem := sequenceNodes(c.objects, c.planned)
		got := order(chain)
		if problem != nil {
			if problem.Severity == diag.Warning {
				got += " | warning: "
			} else {
				got += "error: "
			}
			got += problem.Summary + "\n" + problem.Detail + "\n" + problem.Hint
		}
		parts := strings.Split(tt.want, " | ")
		for _, part := range parts[1:] {
			if !strings.Contains(got, part) {
				t.Errorf("%s, %s: got %s, want %s", tt.nodes, tt.plan, got, tt.want)
			}
		}
		if !strings.HasPrefix(got, parts[0]) || len(parts) == 1 && got != parts[0] {
			t.Errorf("%s, %s: got %s, want %s", tt.nodes, tt.plan, got, tt.want)
		}
	}
}

// A plan says how a member leaves.
func TestNodeEnding(t *testing.T) {
	for node, want := range map[string]string{
		"aw": "its tasks move to other nodes, and it leaves", "aw?": "it is down: the swarm forgets it", "a?": "it is down: the swarm forgets it",
		"a*": "its tasks move to other nodes; it is no manager any more, and leaves",
	} {
		if got := nodeEnding(newCell(node).objects[0], false); got != want {
			t.Errorf("%s: %q, want %q", node, got, want)
		}
	}
}

// Whatever the managers are, and whoever comes and goes: each step leaves enough
// of them to agree, the leader goes last, and what is refused cannot be done.
func TestSequenceKeepsTheQuorum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	refused, carried := 0, 0
	for range 20000 {
		nodes, words := randomCell(rnd)
		c := newCell(nodes).plan(words)
		managers := managersOf(c.objects)
		if countReachable(managers) < quorum(len(managers)) {
			continue // nothing can be changed there
		}
		chain, problem := sequenceNodes(c.objects, c.planned)
		if problem != nil && problem.Severity == diag.Error {
			refused++
			if canLeave(managers, c.planned) {
				t.Fatalf("%s, %s: refused: %s\n%s", nodes, words, problem.Summary, problem.Detail)
			}
			continue
		}
		carried++
		inOrder(t, nodes+","+words, chain)
		for i, p := range chain {
			managers = after(managers, p)
			if len(managers) == 0 || countReachable(managers) < quorum(len(managers)) {
				t.Fatalf("%s, %s: after %s there are %v", nodes, words, order(chain[:i+1]), managers)
			}
		}
		for _, p := range c.planned {
			n := nodeOf(p.Live)
			matters := p.Live == nil && roleArg(p.Args) == "manager" || n != nil && n.ManagerStatus != nil && (p.Goes || roleArg(p.Args) == "worker")
			if in := slices.ContainsFunc(chain, func(q resource.Planned) bool { return q.Address == p.Address && q.Live == p.Live }); matters && !in {
				t.Fatalf("%s, %s: %s is left out of %s", nodes, words, p.Address, order(chain))
			}
		}
	}
	if refused < 500 || carried < 1000 {
		t.Errorf("%d were refused, %d not", refused, carried)
	}
}

// inOrder checks that of one address who goes goes first, and that the leader goes
// last of those that are made anew, and of those that leave.
func inOrder(t *testing.T, what string, chain []resource.Planned) {
	t.Helper()
	back := func(p resource.Planned) bool {
		return slices.ContainsFunc(chain, func(q resource.Planned) bool { return q.Address == p.Address && q.Live == nil })
	}
	for i, p := range chain {
		n := nodeOf(p.Live)
		for _, later := range chain[i+1:] {
			switch m := nodeOf(later.Live); {
			case n == nil && m != nil && p.Address == later.Address:
				t.Fatalf("%s: %s comes before it goes: %s", what, p.Address, order(chain))
			case n == nil || m == nil || n.ManagerStatus == nil || !n.ManagerStatus.Leader || !reachable(m.Node):
			case back(p) == back(later):
				t.Fatalf("%s: the leader goes before others: %s", what, order(chain))
			}
		}
	}
}

// after is the managers after a step.
func after(managers []manager, p resource.Planned) []manager {
	n := nodeOf(p.Live)
	switch {
	case n == nil:
		return append(slices.Clone(managers), manager{ID: string(p.Address), Reachable: true})
	case p.Goes || roleArg(p.Args) == "worker":
		return slices.DeleteFunc(slices.Clone(managers), func(m manager) bool { return m.ID == n.ID })
	case !down(p.Live):
		return append(slices.Clone(managers), manager{ID: n.ID, Reachable: true})
	}
	return managers
}

// canLeave reports whether there is an order at all in which those that go can
// go: once all have come whose place is free, each with its successor at once.
func canLeave(managers []manager, planned []resource.Planned) bool {
	goes := map[value.Address]bool{}
	var going []resource.Planned
	for _, p := range planned {
		if n := nodeOf(p.Live); n != nil && n.ManagerStatus != nil && (p.Goes || roleArg(p.Args) == "worker") {
			goes[p.Address] = true
			going = append(going, p)
		}
	}
	back := map[value.Address]resource.Planned{}
	for _, p := range planned {
		switch n := nodeOf(p.Live); {
		case roleArg(p.Args) != "manager" || n != nil && n.ManagerStatus != nil:
		case goes[p.Address]:
			back[p.Address] = p
		default:
			managers = after(managers, p)
		}
	}
	return leaveSomehow(managers, going, back)
}

func leaveSomehow(managers []manager, going []resource.Planned, back map[value.Address]resource.Planned) bool {
	if len(going) == 0 {
		return true
	}
	for i, p := range going {
		rest := after(managers, p)
		if len(rest) == 0 || countReachable(rest) < quorum(len(rest)) {
			continue
		}
		if b, ok := back[p.Address]; ok {
			rest = after(rest, b)
		}
		if leaveSomehow(rest, slices.Delete(slices.Clone(going), i, i+1), back) {
			return true
		}
	}
	return false
}

func randomCell(rnd *rand.Rand) (nodes, words string) {
	n, leads := 1+rnd.IntN(5), false
	for i := range n + 1 {
		name := string(rune('a' + i))
		worker, dead := i == n, rnd.IntN(4) == 0
		nodes += " " + name
		switch {
		case worker:
			nodes += "w"
		case !dead && !leads:
			nodes, leads = nodes+"*", true
		}
		if dead {
			nodes += "?"
		}
		switch {
		case rnd.IntN(2) == 0:
		case worker:
			words += " ^" + name
		case rnd.IntN(3) == 0:
			words += " v" + name
		default:
			if words += " -" + name; rnd.IntN(3) == 0 {
				words += " +" + name
			}
		}
	}
	for i := range rnd.IntN(3) {
		words += fmt.Sprintf(" +%c", 'x'+i)
	}
	return nodes, words
}
