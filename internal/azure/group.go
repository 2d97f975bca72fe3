package azure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// GroupSpec is what a script says of the resource group of its azure().
type GroupSpec struct {
	Name string            `star:"name,required,pos,local" doc:"Its name: what azure(resource_group=) says, or the project's."`
	Tags map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*GroupSpec) SchemaName() (string, string) {
	return "resource_group", "The resource group of an `azure()`. It need not be declared: it is made where there is none, and one that exists without anybody's mark is used, and never deleted."
}

var groupSchema = schema.Of(GroupSpec{})

// GroupKind is a resource group.
var GroupKind = &resource.Kind{
	Name:      "resource_group",
	Schema:    groupSchema,
	Scope:     "azure",
	Rank:      1,
	Keyless:   true,
	Busy:      true,
	TakesOver: true,
	Out:       named,
	Check: func(args value.Struct) schema.Problems {
		p := &problemsOf{schema: groupSchema, args: args}
		p.ps = append(p.ps, checkTags(p.get("tags"))...)
		return p.done()
	},
	Same: sameGroup,
	Effect: func(live *resource.Object, _ value.Struct, _ []schema.Change, again bool) string {
		if again {
			return "made again, once Azure has deleted it"
		}
		return "in place"
	},
	Ending: func(live *resource.Object, _ bool) string {
		if held := heldByOthers(live); held != "" {
			return "it stays, and is nobody's: " + held
		}
		return ""
	},
	Handler: groupHandler{},
}

// sameGroup reports that a group which nobody marks may lack the tags of all that is
// made: it was not made here, and is only used.
func sameGroup(live *resource.Object, _ value.Struct, c schema.Change) bool {
	n, ok := live.Native.(*native)
	if !ok || live.Mark.Project != "" || c.Field.Name != "tags" {
		return false
	}
	for name, v := range n.defaults {
		if c.Path == fmt.Sprintf("tags[%q]", name) && value.Reveal(c.After) == v {
			return true
		}
	}
	return false
}

// named are the outputs that all kinds of Azure have.
var named = []resource.Output{
	{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "Its name."},
	{Name: "id", Type: "string", Stable: true, Doc: "Its ID in Azure."},
}

func (c *Conn) groupObject(g *armresources.ResourceGroup) *resource.Object {
	o := c.object(GroupKind, text(g.ID), "", text(g.Name), g.Tags, g)
	if strings.EqualFold(o.Name, c.Group()) {
		o.Name = c.Group() // Azure keeps the case of who made it
	}
	o.Out["name"] = o.Name
	o.Native.(*native).defaults = c.cfg.DefaultTags()
	o.Args = groupSchema.Encode(&GroupSpec{Name: o.Name, Tags: o.Native.(*native).tags})
	if leaves(g) {
		o.Unsettled, o.Stuck = deleting, true
	}
	return o
}

// leaves reports whether Azure is deleting a group: all that is in it goes too.
func leaves(g *armresources.ResourceGroup) bool {
	return g != nil && strings.EqualFold(text(val(g.Properties).ProvisioningState), deleting)
}

// remains waits while Azure is deleting the group, and reports whether there is one
// then.
func (c *Conn) remains(ctx context.Context, cl *clients) (bool, error) {
	for goes := false; ; {
		got, err := cl.groups.Get(ctx, c.Group(), nil)
		switch {
		case isMissing(err):
			return false, nil
		case err == nil && leaves(&got.ResourceGroup):
			goes = true
			tell(ctx, "waits until Azure has deleted resource group "+c.Group())
			err = pause(ctx, goingPause)
		case err == nil:
			return true, nil
		}
		if goes && errors.Is(err, context.DeadlineExceeded) {
			return true, fmt.Errorf("resource group %s: Azure is deleting it, which takes minutes; run it again when it is gone", c.Group())
		}
		if err != nil {
			return true, explain(err)
		}
	}
}

func plainLocation(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

type groupHandler struct{}

// Create implements [resource.Handler].
func (h groupHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	_, cl, err := connOf(ctx, rc)
	if err != nil {
		return nil, err
	}
	c := rc.(*Conn)
	if name := r.Address.Name(); name != c.Group() {
		return nil, fmt.Errorf("the resource group of this azure() is %s, not %s: azure(resource_group = %q)", c.Group(), name, name)
	}
	there, err := c.remains(telling(ctx, toProgress(r)), cl)
	switch _, leaving := c.leftLease(); {
	case err != nil || !there || c.isEarly():
	case leaving:
		err = fmt.Errorf("resource group %s: somebody else has made it meanwhile, and may be at it; run it again", c.Group())
	default:
		err = resource.ErrExists
	}
	if err != nil {
		return nil, err
	}
	made, err := h.put(ctx, c, cl, r)
	if err != nil {
		return nil, err
	}
	c.setEarly(false)
	return made, c.bringBack(ctx, cl)
}

// Update implements [resource.Handler].
func (h groupHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return nil, err
	}
	if _, err := c.remains(telling(ctx, toProgress(r)), cl); err != nil {
		return nil, err
	}
	return h.put(ctx, c, cl, r)
}

func (groupHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request) (*resource.Object, error) {
	var spec GroupSpec
	if err := groupSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	location := c.cfg.Location
	if r.Live != nil && r.Live.Unsettled != deleting { // where it is cannot change
		location = text(r.Live.Native.(*native).arm.(*armresources.ResourceGroup).Location)
	}
	got, err := cl.groups.CreateOrUpdate(ctx, c.Group(), armresources.ResourceGroup{Location: &location, Tags: tagsFor(r, nil, spec.Tags, nil)}, nil)
	if err != nil {
		return nil, explain(err)
	}
	return c.groupObject(&got.ResourceGroup), nil
}

// Delete implements [resource.Handler]. All that is in a group goes with it: it
// stays, without our mark, where that is not ours, and as it is where it is ours and
// was to go first.
func (h groupHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	if r.Live.Unsettled != deleting {
		strangers, err := c.emptied(telling(ctx, toProgress(r)), cl, r)
		if err != nil {
			return err
		}
		if len(strangers) > 0 {
			return h.release(ctx, c, cl, r, strangers)
		}
	}
	c.setLeaving(true)
	poller, err := cl.groups.BeginDelete(ctx, c.Group(), nil)
	if err := finishDelete(ctx, poller, err); err != nil {
		c.setLeaving(false)
		return err
	}
	return nil
}

// release takes our mark off a group that others have something in.
func (groupHandler) release(ctx context.Context, c *Conn, cl *clients, r *resource.Request, strangers []string) error {
	n, err := nativeOf(r.Live)
	if err != nil {
		return err
	}
	if _, err := cl.groups.Update(ctx, c.Group(), armresources.ResourceGroupPatchable{Tags: pack(n.tags)}, nil); err != nil {
		return explain(err)
	}
	if r.Stays != nil {
		r.Stays("it holds what is not this project's: " + strings.Join(strangers, ", "))
	}
	return nil
}

// listedWithin is how long Azure's list of a group may still have what is gone from it.
const listedWithin = time.Minute

// emptied waits until nothing of the project's is in its group any more but the lease
// and what a machine has left behind: Azure's list comes a little later than what it
// tells of. It returns what is others': for as long as the list may lag, that was there
// when the group was looked at.
func (c *Conn) emptied(ctx context.Context, cl *clients, r *resource.Request) ([]string, error) {
	var strangers, ours, fresh []string
	begun := time.Now()
	_, err := await(ctx, r, func() (string, error) {
		list, err := c.listAll(ctx, cl)
		strangers, ours, fresh = within(list, r.Live)
		if time.Since(begun) >= listedWithin {
			fresh = nil
		}
		return strings.Join(append(fresh, ours...), ", "), err
	})
	if err == nil && len(ours) > 0 {
		err = fmt.Errorf("resource group %s still holds what would be deleted with it: %s; delete that first", c.Group(), strings.Join(ours, ", "))
	}
	return strangers, err
}

// within are the resources of a group that do not carry its project's mark, those that
// do and are objects of their own, and of the strangers the fresh ones: which were not
// there when the group was looked at.
func within(list []*armresources.GenericResourceExpanded, group *resource.Object) (strangers, ours, fresh []string) {
	var known map[string]string
	if n, ok := group.Native.(*native); ok {
		known = n.guests
	}
	for _, r := range list {
		tags, name := unpack(r.Tags), text(r.Type)+" "+text(r.Name)
		mark, _ := resource.ReadMark(tags)
		rest := tags[tagPart] != "" || mark.Address.Kind() == VMKind.Name && !strings.EqualFold(text(r.Type), machineType) // which has the tags of its machine
		switch {
		case tags[resource.LabelProject] != group.Mark.Project:
			strangers = append(strangers, name)
			if known[strings.ToLower(text(r.ID))] == "" {
				fresh = append(fresh, name)
			}
		case tags[tagLease] == "" && !rest:
			ours = append(ours, name)
		}
	}
	return strangers, ours, fresh
}

// listed are the types of which there are lists of their own.
var listed = []string{
	networkType, securityGroupType, publicIPType, interfaceType, balancerType, availabilitySetType, diskType, machineType,
}

// listAll lists what is in the group, of whatever type, but for what is part of another
// resource: that goes with it.
func (c *Conn) listAll(ctx context.Context, cl *clients) ([]*armresources.GenericResourceExpanded, error) {
	list, err := all(ctx, cl.resources.NewListByResourceGroupPager(c.Group(), nil), func(p armresources.ClientListByResourceGroupResponse) []*armresources.GenericResourceExpanded {
		return p.Value
	})
	return slices.DeleteFunc(list, func(r *armresources.GenericResourceExpanded) bool { return strings.Count(text(r.Type), "/") > 1 }), err
}

// heldByOthers says what others have in a group, "" where that is nothing.
func heldByOthers(group *resource.Object) string {
	n, ok := group.Native.(*native)
	if !ok || len(n.guests) == 0 {
		return ""
	}
	return "in it is " + strings.Join(slices.Sorted(maps.Values(n.guests)), ", ") + ", which is not this project's"
}

// crowded is a group that is to be made anew with what others have in it.
func (f *foresight) crowded(list []resource.Prospect) (out []resource.Finding) {
	for _, p := range list {
		if p.Kind != GroupKind.Name || !p.Anew || p.Live == nil {
			continue
		}
		if held := heldByOthers(p.Live); held != "" {
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
				Severity: diag.Error, Summary: p.Title + ": it cannot be made anew: " + held,
				Hint: "delete or move that, or replace what is this project's by itself",
			}})
		}
	}
	return out
}
