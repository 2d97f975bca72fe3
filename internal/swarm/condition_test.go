package swarm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

func TestConditionOf(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	two := uint64(2)
	task := func(i, slot int, node string, state, desired swarm.TaskState, why string) swarm.Task {
		t := swarm.Task{ID: string(rune('a' + i)), Slot: slot, NodeID: node, DesiredState: desired}
		t.CreatedAt = at.Add(time.Duration(i) * time.Second)
		t.Status.State, t.Status.Err, t.Status.Timestamp = state, why, t.CreatedAt
		if state == swarm.TaskStateFailed {
			t.Status.ContainerStatus = &swarm.ContainerStatus{ExitCode: 3}
		}
		return t
	}
	const run, ready, shutdown = swarm.TaskStateRunning, swarm.TaskStateReady, swarm.TaskStateShutdown
	up := []swarm.Task{task(0, 1, "n1", run, run, ""), task(1, 2, "n2", run, run, "")}
	const full = "no suitable node (insufficient resources on 2 nodes)"
	for _, tt := range []struct {
		name     string
		update   *swarm.UpdateStatus
		tasks    []swarm.Task
		done     int
		settled  bool
		problems []string
		waits    string
	}{
		{name: "all run", tasks: up, done: 2, settled: true},
		{name: "none yet", waits: "its tasks have not been made yet"},
		{name: "one on its way", tasks: []swarm.Task{up[0], task(1, 2, "n2", swarm.TaskStatePreparing, run, "")}, done: 1, waits: "web.2 preparing on n2"},
		{name: "no node for either", tasks: []swarm.Task{task(0, 1, "", swarm.TaskStatePending, run, full), task(1, 2, "", swarm.TaskStatePending, run, full)},
			problems: []string{"2 tasks pending: " + full}},
		{name: "no node for one", tasks: []swarm.Task{up[0], task(1, 2, "", swarm.TaskStatePending, run, full)}, done: 1,
			problems: []string{"web.2 pending: " + full}},
		{name: "pending and given up", tasks: append(slices.Clone(up), task(2, 3, "", swarm.TaskStatePending, shutdown, full)), done: 2, settled: true},
		{name: "fails again and again", tasks: []swarm.Task{up[0], task(1, 2, "n2", swarm.TaskStateFailed, shutdown, "task: non-zero exit (3)"),
			task(2, 2, "n2", swarm.TaskStateFailed, shutdown, "task: non-zero exit (3)"), task(3, 2, "n2", ready, ready, "")}, done: 1,
			problems: []string{"task web.2 on n2 exited with 3 (2 times in 1s)"}},
		{name: "failed once, and runs", tasks: append(slices.Clone(up), task(2, 2, "n2", swarm.TaskStateFailed, shutdown, "x")), done: 2, settled: true},
		{name: "updating", update: &swarm.UpdateStatus{State: swarm.UpdateStateUpdating, Message: "update in progress"}, tasks: up, done: 2, waits: "updating"},
		{name: "paused", update: &swarm.UpdateStatus{State: swarm.UpdateStatePaused, Message: "update paused due to failure"}, tasks: up, done: 2,
			problems: []string{"its update is paused: update paused due to failure"}},
		{name: "its rollback paused", update: &swarm.UpdateStatus{State: swarm.UpdateStateRollbackPaused}, tasks: up, done: 2, problems: []string{"its rollback is paused"}},
		{name: "being rolled back", update: &swarm.UpdateStatus{State: swarm.UpdateStateRollbackStarted, Message: "update rolled back due to failure"}, tasks: up, done: 2,
			problems: []string{"it is being rolled back: update rolled back due to failure"}},
		{name: "rolled back", update: &swarm.UpdateStatus{State: swarm.UpdateStateRollbackCompleted, Message: "rollback completed"}, tasks: up, done: 2,
			problems: []string{"it was rolled back"}},
	} {
		svc := &swarm.Service{UpdateStatus: tt.update}
		svc.Spec.Name = "web"
		svc.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &two}
		c := ConditionOf(svc, tt.tasks, func(id string) string { return id })
		if c.Done != tt.done || c.Total != 2 || c.Settled != tt.settled || c.Waits != tt.waits || !slices.Equal(c.Problems, tt.problems) {
			t.Errorf("%s: got %d/%d, settled %t, waits %q, problems:\n  %s", tt.name, c.Done, c.Total, c.Settled, c.Waits, strings.Join(c.Problems, "\n  "))
		}
	}
}
