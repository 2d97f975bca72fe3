package emulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The power states of a virtual machine.
const (
	powerRunning     = "running"
	powerStopped     = "stopped"
	powerDeallocated = "deallocated"
)

// A vmWrite is the write of a virtual machine.
type vmWrite struct {
	*write
	size *vmSize
}

// putVM checks a virtual machine, makes the disks and interfaces that it is to
// come with, and takes those that are there.
func putVM(plain *write) error {
	w := &vmWrite{write: plain}
	props := w.props()
	for _, k := range []string{"instanceView", "vmId", "timeCreated", "provisioningState"} {
		delete(props, k)
	}
	delete(w.rec.Body, "resources")
	steps := []func() error{w.keepWhatIsFixed, w.hardware, w.system, w.placement, w.image, w.disks, w.network, w.billing}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	props["vmId"] = keep(w.was(), "vmId", newID())
	props["timeCreated"] = keep(w.was(), "timeCreated", now())
	putIdentity(w.write)
	if w.rec.Power == "" {
		w.rec.Power = powerRunning
	}
	return nil
}

// fixed are the properties that are for ever, with what is compared of them.
var fixed = [][]string{
	{"osProfile", "computerName"}, {"osProfile", "adminUsername"}, {"osProfile", "linuxConfiguration", "ssh", "publicKeys"}, {"osProfile", "linuxConfiguration", "disablePasswordAuthentication"},
	{"storageProfile", "imageReference", "publisher"}, {"storageProfile", "imageReference", "offer"}, {"storageProfile", "imageReference", "sku"}, {"storageProfile", "imageReference", "version"},
	{"storageProfile", "imageReference", "id"}, {"storageProfile", "osDisk", "createOption"}, {"storageProfile", "osDisk", "name"},
	{"availabilitySet", "id"}, {"priority"}, {"evictionPolicy"}, {"networkProfile", "networkInterfaceConfigurations"},
}

// keepWhatIsFixed refuses changes of what is for ever, and keeps what an update
// leaves out.
func (w *vmWrite) keepWhatIsFixed() error {
	if w.old == nil {
		return nil
	}
	for _, keys := range fixed {
		was, now := at(w.was(), keys...), at(w.props(), keys...)
		if now != nil && !same(was, now) {
			target := strings.Join(keys, ".")
			return conflict("PropertyChangeNotAllowed", "Changing property '%s' is not allowed.", target).on(target)
		}
	}
	if text(w.props(), "osProfile", "customData") != "" && text(w.props(), "osProfile", "customData") != text(w.old.Secret, "customData") {
		return conflict("PropertyChangeNotAllowed", "Changing property 'osProfile.customData' is not allowed.").on("osProfile.customData")
	}
	if zones := texts(w.rec.Body, "zones"); zones != nil && !sameSet(zones, texts(w.old.Body, "zones")) {
		return bad("ResourceAvailabilityZonesCannotBeModified", "Resource %s has an existing availability zone constraint %s and the request has availability zone constraint %s, which do not match. Zones cannot be added/updated/removed once the resource is created. The resource cannot be updated from regional to zonal or vice-versa.", w.rec.ID, strings.Join(texts(w.old.Body, "zones"), ","), strings.Join(zones, ","))
	}
	fill(w.rec.Body, "zones", clone(w.old.Body["zones"]))
	if w.rec.Body["zones"] == nil {
		delete(w.rec.Body, "zones")
	}
	// What a PUT leaves out stays: only lists of disks and interfaces are taken as a
	// whole.
	now := w.props()
	w.rec.Body["properties"] = cloneObject(w.was())
	merge(w.props(), now)
	delete(sub(w.props(), "osProfile"), "customData")
	return nil
}

// hardware checks the size, and whether there is still so much of it.
func (w *vmWrite) hardware() error {
	name := text(w.props(), "hardwareProfile", "vmSize")
	at := w.rec.location()
	if w.size = sizeOf(name); w.size == nil {
		return errParameter("vmSize", "The value %s provided for the VM size is not valid. The valid sizes in the current region are: %s.", name, sizeNames())
	}
	w.props()["hardwareProfile"].(object)["vmSize"] = w.size.name
	zones := texts(w.rec.Body, "zones")
	switch reason := w.size.restricted(at); {
	case reason != "":
		return conflict("SkuNotAvailable", "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: %s' is currently not available in location '%s'. Please try another size or deploy to a different location or different zone. See https://aka.ms/azureskunotavailable for details.", w.size.name, at)
	case len(zones) > 1:
		return errParameter("zones", "The value of parameter zones is invalid: a virtual machine is in one zone.")
	}
	if err := checkZones(w.kind.name, at, zones); err != nil {
		return err
	}
	for _, z := range zones {
		if !slices.Contains(w.size.zonesAt(at), z) {
			return conflict("SkuNotAvailable", "The requested size for resource '%s' is currently not available in location '%s' zones '%s' for subscription '%s'. Please try another size or deploy to a different location or zones. See https://aka.ms/azureskunotavailable for details.", w.rec.ID, at, z, w.path.Subscription)
		}
	}
	var before *vmSize
	if w.old != nil {
		before = sizeOf(text(w.was(), "hardwareProfile", "vmSize"))
	}
	if before == w.size {
		return nil
	}
	return w.resize(before)
}

// resize checks a new size, of a new machine too. A machine that is on stays on the
// hardware that it is on, which has sizes of its family; and no machine gets or
// loses a temporary disk.
func (w *vmWrite) resize(before *vmSize) error {
	at, more := w.rec.location(), w.size.cpus
	if before != nil {
		if (before.temp == 0) != (w.size.temp == 0) {
			return conflict("OperationNotAllowed", "Unable to resize the VM '%s' because changing from resource disk to non-resource disk VM size and vice-versa is not allowed. Please refer to https://aka.ms/AAah4sj for more details.", w.path.name())
		}
		if w.rec.Power != powerDeallocated && before.family != w.size.family {
			return conflict("OperationNotAllowed", "Unable to resize the VM '%s' because the requested size %s is not available in the current hardware cluster. The available sizes in this cluster are those of family %s. To resize the VM, please deallocate it first.", w.path.name(), w.size.name, before.family)
		}
		w.op = &operation{Restart: true}
		if w.rec.Power != powerDeallocated {
			more -= before.cpus
		}
	}
	for _, q := range []struct{ family, name string }{{"", "Total Regional Cores"}, {w.size.family, w.size.family + " Cores"}} {
		if used := w.coresUsed(at, q.family); used+more > w.opts.Cores {
			return conflict("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved %s quota. Additional details - Deployment Model: Resource Manager, Location: %s, Current Limit: %d, Current Usage: %d, Additional Required: %d, (Minimum) New Limit Required: %d. Setup Alerts when Quota reaches threshold. Learn more at https://aka.ms/quotamonitoringalerting.", q.name, at, w.opts.Cores, used, more, used+more)
		}
	}
	return nil
}

func sizeNames() string {
	var out []string
	for _, s := range sizes {
		out = append(out, s.name)
	}
	return strings.Join(out, ",")
}

// reservedUsers are names that Azure does not give.
var reservedUsers = []string{"root", "admin", "administrator", "user", "guest", "test", "sys", "console", "backup", "support", "owner", "server", "david", "john", "1", "123", "a", "user1", "user2", "user3", "user4", "user5", "test1", "test2", "test3", "admin1", "admin2", "support_388945a0", "actuser", "adm", "aspnet", "sql", "video"}

// system checks the operating system's profile, and takes what is never told again.
func (w *vmWrite) system() error {
	if w.old != nil {
		return nil
	}
	os := ensure(w.props(), "osProfile")
	fill(os, "computerName", w.path.name())
	user := text(os, "adminUsername")
	linux := ensure(os, "linuxConfiguration")
	keys := objects(linux, "ssh", "publicKeys")
	switch {
	case user == "":
		return errParameter("osProfile", "Required parameter 'adminUsername' is missing (null).").on("adminUsername")
	case slices.Contains(reservedUsers, strings.ToLower(user)):
		return errParameter("adminUsername", "The Admin Username specified is not allowed.")
	case len(text(os, "computerName")) > 63 || strings.ContainsAny(text(os, "computerName"), "_ /\\"):
		return errParameter("computerName", "Linux host name cannot exceed 63 characters in length or contain the following characters: ` ~ ! @ # $ %% ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?.")
	case text(os, "adminPassword") == "" && len(keys) == 0:
		return errParameter("linuxConfiguration.ssh.publicKeys", "Authentication using either SSH or by user name and password must be enabled in Linux profile.")
	}
	for _, k := range keys {
		want := "/home/" + user + "/.ssh/authorized_keys"
		if text(k, "path") != want {
			return errParameter("linuxConfiguration.ssh.publicKeys.path", "Destination path for SSH public keys is currently limited to its default value %s due to a known issue in Linux provisioning agent.", want)
		}
		if f := strings.Fields(text(k, "keyData")); len(f) < 2 || f[0] != "ssh-rsa" && f[0] != "ssh-ed25519" {
			return errParameter("linuxConfiguration.ssh.publicKeys.keyData", "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid: ssh-rsa and ssh-ed25519 keys are supported.")
		}
	}
	if data := text(os, "customData"); data != "" {
		if raw, err := base64.StdEncoding.DecodeString(data); err != nil || len(raw) > 65535 {
			return errParameter("customData", "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.")
		}
	}
	w.rec.Secret = object{}
	for _, k := range []string{"customData", "adminPassword"} {
		if os[k] != nil {
			w.rec.Secret[k] = os[k]
			delete(os, k)
		}
	}
	fill(linux, "disablePasswordAuthentication", len(keys) > 0)
	fill(linux, "provisionVMAgent", true)
	fill(linux, "patchSettings", object{"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"})
	fill(os, "secrets", []any{})
	fill(os, "allowExtensionOperations", true)
	fill(os, "requireGuestProvisionSignal", true)
	return nil
}

// placement checks zone against availability set.
func (w *vmWrite) placement() error {
	set := text(w.props(), "availabilitySet", "id")
	if set == "" {
		return nil
	}
	if w.rec.Body["zones"] != nil {
		return bad("InvalidParameter", "Availability set %s and availability zones cannot both be specified.", set).on("availabilitySet")
	}
	if !w.exists(set) {
		return fail(http.StatusNotFound, "NotFound", "Availability Set '%s' was not found.", set)
	}
	if sku := text(w.get(keyOf(set)).Body, "sku", "name"); sku != "Aligned" { // all disks here are managed ones
		return conflict("OperationNotAllowed", "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based disks to managed Availability Set is not supported. Please create an Availability Set with 'managed' property set in order to add a VM with managed disks to it.")
	}
	p, err := parsePath(set)
	if err != nil {
		return err
	}
	p.Names = append(slices.Clone(p.Names[:len(p.Names)-1]), strings.ToUpper(p.name())) // as Azure answers it
	w.props()["availabilitySet"] = object{"id": p.id()}
	return nil
}

// image checks what the machine boots, and says which version that is.
func (w *vmWrite) image() error {
	ref := sub(w.props(), "storageProfile", "imageReference")
	if ref == nil {
		return errParameter("imageReference", "Required parameter 'storageProfile.imageReference' is missing (null).")
	}
	if w.old != nil {
		return nil
	}
	im, version := imageOf(ref)
	if im == nil {
		return errImage(ref)
	}
	arch := w.size.arch
	if arch == "" {
		arch = "x64"
	}
	if im.arch != arch {
		return bad("BadRequest", "The VM size '%s' with architecture '%s' cannot boot the image, whose architecture is '%s'.", w.size.name, arch, im.arch)
	}
	if err := w.checkPlan(im, sub(w.rec.Body, "plan")); err != nil {
		return err
	}
	ref["exactVersion"] = version
	return nil
}

// billing checks what a spot machine may be.
func (w *vmWrite) billing() error {
	props := w.props()
	if text(props, "priority") != "Spot" {
		if props["billingProfile"] != nil || props["evictionPolicy"] != nil {
			return bad("InvalidParameter", "The value of parameter evictionPolicy is only for virtual machines of priority Spot.").on("evictionPolicy")
		}
		return nil
	}
	if !w.size.spot() {
		return bad("OperationNotAllowed", "The VM size '%s' is not supported for creation of VMs and Virtual Machine Scale Set with 'Spot' priority.", w.size.name)
	}
	if props["availabilitySet"] != nil {
		return bad("BadRequest", "Spot virtual machines cannot be in availability sets.")
	}
	fill(props, "evictionPolicy", "Deallocate")
	fill(props, "billingProfile", object{"maxPrice": float64(-1)})
	return nil
}

// putIdentity gives who has an identity of its own its principal.
func putIdentity(w *write) error {
	if w.kind.name != kinds[vmKind].name { // an identity that is a resource
		w.props()["principalId"] = keep(w.was(), "principalId", newID())
		w.props()["clientId"] = keep(w.was(), "clientId", newID())
		w.props()["tenantId"] = w.opts.Tenant
		return nil
	}
	id := sub(w.rec.Body, "identity")
	if !strings.Contains(text(id, "type"), "UserAssigned") {
		delete(id, "userAssignedIdentities")
	}
	if strings.Contains(text(id, "type"), "SystemAssigned") {
		var old object
		if w.old != nil {
			old = sub(w.old.Body, "identity")
		}
		id["principalId"], id["tenantId"] = keep(old, "principalId", newID()), w.opts.Tenant
	}
	return nil
}

// macOf is an interface's hardware address, which follows from its ID.
func macOf(id string) string {
	var h uint32 = 2166136261
	for _, c := range []byte(keyOf(id)) {
		h = (h ^ uint32(c)) * 16777619
	}
	return fmt.Sprintf("00-0D-3A-%02X-%02X-%02X", byte(h>>16), byte(h>>8), byte(h))
}
