package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// holding begins an apply and holds it at its first step until the function
// that it returns is called, which returns how the apply ended.
func (f *fixture) holding() func() (*apply.Result, error) {
	f.Helper()
	p := f.Plan()
	begun, goOn := make(chan struct{}), make(chan struct{})
	type ended struct {
		r   *apply.Result
		err error
	}
	done := make(chan ended, 1)
	go func() {
		first := true
		r, err := p.Apply(context.Background(), ApplyOptions{Why: "the first apply", Sink: func(e apply.Event) {
			if e.Type == apply.Started && first {
				first = false
				close(begun)
				<-goOn
			}
		}})
		done <- ended{r, err}
	}()
	select {
	case <-begun:
	case e := <-done:
		f.Fatalf("the apply ended at once: %v", e.err)
	}
	return func() (*apply.Result, error) {
		close(goOn)
		e := <-done
		return e.r, e.err
	}
}

// twoApplies checks that the second of two applies is told about the first, or
// waits for it.
func twoApplies(f *fixture) {
	f.Helper()
	end := f.holding()
	p := f.Plan()
	r, err := f.Carry(p)
	f.ended(r, err, apply.ExitStale, f.project+" is being applied by ", "(the first apply) since", "--lock-timeout")
	if held := new(apply.HeldLease); !errors.As(err, &held) || !strings.Contains(held.Lease.Holder, ", process ") {
		f.Errorf("the holder is told as %v", err)
	}

	waiting := make(chan struct{})
	f.opts.LockTimeout = 3 * time.Minute
	p = f.Plan()
	done := make(chan error, 1)
	go func() {
		r, err := p.Apply(context.Background(), ApplyOptions{Why: "the second apply", Sink: func(e apply.Event) {
			if e.Type == apply.Notice && strings.Contains(e.Text, "the first apply") {
				close(waiting)
			}
		}})
		if code, text := ending(r, err); code != 0 {
			err = errors.New(text)
		}
		done <- err
	}()
	<-waiting
	r, err = end()
	f.wentWell(r, err)
	if err := <-done; err != nil {
		f.Errorf("who waited: %v", err)
	}
	f.PlanIsEmpty()
}

func TestStoryTwoApplies(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`svc("apply_web", replicas = 0)`)
		twoApplies(f)
	})
}

// On an engine outside a swarm a volume holds the lease.
func TestStoryTwoAppliesWithoutSwarm(t *testing.T) {
	t.Parallel()
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, testengine.Start(t, v))
			f.Bare(`
project(var("project"))
network("plain", engine = engine(var("host"), name = "lab"), driver = "bridge")
`)
			twoApplies(f)
			f.Docker("network", "inspect", "plain")
			f.Apply(func(o *Options) { o.Destroy = true })
			if _, err := f.e.TryDocker("network", "inspect", "plain"); err == nil {
				t.Error("it is still there")
			}
			// Both engines and swarms: the lease moves to the swarm that is made.
			f.Bare(`
project(var("project"))
here = engine(var("host"), name = "lab")
network("plain", engine = here, driver = "bridge")
cluster = swarm.init(here, advertise_addr = var("addr"))
network("mesh", driver = "overlay")
`)
			f.Repaired("+ network.plain", "+ swarm.main", "+ network.mesh")
		})
	}
}

// writeLease makes somebody else the holder.
func (f *fixture) writeLease(p *Planned, ttl time.Duration) {
	f.Helper()
	ctx := context.Background()
	store := p.view.leasers()[0].store
	for try := 0; ; try++ {
		old, now, err := store.ReadLease(ctx, f.project)
		if err != nil {
			f.Fatal(err)
		}
		_, err = store.WriteLease(ctx, f.project, old, &resource.Lease{Holder: "somebody else", Why: "to test", Since: now, Expires: now.Add(ttl)})
		if err == nil {
			return
		}
		if try > 5 {
			f.Fatal(err)
		}
	}
}

// A holder that died is waited for no longer than its lease lives.
func TestStoryDeadHolder(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("dead_web", replicas = 0)`)
		p := f.Plan()
		f.writeLease(p, time.Hour)
		r, err := f.Carry(p)
		f.ended(r, err, apply.ExitStale, "somebody else (to test)")
		f.writeLease(f.Plan(), 2*time.Second)
		f.Apply(func(o *Options) { o.LockTimeout = 3 * time.Minute })
		f.PlanIsEmpty()
	})
}

// A lease that somebody else takes over cancels the steps.
func TestStoryLostLease(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("lost_web", healthcheck = healthcheck("/nothing", start_period = "60s"))`)
		p := f.Plan()
		other := f.Plan()
		taken := false
		r, err := f.Carry(p, func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Progressed && !taken {
					taken = true
					f.writeLease(other, time.Second)
				}
			}
		})
		f.ended(r, err, apply.ExitStale, "the lease of "+f.project+" was lost", "it is not ours any more", "run it again")
		f.Script(`svc("lost_web")`)
		f.Apply(func(o *Options) { o.LockTimeout = 3 * time.Minute })
		f.PlanIsEmpty()
	})
}

// Stop ends the wait for somebody else's lease, and nothing begins after it.
func TestStoryStoppedBeforeItBegan(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("stopped_a", replicas = 0)` + "\n" + `svc("stopped_b", replicas = 0)`)
		f.opts.LockTimeout = 3 * time.Minute
		f.why = "who waits"
		nothing := func(r *apply.Result, err error) {
			t.Helper()
			f.ended(r, err, apply.ExitInterrupted)
			if ok, failed, skipped := r.Count(); ok+failed > 0 || skipped != 2 {
				t.Errorf("%d went well, %d failed, %d were skipped", ok, failed, skipped)
			}
			if got := f.Names("service"); len(got) > 0 {
				t.Errorf("there are %v", got)
			}
		}
		p := f.Plan()
		f.writeLease(p, time.Hour)
		stop := make(chan struct{})
		r, err := f.Carry(p, func(o *ApplyOptions) {
			o.Stop = stop
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Notice && strings.Contains(e.Text, "somebody else") {
					close(stop)
				}
			}
		})
		nothing(r, err)
		r, err = f.Carry(f.Plan(), func(o *ApplyOptions) { o.Stop = stop }) // closed before
		nothing(r, err)
		f.writeLease(f.Plan(), time.Second)
		f.Apply()
		f.PlanIsEmpty()
	})
}
