package emulator

import (
	"slices"
	"strconv"
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
	if err := sameBackend(props); err != nil {
		return err
	}
	if err := oneWayOut(props); err != nil {
		return err
	}
	for _, r := range objects(props, "probes") {
		p := sub(r, "properties")
		if err := checkProbe(r); err != nil {
			return err
		}
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

// sameBackend refuses two rules that send to one port of one pool.
func sameBackend(props object) error {
	taken := map[string]string{}
	for _, r := range objects(props, "loadBalancingRules") {
		p := sub(r, "properties")
		pool := text(p, "backendAddressPool", "id")
		if pool == "" || p["enableFloatingIP"] == true {
			continue
		}
		key := strings.ToLower(text(p, "protocol")+" ") + strconv.Itoa(number(p, "backendPort")) + " " + keyOf(pool)
		if other := taken[key]; other != "" {
			return bad("RulesUseSameBackendPortProtocolAndPool", "Load balancing rules %s and %s with floating IP disabled use the same protocol %s and backend port %d, and must not be used with the same backend address pool %s.", other, text(r, "id"), text(p, "protocol"), number(p, "backendPort"), pool)
		}
		taken[key] = text(r, "id")
	}
	return nil
}

// oneWayOut refuses rules by which machines would go out where an outbound rule says
// how they do.
func oneWayOut(props object) error {
	for _, out := range objects(props, "outboundRules") {
		for _, front := range objects(out, "properties", "frontendIPConfigurations") {
			for _, r := range objects(props, "loadBalancingRules") {
				p := sub(r, "properties")
				if p["disableOutboundSnat"] != true && keyOf(text(p, "frontendIPConfiguration", "id")) == keyOf(text(front, "id")) {
					return bad("LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule", "Load balancing rule %s must disable SNAT since the same frontend IP configuration %s is referenced by outbound rule %s.", text(r, "id"), text(front, "id"), text(out, "id"))
				}
			}
		}
	}
	return nil
}

// checkProbe checks what is asked of machines: a path belongs to HTTP alone.
func checkProbe(probe object) error {
	p := sub(probe, "properties")
	if n := number(p, "port"); n < 1 || n > 65535 {
		return bad("InvalidRequestFormat", "Probe %s needs a port of 1 to 65535.", text(probe, "name"))
	}
	if n, given := p["intervalInSeconds"].(float64); given && n < 5 {
		return bad("InvalidRequestFormat", "Probe %s has an interval of %v seconds; the least is 5.", text(probe, "name"), n)
	}
	if http := !strings.EqualFold(text(p, "protocol"), "Tcp"); http != (text(p, "requestPath") != "") {
		return bad("InvalidRequestFormat", "Probe %s of protocol %s: a request path is required for HTTP and HTTPS, and not allowed otherwise.", text(probe, "name"), text(p, "protocol"))
	}
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
