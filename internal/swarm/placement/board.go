package placement

import "math"

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

// plenty is more of a thing than anybody asks for, of machines that are not known
// yet.
const plenty = 1 << 50

// has is how much of a thing a node has.
func (n *Node) has(t thing) int64 {
	if n.Coming && t.kind != hostPort {
		return plenty
	}
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
	taken := fits
	if s.Settled {
		taken = min(fits, s.Running)
	}
	b.commit(s, on, taken)
	if why != nil {
		why.Missing, why.Tasks = s.Tasks-fits, s.Tasks
	}
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
