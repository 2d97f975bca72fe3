//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"errors"
	"fmt"
	"strconv"

	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
)

const (
	firstEphemeral = 32768 // of ports that Docker chooses
	lastEphemeral  = 60999
)

// ports is who has which port of the host: "8080/tcp" of each address.
type ports map[string]map[string]string

func (p ports) taken(ip string, port int, proto string) bool {
	by := p[fmt.Sprintf("%d/%s", port, proto)]
	if by == nil {
		return false
	}
	if anyAddress(ip) {
		return len(by) > 0
	}
	return by[ip] != "" || by["0.0.0.0"] != ""
}

func anyAddress(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

func (p ports) take(ip string, port int, proto, container string) {
	key := fmt.Sprintf("%d/%s", port, proto)
	if p[key] == nil {
		p[key] = map[string]string{}
	}
	if anyAddress(ip) {
		ip = "0.0.0.0"
	}
	p[key][ip] = container
}

func (p ports) free(container string) {
	for key, by := range p {
		for ip, owner := range by {
			if owner == container {
				delete(by, ip)
			}
		}
		if len(by) == 0 {
			delete(p, key)
		}
	}
}

// publish binds a container's ports on the host.
func (e *Engine) publish(c *container) error {
	c.Ports = nat.PortMap{}
	address, bridged := bridgedAddress(c)
	if !bridged {
		return nil
	}
	for port := range c.Config.ExposedPorts {
		wanted := c.HostConfig.PortBindings[port]
		if wanted == nil && c.HostConfig.PublishAllPorts {
			wanted = []nat.PortBinding{{}}
		}
		c.Ports[port] = nil
		for _, b := range wanted {
			host, err := e.bind(c, address, port, b)
			if err != nil {
				e.unpublish(c)
				c.Ports = nat.PortMap{}
				return fmt.Errorf("failed to set up container networking: %w", err)
			}
			ips := []string{b.HostIP}
			if b.HostIP == "" {
				ips = []string{"0.0.0.0", "::"}
			}
			for _, ip := range ips {
				c.Ports[port] = append(c.Ports[port], nat.PortBinding{HostIP: ip, HostPort: strconv.Itoa(host)})
			}
		}
	}
	return nil
}

// bridgedAddress is that of a container that can publish ports.
func bridgedAddress(c *container) (string, bool) {
	if c.HostConfig.NetworkMode.IsHost() || c.HostConfig.NetworkMode.IsContainer() || c.HostConfig.NetworkMode.IsNone() {
		return "", false
	}
	for _, name := range []string{c.HostConfig.NetworkMode.NetworkName(), networktypes.NetworkBridge} {
		if ep := c.Networks[name]; ep != nil && ep.IPAddress != "" {
			return ep.IPAddress, true
		}
	}
	for _, ep := range c.Networks {
		if ep.EndpointID != "" {
			return ep.IPAddress, true
		}
	}
	return "", false
}

// bind takes one port of the host, of a range the first that is free.
func (e *Engine) bind(c *container, address string, port nat.Port, b nat.PortBinding) (int, error) {
	first, last := firstEphemeral, lastEphemeral
	chosen := b.HostPort == "" || b.HostPort == "0"
	if !chosen {
		start, end, err := nat.ParsePortRangeToInt(b.HostPort)
		if err != nil {
			return 0, fmt.Errorf("Error parsing HostPort value(%s):%w", b.HostPort, err)
		}
		first, last = start, end
	}
	ip := b.HostIP
	if ip == "" {
		ip = "0.0.0.0"
	}
	var why error
	for n := first; n <= last; n++ {
		if e.ports.taken(ip, n, port.Proto()) {
			why = fmt.Errorf("Bind for %s:%d failed: port is already allocated", ip, n)
			continue
		}
		err := e.listen(c, Published{ip, n, port.Proto(), c.ID, address, port.Int()})
		if err == nil {
			e.ports.take(ip, n, port.Proto(), c.ID)
			return n, nil
		}
		why = fmt.Errorf("failed to bind host port for %s:%d:%s:%d/%s: %w", ip, n, address, port.Int(), port.Proto(), err)
	}
	if why == nil {
		why = errors.New("no port to choose from")
	}
	return 0, fmt.Errorf("driver failed programming external connectivity on endpoint %s (%s): %w", c.bare(), endpointOf(c), why)
}

func endpointOf(c *container) string {
	for _, ep := range c.Networks {
		if ep.EndpointID != "" {
			return ep.EndpointID
		}
	}
	return ""
}

func (e *Engine) listen(c *container, p Published) error {
	if e.cfg.Publish == nil {
		return nil
	}
	release, err := e.cfg.Publish(p)
	if err != nil {
		return err
	}
	if release != nil {
		c.release = append(c.release, release)
	}
	return nil
}

// republish binds again what a container that runs on had.
func (e *Engine) republish(c *container) error {
	address, _ := bridgedAddress(c)
	for port, bound := range c.Ports {
		for _, b := range bound {
			host, err := strconv.Atoi(b.HostPort)
			if err != nil || b.HostIP == "::" {
				continue
			}
			if err := e.listen(c, Published{b.HostIP, host, port.Proto(), c.ID, address, port.Int()}); err != nil {
				return err
			}
			e.ports.take(b.HostIP, host, port.Proto(), c.ID)
		}
	}
	for name, ep := range c.Networks { // the addresses are taken again, too
		n := e.networks[ep.NetworkID]
		if n == nil || ep.EndpointID == "" || !n.local() {
			continue
		}
		for _, a := range []string{ep.IPAddress, ep.GlobalIPv6Address} {
			if p, ok := n.poolOf(a); ok {
				if _, err := e.pools.address(p, a); err != nil {
					return fmt.Errorf("%s in network %s: %w", a, name, err)
				}
			}
		}
	}
	return nil
}

func (e *Engine) unpublish(c *container) {
	for _, release := range c.release {
		release()
	}
	c.release = nil
	e.ports.free(c.ID)
}
