package compose

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// maxNodes bounds what a file comes to when its aliases are written out: a few
// lines of aliases of aliases are otherwise more than any memory holds.
const maxNodes = 250_000

// maxDepth bounds how deep values lie in values, aliases written out: each place is
// told by the way to it, which takes the square of that.
const maxDepth = 200

// tooMuch is the problem of a file whose aliases never end, or come to too much.
func (d *document) tooMuch() *diag.Diagnostic {
	m := measure{done: map[*yaml.Node]extent{}, at: map[*yaml.Node]bool{}}
	all := m.of(d.root)
	switch {
	case m.loop != nil:
		return &diag.Diagnostic{Pos: d.pos(m.loop), Summary: fmt.Sprintf("*%s is within what it stands for", m.loop.Value)}
	case all.depth >= maxDepth:
		return &diag.Diagnostic{Pos: d.pos(m.deep), Summary: fmt.Sprintf("more than %d values lie in one another here", maxDepth)}
	case all.nodes >= maxNodes:
		return &diag.Diagnostic{Pos: d.pos(m.big), Summary: fmt.Sprintf("with its aliases written out, this has more than %d values", maxNodes)}
	}
	return nil
}

// extent is what a node comes to: how many values, and how deep they lie.
type extent struct{ nodes, depth int }

// measure finds the extent of nodes, each node once.
type measure struct {
	done            map[*yaml.Node]extent
	at              map[*yaml.Node]bool // those that are being measured
	big, deep, loop *yaml.Node          // the first that comes to too much or too deep, and the first alias that never ends
}

func (m *measure) of(n *yaml.Node) extent {
	if e, ok := m.done[n]; ok {
		return e
	}
	if m.at[n] {
		return extent{}
	}
	m.at[n] = true
	e := extent{nodes: 1}
	for _, c := range n.Content {
		e = e.with(m.of(c))
	}
	if n.Kind == yaml.AliasNode {
		if m.at[n.Alias] && m.loop == nil {
			m.loop = n
		}
		e = e.with(m.of(n.Alias))
	}
	e.depth++
	if e.nodes >= maxNodes && m.big == nil {
		m.big = n
	}
	if e.depth >= maxDepth && m.deep == nil {
		m.deep = n
	}
	delete(m.at, n)
	m.done[n] = e
	return e
}

// with is the extent of a node that another one is in.
func (e extent) with(c extent) extent {
	return extent{min(e.nodes+c.nodes, maxNodes), max(e.depth, c.depth)}
}
