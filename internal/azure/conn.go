package azure

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// Conn is the scope of a resource group.
type Conn struct {
	cfg      Config
	project  string
	throttle *Throttle
	through  policy.Transporter // nil: the network
	rolls    rolls

	mu        sync.Mutex
	clients   *clients
	skus      []sku                                              // of the location, once they were asked for
	pins      map[string]string                                  // image references with the version that latest means
	zones     map[string]string                                  // the zones that were chosen, by the machines' names
	places    map[string]string                                  // and those of their data disks
	fast      map[string]bool                                    // the interfaces that are to have accelerated networking
	pools     map[string][]string                                // of load balancers, by the names of machines that shall be in them
	leaving   bool                                               // the group is being deleted, and our lease with it
	lease     *resource.Lease                                    // as it was written last
	early     bool                                               // the group is there for our lease, before the step that makes it
	described map[Image]armcompute.VirtualMachineImageProperties // images of the marketplace
	hashes    *slowHashes                                        // of protected settings
}

// Connect returns the scope. Nothing is contacted yet. All connections of a run are
// given the same throttle.
func Connect(cfg Config, project string, throttle *Throttle) *Conn {
	c := &Conn{cfg: cfg.Normal(), project: project, throttle: throttle, pins: map[string]string{}, zones: map[string]string{}}
	c.hashes = &slowHashes{salt: project + "/" + strings.ToLower(c.Group()), sums: map[[sha256.Size]byte]string{}}
	return c
}

// Close implements [resource.Conn].
func (c *Conn) Close() error { return nil }

// Group is the name of the resource group.
func (c *Conn) Group() string { return c.cfg.Group(c.project) }

func (c *Conn) place(cl *clients) place { return place{cl.subscription, c.Group()} }

// connOf is the group's connection, which all kinds of this package need, with its
// clients.
func connOf(ctx context.Context, rc resource.Conn) (*Conn, *clients, error) {
	c, ok := rc.(*Conn)
	if !ok {
		return nil, nil, fmt.Errorf("this lives in azure(), not in a %T", rc)
	}
	cl, err := c.dial(ctx)
	return c, cl, err
}

// specOf is what a handler begins with: the connection, its clients, and what is
// declared.
func specOf[T any](ctx context.Context, rc resource.Conn, r *resource.Request, s *schema.Struct) (c *Conn, cl *clients, spec T, err error) {
	if c, cl, err = connOf(ctx, rc); err == nil {
		err = s.Decode(r.Args, &spec)
	}
	return c, cl, spec, err
}

// live is all that there is in a group.
type live struct {
	group *armresources.ResourceGroup // nil where it does not exist
	nets  []*armnetwork.VirtualNetwork
	nsgs  []*armnetwork.SecurityGroup
	ips   []*armnetwork.PublicIPAddress
	nics  []*armnetwork.Interface
	vms   []*armcompute.VirtualMachine
	sets  []*armcompute.AvailabilitySet
	disks []*armcompute.Disk
	views map[string]*armcompute.VirtualMachineInstanceView // what machines do, by the lower-cased ID

	balancers []*armnetwork.LoadBalancer
	all       []*armresources.GenericResourceExpanded // also what no kind is for; nil to who may not list it
}

// look reads all that there is, by one list of each type, at once.
func (c *Conn) look(ctx context.Context, cl *clients) (*live, error) {
	l, group := &live{views: map[string]*armcompute.VirtualMachineInstanceView{}}, c.Group()
	parts := []func() error{
		func() error {
			got, err := cl.groups.Get(ctx, group, nil)
			if isMissing(err) {
				return nil
			}
			l.group = &got.ResourceGroup
			return explain(err)
		},
		func() (err error) {
			l.nets, err = all(ctx, cl.nets.NewListPager(group, nil), func(p armnetwork.VirtualNetworksClientListResponse) []*armnetwork.VirtualNetwork { return p.Value })
			return err
		},
		func() (err error) {
			l.nsgs, err = all(ctx, cl.nsgs.NewListPager(group, nil), func(p armnetwork.SecurityGroupsClientListResponse) []*armnetwork.SecurityGroup { return p.Value })
			return err
		},
		func() (err error) {
			l.vms, err = listVMs(ctx, cl, group)
			return err
		},
		func() (err error) {
			l.sets, err = all(ctx, cl.sets.NewListPager(group, nil), func(p armcompute.AvailabilitySetsClientListResponse) []*armcompute.AvailabilitySet { return p.Value })
			return err
		},
		func() (err error) {
			l.disks, err = all(ctx, cl.disks.NewListByResourceGroupPager(group, nil), func(p armcompute.DisksClientListByResourceGroupResponse) []*armcompute.Disk { return p.Value })
			return err
		},
		func() (err error) {
			l.balancers, err = all(ctx, cl.balancers.NewListPager(group, nil), func(p armnetwork.LoadBalancersClientListResponse) []*armnetwork.LoadBalancer { return p.Value })
			return err
		},
		func() (err error) {
			l.all, err = c.listAll(ctx, cl)
			if errors.Is(err, resource.ErrRefused) {
				return nil
			}
			return err
		},
	}
	if err := atOnce(append(parts, c.around(ctx, cl, l)...)); err != nil {
		return nil, err
	}
	return l, c.lookExtensions(ctx, cl, l.vms)
}

// around are the lists that tell of machines what their own does not: their
// addresses, and whether they run.
func (c *Conn) around(ctx context.Context, cl *clients, l *live) []func() error {
	group := c.Group()
	return []func() error{
		func() (err error) {
			l.ips, err = listPublicIPs(ctx, cl, group)
			return err
		},
		func() (err error) {
			l.nics, err = listInterfaces(ctx, cl, group)
			return err
		},
		func() error { return c.lookViews(ctx, cl, l.views) },
	}
}

// atOnce runs requests that are independent.
func atOnce(parts []func() error) error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() { errs[i] = part() })
	}
	wg.Wait()
	return firstError(errs)
}

func listPublicIPs(ctx context.Context, cl *clients, group string) ([]*armnetwork.PublicIPAddress, error) {
	return all(ctx, cl.ips.NewListPager(group, nil), func(p armnetwork.PublicIPAddressesClientListResponse) []*armnetwork.PublicIPAddress { return p.Value })
}

func listInterfaces(ctx context.Context, cl *clients, group string) ([]*armnetwork.Interface, error) {
	return all(ctx, cl.nics.NewListPager(group, nil), func(p armnetwork.InterfacesClientListResponse) []*armnetwork.Interface { return p.Value })
}

func listVMs(ctx context.Context, cl *clients, group string) ([]*armcompute.VirtualMachine, error) {
	return all(ctx, cl.vms.NewListPager(group, nil), func(p armcompute.VirtualMachinesClientListResponse) []*armcompute.VirtualMachine { return p.Value })
}

// firstError is one of several that say the same: that a login was refused is told
// once.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lookViews reads what machines do. The list of a group does not tell it: that of
// the subscription does, of all machines at once. Who may read no more than the group
// asks each machine.
func (c *Conn) lookViews(ctx context.Context, cl *clients, views map[string]*armcompute.VirtualMachineInstanceView) error {
	list, err := all(ctx, cl.vms.NewListAllPager(&armcompute.VirtualMachinesClientListAllOptions{StatusOnly: ptr("true")}),
		func(p armcompute.VirtualMachinesClientListAllResponse) []*armcompute.VirtualMachine { return p.Value })
	if errors.Is(err, resource.ErrRefused) {
		return c.askViews(ctx, cl, views)
	}
	for _, vm := range list {
		if vm.Properties == nil || vm.Properties.InstanceView == nil {
			continue
		}
		view := vm.Properties.InstanceView
		views[strings.ToLower(text(vm.ID))] = view
		// That the list tells all of its system is not documented; much hangs on it.
		if id, bad := ParseID(text(vm.ID)); bad == nil && strings.EqualFold(id.Group, c.Group()) && isUnmade(view) {
			if err := c.askView(ctx, cl, vm, views); err != nil {
				return err
			}
		}
	}
	return err
}

// askViews reads of one machine after the other what it does.
func (c *Conn) askViews(ctx context.Context, cl *clients, views map[string]*armcompute.VirtualMachineInstanceView) error {
	list, err := listVMs(ctx, cl, c.Group())
	if err != nil {
		return err
	}
	for _, vm := range list {
		if err := c.askView(ctx, cl, vm, views); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) askView(ctx context.Context, cl *clients, vm *armcompute.VirtualMachine, views map[string]*armcompute.VirtualMachineInstanceView) error {
	got, err := cl.vms.InstanceView(ctx, c.Group(), text(vm.Name), nil)
	if isMissing(err) {
		return nil // it went in between
	}
	if err == nil {
		views[strings.ToLower(text(vm.ID))] = &got.VirtualMachineInstanceView
	}
	return explain(err)
}

// powerState is what a machine does, such as "running" or "deallocated"; "" where it is
// not told.
func powerState(v *armcompute.VirtualMachineInstanceView) string {
	if v == nil {
		return ""
	}
	for _, s := range v.Statuses {
		if state, ok := strings.CutPrefix(text(s.Code), "PowerState/"); ok {
			return state
		}
	}
	return ""
}

// Observe implements [resource.Conn]. A group that is not there has nothing in it.
func (c *Conn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
	cl, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	l, err := c.look(ctx, cl)
	if err != nil {
		return nil, err
	}
	if c.isEarly() { // the plan makes it, as the one did that was agreed to
		l.group = nil
	}
	obs := &resource.Observation{Identity: "azure " + cl.subscription + "/" + strings.ToLower(c.Group())}
	obs.Objects = c.objects(cl, l)
	c.readPools(cl, q, l)
	if err := c.measure(ctx, cl, q, obs); err != nil {
		return nil, err
	}
	machines := "1 machine"
	if len(l.vms) != 1 {
		machines = fmt.Sprintf("%d machines", len(l.vms))
	}
	obs.Summary = fmt.Sprintf("%s in %s, subscription %s (%s), by %s", machines, c.Group(), cl.subscription, cl.from, cl.account.credential())
	return obs, nil
}

// objects are the things of a group as the planner sees them. What belongs to a
// machine, and came with it, is no object of its own.
func (c *Conn) objects(cl *clients, l *live) []*resource.Object {
	var out []*resource.Object
	if l.group != nil {
		out = append(out, c.groupObject(l.group))
	}
	if leaves(l.group) {
		return out
	}
	for _, n := range l.nets {
		out = append(out, c.networkObject(cl, n))
	}
	for _, g := range l.nsgs {
		if !c.isLease(g) {
			out = append(out, c.securityGroupObject(cl, g))
		}
	}
	for _, ip := range l.ips {
		if o := c.publicIPObject(ip); !partOfVM(o) {
			out = append(out, o)
		}
	}
	for _, n := range l.nics {
		if o := c.interfaceObject(cl, l, n); !partOfVM(o) {
			out = append(out, o)
		}
	}
	for _, s := range l.sets {
		out = append(out, c.availabilitySetObject(s))
	}
	for _, d := range l.disks {
		if isDataDisk(d) {
			out = append(out, c.diskObject(l, d))
		}
	}
	for _, vm := range l.vms {
		out = append(out, c.vmObject(cl, l, vm))
		out = append(out, c.extensionObjects(vm)...)
	}
	for _, lb := range l.balancers {
		out = append(out, c.balancerObject(cl, l, lb))
	}
	known := map[string]string{}
	for _, o := range out {
		known[strings.ToLower(o.Native.(*native).id)] = o.ID
	}
	for _, o := range out {
		uses := o.Uses[:0]
		for _, id := range o.Uses { // Azure's so far
			if found := known[strings.ToLower(id)]; found != "" {
				uses = append(uses, found)
			}
		}
		o.Uses = uses
	}
	useGroup(out, l)
	return out
}

// useGroup says of all that is a project's in a group of its own that it needs the
// group: with that it would go. What is others' keeps it from being deleted at all.
func useGroup(list []*resource.Object, l *live) {
	if len(list) == 0 || list[0].Kind != GroupKind.Name || list[0].Mark.Project == "" {
		return
	}
	group := list[0]
	n := group.Native.(*native)
	n.guests = map[string]string{}
	for _, o := range list[1:] {
		switch {
		case o.Mark.Project == group.Mark.Project:
			o.Uses = append(o.Uses, group.ID)
		case o.Kind != ExtensionKind.Name: // which goes with its machine
			n.guests[strings.ToLower(o.Native.(*native).id)] = o.Kind + " " + o.Name
		}
	}
	for _, r := range l.all {
		if !slices.ContainsFunc(listed, func(t string) bool { return strings.EqualFold(t, text(r.Type)) }) && unpack(r.Tags)[resource.LabelProject] != group.Mark.Project {
			n.guests[strings.ToLower(text(r.ID))] = text(r.Type) + " " + text(r.Name)
		}
	}
}

// tagPart marks what Azure makes, and deletes, with a machine.
const tagPart = "swarmscript.part"

func partOfVM(o *resource.Object) bool {
	n := o.Native.(*native)
	return n.own[tagPart] != ""
}

// deletes is a handler's Delete of all kinds here.
func deletes(ctx context.Context, rc resource.Conn, r *resource.Request, remove func(ctx context.Context, cl *clients, group, name string) error) error {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	n, err := nativeOf(r.Live)
	if err != nil {
		return err
	}
	id, err := ParseID(n.id)
	if err != nil {
		return err
	}
	return remove(telling(ctx, func(text string) { r.Progress(resource.Progress{Text: text}) }), cl, c.Group(), id.Name)
}

// absent returns [resource.ErrExists] where a resource is there: a PUT would write
// over what is somebody else's.
func absent(err error) error {
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return explain(err)
	}
	return resource.ErrExists
}
