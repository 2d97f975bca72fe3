package whatif

import (
	"cmp"
	"context"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state/store"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// begin begins a round of steps.
func (w *world) begin() { w.engines.begin() }

// writeService writes a service through the control API.
func (w *world) writeService(ctx context.Context, s *ServiceStep) error {
	trace := w.service(s)
	if s.Spec == nil {
		if s.Action == "delete" {
			trace.Zero = true
		}
		_, err := w.api.RemoveService(ctx, &api.RemoveServiceRequest{ServiceID: s.ID})
		return err
	}
	spec, err := w.specFrom(*s.Spec)
	if err == nil {
		err = w.store.Update(func(tx store.Tx) error { return w.loadFiles(tx, spec) })
	}
	if err != nil {
		return err
	}
	trace.Name, trace.Mode, trace.Policy, trace.Zero = s.Spec.Name, mode(s.Spec), policyOf(s.Spec), wantsNone(s.Spec)
	trace.Hurried = hurried(s.Spec, len(w.in.Nodes)) > trace.Policy.Parallelism
	if s.ID == "" {
		made, err := w.api.CreateService(ctx, &api.CreateServiceRequest{Spec: spec})
		if err == nil {
			trace.IDs = append(trace.IDs, made.Service.ID)
		}
		return err
	}
	for { // the orchestrator may write too, until the swarm has settled
		live := w.liveService(s.ID)
		if live == nil {
			return store.ErrNotExist
		}
		_, err := w.api.UpdateService(ctx, &api.UpdateServiceRequest{ServiceID: s.ID, ServiceVersion: &live.Meta.Version, Spec: spec})
		if err == nil || !strings.Contains(err.Error(), store.ErrSequenceConflict.Error()) || ctx.Err() != nil {
			return err
		}
	}
}

func (w *world) liveService(id string) (s *api.Service) {
	w.store.View(func(tx store.ReadTx) { s = store.GetService(tx, id) })
	return s
}

// writeNode lets a node join, changes it, or drains it before it leaves.
func (w *world) writeNode(s *NodeStep) {
	_ = w.store.Update(func(tx store.Tx) error { // a node that is not there cannot be changed, and none is made twice
		if s.ID == "" {
			n := w.coming(s)
			w.nodes[n.ID] = &outcome.TraceNode{ID: n.ID, Name: nameOf(&n), Joins: true}
			return store.CreateNode(tx, nodeFrom(&n))
		}
		n := store.GetNode(tx, s.ID)
		if n == nil {
			return store.ErrNotExist
		}
		was := n.Spec.Availability
		if s.Node == nil {
			n.Spec.Availability = api.NodeAvailabilityDrain
		} else {
			n.Spec = nodeSpec(s.Node.Spec)
			n.Role = n.Spec.DesiredRole
		}
		if n.Spec.Availability == api.NodeAvailabilityDrain && (was != n.Spec.Availability || s.Node == nil) {
			w.drains = append(w.drains, drain{id: s.ID, address: s.Address, leaves: s.Node == nil, seats: seatsOn(tx, s.ID)})
		}
		return store.UpdateNode(tx, n)
	})
}

// coming is a node that joins. What is not known of it is as with the smallest
// of the others.
func (w *world) coming(s *NodeStep) swarm.Node {
	n := *s.Node
	n.ID = cmp.Or(n.ID, s.Address)
	n.Status.State = swarm.NodeStateReady
	var peer *swarm.NodeDescription
	for i := range w.in.Nodes {
		p := &w.in.Nodes[i].Description
		if peer == nil || p.Resources.MemoryBytes < peer.Resources.MemoryBytes {
			peer = p
		}
	}
	w.size(&n, peer)
	return n
}

// size fills in what is not known of a node.
func (w *world) size(n *swarm.Node, peer *swarm.NodeDescription) {
	d := &n.Description
	if d.Resources.NanoCPUs != 0 || d.Resources.MemoryBytes != 0 {
		return // its engine has told it
	}
	if peer == nil {
		peer = &swarm.NodeDescription{Platform: swarm.Platform{OS: "linux", Architecture: "x86_64"}, Resources: swarm.Resources{NanoCPUs: enoughCPUs, MemoryBytes: enoughMemory}}
	}
	w.guessed = append(w.guessed, nameOf(n))
	d.Resources, d.Platform, d.Engine.Plugins = peer.Resources, peer.Platform, peer.Engine.Plugins
}

// What a node has of which nothing is known, nor of any other.
const (
	enoughCPUs   = 1 << 20 * 1e9
	enoughMemory = 1 << 50
)

// drain is a node whose tasks have to run elsewhere, before it leaves where it does.
type drain struct {
	id, address string
	leaves      bool
	seats       map[seat]bool
}

// seat is what a task of a replicated service takes up.
type seat struct {
	service string
	slot    uint64
}

// seatsOn are those of the tasks that run on a node.
func seatsOn(tx store.ReadTx, node string) map[seat]bool {
	out := map[seat]bool{}
	tasks, _ := store.FindTasks(tx, store.ByNodeID(node)) // it fails for unknown selectors only
	for _, t := range tasks {
		if t.Slot != 0 && t.JobIteration == nil && t.DesiredState == api.TaskStateRunning && t.Status.State == api.TaskStateRunning {
			out[seat{t.ServiceID, t.Slot}] = true
		}
	}
	return out
}

// drained ends the drains of a round: nodes leave whose tasks run elsewhere. It
// returns the addresses of those whose tasks do not: who applies the plan waits for
// them in vain. The second result is set where a node has left.
func (w *world) drained() (stuck map[string]bool, left bool) {
	stuck = map[string]bool{}
	_ = w.store.Update(func(tx store.Tx) error { // the nodes are there
		waiting := map[seat]bool{}
		for _, tasks := range newLook(tx).of {
			for _, t := range tasks {
				waiting[seat{t.ServiceID, t.Slot}] = t.Status.State == api.TaskStatePending
			}
		}
		for _, d := range w.drains {
			for p := range d.seats {
				stuck[d.address] = stuck[d.address] || waiting[p]
			}
			w.nodes[d.id].Stuck = stuck[d.address]
			if stuck[d.address] || !d.leaves {
				continue
			}
			left, w.nodes[d.id].Leaves = true, true
			if err := remove(tx, d.id); err != nil {
				return err
			}
		}
		return nil
	})
	w.drains = nil
	return stuck, left
}

// remove takes a node out of the swarm. What still runs there, since it is down, is
// nobody's then, as the control API has it.
func remove(tx store.Tx, node string) error {
	tasks, err := store.FindTasks(tx, store.ByNodeID(node))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.Status.State <= api.TaskStateRunning {
			t.Status.State = api.TaskStateOrphaned
			if err := store.UpdateTask(tx, t); err != nil {
				return err
			}
		}
	}
	return store.DeleteNode(tx, node)
}
