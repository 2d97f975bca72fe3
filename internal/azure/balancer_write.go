package azure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// The parts of a load balancer that we make have one name each: one address, one
// pool.
const (
	frontName = "front"
	poolName  = "nodes"
)

const balancerType = "Microsoft.Network/loadBalancers"

// balancerHandler acts on load balancers.
type balancerHandler struct{}

// Create implements [resource.Handler].
func (h balancerHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[BalancerSpec](ctx, rc, r, balancerSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.balancers.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	return h.put(ctx, c, cl, r, spec, armnetwork.LoadBalancer{
		Location:   &c.cfg.Location,
		SKU:        &armnetwork.LoadBalancerSKU{Name: ptr(armnetwork.LoadBalancerSKUNameStandard)},
		Properties: &armnetwork.LoadBalancerPropertiesFormat{},
	})
}

// Update implements [resource.Handler]. A PUT takes away the parts that it does not
// name: those that others made, such as outbound rules, stay as they are.
func (h balancerHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[BalancerSpec](ctx, rc, r, balancerSchema)
	if err != nil {
		return nil, err
	}
	now, err := cl.balancers.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return h.put(ctx, c, cl, r, spec, now.LoadBalancer)
}

func (h balancerHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, spec BalancerSpec, lb armnetwork.LoadBalancer) (*resource.Object, error) {
	ctx = telling(ctx, toProgress(r))
	c.place(cl).compose(lb.Properties, spec)
	lb.Tags = tagsFor(r, lb.Tags, spec.Tags, nil)
	poller, err := cl.balancers.BeginCreateOrUpdate(unchanged(ctx, lb.Etag), c.Group(), spec.Name, lb, nil)
	if _, err := finish(ctx, poller, err); err != nil {
		return nil, err
	}
	pool := c.place(cl).poolID(spec.Name)
	l, err := c.lookMembers(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := l.checkMembers(spec.Backend); err != nil {
		return nil, err
	}
	others, err := c.otherPools(ctx, cl, r.Mark.Project, pool)
	if err != nil {
		return nil, err
	}
	if err := c.fillPool(ctx, cl, l, members{pool, spec.Backend, others}); err != nil {
		return nil, err
	}
	got, err := cl.balancers.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return c.balancerObject(cl, l, &got.LoadBalancer), nil
}

// poolID is the ID of the pool of a load balancer.
func (p place) poolID(balancer string) string {
	return p.full(balancerType, balancer) + "/backendAddressPools/" + poolName
}

// compose puts into a load balancer what a script says of it. What it says nothing of
// stays, of our own parts too.
func (p place) compose(lb *armnetwork.LoadBalancerPropertiesFormat, spec BalancerSpec) {
	self := p.full(balancerType, spec.Name)
	address := p.full(publicIPType, val(spec.PublicIP))
	theirs, rules, probes := foreignFronts(lb, address), lb.LoadBalancingRules, lb.Probes
	lb.LoadBalancingRules, lb.Probes = foreignRules(lb, theirs, spec.Rules)
	front := kept(lb.FrontendIPConfigurations, func(f *armnetwork.FrontendIPConfiguration) *string { return f.Name }, frontName)
	front.Name = ptr(frontName)
	if front.Properties == nil {
		front.Properties = &armnetwork.FrontendIPConfigurationPropertiesFormat{}
	}
	front.Properties.PublicIPAddress = &armnetwork.PublicIPAddress{ID: &address}
	lb.FrontendIPConfigurations = append(theirs, front)
	if !slices.ContainsFunc(lb.BackendAddressPools, func(b *armnetwork.BackendAddressPool) bool { return text(b.Name) == poolName }) {
		lb.BackendAddressPools = append(lb.BackendAddressPools, &armnetwork.BackendAddressPool{Name: ptr(poolName)})
	}
	for _, r := range spec.Rules {
		probe := kept(probes, func(p *armnetwork.Probe) *string { return p.Name }, r.Name)
		layProbe(probe, r)
		lb.Probes = append(lb.Probes, probe)
		rule := kept(rules, func(r *armnetwork.LoadBalancingRule) *string { return r.Name }, r.Name)
		if rule.Properties == nil && goesOutBy(lb, self) {
			rule.Properties = &armnetwork.LoadBalancingRulePropertiesFormat{DisableOutboundSnat: ptr(true)} // Azure wants one or the other
		}
		layRule(rule, r, self)
		lb.LoadBalancingRules = append(lb.LoadBalancingRules, rule)
	}
}

// kept is the part of a load balancer that has a name, or else a new one.
func kept[T any](all []*T, name func(*T) *string, want string) *T {
	if i := slices.IndexFunc(all, func(part *T) bool { return strings.EqualFold(text(name(part)), want) }); i >= 0 {
		return all[i]
	}
	return new(T)
}

func layProbe(probe *armnetwork.Probe, r BalancerRule) {
	probe.Name = ptr(r.Name)
	if probe.Properties == nil {
		probe.Properties = &armnetwork.ProbePropertiesFormat{}
	}
	p := probe.Properties
	p.Protocol, p.Port, p.RequestPath = ptr(armnetwork.ProbeProtocol(capital(r.Probe))), ptr(int32(val(r.ProbePort))), r.ProbePath
	p.IntervalInSeconds, p.ProbeThreshold = ptr(int32(r.ProbeInterval)), ptr(int32(r.ProbeThreshold))
}

// layRule puts into a rule what a script says of it. self is the load balancer's ID.
func layRule(rule *armnetwork.LoadBalancingRule, r BalancerRule, self string) {
	part := func(array, name string) *armnetwork.SubResource {
		return &armnetwork.SubResource{ID: ptr(self + "/" + array + "/" + name)}
	}
	rule.Name = ptr(r.Name)
	if rule.Properties == nil {
		rule.Properties = &armnetwork.LoadBalancingRulePropertiesFormat{}
	}
	p := rule.Properties
	p.Protocol, p.FrontendPort, p.BackendPort = ptr(armnetwork.TransportProtocol(capital(r.Protocol))), ptr(int32(r.Port)), ptr(int32(val(r.BackendPort)))
	p.LoadDistribution, p.IdleTimeoutInMinutes, p.EnableTCPReset = ptr(armnetwork.LoadDistribution(r.Distribution)), ptr(int32(r.IdleTimeout)), ptr(r.TCPReset)
	p.FrontendIPConfiguration, p.BackendAddressPool, p.Probe = part("frontendIPConfigurations", frontName), part("backendAddressPools", poolName), part("probes", r.Name)
}

// goesOutBy reports whether somebody gave our frontend an outbound rule.
func goesOutBy(lb *armnetwork.LoadBalancerPropertiesFormat, self string) bool {
	return slices.ContainsFunc(lb.OutboundRules, func(o *armnetwork.OutboundRule) bool {
		return o.Properties != nil && slices.ContainsFunc(o.Properties.FrontendIPConfigurations, func(f *armnetwork.SubResource) bool {
			return sameID(text(f.ID), self+"/frontendIPConfigurations/"+frontName)
		})
	})
}

// foreignFronts are the frontends that others made: those that have another address.
func foreignFronts(lb *armnetwork.LoadBalancerPropertiesFormat, address string) []*armnetwork.FrontendIPConfiguration {
	theirs := []*armnetwork.FrontendIPConfiguration{}
	for _, f := range lb.FrontendIPConfigurations {
		if has := val(f.Properties).PublicIPAddress; text(f.Name) != frontName && (has == nil || !sameID(text(has.ID), address)) {
			theirs = append(theirs, f)
		}
	}
	return theirs
}

// isBehind reports whether a rule is one of some frontends.
func isBehind(r *armnetwork.LoadBalancingRule, fronts []*armnetwork.FrontendIPConfiguration) bool {
	ref := val(r.Properties).FrontendIPConfiguration
	return ref != nil && slices.ContainsFunc(fronts, func(f *armnetwork.FrontendIPConfiguration) bool { return sameID(text(f.ID), text(ref.ID)) })
}

// foreignRules are the rules of frontends that others made, and the probes that are not
// of our rules alone. A name that the script has is the script's.
func foreignRules(lb *armnetwork.LoadBalancerPropertiesFormat, theirs []*armnetwork.FrontendIPConfiguration, own []BalancerRule) ([]*armnetwork.LoadBalancingRule, []*armnetwork.Probe) {
	named := func(name *string) bool {
		return slices.ContainsFunc(own, func(r BalancerRule) bool { return strings.EqualFold(r.Name, text(name)) })
	}
	rules, probes := []*armnetwork.LoadBalancingRule{}, []*armnetwork.Probe{}
	kept, gone := map[string]bool{}, map[string]bool{} // the probes that rules name
	for _, r := range lb.LoadBalancingRules {
		stays := isBehind(r, theirs) && !named(r.Name)
		if stays {
			rules = append(rules, r)
		}
		if probe := val(r.Properties).Probe; probe != nil && stays {
			kept[strings.ToLower(text(probe.ID))] = true
		} else if probe != nil {
			gone[strings.ToLower(text(probe.ID))] = true
		}
	}
	for _, p := range lb.Probes {
		id := strings.ToLower(text(p.ID))
		if (kept[id] || !gone[id]) && !named(p.Name) {
			probes = append(probes, p)
		}
	}
	return rules, probes
}

// capital is a word as Azure writes it: Tcp, Http.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// lookMembers reads the machines of the group and their interfaces.
func (c *Conn) lookMembers(ctx context.Context, cl *clients) (*live, error) {
	l := &live{}
	errs := make([]error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { l.vms, errs[0] = listVMs(ctx, cl, c.Group()) })
	wg.Go(func() { l.nics, errs[1] = listInterfaces(ctx, cl, c.Group()) })
	wg.Go(func() { l.ips, errs[2] = listPublicIPs(ctx, cl, c.Group()) })
	wg.Wait()
	return l, firstError(errs)
}

// checkMembers finds machines that are not there.
func (l *live) checkMembers(backend []string) error {
	var errs []error
	for _, name := range backend {
		if !slices.ContainsFunc(l.nics, func(n *armnetwork.Interface) bool { return strings.EqualFold(l.machineOf(n), name) }) {
			errs = append(errs, fmt.Errorf("machine %s is not in the resource group, so the load balancer cannot send to it", name))
		}
	}
	return errors.Join(errs...)
}

// Delete implements [resource.Handler]. Its machines leave it first: one that
// machines are in is not let go everywhere.
func (balancerHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	ctx = telling(ctx, toProgress(r))
	pool := c.place(cl).poolID(r.Live.Name)
	c.forgetPool(pool)
	l, err := c.lookMembers(ctx, cl)
	if err != nil {
		return err
	}
	if err := c.fillPool(ctx, cl, l, members{pool: pool}); err != nil {
		return err
	}
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.balancers.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}
