package emulator

import (
	"net/netip"
	"strings"
)

// putNIC checks a network interface, and gives its configurations addresses.
func putNIC(w *write) error {
	props := w.props()
	for _, k := range []string{"virtualMachine", "hostedWorkloads", "tapConfigurations", "macAddress", "primary"} {
		delete(props, k)
	}
	configs := objects(props, "ipConfigurations")
	if len(configs) == 0 {
		return bad("NetworkInterfaceMustHaveAtLeastOneIpConfiguration", "Network interface %s must have one or more IP configurations.", w.rec.ID)
	}
	onlyID(props, "networkSecurityGroup")
	var primaries int
	for i, c := range configs {
		p := ensure(c, "properties")
		delete(p, "provisioningState")
		onlyID(p, "subnet")
		tidyAddress(p)
		for _, pool := range objects(p, "loadBalancerBackendAddressPools") {
			for k := range pool {
				if k != "id" {
					delete(pool, k)
				}
			}
		}
		fill(p, "privateIPAddressVersion", "IPv4")
		fill(p, "primary", i == 0 && len(configs) == 1)
		if p["primary"] == true {
			primaries++
		}
		if err := w.takeAddress(c, w.rec.key()); err != nil {
			return err
		}
		if err := w.addressIn(c); err != nil {
			return err
		}
	}
	if primaries != 1 {
		return bad("NoPrimaryIpConfigurationForNic", "Network interface %s must have one primary IP configuration, and has %d.", w.rec.ID, primaries)
	}
	if err := w.oneBalancer(configs); err != nil {
		return err
	}
	fill(props, "enableAcceleratedNetworking", false)
	fill(props, "enableIPForwarding", false)
	fill(props, "disableTcpStateTracking", false)
	fill(props, "auxiliaryMode", "None")
	fill(props, "dnsSettings", object{"dnsServers": []any{}, "appliedDnsServers": []any{}})
	props["nicType"] = "Standard"
	props["vnetEncryptionSupported"] = false
	props["resourceGuid"] = keep(w.was(), "resourceGuid", newID())
	return nil
}

// oneBalancer refuses an interface that two load balancers of one type send to.
func (w *write) oneBalancer(configs []object) error {
	used := map[string]string{}
	for _, c := range configs {
		for _, pool := range objects(c, "properties", "loadBalancerBackendAddressPools") {
			p, err := parsePath(text(pool, "id"))
			if err != nil || len(p.Types) != 2 {
				continue // which the check of references says
			}
			lb := w.get(p.parent().key())
			if lb == nil {
				continue
			}
			kind := "Internal"
			for _, f := range objects(lb.Body, "properties", "frontendIPConfigurations") {
				if text(f, "properties", "publicIPAddress", "id") != "" {
					kind = "Public"
				}
			}
			if other := used[kind]; other != "" && other != lb.ID {
				return bad("NetworkInterfaceUsesMultipleLoadBalancersOfSameType", "Network interface %s uses load balancers %s and %s of the same type %s. A network interface can use at most one load balancer of type Public and one load balancer of type Internal.", w.rec.ID, other, lb.ID, kind)
			}
			used[kind] = lb.ID
		}
	}
	return nil
}

// tidyAddress keeps of a public address's reference what says when it goes.
func tidyAddress(p object) {
	ref := sub(p, "publicIPAddress")
	if ref == nil {
		return
	}
	kept := object{"id": text(ref, "id")}
	if option := text(ref, "properties", "deleteOption"); option != "" {
		kept["properties"] = object{"deleteOption": option}
	}
	p["publicIPAddress"] = kept
}

// addressIn gives a configuration its private address: the one that it had, the one
// that it asks for, or the next that is free.
func (w *write) addressIn(c object) error {
	p := sub(c, "properties")
	id := text(p, "subnet", "id")
	sp, err := parsePath(id)
	if err != nil || len(sp.Types) != 2 {
		return bad("SubnetNotSpecified", "IP configuration %s needs a subnet.", text(c, "id"))
	}
	_, net := w.part(sp)
	if net == nil || w.get(sp.parent().key()).location() != w.rec.location() {
		return errReference(text(c, "id"), id)
	}
	prefix, err := subnetPrefix(net)
	if err != nil {
		return err
	}
	taken := map[string]string{}
	for _, ref := range w.users(sp.key()) {
		if ref.holder == w.rec.key() {
			continue
		}
		rp, _ := parsePath(ref.From)
		if _, other := w.part(rp); other != nil {
			taken[text(other, "properties", "privateIPAddress")] = ref.From
		}
	}
	for _, other := range objects(w.props(), "ipConfigurations") {
		if text(other, "name") != text(c, "name") {
			taken[text(other, "properties", "privateIPAddress")] = text(other, "id")
		}
	}
	old := named(objects(w.was(), "ipConfigurations"), text(c, "name"))
	fill(p, "privateIPAllocationMethod", "Dynamic")
	if text(p, "privateIPAllocationMethod") == "Static" {
		return checkStatic(text(p, "privateIPAddress"), prefix, taken, text(old, "properties", "privateIPAddress"))
	}
	if old != nil && strings.EqualFold(text(old, "properties", "subnet", "id"), id) {
		p["privateIPAddress"] = text(old, "properties", "privateIPAddress")
		return nil
	}
	a := prefix.Addr().Next().Next().Next().Next() // Azure has the first ones itself
	for taken[a.String()] != "" {
		a = a.Next()
	}
	if !prefix.Contains(a.Next()) { // the last one is for broadcasts
		return bad("SubnetIsFull", "Subnet %s with address prefix %s does not have enough capacity for 1 IP addresses.", text(net, "name"), prefix)
	}
	p["privateIPAddress"] = a.String()
	return nil
}

func checkStatic(given string, prefix netip.Prefix, taken map[string]string, had string) error {
	a, err := netip.ParseAddr(given)
	switch {
	case given != "" && given == had: // as it was given
	case err != nil || !prefix.Contains(a):
		return bad("PrivateIPAddressNotInSubnet", "Private static IP address %s does not belong to the range of subnet prefix %s.", given, prefix)
	case taken[a.String()] != "":
		return bad("PrivateIPAddressInUse", "Private IP address %s is already allocated to resource %s.", given, taken[a.String()])
	case a.Compare(prefix.Addr().Next().Next().Next().Next()) < 0:
		return bad("PrivateIPAddressInReservedRange", "Private static IP address %s falls within reserved IP range of subnet prefix %s.", given, prefix)
	}
	return nil
}

func nicInUse(t *tx, r *record) *Failure {
	if vm := t.userOf(r.key(), vmKind); vm != "" {
		return bad("NicInUse", "Network Interface %s is used by existing resource %s. In order to delete the network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.", r.ID, vm)
	}
	return nil
}

// dropNIC removes an interface whose machine goes, with the public addresses that
// go with the machine too.
func dropNIC(t *tx, r *record) {
	var gone []string
	for _, c := range objects(r.Body, "properties", "ipConfigurations") {
		if ref := sub(c, "properties", "publicIPAddress"); text(ref, "properties", "deleteOption") == "Delete" {
			gone = append(gone, keyOf(text(ref, "id")))
		}
	}
	t.remove(r.key())
	for _, key := range gone {
		t.remove(key)
	}
}

func renderNIC(t *tx, r *record, body object) {
	props := body["properties"].(object)
	for _, c := range objects(props, "ipConfigurations") {
		settle(r, c)
	}
	if vm := t.userOf(r.key(), vmKind); vm != "" {
		props["virtualMachine"] = object{"id": vm}
		props["primary"] = true
		props["macAddress"] = macOf(r.ID)
	}
}
