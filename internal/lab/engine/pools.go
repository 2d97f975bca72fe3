package engine

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"

	"github.com/docker/docker/libnetwork/ipamapi"
	"github.com/docker/docker/libnetwork/ipams/defaultipam"
	"github.com/docker/docker/libnetwork/ipamutils"
)

const addressSpace = "LocalDefault" // Docker's name of a host's own networks

// pools hands out subnets and addresses, by Docker's own allocator.
type pools struct{ ipam *defaultipam.Allocator }

// pool is a subnet in use.
type pool struct {
	id     string
	prefix netip.Prefix
}

func newPools(d daemonConfig) (*pools, error) {
	local := d.DefaultAddressPools
	if len(local) == 0 {
		local = ipamutils.GetLocalScopeDefaultNetworks()
	}
	six := false
	for _, p := range local {
		six = six || p.Base.Addr().Is6()
	}
	if !six {
		local = append(local, &ipamutils.NetworkToSplit{Base: ulaOf(d.DataRoot), Size: 64})
	}
	ipam, err := defaultipam.NewAllocator(own(local), own(ipamutils.GetGlobalScopeDefaultNetworks()))
	if err != nil {
		return nil, fmt.Errorf("default-address-pools: %w", err)
	}
	return &pools{ipam}, nil
}

// own copies pools. Docker's allocator writes to those that it is given, which may be
// Docker's defaults: one for all engines of the process.
func own(given []*ipamutils.NetworkToSplit) []*ipamutils.NetworkToSplit {
	copies := make([]*ipamutils.NetworkToSplit, len(given))
	for i, p := range given {
		copied := *p
		copies[i] = &copied
	}
	return copies
}

// ulaOf is a host's own range of private IPv6 addresses.
func ulaOf(seed string) netip.Prefix {
	sum := sha256.Sum256([]byte(seed))
	addr := [16]byte{0xfd}
	copy(addr[1:6], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(addr), 48)
}

func (p *pools) take(subnet, within string, six bool) (pool, error) {
	got, err := p.ipam.RequestPool(ipamapi.PoolRequest{AddressSpace: addressSpace, Pool: subnet, SubPool: within, V6: six})
	if err != nil {
		return pool{}, err
	}
	return pool{got.PoolID, got.Pool}, nil
}

func (p *pools) giveBack(of pool) { _ = p.ipam.ReleasePool(of.id) }

// address takes one, or the next that is free.
func (p *pools) address(of pool, wanted string) (netip.Prefix, error) {
	var ip net.IP
	if wanted != "" {
		if ip = net.ParseIP(wanted); ip == nil {
			return netip.Prefix{}, invalid("invalid address %q", wanted)
		}
	}
	got, _, err := p.ipam.RequestAddress(of.id, ip, nil)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr, _ := netip.AddrFromSlice(got.IP)
	ones, _ := got.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), nil
}

func (p *pools) release(of pool, address string) {
	if ip := net.ParseIP(address); ip != nil {
		_ = p.ipam.ReleaseAddress(of.id, ip)
	}
}
