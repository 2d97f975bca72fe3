package azure_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// refuses fails the test where the plan of a script can be carried out, does not say
// why not, or writes something.
func (s *story) refuses(src string, want ...string) {
	s.Helper()
	s.server.Forget()
	_, _, err := s.build(src, false)
	if err == nil {
		s.Errorf("%s: the plan can be carried out", src)
		return
	}
	said := fmt.Sprintf("%+v", err)
	for _, w := range want {
		if !strings.Contains(said, w) {
			s.Errorf("%s: it does not say %q: %s", src, w, said)
		}
	}
	if w := s.writes(); w != nil {
		s.Errorf("%s: it wrote %v", src, w)
	}
}

// A secret that has expired is told as Entra says it.
func TestExpiredCredentials(t *testing.T) {
	s := newStory(t, func(o *emulator.Options) {
		o.Apps = []emulator.App{{ID: emulator.DefaultApp.ID, Secret: "old", Expired: true}}
	})
	s.refuses(head+"vm('web', provider = az)", "the environment's service principal: AADSTS7000222", "are expired")
	if _, _, err := s.build(head+"vm('web', provider = az)", false); !errors.Is(err, resource.ErrRefused) {
		t.Errorf("an expired secret: %v", err)
	}
}

// A subscription that there is not says nothing of what is in it: neither that it is
// to be made, nor that it is gone.
func TestSubscriptionThatIsNone(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"
	s.apply(src)
	t.Setenv("AZURE_SUBSCRIPTION_ID", "11111111-0000-4000-8000-000000000000")
	for _, destroy := range []bool{false, true} {
		if _, _, err := s.build(src, destroy); !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "AZURE_SUBSCRIPTION_ID") {
			t.Errorf("destroy %t: %v", destroy, err)
		}
	}
}

// A subscription is known by its ID, not by the name that az takes, too.
func TestSubscriptionByName(t *testing.T) {
	s := newStory(t)
	t.Setenv("AZURE_SUBSCRIPTION_ID", "Emulated")
	s.refuses(head+"vm('web', provider = az)", `AZURE_SUBSCRIPTION_ID says subscription "Emulated", want its ID`, "az account list")
}

// entra is what stands before Microsoft Entra ID, and counts what is asked of it.
type entra struct {
	policy.Transporter
	posts  int
	fails  int // so many times
	err    error
	status int
	body   string
}

// Do implements [policy.Transporter].
func (e *entra) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/token") {
		return e.Transporter.Do(r)
	}
	if e.posts++; e.posts > e.fails {
		return e.Transporter.Do(r)
	}
	if e.err != nil {
		return nil, e.err
	}
	return &http.Response{StatusCode: e.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(e.body)), Request: r}, nil
}

// A login that is refused is refused once, whatever is asked for with it; one that
// nobody answers is tried again, and told as what it is.
func TestLogins(t *testing.T) {
	src := head + "vm('web', provider = az)"
	for _, c := range []struct {
		what  string
		entra entra
		posts int // 0: more than one
		kind  error
		want  string // "" where it goes well
	}{
		{"a wrong secret", entra{fails: 99, status: 401, body: `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`}, 1, resource.ErrRefused, "AADSTS7000215"},
		{"refused by who is not Entra", entra{fails: 99, status: 403, body: `{}`}, 1, resource.ErrRefused, "the environment's service principal: Microsoft Entra ID answers 403 Forbidden"},
		{"a fault of Entra's", entra{fails: 99, status: 503, body: `{}`}, 0, resource.ErrUnreachable, "Microsoft Entra ID, which gives out logins, answers 503 Service Unavailable"},
		{"nobody there", entra{fails: 99, err: &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: syscall.ECONNREFUSED}}, 1, resource.ErrUnreachable, "unreachable: dial tcp 192.0.2.1:443: connection refused"},
		{"a proxy that refuses", entra{fails: 99, err: &url.Error{Op: "Post", URL: "https://login.test/x", Err: errors.New("Proxy Authentication Required")}}, 1, resource.ErrUnreachable, "unreachable: login.test: Proxy Authentication Required"},
		{"a connection that breaks", entra{fails: 1, err: io.ErrUnexpectedEOF}, 2, nil, ""},
		{"one that ends", entra{fails: 2, status: 503, body: `{}`}, 3, nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newQuickStory(t)
			e := c.entra
			e.Transporter, s.direct = s.direct, &e
			_, _, err := s.build(src, false)
			switch {
			case c.want == "":
				s.must(err)
			case err == nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "no login"):
				t.Errorf("%s: %v", c.what, err)
			}
			if e.posts != c.posts && (c.posts > 0 || e.posts < 2) {
				t.Errorf("%s: %d logins were tried, want %d", c.what, e.posts, c.posts)
			}
		})
	}
}

// A part of a service principal is no login, and no reason to take another one.
func TestPartOfALogin(t *testing.T) {
	text := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(text, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"AZURE_TENANT_ID": ""}, "neither AZURE_TENANT_ID nor ARM_TENANT_ID is set"},
		{map[string]string{"AZURE_TENANT_ID": "", "AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": text}, "neither AZURE_TENANT_ID nor ARM_TENANT_ID is set"},
		{map[string]string{"AZURE_CLIENT_ID": ""}, "neither AZURE_CLIENT_ID nor ARM_CLIENT_ID is set"},
		{map[string]string{"AZURE_CLIENT_ID": "", "AZURE_CLIENT_SECRET": "", "ARM_CLIENT_SECRET": "s"}, "neither AZURE_CLIENT_ID nor ARM_CLIENT_ID is set"},
		{map[string]string{"AZURE_TENANT_ID": "my tenant"}, "invalid tenantID"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere"}, "open /nowhere: no such file"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "ARM_USE_OIDC": "true"}, "none of ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH and ACTIONS_ID_TOKEN_REQUEST_URL is"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "ARM_USE_OIDC": "yes"}, `ARM_USE_OIDC is "yes", want true or false`},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "a.b.c"}, "the environment's service principal: AADSTS700027"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN_FILE_PATH": text}, "the environment's service principal: AADSTS700027"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": text}, "key.pem: want a certificate and its key"},
		{map[string]string{"AZURE_CLIENT_SECRET": "", "PATH": ""}, "no login to Azure was found"}, // which a machine's identity may have, too
	} {
		t.Run(c.want, func(t *testing.T) {
			s := newStory(t)
			for name, v := range c.env {
				t.Setenv(name, v)
			}
			s.refuses(head+"vm('web', provider = az)", c.want)
			if _, _, err := s.build(head+"vm('web', provider = az)", false); !errors.Is(err, resource.ErrRefused) {
				t.Error(err)
			}
		})
	}
}

// What a login may not do is told before anything is done, whether the group is there
// or not; what it may do goes on.
func TestMissingRights(t *testing.T) {
	limited := func(actions, not []string) func(*emulator.Options) {
		return func(o *emulator.Options) {
			o.Apps = []emulator.App{emulator.DefaultApp, {ID: "11111111-0000-4000-8000-000000000000", Secret: "few", Actions: actions, NotActions: not}}
		}
	}
	src := head + "vm('web', provider = az)"
	for _, c := range []struct {
		what         string
		actions, not []string
		want         string // "" where all goes well
	}{
		{"a reader", []string{"*/read"}, nil, "it lacks Microsoft.Resources/subscriptions/resourceGroups/write"},
		{"no machines", []string{"*/read", "Microsoft.Network/*", "Microsoft.Resources/*"}, nil, "vm.web: the login may not make or change it: it lacks Microsoft.Compute/virtualMachines/write"},
		{"all but networks", []string{"*"}, []string{"Microsoft.Network/virtualNetworks/write"}, "it lacks Microsoft.Network/virtualNetworks/write"},
		{"as much as it takes", []string{"Microsoft.Compute/*", "Microsoft.Network/*", "Microsoft.Resources/*"}, []string{"Microsoft.Compute/virtualMachines/extensions/*"}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newStory(t, limited(c.actions, c.not))
			t.Setenv("AZURE_CLIENT_ID", "11111111-0000-4000-8000-000000000000")
			t.Setenv("AZURE_CLIENT_SECRET", "few")
			if c.want == "" {
				s.apply(src)
				s.destroy(src)
				return
			}
			s.refuses(src, c.want, "Contributor")
			t.Setenv("AZURE_CLIENT_ID", emulator.DefaultApp.ID)
			t.Setenv("AZURE_CLIENT_SECRET", emulator.DefaultApp.Secret)
			s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
			t.Setenv("AZURE_CLIENT_ID", "11111111-0000-4000-8000-000000000000")
			t.Setenv("AZURE_CLIENT_SECRET", "few")
			if c.what != "a reader" {
				s.refuses(src, c.want)
			}
			s.refuses(src, "the login may not make or change it")
		})
	}

	s := newStory(t, limited([]string{"*"}, []string{"Microsoft.Compute/virtualMachines/extensions/write"}))
	t.Setenv("AZURE_CLIENT_ID", "11111111-0000-4000-8000-000000000000")
	t.Setenv("AZURE_CLIENT_SECRET", "few")
	s.refuses(src+"\nvm_extension(vm = 'web', extension = 'run', settings = {'commandToExecute': 'true'})", "it lacks Microsoft.Compute/virtualMachines/extensions/write")

	// Who is not told what it may do goes on, and hears it from Azure.
	s = newStory(t)
	s.server.Fault(emulator.Fault{Action: "Microsoft.Authorization/*", Status: 403})
	s.apply(src)
}

// Patterns of rights are read as Azure reads them.
func TestRights(t *testing.T) {
	const vm = "Microsoft.Compute/virtualMachines/write"
	for _, c := range []struct {
		actions, not string
		want         bool
	}{
		{"*", "", true}, {"", "", false}, {"microsoft.compute/*", "", true}, {"*/write", "", true}, {"Microsoft.Compute/*/write", "", true},
		{"*/virtualMachines/*", "", true}, {"*/read", "", false}, {"Microsoft.Compute/virtualMachines", "", false}, {vm, "", true},
		{"Microsoft.Compute/virtualMachines/write/*", "", false}, {"*", vm, false}, {"*", "*/virtualMachines/*", false}, {"*", "*/delete", true},
		{"Microsoft.Compute/virtualMachines/w*write", "", false},
	} {
		if got := azure.Allows(strings.Fields(c.actions), strings.Fields(c.not), vm); got != c.want {
			t.Errorf("%s but %s: %t", c.actions, c.not, got)
		}
	}
}

// What Azure gives to one is said to be two's by the script alone, with both places.
func TestWhatOneCanHave(t *testing.T) {
	s := newStory(t)
	ext := "\nvm_extension('a', 'one')\nvm_extension(a, 'two', publisher = 'microsoft.azure.extensions')"
	for src, want := range map[string]string{
		"d = disk('d', 8)\nvm('a', provider = az, data_disks = [d])\nvm('b', provider = az, data_disks = [data_disk('d')])":                                                    "vm.a and vm.b both have disk d: Azure attaches it to one machine",
		"n = network_interface('n', virtual_network = virtual_network('net'))\nvm('a', provider = az, network_interface = n)\nvm('b', provider = az, network_interface = 'n')": "vm.a and vm.b both have network_interface n: Azure gives it to one machine",
		"a = vm('a', provider = az)" + ext: `vm_extension["a/one"] and vm_extension["a/two"] are both microsoft.azure.extensions CustomScript of machine a: Azure has one extension of a type on a machine`,
		"a = vm('a', provider = az)" + strings.Replace(ext, "extensions'", "extensions', type = 'Other'", 1): "",
		"vm('a', provider = az, data_disks = ['shared'])\nvm('b', provider = az, data_disks = ['shared'])":   "",
	} {
		err := s.problems(head + src)
		var all diag.List
		switch {
		case want == "":
			s.must(err)
		case !errors.As(err, &all) || len(all) != 1 || all[0].Summary != want || len(all[0].Related) != 1:
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}

// What somebody else's things have, and keep, is told before anything is written; what
// goes with a machine that is made anew is in nobody's way.
func TestWhatOthersHave(t *testing.T) {
	s := newStory(t)
	src := head + "d = disk('d', 8, zone = '2')\na = vm('a', provider = az, zone = '2')\nb = vm('b', provider = az, zone = '2')"
	s.apply(src)

	extension := func(name string) error {
		_, err := s.send("PUT", "/providers/Microsoft.Compute/virtualMachines/a/extensions/"+name, computeAPI, map[string]any{"location": "westeurope", "properties": map[string]any{
			"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1", "settings": map[string]any{"commandToExecute": "true"},
		}})
		return err
	}
	s.must(extension("theirs"))
	if err := extension("more"); err == nil || !strings.Contains(err.Error(), "Multiple VMExtensions per handler not supported") {
		t.Errorf("a second extension of a type: %v", err)
	}
	own := "\nvm_extension(a, 'own', settings = {'commandToExecute': 'true'})"
	s.refuses(src+own, `vm_extension a/theirs, unmanaged and vm_extension["a/own"] are both Microsoft.Azure.Extensions CustomScript of machine a`)
	src = strings.Replace(src, "'a', ", "'a', custom_data = '#!/bin/true', ", 1) + own
	s.apply(src)

	const disks, machines = "/providers/Microsoft.Compute/disks/", "/providers/Microsoft.Compute/virtualMachines/"
	id := s.byHand("GET", disks+"d", computeAPI, nil)["id"]
	attached := map[string]any{"lun": 0, "createOption": "Attach", "managedDisk": map[string]any{"id": id}}
	vm := s.byHand("GET", machines+"b", computeAPI, nil)
	s.byHand("PATCH", machines+"b", computeAPI, map[string]any{"tags": map[string]any{}, "properties": map[string]any{"storageProfile": map[string]any{"dataDisks": []any{attached}}}})
	s.refuses(strings.NewReplacer("b = vm('b', provider = az, zone = '2')", "", "vm('a'", "vm('a', data_disks = [d]").Replace(src), "vm b, unmanaged and vm.a both have disk d: Azure attaches it to one machine")
	s.byHand("PATCH", machines+"b", computeAPI, map[string]any{"tags": vm["tags"], "properties": map[string]any{"storageProfile": map[string]any{"dataDisks": []any{}}}})

	s.theirBalancer("public", "a")
	ours := "\nload_balancer('front', backend = [%s], rules = [lb_rule('web', 80)], provider = az)"
	s.refuses(src+fmt.Sprintf(ours, "a, b"), "load_balancer public, unmanaged and load_balancer.front both send to machine a: Azure has a machine behind one load balancer at most")
	s.theirBalancer("internal", "b")
	s.apply(src + fmt.Sprintf(ours, "b"))
}

// theirBalancer makes a load balancer that nobody marks, and sends to a machine.
func (s *story) theirBalancer(name, machine string) {
	s.Helper()
	const balancers, nics = "/providers/Microsoft.Network/loadBalancers/", "/providers/Microsoft.Network/networkInterfaces/"
	front := map[string]any{}
	vm := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/"+machine, computeAPI, nil)
	ref := vm["properties"].(map[string]any)["networkProfile"].(map[string]any)["networkInterfaces"].([]any)[0].(map[string]any)["id"].(string)
	nic := s.byHand("GET", nics+ref[strings.LastIndexByte(ref, '/')+1:], networkAPI, nil)
	config := nic["properties"].(map[string]any)["ipConfigurations"].([]any)[0].(map[string]any)["properties"].(map[string]any)
	if name == "public" {
		front["publicIPAddress"] = s.byHand("PUT", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	} else {
		front["subnet"] = config["subnet"]
	}
	lb := s.byHand("PUT", balancers+name, networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
		"frontendIPConfigurations": []any{map[string]any{"name": "main", "properties": front}}, "backendAddressPools": []any{map[string]any{"name": "theirs"}},
	}})
	config["loadBalancerBackendAddressPools"] = []any{map[string]any{"id": lb["id"].(string) + "/backendAddressPools/theirs"}}
	s.byHand("PUT", nics+nic["name"].(string), networkAPI, nic)
}

// A size that a zone does not have, and quotas that are used up.
func TestSizesThatCannotBe(t *testing.T) {
	s := newStory(t, func(o *emulator.Options) { o.Cores = 3 })
	s.refuses(head+"vm('a', provider = az, size = 'Standard_E2s_v5', zone = '3')", "Standard_E2s_v5 is not to be had in zone 3 of westeurope", "the zones that have it: 1, 2")
	s.refuses(strings.Replace(head, "westeurope", "westus", 1)+"vm('a', provider = az, size = 'Standard_F2s_v2')", "this subscription cannot have Standard_F2s_v2 in westus")
	s.refuses(head+"vm('a', provider = az, cpus = 4)", "the quota of Total Regional vCPUs in westeurope is too small", "az quota")
}

// A network that a machine is to be in, and that there will not be.
func TestNetworksThatThereAreNot(t *testing.T) {
	s := newStory(t)
	s.refuses(head+"vm('web', provider = az, virtual_network = 'mine')", `vm.web: there is no virtual network "mine" in its resource group`)
	s.refuses(head+"network_interface('nic', virtual_network = 'mine')", `network_interface.nic: there is no virtual network "mine"`)
	declared := head + "n = virtual_network('net', subnets = [vnet_subnet('a', '192.168.1.0/24'), vnet_subnet('b', '192.168.2.0/24')])\nvm('web', provider = az, virtual_network = n, subnet = '%s')"
	s.refuses(fmt.Sprintf(declared, "c"), `vm.web: network net has no subnet "c"`, "it has a, b")

	// One of somebody else's in the group is used.
	s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
	s.byHand("PUT", "/providers/Microsoft.Network/virtualNetworks/mine", networkAPI, map[string]any{"location": "westeurope", "properties": map[string]any{
		"addressSpace": map[string]any{"addressPrefixes": []string{"10.0.0.0/16"}},
		"subnets":      []any{map[string]any{"name": "front", "properties": map[string]any{"addressPrefix": "10.0.1.0/24"}}},
	}})
	s.refuses(head+"vm('web', provider = az, virtual_network = 'mine')", `network mine has no subnet "nodes"`, "it has front")
	s.apply(head + "vm('web', provider = az, virtual_network = 'mine', subnet = 'front')")

	// Without the argument it would be in the network that is made for all: that is
	// another machine, and said so.
	made, _, err := s.build(head+"vm('web', provider = az)", false)
	s.must(err)
	said := ""
	for _, c := range made.Changes {
		for _, f := range c.Findings {
			said += fmt.Sprintf("%s %s (%s)", c.Action, f.Summary, f.Hint)
		}
	}
	if want := `replace vm.web: it is made anew because it is in network mine, and no machine moves to another (virtual_network = "mine" leaves it there)`; said != want {
		t.Errorf("got %q, want %q", said, want)
	}

	for src, want := range map[string]string{
		"vm('a', provider = az, virtual_network = 'rg2:mine')":                                             `or an ID: /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/virtualNetworks/NAME`,
		"vm('a', provider = az, availability_set = '/subscriptions/x')":                                    "Microsoft.Compute/availabilitySets/NAME",
		"network_security_group('g', rules = [security_rule('ssh', 100, sources = ['home.example.com'])])": `got "home.example.com", want an address`,
	} {
		if err := s.problems(head + src); err == nil || !strings.Contains(fmt.Sprintf("%+v", err), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// Addresses, those of machines too, are held against the quota of the region; one that
// is made anew needs none more. Of what comes meanwhile Azure says it.
func TestQuotaOfAddresses(t *testing.T) {
	s := newStory(t, func(o *emulator.Options) { o.Addresses = 2 })
	src := head + "vm('a', provider = az)\npublic_ip('front')"
	s.refuses(src+"\nvm('b', provider = az)", "the quota of Public IPv4 Addresses - Standard in westeurope is too small", "az quota")
	s.apply(src + "\nvm('b', provider = az, public_ip = False)")
	s.refuses(src+"\npublic_ip('back')", "the quota of Public IPv4 Addresses - Standard in westeurope is too small")
	s.wants(strings.Replace(src, "'front'", "'front', zones = ['1']", 1)+"\nvm('b', provider = az, public_ip = False)", "replace public_ip.front zones")

	_, err := s.send("PUT", "/providers/Microsoft.Network/publicIPAddresses/more", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	if err == nil || !strings.Contains(err.Error(), "IPv4StandardSkuPublicIpCountLimitReached") {
		t.Errorf("more than there may be: %v", err)
	}
}

// What a size does not take is told before the machine is deleted that would be made
// anew for it.
func TestReplacementsThatCannotBe(t *testing.T) {
	s := newStory(t)
	src := head + "disk('data', 8)\nvm('a', provider = az, zone = '1', data_disks = ['data'])"
	s.apply(src)
	for change, want := range map[[2]string]string{
		{"zone = '1'", "zone = '2'"}:                                         "vm.a: it is to be in zone 2, and disk data is in zone 1",
		{"zone = '1'", "zone = '1', accelerated_networking = True"}:          "Standard_B2s takes no accelerated networking",
		{"zone = '1'", "zone = '1', size = 'Standard_B2as_v2', spot = True"}: "there are no spot machines of Standard_B2as_v2",
		{"zone = '1'", "zone = '1', size = 'Standard_B2ps_v2'"}:              "Standard_B2ps_v2 does not boot image Debian:debian-12:12-gen2",
		{"zone = '1'", "zone = '1', image = 'Debian:debian-12:12-arm64'"}:    "Standard_B2s does not boot image",
	} {
		s.refuses(strings.Replace(src, change[0], change[1], 1), want)
	}
	s.refuses(head+"disk('data', 8)\nvm('a', provider = az, zone = '1', data_disks = ['data'])\nvm('b', provider = az, zone = '2')\nvm('c', provider = az, data_disks = [disk('other', 8, zone = '3')], zone = '2')",
		"vm.c: it is to be in zone 2, and disk other is in zone 3")
	s.destroy(src)

	// The size of a spot machine is one that there are spot machines of.
	spot := head + "vm('a', provider = az, spot = True)"
	s.apply(spot)
	s.destroy(spot)
}

// An interface that stands for itself is held against its machine's size as the
// machine's own is; a size that is chosen can have it.
func TestAcceleratedInterface(t *testing.T) {
	s := newStory(t)
	src := head + "nic = network_interface('nic', virtual_network = virtual_network('net', subnets = [vnet_subnet('nodes', '192.168.0.0/16')]))\nvm('a', provider = az, network_interface = nic, size = 'Standard_B2s')"
	fast := strings.Replace(src, "'nic', ", "'nic', accelerated_networking = True, ", 1)
	s.refuses(fast, "vm.a: Standard_B2s takes no accelerated networking")
	s.apply(src)
	s.refuses(fast, "network_interface.nic: its machine a is a Standard_B2s, which takes no accelerated networking")
	s.refuses(strings.Replace(fast, "Standard_B2s", "Standard_B2ms", 1), "vm.a: Standard_B2ms takes no accelerated networking")
	s.destroy(src)

	chosen := strings.Replace(fast, "size = 'Standard_B2s'", "cpus = 2", 1)
	s.apply(chosen)
	s.refuses(strings.Replace(chosen, "cpus = 2", "size = 'Standard_B2s'", 1), "vm.a: Standard_B2s takes no accelerated networking")
	s.destroy(chosen)
}

// Disks that go to a machine of another zone stay where they are.
func TestDisksOfOtherZones(t *testing.T) {
	s := newStory(t)
	src := head + "vm('a', provider = az, zone = '1', data_disks = [disk('x', 8)])\nvm('b', provider = az, zone = '2', data_disks = [disk('y', 8)])"
	s.apply(src)
	crossed := strings.NewReplacer("disk('x'", "disk('y'", "disk('y'", "disk('x'").Replace(src)
	s.refuses(crossed, "vm.a: it is to be in zone 1, and disk y is in zone 2")
}

// A name that somebody else's thing has in the group, and the group itself.
func TestNamesThatAreTaken(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)\npublic_ip('front')"
	s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
	s.byHand("PUT", "/providers/Microsoft.Network/publicIPAddresses/front", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	s.refuses(src, "public_ip.front", "exists")
	s.byHand("PATCH", "", "2021-04-01", map[string]any{"tags": map[string]any{"swarmscript.project": "other", "swarmscript.address": "azure.default/resource_group.shop-test"}})
	s.refuses(src, "belongs to project other")
}

// A label is one address's in all of the region; ours may go from one to another.
func TestLabelThatIsTaken(t *testing.T) {
	s := newStory(t)
	src := head + "public_ip('front', dns_label = 'shop')"
	theirs := azure.Connect(azure.Config{Location: "westeurope", ResourceGroup: "theirs"}, "theirs", azure.NewThrottle())
	_, err := theirs.Send(s.ctx, "PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
	s.must(err)
	_, err = theirs.Send(s.ctx, "PUT", "/providers/Microsoft.Network/publicIPAddresses/ip", networkAPI, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "Standard"},
		"properties": map[string]any{"publicIPAllocationMethod": "Static", "dnsSettings": map[string]any{"domainNameLabel": "shop"}},
	})
	s.must(err)
	s.refuses(src, "public_ip.front: dns_label: somebody else has shop.westeurope.cloudapp.azure.com")
	free := strings.Replace(src, "'shop')", "'shop-2')", 1)
	s.apply(free)
	s.refuses(src, "somebody else has shop.westeurope.cloudapp.azure.com")
	s.destroy(free)
}

// An image that is sold is only for those who have accepted its terms; then machines
// are made of it as of any other.
func TestImageThatIsSold(t *testing.T) {
	src := head + "vm('web', provider = az, image = 'nginxinc:nginx-plus-v1:nginx-plus-debian-12')"
	s := newStory(t)
	s.refuses(src, "is sold under terms that nobody has accepted for subscription "+emulator.DefaultSubscription, "az vm image terms accept --urn nginxinc:nginx-plus-v1:nginx-plus-debian-12:1.0.0")
	s = newStory(t, func(o *emulator.Options) { o.Terms = []string{"nginxinc:nginx-plus-v1:nginx-plus-debian-12"} })
	s.apply(src)
	plan := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, nil)["plan"]
	if got := fmt.Sprint(plan); got != "map[name:nginx-plus-debian-12 product:nginx-plus-v1 publisher:nginxinc]" {
		t.Errorf("the plan is %s", got)
	}
	s.apply(strings.Replace(src, "az, ", "az, tags = {'a': 'b'}, ", 1))
	s.destroy(src)
}
