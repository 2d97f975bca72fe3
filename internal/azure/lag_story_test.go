package azure_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// Azure may not have heard yet of what it was told a moment ago: what was made is not
// found, and what was deleted is listed.
func TestWhatAzureHasNotHeardOfYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		s.server.Fault(emulator.Fault{Lag: 3 * time.Second})
		conn, err := s.connect(azure.Config{Location: "westeurope"}, "shop/test", azure.NewThrottle())
		s.must(err)
		held, err := apply.Acquire(s.ctx, conn, apply.LeaseOptions{Project: "shop/test", Holder: "a"}, func(err error) { t.Error(err) })
		s.must(err)
		s.must(held.Release(s.ctx))
		if !slices.ContainsFunc(s.server.Requests(), func(r emulator.Request) bool { return r.Code == "ResourceGroupNotFound" }) {
			t.Error("the resource group was found at once")
		}
		s.server.Fault(emulator.Fault{Lag: 20 * time.Second})
		s.apply(all())
		s.destroy(all())
	})
}

// What really is not there is told at once.
func TestWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		s.apply(head + "public_ip('front')")
		begun := time.Now()
		s.try(head+"public_ip('front')\nnetwork_interface('nic', virtual_network = '/subscriptions/"+emulator.DefaultSubscription+"/resourceGroups/others/providers/Microsoft.Network/virtualNetworks/net', subnet = 'nodes')", false)
		for _, r := range s.last.Steps {
			if r.Change.Address.Name() == "nic" && (r.Err == nil || !strings.Contains(r.Err.Error(), "InvalidResourceReference")) {
				t.Errorf("an interface in a network that is not there: %v", r.Err)
			}
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("that was told after %v", took)
		}
	})
}
