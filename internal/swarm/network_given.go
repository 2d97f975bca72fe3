package swarm

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// givenNetwork leaves out what the engine or the swarm chose: addresses out of
// its own pools, the identifiers of overlays, what is every network's, and what
// a network took from another by config_from.
func givenNetwork(o *resource.Object) value.Struct {
	n := o.Native.(network.Inspect)
	args := slices.Clone(o.Args)
	get, set := fieldsOf(networkSchema, args)
	if get("ipv4") == true {
		set("ipv4", nil)
	}
	if d := get("ipam_driver"); d == "default" || d == "" {
		set("ipam_driver", nil)
	}
	if get("encrypted") == false {
		set("encrypted", nil)
	}
	if pooled(n) {
		set("subnets", nil)
	}
	if opts, ok := get("options").(*value.Map); ok && opts != nil {
		own := slices.DeleteFunc(slices.Clone(opts.Entries), func(e value.Entry) bool {
			return strings.HasPrefix(e.Key, "com.docker.network.driver.overlay.vxlanid") || strings.HasPrefix(e.Key, "com.docker.network.enable_ipv")
		})
		set("options", &value.Map{Entries: own})
	}
	if get("config_from") != nil {
		for _, f := range []string{"internal", "ipv6", "ipv4", "encrypted", "subnets", "ipam_driver", "ipam_options", "options", "labels"} {
			set(f, nil)
		}
	}
	return args
}

// The blocks that engines and swarms take subnets from when nobody names one.
var (
	swarmPool   = netip.MustParsePrefix("10.0.0.0/8")
	enginePools = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16")}
)

// pooled reports whether a network's one subnet looks like those that are given
// out: of that size, out of a pool, its first address the gateway. It could have
// been asked for; then the next network made so gets another.
func pooled(n network.Inspect) bool {
	if len(n.IPAM.Config) == 0 {
		return true
	}
	c := n.IPAM.Config[0]
	p, err := netip.ParsePrefix(c.Subnet)
	if err != nil || len(n.IPAM.Config) > 1 || c.IPRange != "" || len(c.AuxAddress) > 0 {
		return false
	}
	if c.Gateway != "" && strings.TrimSuffix(c.Gateway, "/"+strings.Split(c.Subnet, "/")[1]) != p.Addr().Next().String() {
		return false
	}
	if n.Scope == "swarm" {
		return swarmPool.Contains(p.Addr()) && p.Bits() == 24
	}
	return slices.ContainsFunc(enginePools, func(pool netip.Prefix) bool {
		return pool.Contains(p.Addr()) && (p.Bits() == 16 || p.Bits() == 20)
	})
}
