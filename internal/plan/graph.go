package plan

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Graph orders the steps of a plan: a directed acyclic graph that knows
// nothing of what its nodes do.
type Graph struct {
	Nodes []*Node
}

// Phase tells the parts of a step apart.
type Phase int

const (
	Do      Phase = iota // create, update, read, wait; of a deletion, the deletion
	Destroy              // the first half of a replacement
	Barrier              // does nothing: what is after waits for what is before
	Widen                // of an update: what lets others in does so, before it is closed to those who go
)

// Node is one thing to do. It may run when the nodes in Deps have ended well.
type Node struct {
	ID     int
	Change *Change // nil for a barrier
	Phase  Phase
	Deps   []int

	has map[int]struct{} // what is in Deps, once they are many
}

func (g *Graph) add(c *Change, p Phase) *Node {
	n := &Node{ID: len(g.Nodes), Change: c, Phase: p}
	g.Nodes = append(g.Nodes, n)
	return n
}

func (n *Node) after(others ...*Node) {
	if n == nil {
		return
	}
	for _, o := range others {
		if o != nil && o != n {
			n.afterID(o.ID)
		}
	}
}

// few is how many dependencies are searched one by one: most nodes have no
// more, and a network may wait for ten thousand services.
const few = 16

func (n *Node) afterID(id int) {
	switch {
	case len(n.Deps) <= few:
		if slices.Contains(n.Deps, id) {
			return
		}
	case n.has == nil:
		n.has = make(map[int]struct{}, 2*len(n.Deps))
		for _, d := range n.Deps {
			n.has[d] = struct{}{}
		}
		fallthrough
	default:
		if _, ok := n.has[id]; ok {
			return
		}
		n.has[id] = struct{}{}
	}
	n.Deps = append(n.Deps, id)
}

// Order returns the nodes so that each comes after what it depends on, as
// close to their own order as that allows, some as early as it does; or the IDs of a
// cycle.
func (g *Graph) Order(first ...int) (order, cycle []int) {
	state := make([]uint8, len(g.Nodes)) // 0 new, 1 on the path, 2 done
	// An explicit stack: a chain of 10,000 resources must not be deep recursion.
	type frame struct{ id, next int }
	var stack []frame
	for i := range len(first) + len(g.Nodes) {
		root := i - len(first)
		if root < 0 {
			root = first[i]
		}
		if state[root] != 0 {
			continue
		}
		stack = append(stack[:0], frame{id: root})
		state[root] = 1
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			deps := g.Nodes[top.id].Deps
			if top.next == len(deps) {
				state[top.id] = 2
				order = append(order, top.id)
				stack = stack[:len(stack)-1]
				continue
			}
			dep := deps[top.next]
			top.next++
			switch state[dep] {
			case 0:
				state[dep] = 1
				stack = append(stack, frame{id: dep})
			case 1:
				for i := len(stack) - 1; i >= 0; i-- {
					cycle = append(cycle, stack[i].id)
					if stack[i].id == dep {
						break
					}
				}
				slices.Reverse(cycle)
				return nil, cycle
			}
		}
	}
	return order, nil
}

// describe names the nodes of a cycle.
func (g *Graph) describe(ids []int) string {
	var names []string
	for _, id := range append(ids, ids[0]) {
		n := g.Nodes[id]
		switch {
		case n.Change == nil:
			names = append(names, "(others of its kind)")
		case n.Phase == Destroy:
			names = append(names, "the deletion of "+n.Change.Address.Short())
		default:
			names = append(names, n.Change.Address.Short())
		}
	}
	return strings.Join(names, " -> ")
}

// before returns the IDs of the nodes that a node waits for, at once or through
// others, and whose changes are such.
func (g *Graph) before(n *Node, such func(*Change) bool) (out []int) {
	seen := map[int]bool{}
	for todo := slices.Clone(n.Deps); len(todo) > 0; {
		id := todo[len(todo)-1]
		if todo = todo[:len(todo)-1]; seen[id] {
			continue
		}
		seen[id] = true
		if c := g.Nodes[id].Change; c != nil && such(c) {
			out = append(out, id)
		}
		todo = append(todo, g.Nodes[id].Deps...)
	}
	return out
}

// pos is where the first of those nodes that the script has is declared.
func (g *Graph) pos(ids []int) diag.Pos {
	for _, id := range ids {
		if c := g.Nodes[id].Change; c != nil && c.Decl != nil {
			return c.Decl.Pos
		}
	}
	return diag.Pos{}
}

// Declared is the graph of what a program declares: each comes after what it
// refers to. Nothing live is in it.
func Declared(p *resource.Program) *Graph {
	b, g := &builder{}, &Graph{}
	at := make(map[value.Address]*Node, len(p.Declarations))
	for _, d := range p.Declarations {
		at[d.Address] = g.add(&Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d}, Do)
	}
	for _, d := range p.Declarations {
		b.needs(d, func(a value.Address) { at[d.Address].after(at[a]) })
		for _, a := range d.Follows {
			at[d.Address].after(at[a])
		}
	}
	return g
}
