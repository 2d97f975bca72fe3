package azure

import (
	"cmp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// machine is a live machine with what is read of it elsewhere.
type machine struct {
	vm        *armcompute.VirtualMachine
	nic       *armnetwork.Interface // nil where it has none in the group
	publicIP  string
	privateIP string
	view      *armcompute.VirtualMachineInstanceView // nil where it is not told
}

// machineID is the live ID of a machine, by its lower-cased one in Azure.
func (l *live) machineID(id string) string {
	for _, vm := range l.vms {
		if strings.EqualFold(text(vm.ID), id) && vm.Properties != nil {
			return cmp.Or(text(vm.Properties.VMID), id)
		}
	}
	return id
}

// machineOf puts together what several lists tell of a machine.
func machineOf(l *live, vm *armcompute.VirtualMachine) *machine {
	m := &machine{vm: vm, view: cmp.Or(l.views[strings.ToLower(text(vm.ID))], val(vm.Properties).InstanceView)}
	id := nicID(vm)
	for _, n := range l.nics {
		if sameID(text(n.ID), id) {
			m.nic = n
		}
	}
	ip := firstConfig(m.nic)
	m.privateIP = text(ip.PrivateIPAddress)
	if ip.PublicIPAddress == nil {
		return m
	}
	for _, a := range l.ips {
		if sameID(text(a.ID), text(ip.PublicIPAddress.ID)) && a.Properties != nil {
			m.publicIP = text(a.Properties.IPAddress)
		}
	}
	return m
}

// nicID is the ID of a machine's first network interface.
func nicID(vm *armcompute.VirtualMachine) string {
	if vm.Properties == nil || vm.Properties.NetworkProfile == nil {
		return ""
	}
	first := ""
	for _, n := range vm.Properties.NetworkProfile.NetworkInterfaces {
		if first == "" || n.Properties != nil && val(n.Properties.Primary) {
			first = text(n.ID)
		}
	}
	return first
}

// runs reports whether a machine is on, or comes up. Of one that is being made
// nothing is known yet.
func (m *machine) runs() bool { return isOn(powerState(m.view)) }

// isOn reports whether a power state is that of a machine that is on, or comes up.
func isOn(power string) bool {
	switch power {
	case "deallocated", "deallocating", "stopped", "stopping":
		return false
	}
	return true
}

// vmObject is a machine as the planner sees it.
func (c *Conn) vmObject(cl *clients, l *live, vm *armcompute.VirtualMachine) *resource.Object {
	m, p := machineOf(l, vm), val(vm.Properties)
	o := c.object(VMKind, text(vm.ID), text(p.VMID), text(vm.Name), vm.Tags, m)
	n := o.Native.(*native)
	n.etag = text(vm.Etag)
	spec := &VMSpec{Name: o.Name, Running: m.runs(), Image: "", Tags: n.tags}
	if p.HardwareProfile != nil {
		spec.Size = ptr(text(p.HardwareProfile.VMSize))
		out(o, "size", *spec.Size)
	}
	c.readStorage(spec, p.StorageProfile)
	disks, ids := c.place(cl).readDisks(p.StorageProfile)
	if o.Uses = append(o.Uses, ids...); disks != nil {
		spec.DataDisks = &disks
	}
	readLogin(spec, p.OSProfile)
	c.readNetwork(cl, spec, o, m)
	if len(vm.Zones) > 0 {
		spec.Zone = vm.Zones[0]
		out(o, "zone", text(vm.Zones[0]))
	}
	if p.AvailabilitySet != nil {
		spec.AvailabilitySet = ptr(c.place(cl).short(text(p.AvailabilitySet.ID)))
		o.Uses = append(o.Uses, text(p.AvailabilitySet.ID))
	}
	if hash := n.own[tagCustomData]; hash != "" {
		spec.CustomData = &hash
	}
	spec.Spot = strings.EqualFold(text(p.Priority), string(armcompute.VirtualMachinePriorityTypesSpot))
	if d := p.DiagnosticsProfile; d != nil && d.BootDiagnostics != nil {
		spec.BootDiagnostics = val(d.BootDiagnostics.Enabled)
	}
	if identity := readIdentity(vm.Identity); identity != nil {
		spec.Identity = &identity
	}
	o.Args = vmSchema.Encode(spec)
	out(o, "user", spec.User)
	out(o, "hostname", o.Name)
	out(o, "host_key", n.own[tagHostKey])
	o.Out["port"] = int64(22)
	delete(o.Out, "name")
	if p.TimeCreated != nil {
		o.Created = *p.TimeCreated
	}
	settled(o, text(p.ProvisioningState))
	if o.Stuck && isUnmade(m.view) { // it is of no image, so it is made anew, or deleted
		image, _ := vmSchema.Field("image")
		o.Args[image.Index], o.Unsettled = "", unmade
	}
	return o
}

func (c *Conn) readStorage(spec *VMSpec, s *armcompute.StorageProfile) {
	if s == nil {
		return
	}
	spec.Image = Image(readImage(s.ImageReference))
	if s.OSDisk == nil {
		return
	}
	if gb := s.OSDisk.DiskSizeGB; gb != nil {
		spec.DiskSize = ptr(schema.Size(*gb) << 30)
	}
	if d := s.OSDisk.ManagedDisk; d != nil && d.StorageAccountType != nil {
		spec.DiskType = ptr(string(*d.StorageAccountType))
	}
}

func readLogin(spec *VMSpec, os *armcompute.OSProfile) {
	if os == nil {
		return
	}
	spec.User = text(os.AdminUsername)
	keys := []local.SSHKey{}
	for _, k := range publicKeys(os) {
		keys = append(keys, local.SSHKey(k))
	}
	spec.SSHKeys = &keys
}

// publicKeys are the lines of authorized_keys that a machine was made with.
func publicKeys(os *armcompute.OSProfile) []string {
	if os == nil || os.LinuxConfiguration == nil || os.LinuxConfiguration.SSH == nil {
		return nil
	}
	var out []string
	for _, k := range os.LinuxConfiguration.SSH.PublicKeys {
		out = append(out, strings.TrimSpace(text(k.KeyData)))
	}
	return out
}

func (c *Conn) readNetwork(cl *clients, spec *VMSpec, o *resource.Object, m *machine) {
	at, ip := c.place(cl), firstConfig(m.nic)
	if ip.Subnet != nil {
		network, subnet := at.splitSubnet(text(ip.Subnet.ID))
		spec.VirtualNetwork, spec.Subnet = &network, &subnet
		o.Uses = append(o.Uses, at.full(networkType, network))
	}
	spec.PublicIP = ptr(ip.PublicIPAddress != nil)
	if m.nic != nil && m.nic.Properties != nil {
		spec.SecurityGroup = ptr("")
		if g := m.nic.Properties.NetworkSecurityGroup; g != nil {
			*spec.SecurityGroup = at.short(text(g.ID))
			o.Uses = append(o.Uses, text(g.ID))
		}
		spec.Accelerated = ptr(val(m.nic.Properties.EnableAcceleratedNetworking))
		if unpack(m.nic.Tags)[tagPart] == "" { // one that stands for itself
			spec.Interface = ptr(at.short(text(m.nic.ID)))
			o.Uses = append(o.Uses, text(m.nic.ID))
		}
	}
	out(o, "private_ip", m.privateIP)
	out(o, "public_ip", cmp.Or(m.publicIP, m.privateIP))
	out(o, "address", cmp.Or(m.publicIP, m.privateIP))
}

// ownIdentity is what a script calls the identity that a machine has by itself.
const ownIdentity = "system"

func readIdentity(id *armcompute.VirtualMachineIdentity) []string {
	if id == nil {
		return nil
	}
	var out []string
	if strings.Contains(text(id.Type), "SystemAssigned") {
		out = append(out, ownIdentity)
	}
	return append(out, sorted(id.UserAssignedIdentities)...)
}

// identityOf is the inverse of readIdentity.
func identityOf(list []string) *armcompute.VirtualMachineIdentity {
	var id armcompute.VirtualMachineIdentity
	system := false
	for _, s := range list {
		if s == ownIdentity {
			system = true
			continue
		}
		if id.UserAssignedIdentities == nil {
			id.UserAssignedIdentities = map[string]*armcompute.UserAssignedIdentitiesValue{}
		}
		id.UserAssignedIdentities[s] = &armcompute.UserAssignedIdentitiesValue{}
	}
	switch {
	case system && id.UserAssignedIdentities != nil:
		id.Type = ptr(armcompute.ResourceIdentityTypeSystemAssignedUserAssigned)
	case system:
		id.Type = ptr(armcompute.ResourceIdentityTypeSystemAssigned)
	case id.UserAssignedIdentities != nil:
		id.Type = ptr(armcompute.ResourceIdentityTypeUserAssigned)
	default:
		id.Type = ptr(armcompute.ResourceIdentityTypeNone)
	}
	return &id
}

// identityNow is the identity for a PATCH, which only adds to those that a machine has
// unless it names those that go.
func identityNow(list, was []string) *armcompute.VirtualMachineIdentity {
	id := identityOf(list)
	shall := foldedSet(list)
	for _, s := range was {
		if id.UserAssignedIdentities != nil && s != ownIdentity && !slices.Contains(shall, strings.ToLower(s)) {
			id.UserAssignedIdentities[s] = nil
		}
	}
	return id
}

// sameIdentity reports whether a machine has the identities that it shall have, in
// whatever letters.
func sameIdentity(live *resource.Object, args value.Struct) bool {
	var has, shall VMSpec
	if vmSchema.Decode(live.Args, &has) != nil || vmSchema.Decode(args, &shall) != nil {
		return false // not all is known yet
	}
	return shall.Identity == nil || slices.Equal(foldedSet(val(has.Identity)), foldedSet(*shall.Identity))
}

func foldedSet(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
