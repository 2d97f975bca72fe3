package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// VMSpec is what a script says of a machine in Azure.
type VMSpec struct {
	Name            string            `star:"name,required,pos,local" doc:"The machine's name, which is its host name."`
	Size            *string           `star:"size" doc:"Its size, such as \"Standard_B2s\", which is what it has without cpus and memory; a spot machine has cpus = 2 and memory = \"4g\" then. Another one is made of it in place; it is off for that while."`
	CPUs            *int              `star:"cpus" min:"1" doc:"In place of size, the CPUs that it has at least: the smallest size is chosen that the region has, and kept while it has them."`
	Memory          *schema.Size      `star:"memory" doc:"In place of size, the memory that it has at least, as \"4g\"."`
	Image           Image             `star:"image,replace" default:"debian-12" doc:"What it is made from: debian-12, debian-13, ubuntu-22.04, ubuntu-24.04, publisher:offer:sku[:version], or the ID of an image. Without a version it is the newest when the machine is made."`
	User            string            `star:"user,replace" default:"azureuser" doc:"The user that it is reached as. It becomes root by sudo, without a password."`
	SSHKeys         *[]local.SSHKey   `star:"ssh_keys,set,replace" doc:"Public keys that may log in as the user; those of whoever makes the machine if left out. Azure takes ssh-ed25519, and ssh-rsa of 2048 bits and more."`
	CustomData      *string           `star:"custom_data,replace" doc:"What cloud-init does at the first boot: a script, or #cloud-config. Its hash is kept in a tag, so it is no place for a password."`
	Zone            *string           `star:"zone,replace" enum:"1,2,3" doc:"Its availability zone. Left out, machines whose names differ only in their number are spread over those that the size has."`
	AvailabilitySet *string           `star:"availability_set,replace" ref:"availability_set.name" doc:"The availability_set that it is in, or its name or ID: in place of a zone."`
	VirtualNetwork  *string           `star:"virtual_network,replace" ref:"virtual_network.name" doc:"Its network: a virtual_network, or its name or ID. Left out, it is the one of all machines of the project, which is made."`
	Subnet          *string           `star:"subnet,replace" doc:"The subnet of that network; nodes if left out."`
	SecurityGroup   *string           `star:"network_security_group" ref:"network_security_group.name" doc:"What may come to it and leave it, beside what its subnet says: a network_security_group, or its name or ID; \"\" for none. Left out, it is the project's own, which is made, unless the script gives its subnet one."`
	PublicIP        *bool             `star:"public_ip,replace" doc:"Whether it has a public address; true if left out. Without one it is reached at its private_ip."`
	Interface       *string           `star:"network_interface,replace" ref:"network_interface.name" doc:"A network_interface that it has in place of one of its own."`
	Accelerated     *bool             `star:"accelerated_networking,replace" doc:"Whether it is given a part of the network card itself, which not all sizes take; false if left out."`
	Spot            bool              `star:"spot,replace" doc:"Whether it costs less, and may be taken away at any time: for workers."`
	DiskSize        *schema.Size      `star:"os_disk_size" doc:"The size of its disk, as \"64g\"; the image's if left out. It can only grow, and is off for that while."`
	DiskType        *string           `star:"os_disk_type,replace" enum:"Standard_LRS,StandardSSD_LRS,StandardSSD_ZRS,Premium_LRS,Premium_ZRS" doc:"What its disk is; StandardSSD_LRS if left out."`
	DataDisks       *[]DataDisk       `star:"data_disks,set" doc:"Disks that it has beside its own, all of them; left out, those that somebody else attaches stay. They come and go in place, and outlive the machine."`
	BootDiagnostics bool              `star:"boot_diagnostics" default:"true" doc:"Whether Azure keeps what it says when it boots: az vm boot-diagnostics get-boot-log."`
	Identity        *[]string         `star:"identity,set" doc:"Identities that what runs on it may log in to Azure with, all of them: \"system\" for one of its own, or IDs of others; left out, those that somebody else gives it stay."`
	Running         bool              `star:"running" default:"true" doc:"Whether it runs. False deallocates it: it costs nothing then but its disk, and what is declared on it is left as it is."`
	Tags            map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*VMSpec) SchemaName() (string, string) {
	return "vm", "A machine in Azure. Its network interface, public address and disk come and go with it."
}

var vmSchema = schema.Of(VMSpec{})

const machineType = "Microsoft.Compute/virtualMachines"

// defaultSize has two CPUs and 4 GiB, enough for a node of a swarm.
const defaultSize = "Standard_B2s"

// VMKind is a machine in Azure.
var VMKind = &resource.Kind{
	Name:    "vm",
	Schema:  vmSchema,
	Scope:   "azure",
	Opens:   "host",
	Rank:    30,
	Keyless: true,
	Out: []resource.Output{
		{Name: "address", Type: "string", Stable: true, Doc: "The address that it is reached at: the public one, or the private one where it has none."},
		{Name: "private_ip", Type: "string", Stable: true, Doc: "Its address in its network: at which other machines reach it."},
		{Name: "public_ip", Type: "string", Stable: true, Doc: "Its public address; the private one where it has none."},
		{Name: "port", Type: "int", Stable: true, Doc: "The port of its SSH server, 22."},
		{Name: "user", Type: "string", Stable: true, Arg: "user", Doc: "The user that it is reached as."},
		{Name: "hostname", Type: "string", Stable: true, Arg: "name", Doc: "Its host name."},
		{Name: "host_key", Type: "string", Stable: true, Doc: "The public key of its SSH server, as in known_hosts."},
		{Name: "size", Type: "string", Doc: "Its size."},
		{Name: "zone", Type: "string", Stable: true, Doc: "Its availability zone."},
		{Name: "id", Type: "string", Stable: true, Doc: "Its ID in Azure."},
	},
	Check:    checkVM,
	Complete: completeVM,
	Same:     sameVM,
	Replaces: replacesVM,
	Effect:   vmEffect,
	Outage:   vmOutage,
	Off:      func(args value.Struct) bool { return local.VMOff(vmSchema, args) },
	Ending:   local.VMEnding,
	Handler:  vmHandler{},
}

var (
	vmName    = pattern.Of(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	adminName = pattern.Of(`^[a-z_][a-z0-9_-]{0,31}$`)
	// reservedUsers are names that Azure does not take.
	reservedUsers = []string{"root", "admin", "administrator", "user", "test", "guest", "sys", "support", "console", "backup", "server", "owner", "sql", "video", "david", "aspnet", "john", "adm", "actuser", "a",
		"user1", "user2", "user3", "user4", "user5", "test1", "test2", "test3", "admin1", "admin2", "support_388945a0"}
)

func checkVM(args value.Struct) schema.Problems {
	p := &problemsOf{schema: vmSchema, args: args}
	p.text("name", func(s string) string {
		if vmName().MatchString(s) {
			return ""
		}
		return fmt.Sprintf("got %q, want small letters, digits and hyphens, 63 at most, as a host name has", s)
	})
	p.text("user", func(s string) string {
		switch {
		case slices.Contains(reservedUsers, s):
			return fmt.Sprintf("Azure takes no user %q", s)
		case !adminName().MatchString(s):
			return fmt.Sprintf("got %q, want small letters, digits, hyphens and underscores, 32 at most, and a letter first", s)
		}
		return ""
	})
	p.text("virtual_network", refersTo(networkType))
	p.text("network_security_group", refersTo(securityGroupType))
	p.text("network_interface", refersTo(interfaceType))
	p.text("availability_set", refersTo(availabilitySetType))
	p.text("custom_data", func(s string) string {
		if len(s) > maxCustomData-2048 { // the host key goes beside it
			return fmt.Sprintf("has %d bytes, and Azure takes %d", len(s), maxCustomData-2048)
		}
		return ""
	})
	clash := func(a string, others ...string) {
		for _, b := range others {
			if p.get(a) != nil && p.get(b) != nil {
				p.ps = append(p.ps, &schema.Problem{Path: b, Msg: "cannot be given beside " + a})
			}
		}
	}
	clash("size", "cpus", "memory")
	clash("availability_set", "zone")
	if p.get("availability_set") != nil && p.get("spot") == true {
		p.ps = append(p.ps, &schema.Problem{Path: "spot", Msg: "cannot be given beside availability_set: Azure takes no spot machine into one"})
	}
	clash("network_interface", "virtual_network", "subnet", "network_security_group", "public_ip", "accelerated_networking")
	if n, ok := p.get("os_disk_size").(int64); ok && n%(1<<30) != 0 {
		p.ps = append(p.ps, &schema.Problem{Path: "os_disk_size", Msg: "want whole GiB, as \"64g\""})
	}
	if keys, ok := p.get("ssh_keys").(value.List); ok && len(keys) == 0 {
		p.ps = append(p.ps, &schema.Problem{Path: "ssh_keys", Msg: "is empty: nobody could log in", Hint: "leave it out for the keys of whoever makes the machine"})
	}
	checkKeys(p)
	checkDisks(p)
	p.ps = append(p.ps, checkTags(p.get("tags"))...)
	return p.done()
}

// completeVM gives a machine a size that has none.
func completeVM(args value.Struct) {
	size, _ := vmSchema.Field("size")
	cpus, _ := vmSchema.Field("cpus")
	memory, _ := vmSchema.Field("memory")
	if args[size.Index] != nil || args[cpus.Index] != nil || args[memory.Index] != nil {
		return
	}
	if spot, _ := vmSchema.Field("spot"); args[spot.Index] == true { // which the default size is not to be had as
		args[cpus.Index], args[memory.Index] = int64(2), int64(4<<30)
		return
	}
	args[size.Index] = defaultSize
}

// sameVM reports that a difference is none: of another spelling, of a size that has
// enough, of custom data by its hash.
func sameVM(live *resource.Object, args value.Struct, c schema.Change) bool {
	switch c.Field.Name {
	case "data_disks":
		return sameDisks(live, args)
	case "identity":
		return sameIdentity(live, args)
	}
	before, after := value.Reveal(c.Before), value.Reveal(c.After)
	if n, ok := after.(int64); ok && (c.Field.Name == "cpus" || c.Field.Name == "memory") {
		has, known := before.(int64)
		return known && has >= n
	}
	b, isText := before.(string)
	a, wasText := after.(string)
	if !isText || !wasText {
		return false
	}
	switch c.Field.Name {
	case "image":
		return sameImage(b, a)
	case "size", "subnet":
		return strings.EqualFold(a, b)
	case "virtual_network", "network_security_group", "network_interface", "availability_set":
		n, ok := live.Native.(*native)
		if !ok {
			return strings.EqualFold(a, b)
		}
		at := n.place()
		return at.same(a, b)
	case "custom_data":
		return isHashOf(b, a)
	}
	return false
}

// place is the group that an object is in.
func (n *native) place() place {
	id, err := ParseID(n.id)
	if err != nil {
		return place{}
	}
	return place{id.Subscription, id.Group}
}

// replacesVM reports that a disk would have to shrink, or a temporary one to come or
// go with the size.
func replacesVM(live *resource.Object, _ value.Struct, c schema.Change) bool {
	if n, ok := live.Native.(*native); ok && c.Field.Name == "size" {
		from, known := findSize(n.sizes, asText(c.Before))
		to, is := findSize(n.sizes, asText(c.After))
		return known && is && from.temp != to.temp
	}
	before, ok := value.Reveal(c.Before).(int64)
	after, is := value.Reveal(c.After).(int64)
	return c.Field.Name == "os_disk_size" && ok && is && after < before
}

// vmOutage implements [resource.Kind.Outage].
func vmOutage(live *resource.Object, _ value.Struct, changes []schema.Change) *resource.Outage {
	_, m, err := machineIn(live)
	if err != nil {
		return nil
	}
	out, boots := &resource.Outage{Machine: live.ID, Begins: m.runs(), Ends: m.runs()}, false
	for _, c := range changes {
		switch c.Field.Name {
		case "running":
			out.Ends = c.After == true
		case "size", "cpus", "memory", "os_disk_size":
			boots = true
		}
	}
	if out.Begins == out.Ends && !boots {
		return nil
	}
	return out
}

// vmEffect says what an update does to a machine.
func vmEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	cycles := false
	if o := vmOutage(live, args, changes); o != nil {
		cycles = o.Begins && o.Ends
	}
	var out, lost []string
	if restart {
		out = append(out, "tried again") // the reason says why
	}
	if slices.ContainsFunc(changes, func(c schema.Change) bool { return c.Field.Name == "data_disks" }) {
		lost = lostDisks(live, args)
	}
	off := func(why string) string {
		return strings.Join(append([]string{resource.Interrupted + " a minute or two: " + why}, lost...), "; ")
	}
	for _, c := range changes {
		switch {
		case c.Field.Name == "running" && c.After == false:
			out = append(out, "it is deallocated")
		case c.Field.Name == "running":
			out = append(out, "it boots")
		case !cycles: // it is off already, or stays so
		case c.Field.Name == "size" || c.Field.Name == "cpus" || c.Field.Name == "memory":
			return off("it boots with another size")
		case c.Field.Name == "os_disk_size":
			return off("it is off while its disk grows")
		}
	}
	if out = append(out, lost...); out == nil {
		return "in place"
	}
	return strings.Join(out, "; ")
}

// argument is what a declaration says, nil where it says nothing.
func argument(d *resource.Declaration, name string) value.Value {
	f, ok := d.Kind.Schema.Field(name)
	if !ok || f.Index >= len(d.Args) {
		return nil
	}
	return value.Reveal(d.Args[f.Index])
}
