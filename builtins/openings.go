package builtins

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The members of a swarm talk to each other, so a firewall of the machine of one
// of them lets the others in: where the script declares it, its rules get what
// follows from the swarm. That is decided here alone, once the script has run.

// member is a machine, or an engine, that a swarm has as the script says.
type member struct {
	decl    *resource.Declaration // its node; of an engine() that begins the swarm, the swarm
	name    string
	machine string // its scope, "" for an engine(): what firewall that has is not known
	// control is the address that the others use, data that of the traffic of
	// containers; nil where the script does not say it.
	control, data value.Value
	manager       bool  // it manages the swarm, or may
	port          int64 // where it listens as a manager
}

// What members of a swarm use, where the script does not say otherwise.
const (
	managerPort  = 2377
	gossipPort   = 7946
	dataPathPort = 4789
)

// opening is one rule that lets a member through.
type opening struct {
	direction string // "in" or "out", of the firewall
	proto     string
	port      value.Value // nil for a protocol without
	peer      value.Value // the other's address
	comment   string
}

// openings are the rules of the firewall of one member, for each of the others.
// What it sends is let out where its firewall does not let all out.
func openings(at member, others []member, dataPort value.Value, sends bool) (all []opening) {
	for _, m := range others {
		all = append(all, through("in", m, at, dataPort)...)
		if sends {
			all = append(all, through("out", m, m, dataPort)...)
		}
	}
	return all
}

// through is what passes between a firewall and another member, to the one that
// listens. Only managers are asked what managers know; the rest concerns all.
func through(direction string, peer, listener member, dataPort value.Value) (all []opening) {
	add := func(proto string, port, addr value.Value) {
		all = append(all, opening{direction, proto, port, addr, resource.OpeningComment + peer.name})
	}
	if listener.manager {
		add("tcp", listener.port, peer.control)
	}
	add("any", int64(gossipPort), peer.control)
	add("udp", dataPort, peer.data)
	add("esp", nil, peer.data) // who makes an encrypted network may be another project
	return all
}

// openFirewalls gives each firewall of a member's machine the rules that follow
// from its swarm, and lets members join when these are open to them.
func (r *Recorder) openFirewalls() (problems diag.List) {
	walls := r.firewalls()
	if len(walls) == 0 {
		return nil
	}
	for _, swarm := range r.program.Declarations {
		if swarm.Kind.Opens != "swarm" {
			continue
		}
		members := r.members(swarm)
		var gates []value.Address
		for _, m := range members {
			if wall := walls[m.machine]; wall != nil {
				gates = append(gates, wall.Address)
			}
		}
		for i, m := range members {
			if m.decl != swarm {
				m.decl.Follows = gates
			}
			others := slices.Delete(slices.Clone(members), i, i+1)
			if wall := walls[m.machine]; wall != nil {
				problems = append(problems, open(wall, m, known(others), portOfData(swarm))...)
			}
			if m.control == nil || m.data == nil {
				problems = append(problems, r.unknownAddress(swarm, m, others, walls)...)
			}
		}
	}
	return problems
}

// firewalls are those that follow their swarms, by their machines.
func (r *Recorder) firewalls() map[string]*resource.Declaration {
	walls := map[string]*resource.Declaration{}
	for _, d := range r.program.Declarations {
		if d.Kind.Name == "firewall" && !d.External && argument(d, "swarm") != false {
			walls[d.Scope] = d
		}
	}
	return walls
}

// members returns the members of a swarm that the script names, in its order.
func (r *Recorder) members(swarm *resource.Declaration) (all []member) {
	founder := slices.ContainsFunc(r.program.Declarations, func(d *resource.Declaration) bool {
		return d.Scope == string(swarm.Address) && d.On == swarm.Scope
	})
	if !founder {
		all = append(all, r.member(swarm, swarm.Scope, true))
	}
	for _, d := range r.program.Declarations {
		if d.On != "" && d.Scope == string(swarm.Address) {
			worker := argument(d, "role") == "worker" && !slices.Contains(d.Lifecycle.IgnoreChanges, "role")
			all = append(all, r.member(d, d.On, !worker))
		}
	}
	return all
}

func (r *Recorder) member(d *resource.Declaration, engine string, manager bool) member {
	m := member{decl: d, name: value.Address(engine).Name(), manager: manager, port: managerPort}
	own := value.Value(nil)
	if e := r.declared[value.Address(engine)]; e != nil {
		m.machine = e.Scope
		own = r.privateIP(e.Scope)
	}
	m.control = ipOf(argument(d, "advertise_addr"))
	if m.control == nil { // not given, or an interface
		m.control = own
	}
	m.data = ipOf(argument(d, "data_path_addr"))
	if data := argument(d, "data_path_addr"); m.data == nil && (data == nil || value.Equal(data, argument(d, "advertise_addr"))) {
		m.data = m.control
	}
	if listen, ok := value.Reveal(argument(d, "listen_addr")).(string); ok {
		if _, port, err := net.SplitHostPort(listen); err == nil {
			m.port, _ = strconv.ParseInt(port, 10, 64)
		}
	}
	return m
}

// privateIP is the address at which a machine is reached by others, nil where it
// is not known.
func (r *Recorder) privateIP(machine string) value.Value {
	if scope := r.scopes[machine]; scope != nil {
		if h, ok := scope.Config.(Host); ok && h.PrivateIP != "" {
			return h.PrivateIP
		}
	}
	if vm := r.declared[value.Address(machine)]; vm != nil {
		if o, ok := vm.Kind.Output("private_ip"); ok {
			return value.Ref{Address: vm.Address, Output: o.Name, Type: o.Type, Sensitive: o.Sensitive}
		}
	}
	return nil
}

// ipOf is the IP address in an argument as advertise_addr, which may have a port;
// nil where it is none, as an interface is. What is not known yet is taken for
// one.
func ipOf(v value.Value) value.Value {
	switch v := v.(type) {
	case string:
		if host, _, err := net.SplitHostPort(v); err == nil {
			v = host
		}
		if _, err := netip.ParseAddr(v); err == nil {
			return v
		}
	case value.Secret:
		if ip := ipOf(v.V); ip != nil {
			return value.Secret{V: ip}
		}
	case value.Ref:
		return v
	case *value.Template:
		return withoutPort(v)
	}
	return nil
}

// withoutPort takes the port off an address that is known later, as
// vm.private_ip + ":2377" or "[%s]:2377" % vm.private_ip.
func withoutPort(t *value.Template) value.Value {
	var parts []value.Value
	for i, p := range t.Parts {
		text, ok := p.(string)
		if !ok {
			parts = append(parts, p)
			continue
		}
		if colon := strings.LastIndexByte(text, ':'); i == len(t.Parts)-1 && colon >= 0 {
			text = text[:colon]
		}
		if text = strings.Trim(text, "[]"); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return value.Join(parts)
}

// known are the members whose addresses are.
func known(all []member) []member {
	return slices.DeleteFunc(slices.Clone(all), func(m member) bool { return m.control == nil || m.data == nil })
}

func portOfData(swarm *resource.Declaration) value.Value {
	if port := argument(swarm, "data_path_port"); port != nil {
		return port
	}
	return int64(dataPathPort)
}

// open adds the openings to a firewall's rules. They come after the script's own,
// of which the first that fits decides.
func open(wall *resource.Declaration, at member, others []member, dataPort value.Value) (problems diag.List) {
	f, ok := wall.Kind.Schema.Field("rules")
	if !ok {
		return nil
	}
	rules, _ := value.Reveal(wall.Args[f.Index]).(value.List)
	rules = slices.Clone(rules)
	outgoing := argument(wall, "outgoing")
	for _, o := range openings(at, others, dataPort, outgoing != nil && outgoing != "allow") {
		rule, err := f.Type.Elem.Check(o.rule())
		if err != nil {
			problems = append(problems, &diag.Diagnostic{Pos: wall.Pos, Summary: wall.Address.Short() + ": " + o.comment + ": " + err.Error()})
			continue
		}
		rules = append(rules, rule)
	}
	args := slices.Clone(wall.Args)
	args[f.Index] = rules
	if wall.Kind.Complete != nil {
		wall.Kind.Complete(args)
	}
	wall.SetArgs(args)
	return problems
}

// rule is an opening as an argument of a firewall.
func (o opening) rule() value.Value {
	peer := map[string]string{"in": "from_", "out": "to"}[o.direction]
	return value.NewMap([]value.Entry{
		{Key: "proto", Value: o.proto}, {Key: "port", Value: o.port}, {Key: peer, Value: o.peer},
		{Key: "direction", Value: o.direction}, {Key: "comment", Value: o.comment},
	})
}

// unknownAddress says that firewalls cannot let a member in, where there are any
// that should.
func (r *Recorder) unknownAddress(swarm *resource.Declaration, m member, others []member, walls map[string]*resource.Declaration) diag.List {
	i := slices.IndexFunc(others, func(o member) bool { return walls[o.machine] != nil })
	if i < 0 {
		return nil
	}
	wall := walls[others[i].machine]
	p := &diag.Diagnostic{
		Pos:     m.decl.Pos,
		Summary: wall.Address.Short() + " cannot let " + m.name + " in, of the same swarm: its address is not known",
		Hint:    "give it advertise_addr, an IP address; or write the rules yourself, with firewall(swarm = False)",
		Related: []diag.Note{{Pos: wall.Pos, Text: "the firewall is here"}},
	}
	var host Host
	if scope := r.scopes[m.machine]; scope != nil {
		host, _ = scope.Config.(Host)
	}
	switch {
	case m.control != nil:
		p.Summary = wall.Address.Short() + " cannot let the containers of " + m.name + " in: the address of its data_path_addr is not known"
		p.Hint = "give an IP address in place of the interface; or write the rules yourself, with firewall(swarm = False)"
	case host.Address != "":
		p.Detail = host.Address + " is a name"
		p.Hint = privateHint(m.name, host.Address) + "; or write the rules yourself, with firewall(swarm = False)"
	}
	return diag.List{p}
}

// argument is an argument of a declaration, its default where it is not given.
func argument(d *resource.Declaration, name string) value.Value {
	f, ok := d.Kind.Schema.Field(name)
	if !ok {
		return nil
	}
	if v := d.Args[f.Index]; v != nil {
		return v
	}
	return f.Default
}
