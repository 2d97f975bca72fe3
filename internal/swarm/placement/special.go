package placement

// addGlobal places a task on each node that the service is meant for. Platforms
// and room do not count there: the swarm makes the task, and it stays pending.
func (b *board) addGlobal(s *Service, on *set) *Shortage {
	meant := b.meant(s)
	if len(meant) == 0 {
		why := b.nobody(s)
		why.Nowhere = true
		return why
	}
	takes := !s.Settled || s.Running >= len(meant)
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
			if f := b.flow(n.thing); f != nil && takes {
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
