package debian

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ufwRule is a rule of ufw's.
type ufwRule struct {
	action, proto, dport, dst, sport, src, direction, device, comment string
}

const (
	anyAddress  = "0.0.0.0/0"
	anyAddress6 = "::/0"
)

// tuple is a rule as ufw's files keep it.
func (r ufwRule) tuple() string {
	d := r.direction
	if r.device != "" {
		d += "_" + r.device
	}
	text := strings.Join([]string{r.action, r.proto, r.dport, r.dst, r.sport, r.src, d}, " ")
	if r.comment != "" {
		text += " comment=" + hex.EncodeToString([]byte(r.comment))
	}
	return text
}

// about is all of a rule but what it does and says.
func (r ufwRule) about() string {
	r.action, r.comment = "", ""
	return r.tuple()
}

func (r ufwRule) v6() bool { return strings.Contains(r.src, ":") || strings.Contains(r.dst, ":") }

// readTuple reads a line of ufw's files.
func readTuple(line string) (r ufwRule, ok bool) {
	w := strings.Fields(line)
	if n := len(w); n > 0 && strings.HasPrefix(w[n-1], "comment=") {
		b, err := hex.DecodeString(strings.TrimPrefix(w[n-1], "comment="))
		if err != nil {
			return r, false
		}
		r.comment, w = string(b), w[:n-1]
	}
	if len(w) != 7 {
		return r, false
	}
	r.action, r.proto, r.dport, r.dst, r.sport, r.src = w[0], w[1], w[2], w[3], w[4], w[5]
	r.direction, r.device, _ = strings.Cut(w[6], "_")
	return r, true
}

// lines are the rules of iptables that a rule is.
func (r ufwRule) lines(prefix string) (out []string) {
	to := "-A " + prefix + "-user-" + map[string]string{"in": "input", "out": "output"}[r.direction]
	if r.device != "" {
		to += map[string]string{"in": " -i ", "out": " -o "}[r.direction] + r.device
	}
	protos := []string{r.proto}
	if r.proto == "any" && (r.dport != "any" || r.sport != "any") {
		protos = []string{"tcp", "udp"}
	}
	for _, proto := range protos {
		match := to
		if proto != "any" {
			match += " -p " + proto
		}
		if ports := r.dport + r.sport; strings.ContainsAny(ports, ",:") {
			match += " -m multiport"
		}
		plural := func(option, ports string) string {
			if ports == "any" {
				return ""
			}
			if strings.ContainsAny(r.dport+r.sport, ",:") {
				option += "s"
			}
			return " " + option + " " + ports
		}
		if r.dst != anyAddress && r.dst != anyAddress6 {
			match += " -d " + r.dst
		}
		match += plural("--dport", r.dport)
		if r.src != anyAddress && r.src != anyAddress6 {
			match += " -s " + r.src
		}
		match += plural("--sport", r.sport)
		switch r.action {
		case "allow":
			out = append(out, match+" -j ACCEPT")
		case "deny":
			out = append(out, match+" -j DROP")
		case "reject":
			out = append(out, match+" -j REJECT")
		case "limit":
			out = append(out, match+" -m conntrack --ctstate NEW -m recent --set",
				match+" -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 -j "+prefix+"-user-limit", match+" -j "+prefix+"-user-limit-accept")
		}
	}
	return out
}

// ufwUserRules is a file of rules, with those that are given.
func ufwUserRules(prefix string, rules ...ufwRule) string {
	var b strings.Builder
	b.WriteString("*filter\n")
	for _, name := range []string{"input", "output", "forward", "limit", "limit-accept"} {
		fmt.Fprintf(&b, ":%s-user-%s - [0:0]\n", prefix, name)
	}
	b.WriteString("### RULES ###\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "\n### tuple ### %s\n%s\n", r.tuple(), strings.Join(r.lines(prefix), "\n"))
	}
	fmt.Fprintf(&b, "\n### END RULES ###\n\n### RATE LIMITING ###\n-A %s-user-limit -m limit --limit 3/minute -j LOG --log-prefix \"[UFW LIMIT BLOCK] \"\n-A %s-user-limit -j REJECT\n-A %s-user-limit-accept -j ACCEPT\n### END RATE LIMITING ###\nCOMMIT\n", prefix, prefix, prefix)
	return b.String()
}

var (
	errUFWSyntax  = saysf("Invalid syntax")
	errUFWPort    = saysf("Bad port")
	errUFWMulti   = saysf("Must specify 'tcp' or 'udp' with multiple ports")
	errUFWSource  = saysf("Bad source address")
	errUFWDest    = saysf("Bad destination address")
	errUFWProto   = saysf("Unsupported protocol")
	errUFWMixed   = saysf("Mixed IP versions for 'from' and 'to'")
	ufwProtocols  = []string{"any", "tcp", "udp", "ah", "esp", "gre", "ipv6", "igmp"}
	ufwActions    = []string{"allow", "deny", "reject", "limit"}
	knownServices = map[string]string{"ssh": "22/tcp", "http": "80/tcp", "https": "443/tcp", "domain": "53", "smtp": "25/tcp", "ntp": "123/udp", "imaps": "993/tcp"}
)

// parseUFWRule reads a rule as ufw's command line has it: an action, and what it is
// about.
func parseUFWRule(words []string) (r ufwRule, err error) {
	r = ufwRule{action: words[0], proto: "any", dport: "any", sport: "any", direction: "in"}
	words = words[1:]
	if len(words) > 0 && (words[0] == "in" || words[0] == "out") {
		r.direction, words = words[0], words[1:]
	}
	if len(words) >= 2 && words[0] == "on" {
		r.device, words = words[1], words[2:]
	}
	if n := len(words); n >= 2 && words[n-2] == "comment" {
		r.comment, words = words[n-1], words[:n-2]
	}
	if len(words) == 0 && r.device == "" {
		return r, errUFWSyntax
	}
	if len(words) == 1 {
		return r.simple(words[0])
	}
	side := ""
	for i := 0; i+1 < len(words); i += 2 {
		v := words[i+1]
		switch words[i] {
		case "proto":
			if !slices.Contains(ufwProtocols, v) {
				return r, errUFWProto
			}
			r.proto = v
		case "from":
			side = "from"
			if r.src, err = ufwAddress(v); err != nil {
				return r, errUFWSource
			}
		case "to":
			side = "to"
			if r.dst, err = ufwAddress(v); err != nil {
				return r, errUFWDest
			}
		case "port":
			if err := checkPorts(v); err != nil || side == "" {
				return r, errUFWPort
			}
			if side == "from" {
				r.sport = v
			} else {
				r.dport = v
			}
		default:
			return r, errUFWSyntax
		}
	}
	if len(words)%2 != 0 {
		return r, errUFWSyntax
	}
	return r.complete()
}

// simple is a rule of one word: a port with a protocol, or a service's name.
func (r ufwRule) simple(word string) (ufwRule, error) {
	if known := knownServices[word]; known != "" {
		word = known
	}
	port, proto, given := strings.Cut(word, "/")
	if err := checkPorts(port); err != nil {
		return r, err
	}
	r.dport = port
	if given {
		if !slices.Contains(ufwProtocols, proto) {
			return r, errUFWProto
		}
		r.proto = proto
	}
	return r.complete()
}

// complete fills in what was not said, and refuses what cannot be.
func (r ufwRule) complete() (ufwRule, error) {
	if strings.ContainsAny(r.dport+r.sport, ",:") && r.proto != "tcp" && r.proto != "udp" {
		return r, errUFWMulti
	}
	whole := anyAddress
	if strings.Contains(r.src+r.dst, ":") {
		whole = anyAddress6
	}
	for _, a := range []*string{&r.src, &r.dst} {
		if *a == "" || *a == "any" {
			*a = whole
		}
	}
	if strings.Contains(r.src, ":") != strings.Contains(r.dst, ":") {
		return r, errUFWMixed
	}
	return r, nil
}

func ufwAddress(v string) (string, error) {
	if v == "any" {
		return "", nil
	}
	if a, err := netip.ParseAddr(v); err == nil {
		return a.String(), nil
	}
	p, err := netip.ParsePrefix(v)
	if err != nil {
		return "", err
	}
	if p.IsSingleIP() {
		return p.Addr().String(), nil
	}
	return p.Masked().String(), nil
}

func checkPorts(list string) error {
	for _, one := range strings.Split(list, ",") {
		from, to, ranged := strings.Cut(one, ":")
		a, err := strconv.Atoi(from)
		b := a
		if ranged && err == nil {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 1 || b > 65535 || a > b {
			return errUFWPort
		}
	}
	return nil
}

// meets reports whether a rule is about a connection to the machine.
func (r ufwRule) meets(proto string, from netip.Addr, port int) bool {
	if r.direction != "in" || r.device != "" && r.device != "eth0" || r.proto != "any" && r.proto != proto || r.sport != "any" {
		return false
	}
	if p, err := netip.ParsePrefix(r.src); err == nil && !p.Contains(from) {
		return false
	}
	if a, err := netip.ParseAddr(r.src); err == nil && a != from {
		return false
	}
	return r.dport == "any" || inPorts(r.dport, port)
}
