package azure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

const diskScript = head + `
data = disk("data", size_gb = 8, zone = "2", tags = {"a": "b"})
logs = disk("logs", 16)
vm("db", provider = az, data_disks = [data_disk(data, caching = "ReadOnly"), logs])
`

// A disk is made, changed and repaired as every resource; what would lose its data is
// an error.
func TestDisk(t *testing.T) {
	s := newStory(t)
	src := diskScript
	s.wants(src, "create disk.data", "create disk.logs", "create network_security_group.shop-test-nsg", "create resource_group.shop-test", "create virtual_network.shop-test-vnet", "create vm.db")
	s.apply(src)
	const path = "/providers/Microsoft.Compute/disks/"
	for _, name := range []string{"data", "logs"} { // in the zone of each other's machine
		if got := s.byHand("GET", path+name, computeAPI, nil); fmt.Sprint(got["zones"]) != "[2]" || !strings.HasSuffix(got["managedBy"].(string), "/db") {
			t.Errorf("disk %s is in %v, of %v", name, got["zones"], got["managedBy"])
		}
	}

	s.byHand("PATCH", path+"data", computeAPI, map[string]any{"properties": map[string]any{"diskSizeGB": 10}})
	s.refused(src, plan.Options{AllowDataLoss: true}, "disk.data: a disk cannot be changed, and making it anew would lose the data on it")
	src = s.told(src,
		[]string{"size_gb = 8", "size_gb = 12", "update disk.data size_gb"},
		[]string{`{"a": "b"}`, `{"a": "c"}`, `update disk.data tags["a"]`},
		[]string{`disk("logs", 16)`, `disk("logs", 16, sku = "Premium_LRS")`, "update disk.logs sku"},
		[]string{`disk("logs", 16`, `disk("logs", 5000`, "update disk.logs size_gb"},
	)
	if got := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/db/instanceView", computeAPI, nil); !strings.Contains(fmt.Sprint(got), "PowerState/running") {
		t.Errorf("its machine is %v", got)
	}
	tags := s.byHand("GET", path+"data", computeAPI, nil)["tags"].(map[string]any)
	tags["a"] = "changed"
	s.byHand("PATCH", path+"data", computeAPI, map[string]any{"tags": tags, "sku": map[string]any{"name": "StandardSSD_LRS"}})
	s.wants(src, `update disk.data tags["a"]`)
	s.apply(src)

	for change, want := range map[[2]string]string{
		{"size_gb = 12", "size_gb = 11"}:   "making it anew would lose",
		{`zone = "2"`, `zone = "1"`}:       "making it anew would lose",
		{`"Premium_LRS"`, `"Premium_ZRS"`}: "making it anew would lose",
		{`data = disk("data", size_gb = 12, zone = "2"`, `data = disk("data", size_gb = 12, zone = "2", sku = "Premium_ZRS"`}: "is in all zones",
	} {
		s.refused(strings.Replace(src, change[0], change[1], 1), plan.Options{}, want)
	}
	anew, _, err := s.buildWith(src, plan.Options{Replace: []string{"disk.data"}, AllowDataLoss: true})
	s.must(err)
	if got := lines(anew); !slices.Equal(got, []string{"replace disk.data", "replace vm.db"}) {
		t.Errorf("--replace disk.data: %v", got)
	}
	s.refused(src, plan.Options{Replace: []string{"disk.data"}}, "--allow-data-loss permits it")

	gone := strings.Replace(strings.Replace(src, `logs = disk("logs", 5000, sku = "Premium_LRS")`, "", 1), ", logs]", "]", 1)
	s.refused(gone, plan.Options{}, "deleting it would lose the data on it")
	s.wants(gone, "delete disk.logs", `update vm.db data_disks["logs"]`)
	s.apply(gone)
	s.destroy(gone)
}

// Changes that need one machine to be off are made one after another: of its disks,
// which it may only name, and its own.
func TestOneMachineOffAtATime(t *testing.T) {
	s := newStory(t)
	src := head + `
[disk(name, 8, zone = "1", sku = "Standard_LRS") for name in ("a", "b", "free")]
vm("db", provider = az, size = "Standard_B2s", zone = "1", data_disks = ["a", "b"])
`
	s.try(strings.Replace(src, `, data_disks = ["a", "b"]`, "", 1), false) // a name in plain text is no reference
	s.apply(src)
	src = strings.NewReplacer("Standard_LRS", "Premium_LRS", "B2s", "B2ms").Replace(src)
	made, _, err := s.build(src, false)
	s.must(err)
	for _, c := range made.Changes {
		if got, want := strings.HasPrefix(c.Effect, "INTERRUPTED"), c.Address.Name() != "free"; c.Changes() && got != want {
			t.Errorf("%s: %q", c.Address, c.Effect)
		}
	}
	s.server.Forget()
	s.try(src, false)
	var power []string
	for _, w := range s.writes() {
		if _, what, _ := strings.Cut(w, " "); what == "deallocate" || what == "start" {
			power = append(power, what)
		}
	}
	if got := strings.Join(power, " "); got != "deallocate start deallocate start" {
		t.Errorf("the machine was switched: %s", got)
	}
	s.wants(src)

	// A disk of a machine that is off interrupts nothing.
	s.byHand("POST", "/providers/Microsoft.Compute/virtualMachines/db/deallocate", computeAPI, nil)
	src = strings.NewReplacer(`vm("db"`, `vm("db", running = False`, "Premium_LRS", "StandardSSD_LRS").Replace(src)
	s.server.Forget()
	s.try(src, false)
	if got := s.writes(); slices.Contains(got, "POST start") || slices.Contains(got, "POST deallocate") {
		t.Errorf("a machine that is off was switched: %v", got)
	}
	s.wants(src)
	s.destroy(src)
}

// Disks come and go with a machine that runs, and outlive it.
func TestDataDisks(t *testing.T) {
	s := newStory(t)
	src := strings.Replace(diskScript, `zone = "2", `, "", 1)
	s.apply(src)
	src = s.told(src,
		[]string{`caching = "ReadOnly"`, `caching = "ReadWrite"`, `update vm.db data_disks["data"].caching`},
		[]string{`, caching = "ReadWrite"`, `, lun = 7`, `update vm.db data_disks["data"].lun data_disks["data"].caching`},
		[]string{", logs]", "]", `update vm.db data_disks["logs"]`},
		[]string{"lun = 7)]", "lun = 7), data_disk(logs, lun = 3)]", `update vm.db data_disks["logs"]`},
		[]string{"data_disk(logs, lun = 3)", "logs"},
		[]string{"data_disks = ", `custom_data = "#!/bin/true", data_disks = `, "replace vm.db custom_data"},
		// From one machine to another in one run.
		[]string{", logs]", "]) ; vm(\"other\", provider = az, zone = \"1\", data_disks = [logs]", "create vm.other", `update vm.db data_disks["logs"]`},
		[]string{"[logs]", `["logs"]`},
	)
	if got := s.disksOf("db"); got != "data 7 None" {
		t.Errorf("db has %s", got)
	}
	if got := s.disksOf("other"); got != "logs 0 None" {
		t.Errorf("other has %s", got)
	}
	// By its ID it is the same disk.
	id := s.byHand("GET", "/providers/Microsoft.Compute/disks/logs", computeAPI, nil)["id"].(string)
	s.wants(strings.Replace(src, `["logs"]`, fmt.Sprintf("[%q]", id), 1))

	// What somebody attaches or takes away is drift.
	s.byHand("PATCH", "/providers/Microsoft.Compute/virtualMachines/db", computeAPI, map[string]any{"properties": map[string]any{"storageProfile": map[string]any{"dataDisks": []any{}}}})
	s.wants(src, `update vm.db data_disks["data"]`)
	s.apply(src)
	s.refused(strings.Replace(src, `["logs"]`, "[logs, data_disk(logs, lun = 3)]", 1), plan.Options{}, "logs is said twice")
	s.refused(src+"vm('x', provider = az, data_disks = [data_disk('a', lun = 1), data_disk('b', lun = 1)])", plan.Options{}, "1 is another disk's too")
	s.refused(src+"vm('x', provider = az, data_disks = ['d%d' % i for i in range(5)])", plan.Options{}, "Standard_B2s takes 4 data disks at most, not 5")
	s.destroy(src)
}

// A machine waits for a disk as long as another one takes to let go of it, which may be
// the one whose turn is next.
func TestDiskThatIsSlowlyLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "x = disk('x', 8, zone = '1')\ny = disk('y', 8, zone = '1')\n" +
			"vm('a', provider = az, zone = '1', data_disks = [x])\nvm('b', provider = az, zone = '1', data_disks = [y])"
		s.apply(src)
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: 2 * time.Minute})
		s.parallelism = 1
		s.apply(strings.NewReplacer("[x]", "[y]", "[y]", "[x]").Replace(src))
		if got := s.disksOf("a") + ", " + s.disksOf("b"); got != "y 0 None, x 0 None" {
			t.Errorf("they have %s", got)
		}
	})
}

// What is mounted from a disk that is taken away is lost to the machine: the plan says
// so before, unless the machine is off.
func TestDetachingADiskIsTold(t *testing.T) {
	s := newStory(t)
	src := head + "data = disk('data', 8)\nlogs = disk('logs', 8)\nvm('db', provider = az, data_disks = [data, logs])"
	s.apply(src)
	const lost = ": unmount it first, or what runs there loses what is mounted from it"
	for change, want := range map[[2]string]string{
		{"logs])", "])"}: "disk logs is detached" + lost,
		{"logs])", "data_disk(logs, caching = 'ReadOnly')])"}: "disk logs is detached, and attached again" + lost,
		{"[data, logs]", "[data_disk(data, lun = 7)], cpus = 4"}: resource.Interrupted + " a minute or two: it boots with another size; " +
			"disk data is detached, and attached again" + lost + "; disk logs is detached" + lost,
		{"logs])", "logs, disk('more', 8)])"}: "in place",
	} {
		made, _, err := s.build(strings.Replace(src, change[0], change[1], 1), false)
		s.must(err)
		if got := effectOf(made, "vm.db"); got != want {
			t.Errorf("%s: the plan says %q, want %q", change[1], got, want)
		}
	}
	off := strings.Replace(src, "logs])", "logs], running = False)", 1)
	s.apply(off)
	made, _, err := s.build(strings.Replace(off, "logs]", "]", 1), false)
	s.must(err)
	if got := effectOf(made, "vm.db"); got != "in place" {
		t.Errorf("of a machine that is off the plan says %q", got)
	}
}

// effectOf is what a plan says of a change.
func effectOf(p *plan.Plan, address string) string {
	for _, c := range p.Changes {
		if c.Address.Short() == address {
			return c.Effect
		}
	}
	return ""
}

// disksOf tells which disks a machine has, with their numbers and caching.
func (s *story) disksOf(name string) string {
	s.Helper()
	got := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/"+name, computeAPI, nil)
	var out []string
	for _, d := range got["properties"].(map[string]any)["storageProfile"].(map[string]any)["dataDisks"].([]any) {
		d := d.(map[string]any)
		out = append(out, fmt.Sprint(d["name"], " ", d["lun"], " ", d["caching"]))
	}
	return strings.Join(out, ", ")
}

// refused fails the test where a script is not refused before anything is written,
// or for another reason.
func (s *story) refused(src string, o plan.Options, want string) {
	s.Helper()
	err := s.problems(src)
	if err == nil {
		_, _, err = s.buildWith(src, o)
	}
	if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), want) {
		s.Errorf("the plan is not refused: %v, want %s", err, want)
	}
}

// A disk is not deleted below a machine whose disks the script leaves out: it says which
// it keeps.
func TestDisksThatAreDropped(t *testing.T) {
	s := newStory(t)
	src := head + "a = disk('a', 8, zone = '1')\nc = disk('c', 8, zone = '1')\nvm('db', provider = az, zone = '1', data_disks = [a, c])"
	s.apply(src)
	s.refused(head+"disk('c', 8, zone = '1')\nvm('db', provider = az, zone = '1')", plan.Options{AllowDataLoss: true}, `disk.a: deleting it is not possible while vm "db" uses it`)
	kept := head + "c = disk('c', 8, zone = '1')\nvm('db', provider = az, zone = '1', data_disks = [c])"
	s.wants(kept, "delete disk.a", `update vm.db data_disks["a"]`)
	s.apply(kept)
	s.wants(kept)
	s.destroy(kept)
}

// Disks and identities that others give a machine stay where the script says nothing of
// them; where it says none, they go.
func TestDisksAndIdentitiesOfOthers(t *testing.T) {
	s := newStory(t)
	src := head + "disk('theirs', 8, zone = '1')\nvm('db', provider = az, zone = '1')"
	s.apply(src)
	id := s.byHand("GET", "/providers/Microsoft.Compute/disks/theirs", computeAPI, nil)["id"]
	s.byHand("PATCH", "/providers/Microsoft.Compute/virtualMachines/db", computeAPI, map[string]any{
		"identity":   map[string]any{"type": "SystemAssigned"},
		"properties": map[string]any{"storageProfile": map[string]any{"dataDisks": []any{map[string]any{"lun": 0, "createOption": "Attach", "managedDisk": map[string]any{"id": id}}}}},
	})
	s.wants(src)
	s.apply(strings.Replace(src, "provider = az", "provider = az, tags = {'a': 'b'}", 1))
	if got := s.disksOf("db"); got != "theirs 0 None" {
		t.Errorf("an update of its tags leaves it with disks %q", got)
	}
	none := strings.Replace(src, "provider = az", "provider = az, data_disks = [], identity = []", 1)
	s.wants(none, `update vm.db data_disks["theirs"] identity tags["a"]`)
	s.apply(none)
	s.wants(src)
	s.destroy(src)
}
