// Package engine is one Docker Engine whose containers are simulated.
//
// All that surrounds a container is kept as Docker keeps it: its configuration,
// names, networks with their addresses, volumes, images, published ports, events,
// logs, restart policy and health. The API is served by Docker's own routers
// where they build on all systems, so requests, versions, status codes and
// errors are Docker's. What is simulated is the process inside of a container: it
// runs until it is told to stop, unless its command is one that ends by itself
// (sleep 3, true, exit 1), or a [Fault] or a label lab.* says what becomes of it.
// What cannot be simulated (exec, attach, stats, copying files) says so.
//
// One lock guards an engine. A container has no goroutine: what happens later
// (an exit, a health check, a restart) is a timer, so that a thousand idle ones
// cost only memory. Every change is written to the store before it is told to
// anybody, so an engine opened again has what it had.
package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/server/router"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stringid"
	"github.com/google/uuid"

	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// Config says what an engine is.
type Config struct {
	Hostname, Address string
	Version           string         // "28.5.2", "20.10.24+dfsg1": the API's version follows
	OS                string         // "Debian GNU/Linux 12 (bookworm)"
	NanoCPUs, Memory  int64          // of the host
	Store             *store.Bucket  // nil keeps nothing
	Daemon            map[string]any // daemon.json
	// Live says that the host was up all the time: containers that ran run on. Without it they ended with the host,
	// and start again as their restart policy says.
	Live bool
	// Publish, where given, makes a published port listen on the host. The function it returns ends that.
	Publish func(Published) (release func(), err error)
	// Exists, where given, says whether the host has a path: the source of a bind mount must be there.
	Exists func(path string) bool
}

// Published is a port of the host that leads to a container.
type Published struct {
	HostIP    string
	HostPort  int
	Protocol  string // "tcp", "udp", "sctp"
	Container string // its ID
	IP        string // its address
	Port      int
}

// Engine is a Docker Engine. Its methods may be called at once.
type Engine struct {
	cfg    Config
	daemon daemonConfig
	id     string
	api    string // the newest API version it speaks
	routes []router.Route
	ctx    context.Context
	cancel context.CancelFunc
	bus    bus
	swarm  Swarm

	mu         sync.Mutex
	closed     bool
	containers map[string]*container
	names      map[string]string // "/web": the ID of the container
	images     imageStore
	networks   map[string]*network
	pools      *pools
	volumes    map[string]*volume
	ports      ports
	faults     []Fault
	node       nodeState
	pid        int
}

// New opens an engine with what its store has.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	daemon, err := parseDaemon(cfg.Daemon)
	if err != nil {
		return nil, err
	}
	api, err := apiVersion(cfg.Version)
	if err != nil {
		return nil, err
	}
	pools, err := newPools(daemon)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, daemon: daemon, api: api, pools: pools, pid: 1000, swarm: alone{},
		containers: map[string]*container{}, names: map[string]string{}, images: newImageStore(),
		networks: map[string]*network{}, volumes: map[string]*volume{}, ports: ports{},
		node: newNodeState(),
	}
	e.ctx, e.cancel = context.WithCancel(ctx)
	if err := e.load(); err != nil {
		e.cancel()
		return nil, fmt.Errorf("docker engine of %s: %w", cfg.Hostname, err)
	}
	return e, nil
}

// Use sets the host's membership in a swarm. It is called before Handler.
func (e *Engine) Use(s Swarm) { e.swarm = s }

// ID is the engine's own, as `docker info` shows it.
func (e *Engine) ID() string { return e.id }

// Close ends the engine as a power cut does: nothing more is written, and what
// ran is as it was when the store is opened again.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	e.cancel()
	for _, c := range e.containers {
		c.disarm()
		e.unpublish(c)
	}
}

// Shutdown ends the engine as `systemctl stop docker` does: containers are
// stopped, unless daemon.json has live-restore.
func (e *Engine) Shutdown() {
	e.mu.Lock()
	for _, c := range e.sorted() {
		if c.State.Running && !e.daemon.LiveRestore {
			c.policyEnds = true
			e.exit(c, e.termination(c, stopSignal(c)))
		}
	}
	e.mu.Unlock()
	e.Close()
}

// load brings back what the store has, in the order in which one needs another.
func (e *Engine) load() error {
	if e.id = string(e.get("engine", "id")); e.id == "" {
		e.id = uuid.NewString()
		e.putRaw("engine", "id", []byte(e.id))
	}
	if err := e.loadImages(); err != nil {
		return err
	}
	if err := e.loadNetworks(); err != nil {
		return err
	}
	if err := each(e, "volumes", func(v *volume) { e.volumes[v.Name] = v }); err != nil {
		return err
	}
	if err := each(e, "containers", func(c *container) {
		c.changed = make(chan struct{})
		e.containers[c.ID], e.names[c.Name] = c, c.ID
		e.pid = max(e.pid, c.State.Pid)
	}); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.sorted() {
		e.revive(c)
	}
	return nil
}

// each decodes all of a bucket.
func each[T any](e *Engine, bucket string, add func(*T)) error {
	if e.cfg.Store == nil {
		return nil
	}
	return e.cfg.Store.In(bucket).All(func(key string, value []byte) error {
		v := new(T)
		if err := json.Unmarshal(value, v); err != nil {
			return fmt.Errorf("%s %s: %w", bucket, key, err)
		}
		add(v)
		return nil
	})
}

// put writes a value, or removes its key where it is nil. A write that fails is
// one of a store that was closed under the engine, as in a power cut.
func (e *Engine) put(bucket, key string, v any) {
	if e.cfg.Store == nil || e.closed {
		return
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("lab engine: %s %s cannot be kept: %v", bucket, key, err)) // our own types always can
	}
	e.putRaw(bucket, key, raw)
}

func (e *Engine) putRaw(bucket, key string, raw []byte) {
	if e.cfg.Store != nil && !e.closed {
		_ = e.cfg.Store.In(bucket).Put(key, raw)
	}
}

func (e *Engine) drop(bucket, key string) {
	if e.cfg.Store != nil && !e.closed {
		_ = e.cfg.Store.In(bucket).Delete(key)
	}
}

func (e *Engine) get(bucket, key string) []byte {
	if e.cfg.Store == nil {
		return nil
	}
	return e.cfg.Store.In(bucket).Get(key)
}

// after calls a function, under the lock, unless the engine ended before.
func (e *Engine) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.closed {
			f()
		}
	})
}

func newID() string { return stringid.GenerateRandomID() }

// restartPolicyOf is what a container without one has.
func restartPolicyOf(h *containertypes.HostConfig) containertypes.RestartPolicy {
	if h.RestartPolicy.Name == "" {
		return containertypes.RestartPolicy{Name: containertypes.RestartPolicyDisabled}
	}
	return h.RestartPolicy
}
