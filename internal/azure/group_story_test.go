package azure_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
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
