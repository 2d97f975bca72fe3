package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// arrange makes the graph, and changes what stands in its way: where a
// resource has to let go of something before it can know what it shall become,
// it is replaced instead of updated, and a replacement that might have turned
// out not to be needed is made.
func (b *builder) arrange() {
	for range 2*len(b.plan.Changes) + 1 {
		if again := b.link(); again {
			continue
		}
		_, cycle := b.plan.Graph.Order()
		if cycle == nil {
			return
		}
		if !b.breakCycle(cycle) {
			b.fail(&diag.Diagnostic{Pos: b.plan.Graph.pos(cycle), Summary: "these cannot be put in an order: " + b.plan.Graph.describe(cycle)})
			return
		}
	}
}

func (b *builder) breakCycle(cycle []int) bool {
	if b.loosen(cycle) {
		return true
	}
	for _, id := range cycle {
		if n := b.plan.Graph.Nodes[id]; n.Change != nil && n.Change.Tentative {
			n.Change.Tentative = false
			return true
		}
	}
	for _, id := range cycle {
		c := b.plan.Graph.Nodes[id].Change
		if c != nil && c.Action == Update && !c.Kind.Busy && !c.Kind.Versioned && c.Kind.Opens == "" {
			c.Action, c.Effect = Replace, ""
			c.Reason = "it must let go of what is replaced before its new arguments are known"
			b.redecide(c.Address)
			return true
		}
	}
	return false
}

// redecide decides again about what refers to a resource that will be made
// anew after all: what was known of it will not hold.
func (b *builder) redecide(anew value.Address) {
	again := map[value.Address]bool{anew: true}
	for _, d := range b.ordered {
		c := b.changes[d.Address]
		if again[d.Address] || c == nil || c.Blocked != "" || c.Action == Replace && !c.Tentative {
			continue
		}
		if !slices.ContainsFunc(d.Refs(), func(r value.Ref) bool { return again[r.Address] }) {
			continue
		}
		now, problems := Decide(b.caseOf(d, b.index[d.Scope]))
		if now == nil {
			b.problems = append(b.problems, problems...)
			continue
		}
		again[d.Address] = true
		*c = *now
	}
}

// link makes the graph of the plan's changes.
//
// What is declared comes after what it refers to and after the resource that
// opens its scope. What goes, goes after everything that uses it now has gone
// or been changed; objects of one scope that do not know each other go by the
// rank of their kinds. A replacement is two nodes: its first half comes after
// the first halves of what uses it. What lets others in may be widened by nodes
// of its own before ([builder.linkGates]).
//
// It reports whether it made a tentative replacement definite, which changes
// the graph.
func (b *builder) link() (again bool) {
	g := &Graph{}
	b.plan.Graph = g
	b.outages()
	do := make(map[value.Address]*Node, len(b.plan.Changes))
	destroy := map[value.Address]*Node{}
	gone := map[*resource.Object]*Node{} // the node after which an object is gone or changed
	var pure []*Node                     // deletions that are not half of a replacement
	var closing []*Node                  // the last parts of what is widened first
	for _, c := range b.plan.Changes {
		var n *Node
		switch {
		case c.Action == Replace:
			n = g.add(c, Destroy)
			destroy[c.Address] = n
			m := g.add(c, Do)
			m.after(n)
			do[c.Address] = m
		case c.Action.Drops():
			n = g.add(c, Do)
			pure = append(pure, n)
		case b.narrows(c):
			n = g.add(c, Widen)
			narrow := g.add(c, Do)
			narrow.after(n)
			closing = append(closing, narrow)
			do[c.Address] = n
		default:
			n = g.add(c, Do)
			do[c.Address] = n
		}
		if c.Live != nil && c.Changes() && c.Action != NewVersion {
			gone[c.Live] = n
		}
	}
	for _, c := range b.plan.Changes {
		if c.Decl == nil || c.Action.Drops() {
			continue
		}
		n := do[c.Address]
		b.needs(c.Decl, func(a value.Address) { n.after(do[a]) })
		if c.Tentative {
			b.linkTentative(c, destroy[c.Address], do)
		}
	}
	b.linkSequences(g)
	b.linkSpreads(g, do)
	b.linkHosts(pure, do, destroy)
	b.linkGates(g, do)
	b.linkClosing(closing, pure, do)
	b.linkReleases(g, pure, do)
	again = b.linkUsers(g, gone, do)
	b.linkVersions(pure, do)
	b.linkRanks(g, pure)
	b.linkOutages(g, do, destroy)
	return again
}

// linkTentative makes the first half of a replacement that may turn out not to
// be needed wait for the values that decide it: its own, or those of the
// resource that forces it.
func (b *builder) linkTentative(c *Change, n *Node, do map[value.Address]*Node) {
	decider := c
	for decider.ReplacedBy != "" {
		decider = b.changes[decider.ReplacedBy]
	}
	b.needs(decider.Decl, func(a value.Address) { n.after(do[a]) })
}

// linkUsers puts each deletion after what frees it. A tentative replacement
// may only let go in its second half; if what it uses may be replaced for other
// reasons than it, that is too late, and it becomes a definite one.
func (b *builder) linkUsers(g *Graph, gone map[*resource.Object]*Node, do map[value.Address]*Node) (again bool) {
	for _, addr := range sortedKeys(b.index) {
		ix := b.index[addr]
		if ix.State.Obs == nil {
			continue
		}
		for _, user := range ix.State.Obs.Objects {
			un := gone[user]
			if un == nil {
				continue
			}
			for _, id := range user.Uses {
				n := gone[b.used(ix, id)]
				if n != nil && un.Change.Kind.Loose && letsGo(un.Change, n.Change) {
					continue
				}
				if n != nil && (n.Change.Action == Delete || n.Phase == Destroy) {
					n.after(un)
					switch {
					case !un.Change.Tentative:
					case n.Phase != Destroy:
						n.after(do[un.Change.Address])
					case !n.Change.Tentative || un.Change.ReplacedBy != n.Change.Address:
						un.Change.Tentative, again = false, true
					}
				}
			}
		}
	}
	return again
}

// letsGo reports whether the end of something waits for no change of what uses it
// loosely: both end, or it is made anew and the other is only changed.
func letsGo(user, used *Change) bool {
	return user.Action == Update && used.Action == Replace || user.Action == Delete && used.Action == Delete
}

// used returns the live object that an object of a scope uses: of the same
// scope, or of another one, as a container does that is in a swarm's network.
func (b *builder) used(ix *Index, id string) *resource.Object {
	if o := ix.withID(id); o != nil {
		return o
	}
	for _, addr := range sortedKeys(b.index) {
		if o := b.index[addr].withID(id); o != nil {
			return o
		}
	}
	return nil
}

// linkVersions puts the deletion of an old version after the new one and its
// users: it goes when they have converged.
func (b *builder) linkVersions(pure []*Node, do map[value.Address]*Node) {
	for _, n := range pure {
		current := do[n.Change.Address]
		if current == nil || n.Change.Kind.Find != nil {
			continue
		}
		n.after(current)
		for _, a := range b.users[n.Change.Address] {
			n.after(do[a])
		}
	}
}

// linkRanks orders the deletions of each scope by the rank of their kinds,
// with a barrier between two ranks so that edges do not multiply.
func (b *builder) linkRanks(g *Graph, pure []*Node) {
	byScope := map[string]map[int][]*Node{}
	for _, n := range pure {
		c := n.Change
		if byScope[c.Scope] == nil {
			byScope[c.Scope] = map[int][]*Node{}
		}
		byScope[c.Scope][c.Kind.Rank] = append(byScope[c.Scope][c.Kind.Rank], n)
	}
	for _, scope := range sortedKeys(byScope) {
		ranks := make([]int, 0, len(byScope[scope]))
		for r := range byScope[scope] {
			ranks = append(ranks, r)
		}
		slices.Sort(ranks)
		slices.Reverse(ranks)
		var barrier *Node
		for _, r := range ranks {
			nodes := byScope[scope][r]
			for _, n := range nodes {
				n.after(barrier)
			}
			if r != ranks[len(ranks)-1] {
				barrier = g.add(nil, Barrier)
				for _, n := range nodes {
					barrier.after(n)
				}
			}
		}
	}
}
