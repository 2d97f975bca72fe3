package azure_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// fresh is a subscription that has used nothing yet. To register it takes a minute.
func fresh(o *emulator.Options) {
	o.Unregistered = []string{"Microsoft.Compute", "microsoft.network"}
	o.OperationTime, o.PollEvery = time.Minute, 10*time.Second
}

// A subscription that is new has nothing, and is registered by the steps that need it:
// once for all of them, and not by a plan.
func TestFreshSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, fresh)
		s.server.Fault(emulator.Fault{Action: "*/register/action", Slow: time.Second})
		src := head + "vm('a', provider = az, cpus = 2)\nvm('b', provider = az, cpus = 4)"
		s.wants(src, "create network_security_group.shop-test-nsg", "create resource_group.shop-test", "create virtual_network.shop-test-vnet", "create vm.a", "create vm.b")
		told := map[string]bool{}
		s.stop = func(e apply.Event) bool { told[e.Text] = true; return false }
		s.try(src, false)
		s.wentWell()
		registered := 0
		for _, w := range s.writes() {
			if w == "POST register" {
				registered++
			}
		}
		if registered != 2 {
			t.Errorf("it was registered %d times, want twice", registered)
		}
		for _, ns := range []string{"Microsoft.Compute", "Microsoft.Network"} {
			if !told["registers "+ns+" in the subscription"] {
				t.Errorf("nobody was told of %s", ns)
			}
		}
		for _, op := range []string{"ProvidersClient.Get", "ProvidersClient.Register"} {
			if !slices.Contains(s.wire.operations(), op) {
				t.Errorf("no request of %s was seen", op)
			}
		}
		s.wants(src)
		s.destroy(src)
	})
}

// Who may not register a subscription is told what to have done, and by what right.
func TestRegistrationIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, fresh, func(o *emulator.Options) {
			o.Apps = []emulator.App{{ID: emulator.DefaultApp.ID, Secret: emulator.DefaultApp.Secret, NotActions: []string{"*/register/action"}}}
		})
		s.try(head+"vm('a', provider = az)", false)
		var said []string
		for _, r := range s.last.Steps {
			if r.Err != nil {
				said = append(said, r.Err.Error())
			}
		}
		for _, want := range []string{"the subscription is not registered to use Microsoft.Network, and could not be", "a role with Microsoft.Network/register/action, such as Contributor on the subscription", "az provider register --namespace Microsoft.Network"} {
			if !strings.Contains(strings.Join(said, "\n"), want) {
				t.Errorf("it does not say %q: %q", want, said)
			}
		}
	})
}

// Machines that are to be in zones of their own are not made without where the zones are
// not told yet.
func TestZonesOfAFreshSubscription(t *testing.T) {
	s := newStory(t, fresh)
	s.refuses(head+"[vm('mgr-%d' % i, provider = az) for i in range(3)]", "vm.mgr-2: it is to be in another zone", "az provider register --namespace Microsoft.Compute --wait")
}
