package azure_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A part of a project that is destroyed, or left out, never takes the group with it:
// with that the rest would go.
func TestGroupOfWhatStays(t *testing.T) {
	s := newStory(t)
	src := head + "data = disk('data', 8)\nvm('web', provider = az)"
	s.apply(src)
	stays := func(src string, o plan.Options, want ...string) {
		t.Helper()
		made, _, err := s.buildWith(src, o)
		s.must(err)
		got := lines(made)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%+v: it lacks %s: %v", o, w, got)
			}
		}
		if slices.Contains(got, "delete disk.data") != slices.Contains(got, "delete resource_group.shop-test") {
			t.Errorf("%+v: the group goes, and not what is in it: %v", o, got)
		}
	}
	stays(src, plan.Options{Destroy: true, Exclude: []string{"disk.data"}}, "delete vm.web")
	stays(head, plan.Options{Exclude: []string{"disk.data"}}, "delete vm.web")
	stays(src, plan.Options{Destroy: true, AllowDataLoss: true, Targets: []string{"resource_group.shop-test"}}, "delete vm.web", "delete disk.data", "delete resource_group.shop-test")
	if _, _, err := s.buildWith(src, plan.Options{Destroy: true, Targets: []string{"resource_group.shop-test"}}); err == nil || !strings.Contains(err.Error(), "disk.data") {
		t.Errorf("the group with a disk in it: %v", err)
	}
	kept := strings.Replace(src, "disk('data', 8", "disk('data', 8, lifecycle = lifecycle(prevent_destroy = True)", 1)
	if _, _, err := s.buildWith(kept, plan.Options{Destroy: true, AllowDataLoss: true, Targets: []string{"resource_group.shop-test"}}); err == nil || !strings.Contains(err.Error(), "prevent_destroy") {
		t.Errorf("the group with a disk that must stay: %v", err)
	}
	s.destroy(src)
}

// A group is not deleted while something of ours is in it that came after the plan.
func TestGroupThatIsNotEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "public_ip('front')"
		s.apply(src)
		made, scopes, err := s.build(src, true)
		s.must(err)
		s.apply(src + "\npublic_ip('late')")
		s.last = apply.Run(s.ctx, apply.Input{Plan: made, Program: made.Program, Scopes: scopes, Detach: true, Sink: func(apply.Event) {}})
		refused := ""
		for _, r := range s.last.Steps {
			if r.Err != nil {
				refused += r.Err.Error()
			}
		}
		if !strings.Contains(refused, "still holds what would be deleted with it: Microsoft.Network/publicIPAddresses late") {
			t.Errorf("the group with an address in it: %q", refused)
		}
		s.byHand("GET", "/providers/Microsoft.Network/publicIPAddresses/late", networkAPI, nil)
		s.destroy(src + "\npublic_ip('late')")
	})
}

// A group that Azure is deleting is as good as gone: the plan makes all anew, and the
// apply waits for the deletion first.
func TestGroupThatIsBeingDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "public_ip('front')"
		s.apply(src)
		s.server.Fault(emulator.Fault{Action: "Microsoft.Resources/subscriptions/resourceGroups/delete", Times: 1, Operation: true, Slow: time.Minute})
		gone := make(chan error)
		go func() {
			_, err := s.send("DELETE", "", "2021-04-01", nil)
			gone <- err
		}()
		synctest.Wait()
		s.wants(src, "create public_ip.front", "update resource_group.shop-test")
		p := s.program(src)
		scopes, err := s.look(p)
		s.must(err)
		store := scopes[p.Scopes[0].Address].Conn.(resource.Leaser)
		late, cancel := context.WithTimeout(s.ctx, 10*time.Second)
		defer cancel()
		if _, err := store.WriteLease(late, "shop/test", nil, &resource.Lease{Holder: "me"}); err == nil || !strings.Contains(err.Error(), "Azure is deleting it, which takes minutes") {
			t.Errorf("a lease in a group that goes: %v", err)
		}
		held, err := store.WriteLease(s.ctx, "shop/test", nil, &resource.Lease{Holder: "me"})
		s.must(err)
		s.must(<-gone)
		_, err = store.WriteLease(s.ctx, "shop/test", held, nil)
		s.must(err)
		s.apply(src)
		s.destroy(src)

		s.apply(src) // and without a lease
		s.server.Fault(emulator.Fault{Action: "Microsoft.Resources/subscriptions/resourceGroups/delete", Times: 1, Operation: true, Slow: time.Minute})
		go func() {
			_, err := s.send("DELETE", "", "2021-04-01", nil)
			gone <- err
		}()
		synctest.Wait()
		s.apply(src)
		s.must(<-gone)
		s.destroy(src)
	})
}

// A group in which somebody else has something stays, and is nobody's from then on:
// the plan says so, and the destruction succeeds.
func TestGroupWithGuests(t *testing.T) {
	s := newStory(t)
	src := head + "public_ip('front')"
	s.apply(src)
	s.byHand("PUT", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}})
	made, _, err := s.build(src, true)
	s.must(err)
	if said := effectOf(made, "resource_group.shop-test"); !strings.Contains(said, "it stays, and is nobody's: in it is public_ip theirs") {
		t.Errorf("the plan says %q", said)
	}
	s.try(src, true)
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			t.Errorf("%s: %v", r.Change.Address, r.Err)
		}
	}
	group := s.byHand("GET", "", "2021-04-01", nil)
	if strings.Contains(fmt.Sprint(group["tags"]), "swarmscript") {
		t.Errorf("the group has our mark: %v", group["tags"])
	}
	s.byHand("GET", "/providers/Microsoft.Network/publicIPAddresses/theirs", networkAPI, nil)
	s.apply(src) // and again, in what is nobody's now
	s.try(src, true)
	s.byHand("GET", "", "2021-04-01", nil)
}

// A group is made anew with all that is in it, and with the lease that is held through
// it: however long that takes, it keeps others away.
func TestGroupMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "vm('web', provider = az)\npublic_ip('front')"
		s.apply(src)
		made, scopes, err := s.buildWith(src, plan.Options{Replace: []string{"resource_group.shop-test"}})
		s.must(err)
		if got := lines(made); !slices.Equal(got, []string{"replace network_security_group.shop-test-nsg", "replace public_ip.front", "replace resource_group.shop-test", "replace virtual_network.shop-test-vnet", "replace vm.web"}) {
			t.Errorf("the plan is %v", got)
		}
		var lost error
		store := scopes["azure.default"].Conn.(resource.Leaser)
		held, err := apply.Acquire(s.ctx, store, apply.LeaseOptions{Project: "shop/test", Holder: "me"}, func(err error) { lost = err })
		s.must(err)
		s.server.Fault(emulator.Fault{Action: "Microsoft.Resources/subscriptions/resourceGroups/delete", Operation: true, Slow: 5 * time.Minute})
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: 5 * time.Minute})
		s.server.Fault(emulator.Fault{Action: "Microsoft.Resources/subscriptions/resourceGroups/read", Slow: time.Minute}) // before it is written again
		s.last = apply.Run(s.ctx, apply.Input{Plan: made, Program: made.Program, Scopes: scopes, Detach: true, Sink: func(apply.Event) {}})
		if got := s.failures(); got != "" || lost != nil {
			t.Errorf("it fails: %s; the lease: %v", got, lost)
		}
		other, err := s.connect(azure.Config{Location: "westeurope", ResourceGroup: "shop-test"}, "shop/test", azure.NewThrottle())
		s.must(err)
		if l, _, err := other.ReadLease(s.ctx, "shop/test"); err != nil || l == nil || l.Holder != "me" || time.Until(l.Expires) < 0 {
			t.Errorf("the lease is %+v, %v", l, err)
		}
		s.must(held.Release(s.ctx))
		if l, _, err := other.ReadLease(s.ctx, "shop/test"); err != nil || l != nil {
			t.Errorf("given back the lease is %+v, %v", l, err)
		}
		s.server.ClearFaults()
		s.wants(src)
		s.destroy(src)
	})
}

// What others have in a group keeps it: it is let go of, which the step says, and is
// counted as that.
func TestGroupWithGuestsOfAnotherKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "public_ip('front')"
		s.apply(src)
		s.byHand("PUT", "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs", "2023-01-31", map[string]any{"location": "westeurope"})
		s.try(src, true)
		for _, r := range s.last.Steps {
			switch is, want := r.Change.Action, plan.Delete; {
			case r.Outcome != apply.OK:
				t.Errorf("%s: %v", r.Change.Address, r.Err)
			case r.Change.Kind.Name == azure.GroupKind.Name:
				if is != plan.Release || r.Stays != "it holds what is not this project's: Microsoft.ManagedIdentity/userAssignedIdentities theirs" {
					t.Errorf("the group is %v: %q", is, r.Stays)
				}
			case is != want || r.Stays != "":
				t.Errorf("%s is %v: %q", r.Change.Address, is, r.Stays)
			}
		}
		if group := s.byHand("GET", "", "2021-04-01", nil); strings.Contains(fmt.Sprint(group["tags"]), "swarmscript") {
			t.Errorf("the group has our mark: %v", group["tags"])
		}
	})
}

// Azure's list of a group has for a while what is gone from it: that is no reason to
// let go of the group.
func TestGroupWhoseListIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		src := head + "vm('web', provider = az)"
		s.apply(src)
		s.byHand("PUT", "/providers/Microsoft.Compute/virtualMachines/web/extensions/agent", computeAPI, map[string]any{"location": "westeurope", "properties": map[string]any{"publisher": "Microsoft.Azure.Monitor", "type": "AzureMonitorLinuxAgent", "typeHandlerVersion": "1.0"}})
		identity := "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
		s.server.Fault(emulator.Fault{Action: "*/delete", Lag: 5 * time.Second})
		s.server.Fault(emulator.Fault{Action: "*/delete", Name: "theirs", Lag: 50 * time.Second})
		s.server.Fault(emulator.Fault{Action: "*/delete", Name: "agent", Lag: time.Hour})
		come := sync.OnceFunc(func() { // and goes, after the plan
			s.byHand("PUT", identity, "2023-01-31", map[string]any{"location": "westeurope"})
			s.byHand("DELETE", identity, "2023-01-31", nil)
		})
		s.stop = func(apply.Event) bool { come(); return false }
		made, _, err := s.build(src, true)
		s.must(err)
		if said := effectOf(made, "resource_group.shop-test"); said != "" {
			t.Errorf("what goes with its machine keeps the group: %q", said)
		}
		s.destroy(src)
	})
}

// Where others have something in it a group cannot be made anew; what they have, of
// whatever type, the plan names.
func TestGroupWithUnknownGuests(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az)"
	s.apply(src)
	const theirs = "Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
	s.byHand("PUT", "/providers/"+theirs, "2023-01-31", map[string]any{"location": "westeurope"})
	s.refused(src, plan.Options{Replace: []string{"resource_group.shop-test"}}, "resource_group.shop-test: it cannot be made anew: in it is Microsoft.ManagedIdentity/userAssignedIdentities theirs, which is not this project's")
	made, _, err := s.build(src, true)
	s.must(err)
	if said := effectOf(made, "resource_group.shop-test"); said != "it stays, and is nobody's: in it is Microsoft.ManagedIdentity/userAssignedIdentities theirs, which is not this project's" {
		t.Errorf("the plan says %q", said)
	}
	s.try(src, true)
	s.byHand("GET", "/providers/"+theirs, "2023-01-31", nil)
}

// Another project's group can be used as it is, which the refusal says.
func TestGroupOfAnotherProject(t *testing.T) {
	s := newStory(t)
	src := head + "public_ip('front')"
	s.apply(src)
	s.byHand("PATCH", "", "2021-04-01", map[string]any{"tags": map[string]any{"swarmscript.project": "other", "swarmscript.address": "azure.default/resource_group.shop-test"}})
	_, _, err := s.build(src+"\npublic_ip('more')", false)
	if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), `resource_group("shop-test", external = True) uses it as it is`) {
		t.Errorf("another project's group: %+v", err)
	}
	src += "\npublic_ip('more')\nresource_group('shop-test', external = True)"
	s.try(src, false)
	s.wants(src, "read resource_group.shop-test")
}
