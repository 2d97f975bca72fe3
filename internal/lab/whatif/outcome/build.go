package outcome

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// assumptions are those of every report.
var assumptions = []string{
	"a container starts in 1 s and stops in 1 s (one that ignores the signal takes its stop grace period); with a health check it runs after its first check",
	"every new container comes up, and its image is there",
	"how long machines take to be made, joined and removed is not counted",
}

// Build says what a trace comes to.
func Build(t *Trace) *Report {
	b := &builder{trace: t, names: map[string]string{}}
	for _, n := range t.Nodes {
		b.names[n.ID] = n.Name
	}
	b.replay()
	r := &Report{Swarm: t.Swarm, Cut: t.Cut, Services: []Service{}, Seconds: seconds(b.clock), Assumptions: slices.Concat(assumptions, t.Notes)}
	for _, s := range b.services {
		if out, happens := b.service(s); happens {
			r.Services = append(r.Services, out)
		}
	}
	for _, s := range b.services {
		if s.Hurried && s.counts["renewed"] > 0 {
			r.Assumptions = append(r.Assumptions, "nodes may come out otherwise for "+s.Name+": it has many tasks, and more of them were renewed at a time here")
		}
	}
	r.Nodes = b.nodes()
	return r
}

type builder struct {
	trace    *Trace
	names    map[string]string // of nodes
	services []*service
	clock    time.Duration
}

// service is a service whose trace is being replayed.
type service struct {
	*TraceService
	tasks  []*task // in the order in which they came
	byID   map[string]*task
	begun  time.Duration // when the first thing happened to it
	ended  time.Duration
	active bool
	at     int            // the round that is replayed
	counts map[string]int // renewed, moved
}

// task is the life of a task. Times count from the beginning of the plan.
type task struct {
	id, service, node string
	slot              uint64
	spec              uint64
	found             bool
	made, ran, stops  int // the rounds; -1 where it did not, or before the first
	runs, ended, done bool
	rejected          bool
	why               string

	up, down time.Duration // when it runs, and no more
	timed    bool          // up is set
	paired   bool          // a task takes its place
}

// never is when something happens that does not.
const never = time.Duration(1<<63 - 1)

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

// replay reads the events, and gives them times round by round.
func (b *builder) replay() {
	byID := map[string]*service{}
	for i := range b.trace.Services {
		s := &service{TraceService: &b.trace.Services[i], byID: map[string]*task{}, counts: map[string]int{}}
		b.services = append(b.services, s)
		for _, id := range s.IDs {
			byID[id] = s
		}
	}
	for _, e := range b.trace.Events {
		if s := byID[e.Service]; s != nil {
			s.note(e)
		}
	}
	for round := range b.trace.Rounds {
		end := b.clock
		for _, s := range b.services {
			end = max(end, s.round(round, b.clock))
		}
		b.clock = end
	}
}

// note takes an event into the life of its task.
func (s *service) note(e Event) {
	t := s.byID[e.Task]
	if t == nil && e.Kind != Found && e.Kind != Made {
		return // it was on its way out before
	}
	if t == nil {
		t = &task{id: e.Task, service: e.Service, slot: e.Slot, spec: e.Spec, made: e.Round, ran: -1, stops: -1, down: never}
		s.byID[e.Task] = t
		s.tasks = append(s.tasks, t)
	}
	if e.Node != "" {
		t.node = e.Node
	}
	switch e.Kind {
	case Found:
		t.found, t.runs, t.timed, t.made = true, true, true, -1
	case Waits:
		t.why = e.Why
	case Runs:
		t.runs, t.ran, t.why = true, e.Round, ""
	case Rejected:
		t.rejected = true
		t.stop(e.Round)
	case Stops:
		t.stop(e.Round)
	case Ended:
		t.ended = true
		t.stop(e.Round)
	case Done:
		t.done = true
	}
}

func (t *task) stop(round int) {
	if t.stops < 0 {
		t.stops = round
	}
}

// sameSlot reports whether one task takes the place of the other.
func (s *service) sameSlot(a, b *task) bool {
	if a.service != b.service {
		return false
	}
	if strings.HasPrefix(s.Mode, "global") {
		return a.node == b.node
	}
	return a.slot == b.slot
}

// round gives times to what happened in a round that begins at a time, and
// returns when the swarm is done with it.
func (s *service) round(round int, begin time.Duration) time.Duration {
	end := begin
	workers := newWorkers(s.Policy, begin)
	touched := false
	s.at = round
	for _, t := range s.tasks {
		late := t.made < round && t.ran == round && !t.found // it got the room that it has waited for
		if t.made != round && !late {
			continue
		}
		touched = true
		var before *task
		if !late {
			before = s.before(t)
		}
		done := never
		switch {
		case before == nil:
			done = s.grows(t, begin)
		case before.spec != t.spec && !strings.HasSuffix(s.Mode, "-job"):
			s.counts["renewed"]++
			done = s.renews(t, before, workers)
		default:
			s.counts["moved"]++
			done = s.moves(t, before, begin)
		}
		if done != never {
			end = max(end, done)
		}
	}
	for _, t := range s.tasks { // what goes without another in its place
		if t.stops == round && t.down == never {
			touched = true
			t.down = max(begin, t.up)
			end = max(end, t.down+s.Policy.Stop)
		}
	}
	if !touched {
		return begin
	}
	if !s.active {
		s.active, s.begun = true, begin
	}
	s.ended = max(s.ended, end)
	return end
}

// before is the task whose place a task takes, nil where it takes none's.
func (s *service) before(t *task) *task {
	for _, o := range slices.Backward(s.tasks[:slices.Index(s.tasks, t)]) {
		if s.sameSlot(o, t) && !o.paired && o.made <= t.made && (o.stops < 0 || o.stops >= t.made) {
			o.paired = true
			return o
		}
	}
	return nil
}

// hold is how long who applies the plan watches new tasks that no update watches.
func (s *service) hold() time.Duration {
	if s.Policy.Healthy || strings.HasSuffix(s.Mode, "-job") {
		return 0
	}
	return s.Policy.Monitor
}

// grows is a task more.
func (s *service) grows(t *task, begin time.Duration) time.Duration {
	if t.ran != s.at {
		return never
	}
	t.up, t.timed = begin+s.Policy.Start, true
	return t.up + s.hold()
}

// moves is a task that takes the place of one that had to leave its node, which
// is told to stop first.
func (s *service) moves(t, before *task, begin time.Duration) time.Duration {
	before.down = max(begin, before.up)
	wait := s.Policy.Stop
	if before.rejected {
		wait = s.Policy.RestartDelay // and nobody waits for it to end
	}
	if t.ran != s.at {
		return before.down + s.Policy.Stop
	}
	t.up, t.timed = before.down+wait+s.Policy.Start, true
	return t.up
}

// renews is a task of a new spec, by a worker of the update.
func (s *service) renews(t, before *task, w *workers) time.Duration {
	begin := w.take()
	switch {
	case s.Policy.StartFirst && t.ran != s.at:
		return w.stuck()
	case s.Policy.StartFirst:
		t.up, t.timed = begin+s.Policy.Start, true
		before.down = t.up
		return w.free(t.up)
	}
	before.down = max(begin, before.up)
	if t.ran != s.at {
		return w.stuck()
	}
	stop := s.Policy.Stop
	if !before.runs || before.rejected {
		stop = 0
	}
	t.up, t.timed = before.down+stop+s.Policy.Start, true
	return w.free(t.up)
}

// workers are those of a rolling update: each goes on to the next task when its
// last one runs and the delay is over, and in the end all are watched.
type workers struct {
	policy Policy
	begin  time.Duration
	at     []time.Duration // when each is free; there are more where it is unlimited
}

func newWorkers(p Policy, begin time.Duration) *workers {
	w := &workers{policy: p, begin: begin}
	for range p.Parallelism {
		w.at = append(w.at, begin)
	}
	return w
}

// take returns when the next worker is free.
func (w *workers) take() time.Duration {
	if w.policy.Parallelism == 0 || len(w.at) == 0 {
		return w.begin
	}
	i := 0
	for j := range w.at {
		if w.at[j] < w.at[i] {
			i = j
		}
	}
	at := w.at[i]
	w.at = slices.Delete(w.at, i, i+1)
	return at
}

// free gives a worker back, and returns when the update would be over.
func (w *workers) free(up time.Duration) time.Duration {
	w.at = append(w.at, up+w.policy.Delay)
	watch := w.policy.Monitor
	if w.policy.Delay >= watch { // as SwarmKit's updater has it
		watch = w.policy.Delay + time.Second
	}
	return up + w.policy.Delay + watch
}

// stuck keeps a worker for good.
func (w *workers) stuck() time.Duration { return never }

// service sums up what happened to a service; not where nothing did.
func (b *builder) service(s *service) (Service, bool) {
	out := Service{
		Address: s.Address, Name: s.Name, Mode: s.Mode, Action: s.Action, Nodes: []Share{},
		Renewed: s.counts["renewed"], Moved: s.counts["moved"], Stuck: s.Stuck, Refused: s.Refused, NotReached: s.NotReached,
	}
	if (s.Hidden || s.Sensitive) && out.Refused != "" {
		out.Refused = "the answer may show what is sensitive"
	}
	if out.Renewed > 0 {
		if out.AtATime = s.Policy.Parallelism; out.AtATime == 0 || out.AtATime > out.Renewed {
			out.AtATime = out.Renewed
		}
	}
	shares := map[string]*Share{}
	share := func(id string) *Share {
		if shares[id] == nil {
			shares[id] = &Share{Node: cmp.Or(b.names[id], id)}
		}
		return shares[id]
	}
	for _, t := range s.tasks {
		if t.found {
			out.Before++
			share(t.node).Before++
		}
		switch after := t.runs && t.stops < 0; {
		case after:
			out.After++
			share(t.node).After++
		case !t.runs && t.why != "" && t.stops < 0:
			out.Pending = append(out.Pending, b.pending(s, t))
		}
	}
	for _, sh := range shares {
		out.Nodes = append(out.Nodes, *sh)
	}
	slices.SortFunc(out.Nodes, func(a, b Share) int { return compareNames(a.Node, b.Node) })
	slices.SortFunc(out.Pending, func(a, b Pending) int { return compareNames(a.Task, b.Task) })
	s.availability(&out)
	if s.active && !s.Stuck {
		out.Seconds = seconds(s.ended - s.begun)
	}
	return out, s.active || len(out.Pending) > 0 || s.Refused != "" || s.NotReached != ""
}

func (b *builder) pending(s *service, t *task) Pending {
	p := Pending{Task: fmt.Sprintf("%s.%d", s.Name, t.slot), Why: t.why}
	if t.slot == 0 {
		p.Task = s.Name + "." + cmp.Or(b.names[t.node], t.node)
	}
	if s.Hidden {
		p.Why = "no suitable node (what it asks for is sensitive)"
	}
	return p
}

// availability counts the tasks that run, from the first thing that happens.
func (s *service) availability(out *Service) {
	type change struct {
		at time.Duration
		by int
	}
	var list []change
	running, last := 0, 0
	for _, t := range s.tasks {
		if t.found {
			running++
		}
		if !t.timed {
			continue
		}
		if !t.found {
			list = append(list, change{t.up, 1})
		}
		if t.down != never {
			list = append(list, change{t.down, -1})
		}
	}
	slices.SortStableFunc(list, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.by, a.by)) })
	ran := running > 0
	out.Fewest, last = running, running
	var since, dark time.Duration
	for _, c := range list {
		switch running += c.by; {
		case running == 0:
			since = c.at
		case last == 0:
			dark += c.at - since
		}
		last = running
		out.Fewest = min(out.Fewest, running)
	}
	if ran && !s.Zero && !strings.HasSuffix(s.Mode, "-job") {
		out.Interrupted, out.Down = seconds(dark), running == 0
	}
}

// nodes counts the tasks of all services.
func (b *builder) nodes() []Node {
	out := []Node{}
	at := map[string]int{}
	for _, n := range b.trace.Nodes {
		at[n.ID] = len(out)
		out = append(out, Node{Name: n.Name, Joins: n.Joins, Leaves: n.Leaves, Stuck: n.Stuck})
	}
	for _, s := range b.services {
		for _, t := range s.tasks {
			i, ok := at[t.node]
			if !ok {
				continue
			}
			if t.found {
				out[i].Before++
			}
			if t.runs && t.stops < 0 {
				out[i].After++
			}
		}
	}
	slices.SortFunc(out, func(a, b Node) int { return compareNames(a.Name, b.Name) })
	return out
}

// compareNames orders web.2 before web.10.
func compareNames(a, b string) int {
	if strings.TrimRight(a, "0123456789") == strings.TrimRight(b, "0123456789") && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
