package emulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// What was made is not found for a while, nor what is in it, nor by who names it; what
// was deleted is listed for as long.
func TestLag(t *testing.T) {
	c := connect(t)
	listed := func() (out []string) {
		for _, r := range all(c, c.resources.NewListByResourceGroupPager("rg", nil), func(p armresources.ClientListByResourceGroupResponse) []*armresources.GenericResourceExpanded {
			return p.Value
		}) {
			out = append(out, *r.Name)
		}
		return out
	}
	lag := func(action string) {
		c.server.ClearFaults()
		c.server.Fault(emulator.Fault{Action: action, Lag: time.Hour, Times: 1})
	}
	lag("Microsoft.Resources/subscriptions/resourceGroups/write")
	c.group()
	_, err := c.groups.Get(c.ctx, "rg", nil)
	c.refused(err, 404, "ResourceGroupNotFound")
	_, err = c.network.NewVirtualNetworksClient().Get(c.ctx, "rg", "net", nil)
	c.refused(err, 404, "ResourceGroupNotFound")

	c = connect(t)
	c.group()
	subnet := c.net()
	addresses := c.network.NewPublicIPAddressesClient()
	address := armnetwork.PublicIPAddress{Location: to.Ptr(westeurope), SKU: &armnetwork.PublicIPAddressSKU{Name: to.Ptr(armnetwork.PublicIPAddressSKUNameStandard)}, Properties: &armnetwork.PublicIPAddressPropertiesFormat{PublicIPAllocationMethod: to.Ptr(armnetwork.IPAllocationMethodStatic)}}
	lag("Microsoft.Network/publicIPAddresses/write")
	_, err = addresses.BeginCreateOrUpdate(c.ctx, "rg", "front", address, nil)
	c.must(err)
	_, err = addresses.Get(c.ctx, "rg", "front", nil)
	c.refused(err, 404, "ResourceNotFound")
	if got := listed(); !slices.Equal(got, []string{"net"}) {
		t.Errorf("listed are %v", got)
	}
	_, err = c.network.NewInterfacesClient().BeginCreateOrUpdate(c.ctx, "rg", "nic", armnetwork.Interface{Location: to.Ptr(westeurope), Properties: &armnetwork.InterfacePropertiesFormat{
		IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{Name: to.Ptr("ip"), Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{
			Subnet: &armnetwork.Subnet{ID: &subnet}, PublicIPAddress: &armnetwork.PublicIPAddress{ID: to.Ptr(strings.Replace(subnet, "virtualNetworks/net/subnets/nodes", "publicIPAddresses/front", 1))},
		}}},
	}}, nil)
	c.refused(err, 400, "InvalidResourceReference")

	lag("Microsoft.Network/publicIPAddresses/delete")
	gone, err := addresses.BeginDelete(c.ctx, "rg", "front", nil)
	done(c, gone, err)
	_, err = addresses.Get(c.ctx, "rg", "front", nil)
	c.refused(err, 404, "ResourceNotFound")
	if got := listed(); !slices.Equal(got, []string{"front", "net"}) {
		t.Errorf("listed are %v", got)
	}
}
