package azure

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// NetworkSpec is what a script says of a virtual network.
type NetworkSpec struct {
	Name         string            `star:"name,required,pos,local" doc:"Its name."`
	AddressSpace []Prefix          `star:"address_space,set,merge" doc:"Its ranges of addresses; [\"192.168.0.0/16\"] if left out. Those that others add stay. Keep clear of 10.0.0.0/8, of which swarms take their networks' unless told otherwise."`
	Subnets      []Subnet          `star:"subnets,set,merge" doc:"Its subnets; one named nodes with the first range if left out. Those that others add stay; one that was declared here goes when it is no more."`
	Tags         map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// Subnet is a part of a virtual network.
type Subnet struct {
	Name          string  `star:"name,required,pos,key" doc:"Its name."`
	AddressPrefix Prefix  `star:"address_prefix,required,pos" doc:"Its range of addresses."`
	SecurityGroup *string `star:"network_security_group" ref:"network_security_group.name" doc:"What may come in and go out: a network_security_group, or its name or ID."`
	Outbound      bool    `star:"default_outbound_access" default:"true" doc:"Whether machines without a public address reach the internet."`
}

// SchemaName implements [schema.Named].
func (*NetworkSpec) SchemaName() (string, string) {
	return "virtual_network", "A virtual network of Azure, with its subnets."
}

// SchemaName implements [schema.Named].
func (*Subnet) SchemaName() (string, string) { return "vnet_subnet", "A subnet of a virtual network." }

// Prefix is a range of addresses, as 192.168.0.0/16.
type Prefix string

// Normal implements [schema.Normaler].
func (p Prefix) Normal() (string, error) {
	got, err := netip.ParsePrefix(string(p))
	if err != nil {
		return "", fmt.Errorf("got %q, want a range of addresses such as \"192.168.0.0/16\"", string(p))
	}
	if got.Masked() != got {
		return "", fmt.Errorf("%s has bits beyond its mask: %s", p, got.Masked())
	}
	return got.String(), nil
}

// What a network has that says nothing else.
const (
	defaultSpace  = "192.168.0.0/16"
	defaultSubnet = "nodes"
)

var (
	networkSchema = schema.Of(NetworkSpec{})
	subnetSchema  = schema.Of(Subnet{})
)

// NetworkKind is a virtual network.
var NetworkKind = &resource.Kind{
	Name:     "virtual_network",
	Schema:   networkSchema,
	Scope:    "azure",
	Rank:     10,
	Keyless:  true,
	Out:      named,
	Check:    checkNetwork,
	Complete: completeNetwork,
	Same:     sameNames,
	Handler:  networkHandler{},
}

func checkNetwork(args value.Struct) schema.Problems {
	p := &problemsOf{schema: networkSchema, args: args}
	p.text("name", networkName)
	p.ps = append(p.ps, checkTags(p.get("tags"))...)
	var spec NetworkSpec
	if p.done() != nil || networkSchema.Decode(args, &spec) != nil || spec.AddressSpace == nil {
		return p.done() // or not all is known yet
	}
	for i, s := range spec.Subnets {
		within, err := netip.ParsePrefix(string(s.AddressPrefix))
		if err == nil && !slices.ContainsFunc(spec.AddressSpace, func(r Prefix) bool { return holds(r, within) }) {
			p.ps = append(p.ps, &schema.Problem{Path: fmt.Sprintf("subnets[%d].address_prefix", i), Msg: fmt.Sprintf("%s is not in the network's address_space", s.AddressPrefix)})
		}
	}
	return p.done()
}

func holds(outer Prefix, inner netip.Prefix) bool {
	o, err := netip.ParsePrefix(string(outer))
	return err == nil && o.Bits() <= inner.Bits() && o.Contains(inner.Addr())
}

// resourceName says what is wrong with the name of a resource of Microsoft.Network.
func resourceName(s string) string {
	ok := len(s) <= 80 && s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
	}) && !strings.ContainsAny(s[:1], "-_.") && !strings.ContainsAny(s[len(s)-1:], "-.")
	if ok {
		return ""
	}
	return fmt.Sprintf("got %q, want letters, digits, -, _ and ., 80 at most, that begin with a letter or digit", s)
}

// networkName is resourceName of a network, whose names are shorter, and not too short.
func networkName(s string) string {
	if wrong := resourceName(s); wrong != "" || 2 <= len(s) && len(s) <= 64 {
		return wrong
	}
	return fmt.Sprintf("got %q, want a name of 2 to 64 characters", s)
}

func completeNetwork(args value.Struct) {
	space, _ := networkSchema.Field("address_space")
	subnets, _ := networkSchema.Field("subnets")
	if list, _ := args[space.Index].(value.List); args[space.Index] == nil || list != nil && len(list) == 0 {
		args[space.Index] = value.List{defaultSpace}
	}
	list, ok := args[space.Index].(value.List)
	if args[subnets.Index] != nil || !ok {
		return
	}
	prefix, ok := list[0].(string)
	if !ok {
		return // not known yet
	}
	args[subnets.Index] = value.List{subnetSchema.Encode(&Subnet{Name: defaultSubnet, AddressPrefix: Prefix(prefix), Outbound: true})}
}

func (c *Conn) networkObject(cl *clients, n *armnetwork.VirtualNetwork) *resource.Object {
	p := val(n.Properties)
	o := c.object(NetworkKind, text(n.ID), text(p.ResourceGUID), text(n.Name), n.Tags, n)
	spec := &NetworkSpec{Name: o.Name, Tags: o.Native.(*native).tags}
	if p.AddressSpace != nil {
		for _, a := range texts(p.AddressSpace.AddressPrefixes) {
			spec.AddressSpace = append(spec.AddressSpace, Prefix(a))
		}
	}
	for _, s := range p.Subnets {
		sp := val(s.Properties)
		sub := Subnet{Name: text(s.Name), AddressPrefix: Prefix(mainPrefix(&sp)), Outbound: sp.DefaultOutboundAccess == nil || *sp.DefaultOutboundAccess}
		if sp.NetworkSecurityGroup != nil {
			sub.SecurityGroup = ptr(c.place(cl).short(text(sp.NetworkSecurityGroup.ID)))
			o.Uses = append(o.Uses, text(sp.NetworkSecurityGroup.ID))
		}
		spec.Subnets = append(spec.Subnets, sub)
	}
	o.Args = networkSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

// What settled says of what Azure is making, and taking away.
const (
	creating = "creating"
	deleting = "deleting"
)

// settled says of an object what Azure says of its last operation.
func settled(o *resource.Object, state string) {
	switch state {
	case "", "Succeeded":
	case "Failed", "Canceled":
		o.Unsettled, o.Stuck = "its last operation has failed", true
	default:
		o.Unsettled = strings.ToLower(state)
	}
}

type networkHandler struct{}

// Create implements [resource.Handler].
func (h networkHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[NetworkSpec](ctx, rc, r, networkSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.nets.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	return h.put(ctx, c, cl, r, spec, armnetwork.VirtualNetwork{Location: &c.cfg.Location})
}

// Update implements [resource.Handler]. A PUT of a network takes away what it does not
// name, so that all is said each time: what others made, and what we say nothing of,
// as it was read.
func (h networkHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[NetworkSpec](ctx, rc, r, networkSchema)
	if err != nil {
		return nil, err
	}
	now, err := cl.nets.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return h.put(ctx, c, cl, r, spec, now.VirtualNetwork)
}

func (networkHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, spec NetworkSpec, n armnetwork.VirtualNetwork) (*resource.Object, error) {
	owned := map[string][]string{}
	if r.Live != nil {
		owned = r.Live.Mark.Owned()
	}
	if n.Properties == nil {
		n.Properties = &armnetwork.VirtualNetworkPropertiesFormat{}
	}
	c.place(cl).lay(n.Properties, spec, owned)
	n.Tags = tagsFor(r, n.Tags, spec.Tags, nil)
	poller, err := cl.nets.BeginCreateOrUpdate(unchanged(telling(ctx, toProgress(r)), n.Etag), c.Group(), spec.Name, n, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.networkObject(cl, &got.VirtualNetwork), nil
}

// lay puts into a network what a script says of it. Of the ranges and subnets that
// were ours, only what it still says stays.
func (p place) lay(n *armnetwork.VirtualNetworkPropertiesFormat, spec NetworkSpec, owned map[string][]string) {
	if n.AddressSpace == nil {
		n.AddressSpace = &armnetwork.AddressSpace{}
	}
	n.AddressSpace.AddressPrefixes = slices.DeleteFunc(n.AddressSpace.AddressPrefixes, func(has *string) bool {
		return slices.Contains(owned["address_space"], text(has)) && !slices.Contains(spec.AddressSpace, Prefix(text(has)))
	})
	for _, want := range spec.AddressSpace {
		if has := n.AddressSpace.AddressPrefixes; !slices.Contains(texts(has), string(want)) {
			n.AddressSpace.AddressPrefixes = append(has, ptr(string(want)))
		}
	}
	n.Subnets = slices.DeleteFunc(n.Subnets, func(s *armnetwork.Subnet) bool {
		named := func(want Subnet) bool { return want.Name == text(s.Name) }
		return slices.Contains(owned["subnets"], text(s.Name)) && !slices.ContainsFunc(spec.Subnets, named)
	})
	for _, want := range spec.Subnets {
		i := slices.IndexFunc(n.Subnets, func(s *armnetwork.Subnet) bool { return text(s.Name) == want.Name })
		if i < 0 {
			i = len(n.Subnets)
			n.Subnets = append(n.Subnets, &armnetwork.Subnet{Name: ptr(want.Name)})
		}
		p.laySubnet(n.Subnets[i], want)
	}
}

func (p place) laySubnet(s *armnetwork.Subnet, want Subnet) {
	if s.Properties == nil {
		s.Properties = &armnetwork.SubnetPropertiesFormat{}
	}
	has := mainPrefix(s.Properties)
	if has == "" {
		s.Properties.AddressPrefix = ptr(string(want.AddressPrefix))
	}
	for _, at := range append(s.Properties.AddressPrefixes, s.Properties.AddressPrefix) {
		if at != nil && *at == has {
			*at = string(want.AddressPrefix)
		}
	}
	s.Properties.DefaultOutboundAccess = ptr(want.Outbound)
	if want.SecurityGroup != nil {
		s.Properties.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: ptr(p.full(securityGroupType, *want.SecurityGroup))}
	}
}

// mainPrefix is the range of a subnet, which can have another one of IPv6 beside it; ""
// where it has none.
func mainPrefix(p *armnetwork.SubnetPropertiesFormat) string {
	all := texts(append([]*string{p.AddressPrefix}, p.AddressPrefixes...))
	i := slices.IndexFunc(all, func(s string) bool { return !strings.Contains(s, ":") })
	switch {
	case len(all) == 0:
		return ""
	case i < 0:
		return all[0]
	}
	return all[i]
}

func toProgress(r *resource.Request) func(string) {
	return func(text string) { r.Progress(resource.Progress{Text: text}) }
}

// Delete implements [resource.Handler].
func (networkHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.nets.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}

// EncodeNodes is the subnet of machines that name no network, as an argument, with
// a reference to its security group.
func EncodeNodes(group value.Ref) value.List {
	s := subnetSchema
	args := s.Encode(&Subnet{Name: defaultSubnet, AddressPrefix: defaultSpace, Outbound: true})
	f, _ := s.Field("network_security_group")
	args[f.Index] = group
	return value.List{args}
}

// Guards reports whether a network, by its arguments, says what may come to the
// machines of a subnet and leave them.
func Guards(network value.Struct, subnet value.Value) bool {
	name, ok := value.Reveal(subnet).(string)
	if !ok {
		name = defaultSubnet
	}
	f, _ := networkSchema.Field("subnets")
	list, _ := value.Reveal(network[f.Index]).(value.List)
	for _, e := range list {
		if s, ok := value.Reveal(e).(value.Struct); ok && strings.EqualFold(asText(valueIn(subnetSchema, s, "name")), name) {
			return valueIn(subnetSchema, s, "network_security_group") != nil
		}
	}
	return false
}
