package host

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// firewallSection reads ufw's files: its own program takes ten times as long as
// everything else in a look.
var firewallSection = section{
	name: "firewall", kinds: []string{"firewall"},
	script: func([]*resource.Declaration) string {
		return `command -v ufw >/dev/null && echo installed
sed -n 's/^ENABLED=/enabled /p; s/^LOGLEVEL=/logging /p' /etc/ufw/ufw.conf
sed -n 's/^DEFAULT_\(INPUT\|OUTPUT\|FORWARD\)_POLICY=/\1 /p' /etc/default/ufw
sed -n 's/^### tuple ### /4 /p' /etc/ufw/user.rules
sed -n 's/^### tuple ### /6 /p' /etc/ufw/user6.rules
sed -n '/^` + publishedBegin + `/,/^` + publishedEnd + `/s/^/published /p' /etc/ufw/after.rules
if grep -q '^` + publishedBegin + `' /etc/ufw/after.rules; then iptables -w 5 -S DOCKER-USER | sed 's/^/chain /'; fi`
	},
	read: readFirewall,
}

// parseFirewall reads what the section printed; nil where there is no ufw.
func parseFirewall(out []byte) (*FirewallSpec, error) {
	s := &FirewallSpec{Incoming: "deny", Outgoing: "allow", Routed: "deny", Logging: "low", Swarm: true}
	policies := map[string]*string{"INPUT": &s.Incoming, "OUTPUT": &s.Outgoing, "FORWARD": &s.Routed}
	names := map[string]string{"ACCEPT": "allow", "DROP": "deny", "REJECT": "reject"}
	installed := false
	var block, chain []string // what the file gives to the chain, and what that has
	for _, line := range lines(out) {
		what, rest, _ := strings.Cut(line, " ")
		switch bare := strings.ToLower(strings.Trim(rest, `"' `)); what {
		case "installed":
			installed = true
		case "enabled":
			s.Enabled = bare == "yes"
		case "logging":
			s.Logging = bare
		case "INPUT", "OUTPUT", "FORWARD":
			*policies[what] = names[strings.ToUpper(bare)]
		case "4", "6":
			r, err := parseTuple(rest)
			if err != nil {
				return nil, err
			}
			if what == "4" || r.isV6() { // the rest are in both files
				s.Rules = append(s.Rules, r)
			}
		case "published":
			if s.Published == nil {
				s.Published = &[]FirewallRule{}
			}
			if text, ok := strings.CutPrefix(rest, publishedRule); ok {
				r, err := parseTuple(text)
				if err != nil {
					return nil, err
				}
				*s.Published = append(*s.Published, r)
			}
			if strings.HasPrefix(rest, "-A ") {
				block = append(block, rest)
			}
		case "chain":
			if strings.HasPrefix(rest, "-A ") {
				chain = append(chain, rest)
			}
		}
	}
	if s.Enabled && !begins(chain, block) {
		s.Published = nil // it was flushed: they are in the file, and not in force
	}
	if !installed {
		return nil, nil
	}
	return s, nil
}

// begins reports whether a chain, as iptables prints it, begins with rules that
// [publishedBlock] wrote. Docker adds one of its own at the end.
func begins(chain, rules []string) bool {
	if len(chain) < len(rules) {
		return false
	}
	for i, r := range rules {
		if onlyAddress().ReplaceAllString(r, " -s $1/32 ") != chain[i] {
			return false
		}
	}
	return true
}

// onlyAddress is an address that is not a network, which iptables prints as one.
var onlyAddress = pattern.Of(` -s ([0-9.]+) `)

// parseTuple reads a rule as ufw keeps it, and as we keep those of published
// ports:
//
//	ACTION PROTO DPORT DST SPORT SRC [DAPP SAPP] DIRECTION[_INTERFACE] [comment=HEX]
func parseTuple(line string) (FirewallRule, error) {
	w := strings.Fields(line)
	r := FirewallRule{}
	bad := fmt.Errorf("the machine's firewall has a rule that is not understood: %.200q", line)
	if n := len(w); n > 0 {
		if hexed, ok := strings.CutPrefix(w[n-1], "comment="); ok {
			b, err := hex.DecodeString(hexed)
			if err != nil {
				return r, bad
			}
			r.Comment, w = string(b), w[:n-1]
		}
	}
	if len(w) != 7 && len(w) != 9 {
		return r, bad
	}
	r.Action, _, _ = strings.Cut(w[0], "_") // allow_log: it is logged too
	if strings.Contains(w[0], "_") || w[4] != "any" || len(w) == 9 || strings.HasPrefix(w[0], "route:") {
		// None that a script could say: it differs from whatever is declared.
		r.Comment = strings.Join(w, " ")
	}
	r.Proto = w[1]
	from, err1 := Network(w[5]).Normal()
	to, err2 := Network(w[3]).Normal()
	if err1 != nil || err2 != nil {
		return r, bad
	}
	r.From, r.To = Network(from), Network(to)
	r.Direction, r.Interface, _ = strings.Cut(w[len(w)-1], "_")
	if w[2] != "any" {
		if n, err := strconv.Atoi(w[2]); err == nil {
			r.Port = &n
		} else {
			r.Ports = w[2]
		}
	}
	return r, nil
}

// tuple is a rule as ufw keeps it, without its comment.
func (r FirewallRule) tuple() string {
	anyOf := func(n Network) string {
		if n == "any" {
			return "0.0.0.0/0"
		}
		return string(n)
	}
	ports := r.ports()
	if ports == "" {
		ports = "any"
	}
	direction := r.Direction
	if r.Interface != "" {
		direction += "_" + r.Interface
	}
	return strings.Join([]string{r.Action, r.Proto, ports, anyOf(r.To), "any", anyOf(r.From), direction}, " ")
}

func readFirewall(l *look, out []byte, decls []*resource.Declaration) error {
	s, err := parseFirewall(out)
	if err != nil || s == nil {
		return err
	}
	for _, d := range decls {
		l.add(d, firewallSchema.Encode(s), nil)
	}
	return nil
}

// Forecast implements [resource.Forecaster]: a firewall that would cut off the
// connection that we use is refused.
func (f *Facts) Forecast(list, _ []resource.Prospect) (out []resource.Finding) {
	client, err := netip.ParseAddr(f.SSH.Client)
	if err != nil {
		return nil
	}
	for _, p := range list {
		var spec FirewallSpec
		if p.Kind != "firewall" || !p.Changes || p.Address == "" {
			continue
		}
		if args := withoutOpenings(p.Args); !value.Known(args) || firewallSchema.Decode(args, &spec) != nil {
			continue
		}
		if ok, why := spec.admits(client, f.SSH.Port); !ok {
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
				Summary: fmt.Sprintf("it would cut off the SSH connection that we use, from %s to port %d", f.SSH.Client, f.SSH.Port),
				Detail:  why,
				Hint:    fmt.Sprintf("allow it: rule(\"allow\", %d, proto = \"tcp\")", f.SSH.Port),
			}})
		}
	}
	return out
}
