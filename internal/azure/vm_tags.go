package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// retag gives what comes and goes with a machine the tags that the machine has now:
// its interface, its public address, its disk. What others put there stays.
func (c *Conn) retag(ctx context.Context, cl *clients, m *machine, was, now map[string]string) error {
	change := func(tags map[string]*string) map[string]*string { return retagged(tags, sorted(was), pack(now)) }
	if m.nic != nil && m.nic.Tags[tagPart] != nil {
		if err := c.retagInterface(ctx, cl, m.nic, change); err != nil {
			return err
		}
	}
	id, err := ParseID(osDiskID(m.vm))
	if err != nil {
		return nil // no managed disk
	}
	disk, err := cl.disks.Get(ctx, id.Group, id.Name, nil)
	if err != nil || disk.Tags == nil {
		return explain(err)
	}
	poller, err := cl.disks.BeginUpdate(ctx, id.Group, id.Name, armcompute.DiskUpdate{Tags: change(disk.Tags)}, nil)
	_, err = finish(ctx, poller, err)
	return err
}

func (c *Conn) retagInterface(ctx context.Context, cl *clients, nic *armnetwork.Interface, change func(map[string]*string) map[string]*string) error {
	if _, err := cl.nics.UpdateTags(ctx, c.Group(), text(nic.Name), armnetwork.TagsObject{Tags: change(nic.Tags)}, nil); err != nil {
		return explain(err)
	}
	at := firstConfig(nic).PublicIPAddress
	if at == nil {
		return nil
	}
	id, err := ParseID(text(at.ID))
	if err != nil {
		return err
	}
	ip, err := cl.ips.Get(ctx, id.Group, id.Name, nil)
	if err != nil || ip.Tags[tagPart] == nil {
		return explain(err)
	}
	_, err = cl.ips.UpdateTags(ctx, id.Group, id.Name, armnetwork.TagsObject{Tags: change(ip.Tags)}, nil)
	return explain(err)
}

// osDiskID is the ID of a machine's own disk, "" where it is none that is managed.
func osDiskID(vm *armcompute.VirtualMachine) string {
	if p := vm.Properties; p != nil && p.StorageProfile != nil && p.StorageProfile.OSDisk != nil && p.StorageProfile.OSDisk.ManagedDisk != nil {
		return text(p.StorageProfile.OSDisk.ManagedDisk.ID)
	}
	return ""
}
