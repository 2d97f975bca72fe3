package whatif

import (
	"context"
	"strings"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/identity"
	"github.com/moby/swarmkit/v2/manager/constraint"
	"github.com/moby/swarmkit/v2/manager/orchestrator"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// How often it is looked whether the swarm has settled, and for how long nothing
// must have happened then: the orchestrators may be about to take something up.
const (
	lookEvery = 10 * time.Millisecond
	quietFor  = 100 * time.Millisecond
)

// settle waits until the swarm has nothing more to do: by what is in the store,
// and when the scheduler has looked at all of it. Tasks of jobs complete when
// nothing else happens.
func (w *world) settle(ctx context.Context) {
	for ctx.Err() == nil {
		if w.engines.quiet() < quietFor || !w.still() {
			pause(ctx)
			continue
		}
		before := w.engines.moves()
		w.probe(ctx)
		if w.engines.moves() != before || !w.still() {
			continue
		}
		jobs := w.runningJobs()
		if len(jobs) == 0 {
			break
		}
		w.engines.complete(jobs)
	}
	w.cut = w.cut || ctx.Err() != nil
}

func pause(ctx context.Context) {
	select {
	case <-time.After(lookEvery):
	case <-ctx.Done():
	}
}

// still reports whether the swarm has settled, as far as the store says it.
func (w *world) still() (yes bool) {
	w.store.View(func(tx store.ReadTx) { yes = newLook(tx).settled() })
	return yes
}

// runningJobs are the tasks of jobs that run.
func (w *world) runningJobs() map[string]bool {
	out := map[string]bool{}
	w.store.View(func(tx store.ReadTx) {
		l := newLook(tx)
		for _, t := range l.tasks {
			if t.JobIteration != nil && t.Status.State == api.TaskStateRunning && t.DesiredState <= api.TaskStateCompleted && !down(l.nodes[t.NodeID]) {
				out[t.ID] = true
			}
		}
	})
	return out
}

// probeService is the service of the tasks that only ask whether the scheduler is
// there. It has no mode, so that no orchestrator cares for it.
const probeService = "probe"

// probe gives the scheduler a task that fits nowhere and waits until it says so:
// then it has also looked at all that waited before.
func (w *world) probe(ctx context.Context) {
	task := &api.Task{
		ID: identity.NewID(), ServiceID: probeService, DesiredState: api.TaskStateRunning, Status: api.TaskStatus{State: api.TaskStatePending},
		Spec: api.TaskSpec{Placement: &api.Placement{Constraints: []string{"node.id==" + probeService}}},
	}
	_ = w.store.Update(func(tx store.Tx) error { return store.CreateTask(tx, task) }) // its ID is new
	for asked := false; !asked && ctx.Err() == nil; {
		pause(ctx)
		w.store.View(func(tx store.ReadTx) {
			t := store.GetTask(tx, task.ID)
			asked = t == nil || t.Status.Err != ""
		})
	}
	_ = w.store.Update(func(tx store.Tx) error { return store.DeleteTask(tx, task.ID) }) // it is there
}

// look is the store at one moment.
type look struct {
	tasks    []*api.Task
	services map[string]*api.Service
	nodes    map[string]*api.Node
	of       map[string][]*api.Task // those that are wanted, by service
}

func newLook(tx store.ReadTx) *look {
	l := &look{services: map[string]*api.Service{}, nodes: map[string]*api.Node{}, of: map[string][]*api.Task{}}
	all, _ := store.FindTasks(tx, store.All) // these fail for unknown selectors only
	services, _ := store.FindServices(tx, store.All)
	nodes, _ := store.FindNodes(tx, store.All)
	for _, s := range services {
		if s.ID == probeService {
			continue
		}
		l.services[s.ID] = s
	}
	for _, n := range nodes {
		l.nodes[n.ID] = n
	}
	for _, t := range all {
		if t.ServiceID == probeService {
			continue
		}
		l.tasks = append(l.tasks, t)
		if t.DesiredState <= api.TaskStateCompleted && t.Status.State <= api.TaskStateRunning {
			l.of[t.ServiceID] = append(l.of[t.ServiceID], t)
		}
	}
	return l
}

// settled reports whether nothing more is to be expected.
func (l *look) settled() bool {
	for _, t := range l.tasks {
		if l.moves(t) {
			return false
		}
	}
	for _, s := range l.services {
		if l.owes(s) {
			return false
		}
	}
	return true
}

// moves reports whether something will happen to a task.
func (l *look) moves(t *api.Task) bool {
	is, wanted, node := t.Status.State, t.DesiredState, l.nodes[t.NodeID]
	service := l.services[t.ServiceID]
	switch {
	case is > api.TaskStateRunning:
		return false
	case service == nil || wanted > api.TaskStateCompleted:
		// One without a node is the reaper's, some time.
		return is >= api.TaskStateAssigned && !down(node)
	case is < api.TaskStatePending:
		return true
	case is == api.TaskStatePending: // of one that is outdated, the scheduler does not say why it waits
		return t.Status.Err == "" && !outdated(t, service)
	case t.JobIteration != nil: // SwarmKit lets it run where it is, whatever becomes of its node
		return is < api.TaskStateRunning && !down(node)
	case orchestrator.InvalidNode(node):
		return true // it has to leave
	case down(node):
		return false // it is not known what becomes of it
	case is < api.TaskStateRunning:
		return true
	case outdated(t, service): // its update renews it, or waits for another one for ever
		return false
	}
	return node.Spec.Availability == api.NodeAvailabilityActive && !matches(service, node)
}

func outdated(t *api.Task, s *api.Service) bool {
	return t.SpecVersion != nil && s.SpecVersion != nil && t.SpecVersion.Index < s.SpecVersion.Index
}

// owes reports whether a service's orchestrator will do something.
func (l *look) owes(s *api.Service) bool {
	tasks := l.of[s.ID]
	anew := s.Spec.Task.Restart.Condition == api.RestartOnAny // else a place may be a dead task's
	if r := s.Spec.GetReplicated(); r != nil && anew && uint64(len(slots(tasks))) != r.Replicas {
		return true
	}
	if s.Spec.GetGlobal() != nil && anew && l.globalOwes(s, tasks) {
		return true
	}
	if s.JobStatus != nil {
		return anew && l.jobOwes(s, tasks)
	}
	return l.updates(s, tasks) && !waits(tasks)
}

// jobOwes reports whether a job's next tasks are still to be made.
func (l *look) jobOwes(s *api.Service, tasks []*api.Task) bool {
	done, has := uint64(0), map[string]bool{}
	for _, t := range l.tasks {
		if t.ServiceID == s.ID && t.JobIteration != nil && *t.JobIteration == s.JobStatus.JobIteration {
			has[t.NodeID] = true
			if t.Status.State == api.TaskStateCompleted {
				done++
			}
		}
	}
	if j := s.Spec.GetReplicatedJob(); j != nil {
		return done < j.TotalCompletions && uint64(len(tasks)) < min(j.MaxConcurrent, j.TotalCompletions-done)
	}
	return l.lacks(s, has)
}

// slots are the places that tasks have.
func slots(tasks []*api.Task) map[uint64]bool {
	out := map[uint64]bool{}
	for _, t := range tasks {
		out[t.Slot] = true
	}
	return out
}

// globalOwes reports whether a node still has to get a task.
func (l *look) globalOwes(s *api.Service, tasks []*api.Task) bool {
	has := map[string]bool{}
	for _, t := range tasks {
		has[t.NodeID] = true
	}
	return l.lacks(s, has)
}

// lacks reports whether a node that shall have a task has none.
func (l *look) lacks(s *api.Service, has map[string]bool) bool {
	for id, n := range l.nodes {
		if !has[id] && !down(n) && n.Spec.Availability == api.NodeAvailabilityActive && matches(s, n) {
			return true
		}
	}
	return false
}

// updates reports whether a service's update is not over.
func (l *look) updates(s *api.Service, tasks []*api.Task) bool {
	if u := s.UpdateStatus; u != nil {
		switch u.State {
		case api.UpdateStatus_UPDATING, api.UpdateStatus_ROLLBACK_STARTED:
			return true
		case api.UpdateStatus_PAUSED, api.UpdateStatus_ROLLBACK_PAUSED:
			return false
		}
	}
	if s.JobStatus != nil {
		return false
	}
	for _, t := range tasks {
		if orchestrator.IsTaskDirty(s, t, l.nodes[t.NodeID]) {
			return true
		}
	}
	return false
}

// waits reports whether a task has no node: an update waits for it, for ever.
func waits(tasks []*api.Task) bool {
	for _, t := range tasks {
		if t.Status.State == api.TaskStatePending {
			return true
		}
	}
	return false
}

func matches(s *api.Service, n *api.Node) bool {
	if s.Spec.Task.Placement == nil || len(s.Spec.Task.Placement.Constraints) == 0 {
		return true
	}
	constraints, err := constraint.Parse(s.Spec.Task.Placement.Constraints)
	return err != nil || constraint.NodeMatches(constraints, n)
}

// converged reports whether a service has all its tasks, of its own spec; where
// not, that is noted.
func (w *world) converged(step *ServiceStep) bool {
	ok := true
	trace := w.service(step)
	w.store.View(func(tx store.ReadTx) {
		l := newLook(tx)
		for _, id := range trace.IDs {
			s := l.services[id]
			if s == nil {
				continue
			}
			if l.updates(s, l.of[id]) {
				ok, trace.Stuck = false, true
			}
			ok = ok && !waits(l.of[id])
		}
	})
	return ok || strings.HasPrefix(trace.Mode, "global") && !trace.Stuck // what fits nowhere is not waited for
}

// found writes down what runs before the first step.
func (w *world) found() {
	var running, waiting []*api.Task
	w.store.View(func(tx store.ReadTx) {
		l := newLook(tx)
		for _, tasks := range l.of {
			for _, t := range tasks {
				switch {
				case t.Status.State == api.TaskStateRunning && !down(l.nodes[t.NodeID]):
					running = append(running, t)
				case t.Status.State == api.TaskStatePending:
					waiting = append(waiting, t)
				}
			}
		}
	})
	w.engines.found(running, waiting)
}
