package emulator

import (
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// Filtering is what [Machines] are whose packets really travel.
type Filtering interface {
	// Filter puts a filter around a machine in place of the one that is there. A
	// machine that is gone is no error.
	Filter(ctx context.Context, id string, f packetfilter.Filter) error
}

// protect brings the filters around all machines to what their security groups say
// now, and ends when they hold.
func (e *Emulator) protect(ctx context.Context) error {
	filtering, ok := e.opts.Machines.(Filtering)
	if !ok {
		return nil
	}
	e.filtering.Lock()
	defer e.filtering.Unlock()
	var want map[string]packetfilter.Filter
	_ = e.do(func(t *tx) error { want = t.filters(); return nil })
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if have, ok := e.filters[id]; ok && reflect.DeepEqual(have, want[id]) {
			continue
		}
		if err := filtering.Filter(ctx, id, want[id]); err != nil {
			return err
		}
		e.filters[id] = want[id]
	}
	maps.DeleteFunc(e.filters, func(id string, _ packetfilter.Filter) bool { _, there := want[id]; return !there })
	return nil
}

// workNetwork is what the write of something in a network does to machines.
func workNetwork(ctx context.Context, e *Emulator, op *operation) error {
	if op.Verb == verbDelete {
		return nil // nobody used it
	}
	return e.protect(ctx)
}

// A netEnd is a machine's end of a network.
type netEnd struct {
	address netip.Addr
	subnet  netip.Prefix
	network string // the key of the virtual network
	// public is set where the Internet reaches it.
	public bool
	groups []object // of its subnet and its interface, as packets come in
}

// filters are what is to be around the machines that there are, by their IDs.
func (t *tx) filters() map[string]packetfilter.Filter {
	ends := map[string]netEnd{}
	for _, key := range t.below("/") {
		r := t.get(key)
		if !r.Machine {
			continue
		}
		if end, ok := t.endOf(r); ok {
			ends[key] = end
		}
	}
	out := map[string]packetfilter.Filter{}
	for key, end := range ends {
		v := view{end: end}
		for _, other := range ends {
			if other.network == end.network {
				v.network = append(v.network, other)
			}
		}
		out[key] = v.filter()
	}
	return out
}

// endOf is where the first interface of a machine is.
func (t *tx) endOf(vm *record) (netEnd, bool) {
	nic := t.get(t.primaryNIC(vm))
	if nic == nil {
		return netEnd{}, false
	}
	configs := objects(nic.Body, "properties", "ipConfigurations")
	i := slices.IndexFunc(configs, func(c object) bool { return at(c, "properties", "primary") == true })
	if i < 0 {
		return netEnd{}, false
	}
	p := sub(configs[i], "properties")
	path, err := parsePath(text(p, "subnet", "id"))
	if err != nil {
		return netEnd{}, false
	}
	_, part := t.part(path)
	prefix, err := subnetPrefix(part)
	address, err2 := netip.ParseAddr(text(p, "privateIPAddress"))
	if part == nil || err != nil || err2 != nil {
		return netEnd{}, false
	}
	end := netEnd{address: address, subnet: prefix, network: path.parent().key()}
	end.public = text(p, "publicIPAddress", "id") != "" || len(objects(p, "loadBalancerBackendAddressPools")) > 0
	for _, holder := range []object{part, nic.Body} {
		if g := t.get(keyOf(text(holder, "properties", "networkSecurityGroup", "id"))); g != nil {
			end.groups = append(end.groups, g.Body)
		}
	}
	return end, true
}

// A view is what one machine sees of its network.
type view struct {
	end     netEnd
	network []netEnd // of all machines in it
}

// filter is what security groups make of it: a packet has to pass all of them.
// Without any, what has a public address is closed to the Internet, as addresses of
// the Standard kind are.
func (v view) filter() packetfilter.Filter {
	var f packetfilter.Filter
	for _, g := range v.end.groups {
		f.In = append(f.In, v.chain(g, "Inbound"))
		f.Out = append(f.Out, v.chain(g, "Outbound"))
	}
	if f.In == nil && v.end.public {
		f.In = []packetfilter.Chain{{{Allow: true, Remotes: v.tag("VirtualNetwork", true)}}}
	}
	return f
}

// platform is where Azure itself is, at one address everywhere.
var platform = packetfilter.RangeOf(netip.MustParsePrefix("168.63.129.16/32"))

// chain is a group's rules of one direction, in their order.
func (v view) chain(group object, direction string) packetfilter.Chain {
	var rules []object
	for _, list := range []string{"securityRules", "defaultSecurityRules"} {
		for _, r := range objects(group, "properties", list) {
			if p := sub(r, "properties"); text(p, "direction") == direction {
				rules = append(rules, p)
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b object) int { return number(a, "priority") - number(b, "priority") })
	chain := packetfilter.Chain{}
	own, remote := "destination", "source"
	if direction == "Outbound" {
		own, remote = remote, own
		// Names are looked up at Azure's own servers, to which no rule applies.
		chain = append(chain, packetfilter.Rule{Allow: true, Protocol: "udp", Ports: []packetfilter.Ports{{From: 53, To: 53}}}, packetfilter.Rule{Allow: true, Protocol: "tcp", Ports: []packetfilter.Ports{{From: 53, To: 53}}})
	}
	for _, p := range rules {
		if !v.isOwn(sideOf(p, own, "Address", "Prefix")) {
			continue
		}
		r := packetfilter.Rule{
			Allow: text(p, "access") == "Allow", Remotes: v.remotes(sideOf(p, remote, "Address", "Prefix"), direction == "Inbound"),
			Ports: portsOf(sideOf(p, "destination", "Port", "Range")), SourcePorts: portsOf(sideOf(p, "source", "Port", "Range")),
		}
		for _, r.Protocol = range protocolsOf(text(p, "protocol"), r) {
			chain = append(chain, r)
		}
	}
	return chain
}

// sideOf is what a rule says of one side, in one property or in several.
func sideOf(p object, side, what, unit string) []string {
	plural := unit + "es"
	if unit == "Range" {
		plural = "Ranges"
	}
	return append(texts(p, side+what+plural), nonEmpty(text(p, side+what+unit))...)
}

// protocolsOf are a rule's protocols: only two have ports.
func protocolsOf(name string, r packetfilter.Rule) []string {
	switch {
	case name != "*":
		name = strings.ToLower(name)
		if name != "tcp" && name != "udp" && (r.Ports != nil || r.SourcePorts != nil) {
			return nil
		}
		return []string{name}
	case r.Ports != nil || r.SourcePorts != nil:
		return []string{"tcp", "udp"}
	}
	return []string{""}
}

// portsOf reads ports; nil are all.
func portsOf(ranges []string) []packetfilter.Ports {
	out := []packetfilter.Ports{}
	for _, s := range ranges {
		if s == "*" {
			return nil
		}
		low, high, isRange := strings.Cut(s, "-")
		if !isRange {
			high = low
		}
		from, _ := strconv.ParseUint(low, 10, 16) // were checked
		to, _ := strconv.ParseUint(high, 10, 16)
		out = append(out, packetfilter.Ports{From: uint16(from), To: uint16(to)})
	}
	return out
}

// everywhere reports whether an address of a rule is no limit.
func everywhere(s string) bool {
	return s == "*" || strings.EqualFold(s, "Any") || s == "0.0.0.0/0"
}

// isOwn reports whether some of a rule's addresses are the machine's own: the one
// that it has, or where Azure would have given it one.
func (v view) isOwn(addresses []string) bool {
	return slices.ContainsFunc(addresses, func(s string) bool {
		p, isPrefix := prefixOf(s)
		return everywhere(s) || strings.EqualFold(s, "VirtualNetwork") || isPrefix && v.end.in(p)
	})
}

// in reports whether an address range is meant for a machine. The subnet is
// Azure's; the address is that of the computer where the machine really is.
func (e netEnd) in(p netip.Prefix) bool {
	return p.Contains(e.address) || p.Bits() <= e.subnet.Bits() && p.Contains(e.subnet.Addr())
}

func prefixOf(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, p.Addr().Is4()
	}
	a, err := netip.ParseAddr(s)
	return netip.PrefixFrom(a, 32), err == nil && a.Is4()
}

// remotes are a rule's addresses of the other end; nil are all.
func (v view) remotes(addresses []string, inbound bool) []packetfilter.Range {
	out := []packetfilter.Range{}
	for _, s := range addresses {
		p, isPrefix := prefixOf(s)
		switch {
		case everywhere(s):
			return nil
		case !isPrefix:
			tagged := v.tag(s, inbound)
			if tagged == nil {
				return nil
			}
			out = append(out, tagged...)
			continue
		}
		out = append(out, packetfilter.RangeOf(p))
		for _, other := range v.network {
			if other.in(p) {
				out = append(out, packetfilter.RangeOf(netip.PrefixFrom(other.address, 32)))
			}
		}
	}
	return packetfilter.Merged(out)
}

// tag is where a service tag is; nil is everywhere, and of services of Azure it is
// nowhere. What comes to a machine that the Internet does not reach comes from its
// network: the computer that the emulator is on too, as through a gateway.
func (v view) tag(name string, inbound bool) []packetfilter.Range {
	hidden := inbound && !v.end.public
	network := []packetfilter.Range{}
	for _, other := range v.network {
		network = append(network, packetfilter.RangeOf(netip.PrefixFrom(other.address, 32)))
	}
	switch {
	case strings.EqualFold(name, "VirtualNetwork") && hidden:
		return nil
	case strings.EqualFold(name, "VirtualNetwork"):
		return packetfilter.Merged(network)
	case strings.EqualFold(name, "Internet") && !hidden:
		return packetfilter.Others(append(network, platform))
	case strings.EqualFold(name, "AzureLoadBalancer"):
		return []packetfilter.Range{platform}
	}
	return []packetfilter.Range{}
}
