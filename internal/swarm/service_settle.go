package swarm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// How long a service may stand still before waiting for it ends, where the
// step has no timeout of its own.
const (
	idleLimit = time.Minute      // nothing changes
	busyLimit = 10 * time.Minute // an image is pulled, a check has not passed yet
)

// Settle implements [resource.Settler].
func (serviceHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, err := serviceConn(rc)
	if err != nil {
		return err
	}
	return c.await(ctx, newWait(r, o), o.ID)
}

// await returns when a wait is over.
func (c *Conn) await(ctx context.Context, w *wait, id string) error {
	r := w.r
	snaps, done := c.services.watcher.subscribe(c, id, false)
	defer done()
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for {
		if _, bounded := ctx.Deadline(); !bounded {
			idle.Reset(time.Until(w.idleAt()))
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return w.report(ctx, c, "did not converge in "+since(w.began))
			}
			return ctx.Err()
		case <-idle.C:
			return w.report(ctx, c, fmt.Sprintf("did not converge: nothing has changed for %s", since(w.progress)))
		case snap := <-snaps:
			if snap.err != nil {
				if errors.Is(snap.err, resource.ErrUnreachable) && time.Since(w.heard) > 15*time.Second {
					return snap.err
				}
				continue
			}
			svc := snap.services[id]
			if svc == nil {
				return &resource.NotConverged{Address: r.Address, Summary: "was removed by somebody else while it converged"}
			}
			tasks := snap.tasks[id]
			nodes := map[string]bool{}
			for _, t := range tasks {
				nodes[t.NodeID] = true
			}
			hosts := c.services.hostnames(ctx, c, nodes)
			over, summary := w.see(time.Now(), svc, tasks, func(id string) string { return orSelf(hosts, id) })
			r.Progress(resource.Progress{Done: w.view.Done, Total: w.view.Total, Text: w.view.Text})
			switch {
			case over && summary == "":
				return nil
			case over:
				return w.report(ctx, c, summary)
			}
		}
	}
}

// wait is one wait for a service. Its method see decides; it does no I/O.
type wait struct {
	r       *resource.Request
	live    *swarm.Service // before the write, nil where there was none
	back    bool           // a rollback is what is waited for
	grace   time.Duration  // how long what runs may still be what ran before
	monitor time.Duration  // how long new tasks must stay up

	began, heard, progress time.Time

	first  bool
	old    []string // the tasks that counted at the first look
	stable time.Time
	steady []string // the tasks that counted since stable
	best   int
	moves  map[string]bool // task and state, each seen once
	seen   map[string]bool // tasks of the spec that is waited for
	bad    map[string]swarm.Task

	svc  *swarm.Service
	view view
	host func(string) string
}

func newWait(r *resource.Request, o *resource.Object) *wait {
	now := time.Now()
	w := &wait{
		r: r, began: now, heard: now, progress: now, first: true, monitor: defaultMonitor,
		moves: map[string]bool{}, seen: map[string]bool{}, bad: map[string]swarm.Task{},
		host: func(id string) string { return id },
	}
	if r.Live != nil {
		w.live, _ = r.Live.Native.(*swarm.Service)
	}
	next, _ := o.Native.(*swarm.Service)
	if next == nil {
		return w
	}
	if next.Spec.UpdateConfig != nil && next.Spec.UpdateConfig.Monitor != 0 {
		w.monitor = next.Spec.UpdateConfig.Monitor
	}
	if c := next.Spec.TaskTemplate.ContainerSpec; c != nil && c.Healthcheck != nil && len(c.Healthcheck.Test) > 1 {
		w.monitor = 0 // a task with a health check runs only once it is healthy
	}
	if w.live != nil && w.live != next && (!reflect.DeepEqual(w.live.Spec.EndpointSpec, next.Spec.EndpointSpec) ||
		!reflect.DeepEqual(w.live.Spec.TaskTemplate.Placement, next.Spec.TaskTemplate.Placement)) {
		// Whether these renew a task cannot be told from the task.
		w.grace = 1500 * time.Millisecond
	}
	return w
}

// idleAt is when waiting ends if nothing changes any more.
func (w *wait) idleAt() time.Time {
	if w.view.Busy {
		return w.progress.Add(busyLimit)
	}
	return w.progress.Add(idleLimit)
}

// see takes in what is live. It returns true when the wait is over, and why
// where it did not end well.
func (w *wait) see(now time.Time, svc *swarm.Service, tasks []swarm.Task, host func(string) string) (over bool, why string) {
	w.heard, w.svc, w.host = now, svc, host
	w.view = viewOf(svc, tasks, host)
	v := &w.view
	w.remember(svc, tasks)
	if v.Done > w.best || w.first {
		w.best, w.progress = v.Done, now
	}
	for _, t := range tasks {
		move := t.ID + string(t.Status.State)
		if !w.moves[move] && !ended(t.Status.State) && v.Worst == nil {
			w.progress = now
		}
		w.moves[move] = true
	}
	if w.first {
		w.old, w.first = v.Running, false
	}
	if !slices.Equal(v.Running, w.steady) || w.stable.IsZero() {
		w.steady, w.stable = v.Running, now
	}
	state := v.State
	if w.back && state == stateRolledBack {
		state = stateWaiting
		if v.Done >= v.Total {
			state = stateRunning
		}
	}
	switch state {
	case stateRolledBack:
		return true, "did not converge and was rolled back"
	case statePaused:
		what := "its update was paused"
		if svc.UpdateStatus.State == swarm.UpdateStateRollbackPaused {
			what = "its rollback was paused"
		}
		return true, "did not converge: " + what
	case stateHopeless:
		switch {
		case v.Worst != nil && len(v.Worst.tasks) > 1:
			return true, "does not converge: its tasks fail again and again"
		case v.GivenUp > 1:
			return true, fmt.Sprintf("does not converge: %d of its tasks failed, and are not started again", v.GivenUp)
		}
		return true, "does not converge: its task failed, and is not started again"
	case stateRunning:
		if hold := w.hold(svc); now.Sub(w.stable) < hold || now.Sub(w.began) < w.grace {
			v.Text = "watching the new tasks"
			return false, ""
		}
		return true, ""
	}
	return false, ""
}

// hold is how long the tasks must have been running. What the swarm's own
// updater has watched, or ran before we looked, need not be watched again.
func (w *wait) hold(svc *swarm.Service) time.Duration {
	if svc.UpdateStatus != nil && (svc.UpdateStatus.State == swarm.UpdateStateCompleted || svc.UpdateStatus.State == swarm.UpdateStateRollbackCompleted) {
		return 0
	}
	global := svc.Spec.Mode.Global != nil || svc.Spec.Mode.GlobalJob != nil
	if svc.JobStatus != nil && (!global || w.view.Total > 0) {
		return 0
	}
	if w.view.Total == 0 {
		if global { // its tasks may not have been made yet
			return 3 * time.Second
		}
		return 0
	}
	if len(w.bad) > 0 { // what has failed already must prove itself
		return max(w.monitor, defaultMonitor)
	}
	if w.live != nil {
		for _, id := range w.view.Running {
			if !slices.Contains(w.old, id) {
				return w.monitor
			}
		}
		return 0
	}
	return w.monitor
}

// remember keeps the failed tasks of the spec that is waited for: after a
// rollback the service has another one, and tasks are forgotten.
func (w *wait) remember(svc *swarm.Service, tasks []swarm.Task) {
	back := !w.back && svc.UpdateStatus != nil && strings.HasPrefix(string(svc.UpdateStatus.State), "rollback")
	want := taskKey(svc.Spec.TaskTemplate)
	for _, t := range tasks {
		if !back && taskKey(t.Spec) == want {
			w.seen[t.ID] = true
		}
		named := svc.UpdateStatus != nil && strings.Contains(svc.UpdateStatus.Message, t.ID)
		if (w.seen[t.ID] || named) && (t.Status.State == swarm.TaskStateFailed || t.Status.State == swarm.TaskStateRejected ||
			t.Status.State == swarm.TaskStateComplete && restartsAlways(svc)) {
			w.bad[t.ID] = t
		}
	}
}

// worst is the slot that failed most often while we waited.
func (w *wait) worst() *failing {
	bySlot := map[string][]swarm.Task{}
	for _, t := range w.bad {
		k := taskName(w.svc.Spec.Name, numbered(w.svc.Spec.Mode), &t, w.host)
		bySlot[k] = append(bySlot[k], t)
	}
	var out *failing
	for k, tasks := range bySlot {
		if out == nil || len(tasks) > len(out.tasks) || len(tasks) == len(out.tasks) && k < out.name {
			out = &failing{name: k, tasks: tasks}
		}
	}
	if out == nil {
		return nil
	}
	slices.SortFunc(out.tasks, func(a, b swarm.Task) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out
}

// since says how long ago a time was: to the second, or as exactly as it takes
// for it to be more than nothing.
func since(t time.Time) string { return roughly(time.Since(t)) }

func roughly(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if r := d.Round(unit); r > 0 {
			return r.String()
		}
	}
	return d.String()
}
