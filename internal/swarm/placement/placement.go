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
//     maximum flow from services to nodes, one for each thing.
//
// Services come in the order in which they have a right to their place: what
// runs is before what changes, and that before what is new. A shortage is the
// last one's.
package placement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Node is a node of the swarm, as far as the placement of tasks goes.
type Node struct {
	ID, Name, Addr, Role string
	OS, Arch             string // as the node says them: x86_64, not amd64
	Labels, EngineLabels map[string]string
	// Open are labels that the node will have with a value that is not known: they
	// satisfy anything.
	Open map[string]bool
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
	// Settled is set on what this plan does not change.
	Settled bool

	Constraints []string
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

// board is the nodes, and what is placed on them so far.
type board struct {
	nodes  []Node
	sets   map[string]*set
	found  map[eligibility]*set
	users  map[thing]int // how many services ask for it
	things map[thing]*flow
	places map[need]*places
	told   int // how many shortages were explained
}

func newBoard(nodes []Node, services []Service) *board {
	b := &board{
		nodes: nodes, sets: map[string]*set{}, found: map[eligibility]*set{},
		users: map[thing]int{}, things: map[thing]*flow{}, places: map[need]*places{},
	}
	for i := range services {
		for _, n := range services[i].needs() {
			b.users[n.thing]++
		}
	}
	return b
}

// explained is how many shortages are explained. Where there are thousands,
// nobody reads more, and each takes as long as there are services.
const explained = 100

// thing is what nodes have and tasks take: a host port, "cpu", "memory", a
// generic resource.
type thing struct {
	kind thingKind
	name string // of a generic resource
	port Port
}

type thingKind uint8

const (
	cpu thingKind = iota
	memory
	generic
	hostPort
)

// has is how much of a thing a node has.
func (n *Node) has(t thing) int64 {
	switch t.kind {
	case cpu:
		return n.CPU
	case memory:
		return n.Memory
	case generic:
		return n.Generic[t.name]
	}
	return 1
}

// need is what one task takes.
type need struct {
	thing
	unit int64
}

func (s *Service) needs() []need {
	if len(s.Ports)+len(s.Generic) == 0 && s.CPU|s.Memory == 0 {
		return nil
	}
	var out []need
	for _, p := range s.Ports {
		out = append(out, need{thing{kind: hostPort, port: p}, 1})
	}
	if s.CPU > 0 {
		out = append(out, need{thing{kind: cpu}, s.CPU})
	}
	if s.Memory > 0 {
		out = append(out, need{thing{kind: memory}, s.Memory})
	}
	for _, name := range sortedKeys(s.Generic) {
		if s.Generic[name] > 0 {
			out = append(out, need{thing{kind: generic, name: name}, s.Generic[name]})
		}
	}
	return out
}

// flow returns the flow of a thing; nil where only one service asks for it, so
// that there is nothing to share.
func (b *board) flow(t thing) *flow {
	f := b.things[t]
	if f == nil && b.users[t] > 1 {
		f = newFlow(len(b.nodes), func(v int) int64 { return b.nodes[v].has(t) })
		b.things[t] = f
	}
	return f
}

// add places a service beside what is there already, and says what is missing.
func (b *board) add(s *Service) *Shortage {
	on := b.eligible(s)
	switch {
	case s.Job:
		return b.addJob(s, on)
	case s.Global:
		return b.addGlobal(s, on)
	case s.Tasks <= 0:
		return nil
	}
	fits, why := b.most(s, on)
	if why == nil {
		b.commit(s, on, s.Tasks)
		return nil
	}
	b.commit(s, on, fits)
	why.Missing, why.Tasks = s.Tasks-fits, s.Tasks
	return why
}

// most is how many of the service's tasks fit at most, and why not all.
func (b *board) most(s *Service, on *set) (int, *Shortage) {
	if len(on.nodes) == 0 {
		return 0, b.nobody(s)
	}
	needs := s.needs()
	fits, tightest := s.Tasks, (*Shortage)(nil)
	if own := b.alone(s, on, needs); own < fits {
		fits, tightest = own, b.explainAlone(s, on, needs, own)
	}
	for _, n := range needs {
		if k, short := b.bound(n, on, s.Tasks); k < fits {
			fits, tightest = k, b.explainShared(s, on, short)
		}
	}
	return fits, tightest
}

// alone is how many tasks the nodes take if only global services are beside it.
func (b *board) alone(s *Service, on *set, needs []need) int {
	if len(needs) == 0 && s.MaxPerNode == 0 {
		return math.MaxInt
	}
	total := 0
	for _, v := range on.nodes {
		n, _ := b.takes(s, needs, v)
		if total += n; total >= s.Tasks {
			return total
		}
	}
	return total
}

// takes is how many tasks of a service one node takes beside those of global
// services, and what keeps it from more; nil stands for replicas_max_per_node.
func (b *board) takes(s *Service, needs []need, v int) (int, *need) {
	most, tightest := math.MaxInt, (*need)(nil)
	if s.MaxPerNode > 0 {
		most = s.MaxPerNode
	}
	for i := range needs {
		n := &needs[i]
		if k := int(b.free(n.thing, v) / n.unit); k < most {
			most, tightest = k, n
		}
	}
	return most, tightest
}

// bottleneck is a thing of which there is too little, for what reason.
type bottleneck struct {
	need
	flow *flow
	*tight
	whole bool // it would do if tasks could be cut in pieces
}

// bound is how many of so many tasks the nodes have a thing for, beside all
// that others take.
func (b *board) bound(n need, on *set, tasks int) (int, *bottleneck) {
	f := b.flow(n.thing)
	if f == nil && len(on.nodes) > 1 {
		return tasks, nil // board.alone has looked at it
	}
	if f == nil { // a node of a global service
		f = newFlow(len(b.nodes), func(v int) int64 { return b.nodes[v].has(n.thing) })
	}
	got, tight := f.room(on, mul(n.unit, tasks))
	fits, short := tasks, (*bottleneck)(nil)
	if k := int(got / n.unit); k < fits {
		fits, short = k, &bottleneck{n, f, tight, false}
	}
	if w := b.wholes(n); w != nil {
		if got, tight := w.room(on, int64(tasks)); int(got) < fits {
			fits, short = int(got), &bottleneck{n, w, tight, true}
		}
	}
	return fits, short
}

// large is the share of a node above which a task counts as a whole one: many
// small ones fill a node as well as if they could be cut.
const large = 8

// wholes is the flow of places for tasks that take as much as n or more: a node
// with 4 GiB has one place for tasks of 3 GiB, whoever's they are. It is nil
// where that says no more than [board.alone] does.
func (b *board) wholes(n need) *flow {
	f := b.flow(n.thing)
	if f == nil || n.kind == hostPort || n.unit <= slices.Max(f.size)/large {
		return nil
	}
	w := b.places[n]
	if w == nil {
		if len(b.places) == maxPlaces {
			return nil
		}
		w = &places{flow: newFlow(len(b.nodes), func(v int) int64 { return f.size[v] / n.unit }), seen: map[*taker]int{}}
		b.places[n] = w
	}
	for _, t := range f.inOrder {
		for _, s := range t.shares[w.seen[t]:] {
			if s.unit >= n.unit {
				w.flow.put(t.on, share{s.name, s.tasks, 1})
			}
		}
		w.seen[t] = len(t.shares)
	}
	if len(w.flow.inOrder) == 0 {
		return nil
	}
	return w.flow
}

// places is a flow of [board.wholes], and how much of the thing's own it has
// seen.
type places struct {
	flow *flow
	seen map[*taker]int
}

// maxPlaces bounds how many sizes of tasks count as whole ones.
const maxPlaces = 100

// free is what a node has of a thing beside what global services take.
func (b *board) free(t thing, v int) int64 {
	if f := b.flow(t); f != nil {
		return max(f.size[v]-f.pinned[v], 0)
	}
	return max(b.nodes[v].has(t), 0)
}

// commit takes what so many tasks need.
func (b *board) commit(s *Service, on *set, tasks int) {
	for _, n := range s.needs() {
		if f := b.flow(n.thing); f != nil {
			f.put(on, share{s.Name, tasks, n.unit})
		}
	}
}

// addGlobal places a task on each node that the service is meant for. Platforms
// and room do not count there: the swarm makes the task, and it stays pending.
func (b *board) addGlobal(s *Service, on *set) *Shortage {
	meant := b.meant(s)
	if len(meant) == 0 {
		why := b.nobody(s)
		why.Nowhere = true
		return why
	}
	short := &Shortage{Tasks: len(meant)}
	var why remarks
	needs := s.needs()
	for _, v := range meant {
		one := b.single(v)
		if text, where := b.lacks(s, needs, on, one); text != "" {
			short.Missing++
			why.add(text, where...)
			continue
		}
		for _, n := range needs {
			if f := b.flow(n.thing); f != nil {
				f.pin(one, share{s.Name, 1, n.unit})
			}
		}
	}
	if short.Missing == 0 {
		return nil
	}
	short.Why = why.lines(b)
	short.Do = []string{"keep it off those nodes with a constraint, or make room there"}
	return short
}

// lacks says why a node has no room for a task more, and of which nodes that is
// true; "" where it has room.
func (b *board) lacks(s *Service, needs []need, on, one *set) (string, []int) {
	if !on.has(one.nodes[0]) {
		return b.reason(s, one.nodes[0]), one.nodes
	}
	for _, n := range needs {
		if got, short := b.bound(n, one, 1); got < 1 {
			return b.shared(s, 1, short), short.nodes
		}
	}
	return "", nil
}

// addJob checks that a job can run at all; its tasks may have to wait for each
// other, and what they take they give back.
func (b *board) addJob(s *Service, on *set) *Shortage {
	if s.Global {
		return b.asIfAlone(s, on)
	}
	if s.Tasks <= 0 {
		return nil
	}
	one := *s
	one.Tasks = 1
	if _, why := b.most(&one, on); why != nil {
		why.Missing, why.Tasks = s.Tasks, s.Tasks
		return why
	}
	return nil
}

// asIfAlone places a global job, and takes it away again.
func (b *board) asIfAlone(s *Service, on *set) *Shortage {
	kept, wholes := b.things, b.places
	b.things, b.places = map[thing]*flow{}, map[need]*places{}
	for _, n := range s.needs() {
		if f := kept[n.thing]; f != nil {
			b.things[n.thing] = f.clone()
		}
	}
	why := b.addGlobal(s, on)
	b.things, b.places = kept, wholes
	return why
}

// roll reports whether an update that starts new tasks first has no room for
// one beside the old ones.
func (b *board) roll(s *Service) *Shortage {
	on := b.eligible(s)
	if len(on.nodes) == 0 || len(b.matching(s)) > len(on.nodes) {
		return nil // an old task may be on a node that takes no new one
	}
	if s.Global {
		return b.rollGlobal(s, on)
	}
	if s.Tasks <= 0 || s.Running < s.Tasks {
		return nil
	}
	now, next := *s, *s
	next.Tasks++
	if fits, _ := b.most(&now, on); fits < now.Tasks {
		return nil // told anyway
	}
	fits, why := b.most(&next, on)
	if fits >= next.Tasks {
		return nil
	}
	why.Missing, why.Tasks, why.Rolling = s.Tasks, s.Tasks, true
	why.Do = stopFirst
	return why
}

func (b *board) rollGlobal(s *Service, on *set) *Shortage {
	if s.Running < len(on.nodes) {
		return nil
	}
	missing, why := 0, remarks{}
	for _, v := range on.nodes {
		one := b.single(v)
		for _, n := range s.needs() {
			if got, short := b.bound(n, one, 2); got < 2 {
				if got == 1 { // none is told anyway
					missing++
					why.add(b.shared(s, 2, short), short.nodes...)
				}
				break
			}
		}
	}
	if missing == 0 {
		return nil
	}
	return &Shortage{Missing: missing, Tasks: len(on.nodes), Rolling: true, Why: why.lines(b), Do: stopFirst}
}

var stopFirst = []string{`update = update_policy(order = "stop-first") lets the old task go first`}

// mul multiplies without overflow.
func mul(unit int64, n int) int64 {
	if n > 0 && unit > math.MaxInt64/int64(n) {
		return math.MaxInt64
	}
	return unit * int64(n)
}
