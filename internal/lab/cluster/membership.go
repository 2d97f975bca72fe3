//lint:file-ignore ST1005 these words are Docker's

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/node"
)

// Init makes a swarm of which this host is the first manager, and returns its node's ID.
func (c *Cluster) Init(req types.InitRequest) (string, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if m := c.current(); m != nil {
		if !req.ForceNewCluster {
			return "", errSwarmExists
		}
		if !m.now().isManager() {
			return "", errWorker
		}
		if err := m.stop(); err != nil {
			return "", err
		}
	}
	s, err := c.initStart(&req)
	if err != nil {
		return "", err
	}
	m, err := c.start(s, false)
	if err != nil {
		return "", err
	}
	if err := c.set(m); err != nil {
		return "", err
	}
	if err := m.wait(m.ctx); err != nil {
		return "", c.failed(m, err, !req.ForceNewCluster) // by force, what is there is a swarm's state
	}
	now := m.now()
	if now.node == nil {
		return "", errors.New("invalid cluster state for spec initialization")
	}
	time.Sleep(firstHeartbeat)
	if err := initSpec(now.node, req.Spec); err != nil {
		return "", err
	}
	return now.nodeID(), m.begun()
}

// failed ends a membership that did not begin, and forgets it.
func (c *Cluster) failed(m *member, err error, forget bool) error {
	m.kill()
	if err := c.set(nil); err != nil {
		return err // and the state is as the power cut left it
	}
	if forget {
		return errors.Join(err, clearState(c.cfg.Dir))
	}
	return err
}

// initStart checks a request and tells how to start its node.
func (c *Cluster) initStart(req *types.InitRequest) (start, error) {
	listen, err := tcpAddress(req.ListenAddr)
	if err != nil {
		return start{}, errdefs.InvalidParameter(fmt.Errorf("invalid ListenAddr %q: %v", req.ListenAddr, err))
	}
	if err := nameSpec(&req.Spec); err != nil {
		return start{}, err
	}
	ip, port, err := c.listenAddress(listen)
	if err != nil {
		return start{}, err
	}
	advertise, err := c.advertiseAddress(req.AdvertiseAddr, port)
	if err != nil {
		return start{}, err
	}
	dataPath, err := c.dataPathAddress(req.DataPathAddr)
	if err != nil {
		return start{}, err
	}
	pools, err := addressPools(req.DefaultAddrPool, req.SubnetSize)
	if err != nil {
		return start{}, err
	}
	dataPort, err := dataPathPort(req.DataPathPort)
	if err != nil {
		return start{}, err
	}
	return start{
		ListenAddr: net.JoinHostPort(ip, port), AdvertiseAddr: advertise,
		DataPathAddr: dataPath, DataPathPort: dataPort, DefaultAddressPool: pools, SubnetSize: req.SubnetSize,
		InitInProgress:  !req.ForceNewCluster,
		forceNewCluster: req.ForceNewCluster, autolock: req.AutoLockManagers, availability: req.Availability,
	}, nil
}

// nameSpec gives a swarm its name: there is only one.
func nameSpec(s *types.Spec) error {
	switch s.Annotations.Name {
	case "":
		s.Annotations.Name = "default"
	case "default":
	default:
		return errdefs.InvalidParameter(errors.New(`swarm spec must be named "default"`))
	}
	return nil
}

// initSpec gives a new swarm the spec that was asked for; what it leaves out is as
// SwarmKit made it.
func initSpec(n *node.Node, spec types.Spec) error {
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	control, err := control(ctx, n)
	if err != nil {
		return err
	}
	swarm, err := newSwarm(ctx, control)
	if err != nil {
		return err
	}
	if spec.Dispatcher.HeartbeatPeriod == 0 {
		spec.Dispatcher.HeartbeatPeriod = dockerHeartbeat
	}
	merged, err := convert.MergeSwarmSpecToGRPC(stored(spec), swarm.Spec)
	if err == nil {
		_, err = control.UpdateCluster(ctx, &api.UpdateClusterRequest{
			ClusterID: swarm.ID, ClusterVersion: &swarm.Meta.Version, Spec: &merged,
		})
	}
	if err != nil {
		return fmt.Errorf("error updating cluster settings: %v", err)
	}
	return nil
}

// control waits until a node answers as a manager.
func control(ctx context.Context, n *node.Node) (api.ControlClient, error) {
	conns := n.ListenControlSocket(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case conn := <-conns:
			if conn != nil {
				return api.NewControlClient(conn), nil
			}
		}
	}
}

// newSwarm waits for the object of a swarm that has just been made.
func newSwarm(ctx context.Context, control api.ControlClient) (*api.Cluster, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := control.ListClusters(ctx, &api.ListClustersRequest{})
		if err != nil {
			return nil, fmt.Errorf("error on listing clusters: %v", err)
		}
		if len(list.Clusters) > 0 {
			return list.Clusters[0], nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("empty list of clusters was returned")
		case <-tick.C:
		}
	}
}

// Join makes this host part of a swarm. The token says in which role.
func (c *Cluster) Join(req types.JoinRequest) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	if c.current() != nil {
		return errSwarmExists
	}
	s, err := c.joinStart(req)
	if err != nil {
		return err
	}
	if !c.host.Answers(s.joinAddr) {
		return errdefs.Unavailable(fmt.Errorf("rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp %s: connect: connection refused\"", s.joinAddr))
	}
	m, err := c.start(s, false)
	if err != nil {
		return err
	}
	if err := c.set(m); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(m.ctx, joinTimeout)
	defer cancel()
	err = m.wait(ctx)
	switch {
	case err == nil:
		return nil
	case m.ctx.Err() != nil:
		return errOff
	case ctx.Err() != nil:
		return errJoinTimeout
	}
	return c.failed(m, err, true)
}

// joinStart checks a request and tells how to start its node.
func (c *Cluster) joinStart(req types.JoinRequest) (start, error) {
	listen, err := tcpAddress(req.ListenAddr)
	if err != nil {
		return start{}, errdefs.InvalidParameter(fmt.Errorf("invalid ListenAddr %q: %v", req.ListenAddr, err))
	}
	if len(req.RemoteAddrs) == 0 {
		return start{}, errdefs.InvalidParameter(errors.New("at least 1 RemoteAddr is required to join"))
	}
	remotes := make([]string, len(req.RemoteAddrs))
	for i, addr := range req.RemoteAddrs {
		if remotes[i], err = tcpAddress(addr); err != nil {
			return start{}, errdefs.InvalidParameter(fmt.Errorf("invalid remoteAddr %q: %v", addr, err))
		}
	}
	ip, port, err := c.listenAddress(listen)
	if err != nil {
		return start{}, err
	}
	advertise, err := c.advertiseAddress(req.AdvertiseAddr, port)
	if err != nil { // Docker lets the manager find out then; here it is known
		advertise = net.JoinHostPort(c.cfg.Address, port)
	}
	dataPath, err := c.dataPathAddress(req.DataPathAddr)
	if err != nil {
		return start{}, err
	}
	return start{
		RemoteAddr: remotes[0], ListenAddr: net.JoinHostPort(ip, port), AdvertiseAddr: advertise, DataPathAddr: dataPath,
		joinAddr: remotes[0], joinToken: req.JoinToken, availability: req.Availability,
	}, nil
}

// Leave ends the membership and forgets it. A manager must be forced.
func (c *Cluster) Leave(ctx context.Context, force bool) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	m := c.current()
	if m == nil {
		return errNoSwarm
	}
	s := m.now()
	if !force {
		if errors.Is(s.err, errLocked) {
			return errLeaveLocked
		}
		if s.isManager() {
			return s.leaveWarning()
		}
	}
	if err := m.stop(); err != nil {
		return err
	}
	if err := c.set(nil); err != nil {
		return err
	}
	if id := s.nodeID(); id != "" && c.cfg.Engine.Left != nil {
		c.cfg.Engine.Left(id)
	}
	return clearState(c.cfg.Dir)
}

// leaveWarning is what a manager that wants to leave is told.
func (s state) leaveWarning() error {
	const (
		about = "You are attempting to leave the swarm on a node that is participating as a manager. "
		last  = "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
		reset = "The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message."
	)
	if s.control == nil {
		return errdefs.Unavailable(errors.New(about + "Doing so may lose the consensus of your cluster. " + reset))
	}
	consequence := ""
	isOne, reachable, unreachable, err := s.managers()
	if err == nil && isOne && reachable-2 <= unreachable {
		if reachable == 1 && unreachable == 0 {
			return errdefs.Unavailable(errors.New(about + last))
		}
		consequence = fmt.Sprintf("Removing this node leaves %v managers out of %v. Without a Raft quorum your swarm will be inaccessible. ", reachable-1, reachable+unreachable)
	}
	return errdefs.Unavailable(errors.New(about + consequence + reset))
}

// managers counts the swarm's managers, and tells whether this node is a reachable one.
func (s state) managers() (isOne bool, reachable, unreachable int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	list, err := s.control.ListNodes(ctx, &api.ListNodesRequest{}, anySize)
	if err != nil {
		return false, 0, 0, err
	}
	for _, n := range list.Nodes {
		if n.ManagerStatus == nil {
			continue
		}
		switch n.ManagerStatus.Reachability {
		case api.RaftMemberStatus_REACHABLE:
			reachable++
			isOne = isOne || n.ID == s.nodeID()
		case api.RaftMemberStatus_UNREACHABLE:
			unreachable++
		}
	}
	return isOne, reachable, unreachable, nil
}
