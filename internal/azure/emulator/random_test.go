package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A world is an emulator under random requests, with what it should have.
type world struct {
	*testing.T
	*Emulator
	rand  *rand.Rand
	token string
	// there is what was written and not deleted, by key.
	there map[string]bool
	log   []string
}

// TestRandom makes and removes resources in any order, and looks after each step:
// nothing refers to what is gone, what goes with a machine is gone with it, and
// what is there is what was asked for.
func TestRandom(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			e, err := New(Options{URL: "https://emulator", Limits: &Limits{}, PollEvery: minPause, Cores: 1000})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			w := &world{T: t, Emulator: e, rand: rand.New(rand.NewPCG(seed, 0)), token: e.sign(&DefaultApp, armAudience), there: map[string]bool{}}
			for range 200 {
				w.step()
				w.running.Wait()
				w.check()
				if t.Failed() {
					t.Fatalf("after:\n%s", strings.Join(w.log[max(0, len(w.log)-10):], "\n"))
				}
			}
		})
	}
}

func (w *world) send(method, id string, body object) (int, object) {
	w.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	r := httptest.NewRequestWithContext(w.Context(), method, "https://emulator"+id+"?api-version=2024-01-01", bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer "+w.token)
	got := httptest.NewRecorder()
	w.ServeHTTP(got, r)
	answer, _ := decode(got.Body.Bytes())
	w.log = append(w.log, fmt.Sprintf("%s %s: %d %s", method, id, got.Code, text(answer, "error", "code")))
	if got.Code >= 500 {
		w.Errorf("%s", w.log[len(w.log)-1])
	}
	return got.Code, answer
}

// step sends one random request.
func (w *world) step() {
	pick := func(all ...string) string { return all[w.rand.IntN(len(all))] }
	group := "/subscriptions/" + DefaultSubscription + "/resourceGroups/" + pick("a", "b")
	other := "/subscriptions/" + DefaultSubscription + "/resourceGroups/" + pick("a", "b")
	named := map[string]string{
		"group": group, "net": group + "/providers/Microsoft.Network/virtualNetworks/net", "nsg": group + "/providers/Microsoft.Network/networkSecurityGroups/" + pick("x", "y"),
		"set": group + "/providers/Microsoft.Compute/availabilitySets/set", "disk": group + "/providers/Microsoft.Compute/disks/" + pick("d", "e"),
		"nic": group + "/providers/Microsoft.Network/networkInterfaces/" + pick("n", "o"), "ip": group + "/providers/Microsoft.Network/publicIPAddresses/" + pick("p", "q"),
		"vm": group + "/providers/Microsoft.Compute/virtualMachines/" + pick("v", "w", "u"),
	}
	kind := pick("group", "net", "nsg", "set", "disk", "nic", "nic", "ip", "vm", "vm", "vm", "vm")
	id := named[kind]
	if w.rand.IntN(3) == 0 && (kind != "group" || w.rand.IntN(4) == 0) {
		if code, _ := w.send(http.MethodDelete, id, nil); code < 300 {
			w.running.Wait()
			w.gone(id)
		}
		return
	}
	at := func(kind string) string { return strings.Replace(named[kind], group, other, 1) }
	subnet := at("net") + "/subnets/nodes"
	body := object{"location": westeurope, "properties": object{}}
	props := body["properties"].(object)
	switch kind {
	case "net":
		s := object{"addressPrefix": "10.0.0.0/24"}
		if w.rand.IntN(2) == 0 {
			s["networkSecurityGroup"] = object{"id": at("nsg")}
		}
		props["addressSpace"] = object{"addressPrefixes": []any{"10.0.0.0/16"}}
		props["subnets"] = []any{object{"name": "nodes", "properties": s}}[:w.rand.IntN(2)]
	case "set":
		body["sku"] = object{"name": "Aligned"}
	case "disk":
		props["creationData"], props["diskSizeGB"] = object{"createOption": "Empty"}, 8
	case "ip":
		body["sku"], props["publicIPAllocationMethod"] = object{"name": "Standard"}, "Static"
	case "nic":
		ip := object{"subnet": object{"id": subnet}}
		if w.rand.IntN(2) == 0 {
			ip["publicIPAddress"] = object{"id": at("ip")}
		}
		props["ipConfigurations"] = []any{object{"name": "c", "properties": ip}}
	case "vm":
		w.machine(props, subnet, at)
	}
	if code, _ := w.send(http.MethodPut, id, body); code < 300 {
		w.there[keyOf(id)] = true
	}
}

const westeurope = "westeurope"

// machine is a virtual machine that brings its own interface, or takes one.
func (w *world) machine(props object, subnet string, at func(string) string) {
	storage := object{"imageReference": object{"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"}, "osDisk": object{"createOption": "FromImage", "deleteOption": "Delete"}}
	if w.rand.IntN(3) == 0 {
		storage["dataDisks"] = []any{object{"lun": 0, "createOption": "Attach", "managedDisk": object{"id": at("disk")}}}
	}
	if w.rand.IntN(3) == 0 {
		props["availabilitySet"] = object{"id": at("set")}
	}
	props["hardwareProfile"] = object{"vmSize": "Standard_B2s"}
	props["storageProfile"] = storage
	props["osProfile"] = object{"adminUsername": "ops", "computerName": "host", "linuxConfiguration": object{"ssh": object{"publicKeys": []any{object{"path": "/home/ops/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA"}}}}}
	if w.rand.IntN(3) == 0 {
		props["networkProfile"] = object{"networkInterfaces": []any{object{"id": at("nic"), "properties": object{"deleteOption": []string{"Delete", "Detach"}[w.rand.IntN(2)]}}}}
		return
	}
	address := object{"name": "own", "sku": object{"name": "Standard"}, "properties": object{"deleteOption": "Delete", "publicIPAllocationMethod": "Static"}}
	ip := object{"name": "c", "properties": object{"subnet": object{"id": subnet}, "publicIPAddressConfiguration": address}}
	props["networkProfile"] = object{"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": []any{object{"name": "own", "properties": object{"deleteOption": "Delete", "primary": true, "ipConfigurations": []any{ip}}}}}
}

// gone forgets what was deleted, with what was in it, unless the deletion failed in
// the end.
func (w *world) gone(id string) {
	if w.store.records[keyOf(id)] != nil {
		return
	}
	for key := range w.there {
		if key == keyOf(id) || strings.HasPrefix(key, keyOf(id)+"/") {
			delete(w.there, key)
		}
	}
}

// check looks at all that there is.
func (w *world) check() {
	w.Helper()
	err := w.do(func(t *tx) error {
		indexed := 0
		for key, r := range t.store.records {
			if r.Operation != "" {
				w.Errorf("%s: its operation did not end", key)
			}
			if t.get(r.path().group().key()) == nil {
				w.Errorf("%s is in no group", key)
			}
			for _, ref := range references(r) {
				indexed++
				if !t.exists(ref.To) {
					w.Errorf("%s refers to %s, which is gone", ref.From, ref.To)
				}
			}
			// What a machine brought: an interface, an address, a disk.
			name := r.path().name()
			if (strings.HasPrefix(name, "own-") || strings.Contains(name, "_OsDisk_")) && len(t.users(key)) == 0 {
				w.Errorf("%s is an orphan", key)
			}
		}
		for key := range w.there {
			if t.get(key) == nil && !w.taken(key) {
				w.Errorf("%s is gone, and nobody deleted it", key)
			}
		}
		for to, holders := range t.store.users {
			for holder, refs := range holders {
				if r := t.store.records[holder]; r == nil || !slices.ContainsFunc(references(r), func(ref reference) bool { return keyOf(ref.To) == to }) {
					w.Errorf("the index has %s for %s", holder, to)
				}
				indexed -= len(refs)
			}
		}
		if indexed != 0 {
			w.Errorf("the index lacks %d references", indexed)
		}
		return nil
	})
	if err != nil {
		w.Error(err)
	}
}

// taken reports whether a resource may have gone with a machine: an interface that
// was handed over with deleteOption Delete.
func (w *world) taken(key string) bool {
	p, err := parsePath(key)
	if err == nil && p.kind() == nicKind {
		delete(w.there, key)
		return true
	}
	return false
}
