package whatif

import (
	"sync"
	"time"

	"github.com/docker/go-events"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"github.com/moby/swarmkit/v2/protobuf/ptypes"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// engines stand for the allocator and for the engines of all nodes: a task that
// is new is given its ports, one that has a node runs as soon as it may, and one
// that is to end has ended. A job's task runs until nothing else happens, then
// they all complete. Nothing moves on a node that is down.
type engines struct {
	store *store.MemoryStore
	watch chan events.Event
	close func()
	ends  chan struct{}

	mu       sync.Mutex
	trace    []outcome.Event
	round    int // before the first step it is -1, and nothing is written down
	last     map[string]*api.Task
	moved    time.Time
	count    int             // what has happened
	finished map[string]bool // tasks of jobs that are to complete
}

func newEngines(s *store.MemoryStore) *engines {
	e := &engines{store: s, ends: make(chan struct{}), round: -1, last: map[string]*api.Task{}, moved: time.Now(), finished: map[string]bool{}}
	e.watch, e.close = s.WatchQueue().Watch()
	return e
}

func (e *engines) stop() { close(e.ends) }

// run follows the store until it is stopped.
func (e *engines) run() {
	defer e.close()
	touched := map[string]bool{}
	e.store.View(func(tx store.ReadTx) {
		all, _ := store.FindTasks(tx, store.All) // which fails for unknown selectors only
		for _, t := range all {
			touched[t.ID] = true
		}
	})
	e.advance(touched)
	for {
		select {
		case ev := <-e.watch:
			switch ev := ev.(type) {
			case api.EventCreateTask:
				e.note(ev.Task)
				touched[ev.Task.ID] = true
			case api.EventUpdateTask:
				e.note(ev.Task)
				touched[ev.Task.ID] = true
			case state.EventCommit:
				e.advance(touched)
				clear(touched)
			}
		case <-e.ends:
			return
		}
	}
}

// note writes down what is new of a task.
func (e *engines) note(t *api.Task) {
	if t.ServiceID == probeService {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.last[t.ID]
	e.last[t.ID] = t
	e.moved = time.Now()
	e.count++
	if old == nil {
		e.add(outcome.Made, t)
		old = &api.Task{}
	}
	switch now := t.Status.State; {
	case now == api.TaskStatePending && t.Status.Err != "" && t.Status.Err != old.Status.Err:
		e.add(outcome.Waits, t)
	case now == old.Status.State:
	case now == api.TaskStateRunning:
		e.add(outcome.Runs, t)
	case now == api.TaskStateCompleted:
		e.add(outcome.Done, t)
	case now == api.TaskStateRejected:
		e.add(outcome.Rejected, t)
	case now > api.TaskStateRunning:
		e.add(outcome.Ended, t)
	}
	if t.DesiredState > api.TaskStateCompleted && old.DesiredState <= api.TaskStateCompleted {
		e.add(outcome.Stops, t)
	}
}

// add writes an event down.
func (e *engines) add(k outcome.Kind, t *api.Task) {
	if e.round >= 0 || k == outcome.Found {
		e.trace = append(e.trace, e.event(k, t))
	}
}

func (e *engines) event(k outcome.Kind, t *api.Task) outcome.Event {
	ev := outcome.Event{Round: e.round, Kind: k, Task: t.ID, Service: t.ServiceID, Slot: t.Slot, Node: t.NodeID}
	if t.SpecVersion != nil {
		ev.Spec = t.SpecVersion.Index
	}
	if k == outcome.Waits {
		ev.Why = t.Status.Err
	}
	return ev
}

// advance takes tasks as far as they go by themselves.
func (e *engines) advance(touched map[string]bool) {
	if len(touched) == 0 {
		return
	}
	_ = e.store.Update(func(tx store.Tx) error { // it fails only where the store is closed
		for id := range touched {
			t := store.GetTask(tx, id)
			if t == nil {
				continue
			}
			next := e.next(tx, t)
			if next == t.Status.State {
				continue
			}
			if next == api.TaskStatePending {
				t.Endpoint = endpointOf(store.GetService(tx, t.ServiceID), t)
			}
			t.Status = api.TaskStatus{State: next, Timestamp: ptypes.MustTimestampProto(time.Now())}
			if err := store.UpdateTask(tx, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// next is the state that a task takes by itself.
func (e *engines) next(tx store.ReadTx, t *api.Task) api.TaskState {
	is, wanted := t.Status.State, t.DesiredState
	switch {
	case is > api.TaskStateRunning:
		return is
	case is < api.TaskStateAssigned && wanted > api.TaskStateCompleted && is != api.TaskStatePending:
		return api.TaskStateShutdown
	case is == api.TaskStateNew:
		return api.TaskStatePending
	case is < api.TaskStateAssigned:
		return is // the scheduler's
	case down(store.GetNode(tx, t.NodeID)):
		return is
	case wanted > api.TaskStateCompleted:
		return api.TaskStateShutdown
	case wanted < api.TaskStateRunning:
		return max(is, wanted)
	case is == api.TaskStateRunning && e.completes(t.ID):
		return api.TaskStateCompleted
	}
	return api.TaskStateRunning
}

func (e *engines) completes(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.finished[id]
}

// complete lets tasks of jobs end.
func (e *engines) complete(ids map[string]bool) {
	e.mu.Lock()
	for id := range ids {
		e.finished[id] = true
	}
	e.mu.Unlock()
	e.advance(ids)
}

func down(n *api.Node) bool { return n == nil || n.Status.State != api.NodeStatus_READY }

// endpointOf gives a task the ports of its service. Those that the swarm would
// choose stay open: the scheduler does not look at them.
func endpointOf(s *api.Service, t *api.Task) *api.Endpoint {
	if s == nil || s.Spec.Endpoint == nil {
		return t.Endpoint
	}
	return &api.Endpoint{Spec: s.Spec.Endpoint.Copy(), Ports: s.Spec.Endpoint.Copy().Ports}
}

// found writes down what there is before the first step.
func (e *engines) found(running, waiting []*api.Task) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range running {
		e.add(outcome.Found, t)
	}
	for _, t := range waiting {
		e.trace = append(e.trace, e.event(outcome.Made, t), e.event(outcome.Waits, t))
	}
}

// begin begins the next round of steps.
func (e *engines) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.round++
	e.moved = time.Now()
}

func (e *engines) rounds() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.round + 1
}

// quiet is for how long nothing has happened to any task.
func (e *engines) quiet() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Since(e.moved)
}

// moves counts what has happened.
func (e *engines) moves() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

func (e *engines) events() []outcome.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]outcome.Event(nil), e.trace...)
}
