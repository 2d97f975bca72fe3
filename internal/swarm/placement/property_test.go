package placement

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// A shortage is told only where a search of all placements finds none, and
// always where the bounds are exact: a single service, or a single host port.
func TestNoFalseAlarms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var impossible, found, possible, rolling int
	for range 8000 {
		nodes, services := randomSwarm(r)
		told := Check(nodes, services)
		all := fits(nodes, settled(nodes, services, -1))
		if all {
			possible++
		} else {
			impossible++
		}
		short, before := -1, false
		for i := range told {
			switch s := &told[i]; {
			case s.Nowhere:
			case s.Rolling:
				rolling++
				checkRolling(t, nodes, services, s)
			case services[s.Service].Settled:
				checkFirst(t, nodes, services, s)
				before = true
			case short < 0:
				short = i
			}
		}
		if !all && (before || short >= 0) {
			found++
		}
		if short < 0 {
			if !all && !before && exact(services) {
				t.Fatalf("nothing was found, and there is no placement:\n%s", describe(nodes, services))
			}
			continue
		}
		if all {
			t.Fatalf("there is a placement:\n%s%s", describe(nodes, services), show(services, told))
		}
		checkFirst(t, nodes, services, &told[short])
	}
	t.Logf("%d possible, %d impossible, of which %d were found; %d updates that do not roll", possible, impossible, found, rolling)
	if possible < 1000 || found < 1000 || rolling < 50 {
		t.Error("the random swarms are too much alike")
	}
	if found < impossible*9/10 {
		t.Errorf("only %d of %d impossible placements were found", found, impossible)
	}
}

// checkFirst checks the number that is missing of the first service that is
// short: no placement of those before it has room for a task more.
func checkFirst(t *testing.T, nodes []Node, services []Service, s *Shortage) {
	t.Helper()
	upTo := settled(nodes, services[:s.Service+1], s.Service)
	last := &upTo[s.Service]
	if !last.Global && !last.Job {
		last.Tasks = s.Tasks - s.Missing + 1
	}
	if fits(nodes, upTo) {
		t.Fatalf("one more can be placed:\n%s%s", describe(nodes, services), show(services, []Shortage{*s}))
	}
}

// checkRolling checks that beside what is settled, and the old tasks, there is
// no room for one more.
func checkRolling(t *testing.T, nodes []Node, services []Service, s *Shortage) {
	t.Helper()
	var beside []Service
	for _, o := range settled(nodes, services, -1) {
		if o.Settled {
			beside = append(beside, o)
		}
	}
	next := services[s.Service]
	if next.Global { // one node after the other
		stuck := 0
		for _, n := range nodes {
			more := next
			more.Global, more.Tasks, more.Constraints = false, 1, append([]string{"node.id==" + n.ID}, next.Constraints...)
			if n.Satisfies(more.Constraints[0]) && n.ready() && n.Allows(next.Constraints) && n.Runs(next.Platforms) && !fits(nodes, append(beside, next, more)) {
				stuck++
			}
		}
		if stuck < s.Missing {
			t.Fatalf("it can roll on all but %d nodes:\n%s%s", stuck, describe(nodes, services), show(services, []Shortage{*s}))
		}
		return
	}
	next.Tasks++
	if fits(nodes, append(beside, next)) {
		t.Fatalf("it can roll:\n%s%s", describe(nodes, services), show(services, []Shortage{*s}))
	}
}

// settled are services of which those that nobody changes have the tasks that
// run; but for one that is asked about.
func settled(nodes []Node, services []Service, but int) []Service {
	out := append([]Service(nil), services...)
	for i := range out {
		s := &out[i]
		if !s.Settled || i == but {
			continue
		}
		if s.Tasks = min(s.Tasks, s.Running); s.Global && s.Running < len(newBoard(nodes, nil).meant(s)) {
			s.Global, s.Tasks = false, 0
		}
	}
	return out
}

// exact reports whether what [Check] looks at decides the question.
func exact(services []Service) bool {
	demanding := 0
	for _, s := range services {
		if len(s.needs())+s.MaxPerNode > 0 {
			demanding++
		}
		if s.Job {
			return false
		}
	}
	if demanding <= 1 {
		return true
	}
	for _, s := range services {
		if len(s.Ports) > 1 || s.CPU+s.Memory > 0 || len(s.Generic) > 0 || len(s.Ports) == 1 && s.Ports[0] != port80[0] {
			return false
		}
	}
	return true
}

// fits searches for a placement of all tasks: those of global services first,
// then, service by service, every way of spreading its tasks over the nodes.
func fits(nodes []Node, services []Service) bool {
	w := &world{board: newBoard(nodes, services), services: services, free: make([]Node, len(nodes)), ports: make([]map[Port]bool, len(nodes))}
	for v, n := range nodes {
		w.free[v], w.ports[v] = n, map[Port]bool{}
		w.free[v].Generic = map[string]int64{"gpu": n.Generic["gpu"]}
	}
	return w.place(0)
}

type world struct {
	board    *board
	services []Service
	free     []Node
	ports    []map[Port]bool
}

func (w *world) place(i int) bool {
	if i == len(w.services) {
		return true
	}
	s := &w.services[i]
	on := w.board.eligible(s)
	switch {
	case s.Global:
		var taken []int
		ok := true
		for _, v := range w.board.meant(s) {
			if ok = on.has(v) && w.room(s, v); !ok {
				break
			}
			w.take(s, v, 1)
			taken = append(taken, v)
		}
		undo := func() {
			for _, v := range taken {
				w.take(s, v, -1)
			}
		}
		if s.Job {
			undo()
			return ok && w.place(i+1)
		}
		ok = ok && w.place(i+1)
		undo()
		return ok
	case s.Job:
		for _, v := range on.nodes {
			if w.room(s, v) && w.place(i+1) { // it gives back what it takes
				return true
			}
		}
		return s.Tasks == 0 && w.place(i+1)
	}
	return w.spread(i, on.nodes, s.Tasks)
}

// spread puts tasks of the i-th service on the first of the nodes, as many as
// there is room for, and the rest on the others.
func (w *world) spread(i int, on []int, tasks int) bool {
	if tasks == 0 {
		return w.place(i + 1)
	}
	if len(on) == 0 {
		return false
	}
	s, v, put := &w.services[i], on[0], 0
	ok := w.spread(i, on[1:], tasks)
	for !ok && put < tasks && (s.MaxPerNode == 0 || put < s.MaxPerNode) && w.room(s, v) {
		w.take(s, v, 1)
		put++
		ok = w.spread(i, on[1:], tasks-put)
	}
	for range put {
		w.take(s, v, -1)
	}
	return ok
}

func (w *world) room(s *Service, v int) bool {
	for _, p := range s.Ports {
		if w.ports[v][p] {
			return false
		}
	}
	n := &w.free[v]
	return s.CPU <= n.CPU && s.Memory <= n.Memory && s.Generic["gpu"] <= n.Generic["gpu"]
}

func (w *world) take(s *Service, v, sign int) {
	n := &w.free[v]
	n.CPU -= int64(sign) * s.CPU
	n.Memory -= int64(sign) * s.Memory
	n.Generic["gpu"] -= int64(sign) * s.Generic["gpu"]
	for _, p := range s.Ports {
		w.ports[v][p] = sign > 0
	}
}

func randomSwarm(r *rand.Rand) ([]Node, []Service) {
	chance := func(percent int) bool { return r.IntN(100) < percent }
	nodes := swarm(1+r.IntN(4), func(_ int, n *Node) {
		n.CPU, n.Memory, n.Generic = int64(1+r.IntN(4)), int64(1+r.IntN(6)), gpus(int64(r.IntN(3)))
		n.Labels = map[string]string{"z": string(rune('a' + r.IntN(2)))}
		switch r.IntN(12) {
		case 0:
			n.Availability = "drain"
		case 1:
			n.Availability = "pause"
		case 2:
			n.State = "down"
		case 3:
			n.OS = "windows"
		}
	})
	simple := chance(30) // one host port, and nothing else
	services := make([]Service, 1+r.IntN(4))
	for i := range services {
		s := &services[i]
		*s = Service{Name: string(rune('p' + i)), Tasks: r.IntN(4), Global: chance(15), Settled: i == 0 || services[i-1].Settled && chance(50)}
		s.Stays = s.Settled
		if s.Running = max(s.Tasks, len(nodes)); chance(30) {
			s.Running = r.IntN(4)
		}
		if chance(30) {
			s.Constraints = []string{"node.labels.z" + []string{"==", "!="}[r.IntN(2)] + "a"}
		}
		if chance(60) {
			s.Ports = port80
		}
		if simple {
			continue
		}
		s.Job, s.StartFirst = chance(10), !s.Settled && chance(30)
		s.StartFirst = s.StartFirst && !s.Job
		switch r.IntN(6) {
		case 0:
			s.Ports = port81
		case 1:
			s.Ports = append(port80[:1:1], port81...)
		}
		if chance(30) {
			s.CPU = int64(1 + r.IntN(3))
		}
		if chance(30) {
			s.Memory = int64(1 + r.IntN(4))
		}
		if chance(15) {
			s.Generic = gpus(int64(1 + r.IntN(2)))
		}
		if chance(15) && !s.Global {
			s.MaxPerNode = 1 + r.IntN(2)
		}
		if chance(15) {
			s.Platforms = []Platform{{"linux", "amd64"}}
		}
	}
	return nodes, services
}

func describe(nodes []Node, services []Service) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%+v\n", n)
	}
	for _, s := range services {
		fmt.Fprintf(&b, "%+v\n", s)
	}
	return b.String()
}
