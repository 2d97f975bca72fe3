package azure_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// A lease is taken, kept and given back in time, also where Azure wants to be asked
// only after longer than that.
func TestLeaseOfSlowAzure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t, func(o *emulator.Options) { o.OperationTime, o.PollEvery = 2*time.Second, 30*time.Second })
		s.server.Fault(emulator.Fault{Every: 10, Status: 429, RetryAfter: time.Second})
		c := azure.Connect(azure.Config{Location: "westeurope"}, "shop/test", azure.NewThrottle()).Through(s.direct)
		lost := make(chan error, 1)
		held, err := apply.Acquire(s.ctx, c, apply.LeaseOptions{Project: "shop/test", Holder: "a"}, func(err error) { lost <- err })
		s.must(err)
		select {
		case err := <-lost:
			t.Error(err)
		case <-time.After(10 * time.Minute):
		}
		s.must(held.Release(s.ctx))
		if l, _, err := c.ReadLease(s.ctx, "shop/test"); l != nil || err != nil {
			t.Errorf("given back, it is %+v, %v", l, err)
		}
	})
}
