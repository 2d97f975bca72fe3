package engine

import (
	"context"
	"fmt"
	"net"
	"time"

	networktypes "github.com/docker/docker/api/types/network"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
)

// Attacher is a membership that gets containers of the engine alone a place in
// the swarm's attachable networks. The place is a task that the executor gets.
type Attacher interface {
	AttachNetwork(ctx context.Context, containerID, target string, addresses []string) (taskID string, err error)
	DetachNetwork(ctx context.Context, taskID string) error
}

const attachTimeout = 20 * time.Second // Docker's, of a request to the swarm

// place is where a container is in a swarm's network.
type place struct {
	Task      string
	Network   string // its ID
	Addresses []string
}

// attachAll gets the places that a container needs before it starts.
func (e *Engine) attachAll(ctx context.Context, ref string) error {
	swarm, ok := e.swarm.(Attacher)
	if !ok || e.swarm.Status() == "inactive" {
		return nil
	}
	wanted := map[string]networktypes.EndpointSettings{}
	var id string
	if err := e.with(ref, func(c *container) error {
		id = c.ID
		for name, ep := range c.Networks {
			n, err := e.findNetwork(name)
			if _, has := c.Places[name]; !has && !c.Managed && (err != nil || n.Dynamic) {
				wanted[name] = *ep.Copy()
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for name, ep := range wanted {
		if err := e.attachOne(ctx, swarm, id, name, &ep); err != nil {
			return fmt.Errorf("failed to set up container networking: %w", err)
		}
	}
	return nil
}

// attachOne gets one place, and returns when it is here.
func (e *Engine) attachOne(ctx context.Context, swarm Attacher, id, name string, ep *networktypes.EndpointSettings) error {
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	var addresses []string
	if c := ep.IPAMConfig; c != nil {
		for _, a := range []string{c.IPv4Address, c.IPv6Address} {
			if a != "" {
				addresses = append(addresses, a)
			}
		}
	}
	task, err := swarm.AttachNetwork(ctx, id, name, addresses)
	if err != nil {
		return notAttached(name, err.Error())
	}
	var got *place
	if err := e.awaitNode(ctx, func() bool { got = e.node.places[task]; return got != nil }); err != nil {
		_ = swarm.DetachNetwork(context.WithoutCancel(ctx), task) // the place that nobody takes
		return fmt.Errorf("attaching to network failed, make sure your network options are correct and check manager logs: %w", err)
	}
	return e.with(id, func(c *container) error {
		if c.Places == nil {
			c.Places = map[string]place{}
		}
		if n := e.networks[got.Network]; n != nil && n.Name != name { // it was asked for by its ID
			if ep := c.Networks[name]; ep != nil {
				delete(c.Networks, name)
				c.Networks[n.Name] = ep
			}
			name = n.Name
		}
		c.Places[name] = *got
		e.save(c)
		return nil
	})
}

// attachRunning gets the place that a running container needs to be connected to
// a network.
func (e *Engine) attachRunning(ctx context.Context, ref, name string, ep *networktypes.EndpointSettings) error {
	swarm, ok := e.swarm.(Attacher)
	if !ok || e.swarm.Status() == "inactive" {
		return nil
	}
	needed, id := false, ""
	if err := e.with(ref, func(c *container) error {
		n, err := e.findNetwork(name)
		if err == nil {
			_, has := c.Places[n.Name]
			needed = n.Dynamic && !has
		} else {
			needed = true
		}
		needed, id = needed && c.State.Running && !c.Managed, c.ID
		return nil
	}); err != nil || !needed {
		return err
	}
	if ep == nil {
		ep = &networktypes.EndpointSettings{}
	}
	return e.attachOne(ctx, swarm, id, name, ep)
}

// detach gives a container's place in a network back.
func (e *Engine) detach(c *container, name string) {
	p, has := c.Places[name]
	if !has {
		return
	}
	delete(c.Places, name)
	delete(e.node.places, p.Task)
	e.node.tell()
}

// attachment is the task of a place.
type attachment struct {
	e    *Engine
	task *api.Task
}

var _ exec.Controller = attachment{}

func (attachment) Update(context.Context, *api.Task) error { return nil }
func (attachment) Shutdown(context.Context) error          { return nil }
func (attachment) Terminate(context.Context) error         { return nil }
func (attachment) Close() error                            { return nil }

// Prepare makes the network known here.
func (a attachment) Prepare(context.Context) error {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	for _, n := range a.task.Networks {
		a.e.swarmNetwork(n.Network)
	}
	return nil
}

// Start tells who waits for the place.
func (a attachment) Start(context.Context) error {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	for _, n := range a.task.Networks {
		p := &place{Task: a.task.ID, Network: n.Network.ID}
		for _, address := range n.Addresses {
			if ip, _, err := net.ParseCIDR(address); err == nil {
				p.Addresses = append(p.Addresses, ip.String())
			}
		}
		a.e.node.places[a.task.ID] = p
	}
	a.e.node.tell()
	return nil
}

// Wait returns when the place was given back, and tells the swarm so.
func (a attachment) Wait(ctx context.Context) error {
	if err := a.e.awaitNode(ctx, func() bool { return a.e.node.places[a.task.ID] == nil }); err != nil {
		return err
	}
	if swarm, ok := a.e.swarm.(Attacher); ok {
		return swarm.DetachNetwork(ctx, a.task.ID)
	}
	return nil
}

// Remove forgets the network, if nothing else is in it.
func (a attachment) Remove(context.Context) error {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	for _, n := range a.task.Networks {
		if known := a.e.networks[n.Network.ID]; known != nil {
			a.e.dropUnused(known)
		}
	}
	return nil
}

// leavePlaces gives all places of a container back.
func (e *Engine) leavePlaces(c *container) {
	for name := range c.Places {
		e.detach(c, name)
	}
}

// notAttached is what Docker makes of the swarm's refusal: its kind is lost, and the status is 500.
func notAttached(network, why string) error {
	//lint:ignore ST1005 Docker's words
	return fmt.Errorf("Could not attach to network %s: %s", network, why)
}
