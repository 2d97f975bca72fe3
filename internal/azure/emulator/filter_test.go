package emulator_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// filtering is machines of which only the filters around them are there. They are
// at other addresses than those that Azure gave them.
type filtering struct {
	emulator.Runner // no machine has an extension
	mu              sync.Mutex
	at              map[string]string
	filters         map[string]packetfilter.Filter
	told            int
}

func (f *filtering) Boot(_ context.Context, m emulator.Machine) (emulator.Booted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at[m.Name] = fmt.Sprintf("192.168.7.%d", len(f.at)+2)
	return emulator.Booted{Private: f.at[m.Name], Public: f.at[m.Name]}, nil
}

func (*filtering) Power(context.Context, string, emulator.Power) error { return nil }
func (*filtering) Resize(context.Context, string, emulator.Size) error { return nil }
func (*filtering) Delete(context.Context, string) error                { return nil }
func (*filtering) Close() error                                        { return nil }

func (f *filtering) Filter(_ context.Context, id string, filter packetfilter.Filter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filters[id[len(id)-1:]] = filter
	f.told++
	return nil
}

// rule is one of a security group, by its fields in Azure's order.
func rule(priority int, access, direction, protocol, source, destination, ports string) *armnetwork.SecurityRule {
	return &armnetwork.SecurityRule{Name: to.Ptr(fmt.Sprintf("%s%d", direction, priority)), Properties: &armnetwork.SecurityRulePropertiesFormat{
		Priority: to.Ptr(int32(priority)), Access: to.Ptr(armnetwork.SecurityRuleAccess(access)), Direction: to.Ptr(armnetwork.SecurityRuleDirection(direction)),
		Protocol: to.Ptr(armnetwork.SecurityRuleProtocol(protocol)), SourceAddressPrefix: &source, SourcePortRange: to.Ptr("*"), DestinationAddressPrefix: &destination, DestinationPortRange: &ports,
	}}
}

func (c *client) rules(rules ...*armnetwork.SecurityRule) *armnetwork.SecurityGroup {
	c.Helper()
	p, err := c.network.NewSecurityGroupsClient().BeginCreateOrUpdate(c.ctx, "rg", "nsg", armnetwork.SecurityGroup{Location: to.Ptr(westeurope), Properties: &armnetwork.SecurityGroupPropertiesFormat{SecurityRules: rules}}, nil)
	return to.Ptr(done(c, p, err).SecurityGroup)
}

// What the rules say holds for machines when the operation on them has ended.
func TestFilters(t *testing.T) {
	f := &filtering{at: map[string]string{}, filters: map[string]packetfilter.Filter{}}
	c := connect(t, func(o *emulator.Options) { o.Machines = f })
	c.group()
	subnet := c.net()
	for _, name := range []string{"a", "b"} {
		p, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", name, machine(name, subnet), nil)
		done(c, p, err)
	}
	const peer, outside, prober = "192.168.7.3", "192.168.7.1", "168.63.129.16"
	// see sends packets to a, and from it, as "in tcp 22 ADDRESS".
	see := func(what string, want bool, packets ...string) {
		t.Helper()
		for _, s := range packets {
			var way, from string
			var p packetfilter.Packet
			fmt.Sscan(s, &way, &p.Protocol, &p.Port, &from)
			p.Remote = netip.MustParseAddr(from)
			chains := f.filters["a"].In
			if way == "out" {
				chains = f.filters["a"].Out
			}
			if got := packetfilter.Pass(chains, p); got != want {
				t.Errorf("%s: %s passes: %v", what, s, got)
			}
		}
	}
	see("no group", true, "in tcp 22 "+peer, "out tcp 443 8.8.8.8", "out icmp 0 "+peer)
	see("no group", false, "in tcp 22 "+outside, "in esp 0 8.8.8.8")

	nsg := c.rules()
	c.attach(subnet, nsg)
	see("an empty group", true, "in tcp 2377 "+peer, "in esp 0 "+peer, "in tcp 80 "+prober, "out tcp 443 8.8.8.8", "out udp 4789 "+peer)
	see("an empty group", false, "in tcp 22 "+outside, "in udp 53 8.8.8.8")

	c.rules(rule(100, "Allow", "Inbound", "Tcp", "*", "*", "22"), rule(110, "Allow", "Inbound", "Tcp", "VirtualNetwork", "VirtualNetwork", "2377"),
		rule(120, "Allow", "Inbound", "Esp", "VirtualNetwork", "*", "*"), rule(130, "Allow", "Inbound", "Icmp", "10.0.1.0/24", "10.0.0.0/8", "*"),
		rule(140, "Allow", "Inbound", "*", "Internet", "*", "8000-8010"), rule(4096, "Deny", "Inbound", "*", "VirtualNetwork", "*", "*"),
		rule(100, "Deny", "Outbound", "Tcp", "*", "Internet", "25"), rule(200, "Deny", "Outbound", "*", "*", "Storage", "*"))
	see("a swarm's", true, "in tcp 22 "+outside, "in tcp 22 "+peer, "in tcp 2377 "+peer, "in esp 0 "+peer, "in icmp 0 "+peer, "in tcp 8000 "+outside, "in udp 8010 9.9.9.9", "in tcp 1 "+prober,
		"out tcp 25 "+peer, "out tcp 80 9.9.9.9", "out udp 53 9.9.9.9")
	see("a swarm's", false, "in tcp 2377 "+outside, "in udp 2377 "+peer, "in udp 4789 "+peer, "in esp 0 "+outside, "in ah 0 "+peer, "in icmp 0 9.9.9.9", "in tcp 8000 "+peer, "in tcp 8011 "+outside, "out tcp 25 9.9.9.9")

	c.rules(rule(100, "Allow", "Inbound", "*", "Storage", "*", "*"), rule(110, "Allow", "Inbound", "*", "*", "10.0.2.0/24", "*"), rule(120, "Deny", "Inbound", "*", peer, "*", "*"),
		rule(100, "Deny", "Outbound", "*", "*", "*", "*"))
	see("not meant for it", false, "in tcp 22 "+outside, "in tcp 22 "+peer, "in tcp 1 9.9.9.9", "out tcp 80 9.9.9.9", "out tcp 80 "+peer)
	see("not meant for it", true, "out udp 53 9.9.9.9")

	told := f.told
	c.rules(rule(100, "Allow", "Inbound", "*", "Storage", "*", "*"), rule(110, "Allow", "Inbound", "*", "*", "10.0.2.0/24", "*"), rule(120, "Deny", "Inbound", "*", peer, "*", "*"),
		rule(100, "Deny", "Outbound", "*", "*", "*", "*"))
	if f.told != told {
		t.Errorf("nothing changed, and filters were set %d times", f.told-told)
	}

	// Both groups have to let it in; and without the subnet's there is the other.
	p, err := c.network.NewSecurityGroupsClient().BeginCreateOrUpdate(c.ctx, "rg", "own", armnetwork.SecurityGroup{Location: to.Ptr(westeurope), Properties: &armnetwork.SecurityGroupPropertiesFormat{
		SecurityRules: []*armnetwork.SecurityRule{rule(100, "Allow", "Inbound", "Tcp", "*", "*", "80-443"), rule(110, "Deny", "Inbound", "*", "*", "*", "*")},
	}}, nil)
	own := done(c, p, err).SecurityGroup
	c.rules(rule(100, "Allow", "Inbound", "Tcp", "*", "*", "22"), rule(110, "Allow", "Inbound", "Tcp", "*", "*", "443"))
	for _, nic := range all(c, c.network.NewInterfacesClient().NewListPager("rg", nil), func(p armnetwork.InterfacesClientListResponse) []*armnetwork.Interface { return p.Value }) {
		if *nic.Properties.IPConfigurations[0].Properties.PrivateIPAddress != peer {
			nic.Properties.NetworkSecurityGroup = &own
			p, err := c.network.NewInterfacesClient().BeginCreateOrUpdate(c.ctx, "rg", *nic.Name, *nic, nil)
			done(c, p, err)
		}
	}
	see("two groups", true, "in tcp 443 "+outside)
	see("two groups", false, "in tcp 22 "+outside, "in tcp 80 "+outside, "in tcp 22 "+peer)
	c.attach(subnet, nil)
	see("its own group", true, "in tcp 80 "+outside, "in tcp 443 "+peer)
	see("its own group", false, "in tcp 22 "+outside)

	// One that goes is no part of the network any more.
	vms := c.compute.NewVirtualMachinesClient()
	gone, err := vms.BeginDelete(c.ctx, "rg", "b", nil)
	done(c, gone, err)
	again, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "c", machine("c", subnet), &armcompute.VirtualMachinesClientBeginCreateOrUpdateOptions{})
	done(c, again, err)
	if got := fmt.Sprint(f.filters["c"]); got != "{[[{true  [{192.168.7.2 192.168.7.2} {192.168.7.4 192.168.7.4}] [] []}]] []}" {
		t.Errorf("around c is %s", got)
	}
}

// attach gives a subnet another security group.
func (c *client) attach(subnet string, g *armnetwork.SecurityGroup) {
	c.Helper()
	s := armnetwork.Subnet{Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: to.Ptr("10.0.1.0/24"), NetworkSecurityGroup: g}}
	p, err := c.network.NewSubnetsClient().BeginCreateOrUpdate(c.ctx, "rg", "net", "nodes", s, nil)
	done(c, p, err)
}

func (f *filtering) Run(context.Context, string, string) (emulator.Ran, error) {
	return emulator.Ran{}, nil
}
