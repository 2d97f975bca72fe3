package cluster

import (
	"github.com/docker/docker/libnetwork/cnmallocator"
	"github.com/moby/swarmkit/v2/manager/allocator/networkallocator"
)

// pools allocates the addresses of a swarm's networks. Docker's own defaults are one list
// of the process, which each new leader writes to while others may read it: a leader of
// the lab gets one of its own, that says the same.
type pools struct{ *cnmallocator.Provider }

func newPools() pools { return pools{cnmallocator.NewProvider(noPlugins{})} }

// NewAllocator is called when a manager becomes the leader.
func (p pools) NewAllocator(cfg *networkallocator.Config) (networkallocator.NetworkAllocator, error) {
	var own networkallocator.Config
	if cfg != nil {
		own = *cfg
	}
	if len(own.DefaultAddrPool) == 0 {
		own.DefaultAddrPool, own.SubnetSize = []string{"10.0.0.0/8"}, 24
	}
	return p.Provider.NewAllocator(&own)
}
