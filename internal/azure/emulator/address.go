package emulator

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

var dnsLabel = pattern.Of(`^[a-z][a-z0-9-]{1,61}[a-z0-9]$`)

// publicRange is where public addresses are given from, where nothing is reached at
// them: nobody routes there.
var publicRange = netip.MustParsePrefix("198.18.0.0/15")

// putAddress checks a public IP address. A standard one has its address at once,
// and keeps it.
func putAddress(w *write) error {
	b, props := w.rec.Body, w.props()
	delete(props, "ipConfiguration")
	sku := ensure(b, "sku")
	fill(sku, "name", "Basic")
	fill(sku, "tier", "Regional")
	if text(sku, "name") == "Basic" { // retired
		return bad("IPv4BasicSkuPublicIpCountLimitReached", "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.")
	}
	if limit := w.opts.Addresses; w.old == nil && w.count(addressKind, w.rec.location()) >= limit {
		return bad("IPv4StandardSkuPublicIpCountLimitReached", "Cannot create more than %d IPv4 Standard SKU public IP addresses for this subscription in this region.", limit)
	}
	if w.old != nil && text(w.old.Body, "sku", "name") != text(sku, "name") {
		return bad("PublicIpAddressSkuCannotBeChanged", "The sku of public IP address %s cannot be changed.", w.rec.ID)
	}
	fill(props, "publicIPAddressVersion", "IPv4")
	if method := text(props, "publicIPAllocationMethod"); method == "" {
		props["publicIPAllocationMethod"] = "Dynamic"
	}
	if text(props, "publicIPAllocationMethod") != "Static" {
		return bad("StandardSkuPublicIPAddressesMustBeStatic", "Standard sku public IP address %s must have its allocation method set to Static.", w.rec.ID)
	}
	if err := w.keepZones(); err != nil {
		return err
	}
	fill(props, "idleTimeoutInMinutes", float64(4))
	fill(props, "ipTags", []any{})
	fill(props, "ddosSettings", object{"protectionMode": "VirtualNetworkInherited"})
	props["resourceGuid"] = keep(w.was(), "resourceGuid", newID())
	props["ipAddress"] = keep(w.was(), "ipAddress", nil)
	if props["ipAddress"] == nil {
		props["ipAddress"] = w.freePublic()
	}
	return w.putDNS(props)
}

// freePublic is an address that nobody has.
func (t *tx) freePublic() string {
	taken := map[string]bool{}
	for _, key := range t.below("/") {
		taken[text(t.get(key).Body, "properties", "ipAddress")] = true
	}
	a, another := publicRange.Addr().Next(), netip.Addr.Next
	if to, ok := t.opts.Machines.(Balancing); ok {
		a, another = to.Address(), func(netip.Addr) netip.Addr { return to.Address() }
	}
	for taken[a.String()] {
		a = another(a)
	}
	return a.String()
}

// putDNS checks an address's label, which nobody else may have in the location.
func (w *write) putDNS(props object) error {
	dns := sub(props, "dnsSettings")
	label := text(dns, "domainNameLabel")
	if label == "" {
		delete(props, "dnsSettings")
		return nil
	}
	if !dnsLabel().MatchString(label) {
		return bad("InvalidDomainNameLabel", "The domain name label %s is invalid. It must conform to the following regular expression: ^[a-z][a-z0-9-]{1,61}[a-z0-9]$.", label)
	}
	fqdn := label + "." + w.rec.location() + ".cloudapp.azure.com"
	for _, key := range w.below("/") {
		if r := w.get(key); key != w.rec.key() && text(r.Body, "properties", "dnsSettings", "fqdn") == fqdn {
			return bad("DnsRecordInUse", "DNS record %s is already used by another public IP.", fqdn)
		}
	}
	dns["fqdn"] = fqdn
	return nil
}

// keepZones checks zones, which are for ever.
func (w *write) keepZones() error {
	zones := texts(w.rec.Body, "zones")
	if w.old != nil {
		if was := texts(w.old.Body, "zones"); zones != nil && !sameSet(was, zones) {
			return bad("ResourceAvailabilityZonesCannotBeModified", "Resource %s has an existing availability zone constraint %s and the request has availability zone constraint %s, which do not match. Zones cannot be added/updated/removed once the resource is created.", w.rec.ID, strings.Join(was, ", "), strings.Join(zones, ", "))
		} else if was != nil {
			w.rec.Body["zones"] = list(was)
		}
		return nil
	}
	return checkZones(w.kind.name, w.rec.location(), zones)
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// addressUser is the IP configuration that has an address, or "".
func addressUser(t *tx, r *record) string {
	for _, ref := range t.users(r.key()) {
		return ref.From
	}
	return ""
}

func addressInUse(t *tx, r *record) *Failure {
	if user := addressUser(t, r); user != "" {
		return bad("PublicIPAddressCannotBeDeleted", "Public IP address %s can not be deleted since it is still allocated to resource %s. In order to delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.", r.ID, user)
	}
	return nil
}

func renderAddress(t *tx, r *record, body object) {
	if user := addressUser(t, r); user != "" {
		body["properties"].(object)["ipConfiguration"] = object{"id": user}
	}
}

// takeAddress checks that a public address is free for the IP configuration that
// names it.
func (w *write) takeAddress(config object, holder string) error {
	id := text(config, "properties", "publicIPAddress", "id")
	if id == "" {
		return nil
	}
	for _, ref := range w.users(keyOf(id)) {
		if ref.holder != holder {
			return bad("PublicIPAddressInUse", "Resource %s is referencing public IP address %s that is already allocated to resource %s.", text(config, "id"), id, ref.From)
		}
	}
	return nil
}
