package host

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// FirewallSpec is a machine's firewall, by ufw.
type FirewallSpec struct {
	Enabled  bool           `star:"enabled" default:"true" doc:"Whether it is on, now and when the machine starts."`
	Incoming string         `star:"incoming" default:"deny" enum:"allow,deny,reject" doc:"What happens to connections to the machine that no rule speaks of."`
	Outgoing string         `star:"outgoing" default:"allow" enum:"allow,deny,reject" doc:"The same for connections from the machine."`
	Routed   string         `star:"routed" default:"deny" enum:"allow,deny,reject" doc:"The same for what passes through it. Docker has its own rules for its networks, which come first."`
	Logging  string         `star:"logging" default:"low" enum:"off,low,medium,high,full" doc:"How much of it is logged."`
	Rules    []FirewallRule `star:"rules" doc:"The rules, of which the first that fits decides. Others that the machine has are removed. Those for IPv6 addresses come after the others."`
	Swarm    bool           `star:"swarm,local" default:"true" doc:"Whether the rules also let in what the other members of the machine's swarm send it, where the script says that it is in one."`
	// A pointer: an empty list refuses everything.
	Published *[]FirewallRule `star:"published" doc:"Who may reach the ports that containers publish: Docker lets them pass ufw by. Given, whatever these rules do not allow is refused to others than the machine itself; an empty list refuses all. Left as it is if left out."`
}

// SchemaName implements [schema.Named].
func (*FirewallSpec) SchemaName() (string, string) {
	return "firewall", "A machine's firewall, by ufw, which must be installed. Rules that would cut off the connection that we use are refused by the plan; and whatever the rules, they go back to what they were within half a minute if no new connection can be made with them. When it is no longer declared, the firewall is what it was before us."
}

// FirewallRule is a rule of a firewall.
type FirewallRule struct {
	Action    string  `star:"action,pos" default:"allow" enum:"allow,deny,reject,limit" doc:"What happens; limit refuses an address that comes six times within half a minute."`
	Port      *int    `star:"port,pos" min:"1" max:"65535" doc:"The port."`
	Ports     string  `star:"ports" doc:"Several ports, as ufw writes them: 80,443 or 7000:7100."`
	Proto     string  `star:"proto" default:"any" enum:"any,tcp,udp,esp,ah,gre,igmp" doc:"The protocol; esp is that of encrypted overlay networks."`
	From      Network `star:"from_" default:"any" doc:"An address, or a network as 10.0.0.0/8, that it comes from."`
	To        Network `star:"to" default:"any" doc:"The same of where it goes."`
	Direction string  `star:"direction" default:"in" enum:"in,out" doc:"Whether it is about connections to the machine or from it."`
	Interface string  `star:"interface" doc:"The network interface; all if left out."`
	Comment   string  `star:"comment" doc:"A remark that is kept with it."`
}

// SchemaName implements [schema.Named].
func (*FirewallRule) SchemaName() (string, string) {
	return "rule", "A rule of a firewall."
}

// Network is an address, a network, or any.
type Network string

// Normal implements [schema.Normaler].
func (n Network) Normal() (string, error) {
	switch n {
	case "", "any", "0.0.0.0/0", "::/0":
		return "any", nil
	}
	if a, err := netip.ParseAddr(string(n)); err == nil {
		return a.String(), nil
	}
	p, err := netip.ParsePrefix(string(n))
	if err != nil {
		return "", fmt.Errorf("got %q, want an IP address, a network as 10.0.0.0/8, or any", string(n))
	}
	if p.IsSingleIP() {
		return p.Addr().String(), nil
	}
	return p.Masked().String(), nil
}

// holds reports whether an address is in the network.
func (n Network) holds(a netip.Addr) bool {
	if n == "any" {
		return true
	}
	if p, err := netip.ParsePrefix(string(n)); err == nil {
		return p.Contains(a)
	}
	b, err := netip.ParseAddr(string(n))
	return err == nil && a == b
}

func (n Network) isV6() bool { return strings.Contains(string(n), ":") }

var firewallSchema = schema.Of(FirewallSpec{})

// FirewallKind is a machine's firewall.
var FirewallKind = &resource.Kind{
	Name:      "firewall",
	Schema:    firewallSchema,
	Scope:     "host",
	Rank:      3,
	Keyless:   true,
	TakesOver: true,
	Single:    true,
	Check:     hiding(firewallSchema, checkFirewall),
	Complete:  completeFirewall,
	Widen:     widenFirewall,
	Ending:    asBefore,
	Needs:     needsPackages("ufw"),
	Handler:   firewallHandler{},
}

var (
	portList      = pattern.Of(`^[0-9]{1,5}([,:][0-9]{1,5})*$`)
	interfaceName = pattern.Of(`^[A-Za-z0-9_.:+-]{1,15}$`)
)

func checkFirewall(args value.Struct) (ps schema.Problems) {
	known := make(value.Struct, len(args))
	for i, v := range args {
		if value.Known(v) {
			known[i] = v
		}
	}
	var spec FirewallSpec
	if err := firewallSchema.Decode(known, &spec); err != nil {
		return schema.Problems{{Msg: err.Error()}}
	}
	for i, r := range spec.Rules {
		ps = append(ps, r.check(fmt.Sprintf("rules[%d]", i))...)
	}
	if spec.Published != nil {
		for i, r := range *spec.Published {
			at := fmt.Sprintf("published[%d]", i)
			ps = append(ps, r.check(at)...)
			if r.Action != "allow" || r.Direction != "in" || r.Interface != "" || r.To != "any" || r.To.isV6() || r.From.isV6() {
				ps = append(ps, &schema.Problem{Path: at, Msg: "a published port can be allowed, by its port, proto and from_ (IPv4)"})
			}
			if r.Proto != "tcp" && r.Proto != "udp" && r.ports() != "" {
				ps = append(ps, &schema.Problem{Path: at, Msg: `want proto = "tcp" or "udp" beside a port`})
			}
		}
	}
	return ps
}

func (r FirewallRule) check(at string) (ps schema.Problems) {
	wrong := func(field, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: at + "." + field, Msg: fmt.Sprintf(format, a...)})
	}
	switch {
	case r.Ports != "" && r.Port != nil:
		wrong("ports", "cannot be given beside port")
	case r.Ports != "" && !portList().MatchString(r.Ports):
		wrong("ports", "got %q, want ports as 80,443 or 7000:7100", r.Ports)
	case strings.ContainsAny(r.Ports, ",:") && r.Proto != "tcp" && r.Proto != "udp":
		wrong("proto", `want "tcp" or "udp" beside several ports`)
	case r.ports() != "" && r.Proto != "tcp" && r.Proto != "udp" && r.Proto != "any":
		wrong("proto", "%s has no ports", r.Proto)
	}
	if r.Interface != "" && !interfaceName().MatchString(r.Interface) {
		wrong("interface", "got %q, want the name of a network interface", r.Interface)
	}
	if strings.ContainsAny(r.Comment, "'\n\r") {
		wrong("comment", "want one line without a single quote: ufw takes none")
	}
	if r.From.isV6() != r.To.isV6() && r.From != "any" && r.To != "any" {
		wrong("to", "one address is of IPv4 and the other of IPv6")
	}
	return ps
}

// ports is how ufw writes the ports, "" for all.
func (r FirewallRule) ports() string {
	if r.Port != nil {
		return fmt.Sprint(*r.Port)
	}
	return r.Ports
}

func (r FirewallRule) isV6() bool { return r.From.isV6() || r.To.isV6() }

// admits reports whether the rules let an address reach a port by TCP, as far as
// they tell: what speaks of an interface or an address of the machine may or may
// not be about it. Why names the rule that refuses.
func (s *FirewallSpec) admits(client netip.Addr, port int) (ok bool, why string) {
	if !s.Enabled {
		return true, ""
	}
	client = client.Unmap()
	for i, r := range s.Rules {
		if r.Direction != "in" || r.Proto != "any" && r.Proto != "tcp" || !r.From.holds(client) || !coversPort(r.ports(), port) {
			continue
		}
		allows := r.Action == "allow" || r.Action == "limit"
		switch vague := r.Interface != "" || r.To != "any"; {
		case allows:
			return true, ""
		case !vague:
			return false, fmt.Sprintf("rules[%d] says %s", i, r.Action)
		}
	}
	return s.Incoming == "allow", "no rule allows it, and incoming is " + s.Incoming
}

// coversPort reports whether a list of ports has one in it.
func coversPort(ports string, port int) bool {
	if ports == "" {
		return true
	}
	for _, p := range strings.Split(ports, ",") {
		var from, to int
		switch n, _ := fmt.Sscanf(p, "%d:%d", &from, &to); {
		case n == 1 && from == port, n == 2 && from <= port && port <= to:
			return true
		}
	}
	return false
}
