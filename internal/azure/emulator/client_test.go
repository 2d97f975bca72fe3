package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// A client is Azure's own SDK for an emulator: what it understands is what Azure
// says.
type client struct {
	*testing.T
	ctx       context.Context
	server    *azuretest.Server
	groups    *armresources.ResourceGroupsClient
	resources *armresources.Client
	providers *armresources.ProvidersClient
	compute   *armcompute.ClientFactory
	network   *armnetwork.ClientFactory
	poll      *runtime.PollUntilDoneOptions
}

const westeurope = "westeurope"

// connect starts an emulator, and signs in.
func connect(t *testing.T, options ...azuretest.Option) *client {
	t.Helper()
	return signIn(t, azuretest.Start(t, options...))
}

func signIn(t *testing.T, s *azuretest.Server) *client {
	t.Helper()
	opts, cred := account(t, s, emulator.DefaultApp.Secret)
	id := s.Options.Subscription.ID
	c := &client{T: t, ctx: t.Context(), server: s, poll: &runtime.PollUntilDoneOptions{Frequency: time.Second}}
	var err error
	c.groups, err = armresources.NewResourceGroupsClient(id, cred, opts)
	c.must(err)
	c.resources, err = armresources.NewClient(id, cred, opts)
	c.must(err)
	c.providers, err = armresources.NewProvidersClient(id, cred, opts)
	c.must(err)
	c.compute, err = armcompute.NewClientFactory(id, cred, opts)
	c.must(err)
	c.network, err = armnetwork.NewClientFactory(id, cred, opts)
	c.must(err)
	return c
}

// account is what a client signs in with. It tries nothing twice.
func account(t *testing.T, s *azuretest.Server, secret string) (*arm.ClientOptions, azcore.TokenCredential) {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the authority's file")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	options := policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: s.URL,
			Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: s.URL, Audience: "https://management.azure.com"}},
		},
		Transport: &http.Client{Transport: transport},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
	cred, err := azidentity.NewClientSecretCredential(s.Options.Tenant, s.Options.Apps[0].ID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	return &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true}, cred
}

func (c *client) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// refused checks that an error is Azure's of a status and a code.
func (c *client) refused(err error, status int, code string) {
	c.Helper()
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		c.Fatalf("got %v, want %d %s", err, status, code)
	}
	if r.StatusCode != status || r.ErrorCode != code {
		c.Fatalf("got %d %s, want %d %s: %v", r.StatusCode, r.ErrorCode, status, code, err)
	}
}

// done waits for an operation that began.
func done[T any](c *client, p *runtime.Poller[T], err error) T {
	c.Helper()
	got, err := finish(c, p, err)
	c.must(err)
	return got
}

func finish[T any](c *client, p *runtime.Poller[T], err error) (T, error) {
	c.Helper()
	if err != nil {
		var zero T
		return zero, err
	}
	return p.PollUntilDone(c.ctx, c.poll)
}

func all[T, P any](c *client, p *runtime.Pager[P], items func(P) []*T) []*T {
	c.Helper()
	var out []*T
	for p.More() {
		page, err := p.NextPage(c.ctx)
		c.must(err)
		out = append(out, items(page)...)
	}
	return out
}

// group makes the resource group "rg".
func (c *client) group() {
	c.Helper()
	_, err := c.groups.CreateOrUpdate(c.ctx, "rg", armresources.ResourceGroup{Location: to.Ptr(westeurope), Tags: map[string]*string{"swarmscript.project": to.Ptr("shop")}}, nil)
	c.must(err)
}

// net makes the virtual network "net" with the subnet "nodes", and returns its ID.
func (c *client) net() string {
	c.Helper()
	p, err := c.network.NewVirtualNetworksClient().BeginCreateOrUpdate(c.ctx, "rg", "net", armnetwork.VirtualNetwork{
		Location: to.Ptr(westeurope),
		Properties: &armnetwork.VirtualNetworkPropertiesFormat{
			AddressSpace: &armnetwork.AddressSpace{AddressPrefixes: to.SliceOfPtrs("10.0.0.0/16")},
			Subnets:      []*armnetwork.Subnet{{Name: to.Ptr("nodes"), Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: to.Ptr("10.0.1.0/24")}}},
		},
	}, nil)
	return *done(c, p, err).Properties.Subnets[0].ID
}

// machine is a virtual machine that brings its interface and its address.
func machine(name, subnet string) armcompute.VirtualMachine {
	remove := to.Ptr(armcompute.DeleteOptionsDelete)
	return armcompute.VirtualMachine{
		Location: to.Ptr(westeurope),
		Tags:     map[string]*string{"swarmscript.project": to.Ptr("shop")},
		Zones:    to.SliceOfPtrs("1"),
		Properties: &armcompute.VirtualMachineProperties{
			HardwareProfile: &armcompute.HardwareProfile{VMSize: to.Ptr(armcompute.VirtualMachineSizeTypes("Standard_B2s"))},
			StorageProfile: &armcompute.StorageProfile{
				ImageReference: &armcompute.ImageReference{Publisher: to.Ptr("Debian"), Offer: to.Ptr("debian-12"), SKU: to.Ptr("12-gen2"), Version: to.Ptr("latest")},
				OSDisk:         &armcompute.OSDisk{CreateOption: to.Ptr(armcompute.DiskCreateOptionTypesFromImage), DeleteOption: to.Ptr(armcompute.DiskDeleteOptionTypesDelete)},
			},
			OSProfile: &armcompute.OSProfile{
				ComputerName: to.Ptr(name), AdminUsername: to.Ptr("ops"), CustomData: to.Ptr("I2Nsb3VkLWNvbmZpZwo="),
				LinuxConfiguration: &armcompute.LinuxConfiguration{DisablePasswordAuthentication: to.Ptr(true), SSH: &armcompute.SSHConfiguration{PublicKeys: []*armcompute.SSHPublicKey{{
					Path: to.Ptr("/home/ops/.ssh/authorized_keys"), KeyData: to.Ptr("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk5oZ3zBVq0pPZlD0DAb0LkYcUbcJm1d9VbUj6hyPp7 ops"),
				}}}},
			},
			NetworkProfile: &armcompute.NetworkProfile{
				NetworkAPIVersion: to.Ptr(armcompute.NetworkAPIVersion("2022-11-01")),
				NetworkInterfaceConfigurations: []*armcompute.VirtualMachineNetworkInterfaceConfiguration{{
					Name: to.Ptr(name + "-nic"),
					Properties: &armcompute.VirtualMachineNetworkInterfaceConfigurationProperties{
						Primary: to.Ptr(true), DeleteOption: remove,
						IPConfigurations: []*armcompute.VirtualMachineNetworkInterfaceIPConfiguration{{
							Name: to.Ptr("ip"),
							Properties: &armcompute.VirtualMachineNetworkInterfaceIPConfigurationProperties{
								Primary: to.Ptr(true), Subnet: &armcompute.SubResource{ID: to.Ptr(subnet)},
								PublicIPAddressConfiguration: &armcompute.VirtualMachinePublicIPAddressConfiguration{
									Name: to.Ptr(name + "-ip"),
									SKU:  &armcompute.PublicIPAddressSKU{Name: to.Ptr(armcompute.PublicIPAddressSKUNameStandard)},
									Properties: &armcompute.VirtualMachinePublicIPAddressConfigurationProperties{
										DeleteOption: remove, PublicIPAllocationMethod: to.Ptr(armcompute.PublicIPAllocationMethodStatic),
									},
								},
							},
						}},
					},
				}},
			},
		},
	}
}
