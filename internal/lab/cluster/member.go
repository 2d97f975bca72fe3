package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/log"
	"github.com/moby/swarmkit/v2/manager/allocator/networkallocator"
	"github.com/moby/swarmkit/v2/node"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// member keeps a SwarmKit node running: one that ends by itself after it took part in
// the swarm once, or was killed while it joined, is started again, after a while that
// doubles each time.
type member struct {
	cluster *Cluster
	ctx     context.Context // ends when the member does
	cancel  context.CancelFunc

	mu       sync.Mutex
	start    start
	node     *node.Node       // nil between two runs
	conn     *grpc.ClientConn // to its control socket, while it is a manager that answers
	err      error            // of its last run
	ready    chan struct{}    // closed when this run takes part in the swarm
	done     chan struct{}    // closed when this run has ended
	retry    time.Duration
	runs     int
	retrying bool
	stopping bool
	resumed  bool // its first run already went on from what was there
	running  sync.WaitGroup
}

// state is how a node is at a moment.
type state struct {
	local   types.LocalNodeState
	node    *node.Node
	conn    *grpc.ClientConn
	control api.ControlClient // nil unless this node is a manager that answers
	err     error
}

// isManager tells whether the node has the role, even if it does not answer.
func (s state) isManager() bool { return s.node != nil && s.node.Manager() != nil }

func (s state) nodeID() string {
	if s.node == nil {
		return ""
	}
	return s.node.NodeID()
}

// noManager is why a node cannot be asked about its swarm.
func (s state) noManager() error {
	switch {
	case s.node == nil && errors.Is(s.err, errLocked):
		return errLocked
	case s.node == nil:
		return errNoManager
	case s.node.Manager() != nil:
		return errManagerPreparing
	default:
		return errWorker
	}
}

// start starts a member. It takes part in the swarm when its ready is closed.
func (c *Cluster) start(s start, resumed bool) (*member, error) {
	ctx, cancel := context.WithCancel(log.WithLogger(context.Background(), c.cfg.Logger))
	m := &member{cluster: c, ctx: ctx, cancel: cancel, retry: firstRetry, resumed: resumed}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.run(s); err != nil {
		cancel()
		return nil, err
	}
	return m, nil
}

// run starts a node. Call it with the lock.
func (m *member) run(s start) error {
	cfg, err := m.config(s)
	if err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	m.cluster.host.Runs(n.NodeID)
	if err := n.Start(m.ctx); err != nil {
		return err
	}
	m.node, m.ready, m.done = n, make(chan struct{}), make(chan struct{})
	if s.joinAddr != "" {
		s.JoinInProgress = true
	}
	m.start = s
	if err := s.save(m.cluster.cfg.Dir); err != nil {
		log.G(m.ctx).WithError(err).Error("the membership could not be written down")
	}

	ctx, ended := context.WithCancel(m.ctx)
	ready := m.ready
	m.running.Add(3)
	go func() {
		defer m.running.Done()
		defer ended()
		m.ended(n)
	}()
	go func() {
		defer m.running.Done()
		m.watchReady(ctx, n, ready)
	}()
	go func() {
		defer m.running.Done()
		m.watchControl(ctx, n)
	}()
	return nil
}

// config is what SwarmKit is told.
func (m *member) config(s start) (*node.Config, error) {
	c := m.cluster
	listen, err := c.host.Listen(s.port())
	if err != nil {
		return nil, err
	}
	joinAddr := s.joinAddr
	if joinAddr == "" && s.JoinInProgress && !hasRaft(c.cfg.Dir) {
		joinAddr = s.RemoteAddr // it was killed while it joined
	}
	if joinAddr != "" {
		joinAddr = c.host.Target(joinAddr)
	}
	availability := api.NodeAvailabilityActive
	if s.availability != "" {
		a, ok := api.NodeSpec_Availability_value[strings.ToUpper(string(s.availability))]
		if !ok {
			return nil, fmt.Errorf("invalid Availability: %q", s.availability)
		}
		availability = api.NodeSpec_Availability(a)
	}
	return &node.Config{
		Hostname:           c.cfg.Hostname,
		ForceNewCluster:    s.forceNewCluster,
		ListenControlAPI:   controlSocket(c.cfg.Dir),
		ListenRemoteAPI:    listen,
		AdvertiseRemoteAPI: s.AdvertiseAddr,
		NetworkConfig: &networkallocator.Config{
			DefaultAddrPool: s.DefaultAddressPool, SubnetSize: s.SubnetSize, VXLANUDPPort: s.DataPathPort,
		},
		JoinAddr:         joinAddr,
		StateDir:         c.cfg.Dir,
		JoinToken:        s.joinToken,
		Executor:         withAddress(c.cfg.Executor, c.cfg.Address),
		HeartbeatTick:    dockerHeartbeatTick,
		ElectionTick:     labElectionTick,
		UnlockKey:        s.lockKey,
		AutoLockManagers: s.autolock,
		Availability:     availability,
		PluginGetter:     convert.SwarmPluginGetter(noPlugins{}),
		NetworkProvider:  newPools(),
	}, nil
}

// watchReady waits until the node takes part in the swarm.
func (m *member) watchReady(ctx context.Context, n *node.Node, ready chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-n.Ready():
	}
	m.mu.Lock()
	joining := m.start.JoinInProgress
	m.mu.Unlock()
	if joining {
		awaitLog(ctx, n)
	}
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = nil
	if m.start.JoinInProgress {
		m.start.JoinInProgress = false
		if err := m.start.save(m.cluster.cfg.Dir); err != nil {
			log.G(ctx).WithError(err).Error("the membership could not be written down")
		}
	}
	close(ready)
}

// begun writes down that the swarm which this node has begun is as it was asked for.
func (m *member) begun() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.start.InitInProgress = false
	return m.start.save(m.cluster.cfg.Dir)
}

// awaitLog waits until a new manager has the swarm's log, which comes with the leader's
// next heartbeat. Before, it knows no other manager: it could answer nothing, and after
// a power cut it would wait for ever to be told.
func awaitLog(ctx context.Context, n *node.Node) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n.Manager() != nil {
		if others, err := n.IsStateDirty(); others && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchControl follows the node's control socket, which it has while it is a manager.
func (m *member) watchControl(ctx context.Context, n *node.Node) {
	conns := n.ListenControlSocket(ctx)
	unwatch := func() {}
	defer func() { unwatch() }()
	for {
		var conn *grpc.ClientConn
		select {
		case <-ctx.Done(): // the channel may miss it
			return
		case conn = <-conns:
		}
		m.mu.Lock()
		changed := m.conn != conn
		m.conn = conn
		m.mu.Unlock()
		if changed {
			unwatch()
			unwatch = m.watchStore(ctx, conn)
		}
	}
}

// watchStore follows what changes in the swarm, until the function it returns is called.
func (m *member) watchStore(ctx context.Context, conn *grpc.ClientConn) func() {
	if conn == nil || m.cluster.cfg.Engine.Event == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	m.running.Add(1)
	go func() {
		defer m.running.Done()
		m.cluster.watchEvents(ctx, conn)
	}()
	return cancel
}

// ended waits for the end of a run, and sees to the next.
func (m *member) ended(n *node.Node) {
	err := n.Err(context.Background())
	if errors.Is(err, node.ErrInvalidUnlockKey) {
		err = errLocked
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && m.ctx.Err() == nil {
		log.G(m.ctx).WithError(err).Error("the swarm node ended")
	}
	m.node, m.conn, m.err = nil, nil, err
	m.runs++
	close(m.done)
	took := isClosed(m.ready)
	if took {
		// It was a member. The manager it joined through may be one no more: its
		// certificate and the managers it knows are enough.
		m.start.joinAddr = ""
	}
	if m.stopping || m.ctx.Err() != nil || errors.Is(err, errLocked) {
		return
	}
	if took || m.runs > 1 || m.resumed {
		m.again()
	}
}

// again starts the next run after a while. Call it with the lock.
func (m *member) again() {
	m.retry = min(2*m.retry, lastRetry)
	m.retrying = true
	wait := time.NewTimer(m.retry)
	m.running.Add(1)
	go func() {
		defer m.running.Done()
		defer wait.Stop()
		select {
		case <-m.ctx.Done():
			return
		case <-wait.C:
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.stopping || m.ctx.Err() != nil {
			return
		}
		m.retrying = false
		if err := m.run(m.start); err != nil {
			m.err = err
		}
	}()
}

// wait waits until the member takes part in the swarm, or its first run has failed.
func (m *member) wait(ctx context.Context) error {
	m.mu.Lock()
	ready, done := m.ready, m.done
	m.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ready:
		return nil
	case <-done:
	}
	if isClosed(ready) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		return errors.New("the swarm node ended")
	}
	return m.err
}

// stop lets the node leave in order: its tasks are removed.
func (m *member) stop() error {
	m.mu.Lock()
	m.stopping = true
	n := m.node
	m.mu.Unlock()
	if n != nil {
		ctx, cancel := context.WithTimeout(m.ctx, stopTimeout)
		defer cancel()
		if err := n.Stop(ctx); err != nil && !strings.Contains(err.Error(), "context canceled") {
			return err
		}
	}
	m.cancel()
	m.settle()
	return nil
}

// kill ends the node where it stands.
func (m *member) kill() {
	m.mu.Lock()
	m.stopping = true
	m.mu.Unlock()
	m.cancel()
	m.settle()
}

// settle waits until nothing of the node runs. A manager of a big swarm may not end:
// SwarmKit's dispatcher sometimes waits for answers to calls that nobody makes any more
// ((*Dispatcher).Stop), which is not to keep a host, or the lab, from ending.
func (m *member) settle() {
	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
		logrus.Warnf("the swarm node of %s did not end in %s, and is left to itself", m.cluster.cfg.Hostname, stopTimeout)
	}
}

// now is the member's state.
func (m *member) now() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := state{node: m.node, conn: m.conn, err: m.err}
	if m.conn != nil {
		s.control = api.NewControlClient(m.conn)
	}
	switch {
	case errors.Is(m.err, errLocked):
		s.local = types.LocalNodeStateLocked
	case m.err != nil || m.retrying:
		s.local = types.LocalNodeStateError
	case isClosed(m.ready):
		s.local = types.LocalNodeStateActive
	default:
		s.local = types.LocalNodeStatePending
	}
	return s
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
