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
