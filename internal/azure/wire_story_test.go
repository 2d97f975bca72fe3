package azure_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
)

// The fakes see what a project's whole life sends: every story is played to them,
// and this one has each of the operations in it.
func TestWire(t *testing.T) {
	s := newStory(t)
	src := all()
	s.apply(src)
	for _, c := range []struct{ old, now string }{
		{`{"cost": "42"}`, `{"cost": "43"}`},
		{`"1000-1010"`, `"1000-1011"`},
		{`vnet_subnet("back", "172.20.0.0/24", default_outbound_access = False)`, `vnet_subnet("back", "172.20.0.0/24"), vnet_subnet("third", "172.20.1.0/24")`},
		{`idle_timeout = 10`, `idle_timeout = 5`},
		{`ip_forwarding = True`, `ip_forwarding = False`},
		{`os_disk_size = "64g"`, `os_disk_size = "128g"`},
		{`ssh_keys = [`, `running = False, ssh_keys = [`},
		{`running = False, `, ``},
	} {
		src = strings.Replace(src, c.old, c.now, 1)
		s.apply(src)
	}
	s.destroy(src)
	for _, more := range []string{balanced, diskScript, head + "rack = availability_set('rack')\nvm('web', provider = az, availability_set = rack)"} {
		s.apply(more)
		more = strings.Replace(more, "'westeurope'", "'westeurope', tags = {'cost': '42'}", 1)
		s.apply(more)
		s.destroy(more)
	}

	seen := s.wire.operations()
	for _, op := range []string{
		"Client.NewListByResourceGroupPager",
		"AvailabilitySetsClient.CreateOrUpdate", "AvailabilitySetsClient.Delete", "AvailabilitySetsClient.NewListPager", "AvailabilitySetsClient.Update",
		"DisksClient.BeginCreateOrUpdate", "DisksClient.BeginDelete", "DisksClient.BeginUpdate", "DisksClient.NewListByResourceGroupPager",
		"LoadBalancersClient.BeginCreateOrUpdate", "LoadBalancersClient.BeginDelete", "LoadBalancersClient.NewListPager",
		"ManagementClient.CheckDNSNameAvailability",
		"InterfacesClient.BeginCreateOrUpdate", "InterfacesClient.BeginDelete", "InterfacesClient.Get", "InterfacesClient.NewListPager",
		"PublicIPAddressesClient.BeginCreateOrUpdate", "PublicIPAddressesClient.BeginDelete", "PublicIPAddressesClient.Get", "PublicIPAddressesClient.NewListPager",
		"ResourceGroupsClient.BeginDelete", "ResourceGroupsClient.CreateOrUpdate", "ResourceGroupsClient.Get",
		"ResourceSKUsClient.NewListPager",
		"SecurityGroupsClient.BeginCreateOrUpdate", "SecurityGroupsClient.BeginDelete", "SecurityGroupsClient.Get", "SecurityGroupsClient.NewListPager",
		"UsageClient.NewListPager",
		"VirtualMachineImagesClient.Get", "VirtualMachineImagesClient.List",
		"VirtualMachinesClient.BeginCreateOrUpdate", "VirtualMachinesClient.BeginDeallocate", "VirtualMachinesClient.BeginDelete", "VirtualMachinesClient.BeginStart",
		"VirtualMachinesClient.BeginUpdate", "VirtualMachinesClient.Get", "VirtualMachinesClient.NewListAllPager", "VirtualMachinesClient.NewListPager",
		"VirtualNetworksClient.BeginCreateOrUpdate", "VirtualNetworksClient.BeginDelete", "VirtualNetworksClient.Get", "VirtualNetworksClient.NewListPager",
	} {
		if !slices.Contains(seen, op) {
			t.Errorf("no request of %s was seen", op)
		}
	}
}

// The check finds what Azure would not understand.
func TestWireFinds(t *testing.T) {
	const vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web"
	for _, c := range []struct {
		what, op, path, body, answer string
		want                         string // "" for no complaint
	}{
		{"a machine", "VirtualMachinesClient.BeginCreateOrUpdate", vm, `{"location": "westeurope"}`, `{"name": "web"}`, ""},
		{"a field that no machine has", "VirtualMachinesClient.BeginCreateOrUpdate", vm, `{"location": "westeurope", "properties": {"size": "B2s"}}`, "", "the body: not understood: properties.size"},
		{"a number where a text belongs", "VirtualMachinesClient.BeginCreateOrUpdate", vm, `{"location": 7}`, "", "does not take it"},
		{"a body that nobody reads", "VirtualMachinesClient.Get", vm, `{"a": 1}`, "", "of which the operation knows nothing"},
		{"another provider's client", "InterfacesClient.Get", vm, "", "", "has no server for it"},
		{"a path of something else", "DisksClient.Get", vm, "", "", "failed to parse path"},
		{"a path that goes on", "VirtualMachinesClient.Get", vm + "/start", "", "", `"web/start" is no name`},
		{"an operation that there is not", "VirtualMachinesClient.Paint", vm, "", "", "unhandled API"},
		{"no operation", "", vm, "", "", "of no operation of the SDK"},
		{"an answer in other words", "VirtualMachinesClient.Get", vm, "", `{"name": "web", "colour": "red"}`, "the answer to GET https://azure" + vm + ": not understood: colour"},
		{"a list", "VirtualMachineImagesClient.List", "/subscriptions/s/providers/Microsoft.Compute/locations/l/publishers/p/artifacttypes/vmimage/offers/o/skus/s/versions", "", `[{"name": "1.2.3"}]`, ""},
		{"a list in other words", "VirtualMachineImagesClient.List", "/subscriptions/s/providers/Microsoft.Compute/locations/l/publishers/p/artifacttypes/vmimage/offers/o/skus/s/versions", "", `[{"version": "1.2.3"}]`, "not understood: [0].version"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var said []string
			w := newWire(func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			if err := sendThrough(t, w, c.op, c.path, c.body, c.answer); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(said, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// sendThrough sends one request of an operation, which is answered as given.
func sendThrough(t *testing.T, w *wire, op, path, body, answer string) error {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPut
	}
	ctx := t.Context()
	if op != "" {
		ctx = context.WithValue(ctx, runtime.CtxAPINameKey{}, op)
	}
	req, err := runtime.NewRequest(ctx, method, "https://azure"+path)
	if err != nil {
		return err
	}
	if body != "" {
		if err := req.SetBody(streaming.NopCloser(strings.NewReader(body)), "application/json"); err != nil {
			return err
		}
	}
	pl := runtime.NewPipeline("test", "1", runtime.PipelineOptions{}, &policy.ClientOptions{
		PerCallPolicies: []policy.Policy{w}, Transport: answering(answer),
	})
	resp, err := pl.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// answering is a server that answers everything alike.
type answering string

// Do implements [policy.Transporter].
func (a answering) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: req}, nil
}
