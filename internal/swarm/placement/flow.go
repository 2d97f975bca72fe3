package placement

import (
	"maps"
	"slices"
)

// set is nodes, by their indices in order. Equal sets are one set.
type set struct {
	nodes []int
	key   string
}

func (s *set) has(v int) bool {
	_, ok := slices.BinarySearch(s.nodes, v)
	return ok
}

// flow is how one thing that nodes have is given to those who may take it: a
// maximum flow from sets of nodes to the nodes in them. Takers of the same set
// are one, so its size does not grow with the number of services.
type flow struct {
	size    []int64 // what each node has
	left    []int64 // what of it nobody took
	pinned  []int64 // what global services took
	takers  map[string]*taker
	inOrder []*taker
	visited []int // of the last search, by node: its number
	search  int
}

// taker is a set of nodes, how much was taken from each, and by whom.
type taker struct {
	on     *set
	took   []int64 // by index in on.nodes
	shares []share
}

// share is what a service takes.
type share struct {
	name  string
	tasks int
	unit  int64
}

func newFlow(nodes int, size func(v int) int64) *flow {
	f := &flow{size: make([]int64, nodes), pinned: make([]int64, nodes), visited: make([]int, nodes), takers: map[string]*taker{}}
	for v := range f.size {
		f.size[v] = max(size(v), 0)
	}
	f.left = slices.Clone(f.size)
	return f
}

func (f *flow) clone() *flow {
	c := *f
	c.left, c.pinned, c.visited = slices.Clone(f.left), slices.Clone(f.pinned), slices.Clone(f.visited)
	c.takers, c.inOrder = maps.Clone(f.takers), slices.Clone(f.inOrder)
	for i, t := range c.inOrder {
		copied := *t
		copied.took = slices.Clone(t.took)
		copied.shares = slices.Clip(t.shares)
		c.inOrder[i], c.takers[t.on.key] = &copied, &copied
	}
	return &c
}

func (f *flow) taker(on *set) *taker {
	t := f.takers[on.key]
	if t == nil {
		t = &taker{on: on, took: make([]int64, len(on.nodes))}
		f.takers[on.key] = t
		f.inOrder = append(f.inOrder, t)
	}
	return t
}

// put takes what a service needs, as far as there is any.
func (f *flow) put(on *set, s share) {
	if s.tasks > 0 {
		t := f.taker(on)
		t.shares = append(t.shares, s)
		f.push(t, mul(s.unit, s.tasks))
	}
}

// pin is put for a single node that the taker has no choice of.
func (f *flow) pin(one *set, s share) {
	f.put(one, s)
	f.pinned[one.nodes[0]] += s.unit
}

// tight says why there is no more: what is on these nodes is taken by these,
// who cannot go elsewhere.
type tight struct {
	nodes  []int
	takers []*taker
}

// room is how much of an amount a set of nodes could still get, and where it is
// less, why. Nothing is taken.
func (f *flow) room(on *set, amount int64) (int64, *tight) {
	var free int64
	for _, v := range on.nodes {
		if free += f.left[v]; free >= amount {
			return amount, nil
		}
	}
	return f.clone().exact(on, amount)
}

// exact is room by really taking it.
func (f *flow) exact(on *set, amount int64) (int64, *tight) {
	got := f.push(f.taker(on), amount)
	if got == amount {
		return got, nil
	}
	t := &tight{}
	for v, search := range f.visited {
		if search == f.search {
			t.nodes = append(t.nodes, v)
		}
	}
	for _, u := range f.inOrder {
		inside := func(v int) bool { return f.visited[v] == f.search }
		if len(u.shares) > 0 && slices.ContainsFunc(u.on.nodes, inside) && !slices.ContainsFunc(u.on.nodes, func(v int) bool { return !inside(v) }) {
			t.takers = append(t.takers, u)
		}
	}
	return got, t
}

// push takes an amount, moving what others took to nodes that they may have as
// well. It returns how much it got.
func (f *flow) push(t *taker, amount int64) (got int64) {
	for got < amount {
		n := f.augment(t, amount-got)
		if n == 0 {
			break
		}
		got += n
	}
	return got
}

// step is one of a search's: taker took from node at, and was come to from the
// step before, which wants the node that it has at want.
type step struct {
	taker  *taker
	before int // -1 for the first
	want   int // of the step before: the index in its nodes of what it takes here
	give   int // the index in taker's nodes of that node
}

// augment searches breadth first for a node with something left, and shifts
// along the way to it as much as it allows.
func (f *flow) augment(t *taker, amount int64) int64 {
	for k, v := range t.on.nodes { // mostly there is something without a search
		if n := min(amount, f.left[v]); n > 0 {
			f.left[v] -= n
			t.took[k] += n
			return n
		}
	}
	f.search++
	steps := []step{{taker: t, before: -1}}
	seen := map[*taker]bool{t: true}
	for i := 0; i < len(steps); i++ {
		at := steps[i].taker
		for k, v := range at.on.nodes {
			if f.visited[v] == f.search {
				continue
			}
			f.visited[v] = f.search
			if f.left[v] > 0 {
				return f.shift(steps, i, k, amount)
			}
			for _, u := range f.inOrder {
				if seen[u] {
					continue
				}
				if g, ok := slices.BinarySearch(u.on.nodes, v); ok && u.took[g] > 0 {
					seen[u] = true
					steps = append(steps, step{taker: u, before: i, want: k, give: g})
				}
			}
		}
	}
	return 0
}

// shift moves an amount along the steps that end with taking from the k-th node
// of the i-th step's taker.
func (f *flow) shift(steps []step, i, k int, amount int64) int64 {
	amount = min(amount, f.left[steps[i].taker.on.nodes[k]])
	for j := i; steps[j].before >= 0; j = steps[j].before {
		amount = min(amount, steps[j].taker.took[steps[j].give])
	}
	f.left[steps[i].taker.on.nodes[k]] -= amount
	for j := i; ; j = steps[j].before {
		s := steps[j]
		s.taker.took[k] += amount
		if s.before < 0 {
			return amount
		}
		s.taker.took[s.give] -= amount
		k = s.want
	}
}
