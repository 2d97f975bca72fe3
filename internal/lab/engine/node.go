package engine

import "context"

// nodeState is what the swarm told this host.
type nodeState struct {
	attachments map[string]string // network ID: the host's own address in it
	places      map[string]*place // of containers that are not the swarm's, by the task
	changed     chan struct{}     // closed, and made anew, when any of it changes
}

func newNodeState() nodeState {
	return nodeState{attachments: map[string]string{}, places: map[string]*place{}, changed: make(chan struct{})}
}

func (n *nodeState) tell() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// awaitNode waits until a condition of the node holds, which is asked for under
// the lock.
func (e *Engine) awaitNode(ctx context.Context, holds func() bool) error {
	return e.watch(ctx, func() (bool, <-chan struct{}) { return holds(), e.node.changed })
}
