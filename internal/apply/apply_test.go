package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestIndependentBranchesGoOn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Create, "net")
		y.step(plan.Create, "app", "net")
		y.step(plan.Create, "proxy", "app")
		y.step(plan.Create, "volume")
		y.step(plan.Create, "db", "volume")
		y.fails("create net", errBroken)
		res := y.run(t.Context())
		y.expect(res, "net failed: broken, app skipped because of net, proxy skipped because of net, volume ok, db ok", ExitFailed)
		if ok, failed, skipped := res.Count(); ok != 2 || failed != 1 || skipped != 2 {
			t.Errorf("counted %d, %d, %d", ok, failed, skipped)
		}
		if got := y.did("create"); strings.Contains(got, "app") || strings.Contains(got, "proxy") {
			t.Errorf("did %s", got)
		}
	})
}

// A step that is blocked fails nobody else, and takes what needs it along.
func TestBlockedStep(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Delete, "old").Blocked = "it would now be deleted"
		y.step(plan.Create, "app", "old")
		y.step(plan.Create, "db")
		y.expect(y.run(t.Context()),
			"old skipped: the plan did not show this: it would now be deleted, app skipped because of old, db ok", ExitStale)
		if got := y.did("create", "delete"); got != "create db" {
			t.Errorf("did %s", got)
		}
	})
}

// The first half of a replacement ran, the second half could not: that is told
// as skipped, with the step it is because of.
func TestHalfAReplacement(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Create, "net")
		y.step(plan.Replace, "app", "net")
		y.on("create net", after(time.Second, errBroken))
		y.expect(y.run(t.Context()), "net failed: broken, app skipped because of net", ExitFailed)
		if got := y.did("create", "delete"); got != "create net, delete app" && got != "delete app, create net" {
			t.Errorf("did %s", got)
		}
	})
}

// Once stopped, nothing new begins, whether it waits for others or for its
// turn; what runs ends well.
func TestStop(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		stop := make(chan struct{})
		y.in.Stop, y.in.Parallelism = stop, 2
		for i := range 6 {
			name := fmt.Sprint("box", i)
			y.step(plan.Create, name)
			y.on("create "+name, after(2*time.Second, nil))
		}
		y.step(plan.Create, "last", "box0")
		time.AfterFunc(time.Second, func() { close(stop) })
		res := y.run(t.Context())
		if got := strings.Count(y.did("create"), "create"); got != 2 {
			t.Errorf("did %s", y.did("create"))
		}
		if ok, failed, skipped := res.Count(); ok != 2 || failed != 0 || skipped != 5 {
			t.Errorf("got %s", outcomes(res))
		}
		if res.ExitCode() != ExitInterrupted {
			t.Errorf("exit code %d", res.ExitCode())
		}
	})
}

// Of a step that ends and a stop at the same moment, the stop counts.
func TestStopAtTheLastMoment(t *testing.T) {
	for range 50 {
		inYard(t, func(t *testing.T, y *yard) {
			stop := make(chan struct{})
			y.in.Stop = stop
			y.step(plan.Create, "a")
			y.step(plan.Create, "b", "a")
			y.on("settle a", func(context.Context, int) error { close(stop); return nil })
			y.expect(y.run(t.Context()), "a ok, b skipped", ExitInterrupted)
		})
	}
}

// A stop when all is done interrupts nothing.
func TestStopTooLate(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		stop := make(chan struct{})
		y.in.Stop = stop
		y.step(plan.Create, "a")
		y.on("settle a", func(context.Context, int) error { close(stop); return nil })
		y.expect(y.run(t.Context()), "a ok", ExitOK)
	})
}

func TestCancel(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		ctx, cancel := context.WithCancelCause(t.Context())
		y.in.Parallelism = 1
		y.step(plan.Create, "a")
		y.step(plan.Create, "b", "a")
		y.step(plan.Create, "c")
		y.on("create a", after(time.Hour, nil))
		y.on("create c", after(time.Hour, nil))
		begun := time.Now()
		time.AfterFunc(time.Second, func() { cancel(errors.New("second ctrl-c")) })
		res := y.run(ctx)
		if time.Since(begun) != time.Second {
			t.Errorf("took %s", time.Since(begun))
		}
		if got := y.did("create"); got != "create a" && got != "create c" {
			t.Errorf("did %s", got)
		}
		if ok, failed, skipped := res.Count(); ok != 0 || failed != 1 || skipped != 2 || res.ExitCode() != ExitInterrupted {
			t.Errorf("got %s, exit code %d", outcomes(res), res.ExitCode())
		}
		for _, s := range res.Steps {
			if s.Outcome == Omitted && (s.Err == nil || s.Err.Error() != "second ctrl-c") {
				t.Errorf("%s is skipped because of %v", s.Change.Address, s.Err)
			}
		}
	})
}

// As many steps write at once as are allowed, never more. Steps that only wait
// for convergence do not count.
func TestParallelism(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		const limit, steps = 3, 12
		y.in.Parallelism = limit
		var writing, settling, most atomic.Int32
		release := make(chan struct{})
		for i := range steps {
			name := fmt.Sprint("box", i)
			y.step(plan.Create, name)
			y.on("create "+name, func(context.Context, int) error {
				n := writing.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				writing.Add(-1)
				return nil
			})
			y.on("settle "+name, func(context.Context, int) error {
				settling.Add(1)
				<-release
				return nil
			})
		}
		ended := make(chan *Result)
		go func() { ended <- y.run(t.Context()) }()
		time.Sleep(steps/limit*time.Second + time.Millisecond)
		synctest.Wait()
		if most.Load() != limit || settling.Load() != steps {
			t.Errorf("at most %d wrote at once, and %d of %d settle; want %d, and all", most.Load(), settling.Load(), steps, limit)
		}
		close(release)
		if ok, _, _ := (<-ended).Count(); ok != steps {
			t.Errorf("%d of %d ended well", ok, steps)
		}
	})
}

// A step that another one keeps from beginning lets others have its turn, and
// takes it again before it writes.
func TestTurns(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.in.Parallelism = 1
		y.step(plan.Create, "a")
		y.step(plan.Create, "b")
		y.step(plan.Create, "c", "b")
		made := make(chan struct{})
		y.on("wait a", func(context.Context, int) error { <-made; return nil })
		y.on("create b", func(context.Context, int) error { close(made); return nil })
		var writing atomic.Int32
		for _, name := range []string{"a", "c"} {
			y.on("create "+name, func(context.Context, int) error {
				if n := writing.Add(1); n > 1 {
					t.Errorf("%d steps write at once", n)
				}
				time.Sleep(time.Second)
				writing.Add(-1)
				return nil
			})
		}
		y.expect(y.run(t.Context()), "a ok, b ok, c ok", ExitOK)
	})
	inYard(t, func(t *testing.T, y *yard) {
		stop := make(chan struct{})
		y.in.Stop = stop
		y.step(plan.Create, "a")
		y.on("wait a", func(context.Context, int) error { close(stop); return nil })
		if ok, failed, skipped := y.run(t.Context()).Count(); ok != 0 || failed != 0 || skipped != 1 {
			t.Errorf("a stopped run: %d ok, %d failed, %d skipped", ok, failed, skipped)
		}
		if got := y.did("create"); got != "" {
			t.Errorf("a stopped run did %s", got)
		}
	})
}

func TestSettling(t *testing.T) {
	notConverged := &resource.NotConverged{Summary: "rolled back", Detail: "web.1 on wrk-1: exit 1"}
	tests := []struct {
		name    string
		prepare func(*yard, *plan.Change)
		want    string
		exit    int
	}{
		{"it converges", func(y *yard, c *plan.Change) { y.on("settle a", after(time.Minute, nil)) }, "a ok, b ok", ExitOK},
		{"it does not", func(y *yard, c *plan.Change) { y.fails("settle a", notConverged) },
			"a failed: rolled back\n\nweb.1 on wrk-1: exit 1, b skipped because of a", ExitNotConverged},
		{"not in time", func(y *yard, c *plan.Change) { y.on("settle a", after(time.Hour, nil)) },
			"a failed: did not converge in 5m0s\n\ncontext deadline exceeded, b skipped because of a", ExitNotConverged},
		{"not in the time of all", func(y *yard, c *plan.Change) { y.in.Timeout = time.Minute; y.on("settle a", after(time.Hour, nil)) },
			"a failed: did not converge in 1m0s\n\ncontext deadline exceeded, b skipped because of a", ExitNotConverged},
		{"not in its own", func(y *yard, c *plan.Change) { c.Decl.Timeout = time.Second; y.on("settle a", after(time.Minute, nil)) },
			"a failed: did not converge in 1s\n\ncontext deadline exceeded, b skipped because of a", ExitNotConverged},
		{"detached", func(y *yard, c *plan.Change) { y.in.Detach = true; y.fails("settle a", notConverged) }, "a ok, b ok", ExitOK},
		{"told not to wait", func(y *yard, c *plan.Change) { c.Decl.NoWait = true; y.fails("settle a", notConverged) }, "a ok, b ok", ExitOK},
		{"as declared, but not converged", func(y *yard, c *plan.Change) {
			c.Action, c.Unsettled, c.Live = plan.NoOp, "2/4 running", y.live("a")
			y.fails("settle a", notConverged)
		}, "a failed: rolled back\n\nweb.1 on wrk-1: exit 1, b skipped because of a", ExitNotConverged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard) {
				c := y.step(plan.Create, "a")
				y.step(plan.Create, "b", "a")
				tt.prepare(y, c)
				y.expect(y.run(t.Context()), tt.want, tt.exit)
			})
		})
	}
}

// A scope that the run makes is opened and observed once, however many steps
// wait for it. (Opening takes no time here: a bubble's clock stands still while a
// goroutine waits for a mutex.)
func TestScopeIsOpenedOnce(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		opened := 0
		y.in.Opened = func(_ context.Context, addr string, _ *resource.Object, s *Scope) error {
			opened++
			return nil
		}
		opener := y.step(plan.Create, "house")
		for i := range 20 {
			name := fmt.Sprint("room", i)
			c := y.step(plan.Create, name, "house")
			c.Scope, c.Deferred = string(opener.Address), true
			c.Address = value.NewAddress(c.Scope, "box", name)
			c.Decl.Scope, c.Decl.Address = c.Scope, c.Address
		}
		res := y.run(t.Context())
		if ok, _, _ := res.Count(); ok != 21 || y.opens != 1 || y.observed != 1 || opened != 1 {
			t.Errorf("opened %d times, observed %d, told %d: %s", y.opens, y.observed, opened, outcomes(res))
		}
	})
}

// Where a scope cannot be opened, what is in it fails, and says so.
func TestScopeCannotBeOpened(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		opener := y.step(plan.Create, "house")
		c := y.step(plan.Create, "room", "house")
		c.Scope, c.Deferred = string(opener.Address), true
		y.fails("open house", resource.ErrUnreachable)
		y.expect(y.run(t.Context()), "house ok, room failed: open yard.y/box.house: unreachable", ExitUnreachable)
	})
}

// A deletion that only waits lets others write.
func TestDeletionGivesItsSlotBack(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.in.Parallelism = 1
		for _, name := range []string{"a", "b", "c"} {
			y.step(plan.Delete, name)
			y.on("stop "+name, after(time.Minute, nil))
		}
		begun := time.Now()
		y.expect(y.run(t.Context()), "a ok, b ok, c ok", ExitOK)
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("took %s", took)
		}
	})
}

// A scope that whoever is told of it refuses is opened once, and what is in it
// fails for the same reason.
func TestScopeIsRefusedOnce(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		told := 0
		y.in.Opened = func(context.Context, string, *resource.Object, *Scope) error { told++; return errBroken }
		opener := y.step(plan.Create, "house")
		for _, name := range []string{"room1", "room2", "room3"} {
			c := y.step(plan.Create, name, "house")
			c.Scope, c.Deferred = string(opener.Address), true
		}
		y.expect(y.run(t.Context()), "house ok, room1 failed: broken, room2 failed: broken, room3 failed: broken", ExitFailed)
		if told != 1 || y.opens != 1 {
			t.Errorf("opened %d times, told %d", y.opens, told)
		}
	})
}

func TestOutputs(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Create, "a")
		y.step(plan.Create, "b")
		y.fails("create b", errBroken)
		ref := func(name string) value.Value {
			return value.Ref{Address: value.NewAddress(yardAddr, "box", name), Output: "addr"}
		}
		y.program.Outputs = []resource.OutputValue{
			{Name: "a", Value: ref("a")}, {Name: "b", Value: ref("b")}, {Name: "c", Value: value.Secret{V: "x"}},
		}
		got := y.run(t.Context()).Outputs
		if got[0].Value != "at-a" || got[1].Value != nil || !got[2].Sensitive || got[0].Sensitive {
			t.Errorf("got %+v", got)
		}
	})
}

func TestExitCode(t *testing.T) {
	failed := errors.New("x")
	unreachable := fmt.Errorf("dial: %w", resource.ErrUnreachable)
	notConverged := fmt.Errorf("web: %w", &resource.NotConverged{})
	tests := []struct {
		name string
		errs []error
		r    Result
		want int
	}{
		{"nothing", nil, Result{}, ExitOK},
		{"all went well", []error{nil, nil}, Result{}, ExitOK},
		{"one failed", []error{nil, failed}, Result{}, ExitFailed},
		{"one did not converge", []error{notConverged}, Result{}, ExitNotConverged},
		{"one is stale", []error{fmt.Errorf("%w: y", ErrStale)}, Result{}, ExitStale},
		{"one could not be reached", []error{unreachable}, Result{}, ExitUnreachable},
		{"stale says more than not converged", []error{notConverged, ErrStale}, Result{}, ExitStale},
		{"failed says more than stale", []error{ErrStale, failed, notConverged}, Result{}, ExitFailed},
		{"a lost connection explains all", []error{failed, unreachable, ErrStale}, Result{}, ExitUnreachable},
		{"interrupted", []error{failed}, Result{Interrupted: true}, ExitInterrupted},
		{"a lost lease", []error{unreachable}, Result{Interrupted: true, LeaseLost: failed}, ExitStale},
		{"a lost lease, as a step saw it", []error{&LostLease{Err: failed}}, Result{}, ExitStale},
	}
	for _, tt := range tests {
		for _, err := range tt.errs {
			tt.r.Steps = append(tt.r.Steps, &StepResult{Err: err})
		}
		if got := tt.r.ExitCode(); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
