package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/runconfig"
)

// plug sets which networks a new container belongs to.
func (e *Engine) plug(c *container, given *networktypes.NetworkingConfig) error {
	mode := c.HostConfig.NetworkMode
	if mode.IsContainer() {
		if other, err := e.find(mode.ConnectedContainer()); err == nil {
			c.HostConfig.NetworkMode = containertypes.NetworkMode("container:" + other.ID)
		}
		return nil // one that is not there is told at the start
	}
	for _, link := range c.HostConfig.Links {
		name, _, _ := strings.Cut(link, ":")
		other, err := e.find(name)
		if err != nil {
			return invalid("could not get container for %s: %w", name, err)
		}
		if other.HostConfig.NetworkMode.IsHost() {
			return runconfig.ErrConflictHostNetworkAndLinks
		}
	}
	var endpoints map[string]*networktypes.EndpointSettings
	if given != nil {
		endpoints = given.EndpointsConfig
	}
	for name, ep := range endpoints {
		if ep == nil {
			ep = &networktypes.EndpointSettings{}
		}
		if err := e.verifyEndpoint(name, ep); err != nil {
			return invalid("invalid config for network %s: %w", name, err)
		}
		if n, err := e.findNetwork(name); err == nil {
			name = n.Name
		}
		c.Networks[name] = ep
	}
	main := mode.NetworkName()
	if n, err := e.findNetwork(main); err == nil {
		main = n.Name
	}
	if len(c.Networks) == 0 {
		c.Networks[main] = &networktypes.EndpointSettings{}
	}
	return nil
}

// verifyEndpoint checks the settings of an endpoint in a network, by its name.
func (e *Engine) verifyEndpoint(name string, ep *networktypes.EndpointSettings) error {
	var errs []error
	var wanted []string
	if c := ep.IPAMConfig; c != nil {
		for _, address := range []string{c.IPv4Address, c.IPv6Address} {
			if address != "" {
				wanted = append(wanted, address)
			}
		}
		if err := c.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(wanted) > 0 && !userDefined(name) {
		errs = append(errs, runconfig.ErrUnsupportedNetworkAndIP)
	}
	if len(ep.Aliases) > 0 && !userDefined(name) {
		errs = append(errs, runconfig.ErrUnsupportedNetworkAndAlias)
	}
	if n, err := e.findNetwork(name); err == nil && !n.Dynamic && len(wanted) > 0 {
		errs = append(errs, n.verifyAddresses(wanted)...)
	}
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("invalid endpoint settings:\n%w", errs[0])
	}
	var text strings.Builder
	for _, err := range errs {
		text.WriteString("\n* " + err.Error())
	}
	return errors.New("invalid endpoint settings:" + text.String())
}

func (n *network) verifyAddresses(wanted []string) (errs []error) {
	if !n.Chosen {
		return []error{runconfig.ErrUnsupportedNetworkNoSubnetAndIP}
	}
	for _, address := range wanted {
		if _, ok := n.poolOf(address); !ok {
			errs = append(errs, fmt.Errorf("no configured subnet or ip-range contain the IP address %s", address))
		}
	}
	return errs
}

// dnsNames are those by which a container is found in a network of users.
func dnsNames(c *container, name string, ep *networktypes.EndpointSettings) []string {
	if !userDefined(name) {
		return nil
	}
	names := []string{c.bare()}
	for _, n := range append(slices.Clone(ep.Aliases), c.ID[:12], c.Config.Hostname) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// connectAll connects a container that starts to its networks.
func (e *Engine) connectAll(c *container) error {
	if mode := c.HostConfig.NetworkMode; mode.IsContainer() {
		other, err := e.find(mode.ConnectedContainer())
		if err != nil {
			return fmt.Errorf("joining network namespace of container: %s", err)
		}
		if !other.State.Running {
			return conflict("cannot join network namespace of a non running container: %s", other.ID)
		}
	}
	names := make([]string, 0, len(c.Networks))
	for name := range c.Networks {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := e.connect(c, name, c.Networks[name]); err != nil {
			return fmt.Errorf("failed to set up container networking: %w", err)
		}
	}
	return nil
}

// connect gives a container an endpoint in a network.
func (e *Engine) connect(c *container, name string, ep *networktypes.EndpointSettings) error {
	n, err := e.findNetwork(name)
	if err != nil && ep.NetworkID != "" {
		n, err = e.findNetwork(ep.NetworkID)
	}
	if err != nil {
		return err
	}
	if n.ConfigOnly {
		return forbidden("cannot connect container to network %s: it is a configuration only network", n.Name)
	}
	mac := ep.MacAddress
	forget(ep)
	ep.NetworkID = n.ID
	if err := e.addresses(n, ep, c.Places[name].Addresses); err != nil {
		return err
	}
	ep.EndpointID = newID()
	if ep.MacAddress = mac; mac == "" && (ep.IPAddress != "" || ep.GlobalIPv6Address != "") {
		ep.MacAddress = macOf(ep.IPAddress + ep.GlobalIPv6Address)
	}
	ep.DNSNames = dnsNames(c, n.Name, ep)
	e.networkEvent(n, events.ActionConnect, c.ID)
	return nil
}

// addresses fills an endpoint with an address of each subnet's family.
// Those that the swarm gave come before what was wished for.
func (e *Engine) addresses(n *network, ep *networktypes.EndpointSettings, given []string) error {
	wanted := networktypes.EndpointIPAMConfig{}
	if ep.IPAMConfig != nil {
		wanted = *ep.IPAMConfig
	}
	for _, address := range given {
		if isSix(address) {
			wanted.IPv6Address = address
		} else {
			wanted.IPv4Address = address
		}
	}
	for i, c := range n.IPAM.Config {
		six := isSix(c.Subnet)
		if six && ep.GlobalIPv6Address != "" || !six && ep.IPAddress != "" {
			continue
		}
		want := wanted.IPv4Address
		if six {
			want = wanted.IPv6Address
		}
		prefix, err := e.addressIn(n, i, want)
		if errors.Is(err, errOtherSubnet) {
			continue
		}
		if err != nil {
			return err
		}
		if six {
			ep.GlobalIPv6Address, ep.GlobalIPv6PrefixLen, ep.IPv6Gateway = prefix.Addr().String(), prefix.Bits(), c.Gateway
		} else {
			ep.IPAddress, ep.IPPrefixLen, ep.Gateway = prefix.Addr().String(), prefix.Bits(), c.Gateway
		}
		if n.Internal || n.Driver == "overlay" {
			ep.Gateway, ep.IPv6Gateway = "", ""
		}
	}
	if wanted.IPv4Address != "" && ep.IPAddress == "" && n.local() {
		return invalid("no configured subnet contains IP address %s", wanted.IPv4Address)
	}
	return nil
}

var errOtherSubnet = errors.New("address of another subnet")

// addressIn takes an address of a network's subnet. Those of a swarm's networks
// come with the task.
func (e *Engine) addressIn(n *network, i int, want string) (netip.Prefix, error) {
	subnet, err := netip.ParsePrefix(n.IPAM.Config[i].Subnet)
	if err != nil {
		return subnet, errOtherSubnet
	}
	if want != "" {
		addr, err := netip.ParseAddr(want)
		if err != nil || !subnet.Contains(addr) {
			return subnet, errOtherSubnet
		}
	}
	if n.Dynamic {
		if want == "" {
			return subnet, errOtherSubnet
		}
		return netip.PrefixFrom(netip.MustParseAddr(want), subnet.Bits()), nil
	}
	if i >= len(n.pools) {
		return subnet, errOtherSubnet
	}
	return e.pools.address(n.pools[i], want)
}

// disconnectAll takes a container that ended out of its networks.
func (e *Engine) disconnectAll(c *container) {
	for name := range c.Networks {
		e.disconnect(c, name)
	}
	c.Ports = nil
}

func (e *Engine) disconnect(c *container, name string) {
	ep := c.Networks[name]
	if ep.EndpointID == "" {
		return
	}
	if n := e.networks[ep.NetworkID]; n != nil {
		for _, address := range []string{ep.IPAddress, ep.GlobalIPv6Address} {
			if p, ok := n.poolOf(address); ok && n.local() {
				e.pools.release(p, address)
			}
		}
		e.networkEvent(n, events.ActionDisconnect, c.ID)
	}
	forget(ep)
}

// forget clears what an endpoint has while it is connected.
func forget(ep *networktypes.EndpointSettings) {
	ep.EndpointID, ep.Gateway, ep.IPAddress, ep.IPPrefixLen = "", "", "", 0
	ep.IPv6Gateway, ep.GlobalIPv6Address, ep.GlobalIPv6PrefixLen, ep.MacAddress = "", "", 0, ""
}

// macOf is a made-up hardware address, the same each time.
func macOf(address string) string {
	sum := sha256.Sum256([]byte(address))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// ConnectContainerToNetwork is `docker network connect`.
func (e *Engine) ConnectContainerToNetwork(ctx context.Context, containerRef, networkRef string, given *networktypes.EndpointSettings) error {
	if err := e.attachRunning(ctx, containerRef, networkRef, given); err != nil {
		return err
	}
	return e.with(containerRef, func(c *container) error {
		if c.HostConfig.NetworkMode.IsContainer() {
			return runconfig.ErrConflictSharedNetwork
		}
		n, err := e.findNetwork(networkRef)
		if err != nil {
			return err
		}
		if n.Driver == "host" {
			return runconfig.ErrConflictConnectToHostNetwork
		}
		if c.HostConfig.NetworkMode.IsHost() {
			return runconfig.ErrConflictSharedNetwork
		}
		ep := given
		if ep == nil {
			ep = &networktypes.EndpointSettings{}
		}
		if err := e.verifyEndpoint(n.Name, ep); err != nil {
			return errdefs.InvalidParameter(err)
		}
		if old := c.Networks[n.Name]; old != nil && (old.EndpointID != "" || !c.State.Running) {
			return forbidden("endpoint with name %s already exists in network %s", c.bare(), n.Name)
		}
		if n.Dynamic && !n.Attachable {
			return notAttached(networkRef, fmt.Sprintf("rpc error: code = PermissionDenied desc = network %s not manually attachable", networkRef))
		}
		if none := c.Networks[networktypes.NetworkNone]; none != nil {
			return runconfig.ErrConflictNoNetwork
		}
		if c.State.Running && !c.State.Restarting {
			if err := e.connect(c, n.Name, ep); err != nil {
				return err
			}
		}
		ep.NetworkID = n.ID
		c.Networks[n.Name] = ep
		e.save(c)
		return nil
	})
}

// DisconnectContainerFromNetwork is `docker network disconnect`.
func (e *Engine) DisconnectContainerFromNetwork(containerRef, networkRef string, _ bool) error {
	return e.with(containerRef, func(c *container) error {
		n, err := e.findNetwork(networkRef)
		if err != nil {
			return err
		}
		if c.HostConfig.NetworkMode.IsHost() && n.Driver == "host" {
			return runconfig.ErrConflictDisconnectFromHostNetwork
		}
		if c.Networks[n.Name] == nil {
			return fmt.Errorf("container %s is not connected to network %s", c.ID, n.Name)
		}
		e.disconnect(c, n.Name)
		e.detach(c, n.Name)
		delete(c.Networks, n.Name)
		e.save(c)
		return nil
	})
}
