package swarm

import (
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// BeginsHere foresees what a plan comes to in a swarm that is still to begin on an
// engine, from the arguments of its swarm.init: that engine will be its only node.
// It is nil where the engine is in a swarm.
func BeginsHere(info system.Info) func(opener value.Struct) resource.Forecaster {
	if s := info.Swarm.LocalNodeState; s != "" && s != swarm.LocalNodeStateInactive {
		return nil
	}
	return func(opener value.Struct) resource.Forecaster {
		return forecaster{nodes: []swarm.Node{firstNode(info, reader{swarmSchema, opener})}, begins: true}
	}
}

// firstNode is an engine as the node of a swarm that begins there. Its ID and its
// address are not known.
func firstNode(info system.Info, opener reader) swarm.Node {
	n := swarm.Node{
		Spec:   swarm.NodeSpec{Role: swarm.NodeRoleManager, Availability: swarm.NodeAvailability(opener.str("availability"))},
		Status: swarm.NodeStatus{State: swarm.NodeStateReady},
		Description: swarm.NodeDescription{
			Hostname: info.Name,
			Platform: swarm.Platform{OS: info.OSType, Architecture: info.Architecture},
			Resources: swarm.Resources{
				NanoCPUs: int64(info.NCPU) * 1e9, MemoryBytes: info.MemTotal, GenericResources: info.GenericResources,
			},
			Engine: swarm.EngineDescription{Labels: map[string]string{}},
		},
	}
	for _, l := range info.Labels {
		k, v, _ := strings.Cut(l, "=")
		n.Description.Engine.Labels[k] = v
	}
	return n
}

// joined reports whether the script says something of nodes that somebody else
// lets join: how many there will be then, nobody knows. A node that the plan itself
// makes join is a creation, and counts as one.
func (f forecaster) joined(list []resource.Prospect) bool {
	return f.begins && slices.ContainsFunc(list, func(p resource.Prospect) bool {
		return p.Kind == "node" && p.Live == nil && !p.Anew && !f.meansFirst(&p)
	})
}

// meansFirst reports whether a declared node is the one on which the swarm begins.
func (f forecaster) meansFirst(p *resource.Prospect) bool {
	r := reader{p.Schema, p.Args}
	return f.begins && !r.given("id") && r.str("name") == f.nodes[0].Description.Hostname
}
