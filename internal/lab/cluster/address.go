//lint:file-ignore ST1005 these words are Docker's

package cluster

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/opts"
)

const (
	defaultPort         = "2377"
	defaultListen       = "tcp://0.0.0.0:" + defaultPort
	defaultDataPathPort = 4789
	defaultSubnetSize   = 24
)

// tcpAddress completes an address with Docker's host and port. One that is none is
// left as it is: what uses it will say so.
func tcpAddress(addr string) (string, error) {
	if addr == "" {
		return "", errors.New("invalid empty address")
	}
	full, err := opts.ParseTCPAddr(addr, defaultListen)
	if err != nil {
		return addr, nil
	}
	return strings.TrimPrefix(full, "tcp://"), nil
}

// ip is the address of one of this host's network interfaces, or the IP that is given.
func (c *Cluster) ip(input string) net.IP {
	if address, ok := c.cfg.Links[input]; ok {
		return net.ParseIP(address)
	}
	return net.ParseIP(input)
}

// listenAddress is an address to listen on: its IP and port.
func (c *Cluster) listenAddress(addr string) (ip, port string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", "", errdefs.InvalidParameter(errors.New("could not parse listen address " + addr))
	}
	at := c.ip(host)
	if at == nil {
		return "", "", errBadListenAddr
	}
	return at.String(), port, nil
}

// advertiseAddress is the address that other hosts are told: the given one, or the
// host's own.
func (c *Cluster) advertiseAddress(addr, listenPort string) (string, error) {
	if addr == "" {
		return net.JoinHostPort(c.cfg.Address, listenPort), nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil { // no port in it
		host, port = addr, listenPort
	}
	at := c.ip(host)
	if at == nil || at.IsUnspecified() {
		return "", errBadAdvertiseAddr
	}
	return net.JoinHostPort(at.String(), port), nil
}

func (c *Cluster) dataPathAddress(addr string) (string, error) {
	if addr == "" {
		return "", nil
	}
	at := c.ip(addr)
	if at == nil || at.IsUnspecified() {
		return "", errBadDataPathAddr
	}
	return at.String(), nil
}

// dataPathPort is the port of VXLAN, a registered one.
func dataPathPort(port uint32) (uint32, error) {
	switch {
	case port == 0:
		return defaultDataPathPort, nil
	case port < 1024 || port > 49151:
		return 0, fmt.Errorf("Datapath port number is not in valid range (1024-49151) : %d", port)
	}
	return port, nil
}

// addressPools checks the pools that networks are made of. The smallest subnet that an
// overlay network can use is a /29.
func addressPools(pools []string, size uint32) ([]string, error) {
	if pools == nil {
		return nil, nil
	}
	if size == 0 {
		size = defaultSubnetSize
	}
	if size > 29 {
		return nil, fmt.Errorf("subnet size is out of range: %d", size)
	}
	trimmed := make([]string, len(pools))
	for i, pool := range pools {
		trimmed[i] = strings.TrimSpace(pool)
		_, subnet, err := net.ParseCIDR(trimmed[i])
		if err != nil {
			return nil, fmt.Errorf("invalid base pool %s: %v", trimmed[i], err)
		}
		if ones, _ := subnet.Mask.Size(); size < uint32(ones) {
			return nil, fmt.Errorf("invalid CIDR: %q. Subnet size is too small for pool: %d", trimmed[i], size)
		}
	}
	return trimmed, nil
}
