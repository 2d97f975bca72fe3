package azure

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// alteration is an update of a machine, and how far it got.
type alteration struct {
	spec, was VMSpec
	size      string // the one that it gets, "" where it keeps its own
	runs      bool
	resized   bool // it may have that size
}

// takeBack starts a machine again that an update switched off and then failed, with
// the size that it had: it ran before, and shall go on.
func (c *Conn) takeBack(ctx context.Context, cl *clients, name string, a *alteration, failed error) error {
	if a.runs || !a.was.Running || !a.spec.Running || ctx.Err() != nil {
		return failed
	}
	tell(ctx, "boots as it was: its change failed")
	var err error
	if a.resized && val(a.was.Size) != "" {
		poller, begun := cl.vms.BeginUpdate(ctx, c.Group(), name, armcompute.VirtualMachineUpdate{
			Properties: &armcompute.VirtualMachineProperties{HardwareProfile: sized(*a.was.Size)},
		}, nil)
		_, err = finish(ctx, poller, begun)
	}
	if started := start(ctx, cl, c.Group(), name); started != nil {
		return fmt.Errorf("%w; and it is off: it could not be started again: %w", failed, errors.Join(err, started))
	}
	return failed
}

func sized(size string) *armcompute.HardwareProfile {
	return &armcompute.HardwareProfile{VMSize: ptr(armcompute.VirtualMachineSizeTypes(size))}
}

// modify changes a machine. Some sizes are only to be had on other hardware, where a
// machine can go that is off: then it is deallocated, which is reported.
func modify(ctx context.Context, cl *clients, group, name string, change armcompute.VirtualMachineUpdate, a *alteration) error {
	poller, err := cl.vms.BeginUpdate(ctx, group, name, change, nil)
	_, err = finish(ctx, poller, err)
	a.resized = a.size != ""
	if !a.runs || !a.resized || !isElsewhere(err) {
		return err
	}
	tell(ctx, "is deallocated: its size is to be had on other hardware")
	if err := stop(ctx, cl, group, name); err != nil {
		return err
	}
	a.runs = false
	poller, err = cl.vms.BeginUpdate(ctx, group, name, change, nil)
	_, err = finish(ctx, poller, err)
	return err
}

// isElsewhere reports whether an error says that a machine cannot have a size where it
// runs. OperationNotAllowed is the code of a quota too, which is the same everywhere.
func isElsewhere(err error) bool {
	var f *Failure
	if !errors.As(err, &f) || isQuota(f.Code, f.Message) {
		return false
	}
	return f.Code == "OperationNotAllowed" || f.Code == "AllocationFailed" || f.Code == "OverconstrainedAllocationRequest"
}

func start(ctx context.Context, cl *clients, group, name string) error {
	poller, err := cl.vms.BeginStart(ctx, group, name, nil)
	_, err = finish(ctx, poller, err)
	return err
}
