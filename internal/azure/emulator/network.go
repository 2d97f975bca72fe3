package emulator

import (
	"net/netip"
	"slices"
	"strings"
)

// putNetwork checks a virtual network and its subnets. Subnets that are left out of
// a PUT are removed, as Azure does.
func putNetwork(w *write) error {
	props, name := w.props(), w.rec.path().name()
	spaces, err := prefixes(texts(props, "addressSpace", "addressPrefixes"))
	if err != nil {
		return err
	}
	if len(spaces) == 0 {
		return bad("VnetAddressSpaceNotSpecified", "Address space of virtual network %s is not specified.", name)
	}
	var all []subnet
	for _, s := range objects(props, "subnets") {
		tidySubnet(s)
		prefix, err := subnetPrefix(s)
		if err != nil {
			return err
		}
		if !within(prefix, spaces) {
			return bad("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s'.", text(s, "name"), name)
		}
		for _, o := range all {
			if o.prefix.Overlaps(prefix) {
				return bad("NetcfgSubnetRangesOverlap", "Subnet '%s' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '%s'.", text(s, "name"), name)
			}
		}
		all = append(all, subnet{s, prefix})
	}
	if err := w.keepSubnets(all); err != nil {
		return err
	}
	fill(props, "enableDdosProtection", false)
	fill(props, "virtualNetworkPeerings", []any{})
	props["resourceGuid"] = keep(w.was(), "resourceGuid", newID())
	props["subnets"] = list(objects(props, "subnets"))
	return nil
}

type subnet struct {
	object
	prefix netip.Prefix
}

// keepSubnets refuses to remove or to move subnets that are used.
func (w *write) keepSubnets(now []subnet) error {
	for _, old := range objects(w.was(), "subnets") {
		id := text(old, "id")
		user := w.userOf(keyOf(id), nicKind)
		if user == "" {
			user = w.userOf(keyOf(id), balancerKind)
		}
		if user == "" {
			continue
		}
		before, err := subnetPrefix(old)
		if err != nil {
			return err
		}
		found := false
		for _, s := range now {
			if !strings.EqualFold(text(s.object, "name"), text(old, "name")) {
				continue
			}
			if found = true; s.prefix != before {
				return bad("InUseSubnetCannotBeUpdated", "Subnet %s is in use and cannot be updated.", text(old, "name"))
			}
		}
		if !found {
			return subnetInUse(text(old, "name"), user)
		}
	}
	return nil
}

func subnetInUse(name, user string) *Failure {
	return bad("InUseSubnetCannotBeDeleted", "Subnet %s is in use by %s and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.", name, user)
}

// tidySubnet leaves out what Azure computes, and adds what it does.
func tidySubnet(s object) {
	p := ensure(s, "properties")
	for _, k := range []string{"ipConfigurations", "purpose", "resourceNavigationLinks", "serviceAssociationLinks", "provisioningState"} {
		delete(p, k)
	}
	onlyID(p, "networkSecurityGroup", "natGateway", "routeTable")
	fill(p, "delegations", []any{})
	fill(p, "privateEndpointNetworkPolicies", "Disabled")
	fill(p, "privateLinkServiceNetworkPolicies", "Enabled")
}

// onlyID cuts references down to what they are kept as.
func onlyID(o object, keys ...string) {
	for _, k := range keys {
		if r, ok := o[k].(object); ok {
			o[k] = object{"id": text(r, "id")}
		}
	}
}

// keep is what a property was, or else a new value: for what is given once.
func keep(was object, key string, fresh any) any {
	if v := was[key]; v != nil {
		return clone(v)
	}
	return fresh
}

// subnetPrefix is the IPv4 range of a subnet, beside which it can have one of IPv6.
func subnetPrefix(s object) (netip.Prefix, error) {
	all := texts(s, "properties", "addressPrefixes")
	if one := text(s, "properties", "addressPrefix"); one != "" {
		all = []string{one}
	}
	ps, err := prefixes(all)
	if err != nil {
		return netip.Prefix{}, err
	}
	v4 := slices.DeleteFunc(slices.Clone(ps), func(p netip.Prefix) bool { return !p.Addr().Is4() })
	if len(v4) != 1 || len(ps) > 2 {
		return netip.Prefix{}, bad("InvalidRequestFormat", "Subnet '%s' needs one IPv4 address prefix, and has one of IPv6 at most.", text(s, "name"))
	}
	return v4[0], nil
}

func prefixes(all []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range all {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() || p.Addr().Is4() && p.Bits() > 29 {
			return nil, bad("InvalidAddressPrefixFormat", "Address prefix %s of resource is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24, with no bits set after the prefix, and not be smaller than /29.", s)
		}
		out = append(out, p)
	}
	return out, nil
}

func within(p netip.Prefix, spaces []netip.Prefix) bool {
	for _, s := range spaces {
		if s.Contains(p.Addr()) && s.Bits() <= p.Bits() {
			return true
		}
	}
	return false
}

func networkInUse(t *tx, r *record) *Failure {
	for _, s := range objects(r.Body, "properties", "subnets") {
		for _, ref := range t.users(keyOf(text(s, "id"))) {
			return subnetInUse(text(s, "name"), ref.From)
		}
	}
	return nil
}

// renderNetwork adds who has addresses in subnets.
func renderNetwork(t *tx, r *record, body object) {
	for _, s := range objects(body, "properties", "subnets") {
		settle(r, s)
		backReferences(t, s, "ipConfigurations", nicKind, balancerKind)
	}
}

// settle shows that a part is as far as the whole.
func settle(r *record, part object) {
	ensure(part, "properties")["provisioningState"] = at(r.Body, "properties", "provisioningState")
}

// backReferences lists who of some kinds refers to something, where there are any.
func backReferences(t *tx, o object, key string, of ...string) {
	var out []any
	for _, ref := range t.users(keyOf(text(o, "id"))) {
		p, err := parsePath(ref.holder)
		for _, kind := range of {
			if err == nil && p.kind() == kind {
				out = append(out, object{"id": ref.From})
			}
		}
	}
	if out != nil {
		ensure(o, "properties")[key] = out
	}
}
