package emulator

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// putSecurity checks the rules of a network security group.
func putSecurity(w *write) error {
	props := w.props()
	for _, k := range []string{"networkInterfaces", "subnets", "defaultSecurityRules", "flowLogs"} {
		delete(props, k)
	}
	var seen []object
	for _, rule := range objects(props, "securityRules") {
		p := ensure(rule, "properties")
		delete(p, "provisioningState")
		if err := checkRule(rule); err != nil {
			return err
		}
		for _, o := range seen {
			if number(o, "properties", "priority") == number(p, "priority") && strings.EqualFold(text(o, "properties", "direction"), text(p, "direction")) {
				return bad("SecurityRuleConflict", "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction.", text(rule, "name"), text(o, "name"))
			}
		}
		for _, k := range []string{"destinationAddressPrefixes", "destinationPortRanges", "sourceAddressPrefixes", "sourcePortRanges"} {
			fill(p, k, []any{})
		}
		seen = append(seen, rule)
	}
	props["securityRules"] = list(seen)
	props["resourceGuid"] = keep(w.was(), "resourceGuid", newID())
	props["defaultSecurityRules"] = defaultRules(w)
	return nil
}

// What a rule's fields may be.
var (
	ruleWords = map[string][]string{
		"access": {"Allow", "Deny"}, "direction": {"Inbound", "Outbound"}, "protocol": {"Tcp", "Udp", "Icmp", "Esp", "Ah", "*"},
	}
	serviceTag = pattern.Of(`^(\*|Any|[A-Z][A-Za-z]+(\.[A-Za-z0-9]+)?)$`)
)

func checkRule(rule object) error {
	p, name := sub(rule, "properties"), text(rule, "name")
	for _, field := range []string{"access", "direction", "protocol"} {
		given := text(p, field)
		i := slices.IndexFunc(ruleWords[field], func(w string) bool { return strings.EqualFold(w, given) })
		if i < 0 {
			return bad("SecurityRuleInvalidParameter", "Security rule %s has invalid value '%s' for %s: allowed values are %s.", name, given, field, strings.Join(ruleWords[field], ", "))
		}
		p[field] = ruleWords[field][i]
	}
	if n := number(p, "priority"); n < 100 || n > 4096 {
		return bad("SecurityRuleInvalidPriority", "Security rule has invalid priority. Priority value %d provided for rule %s is out of range: it should be between 100 and 4096.", n, name)
	}
	for _, side := range []string{"source", "destination"} {
		if err := checkSide(p, name, side); err != nil {
			return err
		}
	}
	return nil
}

func checkSide(p object, name, side string) error {
	ports := append(texts(p, side+"PortRanges"), nonEmpty(text(p, side+"PortRange"))...)
	addresses := append(texts(p, side+"AddressPrefixes"), nonEmpty(text(p, side+"AddressPrefix"))...)
	if len(ports) == 0 || len(addresses) == 0 && objects(p, side+"ApplicationSecurityGroups") == nil {
		return bad("SecurityRuleParameterNotSpecified", "Required security rule parameters are missing for security rule with Identifier: %s: it needs a %s port range and a %s address prefix.", name, side, side)
	}
	for _, s := range ports {
		if !validPorts(s) {
			return bad("SecurityRuleInvalidPortRange", "Security rule has invalid Port range. Value provided: %s. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535.", s)
		}
	}
	for _, s := range addresses {
		_, errPrefix := netip.ParsePrefix(s)
		_, errAddress := netip.ParseAddr(s)
		if errPrefix != nil && errAddress != nil && !serviceTag().MatchString(s) {
			return bad("SecurityRuleInvalidAddressPrefix", "Security rule %s has invalid Address prefix. Value provided: %s.", name, s)
		}
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func validPorts(s string) bool {
	if s == "*" {
		return true
	}
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	a, err := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	return err == nil && err2 == nil && a <= b
}

// defaultRules are those that each group has, below all others.
func defaultRules(w *write) []any {
	var out []any
	for _, r := range []struct {
		name, source, destination, direction, access string
		priority                                     int
	}{
		{"AllowVnetInBound", "VirtualNetwork", "VirtualNetwork", "Inbound", "Allow", 65000},
		{"AllowAzureLoadBalancerInBound", "AzureLoadBalancer", "*", "Inbound", "Allow", 65001},
		{"DenyAllInBound", "*", "*", "Inbound", "Deny", 65500},
		{"AllowVnetOutBound", "VirtualNetwork", "VirtualNetwork", "Outbound", "Allow", 65000},
		{"AllowInternetOutBound", "*", "Internet", "Outbound", "Allow", 65001},
		{"DenyAllOutBound", "*", "*", "Outbound", "Deny", 65500},
	} {
		out = append(out, object{
			"id": w.path.child("defaultSecurityRules", r.name).id(), "name": r.name, "type": w.kind.name + "/defaultSecurityRules",
			"properties": object{
				"provisioningState": succeeded, "protocol": "*", "sourcePortRange": "*", "destinationPortRange": "*",
				"sourceAddressPrefix": r.source, "destinationAddressPrefix": r.destination, "access": r.access, "priority": float64(r.priority), "direction": r.direction,
			},
		})
	}
	return out
}

func securityInUse(t *tx, r *record) *Failure {
	var users []string
	for _, ref := range t.users(r.key()) {
		users = append(users, ref.From)
	}
	if users == nil {
		return nil
	}
	return bad("InUseNetworkSecurityGroupCannotBeDeleted", "Network security group %s cannot be deleted because it is in use by the following resources: %s. In order to delete the Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg.", r.ID, strings.Join(users, ", "))
}

func renderSecurity(t *tx, r *record, body object) {
	for _, rule := range objects(body, "properties", "securityRules") {
		settle(r, rule)
	}
	backReferences(t, body, "networkInterfaces", nicKind)
	backReferences(t, body, "subnets", networkKind)
}
