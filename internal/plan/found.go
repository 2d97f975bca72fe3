package plan

import (
	"fmt"
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Some kinds' objects are found, not made: a swarm's nodes join and leave. A
// declaration takes over the one that it means, and lets go of it when it is
// declared no more.

// found decides about a declaration of such a kind. What it means is told by its
// arguments, not by a mark: a host that joined again is another node, and the
// one that is meant.
func (c Case) found(ch *Change) (*Change, diag.List) {
	ch.Mark = c.mark(ch.Args)
	o, problem := c.meant(ch)
	if problem != nil {
		return nil, diag.List{problem}
	}
	switch {
	case o != nil:
	case c.Decl.On != "":
		ch.Action, ch.Deferred = Create, c.Absent || c.On.Status != Present
		return ch, nil
	default:
		ch.Action, ch.Deferred = Update, true
		return ch, nil
	}
	if theirs := o.Mark.Project; theirs != "" && theirs != c.Project && !c.Adopt {
		return nil, diag.List{{
			Pos:     c.Decl.Pos,
			Summary: fmt.Sprintf("%s: %s %q belongs to project %s", ch.Address, ch.Kind.Name, o.Name, theirs),
			Detail:  "it can be declared by one project only",
			Hint:    fmt.Sprintf("read it with lookup(%q, %q), or take it over with --adopt %s", ch.Kind.Name, o.Name, ch.Address.Short()),
		}}
	}
	ch.Live = o
	c.compare(ch)
	if ch.Restart && c.On != nil && c.On.Off { // it is woken with its machine
		ch.Action, ch.Restart, ch.Reason, ch.Effect, ch.Unsettled = NoOp, false, "", "", ""
	}
	if ch.Reason == "adopted" && o.Mark.Project == "" {
		ch.Reason = "taken over"
	}
	return ch, nil
}

// meant returns the live object that a declaration of a found kind means, nil
// where that cannot be told yet.
func (c Case) meant(ch *Change) (*resource.Object, *diag.Diagnostic) {
	if c.Absent {
		return nil, nil
	}
	if c.Decl.On != "" {
		return c.madeBy(ch)
	}
	ours := func(o *resource.Object) bool {
		return o.Mark.Project == c.Project && o.Mark.Address == c.Decl.Address
	}
	o, problem := ch.Kind.Find(c.Objects(), ours, ch.Args)
	if problem != nil {
		problem.Pos, problem.Summary = c.Decl.Pos, string(ch.Address)+": "+problem.Summary
	}
	return o, problem
}

// madeBy returns the live object that the declaration's On is, nil where it is
// none yet. While that scope does not answer, what carries our mark is meant.
func (c Case) madeBy(ch *Change) (*resource.Object, *diag.Diagnostic) {
	switch {
	case c.On.Status == Unreachable || c.On.Off:
		return c.current(), nil
	case c.On.Status == Absent || c.On.Obs.Node == "":
		return nil, nil
	}
	for _, o := range c.Objects() {
		if o.ID == c.On.Obs.Node {
			return o, nil
		}
	}
	return nil, &diag.Diagnostic{
		Pos:     c.Decl.Pos,
		Summary: fmt.Sprintf("%s: the engine of %s is in another swarm already", ch.Address, c.On.Scope.Address),
		Detail:  "it takes itself for node " + c.On.Obs.Node + ", which is not among those of this swarm, or was removed by hand",
		Hint:    "take it out there first: docker swarm leave",
	}
}

// claim notes which found objects are declared. One that carries the mark of
// a declaration which now means another is released.
func (b *builder) claim() {
	if b.in.Options.Destroy {
		return
	}
	var found []*Change
	for _, d := range b.in.Program.Declarations {
		if d.Kind.Find == nil { // nearly all
			continue
		}
		if c := b.changes[d.Address]; c != nil && (c.Live != nil || d.On != "" && b.isAnother(c)) {
			found = append(found, c)
		}
	}
	b.claimed = map[*resource.Object]*Change{}
	for _, c := range found {
		switch other := b.claimed[c.Live]; {
		case c.Decl.External || c.Live == nil:
		case other == nil:
			b.claimed[c.Live] = c
		default:
			b.fail(&diag.Diagnostic{
				Pos:     c.Decl.Pos,
				Summary: fmt.Sprintf("%s is the same %s as %s", c.Address, c.Kind.Name, other.Address.Short()),
				Detail:  fmt.Sprintf("both mean %s (%s)", c.Live.Name, c.Live.ID),
				Related: []diag.Note{{Pos: other.Decl.Pos, Text: "the first is here"}},
			})
		}
	}
	for _, c := range found {
		why := c.Address.Short() + " is another " + c.Kind.Name + " now"
		if c.Decl.External {
			why = "it is only read now"
		}
		for _, o := range b.index[c.Scope].ours[c.Address] {
			if b.claimed[o] == nil {
				b.remove(c.Address, c.Scope, o, why)
			}
		}
	}
}

// isAnother reports whether what a declaration means is not there yet: what carries its
// mark is something else.
func (b *builder) isAnother(c *Change) bool {
	on := b.onState(c.Decl.On)
	if c.Left != "" {
		return b.anew(c.Decl.On)
	}
	return c.Action == Create && (!c.Deferred || on.Status == Absent && !on.Off)
}

// sequences asks the kinds whose changes must not run side by side for their
// order, scope by scope.
func (b *builder) sequences() {
	type key struct {
		scope string
		kind  *resource.Kind
	}
	type which struct {
		address value.Address
		live    *resource.Object
	}
	var keys []key
	planned, change := map[key][]resource.Planned{}, map[which]*Change{}
	plan := func(c *Change) {
		goes := c.Action == Delete
		if c.Kind.Sequence == nil || c.Blocked != "" || !c.Changes() || c.Action == Release || goes && c.Ends || c.Live == nil && c.Action != Create {
			return
		}
		k := key{c.Scope, c.Kind}
		if planned[k] == nil {
			keys = append(keys, k)
		}
		planned[k] = append(planned[k], resource.Planned{Address: c.Address, Live: c.Live, Args: c.Args, Goes: goes, Begins: b.beginsOn(c)})
		change[which{c.Address, c.Live}] = c
	}
	for _, d := range b.in.Program.Declarations {
		if d.Kind.Sequence == nil { // nearly all
			continue
		}
		if c := b.changes[d.Address]; c != nil {
			plan(c)
		}
	}
	for _, c := range b.deletes {
		plan(c)
	}
	for _, k := range keys {
		order, problem := k.kind.Sequence(b.index[k.scope].ofKind(k.kind), planned[k])
		if problem != nil {
			problem.Summary = k.scope + ": " + problem.Summary
			if problem.Severity == diag.Error {
				b.fail(problem)
				continue
			}
			b.plan.Warnings = append(b.plan.Warnings, problem)
		}
		var chain []*Change
		for _, p := range order {
			chain = append(chain, change[which{p.Address, p.Live}])
		}
		b.chains = append(b.chains, chain)
	}
}

// beginsOn reports whether the scope of what comes to be begins in this plan, and
// on what that stands on: the swarm on the engine that is its first node.
func (b *builder) beginsOn(c *Change) bool {
	opener := b.decls[value.Address(c.Scope)]
	return c.Decl != nil && c.Decl.On != "" && opener != nil && opener.Scope == c.Decl.On && b.anew(c.Scope)
}

// linkSequences makes each change of a sequence wait for the one before.
func (b *builder) linkSequences(g *Graph) {
	if len(b.chains) == 0 {
		return
	}
	nodes := make(map[*Change]*Node, len(g.Nodes))
	for _, n := range g.Nodes {
		if n.Phase == Do {
			nodes[n.Change] = n
		}
	}
	for _, chain := range b.chains {
		for i := 1; i < len(chain); i++ {
			nodes[chain[i]].after(nodes[chain[i-1]])
		}
	}
}

// linkSpreads lets what spreads over found objects wait for those that are
// coming. What the script has one of them come after waits only for those that
// come after nothing of the kind.
func (b *builder) linkSpreads(g *Graph, do map[value.Address]*Node) {
	all, free := map[string]*Node{}, map[string]*Node{} // barriers, by scope
	early := map[int]bool{}                             // what spreads, and is before some of them
	for _, c := range b.plan.Changes {
		if c.Kind.Find == nil || c.Action != Create {
			continue
		}
		if all[c.Scope] == nil {
			all[c.Scope], free[c.Scope] = g.add(nil, Barrier), g.add(nil, Barrier)
		}
		n := do[c.Address]
		all[c.Scope].after(n)
		before := g.before(n, func(c *Change) bool { return c.Kind.Spreads })
		if len(before) == 0 {
			free[c.Scope].after(n)
		}
		for _, id := range before {
			early[id] = true
		}
	}
	if len(all) == 0 {
		return
	}
	for _, c := range b.plan.Changes {
		if !c.Kind.Spreads || c.Action.Drops() {
			continue
		}
		if n := do[c.Address]; early[n.ID] {
			n.after(free[c.Scope])
		} else {
			n.after(all[c.Scope])
		}
	}
}

// linkHosts lets what is in a scope, and what a scope is in another, go before
// the scope does: a node leaves its swarm before its machine is taken away. What
// goes makes room for what is made in its place.
func (b *builder) linkHosts(pure []*Node, do map[value.Address]*Node, destroy map[value.Address]*Node) {
	gone := map[value.Address]*Node{}
	for a, n := range destroy {
		gone[a] = n
	}
	for _, n := range pure {
		gone[n.Change.Address] = n
	}
	for _, n := range pure {
		c := n.Change
		for in := value.Address(c.Scope); in != ""; in = value.Address(b.livesIn(in)) {
			if ended := gone[in]; ended != nil {
				ended.after(n)
			}
		}
		if c.Kind.Find != nil && c.Action == Delete {
			do[c.Address].after(n)
		}
		for on := value.Address(c.Live.Mark.On); on != ""; on = value.Address(b.livesIn(on)) {
			if g := gone[on]; g != nil && g != n {
				g.after(n)
			}
		}
	}
}

// livesIn returns the scope of the resource that opens a scope, "" where nothing
// is known of it.
func (b *builder) livesIn(opener value.Address) string {
	if d := b.decls[opener]; d != nil {
		return d.Scope
	}
	if st := b.in.Scopes[string(opener)]; st != nil {
		return st.Scope.Parent
	}
	return ""
}

// leads returns the deletions that a sequence has before something which comes
// to be, or is changed. They do not wait for the rest of their scope: that may
// wait for what they lead to.
func (b *builder) leads(do map[value.Address]*Node) map[*Change]bool {
	out := map[*Change]bool{}
	for _, chain := range b.chains {
		wanted := false
		for _, c := range slices.Backward(chain) {
			out[c] = wanted
			wanted = wanted || !c.Action.Drops() || do[c.Address] != nil
		}
	}
	return out
}

// linkReleases lets go of found objects last: until they are changed, others
// may count on what we set, as services do on labels of nodes.
func (b *builder) linkReleases(g *Graph, pure []*Node, do map[value.Address]*Node) {
	barriers, leads := map[string]*Node{}, b.leads(do)
	for _, n := range pure {
		c := n.Change
		if c.Action != Release && (c.Kind.Find == nil || c.Ends || do[c.Address] != nil || leads[c]) {
			continue
		}
		if barriers[c.Scope] == nil {
			barrier := g.add(nil, Barrier)
			barriers[c.Scope] = barrier
			for _, other := range b.plan.Changes {
				if other.Scope == c.Scope && other.Changes() && !other.Action.Drops() && (c.Action == Release || other.Kind != c.Kind) {
					barrier.after(do[other.Address])
				}
			}
		}
		n.after(barriers[c.Scope])
	}
}
