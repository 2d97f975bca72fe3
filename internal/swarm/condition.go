package swarm

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Condition is how a service is.
type Condition struct {
	Done, Total int  // tasks that are as they should be; of a job, those that completed
	Settled     bool // all of them are, and no update is under way
	// Problems say what a person should look at, the worst first. Each is a
	// sentence: "db.1 on wrk-1 exited with 1 (4 times in 52s)".
	Problems []string
	// Waits says what is on its way and may end well by itself, "" for nothing.
	Waits string
}

// ConditionOf judges a service by all its tasks.
func ConditionOf(svc *swarm.Service, tasks []swarm.Task, host func(nodeID string) string) Condition {
	v := viewOf(svc, tasks, host)
	c := Condition{Done: v.Done, Total: v.Total}
	message := ""
	if svc.UpdateStatus != nil && svc.UpdateStatus.Message != "" {
		message = ": " + svc.UpdateStatus.Message
	}
	switch u := svc.UpdateStatus; {
	case u == nil:
	case u.State == swarm.UpdateStatePaused:
		c.Problems = append(c.Problems, "its update is paused"+message)
	case u.State == swarm.UpdateStateRollbackPaused:
		c.Problems = append(c.Problems, "its rollback is paused"+message)
	case u.State == swarm.UpdateStateRollbackStarted:
		c.Problems = append(c.Problems, "it is being rolled back"+message)
	case u.State == swarm.UpdateStateRollbackCompleted && message != ": rollback completed":
		c.Problems = append(c.Problems, "it was rolled back"+message)
	case u.State == swarm.UpdateStateRollbackCompleted:
		c.Problems = append(c.Problems, "it was rolled back")
	case u.State == swarm.UpdateStateUpdating:
		c.Waits = "updating"
	}
	if v.Worst != nil && v.Done < v.Total {
		c.Problems = append(c.Problems, failingText(svc, v.Worst, host))
	}
	c.Problems = append(c.Problems, pending(svc, tasks, host)...)
	if v.Done < v.Total && len(c.Problems) == 0 {
		c.Waits = v.Text
		if c.Waits == "" {
			c.Waits = "its tasks have not been made yet"
		}
	}
	c.Settled = v.Done >= v.Total && c.Waits == "" && len(c.Problems) == 0
	return c
}

// pending says why tasks find no node, each reason once: "2 tasks pending: no
// suitable node (...)".
func pending(svc *swarm.Service, tasks []swarm.Task, host func(string) string) []string {
	count, first := map[string]int{}, map[string]*swarm.Task{}
	var reasons []string
	for i := range tasks {
		t := &tasks[i]
		if t.Status.State != swarm.TaskStatePending || t.DesiredState == swarm.TaskStateShutdown || t.DesiredState == swarm.TaskStateRemove || t.Status.Err == "" {
			continue
		}
		if count[t.Status.Err] == 0 {
			reasons = append(reasons, t.Status.Err)
			first[t.Status.Err] = t
		}
		count[t.Status.Err]++
	}
	out := make([]string, len(reasons))
	for i, why := range reasons {
		if n := count[why]; n > 1 {
			out[i] = fmt.Sprintf("%d tasks pending: %s", n, why)
		} else {
			out[i] = taskText(svc, first[why], host)
		}
	}
	return out
}

// TaskName is a task's name as docker shows it: "web.1", in global mode with
// the node's name.
func TaskName(svc *swarm.Service, t *swarm.Task, host func(nodeID string) string) string {
	return taskName(svc.Spec.Name, numbered(svc.Spec.Mode), t, host)
}

// FailureText says how a task ended that failed, was rejected, or completed:
// "exited with 1".
func FailureText(t *swarm.Task) string { return failureText(t) }

// Ended reports whether a task is over, or will never be.
func Ended(t *swarm.Task) bool { return ended(t.Status.State) }

// Fits reports whether a node may run tasks of that placement, as far as its
// constraints and platforms go.
func Fits(n *swarm.Node, p *swarm.Placement) bool {
	node := placementNode(n)
	if node.State != string(swarm.NodeStateReady) || node.Availability != string(swarm.NodeAvailabilityActive) {
		return false
	}
	if p == nil {
		return true
	}
	for _, c := range p.Constraints {
		if !node.Satisfies(c) {
			return false
		}
	}
	return node.Runs(platformsOf(p))
}

// NodeProperty is what a spread preference looks at: node.labels.zone.
func NodeProperty(n *swarm.Node, key string) string {
	node := placementNode(n)
	value, _ := node.Property(key)
	return value
}

// Object returns a service as an observation finds it, with its arguments in
// normal form, and those that it had before its last update; before is nil
// where it had none.
func (c *Conn) Object(ctx context.Context, id string) (now *resource.Object, before *resource.Object, err error) {
	l := &lists{}
	if err := l.fetch(ctx, c.docker, listServices, listConfigs, listNetworks); err != nil {
		return nil, nil, err
	}
	if err := c.services.addNetworks(ctx, c, l); err != nil {
		return nil, nil, err
	}
	one := *l
	one.Services = nil
	for _, s := range l.Services {
		if s.ID != id {
			continue
		}
		one.Services = append(one.Services, s)
		if s.PreviousSpec != nil {
			s.Spec, s.UpdateStatus = *s.PreviousSpec, nil
			one.Services = append(one.Services, s)
		}
	}
	found := observeServices(&one)
	switch len(found) {
	case 0:
		return nil, nil, fmt.Errorf("the service %s is gone", id)
	case 1:
		return found[0], nil, nil
	}
	return found[0], found[1], nil
}

// WriteSpec changes the spec of a live service under the version that was
// observed, by a person's word and not by a declaration: its mark stays.
func (c *Conn) WriteSpec(ctx context.Context, live *swarm.Service, spec swarm.ServiceSpec, rollback bool) (warnings []string, err error) {
	o := swarm.ServiceUpdateOptions{RegistryAuthFrom: swarm.RegistryAuthFromSpec}
	if rollback {
		o.Rollback, o.RegistryAuthFrom = "previous", swarm.RegistryAuthFromPreviousSpec
	}
	warnings, err = writeService(ctx, c, live, live.Version.Index, spec, o)
	for i, w := range warnings {
		warnings[i] = strings.Join(strings.Fields(w), " ")
	}
	return warnings, err
}

// Await returns when a service that was written by [Conn.WriteSpec] has
// converged, or a [*resource.NotConverged]. After a rollback, that it is rolled
// back is what was asked for.
func (c *Conn) Await(ctx context.Context, r *resource.Request, o *resource.Object, rollback bool) error {
	w := newWait(r, o)
	w.back = rollback
	return c.await(ctx, w, o.ID)
}
