// Package swarm holds the kinds that live in a swarm - networks, secrets,
// configs, services, nodes - the kind that makes one, and the connection to it.
//
// A swarm is observed with one list call per type of object, whatever its
// size. Beside its objects it keeps one config object per project, the ledger:
// see ledger.go.
package swarm

import (
	"context"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Conn reaches a swarm through one of its managers.
type Conn struct {
	docker *remote.Docker

	services serviceState
	hand     func() *Handover // may be nil
	own      string           // the ID of the node that is asked
	prober   Prober           // of that node's machine; may be nil
	roles    chan struct{}    // held by who changes the managers

	mu     sync.Mutex
	seen   *swarm.Config // the ledger of the last observation
	seenAt time.Time
	key    map[string][]byte // the hash keys of projects, as far as they were seen
}

// Handover is what the engine's own observation has listed a moment ago and
// the swarm's needs too.
type Handover struct {
	lists  lists
	at     time.Time
	writes int64 // how many we had sent by then
	whole  bool  // it holds all lists, not only those that the engine needs itself
}

// handoverAge bounds how old a list may be that is used again: the time
// between two stages of one observation, also on a busy computer, not between two
// observations.
const handoverAge = time.Minute

// fresh reports whether what was listed can still be used: we have written
// nothing since, and nobody else had time to.
func (h *Handover) fresh(d *remote.Docker) bool {
	return h != nil && time.Since(h.at) < handoverAge && d.Requests().Writes == h.writes
}

// NewConn returns the connection to the swarm that d's engine manages. The
// engine's connection outlives it. What hand returns is used by an
// observation in place of lists of its own; it may be nil.
func NewConn(d *remote.Docker, hand func() *Handover) *Conn {
	return &Conn{docker: d, hand: hand, roles: make(chan struct{}, 1)}
}

// Docker returns the Engine API's client. Its errors go through [remote.Err].
func (c *Conn) Docker() client.APIClient { return c.docker.API() }

// Credentials returns what the registries of images want.
func (c *Conn) Credentials() remote.Credentials { return c.docker.Credentials() }

// Close does nothing: the engine's connection is shared.
func (c *Conn) Close() error { return nil }

// Observe implements [resource.Conn].
func (c *Conn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
	l, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	l.Own = c.own
	c.services.knowNetworks(l.Networks)
	if err := c.services.addNetworks(ctx, c, l); err != nil {
		return nil, err
	}
	if err := l.listJobs(ctx, c); err != nil {
		return nil, err
	}
	obs := &resource.Observation{API: l.API, Summary: l.summary(), Warnings: l.warnings(), Forecaster: forecaster{nodes: l.Nodes}}
	for _, observe := range observers {
		obs.Objects = append(obs.Objects, observe(l)...)
	}
	markOthers(obs.Objects, l.Configs, q.Project)
	obs.Ledger, err = ledgerIn(l.Configs, q.Project)
	c.saw(l.Configs, q.Project)
	c.knowKey(q.Project, obs.Ledger.HashKey)
	return obs, err
}

// observers turn the lists into objects, kind by kind.
var observers = []func(*lists) []*resource.Object{
	observeNetworks,
	observeVolumes,
	observeSecrets,
	observeConfigs,
	observeServices,
	observeNodes,
}
