package emulator

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// Whatever the rules are, the filter lets through what Azure's documentation says
// of them: of each group the rule of the lowest number that fits decides, and all
// groups have to allow it.
func TestFilterIsTheRules(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	pick := func(from ...string) string { return from[dice.IntN(len(from))] }
	passed, all := 0, 0
	for range 400 {
		v := view{end: netEnd{address: netip.MustParseAddr("192.168.7.2"), subnet: netip.MustParsePrefix("10.0.1.0/24"), public: dice.IntN(2) == 0}}
		v.network = []netEnd{v.end, {address: netip.MustParseAddr("192.168.7.4"), subnet: v.end.subnet}, {address: netip.MustParseAddr("192.168.7.5"), subnet: netip.MustParsePrefix("10.0.2.0/24")}}
		for range dice.IntN(3) {
			var rules []any
			for i := range dice.IntN(6) {
				side := func() string {
					return pick("*", "VirtualNetwork", "Internet", "AzureLoadBalancer", "Storage", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/24", "192.168.7.4", "192.168.7.0/30", "0.0.0.0/0", "9.0.0.0/8")
				}
				ports := func() string { return pick("*", "*", "22", "20-25", "80") }
				p := object{"priority": float64(100 + i), "direction": pick("Inbound", "Outbound"), "access": pick("Allow", "Deny"), "protocol": pick("*", "Tcp", "Udp", "Icmp", "Esp"),
					"sourceAddressPrefix": side(), "destinationAddressPrefix": side(), "sourcePortRange": ports(), "destinationPortRanges": []any{ports(), pick("22", "443")}}
				rules = append(rules, object{"name": fmt.Sprint(i), "properties": p})
			}
			dice.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
			w := &write{kind: kinds[securityKind]}
			v.end.groups = append(v.end.groups, object{"properties": object{"securityRules": rules, "defaultSecurityRules": defaultRules(w)}})
		}
		f := v.filter()
		for range 60 {
			p := packetfilter.Packet{Protocol: pick("tcp", "udp", "icmp", "esp"), Remote: netip.MustParseAddr(pick("192.168.7.1", "192.168.7.4", "192.168.7.5", "168.63.129.16", "9.9.9.9", "10.0.1.7"))}
			if p.Protocol == "tcp" || p.Protocol == "udp" {
				p.Port, p.SourcePort = []uint16{22, 80, 443, 20}[dice.IntN(4)], []uint16{22, 80, 5000}[dice.IntN(3)]
			}
			for direction, chains := range map[string][]packetfilter.Chain{"Inbound": f.In, "Outbound": f.Out} {
				want := v.asDocumented(direction, p)
				all++
				if want {
					passed++
				}
				if got := packetfilter.Pass(chains, p); got != want {
					t.Fatalf("%s %+v passes: %v, want %v\npublic: %v, groups: %v", direction, p, got, want, v.end.public, v.end.groups)
				}
			}
		}
	}
	if passed < all/10 || passed > all*9/10 {
		t.Errorf("of %d packets %d passed: that says little", all, passed)
	}
}

// asDocumented looks at one packet, and at what each rule says of it.
func (v view) asDocumented(direction string, p packetfilter.Packet) bool {
	in := direction == "Inbound"
	member := slices.ContainsFunc(v.network, func(e netEnd) bool { return e.address == p.Remote })
	inNetwork := member || in && !v.end.public
	if len(v.end.groups) == 0 {
		return !in || inNetwork
	}
	if !in && p.Port == 53 {
		return true
	}
	fits := func(given string, remote bool) bool {
		at := v.end
		if remote {
			at = netEnd{address: p.Remote}
			for _, e := range v.network {
				if e.address == p.Remote {
					at = e
				}
			}
		}
		switch given {
		case "*", "0.0.0.0/0":
			return true
		case "VirtualNetwork":
			return !remote || inNetwork
		case "AzureLoadBalancer":
			return remote && p.Remote == platform.From
		case "Internet":
			return remote && !inNetwork && p.Remote != platform.From
		case "Storage":
			return false
		case "192.168.7.4":
			return at.address.String() == given
		}
		prefix := netip.MustParsePrefix(given)
		return prefix.Contains(at.address) || at.subnet.IsValid() && prefix.Overlaps(at.subnet) && prefix.Bits() <= at.subnet.Bits()
	}
	port := func(given []string, n uint16) bool {
		return slices.ContainsFunc(given, func(s string) bool {
			var a, b uint16
			if got, _ := fmt.Sscanf(s, "%d-%d", &a, &b); got == 1 {
				b = a
			}
			return s == "*" || (p.Protocol == "tcp" || p.Protocol == "udp") && a <= n && n <= b
		})
	}
	for _, g := range v.end.groups {
		best, allowed := 1<<20, false
		for _, r := range append(objects(g, "properties", "securityRules"), objects(g, "properties", "defaultSecurityRules")...) {
			q := sub(r, "properties")
			source, destination := fits(text(q, "sourceAddressPrefix"), in), fits(text(q, "destinationAddressPrefix"), !in)
			protocol := map[string]string{"Tcp": "tcp", "Udp": "udp", "Icmp": "icmp", "Esp": "esp", "*": p.Protocol}[text(q, "protocol")]
			to := append(texts(q, "destinationPortRanges"), nonEmpty(text(q, "destinationPortRange"))...)
			if text(q, "direction") == direction && number(q, "priority") < best && source && destination && protocol == p.Protocol && port(to, p.Port) && port([]string{text(q, "sourcePortRange")}, p.SourcePort) {
				best, allowed = number(q, "priority"), text(q, "access") == "Allow"
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}
