package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// AvailabilitySetSpec is what a script says of an availability set.
type AvailabilitySetSpec struct {
	Name          string            `star:"name,required,pos,local" doc:"Its name."`
	FaultDomains  int               `star:"fault_domains,replace" default:"2" min:"1" max:"3" doc:"How many groups of hardware its machines are spread over; some regions have 2, others 3."`
	UpdateDomains int               `star:"update_domains,replace" default:"5" min:"1" max:"20" doc:"How many groups its machines are in that Azure maintains one after another."`
	Tags          map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*AvailabilitySetSpec) SchemaName() (string, string) {
	return "availability_set", "An availability set of Azure: machines that do not fail together, in regions without zones. Its machines have managed disks, which are spread as they are (the Aligned kind)."
}

var availabilitySetSchema = schema.Of(AvailabilitySetSpec{})

// AvailabilitySetKind is an availability set.
var AvailabilitySetKind = &resource.Kind{
	Name:    "availability_set",
	Schema:  availabilitySetSchema,
	Scope:   "azure",
	Rank:    6,
	Keyless: true,
	Busy:    true,
	Out:     named,
	Check: func(args value.Struct) schema.Problems {
		p := &problemsOf{schema: availabilitySetSchema, args: args}
		p.text("name", resourceName)
		p.ps = append(p.ps, checkTags(p.get("tags"))...)
		return p.done()
	},
	Handler: availabilitySetHandler{},
}

const (
	availabilitySetType = "Microsoft.Compute/availabilitySets"
	// aligned are the availability sets of machines with managed disks.
	aligned = "Aligned"
)

func (c *Conn) availabilitySetObject(s *armcompute.AvailabilitySet) *resource.Object {
	p := val(s.Properties)
	o := c.object(AvailabilitySetKind, text(s.ID), "", text(s.Name), s.Tags, s)
	o.Args = availabilitySetSchema.Encode(&AvailabilitySetSpec{
		Name: o.Name, FaultDomains: int(val(p.PlatformFaultDomainCount)), UpdateDomains: int(val(p.PlatformUpdateDomainCount)), Tags: o.Native.(*native).tags,
	})
	return o
}

type availabilitySetHandler struct{}

// Create implements [resource.Handler].
func (availabilitySetHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[AvailabilitySetSpec](ctx, rc, r, availabilitySetSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.sets.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	got, err := cl.sets.CreateOrUpdate(telling(ctx, toProgress(r)), c.Group(), spec.Name, armcompute.AvailabilitySet{
		Location: &c.cfg.Location, SKU: &armcompute.SKU{Name: ptr(aligned)}, Tags: tagsFor(r, nil, spec.Tags, nil),
		Properties: &armcompute.AvailabilitySetProperties{
			PlatformFaultDomainCount: ptr(int32(spec.FaultDomains)), PlatformUpdateDomainCount: ptr(int32(spec.UpdateDomains)),
		},
	}, nil)
	if err != nil {
		return nil, explain(err)
	}
	return c.availabilitySetObject(&got.AvailabilitySet), nil
}

// Update implements [resource.Handler]. Only tags can change.
func (availabilitySetHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[AvailabilitySetSpec](ctx, rc, r, availabilitySetSchema)
	if err != nil {
		return nil, err
	}
	got, err := cl.sets.Update(telling(ctx, toProgress(r)), c.Group(), spec.Name, armcompute.AvailabilitySetUpdate{Tags: tagsFor(r, nil, spec.Tags, nil)}, nil)
	if err != nil {
		return nil, explain(err)
	}
	return c.availabilitySetObject(&got.AvailabilitySet), nil
}

// Delete implements [resource.Handler].
func (availabilitySetHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		if _, err := cl.sets.Delete(ctx, group, name, nil); err != nil && !isMissing(err) {
			return explain(err)
		}
		return nil
	})
}
