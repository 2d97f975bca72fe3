package azure_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/value"
)

// balanced is a script with a load balancer, each argument given.
const balanced = head + `
ip = public_ip("front", tags = {"a": "b"})
nodes = [vm("wrk-%d" % i, provider = az, public_ip = False) for i in range(2)]
other = vm("other", provider = az)
load_balancer("front", public_ip = ip, backend = nodes, tags = {"a": "b"}, rules = [
    lb_rule("web", 80, backend_port = 8080, probe = "http", probe_port = 9090, probe_path = "/health", probe_interval = 10, probe_threshold = 3, idle_timeout = 10, tcp_reset = True, load_distribution = "SourceIP"),
    lb_rule("dns", 53, protocol = "udp", probe_port = 7946),
    lb_rule("tls", 443),
])
`

// members are the machines whose interfaces are in the pool of the load balancer.
func (s *story) members() (out []string) {
	s.Helper()
	lb := s.byHand("GET", "/providers/Microsoft.Network/loadBalancers/front", networkAPI, nil)
	for _, p := range lb["properties"].(map[string]any)["backendAddressPools"].([]any) {
		in, _ := p.(map[string]any)["properties"].(map[string]any)["backendIPConfigurations"].([]any)
		for _, c := range in {
			id := c.(map[string]any)["id"].(string)
			nic, _, _ := strings.Cut(id[strings.Index(id, "/networkInterfaces/")+len("/networkInterfaces/"):], "-nic")
			out = append(out, nic)
		}
	}
	slices.Sort(out)
	return out
}

func (s *story) balances(want ...string) {
	s.Helper()
	if got := s.members(); !slices.Equal(got, want) {
		s.Errorf("%v are in the pool, want %v", got, want)
	}
}

// Every argument of a load balancer is carried out, read back and changed, and no
// machine is written for it.
func TestBalancer(t *testing.T) {
	s := newStory(t)
	src := balanced
	s.apply(src)
	s.balances("wrk-0", "wrk-1")
	for _, c := range []struct {
		old, now string
		want     []string
	}{
		{`backend_port = 8080`, `backend_port = 8081`, []string{`update load_balancer.front rules["web"].backend_port`, `update network_security_group.shop-test-nsg rules["open-8080-tcp"] rules["open-8081-tcp"]`}},
		{`probe = "http"`, `probe = "https"`, []string{`update load_balancer.front rules["web"].probe`}},
		{`probe_port = 9090, probe_path = "/health", probe_interval = 10, probe_threshold = 3`, `probe_port = 9091, probe_path = "/up", probe_interval = 20, probe_threshold = 1`,
			[]string{`update load_balancer.front rules["web"].probe_port rules["web"].probe_path rules["web"].probe_interval rules["web"].probe_threshold`}},
		{`idle_timeout = 10, tcp_reset = True, load_distribution = "SourceIP"`, `load_distribution = "SourceIPProtocol"`,
			[]string{`update load_balancer.front rules["web"].load_distribution rules["web"].idle_timeout rules["web"].tcp_reset`}},
		{`lb_rule("tls", 443)`, `lb_rule("tls", 8443)`, []string{`update load_balancer.front rules["tls"].port rules["tls"].backend_port rules["tls"].probe_port`,
			`update network_security_group.shop-test-nsg rules["open-443-tcp"] rules["open-8443-tcp"]`}},
		{`lb_rule("dns", 53, protocol = "udp", probe_port = 7946)`, `lb_rule("dns", 53)`, []string{`update load_balancer.front rules["dns"].protocol rules["dns"].probe_port`,
			`update network_security_group.shop-test-nsg rules["open-53-tcp"] rules["open-53-udp"]`}},
		{`tags = {"a": "b"}, rules`, `tags = {"a": "c"}, rules`, []string{`update load_balancer.front tags["a"]`}},
		{`backend = nodes`, `backend = nodes + [other]`, []string{"update load_balancer.front backend"}},
		{`backend = nodes + [other]`, `backend = [nodes[0], other]`, []string{"update load_balancer.front backend"}},
		{`public_ip = ip, `, ``, []string{"create public_ip.front-ip", "update load_balancer.front public_ip"}},
	} {
		if !strings.Contains(src, c.old) {
			t.Fatalf("the script has no %s", c.old)
		}
		src = strings.Replace(src, c.old, c.now, 1)
		s.wants(src, slices.Sorted(slices.Values(c.want))...)
		s.server.Forget()
		s.apply(src)
		for _, w := range s.writes() {
			if strings.HasPrefix(w, "PUT wrk-") && !strings.Contains(w, "-nic-") {
				t.Errorf("%s: a machine was written: %s", c.now, w)
			}
		}
	}
	s.balances("other", "wrk-0")

	// What is declared no more goes, and its machines stay.
	less := src[:strings.Index(src, "load_balancer(")]
	s.wants(less, "delete load_balancer.front", "delete public_ip.front-ip", `update network_security_group.shop-test-nsg rules["open-53-tcp"] rules["open-8081-tcp"] rules["open-8443-tcp"] rules["probes"]`)
	s.apply(less)
	s.destroy(less)
}

// A machine that is made while its load balancer is there is born into it; one that
// goes has left it before. Its address is made anew with it in it.
func TestBalancerMembers(t *testing.T) {
	s := newStory(t)
	src := head + `
ip = public_ip("front")
nodes = [vm("wrk-%d" % i, provider = az) for i in range(2)]
load_balancer("front", public_ip = ip, rules = [lb_rule("web", 80)])
`
	s.apply(src)
	s.balances("wrk-0", "wrk-1")
	three := strings.Replace(src, "range(2)", "range(3)", 1)
	s.wants(three, "create vm.wrk-2", "update load_balancer.front backend")
	s.server.Forget()
	s.apply(three)
	s.balances("wrk-0", "wrk-1", "wrk-2")
	for _, w := range s.writes() {
		if strings.Contains(w, "-nic-") {
			t.Errorf("an interface was written: %s", w)
		}
	}

	// Made anew, it is in the pool again, though that has nothing to do.
	anew := strings.Replace(three, "provider = az)", "provider = az, user = 'ops')", 1)
	s.wants(anew, "replace vm.wrk-0 user", "replace vm.wrk-1 user", "replace vm.wrk-2 user")
	s.apply(anew)
	s.balances("wrk-0", "wrk-1", "wrk-2")

	// Both at once: the load balancer is changed, not made anew.
	both := strings.NewReplacer("'ops'", "'dev'", "80)", "81)").Replace(anew)
	s.wants(both, `replace vm.wrk-0 user`, `replace vm.wrk-1 user`, `replace vm.wrk-2 user`, `update load_balancer.front rules["web"].port rules["web"].backend_port rules["web"].probe_port`,
		`update network_security_group.shop-test-nsg rules["open-80-tcp"] rules["open-81-tcp"]`)
	s.apply(both)
	s.balances("wrk-0", "wrk-1", "wrk-2")

	// Who leaves has left the pool before it goes.
	s.try(strings.Replace(both, "range(3)", "range(1)", 1), false)
	var order []string
	for _, w := range s.writes() {
		if strings.HasPrefix(w, "DELETE wrk-") || w == "PUT front" {
			order = append(order, w[:5])
		}
	}
	if len(order) != 3 || order[0] != "PUT f" {
		t.Errorf("the writes were %v", s.writes())
	}
	s.balances("wrk-0")

	// An address that is made anew takes its load balancer along, which has its
	// machines again.
	one := strings.Replace(both, "range(3)", "range(1)", 1)
	zoned := strings.Replace(one, `public_ip("front")`, `public_ip("front", zones = ["1"])`, 1)
	s.wants(zoned, "replace load_balancer.front", "replace public_ip.front zones")
	s.apply(zoned)
	s.balances("wrk-0")
	s.destroy(zoned)
}

// What somebody else does to a load balancer is undone: a rule of theirs, a machine
// that they took out, another that they put in, and all of it.
func TestBalancerDrift(t *testing.T) {
	s := newStory(t)
	s.apply(balanced)
	const lb = "/providers/Microsoft.Network/loadBalancers/front"

	now := s.byHand("GET", lb, networkAPI, nil)
	props := now["properties"].(map[string]any)
	rule := props["loadBalancingRules"].([]any)[0].(map[string]any)["properties"].(map[string]any)
	rule["idleTimeoutInMinutes"] = 30
	s.byHand("PUT", lb, networkAPI, now)
	if made, _, err := s.build(balanced, false); err != nil || len(lines(made)) != 1 || !strings.Contains(lines(made)[0], "idle_timeout") {
		t.Errorf("a rule that was changed: %v, %v", lines(made), err)
	}
	s.apply(balanced)

	nics := s.byHand("GET", "/providers/Microsoft.Network/networkInterfaces", networkAPI, nil)["value"].([]any)
	for _, v := range nics {
		nic := v.(map[string]any)
		name := nic["name"].(string)
		config := nic["properties"].(map[string]any)["ipConfigurations"].([]any)[0].(map[string]any)["properties"].(map[string]any)
		switch {
		case strings.HasPrefix(name, "wrk-1"):
			delete(config, "loadBalancerBackendAddressPools")
		case strings.HasPrefix(name, "other"):
			config["loadBalancerBackendAddressPools"] = []any{map[string]any{"id": fmt.Sprint(now["id"], "/backendAddressPools/nodes")}}
		default:
			continue
		}
		s.byHand("PUT", "/providers/Microsoft.Network/networkInterfaces/"+name, networkAPI, nic)
	}
	s.balances("other", "wrk-0")
	s.wants(balanced, "update load_balancer.front backend")
	s.apply(balanced)
	s.balances("wrk-0", "wrk-1")

	s.byHand("DELETE", lb, networkAPI, nil)
	s.wants(balanced, "create load_balancer.front")
	s.apply(balanced)
	s.balances("wrk-0", "wrk-1")
	s.destroy(balanced)
}

// A frontend that somebody else gave a load balancer stays, with its rules and probes,
// and is no drift; what a change of ours leaves of our own goes.
func TestBalancerPartsOfOthers(t *testing.T) {
	s := newStory(t)
	s.apply(balanced)
	const lb = "/providers/Microsoft.Network/loadBalancers/front"
	ip := s.byHand("PUT", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	now := s.byHand("GET", lb, networkAPI, nil)
	props, self := now["properties"].(map[string]any), now["id"].(string)
	add := func(array, name string, with map[string]any) {
		props[array] = append(props[array].([]any), map[string]any{"name": name, "properties": with})
	}
	ref := func(part string) map[string]any { return map[string]any{"id": self + part} }
	add("frontendIPConfigurations", "second", map[string]any{"publicIPAddress": map[string]any{"id": ip["id"]}})
	add("probes", "up", map[string]any{"protocol": "Tcp", "port": 22})
	add("loadBalancingRules", "ssh", map[string]any{
		"protocol": "Tcp", "frontendPort": 2222, "backendPort": 22, "frontendIPConfiguration": ref("/frontendIPConfigurations/second"),
		"backendAddressPool": ref("/backendAddressPools/nodes"), "probe": ref("/probes/up"),
	})
	s.byHand("PUT", lb, networkAPI, now)
	s.wants(balanced)
	src := strings.Replace(balanced, `    lb_rule("tls", 443),`, "", 1)
	s.apply(src)
	props = s.byHand("GET", lb, networkAPI, nil)["properties"].(map[string]any)
	for array, want := range map[string]string{"frontendIPConfigurations": "[front second]", "loadBalancingRules": "[dns ssh web]", "probes": "[dns up web]"} {
		var names []string
		for _, p := range props[array].([]any) {
			names = append(names, p.(map[string]any)["name"].(string))
		}
		if slices.Sort(names); fmt.Sprint(names) != want {
			t.Errorf("%s are %v, want %s", array, names, want)
		}
	}
	s.balances("wrk-0", "wrk-1")
}

// Azure has a machine behind one load balancer at most. Machines that change from one
// to the other are behind one all the time, whichever of them is written first; and
// what others write to an interface in between is not lost.
func TestTwoBalancers(t *testing.T) {
	s := newStory(t)
	if err := s.problems(head + "[vm('m%d' % i, provider = az) for i in range(2)]\n[load_balancer(n, rules = [lb_rule('web', 80)], provider = az) for n in ['front', 'back']]"); err == nil ||
		!strings.Contains(err.Error(), "load_balancer.front and load_balancer.back both send to machine m0") {
		t.Errorf("two in front of all machines: %v", err)
	}
	if err := s.problems(head + "m = vm('m0', provider = az)\n[load_balancer(n, backend = b, provider = az) for n, b in [('front', [m]), ('back', ['M0'])]]"); err == nil || !strings.Contains(err.Error(), "machine m0") {
		t.Errorf("one that is named: %v", err)
	}
	src := head + `
m = [vm("m%d" % i, provider = az, public_ip = False) for i in range(4)]
load_balancer("front", backend = [m[0], m[1]], rules = [lb_rule("web", 80)])
load_balancer("back", backend = [m[2], m[3]], rules = [lb_rule("web", 81)])
`
	s.apply(src)
	s.balances("m0", "m1")
	swapped := strings.NewReplacer("m[0]", "m[3]", "m[3]", "m[0]").Replace(src)
	var once sync.Once
	s.wire.before = func(op string) {
		if op == "InterfacesClient.BeginCreateOrUpdate" {
			once.Do(func() {
				for _, v := range s.byHand("GET", "/providers/Microsoft.Network/networkInterfaces", networkAPI, nil)["value"].([]any) {
					nic := v.(map[string]any)
					s.byHand("PATCH", "/providers/Microsoft.Network/networkInterfaces/"+nic["name"].(string), networkAPI, map[string]any{"tags": map[string]any{"theirs": "yes"}})
				}
			})
		}
	}
	s.wants(swapped, "update load_balancer.back backend", "update load_balancer.front backend")
	s.try(swapped, false)
	s.wire.before = nil
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			t.Errorf("%s: %v", r.Change.Address, r.Err)
		}
	}
	s.wants(swapped)
	s.balances("m1", "m3")
	for _, v := range s.byHand("GET", "/providers/Microsoft.Network/networkInterfaces", networkAPI, nil)["value"].([]any) {
		if tags, _ := v.(map[string]any)["tags"].(map[string]any); tags["theirs"] != "yes" {
			t.Errorf("what somebody else wrote to %s is lost: %v", v.(map[string]any)["name"], tags)
		}
	}

	// Another name is another load balancer, and the machines change to it.
	renamed := strings.Replace(swapped, `"front"`, `"other"`, 1)
	s.apply(renamed)
	s.destroy(renamed)
}

// What Azure would refuse, or nobody could mean, is said at once.
func TestBalancerRefused(t *testing.T) {
	s := newStory(t)
	for args, want := range map[string]string{
		`rules = [lb_rule("a", 80), lb_rule("b", 80)]`:                                                      "80/tcp is that of a too",
		`rules = [lb_rule("a", 80), lb_rule("a", 81)]`:                                                      `"a" is that of another rule`,
		`rules = [lb_rule("a", 80), lb_rule("b", 81, backend_port = 80)]`:                                   "goes to 80/tcp of the machines, and so does a",
		`rules = [lb_rule("a", 80, protocol = "udp")]`:                                                      "Azure probes no udp",
		`rules = [lb_rule("a", 80, probe_path = "/")]`:                                                      "probe_path: is for http and https",
		`rules = [lb_rule("a", 80, probe = "http", probe_path = "up")]`:                                     "want a path",
		`rules = [lb_rule("a b", 80)]`:                                                                      "want letters",
		`services = ["web"]`:                                                                                "want what service(...) returns",
		`services = [service("a", image = "nginx", engine = e)]`:                                            "publishes no port",
		`services = [service("a", image = "nginx", ports = ["80"])]`:                                        "publish one by its number",
		`services = [service("a", image = "nginx", ports = [port(80, published = 80, mode = "host")])]`:     "and not at every node",
		`services = [service("a", image = "nginx", ports = [port(80, published = 80, protocol = "sctp")])]`: "sctp",
	} {
		src := head + "m = vm('web', provider = az)\ndocker_install(m)\nswarm.init(m)\nload_balancer('front', " + strings.Replace(args, ", engine = e", "", 1) + ")"
		if err := s.problems(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
	if err := s.problems(head + "load_balancer('front', provider = az)"); err == nil || !strings.Contains(err.Error(), "there is no machine that it could send to") {
		t.Errorf("no machine: %v", err)
	}
}

// A load balancer follows what services publish at every node, as their declarations
// say, and so does the security group; where it names no machines it sends to the
// workers.
func TestBalancerFollows(t *testing.T) {
	s := newStory(t)
	for _, c := range []struct {
		says     string
		problems string
		ports    []string
	}{
		{`services = [web, dns]`, "", []string{"80/tcp", "443/tcp", "53/udp"}},
		{`services = [web], rules = [lb_rule("more", 8080, backend_port = 9000)]`, "", []string{"80/tcp", "443/tcp", "9000/tcp"}},
		{`follow = cluster`, "", []string{"80/tcp", "443/tcp", "53/udp"}},
		{`follow = cluster, services = [web], backend = [mgr]`, "", []string{"80/tcp", "443/tcp", "53/udp"}},
		{`services = [web], rules = [lb_rule("mine", 80)]`, "80/tcp is that of", nil},
	} {
		src := head + `
mgr = vm("mgr", provider = az)
wrk = vm("wrk", provider = az)
[docker_install(m) for m in [mgr, wrk]]
cluster = swarm.init(mgr)
swarm.join(wrk, cluster, role = "worker")
web = service("web", image = "nginx", ports = ["80:8080", port(8443, published = 443)])
dns = service("dns", image = "bind", ports = [port(53, published = 53, protocol = "udp")])
service("inside", image = "nginx", ports = [port(99, published = 99, mode = "host"), "77"])
load_balancer("front", ` + c.says + ")"
		p, err := s.evaluate(src)
		if c.problems != "" {
			if err == nil || !strings.Contains(err.Error(), c.problems) {
				t.Errorf("%s: %v, want %s", c.says, err, c.problems)
			}
			continue
		}
		s.must(err)
		args := map[string]value.Value{}
		for _, d := range p.Declarations {
			for _, name := range []string{"rules", "backend"} {
				if f, ok := d.Kind.Schema.Field(name); ok && d.Scope == "azure.default" {
					args[d.Kind.Name+"."+name] = d.Args[f.Index]
				}
			}
		}
		got := azure.Balanced(args["load_balancer.rules"])
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(c.ports)); !slices.Equal(got, want) {
			t.Errorf("%s: it sends to %v, want %v", c.says, got, want)
		}
		to := "vm.wrk"
		if strings.Contains(c.says, "backend = ") {
			to = "vm.mgr"
		}
		if list := args["load_balancer.backend"].(value.List); len(list) != 1 || list[0].(value.Ref).Address.Short() != to {
			t.Errorf("%s: it sends to %v, want %s", c.says, list, to)
		}
		walls := fmt.Sprint(args["network_security_group.rules"])
		for _, port := range c.ports {
			if !strings.Contains(walls, "open-"+strings.ReplaceAll(port, "/", "-")) {
				t.Errorf("%s: %s is closed", c.says, port)
			}
		}
	}
}

// An apply that ends in the middle is gone on with.
func TestBalancerResumed(t *testing.T) {
	for _, at := range []int{8, 10, 12} {
		s := newStory(t)
		events := 0
		s.stop = func(apply.Event) bool { events++; return events >= at }
		s.try(balanced, false)
		s.stop = nil
		s.apply(balanced)
		s.balances("wrk-0", "wrk-1")
	}
}
