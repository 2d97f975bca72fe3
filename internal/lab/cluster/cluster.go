// Package cluster is the membership of one host of a lab in a swarm.
//
// The swarm is SwarmKit itself, one node of it per host: its raft, its join tokens, its
// scheduler and orchestrators. What Docker puts around that node is here, with Docker's
// behaviour and words: the states of a node, who may be asked what, and the API that
// Docker's own router/swarm serves, answered by the node's control socket and brought
// into Docker's form by Docker's own converters.
//
// What differs from Docker is only what makes a lab quick, see tune.go, and that no
// node listens or dials by itself, see package wire.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/registry"
	types "github.com/docker/docker/api/types/swarm"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/wire"
)

// Config is what a membership is made of.
type Config struct {
	Hostname string
	Address  string            // the host's, an IP
	Links    map[string]string // further names of it: network interfaces and their addresses
	Dir      string            // SwarmKit's state folder of this host
	Wire     *wire.Wire
	Filter   func(from string) wire.Verdict // who may reach its manager; nil admits all
	Executor exec.Executor                  // runs tasks
	Engine   Engine
	Logger   *logrus.Entry // nil: the process's
}

// Engine is what a membership asks of the engine it belongs to. Every field may be nil.
type Engine struct {
	// Digest asks the image's registry, as far as there is one, what a tag is now.
	Digest func(ctx context.Context, image reference.NamedTagged, auth registry.AuthConfig) (digest.Digest, error)
	// Network finds a network of this engine alone, by name or ID, and returns its name.
	Network func(nameOrID string) (name string, ok bool)
	// Event is told what changes in the swarm. It does not wait.
	Event func(events.Message)
	// Left is called after the host left its swarm: what containers of it are still
	// there, by the node's ID, are to be removed.
	Left func(nodeID string)
}

const (
	// How long Docker waits: for a join, and for the answer to a request.
	joinTimeout    = 20 * time.Second
	requestTimeout = 20 * time.Second
	// For the numbers of managers, where they only make a warning better.
	statsTimeout = 5 * time.Second
	// How long a node may take to stop.
	stopTimeout = 15 * time.Second
)

// Cluster is a host's membership, that it may not have yet: the Backend of Docker's
// router/swarm, and what of its router/system and networks belongs to a swarm. Its
// methods may be called at once.
type Cluster struct {
	cfg  Config
	host *wire.Host

	changing sync.Mutex // held for the whole of init, join, leave, unlock

	mu     sync.RWMutex
	member *member // nil outside a swarm
	off    bool    // Kill was called
}

// New returns the membership that the state folder has: none, or one that goes on from
// where it was. It does not wait until the swarm answers: see [Cluster.Wait].
func New(cfg Config) (*Cluster, error) {
	if cfg.Logger == nil {
		cfg.Logger = logrus.NewEntry(logrus.StandardLogger())
	}
	cfg.Logger = cfg.Logger.WithField("host", cfg.Hostname)
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	start, err := load(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	host, err := cfg.Wire.Attach(cfg.Address)
	if err != nil {
		return nil, err
	}
	host.Filter(cfg.Filter)
	c := &Cluster{cfg: cfg, host: host}
	if start == nil {
		return c, nil
	}
	if c.member, err = c.start(*start, true); err != nil {
		host.Detach()
		return nil, fmt.Errorf("swarm of host %s: %w", cfg.Hostname, err)
	}
	return c, nil
}

// Wait waits until this host takes part in its swarm, and returns at once outside one.
// The error of a host that cannot, or not without its key, is that of its node.
func (c *Cluster) Wait(ctx context.Context) error {
	m := c.current()
	if m == nil {
		return nil
	}
	return m.wait(ctx)
}

// Kill ends the membership as a power cut does: the other hosts hear nothing, and New
// finds everything as it was.
func (c *Cluster) Kill() {
	c.host.Detach()
	c.mu.Lock()
	c.off = true
	m := c.member
	c.member = nil
	c.mu.Unlock()
	if m != nil {
		m.kill()
	}
}

func (c *Cluster) current() *member {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.member
}

// set changes the membership. Without power there is none to begin.
func (c *Cluster) set(m *member) error {
	c.mu.Lock()
	off := c.off
	if !off {
		c.member = m
	}
	c.mu.Unlock()
	if off && m != nil {
		m.kill()
	}
	if off {
		return errOff
	}
	return nil
}

// state is how the node is now.
func (c *Cluster) state() state {
	m := c.current()
	if m == nil {
		return state{local: types.LocalNodeStateInactive}
	}
	return m.now()
}

// manage answers a request on a manager, within Docker's time limit. Elsewhere it is
// an error that says why.
func (c *Cluster) manage(fn func(context.Context, state) error) error {
	s := c.state()
	if s.control == nil {
		return s.noManager()
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	return fn(ctx, s)
}

// ask is manage for a request that has an answer.
func ask[T any](c *Cluster, fn func(context.Context, state) (T, error)) (T, error) {
	var answer T
	err := c.manage(func(ctx context.Context, s state) (err error) {
		answer, err = fn(ctx, s)
		return err
	})
	return answer, err
}

// IsManager tells whether this node manages the swarm and answers.
func (c *Cluster) IsManager() bool { return c.state().control != nil }
