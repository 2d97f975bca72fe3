package swarm

import (
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// lists is what one observation of a swarm read.
type lists struct {
	Services []swarm.Service
	Networks []network.Summary
	Secrets  []swarm.Secret
	Configs  []swarm.Config
	Nodes    []swarm.Node
	API      string
}
