package run

import (
	"slices"

	dockerswarm "github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/whatif"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// resting is the live node that rests in a step, nil where none does.
func (t *trial) resting(c *plan.Change, nodes []dockerswarm.Node) *dockerswarm.Node {
	if c == nil || c.Outage == nil {
		return nil
	}
	for _, other := range t.p.Plan.Changes {
		if other.Scope != t.addr || !slices.Contains(c.Outage.Rests, other.Address) {
			continue
		}
		if i := slices.IndexFunc(nodes, func(n dockerswarm.Node) bool { return n.ID == other.Live.ID }); i >= 0 {
			return &nodes[i]
		}
	}
	return nil
}

// rest adds to the step of a machine, or of its disk, what becomes of the node on it:
// it is drained, in a step before where it comes back, which the next number is of.
func (t *trial) rest(c *plan.Change, st whatif.Step, next int, nodes []dockerswarm.Node) []whatif.Step {
	n := t.resting(c, nodes)
	if n == nil {
		return []whatif.Step{st}
	}
	address := string(value.NewAddress(t.addr, swarm.NodeKind.Name, n.Description.Hostname))
	as := func(availability dockerswarm.NodeAvailability) *whatif.NodeStep {
		now := *n
		now.Spec.Availability = availability
		return &whatif.NodeStep{Address: address, ID: n.ID, Node: &now}
	}
	switch out := c.Outage; {
	case !out.Begins:
		st.Node = as(swarm.Awake(*n))
	case !swarm.AnotherTakes(nodes, n.ID): // nothing is drained, nor moves
		t.notes = append(t.notes, "not simulated: tasks of "+n.Description.Hostname+" stop with its machine, as no other node takes any")
	case !out.Ends:
		st.Node = as(dockerswarm.NodeAvailabilityDrain)
	default:
		before := whatif.Step{ID: next, After: st.After, Node: as(dockerswarm.NodeAvailabilityDrain)}
		st.After, st.Node = []int{next}, as(swarm.Awake(*n))
		return []whatif.Step{before, st}
	}
	return []whatif.Step{st}
}
