package placement

import (
	"math"
	"slices"
)

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

// mul multiplies without overflow.
func mul(unit int64, n int) int64 {
	if n > 0 && unit > math.MaxInt64/int64(n) {
		return math.MaxInt64
	}
	return unit * int64(n)
}
