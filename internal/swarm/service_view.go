package swarm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// view is how far a service is, as its tasks and its update status say. It is
// made by a pure function: see [viewOf].
type view struct {
	Done, Total int
	Text        string // what it waits for
	State       viewState
	// Busy is set while a task pulls its image, starts, or is not healthy yet:
	// that may take long and is no standstill.
	Busy bool
	// Worst is the slot whose tasks failed most, nil where none did.
	Worst *failing
	// GivenUp counts the slots that failed and will not be tried again; Moving is
	// set while a task of another may still get there.
	GivenUp int
	Moving  bool
	// Running are the IDs of the tasks that count as done.
	Running []string
}

type viewState int

const (
	stateWaiting    viewState = iota
	stateRunning              // everything asked for runs
	stateHopeless             // a slot failed again and again, or will not be tried again
	statePaused               // the update, or the rollback, stopped
	stateRolledBack           // it runs again what it ran before
)

// failing is the tasks of one slot that failed, oldest first.
type failing struct {
	name  string // "db.1"
	tasks []swarm.Task
}

func (f *failing) last() *swarm.Task { return &f.tasks[len(f.tasks)-1] }

// hopelessAfter is how often one slot may fail before waiting is given up.
const hopelessAfter = 3

// hopeless reports whether the slot will go on to fail. A node that still takes
// down a network refuses another with the same addresses until it is done.
func (f *failing) hopeless() bool {
	return len(f.tasks) >= hopelessAfter && !strings.Contains(f.last().Status.Err, "Pool overlaps")
}

// viewOf judges a service by its tasks. Tasks of an older spec do not count.
func viewOf(svc *swarm.Service, tasks []swarm.Task, host func(nodeID string) string) view {
	v := view{}
	slots := slotsOf(svc, tasks)
	job := svc.Spec.Mode.ReplicatedJob != nil || svc.Spec.Mode.GlobalJob != nil
	switch m := svc.Spec.Mode; {
	case m.Replicated != nil:
		v.Total = int(deref(m.Replicated.Replicas, 1))
	case m.ReplicatedJob != nil:
		v.Total = int(completions(m.ReplicatedJob))
	default: // the orchestrator makes the tasks of all nodes in one go
		v.Total = len(slots)
	}
	restarts := restartsAlways(svc)
	var slowest *swarm.Task
	for _, s := range slots {
		if t := s.done(job, restarts); t != nil {
			v.Done++
			v.Running = append(v.Running, t.ID)
			continue
		}
		if f := s.failed(restarts); f != nil {
			if v.Worst == nil || len(f.tasks) > len(v.Worst.tasks) {
				v.Worst = f
			}
			if s.givenUp(svc) {
				v.GivenUp++
			}
		}
		if t := s.current(); t != nil {
			v.Moving = true
			v.Busy = v.Busy || slices.Contains([]swarm.TaskState{swarm.TaskStatePreparing, swarm.TaskStateReady, swarm.TaskStateStarting}, t.Status.State)
			if slowest == nil || progressOf(t.Status.State) < progressOf(slowest.Status.State) {
				slowest = t
			}
		}
	}
	if slowest != nil {
		v.Text = taskText(svc, slowest, host)
	}
	state := swarm.UpdateState("")
	if svc.UpdateStatus != nil {
		state = svc.UpdateStatus.State
	}
	switch state {
	case swarm.UpdateStatePaused, swarm.UpdateStateRollbackPaused:
		v.State = statePaused
	case swarm.UpdateStateRollbackCompleted:
		v.State = stateRolledBack
	case swarm.UpdateStateUpdating:
		if v.Text == "" {
			v.Text = "watching the new tasks"
		}
	case swarm.UpdateStateRollbackStarted:
		v.Text = strings.TrimSuffix("rolling back; "+v.Text, "; ")
	default:
		switch {
		case v.Done >= v.Total:
			v.State = stateRunning
		case v.GivenUp > 0 || v.Worst != nil && v.Worst.hopeless():
			v.State = stateHopeless
		}
	}
	return v
}

// slot is one place of a service: a number, or a node in global mode.
type slot struct {
	key   string
	name  string
	tasks []swarm.Task // newest first
}

func slotsOf(svc *swarm.Service, tasks []swarm.Task) []*slot {
	want := taskKey(svc.Spec.TaskTemplate)
	byKey := map[string]*slot{}
	var out []*slot
	for _, t := range tasks {
		if svc.JobStatus != nil {
			if t.JobIteration == nil || t.JobIteration.Index != svc.JobStatus.JobIteration.Index {
				continue
			}
		} else if taskKey(t.Spec) != want {
			continue
		}
		key := fmt.Sprint(t.Slot)
		if !numbered(svc.Spec.Mode) {
			key = t.NodeID
		}
		s := byKey[key]
		if s == nil {
			s = &slot{key: key, name: svc.Spec.Name + "." + key}
			byKey[key] = s
			out = append(out, s)
		}
		s.tasks = append(s.tasks, t)
	}
	for _, s := range out {
		slices.SortStableFunc(s.tasks, func(a, b swarm.Task) int { return b.CreatedAt.Compare(a.CreatedAt) })
	}
	if svc.Spec.Mode.Global != nil || svc.Spec.Mode.GlobalJob != nil {
		// A node that left has tasks that are to end and no others.
		out = slices.DeleteFunc(out, func(s *slot) bool {
			return svc.Spec.Mode.Global != nil && s.current() == nil && s.failed(true) == nil
		})
	}
	slices.SortFunc(out, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(len(a.key), len(b.key)), strings.Compare(a.key, b.key))
	})
	return out
}

// numbered reports whether tasks have numbers, those of jobs from 0, in place
// of their nodes.
func numbered(m swarm.ServiceMode) bool { return m.Global == nil && m.GlobalJob == nil }

// taskKey is what of a task's spec decides whether it is renewed. Placement is
// left out: a task on a node that still fits stays.
func taskKey(s swarm.TaskSpec) string {
	s.Placement = nil
	s.Runtime = "" // services say it, their tasks do not
	if len(s.Networks) == 0 {
		s.Networks = nil
	}
	b, _ := json.Marshal(s)
	return string(b)
}

// restartsAlways reports whether a task that ended well is started again.
func restartsAlways(svc *swarm.Service) bool {
	p := svc.Spec.TaskTemplate.RestartPolicy
	return p == nil || p.Condition == "" || p.Condition == swarm.RestartPolicyConditionAny
}

// done returns the task that makes the slot what was asked for.
func (s *slot) done(job, restarts bool) *swarm.Task {
	for i := range s.tasks {
		t := &s.tasks[i]
		switch {
		case !job && t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning:
			return t
		case i == 0 && t.Status.State == swarm.TaskStateComplete && (job || !restarts):
			return t
		}
	}
	return nil
}

// current returns the task that is on its way.
func (s *slot) current() *swarm.Task {
	for i := range s.tasks {
		t := &s.tasks[i]
		if !ended(t.Status.State) && t.DesiredState != swarm.TaskStateShutdown && t.DesiredState != swarm.TaskStateRemove {
			return t
		}
	}
	return nil
}

// failed returns the slot's tasks that ended though nobody asked them to.
func (s *slot) failed(restarts bool) *failing {
	f := &failing{name: s.name}
	for i := len(s.tasks) - 1; i >= 0; i-- {
		t := s.tasks[i]
		if st := t.Status.State; st == swarm.TaskStateFailed || st == swarm.TaskStateRejected || st == swarm.TaskStateComplete && restarts {
			f.tasks = append(f.tasks, t)
		}
	}
	if f.tasks == nil {
		return nil
	}
	return f
}

// remembered is how many ended tasks of a slot a swarm keeps at least, unless it
// was told otherwise.
const remembered = 4

// givenUp reports whether the slot's last task failed and will have no
// successor.
func (s *slot) givenUp(svc *swarm.Service) bool {
	p := svc.Spec.TaskTemplate.RestartPolicy
	if s.current() != nil || p == nil {
		return false
	}
	if p.Condition == swarm.RestartPolicyConditionNone {
		return true
	}
	f, most := s.failed(restartsAlways(svc)), deref(p.MaxAttempts, 0)
	return f != nil && most > 0 && uint64(len(f.tasks)) > min(most, remembered)
}

// progressOf orders the states of a task on its way.
func progressOf(s swarm.TaskState) int {
	return slices.Index([]swarm.TaskState{
		swarm.TaskStateNew, swarm.TaskStatePending, swarm.TaskStateAllocated, swarm.TaskStateAssigned, swarm.TaskStateAccepted,
		swarm.TaskStatePreparing, swarm.TaskStateReady, swarm.TaskStateStarting, swarm.TaskStateRunning,
	}, s)
}

// taskName is a task's name as docker shows it.
func taskName(service string, numbered bool, t *swarm.Task, host func(string) string) string {
	if numbered {
		return fmt.Sprintf("%s.%d", service, t.Slot)
	}
	return service + "." + host(t.NodeID)
}

// taskOn adds the node to a name that does not hold it.
func taskOn(svc *swarm.Service, t *swarm.Task, host func(string) string, and string) string {
	n := numbered(svc.Spec.Mode)
	s := taskName(svc.Spec.Name, n, t, host) + and
	if n && t.NodeID != "" {
		s += " on " + host(t.NodeID)
	}
	return s
}

// taskText says where a task is: "web.5 preparing on wrk-1", "web.2 pending:
// no suitable node (insufficient resources on 2 nodes)".
func taskText(svc *swarm.Service, t *swarm.Task, host func(string) string) string {
	s := taskOn(svc, t, host, " "+string(t.Status.State))
	if t.Status.Err != "" {
		s += ": " + t.Status.Err
	}
	return s
}

// failureText says how a task ended.
func failureText(t *swarm.Task) string {
	exit := 0
	if t.Status.ContainerStatus != nil {
		exit = t.Status.ContainerStatus.ExitCode
	}
	why := strings.TrimPrefix(t.Status.Err, "task: ")
	switch {
	case t.Status.State == swarm.TaskStateRejected:
		return "was rejected: " + why
	case t.Status.State == swarm.TaskStateComplete:
		return "ended with 0"
	case exit != 0 && (why == "" || strings.HasPrefix(why, "non-zero exit")):
		return fmt.Sprintf("exited with %d", exit)
	case exit != 0:
		return fmt.Sprintf("exited with %d: %s", exit, why)
	case why == "":
		return "failed"
	}
	return "failed: " + why
}
