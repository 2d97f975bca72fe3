package swarm

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// givenNetwork leaves out what the engine or the swarm chose: an engine's addresses
// out of its own pools (those of a swarm: see [Conn.ForgetChosenSubnets]), the identifiers of overlays, what is every network's, and what
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
	switch subnets, _ := get("subnets").(value.List); {
	case len(n.IPAM.Config) == 0, n.Scope != "swarm" && pooled(n):
		set("subnets", nil)
	case subnets != nil:
		set("subnets", withoutUsualGateways(subnets))
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

// withoutUsualGateways leaves out the gateways that blocks have anyway.
func withoutUsualGateways(subnets value.List) value.List {
	out := slices.Clone(subnets)
	s := schema.Of(Subnet{})
	for i, e := range out {
		e = slices.Clone(e.(value.Struct))
		get, set := fieldsOf(s, e.(value.Struct))
		if p, err := netip.ParsePrefix(value.Text(get("cidr"))); err == nil && get("gateway") == p.Addr().Next().String() {
			set("gateway", nil)
		}
		out[i] = e
	}
	return out
}

// ForgetChosenSubnets takes the subnets of those networks of a swarm off their
// arguments that the swarm chose itself. A network does not tell; but each task
// that is attached to one holds what was asked for. It returns the networks of
// which nothing is known, and which look as if the swarm had chosen.
func (c *Conn) ForgetChosenSubnets(ctx context.Context, objects []*resource.Object) ([]*resource.Object, error) {
	tasks, err := c.Docker().TaskList(ctx, swarm.TaskListOptions{})
	if err != nil {
		return nil, remote.Err(err)
	}
	return forgetChosen(tasks, objects), nil
}

func forgetChosen(tasks []swarm.Task, objects []*resource.Object) (unknown []*resource.Object) {
	asked := map[string]bool{} // by the network's ID, of those that are known
	for _, t := range tasks {
		for _, a := range t.NetworksAttachments {
			o := a.Network.Spec.IPAMOptions
			asked[a.Network.ID] = asked[a.Network.ID] || o != nil && len(o.Configs) > 0
		}
	}
	for _, o := range objects {
		n, ok := o.Native.(network.Inspect)
		if !ok || n.Scope != "swarm" || len(n.IPAM.Config) == 0 {
			continue
		}
		switch was, known := asked[o.ID]; {
		case known && !was:
			o.Args = slices.Clone(o.Args)
			_, set := fieldsOf(networkSchema, o.Args)
			set("subnets", nil)
		case !known && pooled(n):
			unknown = append(unknown, o)
		}
	}
	return unknown
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
	if c.Gateway == "" && n.Scope != "swarm" { // where an engine chooses, it says its gateway
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
