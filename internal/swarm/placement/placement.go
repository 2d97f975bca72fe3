// Package placement says which tasks of a swarm can have no node. It is pure:
// nodes and services go in, shortages come out, nothing is asked for.
//
// The swarm's own scheduler places one task after the other and keeps the rest
// pending. Whether all tasks could be placed at once is a hard question (it is
// bin packing), so [Check] answers a smaller one that has no false alarms: it
// reports a shortage only where no placement whatever holds all the tasks. It
// looks at bounds that every placement keeps:
//
//   - a node takes as many tasks of one service as its host ports, its
//     replicas_max_per_node and its reservations allow, beside the tasks of
//     global services, which have no choice of node;
//   - all services together get no more of a thing - a host port, CPUs, memory,
//     a generic resource - than the nodes have that they may run on. That is a
//     maximum flow from services to nodes, one for each thing;
//   - the same holds for places: a node with 4 GiB has one for tasks that take
//     3 GiB, however many services have such tasks.
//
// Services come in the order in which they have a right to their place: what
// runs is before what changes, and that before what is new. A shortage is the
// last one's.
package placement

import (
	"cmp"
	"fmt"
)

// Node is a node of the swarm, as far as the placement of tasks goes.
type Node struct {
	ID, Name, Addr, Role string
	OS, Arch             string // as the node says them: x86_64, not amd64
	Labels, EngineLabels map[string]string
	// Open are labels that the node will have with a value that is not known: they
	// satisfy anything.
	Open map[string]bool
	// Coming is set on a machine that is going to join. What is not known of it is
	// as a service wants it.
	Coming bool
	// First is set on the node on which a swarm is still to begin: only its ID and its
	// address are not known, and satisfy anything.
	First bool
	// State is "ready", or what the node is instead: "down", "unknown".
	State string
	// Availability is "active", "pause" or "drain".
	Availability string
	CPU, Memory  int64 // all it has: billionths of a CPU, bytes
	Generic      map[string]int64
}

// ready reports whether the node answers and takes new tasks.
func (n *Node) ready() bool { return n.State == "ready" && n.Availability == "active" }

// away says why the node takes no new task.
func (n *Node) away() string {
	switch {
	case n.State != "ready":
		return n.State
	case n.Availability == "drain":
		return "drained"
	case n.Availability == "pause":
		return "paused"
	}
	return ""
}

// Platform is one that an image is made for; "" stands for any.
type Platform struct{ OS, Arch string }

// Port is a port of a node.
type Port struct {
	Number   uint16
	Protocol string
}

func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// Service is what a service asks of the nodes.
type Service struct {
	Name string // as a person is told of it
	// Tasks is how many run at a time; of a global service the nodes say it.
	Tasks  int
	Global bool
	// Job is set where the tasks end: they may run one after the other.
	Job bool
	// Stays is set where tasks run that are not renewed: those on a paused node
	// stay there.
	Stays bool
	// StartFirst is set on a service whose tasks are all renewed, each new one
	// beside the old one, and of which nothing that matters here changes.
	StartFirst bool
	// Running is how many of its tasks run now.
	Running int
	// Settled is set on what this plan does not change. What of it does not run
	// takes no place from others.
	Settled bool

	Constraints []string
	Image       string // whose platforms they are, "" where that is plain
	Platforms   []Platform
	Ports       []Port // in host mode
	MaxPerNode  int    // 0 for no limit
	CPU, Memory int64  // reserved for each task
	Generic     map[string]int64
}

// Shortage is a service of which not all tasks can be placed.
type Shortage struct {
	Service        int // its index
	Missing, Tasks int
	// Rolling is set where all tasks can be placed, but an update has no room
	// for a new task beside the old ones.
	Rolling bool
	// Away is set where they could be placed if all nodes were ready and active.
	Away bool
	// Nowhere is set on a global service that no node is meant for: it has no
	// task, and misses none.
	Nowhere bool
	Why     []string // sentences, most important first
	Do      []string // what a person may do
}

// Check returns the shortages, in the order of the services.
func Check(nodes []Node, services []Service) []Shortage {
	found := check(nodes, services)
	if len(found) == 0 {
		return nil
	}
	everywhere := make([]Node, len(nodes))
	for i, n := range nodes {
		n.State, n.Availability = "ready", "active"
		everywhere[i] = n
	}
	still := map[int]bool{}
	for _, s := range check(everywhere, services) {
		still[s.Service] = true
	}
	for i := range found {
		s := &found[i]
		if s.Away = !still[s.Service]; s.Away {
			s.Do = append([]string{"it fits once all nodes are ready and active"}, s.Do...)
		}
	}
	return found
}

func check(nodes []Node, services []Service) []Shortage {
	b := newBoard(nodes, services)
	var found []Shortage
	take := func(i int, why *Shortage) {
		if why != nil {
			why.Service = i
			found = append(found, *why)
		}
	}
	// What this plan changes may take its turn in any order, so an update is
	// only stuck for certain where what is settled leaves it no room.
	settled := 0
	for settled < len(services) && services[settled].Settled {
		take(settled, b.add(&services[settled]))
		settled++
	}
	rolling := map[int]*Shortage{}
	for i := settled; i < len(services); i++ {
		if services[i].StartFirst {
			rolling[i] = b.roll(&services[i])
		}
	}
	for i := settled; i < len(services); i++ {
		take(i, cmp.Or(b.add(&services[i]), rolling[i]))
	}
	return found
}
