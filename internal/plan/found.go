package plan

import (
	"fmt"

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
	if o == nil {
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
	ours := func(o *resource.Object) bool {
		return o.Mark.Project == c.Project && o.Mark.Address == c.Decl.Address
	}
	o, problem := ch.Kind.Find(c.Objects(), ours, ch.Args)
	if problem != nil {
		problem.Pos, problem.Summary = c.Decl.Pos, string(ch.Address)+": "+problem.Summary
	}
	return o, problem
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
		if c := b.changes[d.Address]; c != nil && c.Live != nil {
			found = append(found, c)
		}
	}
	b.claimed = map[*resource.Object]*Change{}
	for _, c := range found {
		switch other := b.claimed[c.Live]; {
		case c.Decl.External:
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

// sequences asks the kinds whose changes must not run side by side for their
// order, scope by scope.
func (b *builder) sequences() {
	type key struct {
		scope string
		kind  *resource.Kind
	}
	var keys []key
	planned := map[key][]resource.Planned{}
	for _, d := range b.in.Program.Declarations {
		if d.Kind.Sequence == nil {
			continue
		}
		c := b.changes[d.Address]
		if c == nil || c.Live == nil || !c.Changes() || c.Blocked != "" {
			continue
		}
		k := key{d.Scope, d.Kind}
		if planned[k] == nil {
			keys = append(keys, k)
		}
		planned[k] = append(planned[k], resource.Planned{Address: d.Address, Live: c.Live, Args: c.Args})
	}
	for _, k := range keys {
		order, problem := k.kind.Sequence(b.index[k.scope].ofKind(k.kind), planned[k])
		if problem != nil {
			problem.Summary = k.scope + ": " + problem.Summary
			b.fail(problem)
			continue
		}
		var chain []*Change
		for _, p := range order {
			chain = append(chain, b.changes[p.Address])
		}
		b.chains = append(b.chains, chain)
	}
}

// linkSequences makes each change of a sequence wait for the one before.
func (b *builder) linkSequences(do map[value.Address]*Node) {
	for _, chain := range b.chains {
		for i := 1; i < len(chain); i++ {
			do[chain[i].Address].after(do[chain[i-1].Address])
		}
	}
}

// linkReleases lets go of found objects last: until they are changed, others
// may count on what we set, as services do on labels of nodes.
func (b *builder) linkReleases(g *Graph, pure []*Node, do map[value.Address]*Node) {
	barriers := map[string]*Node{}
	for _, n := range pure {
		c := n.Change
		if c.Action != Release {
			continue
		}
		if barriers[c.Scope] == nil {
			barrier := g.add(nil, Barrier)
			barriers[c.Scope] = barrier
			for _, other := range b.plan.Changes {
				if other.Scope == c.Scope && other.Changes() && !other.Action.Drops() {
					barrier.after(do[other.Address])
				}
			}
		}
		n.after(barriers[c.Scope])
	}
}
