package emulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// What Azure refuses of virtual machines, with its codes.
func TestRefusedMachines(t *testing.T) {
	c := connect(t, func(o *emulator.Options) { o.Cores = 8 })
	c.group()
	subnet := c.net()
	vms := c.compute.NewVirtualMachinesClient()
	for _, tt := range []struct {
		name   string
		change func(*armcompute.VirtualMachine)
		status int
		code   string
	}{
		{"no size", func(vm *armcompute.VirtualMachine) { vm.Properties.HardwareProfile = nil }, 400, "InvalidParameter"},
		{"a user that Azure does not give", func(vm *armcompute.VirtualMachine) { vm.Properties.OSProfile.AdminUsername = to.Ptr("root") }, 400, "InvalidParameter"},
		{"no key", func(vm *armcompute.VirtualMachine) { vm.Properties.OSProfile.LinuxConfiguration.SSH = nil }, 400, "InvalidParameter"},
		{"custom data that is not Base64", func(vm *armcompute.VirtualMachine) { vm.Properties.OSProfile.CustomData = to.Ptr("#!") }, 400, "InvalidParameter"},
		{"no such image", func(vm *armcompute.VirtualMachine) {
			vm.Properties.StorageProfile.ImageReference.Version = to.Ptr("1.2.3")
		}, 404, "PlatformImageNotFound"},
		{"an image for another processor", func(vm *armcompute.VirtualMachine) {
			vm.Properties.StorageProfile.ImageReference.SKU = to.Ptr("12-arm64")
		}, 400, "BadRequest"},
		{"no such zone", func(vm *armcompute.VirtualMachine) { vm.Zones = to.SliceOfPtrs("4") }, 400, "AvailabilityZoneNotSupported"},
		{"a size that the zone has not", func(vm *armcompute.VirtualMachine) {
			vm.Zones = to.SliceOfPtrs("3")
			vm.Properties.HardwareProfile.VMSize = to.Ptr(armcompute.VirtualMachineSizeTypes("Standard_E2s_v5"))
		}, 409, "SkuNotAvailable"},
		{"more than the quota", func(vm *armcompute.VirtualMachine) {
			vm.Properties.HardwareProfile.VMSize = to.Ptr(armcompute.VirtualMachineSizeTypes("Standard_D8s_v5"))
		}, 409, "OperationNotAllowed"},
		{"zone and availability set", func(vm *armcompute.VirtualMachine) {
			vm.Properties.AvailabilitySet = &armcompute.SubResource{ID: to.Ptr(strings.SplitAfter(subnet, "/providers/")[0] + "Microsoft.Compute/availabilitySets/as")}
		}, 400, "InvalidParameter"},
		{"a subnet that is not there", func(vm *armcompute.VirtualMachine) {
			vm.Properties.NetworkProfile.NetworkInterfaceConfigurations[0].Properties.IPConfigurations[0].Properties.Subnet.ID = to.Ptr(subnet + "x")
		}, 400, "InvalidResourceReference"},
		{"another location", func(vm *armcompute.VirtualMachine) { vm.Location = to.Ptr("moon") }, 400, "LocationNotAvailableForResourceType"},
		{"a spot machine of a size that has none", func(vm *armcompute.VirtualMachine) {
			vm.Properties.Priority = to.Ptr(armcompute.VirtualMachinePriorityTypesSpot)
		}, 400, "OperationNotAllowed"},
		{"eviction of who is no spot machine", func(vm *armcompute.VirtualMachine) {
			vm.Properties.EvictionPolicy = to.Ptr(armcompute.VirtualMachineEvictionPolicyTypesDelete)
		}, 400, "InvalidParameter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vm := machine("web", subnet)
			if tt.name == "more than the quota" {
				first := machine("first", subnet)
				p, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "first", first, nil)
				done(c, p, err)
			}
			tt.change(&vm)
			_, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
			in := *c
			in.T = t
			in.refused(err, tt.status, tt.code)
		})
	}
	for _, name := range []string{"-web", strings.Repeat("w", 65)} {
		_, err := vms.BeginCreateOrUpdate(c.ctx, "rg", name, machine("web", subnet), nil)
		c.refused(err, 400, "InvalidResourceName")
	}
	_, err := vms.BeginCreateOrUpdate(c.ctx, "none", "web", machine("web", subnet), nil)
	c.refused(err, 404, "ResourceGroupNotFound")
}

// What a virtual machine is for ever.
func TestImmutable(t *testing.T) {
	c := connect(t)
	c.group()
	vms := c.compute.NewVirtualMachinesClient()
	p, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "web", machine("web", c.net()), nil)
	vm := done(c, p, err).VirtualMachine

	// What was read can be written, and changes nothing.
	p, err = vms.BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
	if again := done(c, p, err); *again.Properties.VMID != *vm.Properties.VMID {
		t.Error("it is another one")
	}
	for name, change := range map[string]func(*armcompute.VirtualMachine){
		"computer name": func(vm *armcompute.VirtualMachine) {
			vm.Properties.OSProfile = &armcompute.OSProfile{ComputerName: to.Ptr("other")}
		},
		"custom data": func(vm *armcompute.VirtualMachine) {
			vm.Properties.OSProfile = &armcompute.OSProfile{CustomData: to.Ptr("b3RoZXI=")}
		},
		"image": func(vm *armcompute.VirtualMachine) {
			vm.Properties.StorageProfile = &armcompute.StorageProfile{ImageReference: &armcompute.ImageReference{Offer: to.Ptr("debian-13")}}
		},
		"priority": func(vm *armcompute.VirtualMachine) {
			vm.Properties.Priority = to.Ptr(armcompute.VirtualMachinePriorityTypesSpot)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := *c
			in.T = t
			other := armcompute.VirtualMachine{Location: vm.Location, Properties: &armcompute.VirtualMachineProperties{HardwareProfile: vm.Properties.HardwareProfile}}
			change(&other)
			_, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "web", other, nil)
			in.refused(err, 409, "PropertyChangeNotAllowed")
		})
	}
	_, err = vms.BeginCreateOrUpdate(c.ctx, "rg", "web", armcompute.VirtualMachine{Location: vm.Location, Zones: to.SliceOfPtrs("2"), Properties: &armcompute.VirtualMachineProperties{HardwareProfile: vm.Properties.HardwareProfile}}, nil)
	c.refused(err, 400, "ResourceAvailabilityZonesCannotBeModified")
}

// What is used cannot be removed.
func TestInUse(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	security := c.network.NewSecurityGroupsClient()
	sp, err := security.BeginCreateOrUpdate(c.ctx, "rg", "nsg", armnetwork.SecurityGroup{Location: to.Ptr(westeurope)}, nil)
	nsg := done(c, sp, err)
	vm := machine("web", subnet)
	vm.Properties.NetworkProfile.NetworkInterfaceConfigurations[0].Properties.NetworkSecurityGroup = &armcompute.SubResource{ID: nsg.ID}
	p, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
	made := done(c, p, err)
	nic, err := c.network.NewInterfacesClient().Get(c.ctx, "rg", last(*made.Properties.NetworkProfile.NetworkInterfaces[0].ID), nil)
	c.must(err)

	_, err = security.BeginDelete(c.ctx, "rg", "nsg", nil)
	c.refused(err, 400, "InUseNetworkSecurityGroupCannotBeDeleted")
	_, err = c.network.NewSubnetsClient().BeginDelete(c.ctx, "rg", "net", "nodes", nil)
	c.refused(err, 400, "InUseSubnetCannotBeDeleted")
	_, err = c.network.NewVirtualNetworksClient().BeginDelete(c.ctx, "rg", "net", nil)
	c.refused(err, 400, "InUseSubnetCannotBeDeleted")
	_, err = c.network.NewVirtualNetworksClient().BeginCreateOrUpdate(c.ctx, "rg", "net", armnetwork.VirtualNetwork{Location: to.Ptr(westeurope), Properties: &armnetwork.VirtualNetworkPropertiesFormat{AddressSpace: &armnetwork.AddressSpace{AddressPrefixes: to.SliceOfPtrs("10.0.0.0/16")}}}, nil)
	c.refused(err, 400, "InUseSubnetCannotBeDeleted")
	_, err = c.network.NewInterfacesClient().BeginDelete(c.ctx, "rg", *nic.Name, nil)
	c.refused(err, 400, "NicInUse")
	_, err = c.network.NewPublicIPAddressesClient().BeginDelete(c.ctx, "rg", last(*nic.Properties.IPConfigurations[0].Properties.PublicIPAddress.ID), nil)
	c.refused(err, 400, "PublicIPAddressCannotBeDeleted")
	_, err = c.compute.NewDisksClient().BeginDelete(c.ctx, "rg", *made.Properties.StorageProfile.OSDisk.Name, nil)
	c.refused(err, 409, "OperationNotAllowed")
}

func last(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// A group that another one needs is not removed, and says so at the end of the
// operation.
func TestGroupInUse(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	_, err := c.groups.CreateOrUpdate(c.ctx, "other", armresources.ResourceGroup{Location: to.Ptr(westeurope)}, nil)
	c.must(err)
	p, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "other", "web", machine("web", subnet), nil)
	done(c, p, err)
	g, err := c.groups.BeginDelete(c.ctx, "rg", nil)
	_, err = finish(c, g, err)
	c.refused(err, 409, "ResourceGroupDeletionBlocked")
	if got, err := c.groups.Get(c.ctx, "rg", nil); err != nil || *got.Properties.ProvisioningState != "Failed" {
		t.Errorf("the group is %v, %v", got.Properties, err)
	}
}

// Networks, their parts and their rules.
func TestRefusedNetworks(t *testing.T) {
	c := connect(t)
	c.group()
	c.net()
	subnet := func(name, prefix string) error {
		p, err := c.network.NewSubnetsClient().BeginCreateOrUpdate(c.ctx, "rg", "net", name, armnetwork.Subnet{Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: to.Ptr(prefix)}}, nil)
		_, err = finish(c, p, err)
		return err
	}
	c.must(subnet("more", "10.0.2.0/24"))
	c.refused(subnet("over", "10.0.2.128/25"), 400, "NetcfgSubnetRangesOverlap")
	c.refused(subnet("out", "10.1.0.0/24"), 400, "NetcfgInvalidSubnet")
	c.refused(subnet("odd", "10.0.3.1/24"), 400, "InvalidAddressPrefixFormat")
	rule := func(name, direction string, priority int32, ports string) error {
		p, err := c.network.NewSecurityRulesClient().BeginCreateOrUpdate(c.ctx, "rg", "nsg", name, armnetwork.SecurityRule{Properties: &armnetwork.SecurityRulePropertiesFormat{
			Access: to.Ptr(armnetwork.SecurityRuleAccessAllow), Direction: to.Ptr(armnetwork.SecurityRuleDirection(direction)), Protocol: to.Ptr(armnetwork.SecurityRuleProtocolTCP), Priority: to.Ptr(priority),
			SourceAddressPrefix: to.Ptr("*"), SourcePortRange: to.Ptr("*"), DestinationAddressPrefix: to.Ptr("*"), DestinationPortRange: to.Ptr(ports),
		}}, nil)
		_, err = finish(c, p, err)
		return err
	}
	c.refused(rule("ssh", "Inbound", 100, "22"), 404, "ResourceNotFound")
	p, err := c.network.NewSecurityGroupsClient().BeginCreateOrUpdate(c.ctx, "rg", "nsg", armnetwork.SecurityGroup{Location: to.Ptr(westeurope)}, nil)
	if got := done(c, p, err); len(got.Properties.DefaultSecurityRules) != 6 {
		t.Errorf("%d default rules", len(got.Properties.DefaultSecurityRules))
	}
	c.must(rule("ssh", "Inbound", 100, "22"))
	c.must(rule("out", "Outbound", 100, "0-65535"))
	c.refused(rule("http", "Inbound", 100, "80"), 400, "SecurityRuleConflict")
	c.refused(rule("low", "Inbound", 99, "80"), 400, "SecurityRuleInvalidPriority")
	c.refused(rule("range", "Inbound", 200, "80-70"), 400, "SecurityRuleInvalidPortRange")
	got, err := c.network.NewSecurityRulesClient().Get(c.ctx, "rg", "NSG", "SSH", nil)
	c.must(err)
	if *got.Properties.ProvisioningState != "Succeeded" || !strings.HasSuffix(*got.ID, "/networkSecurityGroups/nsg/securityRules/ssh") {
		t.Errorf("rule %s is %s", *got.ID, *got.Properties.ProvisioningState)
	}
	gone, err := c.network.NewSecurityRulesClient().BeginDelete(c.ctx, "rg", "nsg", "ssh", nil)
	done(c, gone, err)
	_, err = c.network.NewSecurityRulesClient().Get(c.ctx, "rg", "nsg", "ssh", nil)
	c.refused(err, http.StatusNotFound, "ResourceNotFound")
	c.refused(address(c, "a", "Basic", ""), 400, "IPv4BasicSkuPublicIpCountLimitReached")
	c.refused(address(c, "a", "Standard", "A."), 400, "InvalidDomainNameLabel")
	c.must(address(c, "a", "Standard", "shop"))
	c.refused(address(c, "b", "Standard", "shop"), 400, "DnsRecordInUse")
}

func address(c *client, name, sku, label string) error {
	props := &armnetwork.PublicIPAddressPropertiesFormat{PublicIPAllocationMethod: to.Ptr(armnetwork.IPAllocationMethodStatic)}
	if label != "" {
		props.DNSSettings = &armnetwork.PublicIPAddressDNSSettings{DomainNameLabel: to.Ptr(label)}
	}
	p, err := c.network.NewPublicIPAddressesClient().BeginCreateOrUpdate(c.ctx, "rg", name, armnetwork.PublicIPAddress{
		Location: to.Ptr(westeurope), SKU: &armnetwork.PublicIPAddressSKU{Name: to.Ptr(armnetwork.PublicIPAddressSKUName(sku))}, Properties: props,
	}, nil)
	_, err = finish(c, p, err)
	return err
}

// A subscription uses a provider once it is registered, which takes as long as an
// operation. What is asked of others goes on.
func TestRegistration(t *testing.T) {
	c := connect(t, func(o *emulator.Options) {
		o.Unregistered, o.OperationTime = []string{"microsoft.network"}, time.Hour
	})
	lists := func() error {
		_, err := c.network.NewVirtualNetworksClient().NewListAllPager(nil).NextPage(c.ctx)
		return err
	}
	c.refused(lists(), 409, "MissingSubscriptionRegistration")
	_, err := c.compute.NewVirtualMachinesClient().NewListAllPager(nil).NextPage(c.ctx)
	c.must(err)

	got, err := c.providers.Get(c.ctx, "Microsoft.Network", nil)
	c.must(err)
	asked, err := c.providers.Register(c.ctx, "Microsoft.Network", nil)
	c.must(err)
	other, err := c.providers.Register(c.ctx, "Microsoft.Compute", nil)
	c.must(err)
	if *got.RegistrationState != "NotRegistered" || *asked.RegistrationState != "Registering" || *other.RegistrationState != "Registered" {
		t.Errorf("it is %s, then %s; the other one is %s", *got.RegistrationState, *asked.RegistrationState, *other.RegistrationState)
	}
	c.refused(lists(), 409, "MissingSubscriptionRegistration")
}
