package azure

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// PublicIPSpec is what a script says of a public address.
type PublicIPSpec struct {
	Name        string            `star:"name,required,pos,local" doc:"Its name."`
	DNSLabel    *string           `star:"dns_label" doc:"The first part of its name in DNS, LABEL.REGION.cloudapp.azure.com, which nobody else in the region may have."`
	IdleTimeout int               `star:"idle_timeout" default:"4" min:"4" max:"30" doc:"Minutes after which a silent connection is forgotten."`
	Zones       []string          `star:"zones,set,replace" doc:"The zones that it is in; left out, as Azure takes it."`
	Tags        map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*PublicIPSpec) SchemaName() (string, string) {
	return "public_ip", "A public IPv4 address of Azure's Standard kind, which stays the same until it is deleted. A machine has one of its own without it."
}

var publicIPSchema = schema.Of(PublicIPSpec{})

// PublicIPKind is a public address.
var PublicIPKind = &resource.Kind{
	Name:    "public_ip",
	Schema:  publicIPSchema,
	Scope:   "azure",
	Rank:    8,
	Keyless: true,
	Busy:    true,
	Out: append([]resource.Output{
		{Name: "ip_address", Type: "string", Stable: true, Doc: "The address."},
		{Name: "fqdn", Type: "string", Doc: "Its name in DNS, where it has a dns_label."},
	}, named...),
	Check: func(args value.Struct) schema.Problems {
		p := &problemsOf{schema: publicIPSchema, args: args}
		p.text("name", resourceName)
		p.text("dns_label", func(s string) string {
			if dnsLabel().MatchString(s) {
				return ""
			}
			return fmt.Sprintf("got %q, want small letters, digits and hyphens, 3 to 63, that begin with a letter", s)
		})
		p.ps = append(p.ps, checkTags(p.get("tags"))...)
		return p.done()
	},
	Handler: publicIPHandler{},
}

var dnsLabel = pattern.Of(`^[a-z][a-z0-9-]{1,61}[a-z0-9]$`)

func (c *Conn) publicIPObject(ip *armnetwork.PublicIPAddress) *resource.Object {
	p := val(ip.Properties)
	o := c.object(PublicIPKind, text(ip.ID), text(p.ResourceGUID), text(ip.Name), ip.Tags, ip)
	spec := &PublicIPSpec{Name: o.Name, IdleTimeout: 4, Zones: texts(ip.Zones), Tags: o.Native.(*native).tags}
	if p.IdleTimeoutInMinutes != nil {
		spec.IdleTimeout = int(*p.IdleTimeoutInMinutes)
	}
	if p.DNSSettings != nil {
		spec.DNSLabel = p.DNSSettings.DomainNameLabel
		out(o, "fqdn", text(p.DNSSettings.Fqdn))
	}
	out(o, "ip_address", text(p.IPAddress))
	o.Args = publicIPSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

type publicIPHandler struct{}

// Create implements [resource.Handler].
func (h publicIPHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[PublicIPSpec](ctx, rc, r, publicIPSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.ips.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	return h.put(ctx, c, cl, r, spec, armnetwork.PublicIPAddress{
		Location: &c.cfg.Location, Zones: pointers(spec.Zones),
		SKU:        &armnetwork.PublicIPAddressSKU{Name: ptr(armnetwork.PublicIPAddressSKUNameStandard)},
		Properties: &armnetwork.PublicIPAddressPropertiesFormat{PublicIPAllocationMethod: ptr(armnetwork.IPAllocationMethodStatic)},
	})
}

// Update implements [resource.Handler].
func (h publicIPHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[PublicIPSpec](ctx, rc, r, publicIPSchema)
	if err != nil {
		return nil, err
	}
	now, err := cl.ips.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return h.put(ctx, c, cl, r, spec, now.PublicIPAddress)
}

func (publicIPHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, spec PublicIPSpec, ip armnetwork.PublicIPAddress) (*resource.Object, error) {
	ip.Properties.IdleTimeoutInMinutes = ptr(int32(spec.IdleTimeout))
	if spec.DNSLabel != nil {
		if ip.Properties.DNSSettings == nil {
			ip.Properties.DNSSettings = &armnetwork.PublicIPAddressDNSSettings{}
		}
		ip.Properties.DNSSettings.DomainNameLabel, ip.Properties.DNSSettings.Fqdn = spec.DNSLabel, nil
	}
	ip.Tags = tagsFor(r, ip.Tags, spec.Tags, nil)
	poller, err := cl.ips.BeginCreateOrUpdate(unchanged(telling(ctx, toProgress(r)), ip.Etag), c.Group(), spec.Name, ip, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.publicIPObject(&got.PublicIPAddress), nil
}

// Delete implements [resource.Handler].
func (publicIPHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.ips.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}
