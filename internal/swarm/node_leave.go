package swarm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A node that its declaration made leaves when it is declared no more: it is
// drained until its tasks run elsewhere, it stops being a manager while the rest
// keep their majority, its engine leaves, and the swarm forgets it. A node whose
// machine is gone can only be forgotten, once the swarm takes it for down.

// drainTime is how long the tasks of a leaving node may take to move.
const drainTime = 10 * time.Minute

// recoverTime is how long the swarm may take to run elsewhere what a machine ran
// that is gone.
const recoverTime = 30 * time.Second

// downTime is how long a swarm may take to see that a machine is gone: three of
// its heartbeats, and more while a new leader asks for all.
func (l *leaver) downTime(ctx context.Context) time.Duration {
	beat := 5 * time.Second
	if sw, err := l.c.Docker().SwarmInspect(ctx); err == nil {
		beat = sw.Spec.Dispatcher.HeartbeatPeriod
	}
	return 3*beat + 15*time.Second
}

// Delete implements [resource.Handler]: the node leaves the swarm, or, where it
// has joined by other means, is released.
func (nodeHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	if r.Live.Mark.On == "" {
		return release(ctx, rc, r)
	}
	l := &leaver{r: r}
	if err := l.find(ctx); err != nil {
		return err
	}
	if r.Ends {
		return l.end(ctx)
	}
	var err error
	if l.c, err = serviceConn(rc); err != nil {
		return err
	}
	return l.leave(ctx)
}

// release takes our mark and the labels that we set off a node; all else stays
// as it is.
func release(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	api := dockerOf(rc)
	for try := 0; ; try++ {
		n, _, err := api.NodeInspectWithRaw(ctx, r.Live.ID)
		if remote.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return remote.Err(err)
		}
		if !marked(n, r) {
			return nil
		}
		mark, labels := resource.ReadMark(n.Spec.Labels)
		for _, k := range mark.Owned()["labels"] {
			delete(labels, k)
		}
		to := n.Spec
		to.Labels = maps.Clone(labels)
		err = remote.Err(api.NodeUpdate(ctx, n.ID, n.Version, to))
		if !errors.Is(err, resource.ErrConflict) || try == specTries {
			return err
		}
	}
}

// marked reports whether a node still carries the mark that it was seen with:
// another declaration may have it now.
func marked(n swarm.Node, r *resource.Request) bool {
	mark, _ := resource.ReadMark(n.Spec.Labels)
	return mark.Project == r.Live.Mark.Project && mark.Address == r.Live.Mark.Address
}

// leaver is a node on its way out.
type leaver struct {
	c  *Conn      // of the swarm
	on EngineConn // the node's engine; nil where it does not answer, or is another node now
	r  *resource.Request
	// silent is set where the engine does not answer, or nobody knows it.
	silent bool
}

// find looks for the engine that the node is. Its machine may have been made
// anew, and may have joined anew: that is another node.
func (l *leaver) find(ctx context.Context) error {
	on, ok := l.r.On.(EngineConn)
	if !ok {
		l.silent = true
		return nil
	}
	info, err := infoOf(ctx, on)
	if errors.Is(err, resource.ErrUnreachable) {
		l.silent = true
		return nil
	}
	// What cannot start as a node, or is locked, has no ID.
	lame := l.r.Ends && info.Swarm.NodeID == "" && info.Swarm.LocalNodeState != swarm.LocalNodeStateInactive
	if err == nil && (lame || info.Swarm.NodeID == l.r.Live.ID) {
		l.on = on
	}
	return err
}

// end lets an engine leave a swarm that ends. What is down stays as it is: there
// is nothing left that it could come back to.
func (l *leaver) end(ctx context.Context) error {
	switch {
	case l.on != nil:
		return l.quit(ctx, true)
	case !l.silent, down(l.r.Live):
		return nil
	}
	return l.unanswered(nodeOf(l.r.Live).Status.State)
}

func (l *leaver) unanswered(state swarm.NodeState) error {
	return &resource.NotConverged{Address: l.r.Address, Summary: "cannot leave: its engine does not answer",
		Detail: fmt.Sprintf("the swarm takes it for %s, so its tasks may run\nbring it back, or shut it down: what is down is removed", state)}
}

func (l *leaver) leave(ctx context.Context) error {
	n, err := l.steady(ctx)
	if remote.IsNotFound(err) {
		if l.on == nil {
			return nil
		}
		return l.quit(ctx, true)
	}
	if err != nil {
		return err
	}
	if !marked(n, l.r) {
		return nil
	}
	ready := n.Status.State == swarm.NodeStateReady
	if ready {
		if err := l.drain(ctx); err != nil {
			return err
		}
	}
	if err := l.demote(ctx); err != nil {
		return err
	}
	if l.on != nil {
		if err := l.quit(ctx, !ready); err != nil {
			return err
		}
	}
	if !ready {
		l.recover(ctx)
	}
	return l.forget(ctx)
}

func (l *leaver) look(ctx context.Context) (swarm.Node, error) {
	n, _, err := l.c.Docker().NodeInspectWithRaw(ctx, l.r.Live.ID)
	return n, remote.Err(err)
}

// steady ends when the node is ready, or down. One that only we do not reach has
// to be down: then the swarm has started its tasks elsewhere. One whose machine is
// another now will be down, unless the old machine runs on under another name. A
// new leader takes all nodes for unknown until they have come to it.
func (l *leaver) steady(ctx context.Context) (swarm.Node, error) {
	limit := l.downTime(ctx)
	for began := time.Now(); ; {
		n, err := l.look(ctx)
		state := n.Status.State
		switch {
		case err == nil && (state == swarm.NodeStateDown || state == swarm.NodeStateReady && l.on != nil):
			return n, nil
		case err != nil && !errors.Is(err, resource.ErrTransient):
			return n, err
		case time.Since(began) < limit:
		case err != nil || !l.silent:
			return n, err
		default:
			return n, l.unanswered(state)
		}
		text := "the swarm takes it for " + string(state)
		if l.on == nil {
			text += "; waiting until it takes it for down"
		}
		l.r.Progress(resource.Progress{Text: text})
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return n, err
		}
	}
}

// drain moves the node's tasks to others, and ends when they run there.
func (l *leaver) drain(ctx context.Context) error {
	tasks, err := tasksOn(ctx, l.c, l.r.Live.ID, false)
	if err != nil {
		return err
	}
	to := func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain }
	if err := l.change(ctx, to); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	err = areGone(wait, l.c, l.r, &liveNode{Node: nodeOf(l.r.Live).Node, leaving: tasks})
	if nc := (*resource.NotConverged)(nil); errors.As(err, &nc) {
		nc.Detail += "\nto keep the node, declare it again, with availability = \"active\""
	}
	return err
}

// recover waits a while until what a node that is down has run runs elsewhere.
// What does not is no reason to keep the node: its service tells.
func (l *leaver) recover(ctx context.Context) {
	tasks, err := tasksOn(ctx, l.c, l.r.Live.ID, true)
	if err != nil {
		return
	}
	node := nodeOf(l.r.Live).Node
	node.Status.State = swarm.NodeStateDown
	wait, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	_ = areGone(wait, l.c, l.r, &liveNode{Node: node, leaving: tasks})
}

// change writes the node's spec, whoever else does.
func (l *leaver) change(ctx context.Context, to func(*swarm.NodeSpec)) error {
	for try := 0; ; try++ {
		n, err := l.look(ctx)
		if err == nil {
			spec := n.Spec
			to(&spec)
			err = l.c.Docker().NodeUpdate(ctx, n.ID, n.Version, spec)
		}
		if err = remote.Err(roleErr(err)); !errors.Is(err, resource.ErrConflict) || try == specTries {
			return err
		}
	}
}

// demote ends when the node is no manager any more. It is decided again whether
// the others can do without it.
func (l *leaver) demote(ctx context.Context) error {
	free, err := l.c.holdRoles(ctx)
	if err != nil {
		return err
	}
	defer free()
	nodes, err := l.c.Docker().NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return remote.Err(err)
	}
	managers := managersOf(observeNodes(&lists{Nodes: nodes, Own: l.c.own}))
	order, problem := demotions(managers, []departure{{id: l.r.Live.ID}}, 0, removing)
	if problem != nil {
		return problem
	}
	if len(order) == 0 {
		return nil // a worker
	}
	err = onceManager(ctx, l.r, func() error {
		return l.change(ctx, func(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker })
	})
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, roleTime)
	defer cancel()
	return l.isWorker(wait)
}

// isWorker ends when the managers do not count the node among them any more. A
// new leader may have to be found first.
func (l *leaver) isWorker(ctx context.Context) error {
	began := time.Now()
	for {
		n, err := l.look(ctx)
		if err == nil && n.ManagerStatus == nil || remote.IsNotFound(err) {
			return nil
		}
		why := "it is still a manager"
		if err != nil {
			why = "the managers do not answer: " + err.Error()
		}
		l.r.Progress(resource.Progress{Text: why})
		if err := Pause(ctx, 300*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
			return &resource.NotConverged{Address: l.r.Address, Summary: "was not demoted in " + since(began), Detail: why}
		} else if err != nil {
			return err
		}
	}
}

// quit lets the engine leave. For a moment after it was demoted it may still take
// itself for a manager, which leaves by force only.
func (l *leaver) quit(ctx context.Context, force bool) error {
	l.r.Progress(resource.Progress{Text: "leaving"})
	api := l.on.Docker()
	for began := time.Now(); ; {
		err := remote.Err(api.SwarmLeave(ctx, force))
		switch {
		case err == nil, strings.Contains(err.Error(), "not part of a swarm"):
			return leftNetworks(ctx, api)
		case !strings.Contains(err.Error(), "participating as a manager") || time.Since(began) > roleTime:
			return err
		}
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// forget removes the node from the swarm's list. By force: it is gone, and the
// managers need a while to see it.
func (l *leaver) forget(ctx context.Context) error {
	for began := time.Now(); ; {
		err := l.c.Docker().NodeRemove(ctx, l.r.Live.ID, swarm.NodeRemoveOptions{Force: true})
		if err == nil || remote.IsNotFound(err) {
			return nil
		}
		// Who was demoted is a member for a moment longer.
		err = remote.Err(err)
		busy := errors.Is(err, resource.ErrTransient) || strings.Contains(err.Error(), "is a member of the raft cluster") || strings.Contains(err.Error(), "is a cluster manager")
		if !busy || time.Since(began) > roleTime {
			return err
		}
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}
