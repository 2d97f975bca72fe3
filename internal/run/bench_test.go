package run

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/lang"
)

// loop declares n services with nine arguments each.
const loop = `
project("bench")
swarm.init()
for i in range(%d):
    service("web-%%d" %% i, image = "registry.example/web:%%d" %% i, replicas = i %% 7, hostname = "web-%%d" %% i,
            env = {"ID": "%%d" %% i, "MODE": "bench"}, labels = {"tier": "web", "id": "%%d" %% i},
            command = ["serve", "--id", "%%d" %% i], limit_cpu = 0.5, stop_signal = "SIGTERM", user = "u%%d" %% i)
`

func writeLoop(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "loop.star")
	if err := os.WriteFile(path, fmt.Appendf(nil, loop, n), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// planLoop evaluates, compares and renders without contacting anything: the
// swarm does not exist.
func planLoop(b *testing.B, file string) *plan.Plan {
	s, err := Evaluate(context.Background(), Options{File: file})
	if err != nil {
		b.Fatal(err)
	}
	states := map[string]*plan.ScopeState{}
	for _, sc := range s.Program.Scopes {
		st := &plan.ScopeState{Scope: sc, Status: plan.Absent}
		if sc.Type == "engine" {
			st.Status, st.Obs = plan.Present, &resource.Observation{API: "1.51"}
		}
		states[sc.Address] = st
	}
	p, problems := plan.Build(plan.Input{Program: s.Program, Scopes: states, Kinds: registry.Kind})
	if p == nil {
		b.Fatal(problems)
	}
	render(b, p)
	return p
}

// bareLoop evaluates the same loop with builtins that do nothing.
func bareLoop(b *testing.B, file string) {
	nothing := starlark.NewBuiltin("nothing", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
		return starlark.None, nil
	})
	src, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	s := lang.NewSession(lang.Options{Bare: true, Predeclared: starlark.StringDict{
		"project": nothing, "service": nothing, "swarm": bareModule{nothing},
	}})
	if _, err := s.ExecSource(context.Background(), "loop.star", src); err != nil {
		b.Fatal(err)
	}
}

type bareModule struct{ *starlark.Builtin }

func (m bareModule) Attr(string) (starlark.Value, error) { return m.Builtin, nil }
func (m bareModule) AttrNames() []string                 { return []string{"init"} }

// collectAsProgram sets the garbage collector as the program sets it.
func collectAsProgram(b *testing.B) {
	if os.Getenv("GOGC") == "" {
		old := debug.SetGCPercent(GCPercent)
		b.Cleanup(func() { debug.SetGCPercent(old) })
	}
}

// stopwatch times what is done in turns with something else: what disturbs
// the machine disturbs both, and the median of the pairs' ratios forgets it.
type stopwatch struct {
	each [][]float64 // seconds, by what was done
}

func (w *stopwatch) pair(fns ...func()) {
	if w.each == nil {
		w.each = make([][]float64, len(fns))
	}
	first := len(w.each[0]) // who begins changes
	for i := range fns {
		k := (i + first) % len(fns)
		w.time(k, fns[k])
	}
}

// time adds what one function takes to the figures of its place.
func (w *stopwatch) time(k int, fn func()) {
	runtime.GC() // each begins as a process does, without another's garbage
	begun := time.Now()
	fn()
	w.each[k] = append(w.each[k], time.Since(begun).Seconds())
}

// report adds the medians in milliseconds and the ratio of the first to each
// other.
func (w *stopwatch) report(b *testing.B, names ...string) {
	for k, name := range names {
		b.ReportMetric(1000*median(w.each[k]), name+"-ms")
		if k == 0 {
			continue
		}
		ratios := make([]float64, len(w.each[0]))
		for i := range ratios {
			ratios[i] = w.each[0][i] / w.each[k][i]
		}
		b.ReportMetric(median(ratios), "x/"+name)
	}
	b.ReportMetric(0, "ns/op") // means nothing for a pair
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// BenchmarkPlan evaluates, compares and renders n creations, against the bare
// evaluation of the same loop.
func BenchmarkPlan(b *testing.B) {
	collectAsProgram(b)
	for _, n := range []int{1000, 10000} {
		file := writeLoop(b, n)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			var w stopwatch
			for b.Loop() {
				w.pair(func() { planLoop(b, file) }, func() { bareLoop(b, file) })
			}
			w.report(b, "plan", "bare")
		})
	}
}

// BenchmarkPlanAllocs is the plan alone, for its allocations and profiles.
func BenchmarkPlanAllocs(b *testing.B) {
	file := writeLoop(b, 10000)
	b.ReportAllocs()
	for b.Loop() {
		planLoop(b, file)
	}
}

// BenchmarkNoChange is a plan of n live services that are as declared: against
// the bare evaluation, from what a scope's connection returns; and whole, with
// the requests and the reading of the lists.
func BenchmarkNoChange(b *testing.B) {
	collectAsProgram(b)
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			f := startFake(b)
			b.Setenv("DOCKER_HOST", f.host)
			file := write(b, b.TempDir(), fmt.Sprintf(fakeLoop, n))
			opts := Options{File: file, Detach: true}
			applyFake(b, opts)
			whole := func() *Planned {
				p, err := Plan(b.Context(), opts)
				if err != nil {
					b.Fatal(err)
				}
				if !p.Plan.Empty() {
					b.Fatalf("the plan is not empty:\n%s", show(p.Plan))
				}
				render(b, p.Plan)
				return p
			}
			seen := whole()
			defer seen.Close()
			var w stopwatch
			for b.Loop() {
				w.pair(
					func() { compared(b, opts, seen) },
					func() { bareLoop(b, file) },
					func() { whole().Close() })
			}
			w.report(b, "plan", "bare", "whole")
		})
	}
}

// compared evaluates anew and plans against what was observed before.
func compared(b *testing.B, opts Options, seen *Planned) {
	s, err := Evaluate(b.Context(), opts)
	if err != nil {
		b.Fatal(err)
	}
	p, err := (&Planned{Script: s, view: seen.view}).build(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if !p.Empty() {
		b.Fatal("the plan is not empty")
	}
	render(b, p)
}

func render(b *testing.B, p *plan.Plan) {
	b.Helper()
	if err := ui.Plan(io.Discard, p, ui.PlanOptions{Names: ui.NewNames(p)}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkApply creates n services on an API that counts.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			file := write(b, b.TempDir(), fmt.Sprintf(fakeLoop, n))
			writes, reads := 0, 0
			for b.Loop() {
				b.StopTimer()
				f := startFake(b)
				b.Setenv("DOCKER_HOST", f.host)
				b.StartTimer()
				applyFake(b, Options{File: file, Detach: true})
				reads, writes = f.count()
			}
			b.ReportMetric(float64(reads), "reads")
			b.ReportMetric(float64(writes), "writes")
		})
	}
}
