package azure_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// A machine has a security group wherever it is: the project's, which lets in what
// azure() opens, or the one that the script gives it or its subnet.
func TestGuardedMachines(t *testing.T) {
	const (
		open  = "\naz = azure('westeurope', open_ports = ['8080'])\n"
		group = "create network_security_group.shop-test-nsg"
		vnet  = "create virtual_network.net"
	)
	declared := func(subnet, vm string) string {
		return fmt.Sprintf("\nn = virtual_network('net', subnets = [vnet_subnet('nodes', '192.168.0.0/24'%s)])\nvm('web', provider = az, virtual_network = n%s)", subnet, vm)
	}
	const walls = "\nwalls = network_security_group('walls', provider = az, rules = [security_rule('ssh', 100, ports = ['22'])])"
	s := newStory(t)
	project := strings.Split(head, "\naz")[0]
	for src, want := range map[string][]string{
		open + declared("", ""): {group, vnet},
		open + strings.Replace(declared("", ""), "= n)", "= 'Net')", 1):                         {group, vnet},
		"\naz = azure('westeurope')" + walls + declared(", network_security_group = walls", ""): {"create network_security_group.walls", vnet},
		"\naz = azure('westeurope')" + walls + declared("", ", network_security_group = walls"): {"create network_security_group.walls", vnet},
		"\naz = azure('westeurope')" + declared("", ", network_security_group = ''"):            {vnet},
		open + declared("", "") + "\nvm('other', provider = az, network_security_group = '')":   {group, vnet, "create virtual_network.shop-test-vnet", "create vm.other"},
	} {
		want = append(want, "create resource_group.shop-test", "create vm.web")
		slices.Sort(want)
		s.wants(project+src, want...)
	}

	// What is opened in vain is an error, as what is opened to nobody else is.
	for _, src := range []string{
		open + walls + declared(", network_security_group = walls", ""),
		open + declared("", ", network_security_group = ''"),
		open + "network_security_group('shop-test-nsg')\nvm('web', provider = az)",
		open + "nic = network_interface('nic', virtual_network = virtual_network('net'))\nvm('web', provider = az, network_interface = nic)",
		strings.Replace(open, "open_ports = ['8080']", "ssh_from = '203.0.113.7'", 1) + declared("", ", network_security_group = ''"),
	} {
		if err := s.problems(project + src); err == nil || !strings.Contains(err.Error(), "open_ports and ssh_from say what network_security_group.shop-test-nsg lets in") {
			t.Errorf("%s: %v", src, err)
		}
	}
	s.refuses(project+"\naz = azure('westeurope')\nvm('web', provider = az, network_security_group = 'theirs')", `vm.web: there is no network security group "theirs" in its resource group`)
}

// In a network of somebody else's, of which nobody knows what guards it, a machine gets
// the project's group; one that lost it gets it back, in place.
func TestGuardedInANetworkOfOthers(t *testing.T) {
	const nics = "/providers/Microsoft.Network/networkInterfaces/"
	s := newStory(t)
	s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
	s.byHand("PUT", "/providers/Microsoft.Network/virtualNetworks/theirs", networkAPI, map[string]any{"location": "westeurope", "properties": map[string]any{
		"addressSpace": map[string]any{"addressPrefixes": []string{"10.0.0.0/16"}},
		"subnets":      []any{map[string]any{"name": "nodes", "properties": map[string]any{"addressPrefix": "10.0.1.0/24"}}},
	}})
	src := strings.Replace(head, "'westeurope'", "'westeurope', open_ports = ['8080']", 1) + "vm('web', provider = az, virtual_network = 'theirs')"
	s.apply(src)
	guard := func() string {
		list := s.byHand("GET", nics, networkAPI, nil)["value"].([]any)
		g, _ := list[0].(map[string]any)["properties"].(map[string]any)["networkSecurityGroup"].(map[string]any)
		return fmt.Sprint(g["id"])
	}
	if !strings.HasSuffix(guard(), "/networkSecurityGroups/shop-test-nsg") {
		t.Errorf("its interface has the group %s", guard())
	}
	rules := s.byHand("GET", "/providers/Microsoft.Network/networkSecurityGroups/shop-test-nsg", networkAPI, nil)
	if !strings.Contains(fmt.Sprint(rules), "open-8080-tcp") {
		t.Errorf("the group has the rules %v", rules)
	}

	nic := s.byHand("GET", nics, networkAPI, nil)["value"].([]any)[0].(map[string]any)
	delete(nic["properties"].(map[string]any), "networkSecurityGroup")
	s.byHand("PUT", nics+nic["name"].(string), networkAPI, nic)
	s.wants(src, "update vm.web network_security_group")
	s.apply(src)
	if !strings.HasSuffix(guard(), "/networkSecurityGroups/shop-test-nsg") {
		t.Errorf("mended, its interface has the group %s", guard())
	}
	s.try(src, true)
	if left := s.byHand("GET", "/resources", "2021-04-01", nil)["value"].([]any); len(left) != 1 {
		t.Errorf("left beside their network: %v", left)
	}
}

// A machine gets its group also where Azure fails at that once, and the step is tried
// again.
func TestGuardedAtTheSecondTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "walls = network_security_group('walls', provider = az)\nvm('web', provider = az)"
		s.apply(src)
		src = strings.Replace(src, "vm('web', provider = az)", "vm('web', provider = az, network_security_group = walls)", 1)
		s.server.Fault(emulator.Fault{Action: "Microsoft.Network/networkInterfaces/write", Status: http.StatusServiceUnavailable, Times: 6})
		s.apply(src) // and the plan is empty then
		s.destroy(src)
	})
}
