package engine

import (
	"context"

	"github.com/docker/docker/api/types/filters"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	volumetypes "github.com/docker/docker/api/types/volume"

	swarmrouter "github.com/docker/docker/api/server/router/swarm"
)

// Swarm is what the engine asks of its host's membership in a swarm.
type Swarm interface {
	swarmrouter.Backend
	Membership
}

// Membership is the part of a swarm that engines show of their own accord.
type Membership interface {
	Info(context.Context) swarm.Info
	Status() string // the header of /_ping: "inactive", "active/manager"
	IsManager() bool

	GetNetworks(filters.Args) ([]networktypes.Inspect, error)
	GetNetwork(name string) (networktypes.Inspect, error)
	GetNetworksByName(name string) ([]networktypes.Inspect, error)
	CreateNetwork(networktypes.CreateRequest) (string, error)
	RemoveNetwork(name string) error

	GetVolume(nameOrID string) (volumetypes.Volume, error)
	GetVolumes(volumetypes.ListOptions) ([]*volumetypes.Volume, error)
	CreateVolume(volumetypes.CreateOptions) (*volumetypes.Volume, error)
	RemoveVolume(nameOrID string, force bool) error
	UpdateVolume(nameOrID string, version uint64, volume volumetypes.UpdateOptions) error
}

// alone is an engine without a swarm's machinery. Its swarm routes are not served.
type alone struct{ swarmrouter.Backend }

var errNoSwarm = unavailable(`This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`)

func (alone) Info(context.Context) swarm.Info {
	return swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}
}
func (alone) Status() string  { return "inactive" }
func (alone) IsManager() bool { return false }

func (alone) GetNetworks(filters.Args) ([]networktypes.Inspect, error) { return nil, errNoSwarm }
func (alone) GetNetwork(string) (networktypes.Inspect, error) {
	return networktypes.Inspect{}, errNoSwarm
}
func (alone) GetNetworksByName(string) ([]networktypes.Inspect, error) { return nil, errNoSwarm }
func (alone) CreateNetwork(networktypes.CreateRequest) (string, error) { return "", errNoSwarm }
func (alone) RemoveNetwork(string) error                               { return errNoSwarm }

func (alone) GetVolume(string) (volumetypes.Volume, error) { return volumetypes.Volume{}, errNoSwarm }
func (alone) GetVolumes(volumetypes.ListOptions) ([]*volumetypes.Volume, error) {
	return nil, errNoSwarm
}
func (alone) CreateVolume(volumetypes.CreateOptions) (*volumetypes.Volume, error) {
	return nil, errNoSwarm
}
func (alone) RemoveVolume(string, bool) error                              { return errNoSwarm }
func (alone) UpdateVolume(string, uint64, volumetypes.UpdateOptions) error { return errNoSwarm }
