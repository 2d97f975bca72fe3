package swarm

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// nodeHandler acts on nodes.
type nodeHandler struct{}

// Update implements [resource.Handler].
func (nodeHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := serviceConn(rc)
	if err != nil {
		return nil, err
	}
	var spec NodeSpec
	if err := nodeSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	live := nodeOf(r.Live)
	to := live.Spec
	if was := restsAs(live.Node); was != "" {
		to.Availability = was
	}
	to.Labels = mergeLabels(live.Spec.Labels, spec.Labels, r)
	if spec.Availability != nil {
		to.Availability = swarm.NodeAvailability(*spec.Availability)
	}
	if spec.Role != nil {
		to.Role = swarm.NodeRole(*spec.Role)
	}
	next := &liveNode{Node: live.Node, Own: live.Own}
	if to.Availability == swarm.NodeAvailabilityDrain && live.Spec.Availability != to.Availability {
		if next.leaving, err = tasksOn(ctx, c, live.ID, false); err != nil {
			return nil, err
		}
	}
	if to.Role == live.Spec.Role {
		err = updateNode(ctx, c.Docker(), live.Node, to)
	} else {
		err = changeRole(ctx, c, r, live, to)
	}
	if err != nil {
		return nil, err
	}
	next.Spec = to
	o := nodeObject(next.Node, next.Own)
	o.Native = next
	return o, nil
}

// changeRole changes a node's role, alone: it looks at the managers as they are
// now, writes, and ends when the node is what it shall be. So whoever comes
// next counts right.
func changeRole(ctx context.Context, c *Conn, r *resource.Request, live *liveNode, to swarm.NodeSpec) error {
	free, err := c.holdRoles(ctx)
	if err != nil {
		return err
	}
	defer free()
	if to.Role == swarm.NodeRoleWorker {
		nodes, err := c.Docker().NodeList(ctx, swarm.NodeListOptions{})
		if err != nil {
			return remote.Err(err)
		}
		if _, problem := demotions(managersOf(observeNodes(&lists{Nodes: nodes, Own: c.own})), []departure{{id: live.ID}}, 0, demoting); problem != nil {
			return problem
		}
	}
	err = onceManager(ctx, r, func() error { return updateNode(ctx, c.Docker(), live.Node, to) })
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, roleTime)
	defer cancel()
	if err := hasRole(wait, c, r, live.ID); err != nil || to.Role != swarm.NodeRoleWorker {
		return err
	}
	return knowsRole(ctx, r)
}

// onceManager changes a node, and waits where that is promoted and not a manager
// yet: its machine may be slow to take that up.
func onceManager(ctx context.Context, r *resource.Request, change func() error) error {
	for began := time.Now(); ; {
		err := change()
		if !errors.Is(err, errNotYetManager) || time.Since(began) > roleTime {
			return err
		}
		r.Progress(resource.Progress{Text: "it is not among the managers yet"})
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// knowsRole ends when the engine of a node that was demoted takes itself for a
// worker: until then it is asked what only managers can tell, and fails. One that
// does not answer is not waited for.
func knowsRole(ctx context.Context, r *resource.Request) error {
	on, ok := r.On.(EngineConn)
	for began := time.Now(); ok && time.Since(began) < roleTime; {
		info, err := infoOf(ctx, on)
		if err != nil || !info.Swarm.ControlAvailable {
			return ctx.Err()
		}
		r.Progress(resource.Progress{Text: "its engine still takes itself for a manager"})
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// roleTime is how long a node may take to become a manager, or to stop being
// one; it takes a few seconds.
const roleTime = 2 * time.Minute

// hasRole waits until a node has the role that it shall have. While the leader
// changes nobody answers, which is no failure.
func hasRole(ctx context.Context, c *Conn, r *resource.Request, id string) error {
	began := time.Now()
	for {
		n, _, err := c.Docker().NodeInspectWithRaw(ctx, id)
		why := ""
		switch {
		case err == nil:
			why = changingRole(n)
			if why == "" && n.ManagerStatus != nil && !reachable(n) && n.Status.State == swarm.NodeStateReady {
				why = "not yet reachable as a manager"
			}
			if why == "" {
				return nil
			}
		case remote.IsNotFound(err):
			return &resource.NotConverged{Address: r.Address, Summary: "was removed by somebody else"}
		default:
			why = "the managers do not answer"
		}
		r.Progress(resource.Progress{Text: why})
		if perr := Pause(ctx, 300*time.Millisecond); perr != nil {
			if errors.Is(perr, context.DeadlineExceeded) {
				return &resource.NotConverged{Address: r.Address, Summary: "did not get its role in " + since(began), Detail: nodeLabel(n) + " is " + why}
			}
			return perr
		}
	}
}
