package ui

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Names shows addresses as short as they can be without being mistaken for
// each other: service.web, but swarm.a/service.web beside swarm.b/service.web.
// All that one run prints uses one Names, so that a resource has one name.
type Names struct {
	ambiguous map[string]struct{}
}

// NewNames finds which short addresses of a plan are ambiguous.
func NewNames(p *plan.Plan) *Names {
	n := &Names{}
	if p == nil {
		return n
	}
	scoped := make(map[string]value.Address, len(p.Changes))
	for _, c := range slices.Concat(p.Changes, p.Drift) {
		short := c.Address.Short()
		if other, ok := scoped[short]; !ok {
			scoped[short] = c.Address
		} else if other != c.Address {
			if n.ambiguous == nil {
				n.ambiguous = map[string]struct{}{}
			}
			n.ambiguous[short] = struct{}{}
		}
	}
	return n
}

// Of returns the address as it is shown.
func (n *Names) Of(a value.Address) string {
	short := a.Short()
	if n != nil && n.ambiguous != nil {
		if _, ok := n.ambiguous[short]; ok {
			short = string(a)
		}
	}
	return clean(short)
}
