package remote

import (
	"context"
	"sync"
)

// slots bounds how many are used at once. A server that takes fewer lowers the
// bound by its refusals.
type slots struct {
	mu      sync.Mutex
	max     int
	used    int
	waiting []chan struct{}
}

func newSlots(limit int) *slots { return &slots{max: limit} }

// acquire waits for a free slot.
func (s *slots) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.used < s.max {
		s.used++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i, w := range s.waiting {
		if w == turn {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	s.mu.Unlock()
	s.release() // it became ours in between
	return context.Cause(ctx)
}

// try takes a free slot, if there is one.
func (s *slots) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.max {
		return false
	}
	s.used++
	return true
}

// release gives a slot back.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	for len(s.waiting) > 0 && s.used < s.max {
		s.used++
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

// refused gives back a slot that the server would not have, and lowers the
// bound to what it has. It reports whether waiting for another helps: whether
// any is in use.
func (s *slots) refused() bool {
	s.mu.Lock()
	s.max = max(1, s.used-1)
	others := s.used > 1
	s.mu.Unlock()
	s.release()
	return others
}
