package azure_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// parts fails the test where there are not as many machines, each with its interface,
// its address and its disk.
func (s *story) parts(machines int) {
	s.Helper()
	for path, version := range map[string]string{
		"Microsoft.Compute/virtualMachines": computeAPI, "Microsoft.Compute/disks": "2025-01-02",
		"Microsoft.Network/networkInterfaces": networkAPI, "Microsoft.Network/publicIPAddresses": networkAPI,
	} {
		if n := len(s.byHand("GET", "/providers/"+path, version, nil)["value"].([]any)); n != machines {
			s.Errorf("there are %d %s, want %d", n, path, machines)
		}
	}
}

// unprovisioned makes Azure fail, once and after a while, at the system of a machine.
var unprovisioned = []emulator.Fault{
	{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: time.Minute},
	{Action: "Microsoft.Compute/virtualMachines/write", Fail: "OSProvisioningTimedOut", Times: 1},
}

// A machine that could not be set up goes again, with what was made with it; the error
// says why that was.
func TestMachineThatIsNotProvisionedGoes(t *testing.T) {
	s := newStory(t)
	s.server.Fault(unprovisioned[1])
	src := head + "data = disk('data', 8)\nvm('web', provider = az, data_disks = [data])"
	s.try(src, false)
	for _, want := range []string{"OSProvisioningTimedOut: OS Provisioning for VM 'web' did not finish", "it is deleted again, with its disk and its addresses", "get-boot-log --name web --resource-group shop-test"} {
		if got := s.failures(); !strings.Contains(got, want) {
			t.Errorf("it fails with %q, want %q", got, want)
		}
	}
	s.wants(src, "create vm.web") // its data disk is there
	s.apply(src)
	s.destroy(src)
}

// Where the apply is ended before, the next one makes it anew, or waits for it and then
// deletes it.
func TestMachineThatIsNotProvisionedWhileNobodyLooks(t *testing.T) {
	for _, c := range []struct {
		what, plan string
		later      time.Duration
		fails      bool
	}{
		{"it has failed", "replace vm.web image", time.Hour, false},
		{"it will fail", "no-op vm.web", 0, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newQuickStory(t, func(o *emulator.Options) { o.PollEvery = 10 * time.Second })
				s.settles = true
				t.Setenv(azure.MachinesVariable, "none")
				for _, f := range unprovisioned {
					s.server.Fault(f)
				}
				src := head + "vm('web', provider = az)"
				s.stop = func(e apply.Event) bool { return e.Text == "is made in Azure" }
				s.try(src, false)
				s.stop = nil
				time.Sleep(c.later)
				if !c.fails { // no write makes up for it
					if _, err := s.send("PATCH", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, map[string]any{"properties": map[string]any{}}); err == nil {
						t.Error("a PATCH has mended it")
					}
				}
				s.wants(src, c.plan)
				if c.fails {
					s.try(src, false)
					if got := s.failures(); !strings.Contains(got, "OSProvisioningTimedOut: OS Provisioning for VM 'web'") || !strings.Contains(got, "it is deleted again") {
						t.Errorf("it fails with %q", got)
					}
					s.parts(0)
					s.wants(src, "create vm.web")
				}
				s.apply(src)
				s.parts(1)
				s.destroy(src)
			})
		})
	}
}

// A machine that an earlier run asked for has come up, and what somebody else does with
// it then fails before this run looks: it stays.
func TestMachineThatSomebodyElseSpoils(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, func(o *emulator.Options) { o.PollEvery = 10 * time.Second })
		s.settles = true
		t.Setenv(azure.MachinesVariable, "none")
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: time.Minute + time.Second/2, Times: 1})
		src := head + "vm('web', provider = az)"
		s.stop = func(e apply.Event) bool { return e.Text == "is made in Azure" }
		s.try(src, false)
		s.stop = nil
		go func() {
			for made := false; !made; time.Sleep(50 * time.Millisecond) {
				got, err := s.send("GET", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, nil)
				made = err == nil && got["properties"].(map[string]any)["provisioningState"] == "Succeeded"
			}
			s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Fail: "VMExtensionHandlerNonTransientError", Times: 1})
			_, _ = s.send("PATCH", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, map[string]any{"properties": map[string]any{}})
		}()
		s.try(src, false)
		if got := s.failures(); !strings.Contains(got, "VMExtensionHandlerNonTransientError") || strings.Contains(got, "deleted again") {
			t.Errorf("it fails with %q", got)
		}
		s.parts(1)
		s.apply(src)
		s.destroy(src)
	})
}

// A machine that has run is not made anew because a change of it failed.
func TestMachineWhoseChangeFailedStays(t *testing.T) {
	s := newStory(t)
	src := head + "vm('web', provider = az, size = 'Standard_B2s')"
	s.apply(src)
	for _, code := range []string{"AllocationFailed", "OSProvisioningTimedOut"} {
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Fail: code, Times: 1})
		s.try(strings.Replace(src, "provider = az", "provider = az, tags = {'a': 'b'}", 1), false)
		if got := s.failures(); !strings.Contains(got, code) {
			t.Errorf("it fails with %q", got)
		}
		s.wants(src, `update vm.web tags["a"]`)
		s.parts(1)
		s.apply(src)
	}
	s.destroy(src)
}
