package cluster

import (
	"context"
	"maps"

	"fmt"
	"github.com/docker/docker/pkg/plugingetter"
	"github.com/docker/docker/pkg/plugins"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
)

// addressLabel is an engine label with the host's address. A manager takes a node's
// address from its connection, which in a lab comes from a relay; the label is where
// the API finds the true one, also when the host is off. It is shown to nobody.
const addressLabel = "swarmscript.lab.address"

// withAddress adds the label to what an executor says about its node.
func withAddress(e exec.Executor, address string) exec.Executor {
	described := addressed{e, address}
	if dependencies, ok := e.(exec.DependencyManager); ok { // SwarmKit asks whether it is one
		return struct {
			exec.Executor
			exec.DependencyManager
		}{described, dependencies}
	}
	return described
}

type addressed struct {
	exec.Executor
	address string
}

func (e addressed) Describe(ctx context.Context) (*api.NodeDescription, error) {
	d, err := e.Executor.Describe(ctx)
	if err != nil {
		return nil, err
	}
	d = d.Copy()
	if d.Engine == nil {
		d.Engine = &api.EngineDescription{}
	}
	labels := maps.Clone(d.Engine.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[addressLabel] = e.address
	d.Engine.Labels = labels
	return d, nil
}

// noPlugins is the store of plugins of an engine that has none.
type noPlugins struct{}

func (noPlugins) Get(name, capability string, mode int) (plugingetter.CompatPlugin, error) {
	return nil, fmt.Errorf("plugin %q not found", name)
}
func (noPlugins) GetAllByCap(string) ([]plugingetter.CompatPlugin, error)      { return nil, nil }
func (noPlugins) GetAllManagedPluginsByCap(string) []plugingetter.CompatPlugin { return nil }
func (noPlugins) Handle(string, func(string, *plugins.Client))                 {}
