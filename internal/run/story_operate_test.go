package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Attach looks at what runs, as the verbs of day two do.
func (f *fixture) Attach(change ...func(*LiveOptions)) *Live {
	f.Helper()
	o := LiveOptions{Options: f.opts}
	for _, c := range change {
		c(&o)
	}
	l, err := Attach(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	return l
}

func (l *Live) service(f *fixture, name string) *operate.Service {
	f.Helper()
	states, err := l.States(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	found, err := operate.Find(states, []string{name})
	if err != nil {
		f.Fatal(detail(err))
	}
	return found[0]
}

// act carries one act out.
func (f *fixture) act(l *Live, a *operate.Act, err error) (*Acts, *apply.Result) {
	f.Helper()
	if err != nil {
		f.Fatal(detail(err))
	}
	acts := l.Acts(f.Context(), []*operate.Act{a})
	r, err := acts.Apply(f.Context(), f.opts, ApplyOptions{Why: f.why, Sink: f.sink})
	f.wentWell(r, err)
	return acts, r
}

// A rollback brings the previous version back, says what differs and that the
// script says otherwise; the next apply follows the script.
func TestStoryRollback(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`svc("undo_web", image = "swarmtest/web:1", replicas = 2, env = {"A": "1"})`)
		f.Apply()
		l := f.Attach()
		if _, err := operate.Rollback(f.Context(), l.service(f, "undo_web")); err == nil || !strings.Contains(err.Error(), "has no previous version") {
			t.Errorf("a rollback of what was never updated: %v", err)
		}
		f.Script(`svc("undo_web", image = "swarmtest/web:2", replicas = 2, env = {"A": "2"})`)
		f.Apply()

		l = f.Attach()
		a, err := operate.Rollback(f.Context(), l.service(f, "undo_web"))
		acts, _ := f.act(l, a, err)
		if len(acts.Warnings) != 1 || !strings.Contains(acts.Warnings[0], "says otherwise about undo_web (image, env[\"A\"]): the next apply makes it so again") {
			t.Errorf("warnings: %q", acts.Warnings)
		}
		if !acts.Interrupts() {
			t.Error("a rollback interrupts")
		}
		var paths []string
		for _, d := range acts.Plan.Changes[0].Fields {
			paths = append(paths, d.Path)
		}
		if !slices.Contains(paths, "image") {
			t.Errorf("shown are %v", paths)
		}
		if got := f.Docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}} {{.UpdateStatus.State}}", "undo_web"); got != "swarmtest/web:1 rollback_completed" {
			t.Errorf("it is %s", got)
		}
		f.PlanShows("~ service.undo_web: image env[\"A\"]")
		f.Apply()
		f.PlanIsEmpty()
	})
}

// Scaling keeps the mark and everything else; what cannot be scaled is refused.
func TestStoryScale(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`
svc("scaled_web", replicas = 1)
svc("scaled_free", replicas = 1, lifecycle = lifecycle(ignore_changes = ["replicas"]))
svc("scaled_all", mode = "global")
svc("scaled_port", ports = [port(8080, published = 8931, mode = "host")])
`)
		f.Apply()
		l := f.Attach()
		for n, want := range map[uint64]string{0: "", 3: "2 of 3 tasks cannot be placed"} {
			a, err := operate.Scale(f.Context(), l.service(f, "scaled_port"), n)
			if err != nil {
				t.Fatal(err)
			}
			findings := l.Acts(f.Context(), []*operate.Act{a}).Plan.Changes[0].Findings
			if got := findings.Error(); findings.Err() != nil || (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("scaled to %d, it is foreseen: %q", n, got)
			}
		}
		for _, tt := range []struct {
			name, warns string
			n           uint64
		}{
			{"scaled_web", "says otherwise about scaled_web (replicas)", 3}, {"scaled_free", "", 2},
		} {
			a, err := operate.Scale(f.Context(), l.service(f, tt.name), tt.n)
			acts, _ := f.act(l, a, err)
			if got := strings.Join(acts.Warnings, "\n"); tt.warns == "" && got != "" || !strings.Contains(got, tt.warns) {
				t.Errorf("%s: warnings %q", tt.name, got)
			}
			if acts.Interrupts() {
				t.Error("more tasks interrupt nothing")
			}
			if got := f.Docker("service", "inspect", "--format", "{{.Spec.Mode.Replicated.Replicas}}", tt.name); got != fmt.Sprint(tt.n) {
				t.Errorf("%s: %s replicas", tt.name, got)
			}
		}
		var nothing *operate.ErrNothing
		if _, err := operate.Scale(f.Context(), l.service(f, "scaled_web"), 3); !errors.As(err, &nothing) {
			t.Errorf("again: %v", err)
		}
		if _, err := operate.Scale(f.Context(), l.service(f, "scaled_all"), 3); err == nil || !strings.Contains(err.Error(), "it is global") {
			t.Errorf("global: %v", err)
		}
		f.PlanShows("~ service.scaled_web: replicas")
	})
}

// Acts of day two and applies exclude each other, and what was written in
// between is not overwritten.
func TestStoryActsTakeTheLease(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("leased_web", replicas = 0)`)
		f.Apply()
		l := f.Attach()
		s := l.service(f, "leased_web")
		a, err := operate.Scale(f.Context(), s, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := f.Plan()
		f.writeLease(p, time.Hour)
		var held *apply.HeldLease
		if _, err := l.Acts(f.Context(), []*operate.Act{a}).Apply(f.Context(), f.opts, ApplyOptions{}); !errors.As(err, &held) {
			t.Fatalf("the lease is held, and it says %v", err)
		}
		if got := f.Docker("service", "inspect", "--format", "{{.Spec.Mode.Replicated.Replicas}}", "leased_web"); got != "0" {
			t.Errorf("%s replicas", got)
		}
		f.opts.LockTimeout = 3 * time.Minute
		f.Docker("service", "update", "--detach", "--label-add", "by=hand", "leased_web")
		f.writeLease(f.Plan(), time.Second)
		r, err := l.Acts(f.Context(), []*operate.Act{a}).Apply(f.Context(), f.opts, ApplyOptions{})
		f.ended(r, err, apply.ExitFailed, "changed by somebody else in between", "look again, then repeat it")
	})
}

// Logs are followed through tasks that go and come, and through an engine that
// is restarted; each line is told once.
func TestStoryLogs(t *testing.T) {
	t.Parallel()
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	f := newFixture(t, e)
	f.Script(`
svc("logs_web", image = "swarmtest/web:1")
svc("logs_bad", image = "swarmtest/fail:1", wait = False)
`)
	f.Apply()
	l := f.Attach()
	states, err := l.States(f.Context())
	if err != nil {
		t.Fatal(err)
	}
	services, err := operate.Find(states, nil)
	if err != nil {
		t.Fatal(detail(err))
	}
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	count := func(task, text string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for k, told := range seen {
			if strings.Contains(k, task+" ") && strings.Contains(k, text) {
				n++
			}
			if told > 1 {
				t.Errorf("told %d times: %s", told, k)
			}
		}
		return n
	}
	ended := make(chan error, 1)
	go func() {
		ended <- operate.Logs(ctx, services, operate.LogOptions{Follow: true}, func(line operate.Line) {
			mu.Lock()
			defer mu.Unlock()
			seen[line.Time.String()+" "+line.Task+" "+line.Text]++
		}, func(note string) { f.say(note) })
	}()
	f.eventually("the failing task's lines", func() bool { return count("logs_bad.1", "uninitialized") >= 2 })
	f.eventually("the web's line", func() bool { return count("logs_web.1", "version 1 listens") == 1 })
	f.Docker("service", "update", "--detach", "--force", "logs_web")
	f.eventually("the next task's line", func() bool { return count("logs_web.1", "version 1 listens") == 2 })
	f.e.Restart()
	f.Docker("service", "update", "--detach", "--force", "logs_web")
	f.eventually("a line after the restart", func() bool { return count("logs_web.1", "version 1 listens") >= 3 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
