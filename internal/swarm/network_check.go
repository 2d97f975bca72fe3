package swarm

import (
	"fmt"
	"net/netip"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What engines accept as a name; a swarm wants a part of a DNS name.
var localName = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

const maxDNSName = 63

// isDNSName is SwarmKit's rule for services and networks, as a loop: a script
// may declare ten thousand.
func isDNSName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '-' || c == '_') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}

func checkNetwork(scope string, args value.Struct) schema.Problems {
	get, _ := fieldsOf(networkSchema, args)
	var ps schema.Problems
	add := func(path, hint, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...), Hint: hint})
	}
	given := func(name string) bool { return get(name) != nil }
	if name, ok := get("name").(string); ok {
		switch {
		case scope == "swarm" && !isDNSName(name):
			add("name", "", "got %q, want letters, digits, '_' and '-', beginning and ending with a letter or digit", name)
		case !localName().MatchString(name):
			add("name", "", "got %q, want letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
		case len(name) > maxDNSName && scope == "swarm":
			add("name", "", "has %d characters, and a swarm allows %d", len(name), maxDNSName)
		case name == "bridge", name == "host", name == "none", name == "default":
			add("name", "", "%q is the engine's own network", name)
		}
	}
	if scope == "swarm" {
		if get("config_only") == true {
			add("config_only", "give engine=", "a configuration lives on an engine, not in the swarm")
		}
		if get("ipv4") == false {
			add("ipv4", "", "networks of a swarm always have IPv4")
		}
		if s := get("scope"); s == "local" {
			add("scope", "give engine=", "a local network lives on an engine, not in the swarm")
		}
		if get("ingress") == true && get("attachable") == true {
			add("attachable", "", "the ingress network cannot be attachable")
		}
	} else {
		if get("driver") == "overlay" {
			add("driver", "leave engine= out", "an overlay network needs a swarm")
		}
		if s := get("scope"); s == "swarm" {
			add("scope", "leave engine= out", "a network of the swarm does not live on one engine")
		}
		if get("ingress") == true {
			add("ingress", "leave engine= out", "the ingress network is the swarm's")
		}
		if given("config_from") {
			add("config_from", "leave engine= out, with a driver such as macvlan", "a network with config_from carries no labels, so it needs a swarm to be marked in")
		}
	}
	if get("config_only") == true {
		for _, f := range []string{"ingress", "internal", "attachable", "scope", "config_from"} {
			if v := get(f); v != nil && v != false {
				add(f, "", "a config_only network holds addresses and options, not %s", f)
			}
		}
	}
	if given("config_from") {
		for _, f := range []string{"subnets", "ipam_driver", "ipam_options", "options", "labels", "ipv4", "ipv6", "encrypted"} {
			if given(f) {
				add(f, "", "comes from config_from, or cannot be set beside it")
			}
		}
	}
	subnets, _ := value.Reveal(get("subnets")).(value.List)
	ps = append(ps, checkSubnets(scope, subnets)...)
	ps = append(ps, checkLabels("labels", get("labels"))...)
	return networkSchema.HideSecrets(args, ps)
}

func checkSubnets(scope string, subnets value.List) (ps schema.Problems) {
	var blocks []netip.Prefix
	for i, e := range subnets {
		s, ok := value.Reveal(e).(value.Struct)
		if !ok {
			continue
		}
		path := fmt.Sprintf("subnets[%d]", i)
		text, _ := s[0].(string)
		block, err := netip.ParsePrefix(text)
		if err != nil {
			continue // not known yet
		}
		for _, b := range blocks {
			if b.Overlaps(block) {
				ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf("%s overlaps %s", block, b)})
			}
		}
		blocks = append(blocks, block)
		inside := func(field string, v value.Value) {
			text, ok := value.Reveal(v).(string)
			if !ok {
				return
			}
			a, err := netip.ParseAddr(text)
			if p, perr := netip.ParsePrefix(text); perr == nil {
				a, err = p.Addr(), nil
				if p.Bits() < block.Bits() {
					ps = append(ps, &schema.Problem{Path: path + "." + field, Msg: fmt.Sprintf("%s is larger than %s", p, block)})
					return
				}
			}
			if err == nil && !block.Contains(a) {
				ps = append(ps, &schema.Problem{Path: path + "." + field, Msg: fmt.Sprintf("%s is not in %s", text, block)})
			}
		}
		inside("gateway", s[1])
		inside("ip_range", s[2])
		aux, _ := value.Reveal(s[3]).(*value.Map)
		if aux.Len() > 0 && scope == "swarm" {
			ps = append(ps, &schema.Problem{Path: path + ".aux_address", Msg: "networks of a swarm do not know auxiliary addresses", Hint: "the engine would drop them without a word"})
		} else if aux != nil {
			for _, a := range aux.Entries {
				inside(fmt.Sprintf("aux_address[%q]", a.Key), a.Value)
			}
		}
	}
	return ps
}
