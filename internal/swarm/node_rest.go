package swarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A node whose machine is switched off for a while rests: it is drained until its
// tasks run elsewhere, and takes tasks again when its machine is back. A label keeps
// what its availability was: a run that ends in between is made up for by the next.

// labelRests is on a node that rests. It is none of its mark, which a write of the
// node leaves out.
const labelRests = "swarmscript.rests"

// wakeTime is how long a node may take to come back where the step says nothing.
const wakeTime = 10 * time.Minute

// restsAs is the availability that a node had before it rested, "" where it does not.
func restsAs(n swarm.Node) swarm.NodeAvailability {
	return swarm.NodeAvailability(n.Spec.Labels[labelRests])
}

// Rest implements [resource.Rester]. A task that fits on no other node is taken off
// all the same: it starts again when this one is back.
func (nodeHandler) Rest(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := serviceConn(rc)
	if err != nil {
		return err
	}
	l := &leaver{c: c, r: r}
	nodes, err := l.known(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(nodes, func(n swarm.Node) bool { return n.ID == r.Live.ID })
	if i < 0 || nodes[i].Status.State != swarm.NodeStateReady {
		return nil // nothing of it can go elsewhere
	}
	if problem := quorumWithout(managersOf(observeNodes(&lists{Nodes: nodes, Own: c.own})), r.Live.ID); problem != nil {
		return problem
	}
	if !AnotherTakes(nodes, r.Live.ID) {
		return nil
	}
	tasks, err := tasksOn(ctx, c, r.Live.ID, false)
	if err != nil {
		return err
	}
	err = l.change(ctx, func(s *swarm.NodeSpec) {
		if s.Availability != swarm.NodeAvailabilityDrain {
			s.Labels = maps.Clone(s.Labels)
			if s.Labels == nil {
				s.Labels = map[string]string{}
			}
			s.Labels[labelRests], s.Availability = string(s.Availability), swarm.NodeAvailabilityDrain
		}
	})
	if err != nil {
		return err
	}
	return l.emptied(ctx, tasks)
}

// unknownTime is how long nodes may be unknown to a new leader: longer than it waits
// itself, until it takes for down those that have not told it.
const unknownTime = time.Minute

// known lists the nodes when it is known how they are. A leader that is new, as after
// the last one's machine was switched off, takes all of them for unknown until they
// have told it; they have their tasks meanwhile.
func (l *leaver) known(ctx context.Context) ([]swarm.Node, error) {
	for begun := time.Now(); ; {
		nodes, err := l.c.Docker().NodeList(ctx, swarm.NodeListOptions{})
		if err != nil {
			return nil, remote.Err(err)
		}
		i := slices.IndexFunc(nodes, func(n swarm.Node) bool { return n.Status.State == swarm.NodeStateUnknown })
		if i < 0 || time.Since(begun) >= unknownTime {
			return nodes, nil
		}
		l.r.Progress(resource.Progress{Text: "the swarm does not know yet how " + nodes[i].Description.Hostname + " is"})
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// quorumWithout refuses to switch off a manager that the others need to agree. Of
// two, each is needed, and so is the only one: nobody can do without those anyway.
func quorumWithout(managers []manager, id string) *diag.Diagnostic {
	i := slices.IndexFunc(managers, func(m manager) bool { return m.ID == id })
	n, up := len(managers), countReachable(managers)
	if i < 0 || n <= 2 || !managers[i].Reachable || up-1 >= quorum(n) {
		return nil
	}
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("switching %s off now would lose the quorum", managers[i].Name),
		Detail:  fmt.Sprintf("%s\n%s %d; without it %d are reachable", describeManagers(managers), needs(n), quorum(n), up-1),
		Hint:    "bring the others back first",
	}
}

// Spare implements [resource.Rester]. Managers that all go off are no loss: the swarm
// goes on when they are back. Who is off for a while counts among those that are left.
func (nodeHandler) Spare(objects []*resource.Object, off, cycled []string) *diag.Diagnostic {
	managers := managersOf(objects)
	var going []manager
	left, pause := 0, 0
	for _, m := range managers {
		switch {
		case !m.Reachable:
		case slices.Contains(off, m.ID):
			going = append(going, m)
		default:
			left++
			if slices.Contains(cycled, m.ID) {
				pause = 1
			}
		}
	}
	n := len(managers)
	if len(going) == 0 || left == 0 || left-pause >= quorum(n) {
		return nil
	}
	detail := fmt.Sprintf("%s\n%s %d; %d would be left", describeManagers(managers), needs(n), quorum(n), left)
	if pause > 0 {
		detail += ", one of them off for a while"
	}
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("switching %s off would lose the quorum", namesOf(going)), Detail: detail,
		Hint: "let more of them run, make workers of those that shall not, or switch off all managers",
	}
}

// Awake is the availability of a node when it does not rest.
func Awake(n swarm.Node) swarm.NodeAvailability { return cmp.Or(restsAs(n), n.Spec.Availability) }

// AnotherTakes reports whether another node takes tasks.
func AnotherTakes(nodes []swarm.Node, id string) bool {
	return slices.ContainsFunc(nodes, func(n swarm.Node) bool {
		return n.ID != id && n.Status.State == swarm.NodeStateReady && n.Spec.Availability == swarm.NodeAvailabilityActive
	})
}

// emptied ends when the tasks that a node had run elsewhere, or fit nowhere.
func (l *leaver) emptied(ctx context.Context, leaving []leavingTask) error {
	if len(leaving) == 0 {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for began := time.Now(); ; {
		var left []string
		tasks, err := serviceTasks(wait, l.c, leaving)
		if err == nil {
			done := 0
			done, left = drained(l.r.Live.ID, true, leaving, tasks)
			if !slices.ContainsFunc(left, func(s string) bool { return !strings.Contains(s, "no suitable node") }) {
				return nil
			}
			l.r.Progress(resource.Progress{Done: done, Total: len(leaving), Text: "is drained: " + left[0]})
		}
		if err := Pause(wait, 500*time.Millisecond); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return &resource.NotConverged{Address: l.r.Address, Summary: "was not drained in " + since(began), Detail: strings.Join(left, "\n") + "\nnothing has been done to its machine"}
		} else if err != nil {
			return err
		}
	}
}

// Wake implements [resource.Rester]: it ends when the node is ready, and takes tasks
// if it did before. Until then the managers may not answer either: it may be one.
func (nodeHandler) Wake(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := serviceConn(rc)
	if err != nil {
		return err
	}
	limit := r.Timeout
	if limit <= 0 {
		limit = wakeTime
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l := &leaver{c: c, r: r}
	for began := time.Now(); ; {
		why := l.notBack(wait)
		if why == "" {
			return l.change(ctx, wake)
		}
		r.Progress(resource.Progress{Text: why})
		if err := Pause(wait, 500*time.Millisecond); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return &resource.NotConverged{Address: r.Address, Summary: "did not come back in " + since(began), Detail: why + "\nit stays drained until the next apply finds it ready"}
		} else if err != nil {
			return err
		}
	}
}

// wake gives a node's spec the availability that it had.
func wake(s *swarm.NodeSpec) {
	if was := s.Labels[labelRests]; was != "" {
		s.Availability = swarm.NodeAvailability(was)
	}
	s.Labels = maps.Clone(s.Labels)
	delete(s.Labels, labelRests)
}

// notBack says what a node is waited for, "" where it is there. What the managers
// know of it may be older than its machine's last boot, so its engine is asked too.
func (l *leaver) notBack(ctx context.Context) string {
	if on, ok := l.r.On.(EngineConn); ok {
		info, err := infoOf(ctx, on)
		if err != nil {
			return "its engine does not answer: " + err.Error()
		}
		if info.Swarm.LocalNodeState != swarm.LocalNodeStateActive {
			return "its engine is " + string(info.Swarm.LocalNodeState) + " in the swarm"
		}
	}
	n, err := l.look(ctx)
	switch {
	case err != nil:
		return "the managers do not answer: " + err.Error()
	case n.Status.State != swarm.NodeStateReady:
		return "the swarm takes it for " + string(n.Status.State)
	case n.ManagerStatus != nil && !reachable(n):
		return "not yet reachable as a manager"
	}
	return ""
}
