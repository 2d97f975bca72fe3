package emulator_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// balanced is the load balancer "lb" at the address "front", whose port 80 goes to
// port 8080 of the pool "nodes". It returns its ID too.
func (c *client) balanced() (lb armnetwork.LoadBalancer, self string) {
	self = "/subscriptions/" + c.server.Options.Subscription.ID + "/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/lb"
	ref := func(id string) *armnetwork.SubResource { return &armnetwork.SubResource{ID: to.Ptr(id)} }
	return armnetwork.LoadBalancer{
		Location: to.Ptr(westeurope), SKU: &armnetwork.LoadBalancerSKU{Name: to.Ptr(armnetwork.LoadBalancerSKUNameStandard)},
		Properties: &armnetwork.LoadBalancerPropertiesFormat{
			FrontendIPConfigurations: []*armnetwork.FrontendIPConfiguration{{Name: to.Ptr("front"), Properties: &armnetwork.FrontendIPConfigurationPropertiesFormat{
				PublicIPAddress: &armnetwork.PublicIPAddress{ID: to.Ptr(self[:len(self)-len("loadBalancers/lb")] + "publicIPAddresses/front")},
			}}},
			BackendAddressPools: []*armnetwork.BackendAddressPool{{Name: to.Ptr("nodes")}},
			Probes:              []*armnetwork.Probe{{Name: to.Ptr("http"), Properties: &armnetwork.ProbePropertiesFormat{Port: to.Ptr[int32](80), Protocol: to.Ptr(armnetwork.ProbeProtocolTCP)}}},
			LoadBalancingRules: []*armnetwork.LoadBalancingRule{{Name: to.Ptr("http"), Properties: &armnetwork.LoadBalancingRulePropertiesFormat{
				Protocol: to.Ptr(armnetwork.TransportProtocolTCP), FrontendPort: to.Ptr[int32](80), BackendPort: to.Ptr[int32](8080),
				FrontendIPConfiguration: ref(self + "/frontendIPConfigurations/front"), BackendAddressPool: ref(self + "/backendAddressPools/nodes"), Probe: ref(self + "/probes/http"),
			}}},
		},
	}, self
}

// A load balancer with the pool that an interface is in. Its parts name each other.
func TestLoadBalancer(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	c.must(address(c, "front", "Standard", ""))
	balancers := c.network.NewLoadBalancersClient()
	lb, self := c.balanced()
	p, err := balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb", lb, nil)
	made := done(c, p, err)
	pool := made.Properties.BackendAddressPools[0]
	if got := pool.Properties.LoadBalancingRules; len(got) != 1 || *got[0].ID != self+"/loadBalancingRules/http" {
		t.Errorf("the pool has the rules %v", got)
	}
	nics := c.network.NewInterfacesClient()
	nic, err := nics.BeginCreateOrUpdate(c.ctx, "rg", "nic", armnetwork.Interface{Location: to.Ptr(westeurope), Properties: &armnetwork.InterfacePropertiesFormat{
		IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{Name: to.Ptr("ip"), Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{
			Subnet: &armnetwork.Subnet{ID: &subnet}, LoadBalancerBackendAddressPools: []*armnetwork.BackendAddressPool{{ID: pool.ID}},
		}}},
	}}, nil)
	done(c, nic, err)
	got, err := balancers.Get(c.ctx, "rg", "lb", nil)
	c.must(err)
	if in := got.Properties.BackendAddressPools[0].Properties.BackendIPConfigurations; len(in) != 1 {
		t.Errorf("%d are in the pool", len(in))
	}

	// An interface is behind one load balancer of a kind at most.
	c.must(address(c, "second", "Standard", ""))
	rename := func(id *string) *string {
		return to.Ptr(strings.NewReplacer("loadBalancers/lb", "loadBalancers/lb2", "publicIPAddresses/front", "publicIPAddresses/second").Replace(*id))
	}
	other := armnetwork.LoadBalancer{Location: lb.Location, SKU: lb.SKU, Properties: &armnetwork.LoadBalancerPropertiesFormat{
		FrontendIPConfigurations: []*armnetwork.FrontendIPConfiguration{{Name: to.Ptr("front"), Properties: &armnetwork.FrontendIPConfigurationPropertiesFormat{
			PublicIPAddress: &armnetwork.PublicIPAddress{ID: rename(lb.Properties.FrontendIPConfigurations[0].Properties.PublicIPAddress.ID)},
		}}},
		BackendAddressPools: []*armnetwork.BackendAddressPool{{Name: to.Ptr("nodes")}},
	}}
	p, err = balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb2", other, nil)
	done(c, p, err)
	two, err := nics.Get(c.ctx, "rg", "nic", nil)
	c.must(err)
	in := two.Properties.IPConfigurations[0].Properties
	in.LoadBalancerBackendAddressPools = append(in.LoadBalancerBackendAddressPools, &armnetwork.BackendAddressPool{ID: rename(pool.ID)})
	_, err = nics.BeginCreateOrUpdate(c.ctx, "rg", "nic", two.Interface, nil)
	c.refused(err, 400, "NetworkInterfaceUsesMultipleLoadBalancersOfSameType")

	// What was read can be written. A rule cannot name a part that is not there.
	p, err = balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb", got.LoadBalancer, nil)
	done(c, p, err)
	second := *lb.Properties.LoadBalancingRules[0]
	twice := *lb.Properties
	second.Name, twice.LoadBalancingRules = to.Ptr("again"), append(twice.LoadBalancingRules, &second)
	_, err = balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb", armnetwork.LoadBalancer{Location: lb.Location, SKU: lb.SKU, Properties: &twice}, nil)
	c.refused(err, 400, "RulesUseSameBackendPortProtocolAndPool")
	lb.Properties.Probes[0].Properties.Protocol = to.Ptr(armnetwork.ProbeProtocolHTTP) // and asks for nothing
	_, err = balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb", lb, nil)
	c.refused(err, 400, "InvalidRequestFormat")
	lb.Properties.Probes = nil
	_, err = balancers.BeginCreateOrUpdate(c.ctx, "rg", "lb", lb, nil)
	c.refused(err, 400, "InvalidResourceReference")

	// Interfaces stay when it goes.
	_, err = c.network.NewPublicIPAddressesClient().BeginDelete(c.ctx, "rg", "front", nil)
	c.refused(err, 400, "PublicIPAddressCannotBeDeleted")
	gone, err := balancers.BeginDelete(c.ctx, "rg", "lb", nil)
	done(c, gone, err)
	left, err := nics.Get(c.ctx, "rg", "nic", nil)
	c.must(err)
	if n := len(left.Properties.IPConfigurations[0].Properties.LoadBalancerBackendAddressPools); n != 0 {
		t.Errorf("the interface is in %d pools that are gone", n)
	}
}

// A machine of parts that are there before it, and stay after it.
func TestMachineOfParts(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	nics := c.network.NewInterfacesClient()
	np, err := nics.BeginCreateOrUpdate(c.ctx, "rg", "nic", armnetwork.Interface{Location: to.Ptr(westeurope), Properties: &armnetwork.InterfacePropertiesFormat{
		IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{Name: to.Ptr("ip"), Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{Subnet: &armnetwork.Subnet{ID: &subnet}}}},
	}}, nil)
	nic := done(c, np, err)
	dp, err := c.compute.NewDisksClient().BeginCreateOrUpdate(c.ctx, "rg", "data", armcompute.Disk{Location: to.Ptr(westeurope), Properties: &armcompute.DiskProperties{
		DiskSizeGB: to.Ptr[int32](8), CreationData: &armcompute.CreationData{CreateOption: to.Ptr(armcompute.DiskCreateOptionEmpty)},
	}}, nil)
	disk := done(c, dp, err)
	if *disk.Properties.DiskState != armcompute.DiskStateUnattached {
		t.Errorf("the disk is %s", *disk.Properties.DiskState)
	}
	set, err := c.compute.NewAvailabilitySetsClient().CreateOrUpdate(c.ctx, "rg", "set", armcompute.AvailabilitySet{Location: to.Ptr(westeurope), SKU: &armcompute.SKU{Name: to.Ptr("Aligned")}}, nil)
	c.must(err)

	vm := machine("db", subnet)
	vm.Zones = nil
	vm.Properties.AvailabilitySet = &armcompute.SubResource{ID: set.ID}
	vm.Properties.NetworkProfile = &armcompute.NetworkProfile{NetworkInterfaces: []*armcompute.NetworkInterfaceReference{{ID: nic.ID}}}
	vm.Properties.StorageProfile.DataDisks = []*armcompute.DataDisk{{Lun: to.Ptr[int32](0), CreateOption: to.Ptr(armcompute.DiskCreateOptionTypesAttach), ManagedDisk: &armcompute.ManagedDiskParameters{ID: disk.ID}}}
	vms := c.compute.NewVirtualMachinesClient()
	vp, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "db", vm, nil)
	made := done(c, vp, err)

	_, err = vms.BeginCreateOrUpdate(c.ctx, "rg", "other", vm, nil)
	c.refused(err, 409, "ConflictingUserInput")
	_, err = c.compute.NewAvailabilitySetsClient().Delete(c.ctx, "rg", "set", nil)
	c.refused(err, 409, "OperationNotAllowed")
	attached, err := c.compute.NewDisksClient().Get(c.ctx, "rg", "data", nil)
	c.must(err)
	if *attached.ManagedBy != *made.ID || *attached.Properties.DiskState != armcompute.DiskStateAttached {
		t.Errorf("the disk is %s, of %s", *attached.Properties.DiskState, *attached.ManagedBy)
	}
	_, err = c.compute.NewDisksClient().BeginCreateOrUpdate(c.ctx, "rg", "data", armcompute.Disk{Location: to.Ptr(westeurope), Properties: &armcompute.DiskProperties{DiskSizeGB: to.Ptr[int32](4)}}, nil)
	c.refused(err, 400, "BadRequest")

	// Its extensions are shown with it, without what is secret.
	ep, err := c.compute.NewVirtualMachineExtensionsClient().BeginCreateOrUpdate(c.ctx, "rg", "db", "script", armcompute.VirtualMachineExtension{Location: to.Ptr(westeurope), Properties: &armcompute.VirtualMachineExtensionProperties{
		Publisher: to.Ptr("Microsoft.Azure.Extensions"), Type: to.Ptr("CustomScript"), TypeHandlerVersion: to.Ptr("2.1"), ProtectedSettings: map[string]any{"commandToExecute": "true"},
	}}, nil)
	if got := done(c, ep, err); got.Properties.ProtectedSettings != nil {
		t.Error("what is secret is told")
	}
	shown, err := vms.Get(c.ctx, "rg", "db", nil)
	c.must(err)
	if len(shown.Resources) != 1 {
		t.Errorf("%d extensions", len(shown.Resources))
	}

	gone, err := vms.BeginDelete(c.ctx, "rg", "db", nil)
	done(c, gone, err)
	free, err := nics.Get(c.ctx, "rg", "nic", nil)
	c.must(err)
	if free.Properties.VirtualMachine != nil {
		t.Errorf("the interface is of %s still", *free.Properties.VirtualMachine.ID)
	}
	if _, err = c.compute.NewVirtualMachineExtensionsClient().Get(c.ctx, "rg", "db", "script", nil); err == nil {
		t.Error("the extension outlived its machine")
	}
}

// A spot machine is taken back.
func TestEviction(t *testing.T) {
	c := connect(t)
	c.group()
	vm := machine("web", c.net())
	vm.Properties.HardwareProfile.VMSize = to.Ptr(armcompute.VirtualMachineSizeTypes("Standard_D2s_v5"))
	vm.Properties.Priority = to.Ptr(armcompute.VirtualMachinePriorityTypesSpot)
	p, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
	made := done(c, p, err)
	if *made.Properties.BillingProfile.MaxPrice != -1 || *made.Properties.EvictionPolicy != armcompute.VirtualMachineEvictionPolicyTypesDeallocate {
		t.Errorf("got %+v", made.Properties.BillingProfile)
	}
	c.must(c.server.Evict(*made.ID))
	for c.power("web") != "PowerState/deallocated" {
		if err := c.ctx.Err(); err != nil {
			t.Fatal(err)
		}
	}
}
