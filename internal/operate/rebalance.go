package operate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

// Spread is how the running tasks of a replicated service are spread over the
// nodes that may run them.
type Spread struct {
	Nodes []NodeLoad // by name
	// Moves is how many tasks are on nodes that have more than their share: 0
	// where they are spread evenly.
	Moves int
	// Away is how many tasks run on nodes that may not run them any more.
	Away int
}

// NodeLoad is a node's part.
type NodeLoad struct {
	Name  string
	Now   int // tasks on it
	Share int // tasks that it would have if they were spread anew
}

// String says it in a line: "mgr-0 2 -> 1, wrk-0 0 -> 1".
func (s Spread) String() string {
	parts := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		parts[i] = fmt.Sprintf("%s %d", n.Name, n.Now)
		if n.Now != n.Share {
			parts[i] += fmt.Sprintf(" -> %d", n.Share)
		}
	}
	return strings.Join(parts, ", ")
}

// SpreadOf finds out how evenly tasks are spread, as the swarm's scheduler
// would do it: by the service's placement preferences first, then by nodes.
// What nodes have room for is not asked: the scheduler may decide otherwise.
func SpreadOf(spec *swarm.ServiceSpec, tasks []swarm.Task, nodes []swarm.Node) Spread {
	on := map[string]int{}
	for i := range tasks {
		if t := &tasks[i]; t.NodeID != "" && !over(t) {
			on[t.NodeID]++
		}
	}
	var s Spread
	total := 0
	var members []member
	for i := range nodes {
		n := &nodes[i]
		if !swarmkind.Fits(n, spec.TaskTemplate.Placement) {
			s.Away += on[n.ID]
			continue
		}
		total += on[n.ID]
		members = append(members, member{node: n, now: on[n.ID]})
	}
	var prefs []string
	if p := spec.TaskTemplate.Placement; p != nil {
		for _, pref := range p.Preferences {
			if pref.Spread != nil {
				prefs = append(prefs, pref.Spread.SpreadDescriptor)
			}
		}
	}
	share(members, prefs, total+s.Away)
	for _, m := range members {
		s.Nodes = append(s.Nodes, NodeLoad{Name: m.node.Description.Hostname, Now: m.now, Share: m.share})
		s.Moves += max(0, m.now-m.share)
	}
	slices.SortFunc(s.Nodes, func(a, b NodeLoad) int { return strings.Compare(a.Name, b.Name) })
	return s
}

type member struct {
	node       *swarm.Node
	now, share int
}

// share gives each member its part of n tasks: evenly to the groups that the
// first preference makes, in each by the next one, at last to nodes. Where it
// does not come out even, those get one more that have most now, so that as
// few as possible move.
func share(members []member, prefs []string, n int) {
	if len(members) == 0 {
		return
	}
	if len(prefs) == 0 {
		order := make([]int, len(members))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return members[b].now - members[a].now })
		for i, at := range order {
			members[at].share = part(n, len(members), i)
		}
		return
	}
	slices.SortStableFunc(members, func(a, b member) int {
		return strings.Compare(swarmkind.NodeProperty(a.node, prefs[0]), swarmkind.NodeProperty(b.node, prefs[0]))
	})
	var groups [][]member
	for from := 0; from < len(members); {
		to := from
		for to < len(members) && swarmkind.NodeProperty(members[to].node, prefs[0]) == swarmkind.NodeProperty(members[from].node, prefs[0]) {
			to++
		}
		groups = append(groups, members[from:to])
		from = to
	}
	slices.SortStableFunc(groups, func(a, b []member) int { return running(b) - running(a) })
	for i, g := range groups {
		share(g, prefs[1:], part(n, len(groups), i))
	}
}

// part is the i-th of k parts of n, the larger ones first.
func part(n, k, i int) int {
	if i < n%k {
		return n/k + 1
	}
	return n / k
}

func running(list []member) (n int) {
	for _, m := range list {
		n += m.now
	}
	return n
}
