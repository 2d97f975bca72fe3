package azure_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// Two hundred machines, where Azure says of each tenth request that it is too many,
// and others have used up most of what the subscription may: they are there within
// half as much time again as the bucket and one machine take, by few requests, each
// made once. Then there is nothing to do, which takes no more requests than with a
// few; and they are gone as fast. All times are of a clock that only waiting moves.
func TestHundredsOfMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			boot    = time.Minute
			network = 30 * time.Second // its group and its subnets, one after the other
		)
		left := emulator.Bucket{Burst: 20, PerSecond: 10}
		tokens := func(requests int) time.Duration { return time.Duration(requests-left.Burst) * time.Second / 10 }
		s := newQuickStory(t, func(o *emulator.Options) {
			o.Cores, o.OperationTime, o.PollEvery = 1000, time.Second, 10*time.Second
			o.Limits = &emulator.Limits{Reads: emulator.Bucket{Burst: 50, PerSecond: 25}, Writes: left, Deletes: left}
		})
		tooMany := emulator.Fault{Every: 10, Status: http.StatusTooManyRequests, RetryAfter: 2 * time.Second}
		slow := emulator.Fault{Action: "Microsoft.Compute/virtualMachines/*", Operation: true, Slow: boot}
		s.server.Fault(tooMany)
		s.server.Fault(slow)
		of := func(n int) string {
			return head + fmt.Sprintf("[vm('web-%%d' %% i, provider = az) for i in range(%d)]", n)
		}

		n := s.within(boot+network+tokens(225), func() { s.try(of(200), false) })
		if n.writes > 240 || n.reads > 100 {
			t.Errorf("they were made by %s", n)
		}
		if len(n.made) != 200 {
			t.Errorf("%d machines were made", len(n.made))
		}
		for path, times := range n.made {
			if times != 1 {
				t.Errorf("%s was made %d times", path, times)
			}
		}

		s.server.ClearFaults()
		s.wants(of(200))
		n = s.counted()
		if n.writes > 0 || n.reads > 11 {
			t.Errorf("that there is nothing to do took %s", n)
		}

		s.server.Fault(tooMany)
		s.server.Fault(slow)
		n = s.within(boot+network+tokens(230), func() { s.destroy(of(200)) })
		if n.deletes > 240 || n.reads > 800 {
			t.Errorf("they were deleted by %s", n)
		}
	})
}

// Where Azure fails at some of the machines, that is said of those, in Azure's own
// words; the others are made. Nothing stays of those, and the next apply makes them.
func TestSomeMachinesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, func(o *emulator.Options) { o.OperationTime, o.PollEvery = 20*time.Second, 10*time.Second })
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Name: "web-*2", Fail: "AllocationFailed"})
		src := head + "[vm('web-%d' % i, provider = az) for i in range(20)]"
		s.try(src, false)
		for _, r := range s.last.Steps {
			bad := strings.HasSuffix(string(r.Change.Address), "2")
			if bad != (r.Err != nil) || bad && !strings.Contains(r.Err.Error(), "AllocationFailed: Allocation failed") {
				t.Errorf("%s: %v", r.Change.Address, r.Err)
			}
		}
		if n := s.counted(); n.reads > 80 {
			t.Errorf("it took %s", n)
		}
		s.parts(18)
		s.server.ClearFaults()
		s.wants(src, "create vm.web-12", "create vm.web-2")
		s.apply(src)
		s.destroy(src)
	})
}

// An Azure that fails at the list is asked again by one for all: none of the steps
// fails, or looks at everything anew. Where it fails for longer they do, and find their
// machines.
func TestListOfMachinesFails(t *testing.T) {
	for _, times := range []int{15, 30} {
		synctest.Test(t, func(t *testing.T) {
			s := newQuickStory(t, func(o *emulator.Options) { o.PollEvery = 10 * time.Second })
			s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: 5 * time.Minute})
			src := head + "[vm('web-%d' % i, provider = az) for i in range(20)]"
			failed, retried := false, false
			s.stop = func(e apply.Event) bool {
				if e.Text == "is made in Azure" && !failed {
					failed = true
					s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/read", Times: times, Status: http.StatusServiceUnavailable})
				}
				retried = retried || e.Type == apply.Retried
				return false
			}
			s.try(src, false)
			if n := len(s.server.List(t, "/resourceGroups/shop-test/providers/Microsoft.Compute/virtualMachines", computeAPI)); n != 20 || retried != (times > 15) {
				t.Errorf("Azure fails %d times: there are %d machines, and steps were tried again: %v", times, n, retried)
			}
			for _, r := range s.last.Steps {
				if r.Err != nil {
					t.Errorf("%s: %v", r.Change.Address, r.Err)
				}
			}
		})
	}
}

// What an apply that was ended has Azure make can be changed, and deleted, at once: that
// waits for Azure.
func TestMachinesThatAreBeingMadeGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, func(o *emulator.Options) { o.PollEvery = 10 * time.Second })
		s.server.Fault(emulator.Fault{Action: "Microsoft.Compute/virtualMachines/write", Operation: true, Slow: 5 * time.Minute})
		src := head + "[vm('web-%d' % i, provider = az) for i in range(4)]"
		asked := 0
		ended := func(e apply.Event) bool {
			if e.Text == "is made in Azure" {
				asked++
			}
			return asked == 4
		}
		s.stop = ended
		s.try(src, false)
		s.stop = nil
		bigger := strings.ReplaceAll(src, "provider = az", "provider = az, size = 'Standard_B4ms'")
		s.apply(bigger)
		asked, s.stop = 0, ended
		more := strings.ReplaceAll(bigger, "range(4)", "range(8)")
		s.try(more, false)
		s.stop = nil
		s.destroy(more)
	})
}

// An operation that ends with what Azure says may be tried again is, whatever it is on.
func TestOperationsThatMayBeTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		for _, action := range []string{"networkSecurityGroups/write", "virtualNetworks/write", "virtualMachines/write", "virtualMachines/delete", "virtualNetworks/delete"} {
			s.server.Fault(emulator.Fault{Action: "*/" + action, Times: 2, Fail: "RetryableError"})
		}
		src := head + "[vm('web-%d' % i, provider = az) for i in range(3)]"
		s.apply(src)
		s.destroy(src)
	})
}

// within does something in half as much time again, and returns the requests that it
// took. None was beyond the limits, but for those at the beginning, when we do not know
// yet that others send requests too.
func (s *story) within(limit time.Duration, do func()) counts {
	s.Helper()
	s.server.Forget()
	begun := time.Now()
	do()
	took, n := time.Since(begun), s.counted()
	s.Logf("in %s, of %s: %s", took, limit, n)
	for _, r := range s.last.Steps {
		if r.Err != nil {
			s.Fatalf("%s: %v", r.Change.Address, r.Err)
		}
	}
	if took > limit*3/2 {
		s.Errorf("it took %s, want %s and half of that at most", took, limit)
	}
	if n.throttled > 20 {
		s.Errorf("%d requests were beyond the limits", n.throttled)
	}
	return n
}

// counts are the requests since they were last forgotten.
type counts struct {
	reads, writes, deletes, throttled int
	made                              map[string]int // machines, by their path
}

func (n counts) String() string {
	return fmt.Sprintf("%d reads, %d writes, %d deletions, %d beyond the limits", n.reads, n.writes, n.deletes, n.throttled)
}

func (s *story) counted() counts {
	n := counts{made: map[string]int{}}
	for _, r := range s.server.Requests() {
		if !strings.HasPrefix(r.Path, "/subscriptions/") {
			continue
		}
		switch r.Method {
		case http.MethodGet:
			n.reads++
		case http.MethodDelete:
			n.deletes++
		default:
			n.writes++
		}
		if r.Code == "SubscriptionRequestsThrottled" {
			n.throttled++
		}
		if r.Method == http.MethodPut && r.Status < 300 && strings.Contains(r.Path, "/virtualMachines/") {
			n.made[r.Path]++
		}
	}
	s.server.Forget()
	return n
}
