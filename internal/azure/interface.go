package azure

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// InterfaceSpec is what a script says of a network interface.
type InterfaceSpec struct {
	Name           string            `star:"name,required,pos,local" doc:"Its name."`
	VirtualNetwork string            `star:"virtual_network,required,replace" ref:"virtual_network.name" doc:"Its network: a virtual_network, or its name or ID."`
	Subnet         string            `star:"subnet" default:"nodes" doc:"The subnet of that network."`
	SecurityGroup  *string           `star:"network_security_group" ref:"network_security_group.name" doc:"What may come in and go out, beside what its subnet says."`
	PublicIP       string            `star:"public_ip" ref:"public_ip.name" doc:"Its public address: a public_ip, or its name or ID; none if left out."`
	PrivateIP      *string           `star:"private_ip" doc:"Its address in the network; Azure gives it one if left out."`
	Accelerated    bool              `star:"accelerated_networking" doc:"Whether the machine is given a part of the network card itself. Not all sizes take it."`
	Forwarding     bool              `star:"ip_forwarding" doc:"Whether it takes what is for other addresses than its own."`
	Tags           map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*InterfaceSpec) SchemaName() (string, string) {
	return "network_interface", "A network interface of Azure, for a machine that needs what its own has not: an address that is given, or a public one with a name."
}

var interfaceSchema = schema.Of(InterfaceSpec{})

// InterfaceKind is a network interface.
var InterfaceKind = &resource.Kind{
	Name:    "network_interface",
	Schema:  interfaceSchema,
	Scope:   "azure",
	Rank:    20,
	Keyless: true,
	Busy:    true,
	Out: append([]resource.Output{
		{Name: "private_ip_address", Type: "string", Doc: "Its address in the network."},
	}, named...),
	Check: func(args value.Struct) schema.Problems {
		p := &problemsOf{schema: interfaceSchema, args: args}
		p.text("name", resourceName)
		p.text("virtual_network", refersTo(networkType))
		p.text("public_ip", refersTo(publicIPType))
		p.text("private_ip", func(s string) string {
			if _, err := netip.ParseAddr(s); err != nil {
				return fmt.Sprintf("got %q, want an IP address", s)
			}
			return ""
		})
		p.ps = append(p.ps, checkTags(p.get("tags"))...)
		return p.done()
	},
	Same:    sameNames,
	Handler: interfaceHandler{},
}

const (
	networkType       = "Microsoft.Network/virtualNetworks"
	securityGroupType = "Microsoft.Network/networkSecurityGroups"
	publicIPType      = "Microsoft.Network/publicIPAddresses"
	interfaceType     = "Microsoft.Network/networkInterfaces"

	applicationGroupType = "Microsoft.Network/applicationSecurityGroups"
)

// subnetID is the ID of a subnet of a network that a script names so.
func (p place) subnetID(network, subnet string) string {
	return p.full(networkType, network) + "/subnets/" + subnet
}

// splitSubnet is the inverse of subnetID: the network as a script names it.
func (p place) splitSubnet(id string) (network, subnet string) {
	i := strings.LastIndex(strings.ToLower(id), "/subnets/")
	if i < 0 {
		return "", ""
	}
	return p.short(id[:i]), id[i+len("/subnets/"):]
}

// firstConfig is the one address configuration that we make.
func firstConfig(n *armnetwork.Interface) armnetwork.InterfaceIPConfigurationPropertiesFormat {
	if n == nil || n.Properties == nil || len(n.Properties.IPConfigurations) == 0 {
		return armnetwork.InterfaceIPConfigurationPropertiesFormat{}
	}
	return val(n.Properties.IPConfigurations[0].Properties)
}

func (c *Conn) interfaceObject(cl *clients, _ *live, n *armnetwork.Interface) *resource.Object {
	p, ip, at := val(n.Properties), firstConfig(n), c.place(cl)
	o := c.object(InterfaceKind, text(n.ID), text(p.ResourceGUID), text(n.Name), n.Tags, n)
	spec := &InterfaceSpec{
		Name: o.Name, Accelerated: val(p.EnableAcceleratedNetworking), Forwarding: val(p.EnableIPForwarding), Tags: o.Native.(*native).tags,
	}
	if ip.Subnet != nil {
		spec.VirtualNetwork, spec.Subnet = at.splitSubnet(text(ip.Subnet.ID))
		o.Uses = append(o.Uses, at.full(networkType, spec.VirtualNetwork))
	}
	if p.NetworkSecurityGroup != nil {
		spec.SecurityGroup = ptr(at.short(text(p.NetworkSecurityGroup.ID)))
		o.Uses = append(o.Uses, text(p.NetworkSecurityGroup.ID))
	}
	if ip.PublicIPAddress != nil {
		spec.PublicIP = at.short(text(ip.PublicIPAddress.ID))
		o.Uses = append(o.Uses, text(ip.PublicIPAddress.ID))
	}
	spec.PrivateIP = ip.PrivateIPAddress
	out(o, "private_ip_address", text(ip.PrivateIPAddress))
	o.Args = interfaceSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

type interfaceHandler struct{}

// Create implements [resource.Handler].
func (h interfaceHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[InterfaceSpec](ctx, rc, r, interfaceSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.nics.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	return h.put(ctx, c, cl, r, spec, armnetwork.Interface{Location: &c.cfg.Location})
}

// Update implements [resource.Handler].
func (h interfaceHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[InterfaceSpec](ctx, rc, r, interfaceSchema)
	if err != nil {
		return nil, err
	}
	now, err := cl.nics.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return h.put(ctx, c, cl, r, spec, now.Interface)
}

func (interfaceHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, spec InterfaceSpec, n armnetwork.Interface) (*resource.Object, error) {
	at := c.place(cl)
	if n.Properties == nil {
		n.Properties = &armnetwork.InterfacePropertiesFormat{}
	}
	if len(n.Properties.IPConfigurations) == 0 {
		n.Properties.IPConfigurations = []*armnetwork.InterfaceIPConfiguration{{Name: ptr("main")}}
	}
	main := n.Properties.IPConfigurations[0]
	if main.Properties == nil {
		main.Properties = &armnetwork.InterfaceIPConfigurationPropertiesFormat{PrivateIPAllocationMethod: ptr(armnetwork.IPAllocationMethodDynamic)}
	}
	main.Properties.Subnet = &armnetwork.Subnet{ID: ptr(at.subnetID(spec.VirtualNetwork, spec.Subnet))}
	if spec.PrivateIP != nil {
		main.Properties.PrivateIPAllocationMethod, main.Properties.PrivateIPAddress = ptr(armnetwork.IPAllocationMethodStatic), spec.PrivateIP
	}
	main.Properties.PublicIPAddress = nil
	if spec.PublicIP != "" {
		main.Properties.PublicIPAddress = &armnetwork.PublicIPAddress{ID: ptr(at.full(publicIPType, spec.PublicIP))}
	}
	if spec.SecurityGroup != nil {
		n.Properties.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: ptr(at.full(securityGroupType, *spec.SecurityGroup))}
	}
	n.Properties.EnableAcceleratedNetworking, n.Properties.EnableIPForwarding = &spec.Accelerated, &spec.Forwarding
	n.Tags = tagsFor(r, n.Tags, spec.Tags, nil)
	// Load balancers write interfaces too: who was second is told, and begins anew.
	poller, err := cl.nics.BeginCreateOrUpdate(unchanged(telling(ctx, toProgress(r)), n.Etag), c.Group(), spec.Name, n, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.interfaceObject(cl, nil, &got.Interface), nil
}

// guard gives a machine's own interface a security group, none where that is "". What
// was read for the plan stays as it is: a step that is tried again looks at it again.
func (c *Conn) guard(ctx context.Context, cl *clients, m *machine, group string) error {
	at := c.place(cl)
	is := func(n *armnetwork.Interface) bool {
		has := ""
		if g := val(n.Properties).NetworkSecurityGroup; g != nil {
			has = text(g.ID)
		}
		return n.Properties == nil || at.same(has, group)
	}
	if m.nic == nil || is(m.nic) {
		return nil
	}
	change := func(n *armnetwork.Interface) bool {
		if is(n) {
			return false
		}
		n.Properties.NetworkSecurityGroup = nil
		if group != "" {
			n.Properties.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: ptr(at.full(securityGroupType, group))}
		}
		return true
	}
	now, err := cl.nics.Get(ctx, c.Group(), text(m.nic.Name), nil)
	if err != nil || !change(&now.Interface) {
		return explain(err)
	}
	return c.putMember(ctx, cl, &now.Interface, change)
}

// Delete implements [resource.Handler].
func (interfaceHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.nics.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}
