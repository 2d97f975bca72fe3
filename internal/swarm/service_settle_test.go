package swarm

import (
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// task is a task in a few words; its spec is the service's unless old.
func task(id string, slot int, state, desired swarm.TaskState, old bool) swarm.Task {
	t := swarm.Task{ID: id, Slot: slot, NodeID: "n1", DesiredState: desired}
	t.Status.State = state
	t.Spec.ContainerSpec = &swarm.ContainerSpec{Image: "web:2"}
	if old {
		t.Spec.ContainerSpec.Image = "web:1"
	}
	return t
}

func webService(replicas uint64, state swarm.UpdateState) *swarm.Service {
	s := &swarm.Service{ID: "s"}
	s.Spec.Name = "web"
	s.Spec.TaskTemplate = swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "web:2"}, Runtime: swarm.RuntimeContainer}
	s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	if state != "" {
		s.UpdateStatus = &swarm.UpdateStatus{State: state}
	}
	return s
}

func TestViewOf(t *testing.T) {
	const run, failed, down = swarm.TaskStateRunning, swarm.TaskStateFailed, swarm.TaskStateShutdown
	at := func(n int, ts ...swarm.Task) []swarm.Task {
		for i := range ts {
			ts[i].CreatedAt = time.Unix(int64(n+i), 0)
		}
		return ts
	}
	overlap := task("d", 1, swarm.TaskStateRejected, down, false)
	overlap.Status.Err = "invalid pool request: Pool overlaps with other one on this address space"
	for _, test := range []struct {
		name  string
		svc   *swarm.Service
		tasks []swarm.Task
		want  string // done/total state text
	}{
		{"just made", webService(2, ""), nil, "0/2 0 "},
		{"starting", webService(2, ""), at(0, task("a", 1, run, run, false), task("b", 2, swarm.TaskStatePreparing, run, false)), "1/2 0 web.2 preparing on wrk-n1"},
		{"running", webService(2, ""), at(0, task("a", 1, run, run, false), task("b", 2, run, run, false)), "2/2 1 "},
		{"no replicas", webService(0, ""), nil, "0/0 1 "},
		{"old tasks do not count", webService(1, ""), at(0, task("a", 1, run, run, true)), "0/1 0 "},
		{"being watched", webService(1, swarm.UpdateStateUpdating), at(0, task("a", 1, run, run, false)), "1/1 0 watching the new tasks"},
		{"updated", webService(1, swarm.UpdateStateCompleted), at(0, task("a", 1, failed, down, true), task("b", 1, run, run, false)), "1/1 1 "},
		{"paused", webService(1, swarm.UpdateStatePaused), nil, "0/1 3 "},
		{"rolled back", webService(1, swarm.UpdateStateRollbackCompleted), at(0, task("a", 1, run, run, false)), "1/1 4 "},
		{"failed twice", webService(1, ""), at(0, task("a", 1, failed, down, false), task("b", 1, failed, down, false)), "0/1 0 "},
		{"failed three times", webService(1, ""), at(0, task("a", 1, failed, down, false), task("b", 1, failed, down, false), task("c", 1, swarm.TaskStateRejected, down, false)), "0/1 2 "},
		{"addresses not free yet", webService(1, ""), at(0, task("a", 1, failed, down, false), task("b", 1, failed, down, false), task("c", 1, failed, down, false), overlap), "0/1 0 "},
		{"recovered", webService(1, ""), at(0, task("a", 1, failed, down, false), task("b", 1, failed, down, false), task("c", 1, failed, down, false), task("d", 1, run, run, false)), "1/1 1 "},
		{"failures of the old spec", webService(1, ""), at(0, task("a", 1, failed, down, true), task("b", 1, failed, down, true), task("c", 1, failed, down, true)), "0/1 0 "},
	} {
		v := viewOf(test.svc, test.tasks, func(id string) string { return "wrk-" + id })
		if got := fmt.Sprintf("%d/%d %d %s", v.Done, v.Total, v.State, v.Text); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A first create is watched for the monitor's time from when all runs; a task
// that fails begins it anew, and makes it longer.
func TestWaitHolds(t *testing.T) {
	svc := webService(1, "")
	svc.Spec.UpdateConfig = &swarm.UpdateConfig{Monitor: 2 * time.Second}
	w := newWait(&resource.Request{Address: "swarm.main/service.web"}, &resource.Object{Native: svc})
	host := func(id string) string { return id }
	see := func(after time.Duration, tasks ...swarm.Task) bool {
		over, why := w.see(w.began.Add(after), svc, tasks, host)
		if why != "" {
			t.Errorf("after %s: %s", after, why)
		}
		return over
	}
	a, b := task("a", 1, "running", "running", false), task("b", 1, "running", "running", false)
	for _, step := range []struct {
		after time.Duration
		tasks []swarm.Task
		over  bool
	}{
		{0, nil, false},
		{time.Second, []swarm.Task{a}, false},
		{2900 * time.Millisecond, []swarm.Task{a}, false},
		{2950 * time.Millisecond, []swarm.Task{task("a", 1, "failed", "shutdown", false)}, false},
		{4 * time.Second, []swarm.Task{task("a", 1, "failed", "shutdown", false), b}, false},
		{8 * time.Second, []swarm.Task{task("a", 1, "failed", "shutdown", false), b}, false},
		{9 * time.Second, []swarm.Task{task("a", 1, "failed", "shutdown", false), b}, true},
	} {
		if got := see(step.after, step.tasks...); got != step.over {
			t.Errorf("after %s: over is %v", step.after, got)
		}
	}
}

// A label that the script never set stays, one that it no longer sets goes.
func TestServiceLabels(t *testing.T) {
	live := &swarm.Service{}
	live.Spec.Labels = map[string]string{"theirs": "1", "was": "ours", "keep": "old", "swarmscript.project": "x"}
	r := &resource.Request{
		Args: declare(t, args{"name": "x", "image": "a", "labels": dict("keep", "new")}),
		Mark: resource.Mark{Project: "shop", Address: "swarm.main/service.x", Keys: []string{"labels:keep"}},
		Live: &resource.Object{Mark: resource.Mark{Keys: []string{"labels:was", "labels:keep"}}},
	}
	got := serviceLabels(r, live, "a")
	want := value.MapOf(map[string]string{
		"theirs": "1", "keep": "new", "swarmscript.project": "shop",
		"swarmscript.address": "swarm.main/service.x", "swarmscript.keys": "labels:keep",
	})
	if !value.Equal(value.MapOf(got), want) {
		t.Errorf("got %v", got)
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		61400 * time.Millisecond: "1m1s", 1200 * time.Microsecond: "1ms", 300 * time.Microsecond: "300µs", 0: "0s",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}
