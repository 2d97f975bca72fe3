package azure

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// vmHandler acts on machines.
type vmHandler struct{}

// Create implements [resource.Handler]. It is one request: a crash after it leaves a
// machine that is ours, which the next run waits for. One that Azure fails to make goes
// again.
func (vmHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[VMSpec](ctx, rc, r, vmSchema)
	if err != nil {
		return nil, err
	}
	ctx = telling(ctx, toProgress(r))
	vm, err := c.draft(ctx, cl, r, spec)
	if err != nil {
		return nil, err
	}
	for _, d := range vm.Properties.StorageProfile.DataDisks {
		if err := c.freed(ctx, cl, r, text(d.ManagedDisk.ID)); err != nil {
			return nil, err
		}
	}
	var answer *http.Response
	poller, err := cl.vms.BeginCreateOrUpdate(policy.WithCaptureResponse(ctx, &answer), c.Group(), spec.Name, vm, &armcompute.VirtualMachinesClientBeginCreateOrUpdateOptions{IfNoneMatch: ptr("*")})
	switch err = explain(err); {
	case errors.Is(err, resource.ErrConflict), isConcurrent(err):
		return nil, fmt.Errorf("%w: %w", resource.ErrExists, err)
	case err != nil:
		return nil, err
	}
	toProgress(r)("is made in Azure")
	waits(r)
	o, err := c.made(ctx, cl, spec.Name, operation{asked: operationOf(poller), every: interval(answer)})
	if err != nil && poller.Done() {
		return nil, c.unmake(ctx, cl, r, spec.Name, err)
	}
	if err != nil || spec.Running {
		return o, err
	}
	if err := goesOn(ctx, r); err != nil {
		return nil, err
	}
	if err := stop(ctx, cl, c.Group(), spec.Name); err != nil {
		return nil, err
	}
	return c.readVM(ctx, cl, spec.Name)
}

// isConcurrent reports whether Azure is at a machine of that name already: asked for by
// a run that ended, or by this one, whose question after it was not answered.
func isConcurrent(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Status == http.StatusConflict && f.Code == codeConcurrent
}

// draft is the request that makes a machine.
func (c *Conn) draft(ctx context.Context, cl *clients, r *resource.Request, spec VMSpec) (armcompute.VirtualMachine, error) {
	none := armcompute.VirtualMachine{}
	size, err := c.sizeOf(ctx, cl, spec)
	if err != nil {
		return none, err
	}
	image, err := c.pin(ctx, cl, spec.Image)
	if err != nil {
		return none, err
	}
	sold, err := c.soldUnder(ctx, cl, image)
	if err != nil {
		return none, err
	}
	key, err := newHostKey()
	if err != nil {
		return none, err
	}
	data, err := customData(key, val(spec.CustomData))
	if err != nil {
		return none, err
	}
	keys := []string{}
	if spec.SSHKeys != nil {
		for _, k := range *spec.SSHKeys {
			keys = append(keys, string(k))
		}
	} else if keys, err = loginKeys(); err != nil {
		return none, err
	}
	own := map[string]string{tagHostKey: key.public}
	if spec.CustomData != nil {
		own[tagCustomData] = hashData(*spec.CustomData, "")
	}
	vm := armcompute.VirtualMachine{
		Location: &c.cfg.Location,
		Tags:     tagsFor(r, nil, spec.Tags, own),
		Properties: &armcompute.VirtualMachineProperties{
			HardwareProfile:    &armcompute.HardwareProfile{VMSize: ptr(armcompute.VirtualMachineSizeTypes(size))},
			StorageProfile:     c.place(cl).storage(spec, image),
			OSProfile:          login(spec, keys, data),
			NetworkProfile:     c.network(cl, spec, r.Mark.Project),
			DiagnosticsProfile: &armcompute.DiagnosticsProfile{BootDiagnostics: &armcompute.BootDiagnostics{Enabled: &spec.BootDiagnostics}},
		},
	}
	if sold != nil {
		vm.Plan = &armcompute.Plan{Publisher: sold.Publisher, Product: sold.Product, Name: sold.Name}
	}
	if list := val(spec.Identity); len(list) > 0 {
		vm.Identity = identityOf(list)
	}
	if spec.AvailabilitySet != nil {
		vm.Properties.AvailabilitySet = &armcompute.SubResource{ID: ptr(c.place(cl).full(availabilitySetType, *spec.AvailabilitySet))}
	} else if zone := cmp.Or(val(spec.Zone), c.chosenZone(spec.Name)); zone != "" {
		vm.Zones = []*string{&zone}
	}
	if spec.Spot {
		vm.Properties.Priority = ptr(armcompute.VirtualMachinePriorityTypesSpot)
		vm.Properties.EvictionPolicy = ptr(armcompute.VirtualMachineEvictionPolicyTypesDeallocate)
		vm.Properties.BillingProfile = &armcompute.BillingProfile{MaxPrice: ptr(-1.0)} // up to what it costs otherwise
	}
	return vm, nil
}

// sizeOf is the size that a script says, or the smallest that has what it wants.
func (c *Conn) sizeOf(ctx context.Context, cl *clients, spec VMSpec) (string, error) {
	if spec.Size != nil {
		return *spec.Size, nil
	}
	list, err := c.sizes(ctx, cl)
	if err != nil {
		return "", err
	}
	return c.smallest(list, spec, "")
}

// smallest is the smallest size that has what a script wants, and that a machine can
// be given that has another one now.
func (c *Conn) smallest(list []sku, spec VMSpec, now string) (string, error) {
	w := want{cpus: val(spec.CPUs), memory: int64(val(spec.Memory)), zone: val(spec.Zone), disks: len(val(spec.DataDisks)), fast: val(spec.Accelerated) || c.isFast(val(spec.Interface)), spot: spec.Spot}
	if s, ok := findSize(list, now); ok {
		w.like = &s
	}
	s, ok := choose(list, w)
	if !ok {
		return "", fmt.Errorf("%s", noSize(w, c.cfg.Location))
	}
	return s.name, nil
}

func noSize(w want, location string) string {
	var parts []string
	if w.cpus > 0 {
		parts = append(parts, fmt.Sprintf("%d CPUs", w.cpus))
	}
	if w.memory > 0 {
		parts = append(parts, fmt.Sprintf("%.1f GiB of memory", float64(w.memory)/(1<<30)))
	}
	s := "no size of " + location + " has " + strings.Join(parts, " and ")
	if w.zone != "" {
		s += " in zone " + w.zone
	}
	return s + "; az vm list-skus shows what there is, size = takes any"
}

func (p place) storage(spec VMSpec, image Image) *armcompute.StorageProfile {
	disk := &armcompute.OSDisk{
		CreateOption: ptr(armcompute.DiskCreateOptionTypesFromImage),
		DeleteOption: ptr(armcompute.DiskDeleteOptionTypesDelete),
		ManagedDisk:  &armcompute.ManagedDiskParameters{StorageAccountType: ptr(armcompute.StorageAccountTypes(cmp.Or(val(spec.DiskType), "StandardSSD_LRS")))},
	}
	if spec.DiskSize != nil {
		disk.DiskSizeGB = ptr(int32(*spec.DiskSize >> 30))
	}
	return &armcompute.StorageProfile{ImageReference: image.arm(), OSDisk: disk, DataDisks: p.armDisks(val(spec.DataDisks), nil)}
}

func login(spec VMSpec, keys []string, data []byte) *armcompute.OSProfile {
	os := &armcompute.OSProfile{
		ComputerName: &spec.Name, AdminUsername: &spec.User, CustomData: ptr(base64.StdEncoding.EncodeToString(data)),
		LinuxConfiguration: &armcompute.LinuxConfiguration{DisablePasswordAuthentication: ptr(true), SSH: &armcompute.SSHConfiguration{}},
	}
	for _, k := range keys {
		os.LinuxConfiguration.SSH.PublicKeys = append(os.LinuxConfiguration.SSH.PublicKeys,
			&armcompute.SSHPublicKey{Path: ptr("/home/" + spec.User + "/.ssh/authorized_keys"), KeyData: ptr(k)})
	}
	return os
}

// network is the interface that the script declares, or one that comes and goes with
// the machine.
func (c *Conn) network(cl *clients, spec VMSpec, project string) *armcompute.NetworkProfile {
	at := c.place(cl)
	if spec.Interface != nil {
		return &armcompute.NetworkProfile{NetworkInterfaces: []*armcompute.NetworkInterfaceReference{{
			ID:         ptr(at.full(interfaceType, *spec.Interface)),
			Properties: &armcompute.NetworkInterfaceReferenceProperties{Primary: ptr(true), DeleteOption: ptr(armcompute.DeleteOptionsDetach)},
		}}}
	}
	part := partTags(spec, project)
	ip := &armcompute.VirtualMachineNetworkInterfaceIPConfigurationProperties{
		Primary: ptr(true),
		Subnet:  &armcompute.SubResource{ID: ptr(at.subnetID(val(spec.VirtualNetwork), cmp.Or(val(spec.Subnet), defaultSubnet)))},

		LoadBalancerBackendAddressPools: c.poolsOf(spec.Name),
	}
	if spec.PublicIP == nil || *spec.PublicIP {
		ip.PublicIPAddressConfiguration = &armcompute.VirtualMachinePublicIPAddressConfiguration{
			Name: ptr(spec.Name + "-ip"), Tags: maps.Clone(part),
			SKU: &armcompute.PublicIPAddressSKU{Name: ptr(armcompute.PublicIPAddressSKUNameStandard)},
			Properties: &armcompute.VirtualMachinePublicIPAddressConfigurationProperties{
				DeleteOption: ptr(armcompute.DeleteOptionsDelete), PublicIPAllocationMethod: ptr(armcompute.PublicIPAllocationMethodStatic),
			},
		}
	}
	nic := &armcompute.VirtualMachineNetworkInterfaceConfigurationProperties{
		Primary: ptr(true), DeleteOption: ptr(armcompute.DeleteOptionsDelete), EnableAcceleratedNetworking: ptr(val(spec.Accelerated)),
		IPConfigurations: []*armcompute.VirtualMachineNetworkInterfaceIPConfiguration{{Name: ptr("main"), Properties: ip}},
	}
	if group := val(spec.SecurityGroup); group != "" {
		nic.NetworkSecurityGroup = &armcompute.SubResource{ID: ptr(at.full(securityGroupType, group))}
	}
	return &armcompute.NetworkProfile{
		NetworkAPIVersion:              ptr(armcompute.NetworkAPIVersionTwoThousandTwenty1101),
		NetworkInterfaceConfigurations: []*armcompute.VirtualMachineNetworkInterfaceConfiguration{{Name: ptr(spec.Name + "-nic"), Tags: part, Properties: nic}},
	}
}

// partTags are the tags of what comes and goes with a machine: its own too.
func partTags(spec VMSpec, project string) map[string]*string {
	labels := map[string]string{}
	maps.Copy(labels, spec.Tags)
	labels[resource.LabelProject], labels[tagPart] = project, spec.Name
	return pack(labels)
}

// Update implements [resource.Handler].
func (vmHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return nil, err
	}
	_, m, err := machineIn(r.Live)
	if err != nil {
		return nil, err
	}
	var spec, was VMSpec
	if err := errors.Join(vmSchema.Decode(r.Args, &spec), vmSchema.Decode(r.Live.Args, &was)); err != nil {
		return nil, err
	}
	ctx = telling(ctx, toProgress(r))
	name := r.Live.Name
	size, err := c.resized(ctx, cl, spec, was)
	if err != nil {
		return nil, err
	}
	a := &alteration{spec: spec, was: was, size: size, runs: was.Running}
	if err := c.alter(ctx, cl, r, a); err != nil {
		return nil, c.takeBack(ctx, cl, name, a, err)
	}
	if spec.SecurityGroup != nil {
		if err := c.guard(ctx, cl, m, *spec.SecurityGroup); err != nil {
			return nil, err
		}
	}
	if tags := ownTags(was.Tags, r.Live.Mark); !maps.Equal(tags, spec.Tags) {
		if err := c.retag(ctx, cl, m, tags, spec.Tags); err != nil {
			return nil, err
		}
	}
	return c.readVM(ctx, cl, name)
}

// alter does what an update asks for, and leaves the machine on or off as it is to be.
func (c *Conn) alter(ctx context.Context, cl *clients, r *resource.Request, a *alteration) error {
	n, _, err := machineIn(r.Live)
	if err != nil {
		return err
	}
	spec, was, size := a.spec, a.was, a.size
	name, group := r.Live.Name, c.Group()
	grows := spec.DiskSize != nil && val(was.DiskSize) != *spec.DiskSize
	if a.runs && (!spec.Running || grows) {
		toProgress(r)("is deallocated")
		if err := stop(ctx, cl, group, name); err != nil {
			return err
		}
		a.runs = false
	}
	change := armcompute.VirtualMachineUpdate{Tags: tagsFor(r, nil, spec.Tags, n.own), Properties: &armcompute.VirtualMachineProperties{
		DiagnosticsProfile: &armcompute.DiagnosticsProfile{BootDiagnostics: &armcompute.BootDiagnostics{Enabled: &spec.BootDiagnostics}},
	}}
	if size != "" {
		change.Properties.HardwareProfile = sized(size)
	}
	if !sameIdentity(r.Live, r.Args) {
		change.Identity = identityNow(*spec.Identity, val(was.Identity))
	}
	if grows {
		if err := c.grow(ctx, cl, n, spec); err != nil {
			return err
		}
	}
	if err := modify(ctx, cl, group, name, change, a); err != nil {
		return err
	}
	if !sameDisks(r.Live, r.Args) {
		if err := c.attach(ctx, cl, r, *spec.DataDisks, val(was.DataDisks)); err != nil {
			return err
		}
	}
	if !spec.Running || a.runs {
		return nil
	}
	toProgress(r)("boots")
	if err := start(ctx, cl, group, name); err != nil {
		return err
	}
	a.runs = true
	return nil
}

// resized is the size that a machine gets, "" where it keeps its own.
func (c *Conn) resized(ctx context.Context, cl *clients, spec, was VMSpec) (string, error) {
	if spec.Size != nil {
		if strings.EqualFold(*spec.Size, val(was.Size)) {
			return "", nil
		}
		return *spec.Size, nil
	}
	if val(was.CPUs) >= val(spec.CPUs) && val(was.Memory) >= val(spec.Memory) {
		return "", nil
	}
	spec.Zone, spec.DataDisks = was.Zone, cmp.Or(spec.DataDisks, was.DataDisks)
	list, err := c.sizes(ctx, cl)
	if err != nil {
		return "", err
	}
	return c.smallest(list, spec, val(was.Size))
}

func stop(ctx context.Context, cl *clients, group, name string) error {
	poller, err := cl.vms.BeginDeallocate(ctx, group, name, nil)
	_, err = finish(ctx, poller, err)
	return err
}

// grow gives a machine that is off a larger disk.
func (c *Conn) grow(ctx context.Context, cl *clients, n *native, spec VMSpec) error {
	m, ok := n.arm.(*machine)
	if !ok || osDiskID(m.vm) == "" {
		return fmt.Errorf("machine %s has no managed disk that could grow", spec.Name)
	}
	id, err := ParseID(osDiskID(m.vm))
	if err != nil {
		return err
	}
	poller, err := cl.disks.BeginUpdate(ctx, id.Group, id.Name, armcompute.DiskUpdate{Properties: &armcompute.DiskUpdateProperties{DiskSizeGB: ptr(int32(*spec.DiskSize >> 30))}}, nil)
	_, err = finish(ctx, poller, err)
	return err
}

// Delete implements [resource.Handler]. What came with the machine goes with it.
func (vmHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	toProgress(r)("is deleted, with its disk and its addresses")
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, _, name string) error {
		return rc.(*Conn).removeVM(ctx, cl, r, name)
	})
}
