package azure

import (
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// balancerObject is a load balancer as the planner sees it. An interface in its pool
// that is of no machine here is told by its ID.
func (c *Conn) balancerObject(cl *clients, l *live, lb *armnetwork.LoadBalancer) *resource.Object {
	p, at := val(lb.Properties), c.place(cl)
	o := c.object(BalancerKind, text(lb.ID), text(p.ResourceGUID), text(lb.Name), lb.Tags, lb)
	spec := &BalancerSpec{Name: o.Name, Tags: o.Native.(*native).tags}
	fronts := ourFronts(p.FrontendIPConfigurations)
	for _, f := range fronts {
		if f.Properties != nil && f.Properties.PublicIPAddress != nil {
			id := text(f.Properties.PublicIPAddress.ID)
			spec.PublicIP = ptr(at.short(id))
			o.Uses = append(o.Uses, id)
			l.tellAddress(o, id)
		}
	}
	pool := at.poolID(o.Name)
	for _, n := range l.nics {
		if !inPool(n, pool) {
			continue
		}
		i := slices.IndexFunc(l.vms, func(vm *armcompute.VirtualMachine) bool { return sameID(nicID(vm), text(n.ID)) })
		if i < 0 {
			spec.Backend = append(spec.Backend, text(n.ID))
			o.Uses = append(o.Uses, text(n.ID))
			continue
		}
		spec.Backend = append(spec.Backend, text(l.vms[i].Name))
		o.Uses = append(o.Uses, text(l.vms[i].ID))
	}
	for _, r := range p.LoadBalancingRules {
		if len(fronts) < len(p.FrontendIPConfigurations) && !isBehind(r, fronts) {
			continue // of others
		}
		spec.Rules = append(spec.Rules, readBalancerRule(r, p.Probes))
	}
	o.Args = balancerSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

// ourFronts are the frontends that we made; all of a load balancer that is not of ours.
func ourFronts(all []*armnetwork.FrontendIPConfiguration) []*armnetwork.FrontendIPConfiguration {
	i := slices.IndexFunc(all, func(f *armnetwork.FrontendIPConfiguration) bool { return text(f.Name) == frontName })
	if i < 0 {
		return all
	}
	return all[i : i+1]
}

// tellAddress gives an object the outputs of the public address that it has.
func (l *live) tellAddress(o *resource.Object, id string) {
	for _, ip := range l.ips {
		if !sameID(text(ip.ID), id) || ip.Properties == nil {
			continue
		}
		out(o, "ip_address", text(ip.Properties.IPAddress))
		if dns := ip.Properties.DNSSettings; dns != nil {
			out(o, "fqdn", text(dns.Fqdn))
		}
	}
}

func readBalancerRule(r *armnetwork.LoadBalancingRule, probes []*armnetwork.Probe) BalancerRule {
	p := val(r.Properties)
	rule := BalancerRule{
		Name: text(r.Name), Port: int(val(p.FrontendPort)), Protocol: strings.ToLower(text(p.Protocol)), BackendPort: ptr(int(val(p.BackendPort))),
		Distribution: text(p.LoadDistribution), IdleTimeout: int(val(p.IdleTimeoutInMinutes)), TCPReset: val(p.EnableTCPReset),
	}
	for _, probe := range probes {
		if p.Probe == nil || probe.Properties == nil || !sameID(text(probe.ID), text(p.Probe.ID)) {
			continue
		}
		has := probe.Properties
		rule.Probe, rule.ProbePort, rule.ProbePath = strings.ToLower(text(has.Protocol)), ptr(int(val(has.Port))), has.RequestPath
		rule.ProbeInterval, rule.ProbeThreshold = int(val(has.IntervalInSeconds)), int(val(has.ProbeThreshold))
	}
	return rule
}

// readPools notes the pools of load balancers that are there, for machines that
// shall be in them as soon as they are made.
func (c *Conn) readPools(cl *clients, q resource.Query, l *live) {
	names := map[value.Address]string{}
	for _, d := range q.Declared {
		if d.Kind == VMKind {
			names[d.Address] = asText(argument(d, "name"))
		}
	}
	there := map[string]bool{}
	for _, lb := range l.balancers {
		there[strings.ToLower(text(lb.Name))] = true
	}
	pools := map[string][]string{}
	for _, d := range q.Declared {
		name := strings.ToLower(asText(argument(d, "name")))
		if d.Kind != BalancerKind || d.External || !there[name] {
			continue
		}
		members, _ := argument(d, "backend").(value.List)
		for _, m := range members {
			machine := asText(m)
			if ref, ok := m.(value.Ref); ok {
				machine = names[ref.Address]
			}
			pools[machine] = append(pools[machine], c.place(cl).poolID(name))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pools = pools
}

// poolsOf are the pools that a new machine shall be in.
func (c *Conn) poolsOf(machine string) (out []*armcompute.SubResource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.pools[machine] {
		out = append(out, &armcompute.SubResource{ID: &id})
	}
	return out
}

// forgetPool keeps machines from being born into a pool that goes.
func (c *Conn) forgetPool(pool string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for machine, ids := range c.pools {
		c.pools[machine] = slices.DeleteFunc(ids, func(id string) bool { return sameID(id, pool) })
	}
}
