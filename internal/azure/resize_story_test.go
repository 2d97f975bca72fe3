package azure_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// failsButRuns fails the test where an update of a machine does not fail, or leaves
// it off, or another size than it had.
func (s *story) failsButRuns(src, size string) {
	s.Helper()
	s.try(src, false)
	failed := false
	for _, r := range s.last.Steps {
		failed = failed || r.Outcome != apply.OK
	}
	if !failed {
		s.Error("nothing failed")
	}
	s.server.ClearFaults()
	if got := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/web/instanceView", computeAPI, nil); !strings.Contains(fmt.Sprint(got), "PowerState/running") {
		s.Errorf("the machine is %v", got)
	}
	if got := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, nil); !strings.Contains(fmt.Sprint(got), "vmSize:"+size+"]") {
		s.Errorf("it has another size: %v", got)
	}
}

// A machine that was switched off for a change runs again where the change fails.
func TestChangeThatFailsLeavesTheMachineOn(t *testing.T) {
	src := head + "vm('web', provider = az, size = 'Standard_B2as_v2', os_disk_size = '32g')"
	larger := strings.Replace(src, "Standard_B2as_v2", "Standard_D2s_v5", 1)
	grown := strings.Replace(src, "32g", "64g", 1)
	for _, c := range []struct {
		what, src string
		fault     emulator.Fault
	}{
		{"a size that is nowhere", larger, emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Fail: "AllocationFailed", Times: 2}},
		{"a size that does not start", larger, emulator.Fault{Action: "Microsoft.Compute/virtualMachines/start/action", Fail: "AllocationFailed", Times: 1}},
		{"a disk that does not grow", grown, emulator.Fault{Action: "Microsoft.Compute/disks/write", Fail: "InternalDiskError", Times: 1}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newStory(t)
			s.apply(src)
			s.server.Fault(c.fault)
			s.failsButRuns(c.src, "Standard_B2as_v2")
			s.apply(c.src)
		})
	}
}
