package emulator_test

import (
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/azure/balance"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// balancing is machines of which only what load balancers send them is there.
type balancing struct {
	filtering
	mu     sync.Mutex
	given  byte
	fronts []balance.Front
}

func newBalancing() *balancing {
	return &balancing{filtering: filtering{at: map[string]string{}, filters: map[string]packetfilter.Filter{}}}
}

func (b *balancing) Address() netip.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.given++
	return netip.AddrFrom4([4]byte{127, 255, 0, b.given})
}

func (b *balancing) Balance(fronts []balance.Front) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fronts = slices.Clone(fronts)
	return nil
}

func (b *balancing) Close() error { return b.Balance(nil) }

// become waits until load balancers do what they are to do.
func (b *balancing) become(t *testing.T, what string, want ...balance.Front) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		have := b.fronts
		b.mu.Unlock()
		if len(have) == 0 && len(want) == 0 || reflect.DeepEqual(have, want) {
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("%s: they do\n%+v, want\n%+v", what, have, want)
		}
	}
}

// What load balancers do follows from what there is, after each change and after a
// restart: their rules and probes, who is in their pools, where those machines are.
func TestTraffic(t *testing.T) {
	b, dir := newBalancing(), t.TempDir()
	open := func(o *emulator.Options) { o.Machines, o.Dir = b, dir }
	var front balance.Front
	t.Run("made", func(t *testing.T) {
		c := connect(t, open)
		c.group()
		subnet := c.net()
		c.must(address(c, "front", "Standard", ""))
		lb, self := c.balanced()
		c.balance(lb)
		front = balance.Front{
			At: netip.MustParseAddrPort("127.255.0.1:80"), Protocol: "tcp", Distribution: "Default",
			Probe: &balance.Probe{Protocol: "tcp", Port: 80, Interval: 15 * time.Second, Threshold: 1},
		}
		b.become(t, "nobody is in its pool", front)

		c.join(subnet, self+"/backendAddressPools/nodes")
		front.Backends = []netip.AddrPort{netip.MustParseAddrPort("192.168.7.2:8080"), netip.MustParseAddrPort("192.168.7.3:8080")}
		b.become(t, "two machines are in its pool, at the addresses that they really have", front)

		rule, probe := lb.Properties.LoadBalancingRules[0].Properties, lb.Properties.Probes[0].Properties
		rule.FrontendPort, rule.BackendPort, rule.LoadDistribution = to.Ptr[int32](443), to.Ptr[int32](8443), to.Ptr(armnetwork.LoadDistributionSourceIP)
		probe.Protocol, probe.Port, probe.RequestPath = to.Ptr(armnetwork.ProbeProtocolHTTPS), to.Ptr[int32](9000), to.Ptr("/health")
		probe.IntervalInSeconds, probe.ProbeThreshold = to.Ptr[int32](5), to.Ptr[int32](3)
		c.balance(lb)
		front = balance.Front{
			At: netip.MustParseAddrPort("127.255.0.1:443"), Protocol: "tcp", Distribution: "SourceIP",
			Backends: []netip.AddrPort{netip.MustParseAddrPort("192.168.7.2:8443"), netip.MustParseAddrPort("192.168.7.3:8443")},
			Probe:    &balance.Probe{Protocol: "https", Port: 9000, Path: "/health", Interval: 5 * time.Second, Threshold: 3},
		}
		b.become(t, "another rule", front)
	})
	b.become(t, "the emulator is closed")

	c := connect(t, open)
	b.become(t, "it is opened again", front)
	gone, err := c.compute.NewVirtualMachinesClient().BeginDelete(c.ctx, "rg", "a", nil)
	done(c, gone, err)
	front.Backends = front.Backends[1:]
	b.become(t, "a machine is deleted", front)
	lost, err := c.network.NewLoadBalancersClient().BeginDelete(c.ctx, "rg", "lb", nil)
	done(c, lost, err)
	b.become(t, "the load balancer is deleted")
}

// balance writes the load balancer "lb".
func (c *client) balance(lb armnetwork.LoadBalancer) {
	c.Helper()
	p, err := c.network.NewLoadBalancersClient().BeginCreateOrUpdate(c.ctx, "rg", "lb", lb, nil)
	done(c, p, err)
}

// join puts the new machines "a" and "b" into a pool, and an interface that is of no
// machine.
func (c *client) join(subnet, pool string) {
	c.Helper()
	nic, err := c.network.NewInterfacesClient().BeginCreateOrUpdate(c.ctx, "rg", "of-nobody", armnetwork.Interface{Location: to.Ptr(westeurope), Properties: &armnetwork.InterfacePropertiesFormat{
		IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{Name: to.Ptr("ip"), Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{
			Subnet: &armnetwork.Subnet{ID: &subnet}, LoadBalancerBackendAddressPools: []*armnetwork.BackendAddressPool{{ID: &pool}},
		}}},
	}}, nil)
	done(c, nic, err)
	for _, name := range []string{"a", "b"} {
		vm := machine(name, subnet)
		vm.Properties.NetworkProfile.NetworkInterfaceConfigurations[0].Properties.IPConfigurations[0].Properties.LoadBalancerBackendAddressPools = []*armcompute.SubResource{{ID: &pool}}
		p, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", name, vm, nil)
		done(c, p, err)
	}
}
