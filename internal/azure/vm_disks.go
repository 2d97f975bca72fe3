package azure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// DataDisk is a disk that a machine has beside its own.
type DataDisk struct {
	Disk    string `star:"disk,required,pos,short,key" ref:"disk.name" doc:"The disk, or its name or ID."`
	LUN     *int   `star:"lun" min:"0" max:"63" doc:"Its number on the machine, where it is /dev/disk/azure/scsi1/lunN or /dev/disk/azure/data/by-lun/N; the first that is free if left out."`
	Caching string `star:"caching" default:"None" enum:"None,ReadOnly,ReadWrite" doc:"What the machine's hardware keeps of it."`
}

// SchemaName implements [schema.Named].
func (*DataDisk) SchemaName() (string, string) {
	return "data_disk", "A disk that a machine in Azure has beside its own."
}

// maxLUN is the highest number of a data disk.
const maxLUN = 63

// readDisks are the data disks of a machine.
func (p place) readDisks(s *armcompute.StorageProfile) (out []DataDisk, ids []string) {
	if s == nil {
		return nil, nil
	}
	for _, d := range s.DataDisks {
		if d.ManagedDisk == nil || val(d.ToBeDetached) {
			continue
		}
		lun := int(val(d.Lun))
		out = append(out, DataDisk{Disk: p.short(text(d.ManagedDisk.ID)), LUN: &lun, Caching: text(d.Caching)})
		ids = append(ids, text(d.ManagedDisk.ID))
	}
	return out, ids
}

// armDisks are the data disks of a machine as Azure takes them. One without a number
// keeps the one that it had, or gets the first that is free.
func (p place) armDisks(want, had []DataDisk) []*armcompute.DataDisk {
	taken := map[int]bool{}
	luns := make([]int, len(want))
	choose := func(i, lun int) { luns[i], taken[lun] = lun, true }
	for i, d := range want {
		luns[i] = -1
		if d.LUN != nil {
			choose(i, *d.LUN)
		}
	}
	for i, d := range want {
		at := p.diskIn(had, d.Disk)
		if luns[i] < 0 && at >= 0 && had[at].LUN != nil && !taken[*had[at].LUN] {
			choose(i, *had[at].LUN)
		}
	}
	out := []*armcompute.DataDisk{} // never nil: an empty list takes away those that there are
	for i, d := range want {
		for lun := 0; luns[i] < 0 && lun <= maxLUN; lun++ {
			if !taken[lun] {
				choose(i, lun)
			}
		}
		out = append(out, &armcompute.DataDisk{
			Lun: ptr(int32(luns[i])), CreateOption: ptr(armcompute.DiskCreateOptionTypesAttach), DeleteOption: ptr(armcompute.DiskDeleteOptionTypesDetach),
			Caching: ptr(armcompute.CachingTypes(d.Caching)), ManagedDisk: &armcompute.ManagedDiskParameters{ID: ptr(p.full(diskType, d.Disk))},
		})
	}
	return out
}

// diskIn is where a disk is in a list, -1 where it is not.
func (p place) diskIn(list []DataDisk, disk string) int {
	return slices.IndexFunc(list, func(d DataDisk) bool { return p.same(d.Disk, disk) })
}

// sameDisks reports that a machine has the disks that a script says, where it calls
// them otherwise: by their IDs.
func sameDisks(live *resource.Object, args value.Struct) bool {
	n, ok := live.Native.(*native)
	var want, is VMSpec
	if !ok || vmSchema.Decode(args, &want) != nil || vmSchema.Decode(live.Args, &is) != nil {
		return false
	}
	if want.DataDisks == nil { // they are nobody's but others'
		return true
	}
	disks, has := *want.DataDisks, val(is.DataDisks)
	if len(disks) != len(has) {
		return false
	}
	at := n.place()
	for _, d := range disks {
		i := at.diskIn(has, d.Disk)
		if i < 0 || d.Caching != has[i].Caching || d.LUN != nil && *d.LUN != val(has[i].LUN) {
			return false
		}
	}
	return true
}

// lostDisks says which disks a machine that runs is without, for a moment or for good:
// Azure detaches one also to give it another number or caching.
func lostDisks(live *resource.Object, args value.Struct) (out []string) {
	n, ok := live.Native.(*native)
	var want, has VMSpec
	if !ok || vmSchema.Decode(args, &want) != nil || vmSchema.Decode(live.Args, &has) != nil || !has.Running {
		return nil // nothing is mounted, or not all is known yet
	}
	at, disks := n.place(), val(want.DataDisks)
	for _, d := range val(has.DataDisks) {
		goes := "is detached"
		if i := at.diskIn(disks, d.Disk); i >= 0 {
			if w := disks[i]; w.Caching == d.Caching && (w.LUN == nil || *w.LUN == val(d.LUN)) {
				continue
			}
			goes = "is detached, and attached again"
		}
		out = append(out, "disk "+d.Disk+" "+goes+": unmount it first, or what runs there loses what is mounted from it")
	}
	return out
}

// checkDisks finds disks that are said twice, and numbers that several have.
func checkDisks(p *problemsOf) {
	list, _ := p.get("data_disks").(value.List)
	lun, _ := schema.Of(DataDisk{}).Field("lun")
	taken, named := map[int64]bool{}, map[string]bool{"": false}
	for i, e := range list {
		d, _ := value.Reveal(e).(value.Struct)
		if d == nil {
			continue // not known yet
		}
		name := diskName(e)
		if named[name] {
			p.ps = append(p.ps, &schema.Problem{Path: fmt.Sprintf("data_disks[%d]", i), Msg: name + " is said twice"})
		}
		named[name] = name != ""
		if n, ok := value.Reveal(d[lun.Index]).(int64); ok {
			if taken[n] {
				p.ps = append(p.ps, &schema.Problem{Path: fmt.Sprintf("data_disks[%d].lun", i), Msg: fmt.Sprintf("%d is another disk's too", n)})
			}
			taken[n] = true
		}
	}
}

// attach gives a machine other data disks in place. What goes, goes first: another
// machine may wait for it; and a disk gets another number by going and coming.
func (c *Conn) attach(ctx context.Context, cl *clients, r *resource.Request, want, had []DataDisk) error {
	at := c.place(cl)
	write := func(list []*armcompute.DataDisk) error {
		poller, err := cl.vms.BeginUpdate(ctx, c.Group(), r.Live.Name, armcompute.VirtualMachineUpdate{
			Properties: &armcompute.VirtualMachineProperties{StorageProfile: &armcompute.StorageProfile{DataDisks: list}},
		}, nil)
		_, err = finish(ctx, poller, err)
		return err
	}
	goal := at.armDisks(want, had)
	var stay []DataDisk
	for _, d := range had {
		i := at.diskIn(want, d.Disk)
		if i >= 0 && int(*goal[i].Lun) == val(d.LUN) {
			stay = append(stay, d)
		}
	}
	if len(stay) < len(had) {
		tell(ctx, "lets go of disks")
		if err := write(at.armDisks(stay, stay)); err != nil {
			return err
		}
	}
	for _, d := range want {
		if at.diskIn(had, d.Disk) < 0 {
			if err := c.freed(ctx, cl, r, at.full(diskType, d.Disk)); err != nil {
				return err
			}
		}
	}
	return write(goal)
}

// freed waits for a disk that another machine has and lets go of in this very run. One
// that stays where it is Azure refuses.
func (c *Conn) freed(ctx context.Context, cl *clients, r *resource.Request, disk string) error {
	id, err := ParseID(disk)
	if err != nil {
		return err
	}
	_, err = await(ctx, r, func() (string, error) {
		got, err := cl.disks.Get(ctx, id.Group, id.Name, nil)
		owner := text(got.ManagedBy)
		if err != nil || owner == "" {
			return "", explain(err)
		}
		return fmt.Sprintf("disk %s, which %s has", id.Name, owner[strings.LastIndexByte(owner, '/')+1:]), nil
	})
	return err
}
