package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/agent"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/node/plugin"
	"github.com/moby/swarmkit/v2/template"
)

// Executor runs a swarm's tasks as containers of the engine.
func (e *Engine) Executor() exec.Executor {
	return &executor{e: e, DependencyManager: agent.NewDependencyManager(noPlugins{})}
}

// executor is what a SwarmKit node works with. Its dependencies are the secrets
// and configs of the tasks that are here.
type executor struct {
	e *Engine
	exec.DependencyManager

	mu   sync.Mutex
	node *api.NodeDescription
}

// noPlugins is the volume plugins of a simulated host.
type noPlugins struct{}

func (noPlugins) Get(name, _ string) (plugin.Plugin, error) {
	return nil, fmt.Errorf("plugin %q not found", name)
}
func (noPlugins) GetAllManagedPluginsByCap(string) []plugin.Plugin { return nil }

// Describe is the host as the swarm's managers see it.
func (x *executor) Describe(ctx context.Context) (*api.NodeDescription, error) {
	info, err := x.e.SystemInfo(ctx)
	if err != nil {
		return nil, err
	}
	var plugins []api.PluginDescription
	for kind, names := range map[string][]string{"Log": info.Plugins.Log, "Network": info.Plugins.Network, "Volume": info.Plugins.Volume} {
		for _, name := range names {
			plugins = append(plugins, api.PluginDescription{Type: kind, Name: name})
		}
	}
	slices.SortFunc(plugins, func(a, b api.PluginDescription) int {
		return strings.Compare(a.Type+" "+a.Name, b.Type+" "+b.Name)
	})
	labels := map[string]string{}
	for _, l := range info.Labels {
		if k, v, ok := strings.Cut(l, "="); ok {
			labels[k] = v
		}
	}
	node := &api.NodeDescription{
		Hostname: info.Name,
		Platform: &api.Platform{Architecture: info.Architecture, OS: info.OSType},
		Engine:   &api.EngineDescription{EngineVersion: info.ServerVersion, Labels: labels, Plugins: plugins},
		Resources: &api.Resources{
			NanoCPUs: int64(info.NCPU) * 1e9, MemoryBytes: info.MemTotal, Generic: convert.GenericResourcesToGRPC(info.GenericResources),
		},
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.node = node
	return node, nil
}

// Configure takes over what the managers say of this node: its own addresses in
// the networks that its tasks use.
func (x *executor) Configure(_ context.Context, node *api.Node) error {
	x.e.attach(node)
	return nil
}

// Controller returns what runs a task.
func (x *executor) Controller(t *api.Task) (exec.Controller, error) {
	if t.Spec.GetAttachment() != nil {
		return attachment{x.e, t.Copy()}, nil
	}
	if t.Spec.GetContainer() == nil {
		return nil, exec.ErrRuntimeUnsupported
	}
	x.mu.Lock()
	node := x.node
	x.mu.Unlock()
	return newController(x.e, t, node, template.NewTemplatedDependencyGetter(agent.Restrict(x, t), t, nil))
}

// SetNetworkBootstrapKeys gets the keys of the overlay networks' gossip, which a
// lab does not have.
func (x *executor) SetNetworkBootstrapKeys([]*api.EncryptionKey) error { return nil }

// attach sets a node's addresses, makes its ingress network, and removes the
// networks that it has no address in any more.
func (e *Engine) attach(node *api.Node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	attachments := map[string]string{}
	all := node.Attachments
	if node.Attachment != nil { // as old managers say it
		all = append(slices.Clone(all), node.Attachment)
	}
	ingress := false
	for _, a := range all {
		if a == nil || a.Network == nil || len(a.Addresses) == 0 {
			continue
		}
		attachments[a.Network.ID] = a.Addresses[0]
		if a.Network.Spec.Ingress {
			ingress = true
			e.swarmNetwork(a.Network)
		}
	}
	e.node.attachments = attachments
	e.node.tell()
	if ingress && e.networkNamed(gwbridge) == nil {
		e.makeGateway()
	}
	for _, n := range e.networks {
		if _, here := attachments[n.ID]; n.Dynamic && !here {
			e.dropUnused(n)
		}
	}
}

// makeGateway makes the bridge by which containers of overlay networks reach the
// host. No route is simulated, so a subnet that cannot be had is no reason to fail.
func (e *Engine) makeGateway() {
	n := &network{Inspect: networktypes.Inspect{
		Name: gwbridge, ID: newID(), Created: time.Now().UTC(), Scope: scopeLocal, Driver: "bridge", EnableIPv4: true,
		IPAM: networktypes.IPAM{Driver: "default"},
		Options: map[string]string{
			"com.docker.network.bridge.enable_icc": "false", "com.docker.network.bridge.enable_ip_masquerade": "true",
			"com.docker.network.bridge.name": gwbridge,
		},
	}}
	if err := e.takePools(n); err == nil {
		e.addNetwork(n)
		e.networkEvent(n, events.ActionCreate, "")
	}
}

// swarmNetwork makes a network of the swarm known here.
func (e *Engine) swarmNetwork(from *api.Network) {
	if e.networks[from.ID] != nil || e.networkNamed(from.Spec.Annotations.Name) != nil {
		return
	}
	n := &network{Dynamic: true, Inspect: networktypes.Inspect{
		Name: from.Spec.Annotations.Name, ID: from.ID, Created: time.Now().UTC(), Scope: scopeSwarm, Driver: "overlay",
		EnableIPv4: true, EnableIPv6: from.Spec.Ipv6Enabled, Internal: from.Spec.Internal, Attachable: from.Spec.Attachable,
		Ingress: convert.IsIngressNetwork(from), Labels: from.Spec.Annotations.Labels,
		Peers: []networktypes.PeerInfo{{Name: e.id[:12], IP: e.cfg.Address}},
		IPAM:  networktypes.IPAM{Driver: "default", Config: []networktypes.IPAMConfig{}},
	}}
	if from.DriverState != nil {
		n.Driver, n.Options = from.DriverState.Name, from.DriverState.Options
	}
	if from.IPAM != nil {
		for _, c := range from.IPAM.Configs {
			n.IPAM.Config = append(n.IPAM.Config, networktypes.IPAMConfig{Subnet: c.Subnet, IPRange: c.Range, Gateway: c.Gateway})
		}
	}
	e.addNetwork(n)
	e.networkEvent(n, events.ActionCreate, "")
}

// dropUnused removes a swarm's network from here when nothing uses it.
func (e *Engine) dropUnused(n *network) {
	if !n.Dynamic || len(e.endpoints(n)) > 0 {
		return
	}
	delete(e.networks, n.ID)
	e.drop("networks", n.ID)
	e.networkEvent(n, events.ActionDestroy, "")
}

// LeaveSwarm removes what a swarm's tasks left: their containers and networks.
func (e *Engine) LeaveSwarm() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.sorted() {
		if c.Managed {
			_ = e.rm(c, true, true) // by force it always goes
		}
	}
	for _, n := range e.networks {
		e.dropUnused(n)
	}
	e.node.attachments = map[string]string{}
}

// awaitAttachments waits until this node has an address in each overlay network.
func (e *Engine) awaitAttachments(ctx context.Context, networks []*api.NetworkAttachment) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := e.awaitNode(ctx, func() bool {
		for _, a := range networks {
			if a.Network.DriverState != nil && a.Network.DriverState.Name == "overlay" && e.node.attachments[a.Network.ID] == "" {
				return false
			}
		}
		return true
	})
	if err != nil {
		return errors.New("node is missing network attachments, ip addresses may be exhausted")
	}
	return nil
}
