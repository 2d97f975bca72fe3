package emulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// Lists come in pages, and know the filters of tags and types.
func TestLists(t *testing.T) {
	c := connect(t, func(o *emulator.Options) { o.PageSize = 2 })
	c.group()
	for i := range 5 {
		c.must(address(c, fmt.Sprintf("ip%d", i), "Standard", ""))
	}
	got := all(c, c.network.NewPublicIPAddressesClient().NewListAllPager(nil), func(p armnetwork.PublicIPAddressesClientListAllResponse) []*armnetwork.PublicIPAddress {
		if len(p.Value) > 2 {
			t.Errorf("a page of %d", len(p.Value))
		}
		return p.Value
	})
	if len(got) != 5 || *got[4].Name != "ip4" {
		t.Errorf("%d addresses", len(got))
	}
	groups := func(filter string) int {
		return len(all(c, c.groups.NewListPager(&armresources.ResourceGroupsClientListOptions{Filter: &filter}), func(p armresources.ResourceGroupsClientListResponse) []*armresources.ResourceGroup { return p.Value }))
	}
	for filter, want := range map[string]int{"": 1, "tagName eq 'SwarmScript.project' and tagValue eq 'shop'": 1, "tagName eq 'swarmscript.project' and tagValue eq 'other'": 0, "tagName eq 'none'": 0} {
		if n := groups(filter); n != want {
			t.Errorf("%q: %d groups, want %d", filter, n, want)
		}
	}
	filter := "resourceType eq 'Microsoft.Network/publicIPAddresses'"
	found := all(c, c.resources.NewListPager(&armresources.ClientListOptions{Filter: &filter}), func(p armresources.ClientListResponse) []*armresources.GenericResourceExpanded { return p.Value })
	if len(found) != 5 {
		t.Errorf("%d resources", len(found))
	}
	filter = "no filter"
	_, err := c.resources.NewListPager(&armresources.ClientListOptions{Filter: &filter}).NextPage(c.ctx)
	c.refused(err, 400, "InvalidFilterInQueryString")
	skus := all(c, c.compute.NewResourceSKUsClient().NewListPager(&armcompute.ResourceSKUsClientListOptions{Filter: to.Ptr("location eq 'westus'")}), func(p armcompute.ResourceSKUsClientListResponse) []*armcompute.ResourceSKU { return p.Value })
	if len(skus) == 0 || *skus[0].Locations[0] != "westus" {
		t.Errorf("%d sizes", len(skus))
	}
	images, err := c.compute.NewVirtualMachineImagesClient().List(c.ctx, westeurope, "Debian", "debian-12", "12-gen2", &armcompute.VirtualMachineImagesClientListOptions{Top: to.Ptr[int32](1), Orderby: to.Ptr("name desc")})
	c.must(err)
	if len(images.VirtualMachineImageResourceArray) != 1 || *images.VirtualMachineImageResourceArray[0].Name != "0.20251002.2245" {
		t.Errorf("images: %+v", images.VirtualMachineImageResourceArray)
	}
	image, err := c.compute.NewVirtualMachineImagesClient().Get(c.ctx, westeurope, "Debian", "debian-12", "12-gen2", "0.20251002.2245", nil)
	c.must(err)
	if *image.Properties.Architecture != armcompute.ArchitectureTypesX64 {
		t.Errorf("image: %+v", image.Properties)
	}
}

// A write holds who comes second while it goes on, and an etag holds who read
// before it.
func TestConflicts(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	networks := c.network.NewVirtualNetworksClient()
	net, err := networks.Get(c.ctx, "rg", "net", nil)
	c.must(err)
	c.server.Fault(emulator.Fault{Action: "Microsoft.Network/virtualNetworks/write", Slow: time.Hour, Operation: true})
	_, err = networks.BeginCreateOrUpdate(c.ctx, "rg", "net", net.VirtualNetwork, nil)
	c.must(err)
	_, err = c.network.NewSubnetsClient().BeginCreateOrUpdate(c.ctx, "rg", "net", "more", armnetwork.Subnet{Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: to.Ptr("10.0.9.0/24")}}, nil)
	c.refused(err, http.StatusConflict, "AnotherOperationInProgress")
	_, err = c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", "web", machine("web", subnet), nil)
	c.refused(err, http.StatusTooManyRequests, "ReferencedResourceNotProvisioned")
}

// Tags are changed without the rest.
func TestTags(t *testing.T) {
	c := connect(t)
	c.group()
	subnet := c.net()
	id := subnet[:strings.Index(subnet, "/subnets/")]
	opts, cred := account(t, c.server, emulator.DefaultApp.Secret)
	tags, err := armresources.NewTagsClient(c.server.Options.Subscription.ID, cred, opts)
	c.must(err)
	patch := func(op armresources.TagsPatchOperation, k, v string) map[string]*string {
		p, err := tags.BeginUpdateAtScope(c.ctx, id, armresources.TagsPatchResource{Operation: &op, Properties: &armresources.Tags{Tags: map[string]*string{k: &v}}}, nil)
		return done(c, p, err).Properties.Tags
	}
	if got := patch(armresources.TagsPatchOperationMerge, "a", "1"); *got["a"] != "1" {
		t.Errorf("got %v", got)
	}
	if got := patch(armresources.TagsPatchOperationMerge, "b", "2"); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if got := patch(armresources.TagsPatchOperationDelete, "a", "1"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	net, err := c.network.NewVirtualNetworksClient().UpdateTags(c.ctx, "rg", "net", armnetwork.TagsObject{Tags: map[string]*string{"c": to.Ptr("3")}}, nil)
	c.must(err)
	if len(net.Tags) != 1 || len(net.Properties.Subnets) != 1 {
		t.Errorf("got %v", net.Tags)
	}
}

// Who may not sign in, and whose token is no good.
func TestCredentials(t *testing.T) {
	expired := emulator.DefaultApp
	expired.Expired = true
	for _, tt := range []struct {
		name   string
		app    emulator.App
		secret string
		want   string
	}{
		{"wrong secret", emulator.DefaultApp, "wrong", "AADSTS7000215"},
		{"expired secret", expired, expired.Secret, "AADSTS7000222"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := azuretest.Start(t, func(o *emulator.Options) { o.Apps = []emulator.App{tt.app} })
			opts, cred := account(t, s, tt.secret)
			groups, err := armresources.NewResourceGroupsClient(s.Options.Subscription.ID, cred, opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = groups.Get(t.Context(), "rg", nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	c := connect(t)
	for token, code := range map[string]string{"": "AuthenticationFailed", "Bearer a.b.c": "InvalidAuthenticationToken"} {
		r, err := http.NewRequestWithContext(c.ctx, "GET", c.server.URL+"/subscriptions?api-version=2022-12-01", nil)
		c.must(err)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		opts, _ := account(t, c.server, "any")
		got, err := opts.Transport.Do(r)
		c.must(err)
		got.Body.Close()
		if got.StatusCode != 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer authorization_uri=") {
			t.Errorf("%q: %d %q, want 401 of %s", token, got.StatusCode, got.Header.Get("WWW-Authenticate"), code)
		}
	}
}

// The token buckets, and faults of all kinds.
func TestThrottlingAndFaults(t *testing.T) {
	c := connect(t, func(o *emulator.Options) {
		o.Limits = &emulator.Limits{Writes: emulator.Bucket{Burst: 1, PerSecond: 0.001}}
	})
	c.group()
	_, err := c.groups.CreateOrUpdate(c.ctx, "other", armresources.ResourceGroup{Location: to.Ptr(westeurope)}, nil)
	c.refused(err, http.StatusTooManyRequests, "SubscriptionRequestsThrottled")

	c.server.Fault(emulator.Fault{Action: "*/read", Status: 403})
	_, err = c.groups.Get(c.ctx, "rg", nil)
	c.refused(err, http.StatusForbidden, "AuthorizationFailed")
	if !strings.Contains(err.Error(), "Microsoft.Resources/subscriptions/resourceGroups/read") {
		t.Errorf("the action is missing: %v", err)
	}
	c.server.ClearFaults()
	c.server.Fault(emulator.Fault{Status: 429, Every: 3})
	var refused int
	for range 9 {
		if _, err = c.groups.Get(c.ctx, "rg", nil); err != nil {
			c.refused(err, http.StatusTooManyRequests, "TooManyRequests")
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d of 9 were refused", refused)
	}
}

// An operation that fails says why, and leaves the resource for who looks.
func TestFailedOperation(t *testing.T) {
	c := connect(t)
	c.group()
	c.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Name: "web", Fail: "AllocationFailed", Times: 1})
	vms := c.compute.NewVirtualMachinesClient()
	vm := machine("web", c.net())
	p, err := vms.BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
	if _, err = finish(c, p, err); err == nil || !strings.Contains(err.Error(), "AllocationFailed") {
		t.Fatalf("got %v", err)
	}
	got, err := vms.Get(c.ctx, "rg", "web", nil)
	c.must(err)
	if *got.Properties.ProvisioningState != "Failed" {
		t.Errorf("it is %s", *got.Properties.ProvisioningState)
	}
	// The same again goes on from there.
	vm.Properties.NetworkProfile = nil
	p, err = vms.BeginCreateOrUpdate(c.ctx, "rg", "web", vm, nil)
	done(c, p, err)

	// What takes capacity fails for want of it, and no deletion.
	c.server.Fault(emulator.Fault{Name: "web", Fail: "AllocationFailed"})
	gone, err := vms.BeginDelete(c.ctx, "rg", "web", nil)
	done(c, gone, err)
}

// What there is, and what is under way, outlives the process.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	var first *azuretest.Server
	t.Run("before", func(t *testing.T) {
		first = azuretest.Start(t, func(o *emulator.Options) { o.Dir = dir })
		c := signIn(t, first)
		c.group()
		subnet := c.net()
		first.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Slow: time.Hour, Operation: true})
		_, err := c.compute.NewVirtualMachinesClient().BeginCreateOrUpdate(c.ctx, "rg", "web", machine("web", subnet), nil)
		c.must(err)
	})
	c := connect(t, func(o *emulator.Options) { o.Dir = dir })
	vms := c.compute.NewVirtualMachinesClient()
	for {
		got, err := vms.Get(c.ctx, "rg", "web", nil)
		c.must(err)
		if *got.Properties.ProvisioningState == "Succeeded" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p, err := vms.BeginDelete(c.ctx, "rg", "web", nil)
	done(c, p, err)
}
