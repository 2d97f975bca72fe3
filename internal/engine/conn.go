// Package engine holds the scope of one Docker Engine: its own networks, the
// swarm that it may be part of, and the lease of a project that has no swarm.
package engine

import (
	"cmp"
	"context"
	"sync"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// Conn reaches one engine. It dials at the first observation.
type Conn struct {
	remote *remote.Docker

	mu   sync.Mutex
	hand *swarm.Handover
	last *swarm.Snapshot
}

// Connect returns the connection to the engine that e means. Nothing is
// dialled yet.
func Connect(e remote.Endpoint) (*Conn, error) {
	d, err := remote.Dial(e)
	if err != nil {
		return nil, err
	}
	return &Conn{remote: d}, nil
}

// Docker returns the Engine API's client. Its errors go through [remote.Err].
func (c *Conn) Docker() client.APIClient { return c.remote.API() }

// Remote implements [swarm.EngineConn].
func (c *Conn) Remote() *remote.Docker { return c.remote }

// Credentials returns what the registries of images want.
func (c *Conn) Credentials() remote.Credentials { return c.remote.Credentials() }

// Close implements [resource.Conn].
func (c *Conn) Close() error { return c.remote.Close() }

// Handover implements [swarm.EngineConn].
func (c *Conn) Handover() *swarm.Handover {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hand
	c.hand = nil
	return h
}

// Observe implements [resource.Conn].
func (c *Conn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	var own []*resource.Object
	var ownErr error
	var wg sync.WaitGroup
	wg.Go(func() { own, ownErr = list(ctx, c.remote, q) })
	s, err := swarm.ReadAll(ctx, c.remote, last)
	wg.Wait()
	if err = cmp.Or(err, ownErr); err != nil {
		return nil, err
	}
	resolveNetworks(own, s.Hand.Networks())
	c.mu.Lock()
	c.hand, c.last = nil, s
	if s.Swarm != nil {
		c.hand = s.Hand
	}
	c.mu.Unlock()
	obs := &resource.Observation{
		API:      s.API,
		Identity: s.Info.ID,
		Objects:  append(swarm.NetworkObjects(s.Hand.Networks(), false), own...),
		Summary:  "engine " + s.Info.ServerVersion,
		Warnings: s.Info.Swarm.Warnings,
	}
	if o := s.Object(); o != nil {
		obs.Objects = append(obs.Objects, o)
	}
	return obs, nil
}
