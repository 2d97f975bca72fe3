package packetfilter

import (
	"fmt"
	"strings"
)

// The chains that [Filter.Restore] fills: what comes to the machine has to be sent
// to the first, and what leaves it to the second, before anything of the machine's
// own changes it.
const (
	InChain  = "around-in"
	OutChain = "around-out"
)

// Restore is the filter as iptables-restore(8) takes it, beside what else is in the
// table mangle: that one sees packets before their addresses are translated, and
// after the kernel knows which connection they are of.
func (f Filter) Restore() string {
	var declared, rules strings.Builder
	way := func(name, direction, end string, chains []Chain) {
		fmt.Fprintf(&declared, ":%s - [0:0]\n", name)
		fmt.Fprintf(&rules, "-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n", name)
		// What came encrypted, or is about to be, is seen as ESP too.
		fmt.Fprintf(&rules, "-A %s -m policy --dir %s --pol ipsec -j RETURN\n", name, direction)
		for i, c := range chains {
			own := fmt.Sprintf("%s-%d", name, i+1)
			fmt.Fprintf(&declared, ":%s - [0:0]\n", own)
			fmt.Fprintf(&rules, "-A %s -j %s\n", name, own)
			for _, r := range c {
				for _, match := range r.matches(end) {
					fmt.Fprintf(&rules, "-A %s%s -j %s\n", own, match, target(r.Allow))
				}
			}
			fmt.Fprintf(&rules, "-A %s -j %s\n", own, target(false))
		}
	}
	way(InChain, "in", "src", f.In)
	way(OutChain, "out", "dst", f.Out)
	return "*mangle\n" + declared.String() + rules.String() + "COMMIT\n"
}

func target(allow bool) string {
	if allow {
		return "RETURN" // the next chain has its say
	}
	return "DROP"
}

// matches is what of iptables fits what the rule does, each of it by itself.
func (r Rule) matches(end string) []string {
	protocol := ""
	if r.Protocol != "" {
		protocol = " -p " + r.Protocol
	}
	out := each([]string{protocol}, r.Remotes, func(x Range) string { return fmt.Sprintf(" -m iprange --%s-range %s-%s", end, x.From, x.To) })
	out = each(out, r.SourcePorts, func(x Ports) string { return fmt.Sprintf(" --sport %d:%d", x.From, x.To) })
	return each(out, r.Ports, func(x Ports) string { return fmt.Sprintf(" --dport %d:%d", x.From, x.To) })
}

// each completes matches by each of some values, where there are any: nil fits all,
// and an empty list nothing.
func each[T any](matches []string, values []T, text func(T) string) []string {
	if values == nil {
		return matches
	}
	var out []string
	for _, m := range matches {
		for _, v := range values {
			out = append(out, m+text(v))
		}
	}
	return out
}
