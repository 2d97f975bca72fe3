package operate

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"
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
		if !fits(spec, n) {
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
		return strings.Compare(label(a.node, prefs[0]), label(b.node, prefs[0]))
	})
	var groups [][]member
	for from := 0; from < len(members); {
		to := from
		for to < len(members) && label(members[to].node, prefs[0]) == label(members[from].node, prefs[0]) {
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

// label is what a preference looks at: node.labels.zone.
func label(n *swarm.Node, key string) string {
	value, _ := property(n, key)
	return value
}

// fits reports whether a node may run tasks of a service.
func fits(spec *swarm.ServiceSpec, n *swarm.Node) bool {
	if n.Status.State != swarm.NodeStateReady || n.Spec.Availability != swarm.NodeAvailabilityActive {
		return false
	}
	p := spec.TaskTemplate.Placement
	if p == nil {
		return true
	}
	for _, c := range p.Constraints {
		if !satisfies(n, c) {
			return false
		}
	}
	return len(p.Platforms) == 0 || slices.ContainsFunc(p.Platforms, func(want swarm.Platform) bool {
		has := n.Description.Platform
		return (want.OS == "" || strings.EqualFold(want.OS, has.OS)) &&
			(want.Architecture == "" || arch(want.Architecture) == arch(has.Architecture))
	})
}

func arch(s string) string {
	switch s {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return s
}

// satisfies reports whether a constraint holds of a node.
func satisfies(n *swarm.Node, constraint string) bool {
	key, want, equal := strings.Cut(constraint, "==")
	if !equal {
		key, want, _ = strings.Cut(constraint, "!=")
	}
	key, want = strings.TrimSpace(key), strings.TrimSpace(want)
	got, known := property(n, key)
	same := strings.EqualFold(got, want)
	if _, block, err := net.ParseCIDR(want); err == nil && strings.EqualFold(key, "node.ip") {
		same = block.Contains(net.ParseIP(got))
	}
	return known && same == equal
}

// property is what constraints and preferences ask of a node.
func property(n *swarm.Node, key string) (value string, known bool) {
	switch strings.ToLower(key) {
	case "node.id":
		return n.ID, true
	case "node.hostname":
		return n.Description.Hostname, true
	case "node.ip":
		return n.Status.Addr, true
	case "node.role":
		return string(n.Spec.Role), true
	case "node.platform.os":
		return n.Description.Platform.OS, true
	case "node.platform.arch":
		return n.Description.Platform.Architecture, true
	}
	for prefix, labels := range map[string]map[string]string{
		"node.labels.": n.Spec.Labels, "engine.labels.": n.Description.Engine.Labels,
	} {
		if len(key) > len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) {
			return labels[key[len(prefix):]], true
		}
	}
	return "", false
}
