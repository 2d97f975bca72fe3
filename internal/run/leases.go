package run

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// leaseTTL shortens the lives of leases, for tests: a dead holder's lease is in
// the way for that long. A program gets it from the linker (-X), so that it is
// nothing a user could set.
var leaseTTL string

// leases are those that one apply holds.
type leases struct {
	opts apply.LeaseOptions
	lost func(error)
	// notice tells what is waited for before there is a lease.
	notice func(string)

	mu   sync.Mutex
	held map[string]*apply.Held // by what keeps them
	// ending are the names of those that a machine keeps which is to be made anew, by
	// its address.
	ending map[string][]string
}

// leaser is what keeps a lease, and a connection to it. The name stays the same
// when a swarm is reached through another of its managers.
type leaser struct {
	name  string
	store resource.Leaser
}

func newLeases(project string, wait time.Duration, opts ApplyOptions, lost func(error)) *leases {
	ttl, _ := time.ParseDuration(leaseTTL) // 0 is the default
	notice := func(text string) {
		if opts.Sink != nil {
			opts.Sink(apply.Event{Time: time.Now(), Type: apply.Notice, Text: text})
		}
	}
	return &leases{lost: lost, notice: notice, held: map[string]*apply.Held{}, ending: map[string][]string{}, opts: apply.LeaseOptions{
		Project: project, Holder: apply.Holder(), Why: opts.Why, Wait: wait, TTL: ttl, Stop: opts.Stop,
		Notice: func(l resource.Lease) {
			text := "waiting for " + l.Holder
			if l.Why != "" {
				text += " (" + l.Why + ")"
			}
			notice(text)
		},
	}}
}

// take takes a lease, and reports whether that is new. One that this run holds
// already is held on through the connection that there is now.
func (l *leases) take(ctx context.Context, from leaser) (taken bool, err error) {
	l.mu.Lock()
	h := l.held[from.name]
	l.mu.Unlock()
	if h != nil {
		h.Through(from.store)
		return false, nil
	}
	if r, ok := from.store.(resource.LeaseReadier); ok {
		if err := r.ReadyLease(ctx, l.notice); err != nil {
			return false, err
		}
	}
	if h, err = apply.Acquire(ctx, from.store, l.opts, l.lost); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[from.name] = h
	return true, nil
}

// covers reports whether a scope that came to be in this run needs no lease of
// its own: all applies of the project go through one that is held. Only a swarm
// is where others begin.
func (l *leases) covers(s *resource.Scope) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.Type != "swarm" && len(l.held) > 0
}

// abandon lets the lease of a scope run out that is about to go.
func (l *leases) abandon(store resource.Leaser) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if h.Store() == store {
			h.Abandon()
		}
	}
}

// abandonOn abandons the lease of a scope that goes with the machine it lies on.
func (l *leases) abandonOn(machine string, store resource.Leaser) {
	l.mu.Lock()
	for name, h := range l.held {
		if h.Store() == store {
			l.ending[machine] = append(l.ending[machine], name)
		}
	}
	l.mu.Unlock()
	l.abandon(store)
}

// awayTime is how long the machine may be off that keeps a lease.
const awayTime = 15 * time.Minute

// outlast lets the lease of a scope last for as long as its machine may be off, or as
// long as it does otherwise.
func (l *leases) outlast(ctx context.Context, store resource.Leaser, off bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lasts := cmp.Or(l.opts.TTL, apply.LeaseTTL)
	if off {
		lasts = awayTime
	}
	for _, h := range l.held {
		if h.Store() == store {
			return h.Outlast(ctx, lasts, l.lost)
		}
	}
	return nil
}

// partTime is how long a lease is still in the way that was kept on machines which are
// switched off.
const partTime = 5 * time.Second

// runOut lets a lease run out soon. Where that cannot be written it does so later.
func (l *leases) runOut(store resource.Leaser) {
	l.mu.Lock()
	for _, h := range l.held {
		if h.Store() == store {
			_ = h.Outlast(context.Background(), partTime, func(error) {})
		}
	}
	l.mu.Unlock()
	l.drop(store)
}

// dropOn forgets the leases that went with a machine: who would give them back
// found another one in its place.
func (l *leases) dropOn(machine string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.ending[machine] {
		delete(l.held, name)
	}
}

// drop forgets the lease of a scope that is gone.
func (l *leases) drop(store resource.Leaser) {
	l.abandon(store)
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.held, func(_ string, h *apply.Held) bool { return h.Store() == store })
}

// release gives all leases back. One that cannot be given back expires.
func (l *leases) release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, h := range l.held {
		errs = append(errs, h.Release(ctx))
	}
	clear(l.held)
	return errors.Join(errs...)
}
