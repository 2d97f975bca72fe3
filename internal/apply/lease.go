package apply

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// LeaseTTL is how long a lease outlives its last renewal. A holder renews at a
// third of it, so that two renewals may fail before others take over.
const LeaseTTL = 30 * time.Second

// HeldLease says that somebody else is applying.
type HeldLease struct {
	Project string
	Lease   resource.Lease
}

// Error names the holder, and what else is known of it.
func (e *HeldLease) Error() string {
	s := e.Project + " is being applied by " + e.Lease.Holder
	if e.Lease.Why != "" {
		s += " (" + e.Lease.Why + ")"
	}
	if !e.Lease.Since.IsZero() {
		s += " since " + e.Lease.Since.Format(time.RFC3339)
	}
	s += "; wait for it, or use --lock-timeout"
	if !e.Lease.Expires.IsZero() {
		s += "; a dead holder's lease expires at " + e.Lease.Expires.Format(time.RFC3339)
	}
	return s
}

// LostLease says that the lease could not be kept, so that somebody else may
// be applying.
type LostLease struct {
	Project string
	Err     error
}

// Error says why.
func (e *LostLease) Error() string {
	return fmt.Sprintf("the lease of %s was lost: %v; the steps were stopped; run it again", e.Project, e.Err)
}

// Unwrap returns the cause.
func (e *LostLease) Unwrap() error { return e.Err }

// Holder names this process for the lease: user@host, process, and a random
// part that tells two runs of one process number apart.
func Holder() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var b [3]byte
	rand.Read(b[:]) // never fails, by its contract
	return fmt.Sprintf("%s@%s, process %d, run %s", name, host, os.Getpid(), hex.EncodeToString(b[:]))
}

// LeaseOptions say how a lease is taken.
type LeaseOptions struct {
	Project string
	Holder  string
	Why     string
	Wait    time.Duration // how long to wait for another holder; 0: not at all
	TTL     time.Duration // 0: LeaseTTL
	// Stop, once closed, ends the wait with [ErrStopped]. May be nil.
	Stop <-chan struct{}
	// Notice is told once, when there is somebody to wait for. May be nil.
	Notice func(held resource.Lease)
}

// Held is a lease that is held and renewed until it is released.
type Held struct {
	opts   LeaseOptions
	mu     sync.Mutex
	store  resource.Leaser
	lease  *resource.Lease
	cancel context.CancelFunc
	ended  chan struct{}
}

// Acquire takes the lease, or returns a [*HeldLease]. The lost function is
// called once if the lease cannot be kept.
func Acquire(ctx context.Context, store resource.Leaser, opts LeaseOptions, lost func(error)) (*Held, error) {
	if opts.TTL == 0 {
		opts.TTL = LeaseTTL
	}
	lease, asked, err := take(ctx, store, opts)
	if err != nil {
		return nil, err
	}
	renewals, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &Held{store: store, opts: opts, lease: lease, cancel: cancel, ended: make(chan struct{})}
	go h.renew(renewals, asked, lost)
	return h, nil
}

// Through lets a lease be renewed and given back through another connection to
// what keeps it: one swarm is reached through any of its managers.
func (h *Held) Through(store resource.Leaser) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = store
}

// Store is what the lease is kept through.
func (h *Held) Store() resource.Leaser {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store
}

// take tries until the lease is free, expired, or the wait is over. It returns
// when, by our clock, the store was asked for the time that the lease runs
// from: it lasts at least [LeaseOptions.TTL] from then.
func take(ctx context.Context, store resource.Leaser, opts LeaseOptions) (lease *resource.Lease, asked time.Time, err error) {
	deadline := time.Now().Add(opts.Wait)
	told := false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if closed(opts.Stop) {
			return nil, asked, ErrStopped
		}
		asked = time.Now()
		lease, held, err := takeOnce(ctx, store, opts)
		if lease != nil || err != nil {
			return lease, asked, err
		}
		if !time.Now().Before(deadline) {
			return nil, asked, &HeldLease{Project: opts.Project, Lease: *held}
		}
		if !told && opts.Notice != nil {
			told = true
			opts.Notice(*held)
		}
		select {
		case <-time.After(pause):
		case <-opts.Stop:
		case <-ctx.Done():
			return nil, asked, context.Cause(ctx)
		}
	}
}

// takeOnce returns the lease, or the one that somebody else holds. One that this
// run holds already, by a write whose answer was lost or under another name of the
// store, is its own. Time is the store's, so that two operators' clocks need not
// agree. A store that is so slow that a renewal would be due already is given up:
// what it writes later expires.
func takeOnce(ctx context.Context, store resource.Leaser, opts LeaseOptions) (lease, held *resource.Lease, err error) {
	ctx, cancel := context.WithTimeout(ctx, opts.TTL/3)
	defer cancel()
	old, now, err := store.ReadLease(ctx, opts.Project)
	if err != nil {
		return nil, nil, fmt.Errorf("read the lease of %s: %w", opts.Project, inTime(err))
	}
	if old != nil && old.Holder != opts.Holder && old.Expires.After(now) {
		return nil, old, nil
	}
	next := &resource.Lease{Holder: opts.Holder, Why: opts.Why, Since: now, Expires: now.Add(opts.TTL)}
	lease, err = store.WriteLease(ctx, opts.Project, old, next)
	switch {
	case err == nil:
		return lease, nil, nil
	case !errors.Is(err, resource.ErrConflict):
		_ = giveBack(ctx, store, opts, nil) // it may have been written; the error says enough
		return nil, nil, fmt.Errorf("take the lease of %s: %w", opts.Project, inTime(err))
	}
	// Somebody was faster; who, the next read says.
	if held, _, err = store.ReadLease(ctx, opts.Project); err != nil || held == nil {
		held = &resource.Lease{Holder: "somebody who was faster"}
	}
	if held.Holder == opts.Holder { // an earlier write of ours went through; it may be about to expire
		if lease, err = store.WriteLease(ctx, opts.Project, held, next); err == nil {
			return lease, nil, nil
		}
	}
	return nil, held, nil
}

// inTime says of a call that a limit of ours ended what that means.
func inTime(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: what holds it did not answer in time", resource.ErrUnreachable)
	}
	return err
}

// renew keeps the lease until it is released, or tells that it was lost:
// somebody else wrote it, or the store did not answer for so long that it is
// about to expire. What is left then, a sixth of its time, is for the steps to
// stop in.
func (h *Held) renew(ctx context.Context, asked time.Time, lost func(error)) {
	defer close(h.ended)
	interval := h.opts.TTL / 3
	timer := time.NewTimer(time.Until(asked.Add(interval)))
	defer timer.Stop()
	deadline := asked.Add(h.opts.TTL - interval/2)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		asked := time.Now()
		err := h.renewOnce(ctx, deadline)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			deadline = asked.Add(h.opts.TTL - interval/2)
			timer.Reset(interval)
		case errors.Is(err, resource.ErrConflict) || !time.Now().Before(deadline):
			lost(&LostLease{Project: h.opts.Project, Err: err})
			return
		default:
			timer.Reset(min(interval/4, time.Until(deadline)))
		}
	}
}

func (h *Held) renewOnce(ctx context.Context, deadline time.Time) (err error) {
	defer func() { err = inTime(err) }()
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	ctx, cancelTry := context.WithTimeout(ctx, h.opts.TTL/3)
	defer cancelTry()
	store := h.Store()
	current, now, err := store.ReadLease(ctx, h.opts.Project)
	if err != nil {
		return err
	}
	if current == nil || current.Holder != h.opts.Holder {
		return fmt.Errorf("%w: it is not ours any more", resource.ErrConflict)
	}
	next := *current
	next.Expires = now.Add(h.opts.TTL)
	got, err := store.WriteLease(ctx, h.opts.Project, current, &next)
	if errors.Is(err, resource.ErrConflict) {
		// The ledger lives beside the lease and is written by the same run: a
		// version that moved is only a loss if the holder did.
		again, _, rerr := store.ReadLease(ctx, h.opts.Project)
		switch {
		case rerr != nil: // not known, which is no loss yet
			return rerr
		case again != nil && again.Holder == h.opts.Holder:
			return errors.New("written by this run in between")
		}
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.lease = got
	h.mu.Unlock()
	return nil
}

// Abandon ends the renewals, where what holds the lease is about to go: until
// then it keeps others away for as long as a dead holder's would.
func (h *Held) Abandon() {
	h.cancel()
	<-h.ended
}

// Release gives the lease back. It is given back also when the run was
// cancelled, within a few seconds; if that fails it expires.
func (h *Held) Release(ctx context.Context) error {
	h.Abandon()
	h.mu.Lock()
	last, store := h.lease, h.store
	h.mu.Unlock()
	return giveBack(ctx, store, h.opts, last)
}

// giveBack releases a lease, if it is this run's. A store that is only busy, such
// as a swarm whose leader changes, is asked again for a while. It may not be as it
// was known last: an answer to a renewal was lost, or it is not ours.
func giveBack(ctx context.Context, store resource.Leaser, opts LeaseOptions, last *resource.Lease) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if last != nil {
			_, err = store.WriteLease(ctx, opts.Project, last, nil)
			if err == nil || !again(err) {
				return err
			}
		}
		now, _, rerr := store.ReadLease(ctx, opts.Project)
		switch {
		case rerr == nil && (now == nil || now.Holder != opts.Holder):
			return nil
		case rerr == nil:
			last = now
		case !again(rerr):
			return rerr
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return cmp.Or(err, rerr, ctx.Err())
		}
	}
}

// releaseTime bounds how long a lease is tried to be given back.
const releaseTime = 5 * time.Second

// again reports whether a store may take on the next try what it refused.
func again(err error) bool {
	return errors.Is(err, resource.ErrConflict) || errors.Is(err, resource.ErrTransient)
}
