package emulator

import (
	"slices"
	"strings"
)

// putBalancer checks a load balancer. Its parts name each other by their IDs.
func putBalancer(w *write) error {
	b, props := w.rec.Body, w.props()
	sku := ensure(b, "sku")
	fill(sku, "name", "Basic")
	fill(sku, "tier", "Regional")
	if text(sku, "name") == "Basic" { // retired
		return bad("BasicSkuLoadBalancerNotSupported", "Load balancer %s: Basic SKU load balancers are retired; use Standard.", w.rec.ID)
	}
	for array := range w.kind.arrays() {
		fill(props, array, []any{})
		for _, p := range objects(props, array) {
			inner := ensure(p, "properties")
			for _, k := range []string{"provisioningState", "backendIPConfigurations", "backendIPConfiguration"} {
				delete(inner, k)
			}
			if array != "loadBalancingRules" { // computed
				delete(inner, "loadBalancingRules")
			}
		}
	}
	for _, f := range objects(props, "frontendIPConfigurations") {
		p := sub(f, "properties")
		onlyID(p, "subnet")
		tidyAddress(p)
		if text(p, "publicIPAddress", "id") == "" && text(p, "subnet", "id") == "" {
			return bad("LoadBalancerFrontendIPConfigurationMustReferenceSubnetOrPublicIp", "Frontend IP configuration %s needs a public IP address or a subnet.", text(f, "id"))
		}
		fill(p, "privateIPAllocationMethod", "Dynamic")
		if err := w.takeAddress(f, w.rec.key()); err != nil {
			return err
		}
	}
	for _, r := range objects(props, "loadBalancingRules") {
		if err := checkBalancing(r); err != nil {
			return err
		}
	}
	for _, r := range objects(props, "probes") {
		p := sub(r, "properties")
		fill(p, "intervalInSeconds", float64(15))
		fill(p, "numberOfProbes", float64(2))
		fill(p, "probeThreshold", float64(1))
	}
	props["resourceGuid"] = keep(w.was(), "resourceGuid", newID())
	w.leavePools(objects(w.was(), "backendAddressPools"), objects(props, "backendAddressPools"))
	return nil
}

func checkBalancing(r object) error {
	p := sub(r, "properties")
	for _, k := range []string{"frontendPort", "backendPort"} {
		if n, given := p[k].(float64); !given || n < 0 || n > 65535 {
			return bad("InvalidRequestFormat", "Load balancing rule %s needs a %s of 0 to 65535.", text(r, "name"), k)
		}
	}
	if text(p, "frontendIPConfiguration", "id") == "" {
		return bad("LoadBalancingRuleMustReferenceFrontendIPConfiguration", "Load balancing rule %s needs a frontend IP configuration.", text(r, "id"))
	}
	fill(p, "idleTimeoutInMinutes", float64(4))
	fill(p, "enableFloatingIP", false)
	fill(p, "enableTcpReset", false)
	fill(p, "disableOutboundSnat", false)
	fill(p, "loadDistribution", "Default")
	return nil
}

// leavePools lets interfaces go from pools that are removed.
func (t *tx) leavePools(old, now []object) {
	for _, pool := range old {
		if named(now, text(pool, "name")) != nil {
			continue
		}
		id := text(pool, "id")
		for _, ref := range t.users(keyOf(id)) {
			nic := t.edit(ref.holder)
			if nic == nil || nic.path().kind() != nicKind {
				continue
			}
			for _, c := range objects(nic.Body, "properties", "ipConfigurations") {
				p := sub(c, "properties")
				p["loadBalancerBackendAddressPools"] = list(slices.DeleteFunc(objects(p, "loadBalancerBackendAddressPools"), func(o object) bool {
					return strings.EqualFold(text(o, "id"), id)
				}))
			}
			t.touch(nic)
		}
	}
}

// dropBalancer lets all interfaces go.
func dropBalancer(t *tx, r *record) {
	t.leavePools(objects(r.Body, "properties", "backendAddressPools"), nil)
}

func renderBalancer(t *tx, r *record, body object) {
	for array := range kinds[balancerKind].arrays() {
		for _, p := range objects(body, "properties", array) {
			settle(r, p)
			backReferences(t, p, "backendIPConfigurations", nicKind)
			if array == "backendAddressPools" || array == "frontendIPConfigurations" || array == "probes" {
				backReferences(t, p, "loadBalancingRules", balancerKind)
			}
		}
	}
}
