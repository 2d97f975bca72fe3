package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// eligible returns the nodes that may run the service's tasks. Many services
// ask for the same, so it is remembered.
func (b *board) eligible(s *Service) *set {
	key := eligibility{stays: s.Stays}
	if len(s.Constraints)+len(s.Platforms) > 0 {
		key.asks = fmt.Sprintf("%q %q", s.Constraints, s.Platforms)
	}
	if found := b.found[key]; found != nil {
		return found
	}
	b.found[key] = b.those(func(n *Node) bool {
		there := n.ready() || s.Stays && n.State == "ready" && n.Availability == "pause"
		return there && n.Allows(s.Constraints) && n.Runs(s.Platforms)
	})
	return b.found[key]
}

type eligibility struct {
	stays bool
	asks  string
}

// matching returns the nodes that satisfy the constraints, whatever their state.
func (b *board) matching(s *Service) []int {
	return b.those(func(n *Node) bool { return n.Allows(s.Constraints) }).nodes
}

// meant returns the nodes that the swarm makes tasks of a global service for.
func (b *board) meant(s *Service) []int {
	return b.those(func(n *Node) bool {
		return n.State != "down" && n.Availability == "active" && n.Allows(s.Constraints)
	}).nodes
}

// Allows reports whether a node satisfies all of the constraints.
func (n *Node) Allows(constraints []string) bool {
	for _, c := range constraints {
		if !n.Satisfies(c) {
			return false
		}
	}
	return true
}

func (b *board) those(is func(*Node) bool) *set {
	nodes := make([]int, 0, len(b.nodes))
	for v := range b.nodes {
		if is(&b.nodes[v]) {
			nodes = append(nodes, v)
		}
	}
	return b.set(nodes)
}

func (b *board) single(v int) *set { return b.set([]int{v}) }

// set returns the one set of those nodes.
func (b *board) set(nodes []int) *set {
	bits := make([]byte, (len(b.nodes)+7)/8)
	for _, v := range nodes {
		bits[v/8] |= 1 << (v % 8)
	}
	s := b.sets[string(bits)]
	if s == nil {
		s = &set{nodes: nodes, key: string(bits)}
		b.sets[s.key] = s
	}
	return s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// names joins the names of nodes, the first few of many.
func (b *board) names(nodes []int) string {
	var list []string
	for _, v := range nodes {
		list = append(list, b.nodes[v].Name)
	}
	return Join(list)
}

// Join joins names, the first few of many: a, b and c.
func Join(list []string) string {
	const most = 6
	if len(list) > most {
		list = append(list[:most-1:most-1], strconv.Itoa(len(list)-most+1)+" more")
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}
