package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// disks makes the disks that the machine comes with, and takes those that it names.
func (w *vmWrite) disks() error {
	storage := ensure(w.props(), "storageProfile")
	os := ensure(storage, "osDisk")
	fill(os, "createOption", "FromImage")
	fill(os, "name", w.path.name()+"_OsDisk_1_"+strings.ReplaceAll(newID(), "-", ""))
	fill(os, "osType", "Linux")
	fill(os, "caching", "ReadWrite")
	fill(os, "deleteOption", "Detach")
	fill(os, "diskSizeGB", float64(30))
	if err := w.disk(os, "Linux"); err != nil {
		return err
	}
	fill(storage, "dataDisks", []any{})
	disks := objects(storage, "dataDisks")
	if len(disks) > w.size.disks {
		return conflict("OperationNotAllowed", "The maximum number of data disks allowed to be attached to a VM of this size is %d.", w.size.disks).on("dataDisks")
	}
	var luns []int
	for _, d := range disks {
		lun := number(d, "lun")
		if slices.Contains(luns, lun) {
			return errParameter("dataDisks.lun", "The value '%d' of parameter 'dataDisks.lun' is used by several disks.", lun)
		}
		luns = append(luns, lun)
		if err := w.keepNumber(d); err != nil {
			return err
		}
		fill(d, "name", w.path.name()+"_disk"+strings.ReplaceAll(newID(), "-", ""))
		fill(d, "caching", "None")
		fill(d, "deleteOption", "Detach")
		fill(d, "toBeDetached", false)
		if err := w.disk(d, ""); err != nil {
			return err
		}
	}
	return nil
}

// disk makes or takes one disk. Azure answers IDs of disks with the name of the
// group in capitals.
func (w *vmWrite) disk(d object, system string) error {
	managed := ensure(d, "managedDisk")
	p := w.path.at("Microsoft.Compute", "disks", text(d, "name"))
	if id := text(managed, "id"); id != "" {
		var err error
		if p, err = parsePath(id); err != nil || w.get(p.key()) == nil {
			return fail(http.StatusNotFound, "ResourceNotFound", "The disk '%s' was not found.", id)
		}
		d["name"] = p.name()
	} else if text(d, "createOption") == "Attach" {
		return errParameter("dataDisk.managedDisk.id", "Required parameter 'dataDisk.managedDisk.id' is missing (null).")
	}
	if owner := w.userOf(p.key(), vmKind); owner != "" && keyOf(owner) != w.rec.key() {
		return conflict("ConflictingUserInput", "Disk '%s' cannot be attached as the disk is already owned by VM '%s'.", p.name(), owner)
	}
	disk := w.edit(p.key())
	if err := w.placed(disk); err != nil {
		return err
	}
	if disk == nil {
		disk = w.newDisk(p, d, system)
	}
	if size := number(d, "diskSizeGB"); size > number(disk.Body, "properties", "diskSizeGB") {
		disk.properties()["diskSizeGB"] = float64(size)
		w.touch(disk)
	}
	d["diskSizeGB"] = disk.properties()["diskSizeGB"]
	managed["storageAccountType"] = text(disk.Body, "sku", "name")
	shown := p
	shown.Group = strings.ToUpper(p.Group)
	managed["id"] = shown.id()
	return nil
}

// placed refuses a disk of another zone than the machine's.
func (w *vmWrite) placed(disk *record) error {
	if disk == nil || redundant(text(disk.Body, "sku", "name")) || sameSet(texts(disk.Body, "zones"), texts(w.rec.Body, "zones")) {
		return nil
	}
	if zones := texts(w.rec.Body, "zones"); zones != nil {
		return bad("BadRequest", "Disk %s cannot be attached to the VM because it is not in zone '%s'.", disk.path().name(), strings.Join(zones, ",")).on("dataDisk.managedDisk.id")
	}
	return bad("BadRequest", "Disk %s cannot be attached to the VM because it is in zone '%s' and the VM is not in a zone.", disk.path().name(), strings.Join(texts(disk.Body, "zones"), ",")).on("dataDisk.managedDisk.id")
}

// keepNumber refuses another number for a disk that the machine has.
func (w *vmWrite) keepNumber(d object) error {
	for _, was := range objects(w.was(), "storageProfile", "dataDisks") {
		if keyOf(text(was, "managedDisk", "id")) == keyOf(text(d, "managedDisk", "id")) && number(was, "lun") != number(d, "lun") {
			return conflict("PropertyChangeNotAllowed", "Changing property 'dataDisk.lun' is not allowed.").on("dataDisk.lun")
		}
	}
	return nil
}

func (w *vmWrite) newDisk(p path, d object, system string) *record {
	sku := text(d, "managedDisk", "storageAccountType")
	if sku == "" {
		sku = "Standard_LRS"
		if w.size.premium {
			sku = "Premium_LRS"
		}
	}
	r := &record{ID: p.id(), Body: object{
		"id": p.id(), "name": p.name(), "type": "Microsoft.Compute/disks", "location": w.rec.location(), "sku": object{"name": sku, "tier": strings.SplitN(sku, "_", 2)[0]},
		"properties": object{
			"diskSizeGB": d["diskSizeGB"], "creationData": object{"createOption": text(d, "createOption")}, "timeCreated": now(), "uniqueId": newID(),
			"provisioningState": succeeded, "encryption": object{"type": "EncryptionAtRestWithPlatformKey"}, "networkAccessPolicy": "AllowAll", "publicNetworkAccess": "Enabled",
		},
	}}
	if zones := w.rec.Body["zones"]; zones != nil {
		r.Body["zones"] = clone(zones)
	}
	if tags := w.rec.Body["tags"]; tags != nil { // as Azure does
		r.Body["tags"] = clone(tags)
	}
	if system != "" {
		r.properties()["osType"] = system
	}
	fill(r.properties(), "diskSizeGB", float64(4))
	w.touch(r)
	w.put(r)
	return r
}

// network takes the interfaces that the machine names, and makes those that it
// describes.
func (w *vmWrite) network() error {
	profile := ensure(w.props(), "networkProfile")
	if w.old == nil {
		if err := w.makeInterfaces(profile); err != nil {
			return err
		}
	}
	nics := objects(profile, "networkInterfaces")
	if len(nics) == 0 {
		return errParameter("networkProfile", "Required parameter 'networkProfile.networkInterfaces' is missing (null).")
	}
	if len(nics) > w.size.nics {
		return bad("NetworkInterfaceCountExceeded", "The number of network interfaces for virtual machine %s exceeds the maximum allowed for the virtual machine size %s. The number of network interfaces is %d and the maximum allowed is %d.", w.path.name(), w.size.name, len(nics), w.size.nics)
	}
	var primaries int
	for _, n := range nics {
		fill(ensure(n, "properties"), "primary", len(nics) == 1)
		fill(sub(n, "properties"), "deleteOption", "Detach")
		if at(n, "properties", "primary") == true {
			primaries++
		}
		id := text(n, "id")
		if user := w.userOf(keyOf(id), vmKind); user != "" && keyOf(user) != w.rec.key() {
			return bad("NicInUse", "Network Interface %s is used by existing resource %s. In order to use the network interface, it must be dissociated from the resource.", id, user)
		}
		if nic := w.get(keyOf(id)); nic != nil && nic.location() != w.rec.location() {
			return errReference(w.rec.ID, id)
		} else if nic != nil && at(nic.Body, "properties", "enableAcceleratedNetworking") == true && !w.size.fast {
			return bad("VMSizeIsNotPermittedToEnableAcceleratedNetworking", "The virtual machine size %s is not permitted to have accelerated networking.", w.size.name)
		}
	}
	if primaries != 1 {
		return bad("VirtualMachineMustHaveOneNetworkInterfaceAsPrimary", "Virtual machine %s must have one network interface set as the primary.", w.path.name())
	}
	return w.sameInterfaces(nics)
}

// sameInterfaces refuses other interfaces for a machine that is on.
func (w *vmWrite) sameInterfaces(nics []object) error {
	if w.old == nil || w.rec.Power == powerDeallocated {
		return nil
	}
	ids := func(all []object) (out []string) {
		for _, n := range all {
			out = append(out, keyOf(text(n, "id")))
		}
		return out
	}
	if !sameSet(ids(nics), ids(objects(w.was(), "networkProfile", "networkInterfaces"))) {
		return conflict("OperationNotAllowed", "Adding or removing network interfaces of a running virtual machine is not allowed: deallocate '%s' first.", w.path.name()).on("networkProfile")
	}
	return nil
}

// makeInterfaces makes interfaces, with their public addresses, that are described
// in the machine's profile. Azure adds to their names.
func (w *vmWrite) makeInterfaces(profile object) error {
	configs := objects(profile, "networkInterfaceConfigurations")
	if len(configs) == 0 {
		return nil
	}
	if text(profile, "networkApiVersion") == "" {
		return errParameter("networkProfile.networkApiVersion", "Required parameter 'networkApiVersion' is missing (null).")
	}
	refs := objects(profile, "networkInterfaces")
	for _, c := range configs {
		nic, err := w.makeInterface(c)
		if err != nil {
			return err
		}
		n := object{"id": nic.ID, "properties": object{"deleteOption": "Detach", "primary": len(configs) == 1}}
		for _, k := range []string{"deleteOption", "primary"} {
			if v := at(c, "properties", k); v != nil {
				n["properties"].(object)[k] = v
			}
		}
		refs = append(refs, n)
	}
	delete(profile, "networkInterfaceConfigurations")
	profile["networkInterfaces"] = list(refs)
	return nil
}

func (w *vmWrite) makeInterface(c object) (*record, error) {
	given := sub(c, "properties")
	p := w.path.at("Microsoft.Network", "networkInterfaces", text(c, "name")+"-"+newID()[:8])
	body := object{"location": w.rec.location(), "tags": clone(c["tags"]), "properties": object{}}
	var configs []any
	for _, in := range objects(given, "ipConfigurations") {
		inner := cloneObject(sub(in, "properties"))
		if wanted := sub(inner, "publicIPAddressConfiguration"); wanted != nil {
			address, err := w.makeAddress(wanted)
			if err != nil {
				return nil, err
			}
			inner["publicIPAddress"] = object{"id": address.ID, "properties": object{"deleteOption": text(wanted, "properties", "deleteOption")}}
		}
		delete(inner, "publicIPAddressConfiguration")
		configs = append(configs, object{"name": text(in, "name"), "properties": inner})
	}
	for from, to := range map[string]string{"networkSecurityGroup": "networkSecurityGroup", "enableAcceleratedNetworking": "enableAcceleratedNetworking", "enableIPForwarding": "enableIPForwarding", "dnsSettings": "dnsSettings"} {
		if v := given[from]; v != nil {
			ensure(body, "properties")[to] = clone(v)
		}
	}
	ensure(body, "properties")["ipConfigurations"] = configs
	return w.within(p, nicKind, body)
}

func (w *vmWrite) makeAddress(c object) (*record, error) {
	given := sub(c, "properties")
	p := w.path.at("Microsoft.Network", "publicIPAddresses", text(c, "name")+"-"+newID()[:8])
	body := object{"location": w.rec.location(), "tags": clone(c["tags"]), "sku": clone(c["sku"]), "properties": object{}}
	if zones := w.rec.Body["zones"]; zones != nil {
		body["zones"] = clone(zones)
	}
	for _, k := range []string{"publicIPAllocationMethod", "idleTimeoutInMinutes", "publicIPAddressVersion", "ipTags"} {
		if v := given[k]; v != nil {
			ensure(body, "properties")[k] = clone(v)
		}
	}
	if label := text(given, "dnsSettings", "domainNameLabel"); label != "" {
		ensure(body, "properties")["dnsSettings"] = object{"domainNameLabel": label}
	}
	return w.within(p, addressKind, body)
}

// within writes another resource as a part of this write.
func (w *vmWrite) within(p path, kind string, body object) (*record, error) {
	for k, v := range body {
		if v == nil {
			delete(body, k)
		}
	}
	in := &write{tx: w.tx, path: p, kind: kinds[kind], rec: &record{ID: p.id(), Body: body}}
	if err := in.head(); err != nil {
		return nil, err
	}
	if err := in.kind.put(in); err != nil {
		return nil, err
	}
	if err := w.checkReferences(in.rec); err != nil {
		return nil, err
	}
	in.props()["provisioningState"] = succeeded
	w.touch(in.rec)
	w.put(in.rec)
	return in.rec, nil
}

// dropVM removes what goes with a machine.
func dropVM(t *tx, r *record) {
	storage := sub(r.Body, "properties", "storageProfile")
	for _, d := range append(objects(storage, "dataDisks"), sub(storage, "osDisk")) {
		if text(d, "deleteOption") == "Delete" {
			t.remove(keyOf(text(d, "managedDisk", "id")))
		}
	}
	for _, n := range objects(r.Body, "properties", "networkProfile", "networkInterfaces") {
		if text(n, "properties", "deleteOption") == "Delete" {
			if nic := t.get(keyOf(text(n, "id"))); nic != nil {
				dropNIC(t, nic)
			}
		}
	}
}
