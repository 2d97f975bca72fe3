package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A node that is drained loses its tasks; the swarm starts others elsewhere.
// That is over when none is left on it, and each replica runs on another node.
// A task of a global service is not started elsewhere.

// leavingTask is a task that a node has when it is drained.
type leavingTask struct {
	service string // ID
	slot    int    // 0 of a global service's
	name    string // "web.3"
}

// tasksOn returns the tasks of services that a node runs, or is about to; of one
// that is down also those that it had.
func tasksOn(ctx context.Context, c *Conn, node string, down bool) ([]leavingTask, error) {
	args := filters.NewArgs(filters.Arg("node", node))
	if !down {
		args.Add("desired-state", "running")
	}
	tasks, err := c.Docker().TaskList(ctx, swarm.TaskListOptions{Filters: args})
	if err != nil {
		return nil, remote.Err(err)
	}
	var out []leavingTask
	names := map[string]string{}
	for _, t := range tasks {
		if t.ServiceID == "" {
			continue // a container on an attachable network
		}
		name, ok := names[t.ServiceID]
		if !ok {
			svc, _, err := c.Docker().ServiceInspectWithRaw(ctx, t.ServiceID, swarm.ServiceInspectOptions{})
			if remote.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, remote.Err(err)
			}
			name = svc.Spec.Name
			names[t.ServiceID] = name
		}
		if t.Slot != 0 {
			name = fmt.Sprintf("%s.%d", name, t.Slot)
		}
		out = append(out, leavingTask{t.ServiceID, t.Slot, name})
	}
	return out, nil
}

// Settle implements [resource.Settler].
func (nodeHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, err := serviceConn(rc)
	if err != nil {
		return err
	}
	if r.Live == nil {
		if err := hasJoined(ctx, c, r, o.ID); err != nil {
			return err
		}
	}
	if roleArg(r.Args) != "" {
		if err := hasRole(ctx, c, r, o.ID); err != nil {
			return err
		}
	}
	if n := nodeOf(o); n != nil {
		return areGone(ctx, c, r, n)
	}
	return nil
}

// areGone ends when the tasks that a node had when it was drained run elsewhere.
func areGone(ctx context.Context, c *Conn, r *resource.Request, n *liveNode) error {
	if len(n.leaving) == 0 {
		return nil
	}
	began := time.Now()
	var left []string
	for {
		tasks, err := serviceTasks(ctx, c, n.leaving)
		if err == nil {
			done := 0
			if done, left = drained(n.ID, n.Status.State != swarm.NodeStateDown, n.leaving, tasks); len(left) == 0 {
				return nil
			}
			r.Progress(resource.Progress{Done: done, Total: len(n.leaving), Text: left[0]})
		}
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return &resource.NotConverged{Address: r.Address, Summary: "was not drained in " + since(began), Detail: strings.Join(left, "\n") +
					"\nit stays drained; its tasks start elsewhere as soon as a node fits them"}
			}
			return err
		}
	}
}

// serviceTasks lists the tasks of the services that have tasks to move.
func serviceTasks(ctx context.Context, c *Conn, leaving []leavingTask) ([]swarm.Task, error) {
	args := filters.NewArgs()
	for _, l := range leaving {
		if args.Len() < filterMax && !args.ExactMatch("service", l.service) {
			args.Add("service", l.service)
		}
	}
	if len(args.Get("service")) == filterMax { // the engine looks up each: all is cheaper
		args = filters.NewArgs()
	}
	tasks, err := c.Docker().TaskList(ctx, swarm.TaskListOptions{Filters: args})
	return tasks, remote.Err(err)
}

// drained says which tasks have not left a node, or run nowhere else yet. Those
// of a node that is down end when it is back.
func drained(node string, up bool, leaving []leavingTask, tasks []swarm.Task) (done int, left []string) {
	for _, l := range leaving {
		why := leftBehind(node, up, l, tasks)
		if why == "" {
			done++
			continue
		}
		if !slices.Contains(left, why) {
			left = append(left, why)
		}
	}
	return done, left
}

func leftBehind(node string, up bool, l leavingTask, tasks []swarm.Task) string {
	var next *swarm.Task // what takes its place
	runs := l.slot == 0  // a global service's has none
	for i := range tasks {
		t := &tasks[i]
		switch {
		case t.ServiceID != l.service || t.Slot != l.slot:
		case t.NodeID == node:
			if up && !ended(t.Status.State) {
				return l.name + " is stopping"
			}
		case t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning, t.Status.State == swarm.TaskStateComplete:
			runs = true
		case !ended(t.DesiredState) && (next == nil || t.CreatedAt.After(next.CreatedAt)):
			next = t
		}
	}
	switch {
	case runs || next == nil: // or it is wanted no more
		return ""
	case next.Status.Err != "":
		return fmt.Sprintf("%s is %s: %s", l.name, next.Status.State, next.Status.Err)
	}
	return fmt.Sprintf("%s is %s", l.name, next.Status.State)
}
