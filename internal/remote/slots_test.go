package remote

import (
	"context"
	"testing"
	"testing/synctest"
)

// What is urgent has a slot of its own, and is before others that wait; where
// there is one slot for all, it is the next.
func TestUrgentSlots(t *testing.T) {
	for _, tt := range []struct{ max, usual int }{{3, 2}, {1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			s := &slots{max: tt.max, kept: 1}
			for range tt.usual {
				if err := s.acquire(t.Context(), false); err != nil {
					t.Fatal(err)
				}
			}
			if s.try() {
				t.Error("there is a slot more")
			}
			var order []string
			wait := func(name string, urgent bool) {
				go func() {
					if s.acquire(t.Context(), urgent) == nil {
						order = append(order, name)
					}
				}()
				synctest.Wait()
			}
			wait("usual", false)
			wait("urgent", true)
			if got := len(order); got != tt.max-tt.usual {
				t.Errorf("%d of %d slots: %v had one at once", tt.usual, tt.max, order)
			}
			s.release()
			synctest.Wait()
			if order[0] != "urgent" {
				t.Errorf("the order was %v", order)
			}
			s.release()
			synctest.Wait()
			if len(order) != 2 {
				t.Errorf("only %v had a slot", order)
			}
		})
	}
}

// Who gives up waiting leaves no trace.
func TestSlotsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slots{max: 2, kept: 1}
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			if err := s.acquire(ctx, true); err != nil {
				t.Fatal(err)
			}
		}
		for _, urgent := range []bool{true, false} {
			go func() {
				if s.acquire(ctx, urgent) == nil {
					t.Error("there was a slot")
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		s.release()
		s.release()
		if s.used != 0 || len(s.urgent)+len(s.waiting) != 0 {
			t.Errorf("%d slots are used, %d wait", s.used, len(s.urgent)+len(s.waiting))
		}
	})
}
