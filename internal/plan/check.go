package plan

import (
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A check has nothing live. It is made in the apply that changes something it
// comes after, directly or through others, or that waits for it to converge;
// and, since the project's ledger remembers which have not passed, in the next
// apply until it has. So a project without changes makes none.

// stir notes whether a declaration makes the checks after it due. Only where the
// script has checks does anything depend on it.
func (b *builder) stir(d *resource.Declaration, c *Change) {
	if !b.hasChecks {
		return
	}
	if c.Action == Check {
		c.Reason, c.Owed = b.checkReason(d), b.unpassed[string(d.Address)]
	}
	if c.Changes() || c.Unsettled != "" || b.stirs(d) != nil {
		b.stirred[d.Address] = true
	}
}

// stirs returns what a declaration comes after that changes, or comes after
// something that does.
func (b *builder) stirs(d *resource.Declaration) []value.Address {
	var out []value.Address
	b.needs(d, func(a value.Address) {
		if b.stirred[a] {
			out = append(out, a)
		}
	})
	return out
}

// Owed are the checks that did not pass, or were not reached, in the last
// apply.
func (p *Plan) Owed() []*Change {
	var out []*Change
	for _, c := range p.Changes {
		if c.Owed {
			out = append(out, c)
		}
	}
	return out
}

// checkReason says why a check is made.
func (b *builder) checkReason(d *resource.Declaration) string {
	var names []string
	seen := map[value.Address]bool{}
	for _, a := range b.stirs(d) {
		if !seen[a] {
			seen[a] = true
			names = append(names, a.Short())
		}
	}
	const most = 4
	switch {
	case b.unpassed[string(d.Address)] && len(names) == 0:
		return "it has not passed yet"
	case len(names) == 0:
		return "asked for"
	case len(names) > most:
		return "after " + strings.Join(names[:most-1], ", ") + " and others"
	}
	return "after " + strings.Join(names, ", ")
}

// owes returns the checks that the selection leaves out and that what it has
// makes due. A declaration comes after those that it refers to.
func (s *selection) owes(b *builder) []value.Address {
	if !b.hasChecks {
		return nil
	}
	var out []value.Address
	for _, d := range s.full.Program.Declarations {
		if s.keep[d.Address] || b.stirs(d) == nil {
			continue
		}
		b.stirred[d.Address] = true
		if d.Kind.Verify != nil {
			out = append(out, d.Address)
		}
	}
	return out
}

// Checks returns the part of a plan that makes its checks and changes nothing.
func (p *Plan) Checks() *Plan {
	out := *p
	out.Changes, out.Graph, out.Outputs = nil, &Graph{}, nil
	node := map[int]*Node{} // by the ID in the whole graph
	for _, n := range p.Graph.Nodes {
		if n.Change != nil && n.Change.Kind.Verify != nil {
			out.Changes = append(out.Changes, n.Change)
			node[n.ID] = out.Graph.add(n.Change, Do)
		}
	}
	for _, n := range p.Graph.Nodes {
		if node[n.ID] == nil {
			continue
		}
		for _, d := range n.Deps {
			node[n.ID].after(node[d])
		}
	}
	return &out
}

// Nowhere is the index of the scope of what lives in none.
func Nowhere(project string) *Index {
	return NewIndex(&ScopeState{Scope: &resource.Scope{}, Status: Present, Obs: &resource.Observation{}}, project)
}
