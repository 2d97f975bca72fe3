package azure_test

import (
	"fmt"
	"strings"
	"testing"
)

// parts are the objects of a list in the properties of a resource, by their names.
func parts(o map[string]any, list string) map[string]map[string]any {
	out := map[string]map[string]any{}
	l, _ := o["properties"].(map[string]any)[list].([]any)
	for _, v := range l {
		part := v.(map[string]any)
		out[part["name"].(string)] = part
	}
	return out
}

// inside is the properties of a resource, or of a part of one.
func inside(o map[string]any) map[string]any { return o["properties"].(map[string]any) }

// edit changes a resource by hand, as its portal does.
func (s *story) edit(path, version string, change func(o map[string]any)) {
	s.Helper()
	now := s.byHand("GET", path, version, nil)
	change(now)
	s.byHand("PUT", path, version, now)
}

// The ranges and subnets that others add to a network are theirs: no plan speaks of
// them, and no change of ours touches them. What was ours goes with its declaration.
func TestPartsOfOthersInANetwork(t *testing.T) {
	s := newStory(t)
	src := head + "net = virtual_network('net', address_space = ['192.168.0.0/16', '172.20.0.0/16'], subnets = [vnet_subnet('nodes', '192.168.1.0/24'), vnet_subnet('more', '172.20.1.0/24')])\n"
	s.apply(src)
	const net = "/providers/Microsoft.Network/virtualNetworks/net"
	add := func(o map[string]any, name string, prefixes ...any) {
		inside(o)["subnets"] = append(inside(o)["subnets"].([]any), map[string]any{"name": name, "properties": map[string]any{"addressPrefixes": prefixes, "privateEndpointNetworkPolicies": "Enabled"}})
	}
	s.edit(net, networkAPI, func(o map[string]any) {
		inside(o)["addressSpace"].(map[string]any)["addressPrefixes"] = []any{"10.9.0.0/16", "172.20.0.0/16", "192.168.0.0/16", "fd00:9::/48"}
		add(o, "AzureBastionSubnet", "10.9.1.0/26")
		nodes := inside(parts(o, "subnets")["nodes"])
		delete(nodes, "addressPrefix")
		nodes["addressPrefixes"] = []any{"fd00:9::/64", "192.168.1.0/24"}
	})
	s.wants(src)

	// A machine can be in a subnet of theirs.
	s.wants(src+"vm('web', provider = az, virtual_network = net, subnet = 'AzureBastionSubnet')", "create network_security_group.shop-test-nsg", "create vm.web")

	for _, c := range []struct{ old, now, want string }{
		{`'192.168.1.0/24'`, `'192.168.2.0/24'`, `update virtual_network.net subnets["nodes"].address_prefix`},
		{`, '172.20.0.0/16'], subnets = [`, `], subnets = [`, ""}, // which a subnet of ours is in
		{`, vnet_subnet('more', '172.20.1.0/24')`, ``, `update virtual_network.net address_space subnets["more"]`},
		{`)])`, `)], tags = {'a': 'b'})`, `update virtual_network.net tags["a"]`},
	} {
		if src = strings.Replace(src, c.old, c.now, 1); c.want == "" {
			continue
		}
		s.wants(src, c.want)
		s.apply(src)
	}
	now := s.byHand("GET", net, networkAPI, nil)
	if got := fmt.Sprint(inside(now)["addressSpace"].(map[string]any)["addressPrefixes"]); got != "[10.9.0.0/16 192.168.0.0/16 fd00:9::/48]" {
		t.Errorf("the ranges are %s", got)
	}
	subnets := parts(now, "subnets")
	if len(subnets) != 2 || inside(subnets["AzureBastionSubnet"])["privateEndpointNetworkPolicies"] != "Enabled" {
		t.Errorf("the subnets are %v", subnets)
	}
	if got := fmt.Sprint(inside(subnets["nodes"])["addressPrefixes"]); got != "[fd00:9::/64 192.168.2.0/24]" {
		t.Errorf("the ranges of nodes are %s", got)
	}
	s.destroy(src)
}

// So it is with the network that no script says a word of.
func TestPartsOfOthersInTheDefaultNetwork(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"
	s.apply(src)
	const net = "/providers/Microsoft.Network/virtualNetworks/shop-test-vnet"
	s.edit(net, networkAPI, func(o map[string]any) {
		inside(o)["addressSpace"].(map[string]any)["addressPrefixes"] = []any{"192.168.0.0/16", "10.9.0.0/16"}
		inside(o)["subnets"] = append(inside(o)["subnets"].([]any), map[string]any{"name": "theirs", "properties": map[string]any{"addressPrefix": "10.9.1.0/26"}})
	})
	s.wants(src)
	tagged := strings.Replace(src, "'westeurope'", "'westeurope', tags = {'cost': '42'}", 1)
	s.apply(tagged)
	if subnets := parts(s.byHand("GET", net, networkAPI, nil), "subnets"); len(subnets) != 2 {
		t.Errorf("the subnets are %v", subnets)
	}
	s.destroy(tagged)
}

// To Azure letter case means nothing in the name of a tag, which keeps the one that it
// got first: no plan differs by it, and what was ours goes whatever it is.
func TestLetterCaseOfTags(t *testing.T) {
	s := newStory(t)
	src := strings.NewReplacer("rules = [security", "tags = {'Cost': '1'}, rules = [security", `public_ip("out")`, `public_ip("out"), tags = {'Cost': '1'}`,
		"'nodes'", "'nodes', tags = {'Cost': '1'}", "'rack'", "'rack', tags = {'Cost': '1'}").Replace(written) + "disk('data', size_gb = 8, tags = {'Cost': '1'})\n"
	paths := []string{netPath, wallsPath, frontPath, nicPath, rackPath, lbPath, "/providers/Microsoft.Compute/disks/data", "/providers/Microsoft.Compute/virtualMachines/web"}
	src = strings.Replace(src, "'westeurope'", "'westeurope', tags = {'Cost': '2', 'cOst2': '3'}", 1)
	s.apply(src)
	for _, path := range paths {
		tags := s.byHand("GET", path, versionOf(path), nil)["tags"].(object)
		value := tags["Cost"]
		for name := range tags {
			if strings.EqualFold(name, "cost") {
				delete(tags, name)
			}
		}
		s.byHand("PATCH", path, versionOf(path), object{"tags": tags})
		tags["cost"] = value
		s.byHand("PATCH", path, versionOf(path), object{"tags": tags})
	}
	s.wants(src)
	s.apply(strings.NewReplacer("'2'", "'4'", "'1'", "'4'").Replace(src))
	for _, path := range paths {
		if tags := s.byHand("GET", path, versionOf(path), nil)["tags"].(object); tags["cost"] != "4" || tags["Cost"] != nil {
			t.Errorf("%s has the tags %v", path, tags)
		}
	}
	s.apply(strings.NewReplacer("'Cost': '2', ", "", "tags = {'Cost': '1'}", "tags = {}").Replace(src))
	for _, path := range paths {
		if tags := s.byHand("GET", path, versionOf(path), nil)["tags"].(object); tags["cost"] != nil || tags["Cost"] != nil || tags["cOst2"] != "3" {
			t.Errorf("%s has the tags %v", path, tags)
		}
	}
	if err := fmt.Sprint(s.problems(head + "public_ip('a', tags = {'cost': '1', 'Cost': '2'})")); !strings.Contains(err, `"Cost" and "cost" are one to Azure`) {
		t.Errorf("one tag twice: %s", err)
	}
}

func TestNamesOfNetworks(t *testing.T) {
	s := newStory(t)
	s.apply(head + "virtual_network('" + strings.Repeat("n", 64) + "')\nvirtual_network('nn')")
	for _, name := range []string{"n", strings.Repeat("n", 65)} {
		if err := fmt.Sprint(s.problems(head + fmt.Sprintf("virtual_network(%q)", name))); !strings.Contains(err, "want a name of 2 to 64 characters") {
			t.Errorf("a network called %s: %s", name, err)
		}
		_, err := s.send("PUT", "/providers/Microsoft.Network/virtualNetworks/"+name, networkAPI, object{"location": "westeurope", "properties": object{"addressSpace": object{"addressPrefixes": []any{"10.0.0.0/16"}}}})
		if !strings.Contains(fmt.Sprint(err), "InvalidResourceName") {
			t.Errorf("the emulator takes a network called %s: %v", name, err)
		}
	}
}
