package apply

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

func neverLost(t *testing.T) func(error) {
	return func(err error) { t.Errorf("lost: %v", err) }
}

func options(holder string) LeaseOptions {
	return LeaseOptions{Project: "shop", Holder: holder, Why: "apply cluster.star"}
}

func acquire(t *testing.T, s *store, o LeaseOptions) *Held {
	t.Helper()
	h, err := Acquire(t.Context(), s, o, neverLost(t))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLeaseIsKeptAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{skew: -time.Hour} // two clocks need not agree
		h := acquire(t, s, options("ann"))
		time.Sleep(10 * LeaseTTL)
		synctest.Wait()
		if s.writes != 1+30 || s.holder() != "ann" {
			t.Errorf("after ten times its life it was written %d times, held by %q; want one write in a third of it", s.writes, s.holder())
		}
		if err := h.Release(t.Context()); err != nil || s.holder() != "" {
			t.Errorf("released: %v, held by %q", err, s.holder())
		}
		time.Sleep(LeaseTTL)
		if s.holder() != "" {
			t.Error("renewed after its release")
		}
	})
}

// A lease outlasts what keeps it being off for a while, and lasts as long as others
// once that is back; where it cannot be written it stays as it was.
func TestLeaseOutlasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		h := acquire(t, s, options("ann"))
		if err := h.Outlast(t.Context(), 20*LeaseTTL, neverLost(t)); err != nil {
			t.Fatal(err)
		}
		answers := func(before func(context.Context, string) error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.before = before
		}
		answers(func(context.Context, string) error { return resource.ErrUnreachable })
		time.Sleep(5 * LeaseTTL)
		if err := h.Outlast(t.Context(), LeaseTTL, neverLost(t)); !errors.Is(err, resource.ErrUnreachable) {
			t.Errorf("what does not answer: %v", err)
		}
		answers(nil)
		if err := h.Outlast(t.Context(), LeaseTTL, neverLost(t)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		before := s.writes
		time.Sleep(10 * LeaseTTL)
		synctest.Wait()
		if s.writes-before != 30 || s.holder() != "ann" {
			t.Errorf("back, it was written %d times, held by %q; want one write in a third of its life", s.writes-before, s.holder())
		}
		if err := h.Release(t.Context()); err != nil || s.holder() != "" {
			t.Errorf("released: %v, held by %q", err, s.holder())
		}
	})
}

// A lease outlives the context it was taken under: a cancelled run still holds
// it while its steps end, and gives it back.
func TestLeaseOutlivesCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		ctx, cancel := context.WithCancel(t.Context())
		h, err := Acquire(ctx, s, options("ann"), neverLost(t))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(2 * LeaseTTL)
		if s.holder() != "ann" {
			t.Error("not renewed")
		}
		if err := h.Release(ctx); err != nil || s.holder() != "" {
			t.Errorf("released: %v, held by %q", err, s.holder())
		}
	})
}

func TestHeldLeaseNamesItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		h := acquire(t, s, options("ann@laptop, process 7"))
		defer h.Release(t.Context())
		_, err := Acquire(t.Context(), s, options("bob"), neverLost(t))
		var held *HeldLease
		if !errors.As(err, &held) || held.Lease.Holder != "ann@laptop, process 7" {
			t.Fatalf("got %v", err)
		}
		at := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
		want := "shop is being applied by ann@laptop, process 7 (apply cluster.star) since " + at(0) +
			"; wait for it, or use --lock-timeout; a dead holder's lease expires at " + at(LeaseTTL)
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if ExitCodeOf(err, ExitError) != ExitStale {
			t.Errorf("exit code %d", ExitCodeOf(err, ExitError))
		}
	})
}

func TestLeaseWaits(t *testing.T) {
	tests := []struct {
		name    string
		release time.Duration // when ann gives it back; 0: she died
		wait    time.Duration
		gets    bool
	}{
		{"until it is given back", 5 * time.Second, time.Minute, true},
		{"as long as it was told", 10 * time.Second, 5 * time.Second, false},
		{"until a dead holder's expires", 0, time.Minute, true},
		{"not until a dead holder's expires", 0, 20 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				if tt.release == 0 {
					s.lease = &resource.Lease{Holder: "ann", Expires: time.Now().Add(LeaseTTL)}
				} else {
					h := acquire(t, s, options("ann"))
					time.AfterFunc(tt.release, func() { h.Release(context.Background()) })
				}
				var told []string
				o := options("bob")
				o.Wait, o.Notice = tt.wait, func(l resource.Lease) { told = append(told, l.Holder) }
				begun := time.Now()
				h, err := Acquire(t.Context(), s, o, neverLost(t))
				waited := time.Since(begun)
				switch {
				case tt.gets && err != nil, !tt.gets && !errors.As(err, new(*HeldLease)):
					t.Errorf("got %v", err)
				case tt.gets && tt.release > 0 && waited > tt.release+time.Second, tt.gets && tt.release == 0 && (waited < LeaseTTL || waited > LeaseTTL+time.Second):
					t.Errorf("waited %s", waited)
				case !tt.gets && (waited < tt.wait || waited > tt.wait+time.Second):
					t.Errorf("gave up after %s", waited)
				}
				if strings.Join(told, " ") != "ann" {
					t.Errorf("told %q, want ann once", told)
				}
				if h != nil {
					h.Release(t.Context())
				}
				time.Sleep(time.Minute) // let ann go
			})
		})
	}
}

func TestLeaseWaitIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{lease: &resource.Lease{Holder: "ann", Expires: time.Now().Add(time.Hour)}}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("ctrl-c")) })
		o := options("bob")
		o.Wait = time.Hour
		if _, err := Acquire(ctx, s, o, neverLost(t)); err == nil || err.Error() != "ctrl-c" {
			t.Errorf("got %v", err)
		}
	})
}

// losing takes a lease, lets things happen to the store, and returns when and
// why it was lost; zero where it was not within a minute.
func losing(t *testing.T, s *store, happen func()) (after time.Duration, why error) {
	t.Helper()
	begun := time.Now()
	h, err := Acquire(t.Context(), s, options("ann"), func(err error) {
		if why != nil {
			t.Error("lost twice")
		}
		after, why = time.Since(begun), err
	})
	if err != nil {
		t.Fatal(err)
	}
	happen()
	time.Sleep(time.Minute)
	s.change(func() { s.before = nil })
	h.Release(t.Context())
	return after, why
}

// Stop ends the wait too, and after it nobody asks for the lease.
func TestLeaseWaitIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		first, err := Acquire(t.Context(), s, LeaseOptions{Project: "shop", Holder: "first"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		begun := time.Now()
		second := LeaseOptions{Project: "shop", Holder: "second", Wait: time.Hour, Stop: stop,
			Notice: func(resource.Lease) { time.AfterFunc(5*time.Second, func() { close(stop) }) }}
		if _, err := Acquire(t.Context(), s, second, nil); !errors.Is(err, ErrStopped) || time.Since(begun) > 6*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := Acquire(t.Context(), s, second, nil); !errors.Is(err, ErrStopped) || s.lease != nil {
			t.Errorf("of a free lease: %v, %v", err, s.lease)
		}
	})
}

func TestLeaseLost(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*store)
		after  time.Duration // 0: it is not lost
		why    string
	}{
		{"somebody took it", func(s *store) { s.lease = &resource.Lease{Holder: "bob"} },
			LeaseTTL / 3, "changed by somebody else in between: it is not ours any more"},
		{"somebody removed it", func(s *store) { s.lease = nil },
			LeaseTTL / 3, "changed by somebody else in between: it is not ours any more"},
		{"the store refuses", func(s *store) {
			s.before = func(context.Context, string) error { return resource.ErrUnreachable }
		}, LeaseTTL * 5 / 6, "unreachable"},
		{"the store does not answer", func(s *store) {
			s.before = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		}, LeaseTTL * 5 / 6, "unreachable: what holds it did not answer in time"},
		{"two renewals fail", func(s *store) {
			n := 0
			s.before = func(context.Context, string) error {
				if n++; n <= 2 {
					return resource.ErrTransient
				}
				return nil
			}
		}, 0, ""},
		{"the ledger is written during every other renewal", func(s *store) {
			writes := 0
			s.before = func(_ context.Context, op string) error {
				if op == "write" {
					if writes++; writes%2 == 1 {
						s.ledgerWritten()
					}
				}
				return nil
			}
		}, 0, ""},
		{"the ledger is written, and who holds it cannot be read", func(s *store) {
			n := 0
			s.before = func(_ context.Context, op string) error {
				switch n++; n {
				case 2:
					s.ledgerWritten()
				case 3:
					return resource.ErrTransient
				}
				return nil
			}
		}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				after, why := losing(t, s, func() { s.change(func() { tt.happen(s) }) })
				if after != tt.after {
					t.Errorf("lost after %s, want %s", after, tt.after)
				}
				var lost *LostLease
				if tt.why != "" && (!errors.As(why, &lost) || lost.Err.Error() != tt.why) {
					t.Errorf("because of %v, want %s", why, tt.why)
				}
			})
		})
	}
}

// A swarm that is looking for a leader takes nothing: the lease is given back as
// soon as it can be, and one whose taking nobody heard of is not in the next run's
// way, nor in this one's.
func TestLeaseOfABusyStore(t *testing.T) {
	busy := fmt.Errorf("%w: the swarm has no leader", resource.ErrTransient)
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		h := acquire(t, s, options("ann"))
		until := time.Now().Add(3 * time.Second)
		s.before = func(context.Context, string) error {
			if time.Now().Before(until) {
				return busy
			}
			return nil
		}
		if err := h.Release(t.Context()); err != nil || s.holder() != "" {
			t.Errorf("released: %v, held by %q", err, s.holder())
		}

		// The answer to the write is lost.
		s.before = func(_ context.Context, op string) error {
			if op == "write" && s.lease == nil {
				s.change(func() { s.lease = &resource.Lease{Holder: "ann", Expires: time.Now().Add(LeaseTTL)} })
				return busy
			}
			return nil
		}
		if _, err := Acquire(t.Context(), s, options("ann"), neverLost(t)); !errors.Is(err, resource.ErrTransient) {
			t.Errorf("taken: %v", err)
		}
		if s.holder() != "" {
			t.Errorf("what was not taken is held by %q", s.holder())
		}

		// Under another name of the store, and once more.
		s.before = nil
		one, two := acquire(t, s, options("ann")), acquire(t, s, options("ann"))
		time.Sleep(3 * LeaseTTL)
		for _, h := range []*Held{one, two} {
			if err := h.Release(t.Context()); err != nil || s.holder() != "" {
				t.Errorf("released: %v, held by %q", err, s.holder())
			}
		}
	})
}

// Release takes away what is ours and nothing else.
func TestReleaseLeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		h := acquire(t, s, options("ann"))
		s.change(func() { s.lease = &resource.Lease{Holder: "bob"} })
		if err := h.Release(t.Context()); err != nil || s.holder() != "bob" {
			t.Errorf("released: %v, held by %q", err, s.holder())
		}
	})
}

// However the store fails, and however slow it is, two operators never work at
// once: who has lost the lease is told before another can take it.
func TestLeaseExcludes(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex // guards all that follows
			r := rand.New(rand.NewPCG(seed, 5))
			working, turns := "", 0
			roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
			s := &store{skew: time.Duration(roll(100)) * time.Second}
			s.before = func(ctx context.Context, _ string) error {
				var pause time.Duration
				switch roll(12) {
				case 0:
					return resource.ErrTransient
				case 1: // for so long that a lease may be lost
					pause = time.Duration(roll(60)) * time.Second
				case 2:
					s.ledgerWritten()
				default:
					pause = time.Duration(roll(500)) * time.Millisecond
				}
				select {
				case <-time.After(pause):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			operator := func(name string) {
				for range 5 {
					o := options(name)
					o.Wait = time.Duration(roll(90)) * time.Second
					stop := make(chan struct{})
					h, err := Acquire(context.Background(), s, o, func(error) { close(stop) })
					if err != nil {
						time.Sleep(time.Duration(roll(3000)) * time.Millisecond)
						continue
					}
					mu.Lock()
					if working != "" {
						t.Errorf("seed %d: %s works while %s does", seed, name, working)
					}
					working, turns = name, turns+1
					mu.Unlock()
					select {
					case <-time.After(time.Duration(roll(120)) * time.Second):
					case <-stop:
					}
					mu.Lock()
					working = ""
					mu.Unlock()
					h.Release(context.Background())
				}
			}
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() { operator(fmt.Sprint("operator", i)) })
			}
			all.Wait()
			if turns == 0 {
				t.Errorf("seed %d: nobody had a turn", seed)
			}
		})
	}
}

func TestHolderTellsRunsApart(t *testing.T) {
	if a, b := Holder(), Holder(); a == b || !strings.Contains(a, "@") {
		t.Errorf("got %q and %q", a, b)
	}
}

// A store that does not answer while the lease is taken is out of reach.
func TestLeaseStoreHangs(t *testing.T) {
	for _, hangs := range []string{"read", "write"} {
		synctest.Test(t, func(t *testing.T) {
			s := &store{before: func(ctx context.Context, op string) error {
				if op != hangs {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}}
			_, err := Acquire(t.Context(), s, options("ann"), neverLost(t))
			if !errors.Is(err, resource.ErrUnreachable) || ExitCodeOf(err, ExitError) != ExitUnreachable || !strings.Contains(err.Error(), "did not answer in time") {
				t.Errorf("%s: %v, exit code %d", hangs, err, ExitCodeOf(err, ExitError))
			}
		})
	}
}
