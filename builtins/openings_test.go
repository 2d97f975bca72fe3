package builtins_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// rulesOf returns the rules of a machine's firewall, each in short:
// "in 7946/any 10.0.0.2 (swarm: b)".
func rulesOf(t testing.TB, p *resource.Program, machine string) (out []string) {
	t.Helper()
	for _, d := range p.Declarations {
		if d.Kind.Name != "firewall" || d.Scope != machine {
			continue
		}
		f, _ := d.Kind.Schema.Field("rules")
		list, _ := d.Args[f.Index].(value.List)
		for _, e := range list {
			get := func(name string) string {
				f, _ := f.Type.Elem.Struct.Field(name)
				switch v := value.Reveal(e).(value.Struct)[f.Index].(type) {
				case value.Ref:
					return v.String()
				default:
					return value.Text(v)
				}
			}
			peer := get("from_")
			if get("direction") == "out" {
				peer = get("to")
			}
			s := fmt.Sprintf("%s %s/%s %s", get("direction"), get("port"), get("proto"), peer)
			if get("action") != "allow" {
				s = get("action") + " " + s
			}
			if c := get("comment"); c != "" {
				s += " (" + c + ")"
			}
			out = append(out, s)
		}
		return out
	}
	t.Fatalf("%s has no firewall", machine)
	return nil
}

// peer is what lets a member in: as a manager is, or a worker.
func peer(addr, name string, manager bool) (out []string) {
	if manager {
		out = append(out, fmt.Sprintf("in 2377/tcp %s (swarm: %s)", addr, name))
	}
	return append(out, fmt.Sprintf("in 7946/any %s (swarm: %s)", addr, name), fmt.Sprintf("in 4789/udp %s (swarm: %s)", addr, name), fmt.Sprintf("in /esp %s (swarm: %s)", addr, name))
}

func TestOpenings(t *testing.T) {
	const (
		ab = "a = host('a', '10.0.0.1'); b = host('b', '10.0.0.2')\n"
		on = "firewall(a, rules = [rule(port = 22, proto = 'tcp')]); firewall(b)\n"
	)
	ssh := []string{"in 22/tcp any"}
	for _, tt := range []struct {
		name, src string
		a, b      []string // the rules; nil: not looked at
	}{
		{"a manager and a worker", ab + on + "swarm.join(b, swarm.init(a))",
			append(ssh, peer("10.0.0.2", "b", true)...), peer("10.0.0.1", "a", false)},
		{"two managers", ab + on + "swarm.join(b, swarm.init(a), role = 'manager')", nil, peer("10.0.0.1", "a", true)},
		{"who may become one", ab + on + "swarm.join(b, swarm.init(a), lifecycle = lifecycle(ignore_changes = ['role']))", nil, peer("10.0.0.1", "a", true)},
		{"no swarm", ab + on, ssh, []string{}},
		{"one machine has none", ab + "firewall(a)\nswarm.join(b, swarm.init(a))", peer("10.0.0.2", "b", true), nil},
		{"not wanted", ab + "firewall(a, swarm = False); firewall(b)\nswarm.join(b, swarm.init(a))", []string{}, peer("10.0.0.1", "a", false)},
		{"declared before the swarm, or after it", ab + "firewall(a)\nc = swarm.init(a)\nswarm.join(b, c)\nfirewall(b)", peer("10.0.0.2", "b", true), peer("10.0.0.1", "a", false)},
		{"machines that are made", "a = vm('a', provider = local()); b = vm('b', provider = local())\n" + on + "swarm.join(b, swarm.init(a))",
			append(ssh, peer("vm.b.private_ip", "b", true)...), peer("vm.a.private_ip", "a", false)},
		{"what they advertise", ab + on + "swarm.join(b, swarm.init(a, advertise_addr = '10.9.0.1:2377'), advertise_addr = '10.9.0.2')",
			append(ssh, peer("10.9.0.2", "b", true)...), peer("10.9.0.1", "a", false)},
		{"what they advertise, when it is known", "a = vm('a', provider = local()); b = vm('b', provider = local())\n" + on + "swarm.join(b, swarm.init(a, advertise_addr = a.private_ip + ':2377'), advertise_addr = b.public_ip)",
			append(ssh, peer("vm.b.public_ip", "b", true)...), peer("vm.a.private_ip", "a", false)},
		{"in brackets", "a = vm('a', provider = local()); b = vm('b', provider = local())\n" + on + "swarm.join(b, swarm.init(a, advertise_addr = '[%s]:2377' % a.private_ip))",
			nil, peer("vm.a.private_ip", "a", false)},
		{"an interface", ab + on + "swarm.join(b, swarm.init(a, advertise_addr = 'eth0:2377'), advertise_addr = 'eth1', data_path_addr = 'eth1')",
			append(ssh, peer("10.0.0.2", "b", true)...), peer("10.0.0.1", "a", false)},
		{"a network of its own for containers", ab + on + "swarm.join(b, swarm.init(a), data_path_addr = '10.9.0.2')",
			append(ssh, "in 2377/tcp 10.0.0.2 (swarm: b)", "in 7946/any 10.0.0.2 (swarm: b)", "in 4789/udp 10.9.0.2 (swarm: b)", "in /esp 10.9.0.2 (swarm: b)"), nil},
		{"other ports", ab + on + "swarm.join(b, swarm.init(a, listen_addr = '0.0.0.0:3377', data_path_port = 7789))",
			append(ssh, "in 3377/tcp 10.0.0.2 (swarm: b)", "in 7946/any 10.0.0.2 (swarm: b)", "in 7789/udp 10.0.0.2 (swarm: b)", "in /esp 10.0.0.2 (swarm: b)"), nil},
		{"IPv6, which comes last", ab + "firewall(a, rules = [rule(port = 22, proto = 'tcp', from_ = '2001:db8::9'), rule(port = 23)])\nswarm.join(b, swarm.init(a), advertise_addr = '[2001:db8::2]:2377')",
			append([]string{"in 23/any any", "in 22/tcp 2001:db8::9"}, peer("2001:db8::2", "b", true)...), nil},
		{"a rule that is there already, whatever it says", ab + "firewall(a, rules = [rule('deny', 7946, from_ = '10.0.0.2'), rule(proto = 'esp', from_ = '10.0.0.2', comment = 'mine')])\nswarm.join(b, swarm.init(a))",
			[]string{"deny in 7946/any 10.0.0.2", "in /esp 10.0.0.2 (mine)", "in 2377/tcp 10.0.0.2 (swarm: b)", "in 4789/udp 10.0.0.2 (swarm: b)"}, nil},
		{"what goes out is let out where not all is", ab + "firewall(b, outgoing = 'deny')\nswarm.join(b, swarm.init(a))",
			nil, append(peer("10.0.0.1", "a", false), "out 2377/tcp 10.0.0.1 (swarm: a)", "out 7946/any 10.0.0.1 (swarm: a)", "out 4789/udp 10.0.0.1 (swarm: a)", "out /esp 10.0.0.1 (swarm: a)")},
		{"a host that has a name, and an address", "a = host('a', 'a.example.com', private_ip = '10.0.0.1'); b = host('b', 'b.example.com')\n" + on + "swarm.join(b, swarm.init(a, advertise_addr = a.private_ip), advertise_addr = '10.0.0.2')",
			append(ssh, peer("10.0.0.2", "b", true)...), peer("10.0.0.1", "a", false)},
		{"an engine", ab + "firewall(b)\nc = swarm.init(engine(), advertise_addr = '10.0.0.9')\nswarm.join(b, c)", nil, peer("10.0.0.9", "default", false)},
		{"an engine that joins", ab + "firewall(a)\nc = swarm.init(a)\nswarm.join(engine('ssh://x', name = 'x'), c, advertise_addr = '10.0.0.9', role = 'manager')", peer("10.0.0.9", "x", true), nil},
		{"two swarms", ab + on + "c = swarm.init(a); d = swarm.init(b, name = 'second')", ssh, []string{}},
		{"one that is only read", ab + "firewall(a, external = True); firewall(b)\nswarm.join(b, swarm.init(a))", []string{}, peer("10.0.0.1", "a", false)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := evaluate(t, "project('p')\n"+tt.src, nil)
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			machine := "host."
			if strings.Contains(tt.src, "vm('a'") {
				machine = "vm."
			}
			for name, want := range map[string][]string{"a": tt.a, "b": tt.b} {
				if want == nil {
					continue
				}
				if got := rulesOf(t, p, machine+name); !slices.Equal(got, want) {
					t.Errorf("%s has\n  %s\nwant\n  %s", name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
			}
		})
	}
}

// Nobody joins before the firewalls are open, and no firewall is one's that is not
// in the swarm.
func TestOpeningsOrder(t *testing.T) {
	p, problems := evaluate(t, `project('p')
a = host('a', '10.0.0.1'); b = host('b', '10.0.0.2'); c = host('c', '10.0.0.3'); d = host('d', '10.0.0.4')
for h in [a, c, d]: firewall(h)
m = swarm.init(a)
swarm.join(b, m)
swarm.join(c, m)
`, nil)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	for _, d := range p.Declarations {
		want := []value.Address(nil)
		if d.Kind.Name == "node" {
			want = []value.Address{"host.a/firewall.a", "host.c/firewall.c"}
		}
		if !slices.Equal(d.Follows, want) {
			t.Errorf("%s follows %v, want %v", d.Address, d.Follows, want)
		}
	}
}

// An address that nobody says is an error, where a firewall would be closed to it.
func TestOpeningsUnknown(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"a name", "a = host('a', '10.0.0.1'); b = host('b', 'b.example.com')\nfirewall(a)\nswarm.join(b, swarm.init(a))",
			"firewall.a cannot let b in, of the same swarm: its address is not known"},
		{"an engine", "a = host('a', '10.0.0.1')\nfirewall(a)\nc = swarm.init(engine())\nswarm.join(a, c)",
			"firewall.a cannot let default in, of the same swarm: its address is not known"},
		{"an interface of its own for containers", "a = host('a', '10.0.0.1'); b = host('b', '10.0.0.2')\nfirewall(a)\nswarm.join(b, swarm.init(a), data_path_addr = 'eth1')",
			"firewall.a cannot let the containers of b in: the address of its data_path_addr is not known"},
		{"no firewall that asks", "a = host('a', 'a.example.com'); b = host('b', 'b.example.com')\nfirewall(a, swarm = False)\nswarm.join(b, swarm.init(a))", ""},
		{"its own firewall", "a = host('a', 'a.example.com')\nfirewall(a)\nswarm.init(a)", ""},
		{"private_ip of a name", "a = host('a', 'a.example.com')\nswarm.init(a, advertise_addr = a.private_ip)",
			"host.a: private_ip is not known: its address is a name, a.example.com"},
		{"a private_ip that is a name", "host('a', '10.0.0.1', private_ip = 'a.example.com')", `private_ip: got "a.example.com", want an IP address`},
	} {
		_, problems := evaluate(t, "project('p')\n"+tt.src, nil)
		switch {
		case tt.want == "" && problems.Err() != nil:
			t.Errorf("%s: %v", tt.name, problems)
		case tt.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Summary, tt.want) || problems[0].Hint == "" && tt.name != "a private_ip that is a name" || problems[0].Pos.Line == 0):
			t.Errorf("%s: got %v", tt.name, problems)
		}
	}
}

// Of any swarm: each member with a firewall lets each other one in, by what it
// needs and nothing else, and no stranger.
func TestOpeningsRandom(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		type machine struct {
			name, addr                string
			manager, member, firewall bool
		}
		var all []machine
		src := "project('p')\n"
		for i := range 1 + r.IntN(8) {
			m := machine{fmt.Sprintf("m%d", i), fmt.Sprintf("10.0.0.%d", i+1), i == 0 || r.IntN(2) == 0, i == 0 || r.IntN(5) > 0, r.IntN(3) > 0}
			all = append(all, m)
			src += fmt.Sprintf("%s = host('%s', '192.0.2.%d', private_ip = '%s')\n", m.name, m.name, i, m.addr)
			if m.firewall {
				src += fmt.Sprintf("firewall(%s, rules = [rule(port = %d)])\n", m.name, i+1)
			}
			switch {
			case i == 0:
				src += "c = swarm.init(m0)\n"
			case m.member:
				src += fmt.Sprintf("swarm.join(%s, c, role = '%s')\n", m.name, map[bool]string{true: "manager", false: "worker"}[m.manager])
			}
		}
		p, problems := evaluate(t, src, nil)
		if problems.Err() != nil {
			t.Fatalf("seed %d: %v\n%s", seed, problems, src)
		}
		for i, m := range all {
			if !m.firewall {
				continue
			}
			want := []string{fmt.Sprintf("in %d/any any", i+1)}
			for _, o := range all {
				if m.member && o.member && o != m {
					want = append(want, peer(o.addr, o.name, m.manager)...)
				}
			}
			if got := rulesOf(t, p, "host."+m.name); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s has %q, want %q\n%s", seed, m.name, got, want, src)
			}
		}
	}
}

// In a session each plan has the openings of what is declared by then.
func TestOpeningsTyped(t *testing.T) {
	f := newTyped(t)
	f.fine("project('p')", "a = host('a', '10.0.0.1'); b = host('b', '10.0.0.2')", "firewall(a, rules = [rule(port = 22)])", "c = swarm.init(a)")
	rules := func(want ...string) {
		t.Helper()
		p, problems := f.rec.Current()
		if got := rulesOf(t, p, "host.a"); problems.Err() != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, problems, want)
		}
	}
	rules("in 22/any any")
	f.fine("n = swarm.join(b, c)")
	rules(append([]string{"in 22/any any"}, peer("10.0.0.2", "b", true)...)...)
	rules(append([]string{"in 22/any any"}, peer("10.0.0.2", "b", true)...)...)
	if _, err := f.rec.Undeclare("node.b"); err != nil {
		t.Fatal(err)
	}
	rules("in 22/any any")
}
