package emulator

import "strings"

// putDisk checks a disk, which only grows.
func putDisk(w *write) error {
	b, props := w.rec.Body, w.props()
	for _, k := range []string{"managedBy", "managedByExtended"} {
		delete(b, k)
	}
	delete(props, "diskState")
	sku := ensure(b, "sku")
	fill(sku, "name", "Standard_LRS")
	sku["tier"] = strings.SplitN(text(sku, "name"), "_", 2)[0]
	if err := w.keepZones(); err != nil {
		return err
	}
	if w.old == nil && text(props, "creationData", "createOption") == "" {
		return errParameter("creationData.createOption", "Required parameter 'creationData.createOption' is missing (null).").on("disk.creationData.createOption")
	}
	if w.old != nil {
		fill(props, "creationData", cloneObject(sub(w.was(), "creationData")))
		fill(props, "diskSizeGB", w.was()["diskSizeGB"])
		if number(props, "diskSizeGB") < number(w.was(), "diskSizeGB") {
			return bad("BadRequest", "Disk '%s' cannot be shrunk from %d GB to %d GB.", w.path.name(), number(w.was(), "diskSizeGB"), number(props, "diskSizeGB")).on("disk.diskSizeGB")
		}
		if err := w.changeDisk(sku); err != nil {
			return err
		}
		if text(w.was(), "creationData", "createOption") != text(props, "creationData", "createOption") {
			return conflict("PropertyChangeNotAllowed", "Changing property 'creationData.createOption' is not allowed.").on("creationData.createOption")
		}
	}
	if redundant(text(sku, "name")) && texts(b, "zones") != nil {
		return bad("InvalidParameter", "Zones cannot be given for disk '%s', whose sku '%s' is zone-redundant.", w.path.name(), text(sku, "name")).on("zones")
	}
	if number(props, "diskSizeGB") < 1 || number(props, "diskSizeGB") > 32767 {
		return errParameter("disk.diskSizeGB", "The value '%d' of parameter 'disk.diskSizeGB' is out of range. The value must be between '1' and '32767', inclusive.", number(props, "diskSizeGB"))
	}
	fill(props, "encryption", object{"type": "EncryptionAtRestWithPlatformKey"})
	fill(props, "networkAccessPolicy", "AllowAll")
	fill(props, "publicNetworkAccess", "Enabled")
	props["timeCreated"] = keep(w.was(), "timeCreated", now())
	props["uniqueId"] = keep(w.was(), "uniqueId", newID())
	return nil
}

// redundant reports whether disks of a sku are in all zones.
func redundant(sku string) bool { return strings.HasSuffix(sku, "_ZRS") }

// onlineGB is the size up to which a disk grows while a machine that is on has it.
const onlineGB = 4095

// changeDisk refuses what a disk cannot become, or not while a machine that is on has
// it.
func (w *write) changeDisk(sku object) error {
	was := text(w.old.Body, "sku", "name")
	if redundant(was) != redundant(text(sku, "name")) {
		return conflict("OperationNotAllowed", "Disk '%s' cannot be changed from '%s' to '%s': the redundancy of a disk is for ever.", w.path.name(), was, text(sku, "name")).on("sku.name")
	}
	owner := w.userOf(w.rec.key(), vmKind)
	if owner == "" || w.get(keyOf(owner)).Power == powerDeallocated {
		return nil
	}
	grown := number(w.props(), "diskSizeGB")
	switch {
	case was != text(sku, "name"):
		return conflict("OperationNotAllowed", "The account type of disk '%s' cannot be changed while it is attached to running VM '%s'. Please deallocate the VM and retry the operation.", w.path.name(), owner)
	case grown > number(w.was(), "diskSizeGB") && (grown > onlineGB || text(w.old.Body, "properties", "osType") != ""):
		return conflict("OperationNotAllowed", "Cannot resize disk '%s' while it is attached to running VM '%s'. Resizing a disk of an Azure Virtual Machine requires the virtual machine to be deallocated. Please stop your VM and retry the operation.", w.path.name(), owner)
	}
	return nil
}

func diskInUse(t *tx, r *record) *Failure {
	if vm := t.userOf(r.key(), vmKind); vm != "" {
		return conflict("OperationNotAllowed", "Disk %s is attached to VM %s.", r.path().name(), vm)
	}
	return nil
}

func renderDisk(t *tx, r *record, body object) {
	state := "Unattached"
	if vm := t.userOf(r.key(), vmKind); vm != "" {
		body["managedBy"], state = vm, "Attached"
	}
	body["properties"].(object)["diskState"] = state
}

// putAvailabilitySet checks an availability set, whose domains are for ever.
func putAvailabilitySet(w *write) error {
	props := w.props()
	delete(props, "virtualMachines")
	fill(ensure(w.rec.Body, "sku"), "name", "Classic")
	for key, limit := range map[string]int{"platformFaultDomainCount": faultDomains(w.rec.location()), "platformUpdateDomainCount": 20} {
		fill(props, key, keep(w.was(), key, map[string]any{"platformFaultDomainCount": float64(2), "platformUpdateDomainCount": float64(5)}[key]))
		if n := number(props, key); n < 1 || n > limit {
			return errParameter(key, "The specified value %d of %s must fall in the range 1 to %d.", n, key, limit)
		}
		if w.old != nil && number(props, key) != number(w.was(), key) {
			return conflict("PropertyChangeNotAllowed", "Changing property '%s' is not allowed.", key).on(key)
		}
	}
	return nil
}

func availabilitySetInUse(t *tx, r *record) *Failure {
	if t.userOf(r.key(), vmKind) != "" {
		return conflict("OperationNotAllowed", "Availability Set '%s' cannot be deleted. Before deleting an Availability Set please ensure that it does not contain any VM.", r.path().name())
	}
	return nil
}

func renderAvailabilitySet(t *tx, r *record, body object) {
	out := []any{}
	for _, ref := range t.users(r.key()) {
		out = append(out, object{"id": ref.From})
	}
	body["properties"].(object)["virtualMachines"] = out
}

// putExtension checks an extension of a virtual machine. Nothing of it runs here.
func putExtension(w *write) error {
	props := w.props()
	vm := w.get(w.path.parent().key())
	if vm.Power != powerRunning {
		return conflict("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
	}
	if vm.Operation != "" {
		return w.busy(vm)
	}
	for _, k := range []string{"publisher", "type", "typeHandlerVersion"} {
		if text(props, k) == "" {
			return errParameter(k, "Required parameter '%s' is missing (null).", k)
		}
		if was := text(w.was(), k); was != "" && k != "typeHandlerVersion" && was != text(props, k) {
			return conflict("PropertyChangeNotAllowed", "Changing property '%s' is not allowed.", k).on(k)
		}
	}
	if s := props["protectedSettings"]; s != nil {
		w.rec.Secret = object{"protectedSettings": s}
		delete(props, "protectedSettings")
	}
	fill(props, "autoUpgradeMinorVersion", false)
	return nil
}
