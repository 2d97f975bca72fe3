package azure

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// readVM reads one machine, with its addresses.
func (c *Conn) readVM(ctx context.Context, cl *clients, name string) (*resource.Object, error) {
	got, err := cl.vms.Get(ctx, c.Group(), name, &armcompute.VirtualMachinesClientGetOptions{Expand: ptr(armcompute.InstanceViewTypesInstanceView)})
	if err != nil {
		return nil, explain(err)
	}
	l := &live{}
	if id, err := ParseID(nicID(&got.VirtualMachine)); err == nil {
		nic, err := cl.nics.Get(ctx, id.Group, id.Name, nil)
		if err != nil {
			return nil, explain(err)
		}
		l.nics = append(l.nics, &nic.Interface)
		if at := firstConfig(&nic.Interface).PublicIPAddress; at != nil {
			if id, err := ParseID(text(at.ID)); err == nil {
				ip, err := cl.ips.Get(ctx, id.Group, id.Name, nil)
				if err != nil {
					return nil, explain(err)
				}
				l.ips = []*armnetwork.PublicIPAddress{&ip.PublicIPAddress}
			}
		}
	}
	return c.vmObject(cl, l, &got.VirtualMachine), nil
}

// machineIn is the live machine that an object is.
func machineIn(o *resource.Object) (*native, *machine, error) {
	n, err := nativeOf(o)
	if err != nil {
		return nil, nil, err
	}
	m, ok := n.arm.(*machine)
	if !ok {
		return nil, nil, fmt.Errorf("%s: not observed as a machine in Azure", o.Name)
	}
	return n, m, nil
}

// noMachines reports whether an Azure only says that there are machines: nothing is
// behind them that could answer, as if they were off.
func noMachines() bool {
	return os.Getenv(EndpointVariable) != "" && os.Getenv(MachinesVariable) == "none"
}

// Open implements [resource.Opener]: the machine over SSH. Its host key is known by
// its tag.
func (vmHandler) Open(_ context.Context, _ resource.Conn, o *resource.Object) (resource.Conn, error) {
	n, m, err := machineIn(o)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Unsettled == creating:
		return nil, fmt.Errorf("%s %w yet: Azure is creating it", o.Name, resource.ErrOff)
	case o.Unsettled == unmade:
		return nil, fmt.Errorf("%s %w: %s", o.Name, resource.ErrOff, unmade)
	case o.Unsettled == deleting:
		return nil, fmt.Errorf("%s %w for long: Azure is deleting it", o.Name, resource.ErrOff)
	case !m.runs() || noMachines():
		return nil, fmt.Errorf("%s %w", o.Name, resource.ErrOff)
	}
	address := cmp.Or(m.publicIP, m.privateIP)
	if address == "" {
		return nil, fmt.Errorf("machine %s has no address yet, so it is %w", o.Name, resource.ErrUnreachable)
	}
	var user string
	var keys []string
	if m.vm.Properties != nil && m.vm.Properties.OSProfile != nil {
		user, keys = text(m.vm.Properties.OSProfile.AdminUsername), publicKeys(m.vm.Properties.OSProfile)
	}
	to := remote.Machine{Address: address, Port: 22, User: user, KeyFile: ownKeyOf(keys), Jump: "none"}
	if k := n.own[tagHostKey]; k != "" {
		to.HostKeys = []string{k}
	}
	return host.Connect(to), nil
}

// Settle implements [resource.Settler]: a machine that was made or started can be
// worked on once Azure is done with it, it lets us in, and its first boot is over.
func (vmHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	var spec VMSpec
	if err := vmSchema.Decode(r.Args, &spec); err != nil || !spec.Running {
		return err
	}
	if err = c.taken(ctx, cl, r, o); err != nil {
		return err
	}
	if r.Live != nil && r.Live.ID == o.ID && wasUp(r.Live) && !bootedAnew(r.Live, o) {
		return nil // nobody has started it
	}
	if noMachines() {
		return nil
	}
	return answers(ctx, rc, r, o)
}

// answers ends when a machine lets us in, and its first boot is over.
func answers(ctx context.Context, rc resource.Conn, r *resource.Request, machine *resource.Object) error {
	conn, err := vmHandler{}.Open(ctx, rc, machine)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.(*host.Conn).MadeReady(ctx, r)
}

// taken waits for a machine that an earlier run asked for, and that Azure is still
// at. What it has become is written to o.
func (c *Conn) taken(ctx context.Context, cl *clients, r *resource.Request, o *resource.Object) error {
	was := o.Unsettled
	if was != "" && !o.Stuck {
		toProgress(r)("Azure is " + o.Unsettled + " it")
		now, err := c.made(ctx, cl, o.Name, operation{every: pollEvery})
		if ctx.Err() != nil {
			return &resource.NotConverged{Address: r.Address, Summary: "is not made yet", Detail: "Azure is still " + o.Unsettled + " it"}
		}
		if err != nil {
			return err
		}
		*o = *now
	}
	switch {
	case o.Stuck && was == creating:
		return c.unmake(ctx, cl, r, o.Name, nil)
	case o.Stuck:
		return &resource.NotConverged{Address: r.Address, Summary: "was not changed", Detail: "Azure says that " + o.Unsettled + "; az vm get-instance-view --name " + o.Name + " --resource-group " + c.Group() + " says why"}
	}
	return nil
}

// bootedAnew reports whether what was changed of a machine made it boot.
func bootedAnew(before, now *resource.Object) bool {
	disk, _ := vmSchema.Field("os_disk_size")
	return before.Out["size"] != now.Out["size"] || before.Args[disk.Index] != now.Args[disk.Index]
}

// wasUp reports whether a machine ran when it was observed.
func wasUp(o *resource.Object) bool {
	_, m, err := machineIn(o)
	return err == nil && m.runs() && o.Unsettled == ""
}
