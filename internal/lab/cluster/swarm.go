package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/encryption"
)

const twoManagers = `WARNING: Running Swarm in a two-manager configuration. This configuration provides
         no fault tolerance, and poses a high risk to lose control over the cluster.
         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the
         Swarm for fault-tolerance.`

// swarm is the swarm's own object.
func (s state) swarm(ctx context.Context) (*api.Cluster, error) {
	list, err := s.control.ListClusters(ctx, &api.ListClustersRequest{})
	if err != nil {
		return nil, err
	}
	if len(list.Clusters) == 0 {
		return nil, errNoSwarm
	}
	return list.Clusters[0], nil
}

func (s state) inspect(ctx context.Context) (types.Swarm, error) {
	cluster, err := s.swarm(ctx)
	if err != nil {
		return types.Swarm{}, err
	}
	swarm := convert.SwarmFromGRPC(*cluster)
	swarm.Spec = shown(swarm.Spec)
	return swarm, nil
}

// Inspect returns the swarm's settings and tokens.
func (c *Cluster) Inspect() (types.Swarm, error) {
	return ask(c, func(ctx context.Context, s state) (types.Swarm, error) { return s.inspect(ctx) })
}

// Update changes the swarm's spec, and rotates what the flags say.
func (c *Cluster) Update(version uint64, spec types.Spec, flags types.UpdateFlags) error {
	return c.manage(func(ctx context.Context, s state) error {
		swarm, err := s.swarm(ctx)
		if err != nil {
			return err
		}
		if err := nameSpec(&spec); err != nil {
			return err
		}
		converted, err := convert.SwarmSpecToGRPC(stored(spec))
		if err != nil {
			return errdefs.InvalidParameter(err)
		}
		_, err = s.control.UpdateCluster(ctx, &api.UpdateClusterRequest{
			ClusterID: swarm.ID, ClusterVersion: &api.Version{Index: version}, Spec: &converted,
			Rotation: api.KeyRotation{
				WorkerJoinToken: flags.RotateWorkerToken, ManagerJoinToken: flags.RotateManagerToken,
				ManagerUnlockKey: flags.RotateManagerUnlockKey,
			},
		})
		return err
	})
}

// GetUnlockKey returns the key of a swarm with autolock, "" without.
func (c *Cluster) GetUnlockKey() (string, error) {
	return ask(c, func(ctx context.Context, s state) (string, error) {
		r, err := api.NewCAClient(s.conn).GetUnlockKey(ctx, &api.GetUnlockKeyRequest{})
		if err != nil || len(r.UnlockKey) == 0 {
			return "", err
		}
		return encryption.HumanReadableKey(r.UnlockKey), nil
	})
}

// UnlockSwarm starts a manager that waits for its key.
func (c *Cluster) UnlockSwarm(req types.UnlockRequest) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	s := c.state()
	if s.control != nil {
		return errNotLocked
	}
	if err := s.noManager(); !errors.Is(err, errLocked) {
		return err
	}
	key, err := encryption.ParseHumanReadableKey(req.UnlockKey)
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	locked := c.current()
	locked.mu.Lock()
	from := locked.start
	locked.mu.Unlock()
	from.lockKey = key
	if err := locked.stop(); err != nil {
		return err
	}
	m, err := c.start(from, false)
	if err != nil {
		return err
	}
	if err := c.set(m); err != nil {
		return err
	}
	err = m.wait(m.ctx)
	switch {
	case errors.Is(err, errLocked):
		return errInvalidKey
	case err != nil:
		return fmt.Errorf("swarm component could not be started: %v", err)
	}
	return nil
}

// Info is the swarm's part of an engine's info.
func (c *Cluster) Info(ctx context.Context) types.Info {
	s := c.state()
	info := types.Info{LocalNodeState: s.local, NodeAddr: c.nodeAddr()}
	if s.err != nil {
		info.Error = s.err.Error()
	}
	if s.control != nil {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		s.manageInfo(ctx, &info)
	}
	if s.node != nil {
		info.NodeID = s.node.NodeID()
		for _, r := range s.node.Remotes() {
			if !strings.Contains(r.Addr, "://") { // what it joined through, until it knows the managers
				info.RemoteManagers = append(info.RemoteManagers, types.Peer{NodeID: r.NodeID, Addr: r.Addr})
			}
		}
	}
	return info
}

// manageInfo adds what a manager knows.
func (s state) manageInfo(ctx context.Context, info *types.Info) {
	info.ControlAvailable = true
	swarm, err := s.inspect(ctx)
	if err != nil {
		info.Error = err.Error()
	}
	info.Cluster = &swarm.ClusterInfo
	list, err := s.control.ListNodes(ctx, &api.ListNodesRequest{}, anySize)
	if err != nil {
		info.Error = err.Error()
		return
	}
	info.Nodes = len(list.Nodes)
	for _, n := range list.Nodes {
		if n.ManagerStatus != nil {
			info.Managers++
		}
	}
	if info.Managers == 2 && (s.local == types.LocalNodeStateActive || s.local == types.LocalNodeStatePending) {
		info.Warnings = append(info.Warnings, twoManagers)
	}
}

// nodeAddr is the IP that this host tells other hosts, "" outside a swarm.
func (c *Cluster) nodeAddr() string {
	m := c.current()
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	host, _, err := net.SplitHostPort(m.start.AdvertiseAddr)
	if err != nil {
		return c.cfg.Address
	}
	return host
}

// Status is the state and role in a word, "active/manager".
func (c *Cluster) Status() string {
	s := c.state()
	if s.local != types.LocalNodeStateActive {
		return string(s.local)
	}
	if s.control != nil || s.isManager() {
		return string(s.local) + "/manager"
	}
	return string(s.local) + "/worker"
}
