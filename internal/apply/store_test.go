package apply

import (
	"context"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// store keeps one lease, as a Swarm config does: under a version that every
// write moves, whoever makes it and whatever for. All tests of leases run in a
// bubble of their own, with a clock of its own.
type store struct {
	mu      sync.Mutex
	lease   *resource.Lease
	version int
	writes  int
	skew    time.Duration // of the store's clock against ours
	// before is called before each read and write. What it returns is the
	// answer, unless nil.
	before func(ctx context.Context, op string) error
}

func (s *store) ask(ctx context.Context, op string) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, op)
}

// change lets somebody else change the store.
func (s *store) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	fn()
}

func (s *store) ReadLease(ctx context.Context, _ string) (*resource.Lease, time.Time, error) {
	if err := s.ask(ctx, "read"); err != nil {
		return nil, time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.skew)
	if s.lease == nil {
		return nil, now, nil
	}
	l := *s.lease
	l.Version = s.version
	return &l, now, nil
}

func (s *store) WriteLease(ctx context.Context, _ string, old, next *resource.Lease) (*resource.Lease, error) {
	if err := s.ask(ctx, "write"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if (old == nil) != (s.lease == nil) || old != nil && old.Version != s.version {
		return nil, resource.ErrConflict
	}
	s.version++
	s.writes++
	if s.lease = nil; next == nil {
		return nil, nil
	}
	l := *next
	s.lease = &l
	l.Version = s.version
	return &l, nil
}

// ledgerWritten moves the version, as a write of the ledger beside it does.
func (s *store) ledgerWritten() { s.change(func() {}) }

func (s *store) holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil {
		return ""
	}
	return s.lease.Holder
}
