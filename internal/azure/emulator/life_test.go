package emulator_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"
)

// The whole life of a virtual machine that brings its interface, its address and
// its disk.
func TestVirtualMachine(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	vms := c.compute.NewVirtualMachinesClient()

	p, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "web", machine("web", subnet), &armcompute.VirtualMachinesClientBeginCreateOrUpdateOptions{IfNoneMatch: to.Ptr("*")})
	vm := done(c, p, err).VirtualMachine
	switch props := vm.Properties; {
	case *props.ProvisioningState != "Succeeded":
		t.Errorf("it is %s", *props.ProvisioningState)
	case props.OSProfile.CustomData != nil:
		t.Error("the custom data is told")
	case *props.StorageProfile.ImageReference.ExactVersion != "0.20251002.2245":
		t.Errorf("the image is %s", *props.StorageProfile.ImageReference.ExactVersion)
	case !*props.OSProfile.LinuxConfiguration.ProvisionVMAgent:
		t.Error("a default of the server is missing")
	case !strings.Contains(*props.StorageProfile.OSDisk.ManagedDisk.ID, "/RG/"):
		t.Errorf("the ID of the disk, %s, is not written as Azure does", *props.StorageProfile.OSDisk.ManagedDisk.ID)
	}

	// What it brought is there, and knows it.
	nics := all(c, c.network.NewInterfacesClient().NewListPager("rg", nil), func(p armnetwork.InterfacesClientListResponse) []*armnetwork.Interface { return p.Value })
	if len(nics) != 1 || *nics[0].Properties.VirtualMachine.ID != *vm.ID || *nics[0].Properties.IPConfigurations[0].Properties.PrivateIPAddress != "10.0.1.4" {
		t.Fatalf("interfaces: %+v", nics)
	}
	addresses := all(c, c.network.NewPublicIPAddressesClient().NewListPager("rg", nil), func(p armnetwork.PublicIPAddressesClientListResponse) []*armnetwork.PublicIPAddress {
		return p.Value
	})
	if len(addresses) != 1 || *addresses[0].Properties.IPAddress != "198.18.0.1" || *addresses[0].Properties.IPConfiguration.ID != *nics[0].Properties.IPConfigurations[0].ID {
		t.Fatalf("addresses: %+v", addresses)
	}

	// The same again is refused to who wants to make it, and an update else.
	_, err = vms.BeginCreateOrUpdate(c.ctx, "rg", "WEB", machine("web", subnet), &armcompute.VirtualMachinesClientBeginCreateOrUpdateOptions{IfNoneMatch: to.Ptr("*")})
	c.refused(err, 412, "PreconditionFailed")

	if got := c.power("web"); got != "PowerState/running" {
		t.Errorf("it is %s", got)
	}
	stop, err := vms.BeginDeallocate(c.ctx, "rg", "web", nil)
	done(c, stop, err)
	if got := c.power("web"); got != "PowerState/deallocated" {
		t.Errorf("it is %s", got)
	}
	start, err := vms.BeginStart(c.ctx, "rg", "web", nil)
	done(c, start, err)

	// A size of the same family at once, another one not while it is on.
	size := func(s string) error {
		p, err := vms.BeginUpdate(c.ctx, "rg", "web", armcompute.VirtualMachineUpdate{Properties: &armcompute.VirtualMachineProperties{HardwareProfile: &armcompute.HardwareProfile{VMSize: to.Ptr(armcompute.VirtualMachineSizeTypes(s))}}}, nil)
		_, err = finish(c, p, err)
		return err
	}
	c.must(size("Standard_B4ms"))
	c.refused(size("Standard_F2s_v2"), 409, "OperationNotAllowed")
	c.refused(size("Standard_Q1"), 400, "InvalidParameter")

	// With it goes what is to go with it.
	gone, err := vms.BeginDelete(c.ctx, "rg", "web", nil)
	done(c, gone, err)
	left := all(c, c.resources.NewListByResourceGroupPager("rg", nil), func(p armresources.ClientListByResourceGroupResponse) []*armresources.GenericResourceExpanded {
		return p.Value
	})
	if len(left) != 1 || *left[0].Name != "net" {
		t.Errorf("left: %d", len(left))
	}
	_, err = vms.Get(c.ctx, "rg", "web", nil)
	c.refused(err, 404, "ResourceNotFound")

	group, err := c.groups.BeginDelete(c.ctx, "rg", nil)
	done(c, group, err)
	_, err = c.groups.Get(c.ctx, "rg", nil)
	c.refused(err, 404, "ResourceGroupNotFound")
}

func (c *client) power(name string) string {
	c.Helper()
	v, err := c.compute.NewVirtualMachinesClient().InstanceView(c.ctx, "rg", name, nil)
	c.must(err)
	for _, s := range v.Statuses {
		if strings.HasPrefix(*s.Code, "PowerState/") {
			return *s.Code
		}
	}
	return ""
}
