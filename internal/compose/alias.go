package compose

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// maxNodes bounds what a file comes to when its aliases are written out: a few
// lines of aliases of aliases are otherwise more than any memory holds.
const maxNodes = 1_000_000

// tooMuch is the problem of a file whose aliases never end, or come to too much.
func (d *document) tooMuch() *diag.Diagnostic {
	m := measure{done: map[*yaml.Node]int{}, at: map[*yaml.Node]bool{}}
	n := m.of(d.root)
	switch {
	case m.loop != nil:
		return &diag.Diagnostic{Pos: d.pos(m.loop), Summary: fmt.Sprintf("*%s is within what it stands for", m.loop.Value)}
	case n >= maxNodes:
		return &diag.Diagnostic{Pos: d.pos(m.big), Summary: fmt.Sprintf("with its aliases written out, this has more than %d values", maxNodes)}
	}
	return nil
}

// measure counts the values that nodes come to, each node once.
type measure struct {
	done      map[*yaml.Node]int
	at        map[*yaml.Node]bool // those that are being counted
	big, loop *yaml.Node          // the first that comes to too much, and the first alias that never ends
}

func (m *measure) of(n *yaml.Node) int {
	if count, ok := m.done[n]; ok {
		return count
	}
	if m.at[n] {
		return 0
	}
	m.at[n] = true
	count := 1
	for _, c := range n.Content {
		count = min(count+m.of(c), maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		if m.at[n.Alias] && m.loop == nil {
			m.loop = n
		}
		count = min(count+m.of(n.Alias), maxNodes)
	}
	if count >= maxNodes && m.big == nil {
		m.big = n
	}
	delete(m.at, n)
	m.done[n] = count
	return count
}
