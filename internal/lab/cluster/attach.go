package cluster

import (
	"context"
	"errors"

	"github.com/moby/swarmkit/v2/agent"
)

// AttachNetwork asks the swarm for a place of a container, which is not the swarm's,
// in one of its attachable networks. It returns the ID of the task that stands for the
// place, and that the executor of this host gets.
func (c *Cluster) AttachNetwork(ctx context.Context, containerID, target string, addresses []string) (taskID string, err error) {
	a, err := c.agent()
	if err != nil {
		return "", err
	}
	return a.ResourceAllocator().AttachNetwork(ctx, containerID, target, addresses)
}

// DetachNetwork gives a place back.
func (c *Cluster) DetachNetwork(ctx context.Context, taskID string) error {
	a, err := c.agent()
	if err != nil {
		return err
	}
	return a.ResourceAllocator().DetachNetwork(ctx, taskID)
}

// agent is the part of the node that talks to the managers.
func (c *Cluster) agent() (*agent.Agent, error) {
	m := c.current()
	if m == nil {
		return nil, errNoAgent
	}
	m.mu.Lock()
	n := m.node
	m.mu.Unlock()
	if n == nil || n.Agent() == nil {
		return nil, errNoAgent
	}
	return n.Agent(), nil
}

var errNoAgent = errors.New("invalid cluster node while attaching to network")
