package azure_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// What is named by its ID, in whatever letters, is what is named by its name: no
// change, and nothing is made anew.
func TestNamesByID(t *testing.T) {
	s := newStory(t)
	id := func(kind, name string) string {
		return fmt.Sprintf("'/subscriptions/%s/resourceGroups/SHOP-test/providers/Microsoft.Network/%s/%s'", emulator.DefaultSubscription, kind, name)
	}
	s.apply(head + "nsg = network_security_group('walls')\npublic_ip('front')\nvirtual_network('net', subnets = [vnet_subnet('nodes', '192.168.0.0/16', network_security_group = nsg)])")
	src := head + `network_security_group('walls')
public_ip('front')
virtual_network('net', subnets = [vnet_subnet('nodes', '192.168.0.0/16', network_security_group = ` + id("networkSecurityGroups", "walls") + `)])`
	s.wants(src)
	src += "\nnic = network_interface('front', virtual_network = " + id("virtualNetworks", "net") + ", public_ip = " + id("publicIPAddresses", "front") + ", network_security_group = " + id("networkSecurityGroups", "walls") + ")\nvm('web', network_interface = nic, provider = az)"
	s.apply(src)
	s.wants(strings.Replace(src, "public_ip = "+id("publicIPAddresses", "front")+", ", "", 1), "update network_interface.front public_ip")
	s.wants(strings.Replace(src, "virtualNetworks/net", "virtualNetworks/other", 1), "replace network_interface.front virtual_network", "replace vm.web")
}

// Of several identities one is taken away, and one added, in place.
func TestIdentities(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az, identity = [IDS])"
	id := func(name string) string {
		return fmt.Sprintf("'/subscriptions/%s/resourceGroups/shop-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/%s'", emulator.DefaultSubscription, name)
	}
	with := func(ids ...string) string { return strings.Replace(src, "IDS", strings.Join(ids, ", "), 1) }
	s.apply(with("'system'", id("a"), id("b")))
	s.wants(with("'system'", strings.ToUpper(id("b")), id("a")))
	s.apply(with("'system'", id("b"), id("c")))
	s.apply(with(id("c")))
	s.apply(with("'system'"))
	s.apply(with(id("a"), id("b")))
	s.apply(with())
}

// A region that changes is refused, of what is there: a machine in the new one could
// not have the network in the old one, which Azure says too.
func TestAnotherRegion(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"
	s.apply(src)
	moved := strings.Replace(src, "westeurope", "northeurope", 1)
	for _, more := range []string{"", "\nvm('more', provider = az)"} {
		s.refuses(moved+more, "is in westeurope, and azure() says northeurope", "another resource_group")
	}
	subnet := fmt.Sprintf("/subscriptions/%s/resourceGroups/shop-test/providers/Microsoft.Network/virtualNetworks/shop-test-vnet/subnets/nodes", emulator.DefaultSubscription)
	_, err := s.send("PUT", "/providers/Microsoft.Network/networkInterfaces/far", networkAPI, map[string]any{"location": "northeurope", "properties": map[string]any{
		"ipConfigurations": []any{map[string]any{"name": "main", "properties": map[string]any{"subnet": map[string]any{"id": subnet}}}},
	}})
	if err == nil || !strings.Contains(err.Error(), "same region") {
		t.Errorf("an interface far from its network: %v", err)
	}
	s.destroy(src)
}
