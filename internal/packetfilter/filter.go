// Package packetfilter is what a network lets through to a machine and from it:
// rules that are around the machine, and not its own.
package packetfilter

import (
	"net/netip"
	"slices"
)

// A Filter is around one machine. A packet has to pass all chains of its direction.
// What belongs to a connection that was let through passes both ways, also after
// the rules have changed.
type Filter struct {
	In, Out []Chain
}

// A Chain is a list of rules: the first one that fits decides, and what none fits is
// dropped.
type Chain []Rule

// A Rule says what happens to packets. What it leaves out fits all.
type Rule struct {
	Allow    bool
	Protocol string  // as /etc/protocols has it: "tcp"
	Remotes  []Range // where the other end is
	// Ports are those that a packet is sent to, and SourcePorts whence; a rule with
	// either is of tcp or udp.
	Ports, SourcePorts []Ports
}

// Ports are all from the first to the last.
type Ports struct{ From, To uint16 }

// Range is the IPv4 addresses from the first to the last.
type Range struct{ From, To netip.Addr }

// A Packet is the first one of a connection.
type Packet struct {
	Protocol         string
	Remote           netip.Addr
	Port, SourcePort uint16
}

// Pass reports whether chains let a packet through.
func Pass(chains []Chain, p Packet) bool {
	for _, c := range chains {
		i := slices.IndexFunc(c, func(r Rule) bool { return r.fits(p) })
		if i < 0 || !c[i].Allow {
			return false
		}
	}
	return true
}

func (r Rule) fits(p Packet) bool {
	at := func(ports []Ports, n uint16) bool {
		return ports == nil || slices.ContainsFunc(ports, func(x Ports) bool { return x.From <= n && n <= x.To })
	}
	return (r.Protocol == "" || r.Protocol == p.Protocol) && at(r.Ports, p.Port) && at(r.SourcePorts, p.SourcePort) &&
		(r.Remotes == nil || slices.ContainsFunc(r.Remotes, func(x Range) bool { return x.Contains(p.Remote) }))
}

// Contains reports whether an address is one of the range.
func (r Range) Contains(a netip.Addr) bool { return r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0 }

var (
	first = netip.AddrFrom4([4]byte{})
	last  = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// RangeOf is the addresses of an IPv4 prefix.
func RangeOf(p netip.Prefix) Range {
	p = p.Masked()
	end := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		end[i/8] |= 0x80 >> (i % 8)
	}
	return Range{p.Addr(), netip.AddrFrom4(end)}
}

// Merged is the same addresses in as few ranges as there can be, sorted. Of none it
// is empty, which is not what a rule leaves out.
func Merged(ranges []Range) []Range {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Range) int { return a.From.Compare(b.From) })
	out := []Range{}
	for _, r := range ranges {
		if n := len(out) - 1; n >= 0 && (out[n].To == last || r.From.Compare(out[n].To.Next()) <= 0) {
			if out[n].To.Less(r.To) {
				out[n].To = r.To
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// Others is all addresses but some. It is never nil.
func Others(ranges []Range) []Range {
	out := []Range{}
	from := first
	for _, r := range Merged(ranges) {
		if from.Less(r.From) {
			out = append(out, Range{from, r.From.Prev()})
		}
		if r.To == last {
			return out
		}
		from = r.To.Next()
	}
	return append(out, Range{from, last})
}
