package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Some objects let others in: firewalls, of which each member of a swarm has one.
// They are gates: who joins follows them, when they are open, and who leaves has
// left before they are closed. Where both happen in one plan, or something else
// waits for a gate, it is widened first and narrowed at the end, when nothing
// waits for it any more.

// narrows reports whether a gate has to stay open for those who leave in this
// plan.
func (b *builder) narrows(c *Change) bool {
	if c.Kind.Widen == nil || c.Action != Update || c.Blocked != "" || c.Live == nil || c.Imported || !b.anyLeaves() {
		return false
	}
	_, more := c.Kind.Widen(c.Live, c.Args)
	return more
}

// Widened decides about an object that is there and lets others in as if it let in
// those who shall be and those who are; it is nil where it does.
func (c Case) Widened() (*Change, diag.List) {
	final, problems := Decide(c)
	if final == nil {
		return nil, problems
	}
	if final.Live == nil || final.Action != Update {
		return nil, nil
	}
	wide, _ := c.Decl.Kind.Widen(final.Live, final.Args)
	d := *c.Decl
	d.SetArgs(wide)
	c.Decl = &d
	now, problems := Decide(c)
	if now == nil || now.Action != Update {
		return nil, problems
	}
	return now, nil
}

func (b *builder) anyLeaves() bool { return slices.ContainsFunc(b.plan.Changes, leaves) }

// leaves reports whether something that was let in needs that no more when the
// change is made.
func leaves(c *Change) bool {
	switch {
	case c.Kind.Find == nil || c.Blocked != "":
		return false
	case c.Action == Update:
		return c.Kind.StepsDown != nil && c.Kind.StepsDown(c.Fields)
	}
	return c.Action == Delete
}

// linkClosing lets gates be closed, or taken away, when those have left who leave.
// Nothing waits for that.
func (b *builder) linkClosing(closing, pure []*Node, do map[value.Address]*Node) {
	var left []*Node
	for _, n := range pure {
		if leaves(n.Change) {
			left = append(left, n)
		} else if n.Change.Kind.Widen != nil {
			closing = append(closing, n)
		}
	}
	for _, c := range b.plan.Changes {
		if !c.Action.Drops() && leaves(c) {
			left = append(left, do[c.Address])
		}
	}
	for _, n := range closing {
		n.after(left...)
	}
}

// linkGates lets those who join wait for the gates that they follow, and services
// for the copies of their images: at one barrier those that share their list.
func (b *builder) linkGates(g *Graph, do map[value.Address]*Node) {
	barriers := map[*value.Address]*Node{}
	for _, c := range b.plan.Changes {
		if c.Decl == nil || len(c.Decl.Follows) == 0 || c.Blocked != "" || c.Action != Create && c.Action != Update && c.Action != Replace {
			continue
		}
		if b.loose[c.Address] {
			b.linkLoose(g, c, do)
			continue
		}
		same := &c.Decl.Follows[0]
		if barriers[same] == nil {
			barriers[same] = g.add(nil, Barrier)
			for _, a := range c.Decl.Follows {
				if gate := b.changes[a]; gate != nil && gate.Blocked == "" && gate.Changes() {
					barriers[same].after(do[a])
				}
			}
		}
		do[c.Address].after(barriers[same])
	}
}

// linkLoose lets something join that cannot wait until its gates are as they shall
// be: they wait for machines that are made anew one after another, each when the
// one before has joined. They are widened for this one, as soon as what it needs
// is there. A gate that comes to be is closed to nobody before.
func (b *builder) linkLoose(g *Graph, c *Change, do map[value.Address]*Node) {
	for _, a := range c.Decl.Follows {
		gate := b.changes[a]
		if gate == nil || gate.Kind.Widen == nil || gate.Blocked != "" || !gate.Changes() {
			continue
		}
		ix := b.index[gate.Scope]
		if ix.State.Status != Present || ix.Live(gate.Decl) == nil {
			continue
		}
		wide := g.add(gate, Widen)
		b.needs(c.Decl, func(need value.Address) { wide.after(do[need]) })
		do[c.Address].after(wide)
		do[a].after(wide)
	}
}

// loosen breaks a cycle in which something waits for its gates.
func (b *builder) loosen(cycle []int) bool {
	for i, id := range cycle {
		n := b.plan.Graph.Nodes[id]
		next := b.plan.Graph.Nodes[cycle[(i+1)%len(cycle)]]
		if c := n.Change; c != nil && c.Decl != nil && len(c.Decl.Follows) > 0 && next.Change == nil && !b.loose[c.Address] && b.gates(next, c) {
			b.loose[c.Address] = true
			return true
		}
	}
	return false
}

// gates reports whether a barrier is the one at which a change waits for what it
// follows.
func (b *builder) gates(barrier *Node, c *Change) bool {
	return slices.ContainsFunc(barrier.Deps, func(id int) bool {
		gate := b.plan.Graph.Nodes[id].Change
		return gate != nil && slices.Contains(c.Decl.Follows, gate.Address)
	})
}
