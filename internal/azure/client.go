package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// clients are the SDK's for one subscription. They share one login, one pipeline
// and one token bucket.
type clients struct {
	subscription string
	from         string // who said so
	account      *account

	groups     *armresources.ResourceGroupsClient
	resources  *armresources.Client
	nets       *armnetwork.VirtualNetworksClient
	nsgs       *armnetwork.SecurityGroupsClient
	ips        *armnetwork.PublicIPAddressesClient
	nics       *armnetwork.InterfacesClient
	balancers  *armnetwork.LoadBalancersClient
	vms        *armcompute.VirtualMachinesClient
	disks      *armcompute.DisksClient
	sets       *armcompute.AvailabilitySetsClient
	extensions *armcompute.VirtualMachineExtensionsClient
	images     *armcompute.VirtualMachineImagesClient
	skus       *armcompute.ResourceSKUsClient
	usages     *armcompute.UsageClient
	names      *armnetwork.ManagementClient

	networkUsages *armnetwork.UsagesClient
}

func newClients(subscription, from string, a *account) (*clients, error) {
	groups, err1 := armresources.NewClientFactory(subscription, a.cred, &a.options)
	nets, err2 := armnetwork.NewClientFactory(subscription, a.cred, &a.options)
	vms, err3 := armcompute.NewClientFactory(subscription, a.cred, &a.options)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return &clients{
		subscription: subscription, from: from, account: a,
		groups: groups.NewResourceGroupsClient(), resources: groups.NewClient(),
		nets: nets.NewVirtualNetworksClient(), nsgs: nets.NewSecurityGroupsClient(), ips: nets.NewPublicIPAddressesClient(), nics: nets.NewInterfacesClient(),
		balancers: nets.NewLoadBalancersClient(),
		vms:       vms.NewVirtualMachinesClient(), disks: vms.NewDisksClient(), sets: vms.NewAvailabilitySetsClient(), extensions: vms.NewVirtualMachineExtensionsClient(), images: vms.NewVirtualMachineImagesClient(),
		skus: vms.NewResourceSKUsClient(), usages: vms.NewUsageClient(), names: nets.NewManagementClient(), networkUsages: nets.NewUsagesClient(),
	}, nil
}

// dial logs in where that has not been done, finds the subscription and returns its
// clients.
func (c *Conn) dial(ctx context.Context) (*clients, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients != nil {
		return c.clients, nil
	}
	a, err := newAccount(c.cfg, c.throttle, c.through)
	if err != nil {
		return nil, err
	}
	if err := a.login(ctx); err != nil {
		return nil, err
	}
	sub, from := givenSubscription(c.cfg)
	if sub == "" {
		if sub, err = onlySubscription(ctx, a); err != nil {
			return nil, err
		}
		from = "the only one that the login sees"
	}
	if !subscription().MatchString(sub) {
		return nil, fmt.Errorf("azure: %w: %s says subscription %q, want its ID, as 00000000-0000-0000-0000-000000000000; az account list shows it", resource.ErrRefused, from, sub)
	}
	c.clients, err = newClients(strings.ToLower(sub), from, a)
	return c.clients, err
}

// onlySubscription is the subscription that the login sees, if it is one.
func onlySubscription(ctx context.Context, a *account) (string, error) {
	var list struct {
		Value []struct{ SubscriptionID, DisplayName, State string }
	}
	if err := a.read(ctx, "/subscriptions", "2022-12-01", &list); err != nil {
		return "", err
	}
	var names []string
	for _, s := range list.Value {
		names = append(names, s.SubscriptionID+" ("+s.DisplayName+")")
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("azure: %w: the login sees no subscription", resource.ErrRefused)
	case 1:
		return list.Value[0].SubscriptionID, nil
	}
	return "", fmt.Errorf("azure: the login sees %d subscriptions: %s; say which one: azure(subscription = ...), or AZURE_SUBSCRIPTION_ID", len(names), strings.Join(names, ", "))
}

// read reads what none of the SDK's clients that we have does.
func (a *account) read(ctx context.Context, path, version string, into any) error {
	pl, err := armruntime.NewPipeline("swarmscript", "1", a.cred, runtime.PipelineOptions{}, &a.options)
	if err != nil {
		return err
	}
	endpoint := a.options.Cloud.Services[cloud.ResourceManager].Endpoint
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(endpoint, path)+"?api-version="+version)
	if err != nil {
		return err
	}
	resp, err := pl.Do(req)
	if err != nil {
		return explain(err)
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return explain(runtime.NewResponseError(resp))
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("azure: the answer to %s: %w", path, err)
	}
	return nil
}

// pollEvery is how often an operation is asked after where Azure does not say.
const pollEvery = 5 * time.Second

// finish waits for an operation.
func finish[T any](ctx context.Context, p *runtime.Poller[T], err error) (T, error) {
	var none T
	if err != nil {
		return none, explain(err)
	}
	got, err := p.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: pollEvery})
	if err != nil {
		return none, explain(err)
	}
	return got, nil
}

// finishDelete waits for a deletion. What is gone already is no error.
func finishDelete[T any](ctx context.Context, p *runtime.Poller[T], err error) error {
	if _, err = finish(ctx, p, err); isMissing(err) {
		return nil
	}
	return err
}

// all reads a list to its end. Of a group that is not there, and of a provider that the
// subscription does not use yet, it is empty.
func all[P, T any](ctx context.Context, pager *runtime.Pager[P], page func(P) []*T) ([]*T, error) {
	out, err := pages(ctx, pager, page)
	if isMissing(err) {
		return nil, nil
	}
	return out, err
}

// pages reads a list to its end.
func pages[P, T any](ctx context.Context, pager *runtime.Pager[P], page func(P) []*T) ([]*T, error) {
	var out []*T
	for pager.More() {
		p, err := pager.NextPage(ctx)
		if err != nil {
			return nil, explain(err)
		}
		out = append(out, page(p)...)
	}
	return out, nil
}
