//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/errdefs"
)

const (
	gwbridge   = "docker_gwbridge" // by which containers of overlay networks reach the host
	scopeLocal = "local"
	scopeSwarm = "swarm"
)

// network is one that the engine has: a local one, or a swarm's while tasks here
// use it.
type network struct {
	networktypes.Inspect
	Dynamic bool // of the swarm, which gives the addresses
	Chosen  bool // the subnets are the user's, who may choose addresses, too
	pools   []pool
}

func predefined(name string) bool {
	return name == networktypes.NetworkBridge || name == networktypes.NetworkHost || name == networktypes.NetworkNone || name == networktypes.NetworkDefault
}

// loadNetworks brings back the networks with their subnets, and makes those that
// every engine has.
func (e *Engine) loadNetworks() error {
	if err := each(e, "networks", func(n *network) { e.networks[n.ID] = n }); err != nil {
		return err
	}
	for _, n := range e.networks {
		if err := e.takePools(n); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
	}
	if e.networkNamed(networktypes.NetworkBridge) == nil {
		if err := e.makeBridge(); err != nil {
			return err
		}
	}
	for name, driver := range map[string]string{networktypes.NetworkHost: "host", networktypes.NetworkNone: "null"} {
		if e.networkNamed(name) == nil {
			e.addNetwork(&network{Inspect: networktypes.Inspect{
				Name: name, ID: newID(), Created: time.Now().UTC(), Scope: scopeLocal, Driver: driver,
				EnableIPv4: true, IPAM: networktypes.IPAM{Driver: "default"},
			}})
		}
	}
	return nil
}

func (e *Engine) makeBridge() error {
	bridge := &network{Inspect: networktypes.Inspect{
		Name: networktypes.NetworkBridge, ID: newID(), Created: time.Now().UTC(), Scope: scopeLocal, Driver: "bridge", EnableIPv4: true,
		Options: map[string]string{
			"com.docker.network.bridge.default_bridge":       "true",
			"com.docker.network.bridge.enable_icc":           "true",
			"com.docker.network.bridge.enable_ip_masquerade": "true",
			"com.docker.network.bridge.host_binding_ipv4":    "0.0.0.0",
			"com.docker.network.bridge.name":                 "docker0",
			"com.docker.network.driver.mtu":                  fmt.Sprint(max(e.daemon.MTU, 1500)),
		},
	}}
	bridge.IPAM = networktypes.IPAM{Driver: "default"}
	if e.daemon.Bip != "" {
		ip, subnet, err := net.ParseCIDR(e.daemon.Bip)
		if err != nil {
			return fmt.Errorf("daemon.json: bip: %w", err)
		}
		bridge.IPAM.Config = []networktypes.IPAMConfig{{Subnet: subnet.String(), Gateway: ip.String()}}
	}
	if err := e.takePools(bridge); err != nil {
		return err
	}
	e.addNetwork(bridge)
	return nil
}

func (e *Engine) addNetwork(n *network) {
	if n.Containers == nil {
		n.Containers = map[string]networktypes.EndpointResource{}
	}
	if n.Options == nil {
		n.Options = map[string]string{}
	}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	e.networks[n.ID] = n
	e.put("networks", n.ID, n)
}

// local says whether addresses of a network are this engine's to give.
func (n *network) local() bool { return !n.Dynamic && n.Driver != "host" && n.Driver != "null" }

// takePools takes a network's subnets: those it has, or new ones.
func (e *Engine) takePools(n *network) (err error) {
	if !n.local() || n.ConfigOnly {
		return nil
	}
	defer func() {
		if err != nil {
			e.givePools(n)
		}
	}()
	given := n.IPAM.Config
	if n.EnableIPv4 && !slices.ContainsFunc(given, func(c networktypes.IPAMConfig) bool { return !isSix(c.Subnet) }) {
		given = append(given, networktypes.IPAMConfig{})
	}
	if n.EnableIPv6 && !slices.ContainsFunc(given, func(c networktypes.IPAMConfig) bool { return isSix(c.Subnet) }) {
		given = append(given, networktypes.IPAMConfig{Subnet: "6"})
	}
	n.IPAM.Config = nil
	for _, c := range given {
		six := isSix(c.Subnet)
		if c.Subnet == "6" {
			c.Subnet = ""
		}
		p, err := e.pools.take(c.Subnet, c.IPRange, six)
		if err != nil {
			return err
		}
		n.pools = append(n.pools, p)
		c.Subnet = p.prefix.String()
		if !n.Internal || c.Gateway != "" { // an internal network needs none
			gateway, err := e.pools.address(p, c.Gateway)
			if err != nil {
				return err
			}
			c.Gateway = gateway.Addr().String()
		}
		for name, aux := range c.AuxAddress {
			if _, err := e.pools.address(p, aux); err != nil {
				return forbidden("failed to allocate secondary ip address (%s:%s): %w", name, aux, err)
			}
		}
		n.IPAM.Config = append(n.IPAM.Config, c)
	}
	return nil
}

func (e *Engine) givePools(n *network) {
	for _, p := range n.pools {
		e.pools.giveBack(p)
	}
	n.pools = nil
}

func isSix(subnet string) bool { return subnet == "6" || strings.Contains(subnet, ":") }

func (e *Engine) networkNamed(name string) *network {
	for _, n := range e.networks {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// findNetwork looks up a network by ID, name, or the beginning of an ID.
func (e *Engine) findNetwork(ref string) (*network, error) {
	if n := e.networks[ref]; n != nil {
		return n, nil
	}
	if n := e.networkNamed(ref); n != nil {
		return n, nil
	}
	for id, n := range e.networks {
		if ref != "" && strings.HasPrefix(id, ref) {
			return n, nil
		}
	}
	return nil, notFound("network %s not found", ref)
}

var networkDrivers = []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"}

// errRedirect says that a network is the swarm's to create.
var errRedirect = fmt.Errorf("Redirect the request to the manager")

func (e *Engine) createNetwork(r networktypes.CreateRequest, manager bool) (*network, error) {
	if predefined(r.Name) {
		return nil, forbidden("operation is not permitted on predefined %s network ", r.Name)
	}
	driver := r.Driver
	if driver == "" || driver == "default" {
		driver = "bridge"
	}
	swarmed := driver == "overlay" || r.Scope == scopeSwarm
	if swarmed && !manager {
		return nil, errdefs.Forbidden(errNoSwarm)
	}
	six := r.EnableIPv6 != nil && *r.EnableIPv6
	if err := networktypes.ValidateIPAM(r.IPAM, six); err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	if strings.TrimSpace(r.Name) == "" {
		return nil, invalid("invalid name: name is empty")
	}
	if e.networkNamed(r.Name) != nil {
		return nil, conflict("network with name %s already exists", r.Name)
	}
	if swarmed {
		return nil, errRedirect
	}
	switch {
	case driver == "host" || driver == "null":
		return nil, forbidden("only one instance of %q network is allowed", driver)
	case !slices.Contains(networkDrivers, driver):
		return nil, notFound("plugin %q not found", driver)
	}
	n := &network{Inspect: networktypes.Inspect{
		Name: r.Name, ID: newID(), Created: time.Now(), Scope: scopeLocal, Driver: driver,
		EnableIPv4: r.EnableIPv4 == nil || *r.EnableIPv4, EnableIPv6: six, Internal: r.Internal, Attachable: r.Attachable,
		ConfigOnly: r.ConfigOnly, Options: maps.Clone(r.Options), Labels: maps.Clone(r.Labels),
		IPAM: networktypes.IPAM{Driver: "default", Config: []networktypes.IPAMConfig{}},
	}}
	if r.IPAM != nil {
		n.IPAM.Options, n.IPAM.Config = r.IPAM.Options, slices.Clone(r.IPAM.Config)
		n.Chosen = len(r.IPAM.Config) > 0
		if r.IPAM.Driver != "" && r.IPAM.Driver != "default" {
			return nil, notFound("ipam driver %q: plugin %q not found", r.IPAM.Driver, r.IPAM.Driver)
		}
	}
	if err := e.configFrom(n, r.ConfigFrom); err != nil {
		return nil, err
	}
	if err := e.takePools(n); err != nil {
		return nil, err
	}
	e.addNetwork(n)
	e.networkEvent(n, events.ActionCreate, "")
	return n, nil
}

// configFrom takes the settings of a configuration-only network.
func (e *Engine) configFrom(n *network, from *networktypes.ConfigReference) error {
	if from == nil || from.Network == "" {
		return nil
	}
	if n.ConfigOnly {
		return forbidden("a configuration network cannot depend on another configuration network")
	}
	config, err := e.findNetwork(from.Network)
	if err != nil {
		return notFound("configuration network %q does not exist", from.Network)
	}
	if !config.ConfigOnly {
		return forbidden("network %q is not a configuration network", config.Name)
	}
	n.ConfigFrom = networktypes.ConfigReference{Network: config.Name}
	n.EnableIPv4, n.EnableIPv6, n.Internal = config.EnableIPv4, config.EnableIPv6, config.Internal
	n.Options, n.IPAM = maps.Clone(config.Options), config.IPAM
	return nil
}

// deleteNetwork removes a network that nothing uses.
func (e *Engine) deleteNetwork(n *network) error {
	if predefined(n.Name) {
		return forbidden("%s is a pre-defined network and cannot be removed", n.Name)
	}
	if users := e.endpoints(n); len(users) > 0 {
		var names []string
		for id, ep := range users {
			names = append(names, fmt.Sprintf("name:%q id:%q", ep.Name, id[:12]))
		}
		sort.Strings(names)
		return forbidden("error while removing network: network %s has active endpoints (%s)", n.Name, strings.Join(names, ", "))
	}
	if n.ConfigOnly {
		for _, other := range e.networks {
			if other.ConfigFrom.Network == n.Name {
				return forbidden("error while removing network: configuration network %q is in use", n.Name)
			}
		}
	}
	e.givePools(n)
	delete(e.networks, n.ID)
	e.drop("networks", n.ID)
	if !n.ConfigOnly {
		e.networkEvent(n, events.ActionDestroy, "")
	}
	return nil
}

func (e *Engine) networkEvent(n *network, action events.Action, container string) {
	attributes := map[string]string{"name": n.Name, "type": n.Driver}
	if container != "" {
		attributes["container"] = container
	}
	e.event(events.NetworkEventType, action, n.ID, attributes)
}

// endpoints is who is connected to a network now, by the container's ID.
func (e *Engine) endpoints(n *network) map[string]networktypes.EndpointResource {
	found := map[string]networktypes.EndpointResource{}
	for _, c := range e.containers {
		for _, ep := range c.Networks {
			if ep.NetworkID != n.ID || ep.EndpointID == "" {
				continue
			}
			r := networktypes.EndpointResource{Name: c.bare(), EndpointID: ep.EndpointID, MacAddress: ep.MacAddress}
			if ep.IPAddress != "" {
				r.IPv4Address = fmt.Sprintf("%s/%d", ep.IPAddress, ep.IPPrefixLen)
			}
			if ep.GlobalIPv6Address != "" {
				r.IPv6Address = fmt.Sprintf("%s/%d", ep.GlobalIPv6Address, ep.GlobalIPv6PrefixLen)
			}
			found[c.ID] = r
		}
	}
	return found
}

// poolOf is the subnet of a network that an address is in.
func (n *network) poolOf(address string) (pool, bool) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return pool{}, false
	}
	for _, p := range n.pools {
		if p.prefix.Contains(addr) {
			return p, true
		}
	}
	return pool{}, false
}

// NetworkName is the name of a network of this engine alone, by its name or ID.
func (e *Engine) NetworkName(nameOrID string) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, err := e.findNetwork(nameOrID)
	if err != nil || n.Dynamic {
		return "", false
	}
	return n.Name, true
}

func userDefined(name string) bool { return containertypes.NetworkMode(name).IsUserDefined() }
