package emulator

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.0000000-07:00") }

// workVM makes the machine of a virtual machine what it is to be.
func workVM(ctx context.Context, e *Emulator, op *operation) error {
	var r *record
	key := keyOf(op.Target)
	_ = e.do(func(t *tx) error { r = t.get(key); return nil })
	if r == nil {
		return nil
	}
	machines := e.opts.Machines
	switch op.Verb {
	case verbDelete:
		return machines.Delete(ctx, key)
	case verbPut:
		if r.unprovisioned() {
			return r.Failed
		}
		if !r.Machine {
			if err := e.boot(ctx, r); err != nil {
				return err
			}
			return e.protect(ctx)
		}
		if !op.Restart {
			return nil
		}
		size := sizeOf(text(r.Body, "properties", "hardwareProfile", "vmSize"))
		if err := machines.Resize(ctx, key, size.size()); err != nil || r.Power != powerRunning {
			return err
		}
		return machines.Power(ctx, key, Restart)
	}
	state, power := powerRunning, Start
	switch op.Verb {
	case verbPowerOff:
		state, power = powerStopped, Stop
	case verbDeallocate:
		state, power = powerDeallocated, Stop
	case verbRestart:
		power = Restart
	}
	if err := machines.Power(ctx, key, power); err != nil {
		return err
	}
	return e.do(func(t *tx) error {
		if r := t.edit(key); r != nil {
			r.Power = state
		}
		return nil
	})
}

// unprovisioned reports whether the system of a new machine could not be set up. That is
// tried once: no later write makes up for it. What was not even allocated is, by one.
func (r *record) unprovisioned() bool {
	return !r.Machine && r.Failed != nil && strings.HasPrefix(r.Failed.Code, "OSProvisioning")
}

// boot makes the machine, and writes down where it is.
func (e *Emulator) boot(ctx context.Context, r *record) error {
	props := sub(r.Body, "properties")
	im, _ := imageOf(sub(props, "storageProfile", "imageReference"))
	m := Machine{
		ID: r.key(), Name: strings.ToLower(text(props, "osProfile", "computerName")), User: text(props, "osProfile", "adminUsername"),
		Size: sizeOf(text(props, "hardwareProfile", "vmSize")).size(),
	}
	if im != nil {
		m.Image = im.base
	}
	for _, k := range objects(props, "osProfile", "linuxConfiguration", "ssh", "publicKeys") {
		m.SSHKeys = append(m.SSHKeys, strings.TrimSpace(text(k, "keyData")))
	}
	m.CustomData, _ = base64.StdEncoding.DecodeString(text(r.Secret, "customData")) // was checked
	at, err := e.opts.Machines.Boot(ctx, m)
	if err != nil {
		return conflict("OSProvisioningInternalError", "OS Provisioning failed for VM '%s' due to an internal error: %s", r.path().name(), err)
	}
	return e.do(func(t *tx) error {
		if r := t.edit(r.key()); r != nil {
			r.Machine = true
			t.reach(r, at)
		}
		return nil
	})
}

// reach gives a machine's first interface the addresses that it really has.
func (t *tx) reach(vm *record, at Booted) {
	nic := t.edit(t.primaryNIC(vm))
	if nic == nil {
		return
	}
	for _, c := range objects(nic.Body, "properties", "ipConfigurations") {
		p := sub(c, "properties")
		if p["primary"] != true {
			continue
		}
		if at.Private != "" {
			p["privateIPAddress"] = at.Private
			t.touch(nic)
		}
		if address := t.edit(keyOf(text(p, "publicIPAddress", "id"))); address != nil && at.Public != "" {
			address.properties()["ipAddress"] = at.Public
			t.touch(address)
		}
	}
}

func (t *tx) primaryNIC(vm *record) string {
	for _, n := range objects(vm.Body, "properties", "networkProfile", "networkInterfaces") {
		if sub(n, "properties")["primary"] == true {
			return keyOf(text(n, "id"))
		}
	}
	return ""
}

// act begins an action of a virtual machine.
func (t *tx) act(c *call) (*answer, error) {
	target := c.path.parent()
	if target.kind() != vmKind {
		return nil, errMethod(c)
	}
	r := t.edit(target.key())
	if r == nil {
		return nil, errResourceNotFound(target)
	}
	var v verb
	for _, known := range []verb{verbStart, verbPowerOff, verbDeallocate, verbRestart} {
		if strings.EqualFold(string(known), c.path.Types[len(c.path.Types)-1]) {
			v = known
		}
	}
	if v == "" {
		return nil, bad("InvalidResourceType", "The action '%s' is not known, or not simulated by this emulator.", c.path.Types[len(c.path.Types)-1])
	}
	if err := t.groupAdmits(c.path); err != nil {
		return nil, err
	}
	if err := t.busy(r); err != nil {
		return nil, err
	}
	if v == verbRestart && r.Power == powerDeallocated {
		return nil, conflict("OperationNotAllowed", "Cannot perform operation 'restart' on VM '%s' since it is deallocated.", target.name())
	}
	op := t.begin(r, v, "Updating")
	return t.accepted(&answer{status: http.StatusAccepted}, op, c.path, r.location()), nil
}

// Evict takes a spot machine back, as Azure does when it needs the room.
func (e *Emulator) Evict(id string) error {
	return e.do(func(t *tx) error {
		r := t.edit(keyOf(id))
		if r == nil {
			return errGroupNotFound(id)
		}
		v := verbDeallocate
		if text(r.Body, "properties", "evictionPolicy") == "Delete" {
			v = verbDelete
		}
		t.begin(r, v, "Updating")
		return nil
	})
}

func (t *tx) instanceView(p path) (*answer, error) {
	r := t.get(p.key())
	if r == nil || p.kind() != vmKind {
		return nil, errResourceNotFound(p)
	}
	return ok(t.view(r)), nil
}

// view is what a virtual machine does.
func (t *tx) view(r *record) object {
	status := func(code, display string) object {
		return object{"code": code, "level": "Info", "displayStatus": display, "time": now()}
	}
	state := text(r.Body, "properties", "provisioningState")
	provisioned := status("ProvisioningState/"+strings.ToLower(state), "Provisioning "+strings.ToLower(state))
	if state == failed && r.Failed != nil {
		provisioned["code"], provisioned["level"], provisioned["message"] = "ProvisioningState/failed/"+r.Failed.Code, "Error", r.Failed.Message
	}
	power := r.Power
	if state == "Creating" {
		power = "starting"
	}
	statuses := []any{provisioned, status("PowerState/"+power, "VM "+power)}
	view := object{
		"computerName": text(r.Body, "properties", "osProfile", "computerName"), "osName": "debian", "hyperVGeneration": "V2", "statuses": statuses,
		"disks": []any{object{"name": text(r.Body, "properties", "storageProfile", "osDisk", "name"), "statuses": []any{status("ProvisioningState/succeeded", "Provisioning succeeded")}}},
	}
	if power == powerRunning && r.Machine {
		view["vmAgent"] = object{"vmAgentVersion": "2.12.0", "statuses": []any{status("ProvisioningState/succeeded", "Ready")}}
	}
	return view
}

// renderVM adds the extensions.
func renderVM(t *tx, r *record, body object) {
	var out []any
	for _, key := range t.below(r.key() + "/") {
		out = append(out, cloneObject(t.get(key).Body))
	}
	if out != nil {
		body["resources"] = out
	}
}
