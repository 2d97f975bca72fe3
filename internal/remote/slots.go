package remote

import (
	"context"
	"slices"
	"sync"
)

// slots bounds how many are used at once. A server that takes fewer lowers the
// bound by its refusals.
type slots struct {
	mu      sync.Mutex
	max     int
	kept    int // of those, for who cannot wait for others; none where there is one slot only
	used    int
	urgent  []chan struct{} // who waits, and cannot wait for long
	waiting []chan struct{} // who waits besides
}

func newSlots(limit int) *slots { return &slots{max: limit} }

// acquire waits for a free slot.
func (s *slots) acquire(ctx context.Context, urgent bool) error {
	s.mu.Lock()
	if s.free(urgent) {
		s.used++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	queue := &s.waiting
	if urgent {
		queue = &s.urgent
	}
	*queue = append(*queue, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	if i := slices.Index(*queue, turn); i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
		s.mu.Unlock()
		return context.Cause(ctx)
	}
	s.mu.Unlock()
	s.release() // it became ours in between
	return context.Cause(ctx)
}

// free reports whether there is a slot.
func (s *slots) free(urgent bool) bool {
	if urgent || s.max == 1 {
		return s.used < s.max
	}
	return s.used < s.max-s.kept
}

// try takes a free slot, if there is one.
func (s *slots) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.free(false) {
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
	for len(s.urgent) > 0 && s.free(true) {
		s.urgent = s.hand(s.urgent)
	}
	for len(s.waiting) > 0 && s.free(false) {
		s.waiting = s.hand(s.waiting)
	}
}

// hand gives a slot to the first of those who wait, and returns the others.
func (s *slots) hand(queue []chan struct{}) []chan struct{} {
	s.used++
	close(queue[0])
	return queue[1:]
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
