package azure

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// DiskSpec is what a script says of a data disk.
type DiskSpec struct {
	Name   string            `star:"name,required,pos,local" doc:"Its name."`
	SizeGB int               `star:"size_gb,required,pos" min:"1" max:"32767" doc:"Its size in GiB. It only grows: in place, though beyond 4095 a machine that has it is off for that while. What is on it has to be grown too, by resize2fs and the like."`
	SKU    string            `star:"sku" default:"StandardSSD_LRS" enum:"Standard_LRS,StandardSSD_LRS,StandardSSD_ZRS,Premium_LRS,Premium_ZRS" doc:"What it is. A machine that has it is off while that changes, and drained before where it is in a swarm."`
	Zone   *string           `star:"zone,replace" enum:"1,2,3" doc:"Its availability zone, in which machines can have it; those of a ZRS sku are in all. Left out, that of the machine that it is declared for."`
	Tags   map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*DiskSpec) SchemaName() (string, string) {
	return "disk", "A data disk of Azure, which a machine has as one of its data_disks and which outlives it. A change that would lose the data is an error, and it is deleted with --allow-data-loss only."
}

var diskSchema = schema.Of(DiskSpec{})

// DiskKind is a data disk.
var DiskKind = &resource.Kind{
	Name:     "disk",
	Schema:   diskSchema,
	Scope:    "azure",
	Rank:     7,
	Keyless:  true,
	Busy:     true,
	Fixed:    true,
	DataLoss: "the data on it",
	Out:      named,
	Check: func(args value.Struct) schema.Problems {
		p := &problemsOf{schema: diskSchema, args: args}
		p.text("name", resourceName)
		if sku, ok := p.get("sku").(string); ok && p.get("zone") != nil && redundant(sku) {
			p.ps = append(p.ps, &schema.Problem{Path: "zone", Msg: sku + " is in all zones"})
		}
		p.ps = append(p.ps, checkTags(p.get("tags"))...)
		return p.done()
	},
	Replaces: replacesDisk,
	Effect:   diskEffect,
	Outage:   diskOutage,
	Handler:  diskHandler{},
}

const diskType = "Microsoft.Compute/disks"

// onlineSize is the size in GiB up to which a disk grows while it is in use.
const onlineSize = 4095

// redundant reports whether a disk of a sku is in several zones.
func redundant(sku string) bool { return strings.HasSuffix(sku, "_ZRS") }

// replacesDisk reports that a disk would have to shrink, or be in other zones.
func replacesDisk(_ *resource.Object, _ value.Struct, c schema.Change) bool {
	switch c.Field.Name {
	case "size_gb":
		before, ok := value.Reveal(c.Before).(int64)
		after, known := value.Reveal(c.After).(int64)
		return ok && known && after < before
	case "sku":
		return redundant(asText(c.Before)) != redundant(asText(c.After))
	}
	return false
}

// liveDisk is a disk with what is read of the machine that has it.
type liveDisk struct {
	disk    *armcompute.Disk
	machine string // its live ID, "" where none has it
	name    string
	runs    bool
	cycled  bool // it was off while the disk changed
}

// diskOutage implements [resource.Kind.Outage].
func diskOutage(live *resource.Object, _ value.Struct, changes []schema.Change) *resource.Outage {
	d := liveDiskOf(live)
	for _, c := range changes {
		size, _ := value.Reveal(c.After).(int64)
		if d.machine != "" && (c.Field.Name == "sku" || c.Field.Name == "size_gb" && size > onlineSize) {
			return &resource.Outage{Machine: d.machine, Begins: d.runs, Ends: d.runs}
		}
	}
	return nil
}

func diskEffect(live *resource.Object, args value.Struct, changes []schema.Change, _ bool) string {
	if out := diskOutage(live, args, changes); out != nil && out.Begins {
		return resource.Interrupted + " a minute or two: machine " + liveDiskOf(live).name + " is off while its disk changes"
	}
	return "in place"
}

// liveDiskOf is the live disk that an object is.
func liveDiskOf(o *resource.Object) liveDisk {
	d, _ := armOf(o).(*liveDisk)
	return val(d)
}

// isDataDisk reports whether a disk stands for itself: one that was made with a
// machine has the machine's tags, and its mark.
func isDataDisk(d *armcompute.Disk) bool {
	mark, _ := resource.ReadMark(unpack(d.Tags))
	if mark.Project != "" {
		return mark.Address.Kind() == DiskKind.Name
	}
	return d.Properties == nil || d.Properties.OSType == nil
}

// diskObject is a disk as the planner sees it. l is nil where nothing else was read.
func (c *Conn) diskObject(l *live, d *armcompute.Disk) *resource.Object {
	p, read := val(d.Properties), &liveDisk{disk: d}
	o := c.object(DiskKind, text(d.ID), text(p.UniqueID), text(d.Name), d.Tags, read)
	spec := &DiskSpec{Name: o.Name, SizeGB: int(val(p.DiskSizeGB)), Tags: o.Native.(*native).tags}
	if d.SKU != nil {
		spec.SKU = text(d.SKU.Name)
	}
	if len(d.Zones) > 0 {
		spec.Zone = d.Zones[0]
	}
	if at, err := ParseID(text(d.ManagedBy)); err == nil && l != nil {
		id := strings.ToLower(text(d.ManagedBy))
		read.machine, read.name, read.runs = l.machineID(id), at.Name, isOn(powerState(l.views[id]))
	}
	o.Args = diskSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

type diskHandler struct{}

// Create implements [resource.Handler].
func (diskHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[DiskSpec](ctx, rc, r, diskSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.disks.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	d := armcompute.Disk{
		Location: &c.cfg.Location, Tags: tagsFor(r, nil, spec.Tags, nil), SKU: &armcompute.DiskSKU{Name: ptr(armcompute.DiskStorageAccountTypes(spec.SKU))},
		Properties: &armcompute.DiskProperties{DiskSizeGB: ptr(int32(spec.SizeGB)), CreationData: &armcompute.CreationData{CreateOption: ptr(armcompute.DiskCreateOptionEmpty)}},
	}
	if spec.Zone == nil && !redundant(spec.SKU) {
		spec.Zone = c.chosenDiskZone(spec.Name)
	}
	if spec.Zone != nil {
		d.Zones = []*string{spec.Zone}
	}
	poller, err := cl.disks.BeginCreateOrUpdate(telling(ctx, toProgress(r)), c.Group(), spec.Name, d, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.diskObject(nil, &got.Disk), nil
}

// Update implements [resource.Handler]. Some changes need the machine that has it to
// be off, which is then started again.
func (diskHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[DiskSpec](ctx, rc, r, diskSchema)
	if err != nil {
		return nil, err
	}
	var was DiskSpec
	if err := diskSchema.Decode(r.Live.Args, &was); err != nil {
		return nil, err
	}
	ctx = telling(ctx, toProgress(r))
	now, err := cl.disks.Get(ctx, c.Group(), r.Live.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	change := armcompute.DiskUpdate{Tags: tagsFor(r, now.Tags, spec.Tags, nil), Properties: &armcompute.DiskUpdateProperties{}}
	if spec.SizeGB != was.SizeGB {
		change.Properties.DiskSizeGB = ptr(int32(spec.SizeGB))
	}
	if spec.SKU != was.SKU {
		change.SKU = &armcompute.DiskSKU{Name: ptr(armcompute.DiskStorageAccountTypes(spec.SKU))}
	}
	write := func() error {
		poller, err := cl.disks.BeginUpdate(ctx, c.Group(), r.Live.Name, change, nil)
		_, err = finish(ctx, poller, err)
		return err
	}
	cycled := false
	if change.SKU != nil || spec.SizeGB > onlineSize && change.Properties.DiskSizeGB != nil {
		cycled, err = c.whileOff(ctx, cl, text(now.ManagedBy), write)
	} else {
		err = write()
	}
	if err != nil {
		return nil, err
	}
	if now, err = cl.disks.Get(ctx, c.Group(), r.Live.Name, nil); err != nil {
		return nil, explain(err)
	}
	o := c.diskObject(nil, &now.Disk)
	o.Native.(*native).arm.(*liveDisk).cycled = cycled
	return o, nil
}

// whileOff does something while a machine is off, and starts it again if it ran, which
// is reported.
func (c *Conn) whileOff(ctx context.Context, cl *clients, machine string, do func() error) (ran bool, err error) {
	id, err := ParseID(machine)
	if err != nil {
		return false, do() // of none
	}
	view, err := cl.vms.InstanceView(ctx, id.Group, id.Name, nil)
	if err != nil {
		return false, explain(err)
	}
	if !isOn(powerState(&view.VirtualMachineInstanceView)) {
		return false, do()
	}
	tell(ctx, fmt.Sprintf("machine %s is deallocated for it", id.Name))
	if err := stop(ctx, cl, id.Group, id.Name); err != nil {
		return true, err
	}
	failed := do()
	tell(ctx, fmt.Sprintf("machine %s boots", id.Name))
	if err := start(ctx, cl, id.Group, id.Name); err != nil && failed == nil {
		failed = err
	}
	return true, failed
}

// Settle implements [resource.Settler]: a machine that was off while its disk changed
// can be worked on again.
func (diskHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	d := liveDiskOf(o)
	if !d.cycled || noMachines() {
		return nil
	}
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	id, err := ParseID(text(d.disk.ManagedBy))
	if err != nil || !strings.EqualFold(id.Group, c.Group()) {
		return err
	}
	machine, err := c.readVM(ctx, cl, id.Name)
	if err != nil {
		return err
	}
	return answers(ctx, rc, r, machine)
}

// Delete implements [resource.Handler].
func (diskHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.disks.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}
