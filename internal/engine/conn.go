// Package engine holds the scope of one Docker Engine: its own networks,
// volumes, images and plugins, the swarm that it may be part of, and what a
// project keeps on an engine without a swarm: its lease and marks.
package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// Conn reaches one engine. It dials at the first observation.
type Conn struct {
	remote *remote.Docker
	builds chan struct{} // holds as many as are built at once
	copies chan struct{} // holds as many as are copied from it at once

	marks sync.Mutex // held while marks are written

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
	return Over(d), nil
}

// Over returns the connection to an engine that is reached already, as one of a
// host over SSH.
func Over(d *remote.Docker) *Conn {
	return &Conn{remote: d, builds: make(chan struct{}, maxBuilds), copies: make(chan struct{}, maxCopies)}
}

// Docker returns the Engine API's client. Its errors go through [remote.Err].
func (c *Conn) Docker() client.APIClient { return c.remote.API() }

// Remote implements [swarm.EngineConn].
func (c *Conn) Remote() *remote.Docker { return c.remote }

// Probe implements [swarm.Prober].
func (c *Conn) Probe(ctx context.Context, network, addr string) error {
	return c.remote.Probe(ctx, network, addr)
}

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
	var warnings []string
	var ownErr error
	var wg sync.WaitGroup
	wg.Go(func() { own, warnings, ownErr = list(ctx, c.remote, q) })
	s, err := swarm.ReadAll(ctx, c.remote, last, q)
	wg.Wait()
	if err = cmp.Or(err, ownErr); err != nil {
		return nil, err
	}
	marks, err := newestMarks(s.Hand.Volumes(), q.Project)
	if err != nil {
		return nil, err
	}
	if own, err = c.inspectContainers(ctx, own, q, marks); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.hand, c.last = nil, s
	if s.Swarm != nil {
		c.hand = s.Hand
	}
	c.mu.Unlock()
	obs := &resource.Observation{
		API:      s.API,
		Identity: s.Info.ID,
		Node:     s.Info.Swarm.NodeID,
		Objects:  slices.Concat(swarm.NetworkObjects(s.Hand.Networks(), false), swarm.VolumeObjects(s.Hand.Volumes()), own),
		Summary:  "engine " + s.Info.ServerVersion,
		Begins:   swarm.BeginsHere(s.Info),
		Warnings: slices.Concat(oneLine(s.Info.Swarm.Warnings), s.Hand.Missing(), warnings),
	}
	obs.Ledger.Marks = marks
	resolveUses(obs.Objects)
	resource.MarkOthers(obs.Objects, marksOfOthers(s.Hand.Volumes(), q.Project))
	if o := s.Object(); o != nil {
		obs.Objects = append(obs.Objects, o)
	}
	return obs, nil
}

// oneLine brings an engine's warnings, which it has wrapped and indented, to a
// line each.
func oneLine(warnings []string) []string {
	var out []string
	for _, w := range warnings {
		out = append(out, strings.Join(strings.Fields(strings.TrimPrefix(w, "WARNING:")), " "))
	}
	return out
}
