package azure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/lang"
)

// A story is what a project does in an Azure of its own. Each plan and each apply
// has a connection of its own, as each run of the program has.
type story struct {
	*testing.T
	ctx    context.Context
	server *azuretest.Server
	wire   *wire              // which sees what is sent
	direct policy.Transporter // nil: through the network
	last   *apply.Result
	stop   func(apply.Event) bool // ends an apply in the middle

	parallelism int  // 0: as everywhere
	settles     bool // an apply waits for what there is
}

// head begins the scripts of a story.
const head = "project('shop', env = 'test')\naz = azure('westeurope')\n"

func newStory(t *testing.T, options ...azuretest.Option) *story {
	t.Helper()
	return tell(t, &story{server: azuretest.Start(t, options...)})
}

// newQuickStory is one whose hours are over at once, in a bubble of package synctest.
func newQuickStory(t *testing.T, options ...azuretest.Option) *story {
	t.Helper()
	server := azuretest.Direct(t, options...)
	return tell(t, &story{server: server, direct: server})
}

func tell(t *testing.T, s *story) *story {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	s.server.Setenv(t)
	s.T, s.ctx, s.wire = t, t.Context(), newWire(t.Errorf)
	return s
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// program evaluates a script. There are no machines behind the emulator's, so that
// none is waited for.
func (s *story) program(src string) *resource.Program {
	s.Helper()
	p, err := s.evaluate(src)
	s.must(err)
	return p
}

// problems are what is wrong with a script by itself.
func (s *story) problems(src string) error {
	_, err := s.evaluate(src)
	return err
}

func (s *story) evaluate(src string) (*resource.Program, error) {
	rec := builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
	session := lang.NewSession(lang.Options{Root: s.TempDir(), Predeclared: rec.Predeclared()})
	if _, err := session.ExecSource(s.ctx, "x.star", []byte(src)); err != nil {
		return nil, err
	}
	p, problems := rec.Program()
	return p, problems.Err()
}

// connect returns a connection whose requests the fakes see.
func (s *story) connect(cfg azure.Config, project string, throttle *azure.Throttle) (*azure.Conn, error) {
	conn := azure.Connect(cfg, project, throttle).Through(s.direct)
	return conn, conn.Watch(s.ctx, s.wire)
}

// look connects to the group of a program and reads it, as a plan does.
func (s *story) look(p *resource.Program) (map[string]*apply.Scope, error) {
	scopes, throttle := map[string]*apply.Scope{}, azure.NewThrottle()
	for _, scope := range p.Scopes {
		cfg, ok := scope.Config.(azure.Config)
		if !ok {
			continue // the machines
		}
		conn, err := s.connect(cfg, p.Project, throttle)
		if err != nil {
			return nil, err
		}
		obs, err := conn.Observe(s.ctx, p.Query(scope.Address))
		if err != nil {
			return nil, err
		}
		if err := conn.Inquire(s.ctx, p.Query(scope.Address), obs).Err(); err != nil {
			return nil, err
		}
		scopes[scope.Address] = &apply.Scope{Conn: conn, State: &plan.ScopeState{Scope: scope, Status: plan.Present, Obs: obs}}
	}
	return scopes, nil
}

func (s *story) build(src string, destroy bool) (*plan.Plan, map[string]*apply.Scope, error) {
	return s.buildWith(src, plan.Options{Destroy: destroy, AllowDataLoss: true})
}

func (s *story) buildWith(src string, o plan.Options) (*plan.Plan, map[string]*apply.Scope, error) {
	p := s.program(src)
	scopes, err := s.look(p)
	if err != nil {
		return nil, nil, err
	}
	states := map[string]*plan.ScopeState{}
	for addr, sc := range scopes {
		states[addr] = sc.State
	}
	for _, scope := range p.Scopes {
		if states[scope.Address] == nil {
			states[scope.Address] = &plan.ScopeState{Scope: scope, Status: plan.Absent}
		}
	}
	made, problems := plan.Build(plan.Input{Program: p, Scopes: states, Kinds: registry.Kind, Options: o})
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	if refused := made.Refused(); len(refused) > 0 {
		return nil, nil, refused
	}
	return made, scopes, nil
}

// lines are what a plan would do: the action, the address and the fields.
func lines(p *plan.Plan) (out []string) {
	for _, c := range p.Changes {
		if c.Action == plan.NoOp && c.Unsettled == "" {
			continue
		}
		line := fmt.Sprint(c.Action, " ", c.Address.Short())
		for _, f := range c.Fields {
			line += " " + f.Path
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// wants fails the test where the plan is another one. Planning writes nothing.
func (s *story) wants(src string, want ...string) {
	s.Helper()
	s.server.Forget()
	made, _, err := s.build(src, false)
	s.must(err)
	if got := lines(made); !slices.Equal(got, want) {
		s.Errorf("the plan is\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for _, r := range s.server.Requests() {
		if r.Method != "GET" && !strings.Contains(r.Path, "oauth2") {
			s.Errorf("the plan sent %s %s", r.Method, r.Path)
		}
	}
}

// apply carries out the plan of a script, after which it is empty.
func (s *story) apply(src string) {
	s.Helper()
	s.try(src, false)
	s.wentWell()
	s.wants(src)
}

func (s *story) try(src string, destroy bool) {
	s.Helper()
	made, scopes, err := s.build(src, destroy)
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.last = apply.Run(ctx, apply.Input{
		Plan: made, Program: made.Program, Scopes: scopes, Detach: !s.settles, Parallelism: s.parallelism,
		Sink: func(e apply.Event) {
			if s.stop != nil && s.stop(e) {
				cancel()
			}
		},
	})
}

// wentWell ends the test where a step of the last apply did not go well: those that were
// left out for another one have no error of their own.
func (s *story) wentWell() {
	s.Helper()
	for _, r := range s.last.Steps {
		if r.Outcome == apply.Broken {
			s.Errorf("%s: %v", r.Change.Address, r.Err)
		}
	}
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			s.Fatalf("%s did not go well", r.Change.Address)
		}
	}
}

// destroy leaves nothing.
func (s *story) destroy(src string) {
	s.Helper()
	s.try(src, true)
	s.wentWell()
	if _, err := s.send("GET", "", "2021-04-01", nil); err == nil {
		s.Error("the resource group is still there")
	}
}

// send does something to the group by hand.
func (s *story) send(method, path, version string, body any) (map[string]any, error) {
	return azure.Connect(azure.Config{Location: "westeurope", ResourceGroup: "shop-test"}, "shop/test", azure.NewThrottle()).Through(s.direct).Send(s.ctx, method, path, version, body)
}

const (
	networkAPI = "2025-05-01"
	computeAPI = "2025-04-01"
)

func (s *story) byHand(method, path, version string, body any) map[string]any {
	s.Helper()
	got, err := s.send(method, path, version, body)
	s.must(err)
	return got
}

// writes counts the requests that made, changed or deleted something.
func (s *story) writes() (out []string) {
	for _, r := range s.server.Requests() {
		if r.Method != "GET" && !strings.Contains(r.Path, "oauth2") {
			out = append(out, r.Method+" "+r.Path[strings.LastIndexByte(r.Path, '/')+1:])
		}
	}
	return out
}

// vm() alone is enough: what a machine needs is made, once, and goes with the last.
func TestMachinesAlone(t *testing.T) {
	s := newStory(t)
	two := head + "[vm('web-%d' % i, provider = az) for i in range(2)]"
	s.wants(two, "create network_security_group.shop-test-nsg", "create resource_group.shop-test", "create virtual_network.shop-test-vnet", "create vm.web-0", "create vm.web-1")
	s.server.Forget()
	s.apply(two)

	// Nothing to do takes a bounded number of calls, and writes nothing.
	s.server.Forget()
	s.wants(two)
	calls := 0
	for _, r := range s.server.Requests() {
		if !strings.Contains(r.Path, "oauth2") && !strings.Contains(r.Path, ".well-known") {
			calls++
		}
	}
	if calls > 11 {
		t.Errorf("a plan without changes took %d calls", calls)
	}

	// More and fewer; their zones differ, and stay.
	three := strings.Replace(two, "range(2)", "range(3)", 1)
	s.wants(three, "create vm.web-2")
	s.apply(three)
	zones := map[any]bool{}
	for i := range 3 {
		got := s.byHand("GET", fmt.Sprintf("/providers/Microsoft.Compute/virtualMachines/web-%d", i), computeAPI, nil)
		zones[fmt.Sprint(got["zones"])] = true
	}
	if len(zones) != 3 {
		t.Errorf("the zones are %v", zones)
	}
	one := strings.Replace(two, "range(2)", "range(1)", 1)
	s.wants(one, "delete vm.web-1", "delete vm.web-2")
	s.apply(one)
	if nics := s.byHand("GET", "/providers/Microsoft.Network/networkInterfaces", networkAPI, nil); len(nics["value"].([]any)) != 1 {
		t.Errorf("interfaces that no machine has: %v", nics["value"])
	}
	s.destroy(one)
}

// declared is a script with one of each kind, each argument given.
const declared = head + `
resource_group("shop-test", tags = {"cost": "42"})
nsg = network_security_group("walls", rules = [
    security_rule("ssh", 100, ports = ["22"], sources = ["203.0.113.0/24", "198.51.100.0/24"], description = "us"),
    security_rule("out", 200, direction = "Outbound", access = "Deny", protocol = "Udp", ports = ["53", "1000-1010"], destinations = ["Internet"]),
], tags = {"a": "b"})
net = virtual_network("net", address_space = ["192.168.0.0/16", "172.20.0.0/16"], subnets = [
    vnet_subnet("front", "192.168.1.0/24", network_security_group = nsg),
    vnet_subnet("back", "172.20.0.0/24", default_outbound_access = False),
], tags = {"a": "b"})
ip = public_ip("front", dns_label = "shop-test-front", idle_timeout = 10, tags = {"a": "b"})
nic = network_interface("front", virtual_network = net, subnet = "front", network_security_group = nsg, public_ip = ip,
    private_ip = "192.168.1.10", ip_forwarding = True, tags = {"a": "b"})
vm("front", network_interface = nic, size = "Standard_B2s", provider = az, tags = {"a": "b"})
vm("back", provider = az, virtual_network = net, subnet = "back", network_security_group = nsg, public_ip = False, cpus = 2, memory = "8g", image = "debian-13", user = "ops",
    custom_data = "#!/bin/sh\ntrue\n", zone = "2", spot = True, os_disk_size = "64g", os_disk_type = "Premium_LRS", boot_diagnostics = False,
    identity = ["system"], accelerated_networking = False, ssh_keys = [KEY])
`

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb8zqEt0rRbzr9ty8gQyqBDJ8ncL2zz4jUvRUv6VYpM me"

func all() string { return strings.ReplaceAll(declared, "KEY", fmt.Sprintf("%q", someKey)) }

// Every argument is carried out, read back, changed; what cannot change in place is
// made anew.
func TestEveryArgument(t *testing.T) {
	s := newStory(t)
	src := all()
	s.apply(src)
	for _, c := range []struct {
		old, now string
		want     []string
	}{
		{`{"cost": "42"}`, `{"cost": "43", "more": "x"}`, []string{`update resource_group.shop-test tags["cost"] tags["more"]`}},
		{`"198.51.100.0/24"], description = "us"`, `"198.51.100.0/25"], description = "them"`, []string{`update network_security_group.walls rules["ssh"].sources rules["ssh"].description`}},
		{`vnet_subnet("back", "172.20.0.0/24", default_outbound_access = False)`, `vnet_subnet("back", "172.20.0.0/24"), vnet_subnet("third", "172.20.1.0/24")`, []string{`update virtual_network.net subnets["back"].default_outbound_access subnets["third"]`}},
		{`idle_timeout = 10`, `idle_timeout = 5`, []string{"update public_ip.front idle_timeout"}},
		{`ip_forwarding = True`, `ip_forwarding = False`, []string{"update network_interface.front ip_forwarding"}},
		{`size = "Standard_B2s"`, `size = "Standard_D2ds_v5"`, []string{"update vm.front size"}},
		{`size = "Standard_D2ds_v5"`, `size = "Standard_D2s_v5"`, []string{"replace vm.front size"}}, // it has no temporary disk
		{`"back", network_security_group = nsg,`, `"back", network_security_group = "",`, []string{"update vm.back network_security_group"}},
		{`"back", network_security_group = "",`, `"back", network_security_group = "walls",`, []string{"update vm.back network_security_group"}},
		{`cpus = 2, memory = "8g"`, `cpus = 4, memory = "8g"`, []string{"update vm.back cpus"}},
		{`boot_diagnostics = False`, `boot_diagnostics = True`, []string{"update vm.back boot_diagnostics"}},
		{`identity = ["system"]`, `identity = []`, []string{"update vm.back identity"}},
		{`os_disk_size = "64g"`, `os_disk_size = "128g"`, []string{"update vm.back os_disk_size"}},
		{`ssh_keys = [`, `running = False, ssh_keys = [`, []string{"update vm.back running"}},
		{`running = False, `, ``, []string{"update vm.back running"}},
		{`image = "debian-13"`, `image = "debian-12"`, []string{"replace vm.back image"}},
		{`"#!/bin/sh\ntrue\n"`, `"#!/bin/sh\nfalse\n"`, []string{"replace vm.back custom_data"}},
		{`zone = "2"`, `zone = "3"`, []string{"replace vm.back zone"}},
		{`user = "ops"`, `user = "dev"`, []string{"replace vm.back user"}},
		{`os_disk_size = "128g"`, `os_disk_size = "64g"`, []string{"replace vm.back os_disk_size"}},
		{`idle_timeout = 5`, `zones = ["1"]`, []string{"replace network_interface.front", "replace public_ip.front idle_timeout zones", "replace vm.front"}},
	} {
		if !strings.Contains(src, c.old) {
			t.Fatalf("the script has no %s", c.old)
		}
		src = strings.Replace(src, c.old, c.now, 1)
		s.wants(src, c.want...)
		s.apply(src)
	}
	s.destroy(src)
}

// What somebody else changes is seen, and made as it was; what they add is left.
func TestDrift(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az, tags = {'tier': 'web'})"
	s.apply(src)
	const vm, nsg = "/providers/Microsoft.Compute/virtualMachines/web", "/providers/Microsoft.Network/networkSecurityGroups/shop-test-nsg"

	tags := s.byHand("GET", vm, computeAPI, nil)["tags"].(map[string]any)
	tags["tier"], tags["theirs"] = "db", "kept"
	s.byHand("PATCH", vm, computeAPI, map[string]any{"tags": tags})
	s.wants(src, `update vm.web tags["tier"]`)
	s.apply(src)
	if got := s.byHand("GET", vm, computeAPI, nil)["tags"].(map[string]any); got["theirs"] != "kept" || got["tier"] != "web" {
		t.Errorf("the tags are %v", got)
	}

	s.byHand("POST", vm+"/deallocate", computeAPI, nil)
	s.wants(src, "update vm.web running")
	s.apply(src)

	s.byHand("PATCH", vm, computeAPI, map[string]any{"properties": map[string]any{"hardwareProfile": map[string]any{"vmSize": "Standard_B4ms"}}})
	s.wants(src, "update vm.web size")
	s.apply(src)

	s.byHand("PUT", nsg+"/securityRules/hole", networkAPI, map[string]any{"properties": map[string]any{
		"priority": 300, "direction": "Inbound", "access": "Allow", "protocol": "*", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*",
	}})
	s.wants(src, `update network_security_group.shop-test-nsg rules["hole"]`)
	s.apply(src)

	s.byHand("DELETE", vm, computeAPI, nil)
	s.wants(src, "create vm.web")
	s.apply(src)
	s.destroy(src)
}

// Of every kind a change by hand is seen and undone.
func TestDriftOfEachKind(t *testing.T) {
	s := newStory(t)
	src := all()
	s.apply(src)
	for path, want := range map[string]string{
		"/providers/Microsoft.Network/virtualNetworks/net":         "virtual_network.net",
		"/providers/Microsoft.Network/networkSecurityGroups/walls": "network_security_group.walls",
		"/providers/Microsoft.Network/publicIPAddresses/front":     "public_ip.front",
		"/providers/Microsoft.Network/networkInterfaces/front":     "network_interface.front",
		"/providers/Microsoft.Compute/virtualMachines/front":       "vm.front",
		"": "resource_group.shop-test",
	} {
		version, key := networkAPI, "a"
		switch {
		case strings.Contains(path, "Compute"):
			version = computeAPI
		case path == "":
			version, key = "2021-04-01", "cost"
		}
		tags := s.byHand("GET", path, version, nil)["tags"].(map[string]any)
		tags[key] = "changed"
		s.byHand("PATCH", path, version, map[string]any{"tags": tags})
		s.wants(src, fmt.Sprintf("update %s tags[%q]", want, key))
		s.apply(src)
	}
	s.destroy(src)
}

// An apply that ends in the middle is gone on with by the next, and leaves nothing
// behind that nobody owns.
func TestResumed(t *testing.T) {
	for _, at := range []int{1, 3, 5, 8} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			s := newStory(t)
			src := head + "[vm('web-%d' % i, provider = az) for i in range(4)]"
			events := 0
			s.stop = func(apply.Event) bool { events++; return events >= at }
			s.try(src, false)
			s.stop = nil
			s.apply(src)
			if got := s.byHand("GET", "/providers/Microsoft.Network/publicIPAddresses", networkAPI, nil); len(got["value"].([]any)) != 4 {
				t.Errorf("4 machines have %d addresses", len(got["value"].([]any)))
			}
			s.destroy(src)
		})
	}
}

// What Azure refuses for a while is asked again, and nothing is made twice.
func TestBusyAzure(t *testing.T) {
	s := newStory(t)
	s.server.Fault(emulator.Fault{Every: 5, Status: 429, RetryAfter: 1})
	s.server.Fault(emulator.Fault{Action: "*/write", Every: 4, Times: 3, Status: 409})
	src := head + "[vm('web-%d' % i, provider = az) for i in range(5)]"
	s.apply(src)
	s.server.ClearFaults()
	got := s.byHand("GET", "/providers/Microsoft.Network/networkInterfaces", networkAPI, nil)
	if n := len(got["value"].([]any)); n != 5 {
		t.Errorf("5 machines have %d interfaces", n)
	}
	s.destroy(src)
}

// What cannot be is said before anything is written.
func TestRefusedBeforeTheFirstWrite(t *testing.T) {
	s := newStory(t, func(o *emulator.Options) { o.Cores = 3 })
	for src, want := range map[string]string{
		"vm('a', provider = az, size = 'Standard_B2sx')":                     `did you mean "Standard_B2s"`,
		"vm('a', provider = az, cpus = 1000)":                                "no size of westeurope has 1000 CPUs",
		"vm('a', provider = az, image = 'Debian:debian-99:x')":               "there is no image",
		"vm('a', provider = az); vm('b', provider = az)":                     "the quota of Total Regional vCPUs in westeurope is too small",
		"vm('a', provider = az); azure('nowhere', resource_group = 'other')": "",
		"vm('a', provider = azure('nowhere', resource_group = 'other'))":     `there is no region "nowhere"`,
	} {
		s.server.Forget()
		_, _, err := s.build(head+src, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(fmt.Sprintf("%+v", err), want)) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
		if w := s.writes(); w != nil {
			t.Errorf("%s: it wrote %v", src, w)
		}
	}
}

// What is somebody else's stays theirs.
func TestOthersThings(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"

	// A group that nobody marks is used, and stays.
	s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "northeurope", "tags": map[string]any{"theirs": "x"}})
	s.apply(src)
	s.try(src, true)
	if got := s.byHand("GET", "", "2021-04-01", nil); fmt.Sprint(got["tags"]) != "map[theirs:x]" {
		t.Errorf("the group's tags are %v", got["tags"])
	}
	if got := s.byHand("GET", "/resources", "2021-04-01", nil)["value"].([]any); len(got) != 0 {
		t.Errorf("destroy left %v", got)
	}

	// One of another project is refused.
	s.byHand("PATCH", "", "2021-04-01", map[string]any{"tags": map[string]any{"swarmscript.project": "other", "swarmscript.address": "azure.default/resource_group.shop-test"}})
	s.server.Forget()
	if _, _, err := s.build(src, false); err == nil || !strings.Contains(err.Error(), "belongs to project other") {
		t.Errorf("the group of another project: %v", err)
	}
	s.byHand("DELETE", "", "2021-04-01", nil)

	// Ours is not deleted with what is in it.
	s.apply(src)
	s.byHand("PUT", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	s.try(src, true)
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			t.Errorf("%s: %v", r.Change.Address, r.Err)
		}
	}
	s.byHand("GET", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, nil)
}

// Who may not is told which right is missing; who is nobody, how to log in.
func TestRefusedLogins(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"
	s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Status: 403})
	s.try(src, false)
	failed := ""
	for _, r := range s.last.Steps {
		if r.Err != nil {
			failed += r.Err.Error()
		}
	}
	if !strings.Contains(failed, "a role with Microsoft.Compute/virtualMachines/write") {
		t.Errorf("a right that is missing: %q", failed)
	}
	s.server.ClearFaults()

	t.Setenv("AZURE_CLIENT_SECRET", "wrong")
	if _, _, err := s.build(src, false); !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "AADSTS") {
		t.Errorf("a wrong secret: %v", err)
	}
	t.Setenv(azure.EndpointVariable, "https://127.0.0.1:9")
	if _, _, err := s.build(src, false); !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody is there: %v", err)
	}
	t.Setenv(azure.EndpointVariable, s.server.URL)
	for _, name := range []string{"AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"} {
		t.Setenv(name, "")
	}
	t.Setenv("PATH", t.TempDir()) // no az
	if _, _, err := s.build(src, false); !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "az login") {
		t.Errorf("no login at all: %v", err)
	}
	env := s.server.Env()
	for _, name := range []string{"TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"} {
		t.Setenv("ARM_"+name, env["AZURE_"+name])
	}
	t.Setenv("AZURE_SUBSCRIPTION_ID", "") // the only one that the login sees
	if _, _, err := s.build(src, false); err != nil {
		t.Errorf("as Terraform has it: %v", err)
	}
}

// One apply keeps another away, also where there is no group yet to keep a lease in.
func TestLease(t *testing.T) {
	s := newStory(t)
	cfg := azure.Config{Location: "westeurope", ResourceGroup: "shop-test"}
	a, err := s.connect(cfg, "shop/test", azure.NewThrottle())
	s.must(err)
	b, err := s.connect(cfg, "shop/test", azure.NewThrottle())
	s.must(err)
	held := func(holder string) *resource.Lease {
		return &resource.Lease{Holder: holder, Why: "a test", Expires: time.Now().Add(time.Minute).UTC()}
	}
	if l, now, err := a.ReadLease(s.ctx, "shop/test"); l != nil || err != nil || now.IsZero() {
		t.Fatalf("%v, %v, %v", l, now, err)
	}
	mine, err := a.WriteLease(s.ctx, "shop/test", nil, held("a"))
	s.must(err)
	if _, err := b.WriteLease(s.ctx, "shop/test", nil, held("b")); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("a second holder: %v", err)
	}
	theirs, _, err := b.ReadLease(s.ctx, "shop/test")
	s.must(err)
	if theirs.Holder != "a" || theirs.Why != "a test" {
		t.Errorf("the lease is %+v", theirs)
	}
	renewed, err := a.WriteLease(s.ctx, "shop/test", mine, held("a"))
	s.must(err)
	if _, err := b.WriteLease(s.ctx, "shop/test", theirs, held("b")); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("a write under an old etag: %v", err)
	}
	other, err := b.WriteLease(s.ctx, "other", nil, held("b"))
	s.must(err)
	if _, err := b.WriteLease(s.ctx, "other", other, nil); err != nil {
		t.Errorf("another project's: %v", err)
	}
	if _, err := a.WriteLease(s.ctx, "shop/test", renewed, nil); err != nil {
		t.Error(err)
	}
	if l, _, err := b.ReadLease(s.ctx, "shop/test"); l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
}
