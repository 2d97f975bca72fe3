package run

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

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
	if err := ui.Plan(io.Discard, p, ui.PlanOptions{Names: ui.NewNames(p)}); err != nil {
		b.Fatal(err)
	}
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

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		file := writeLoop(b, n)
		b.Run(fmt.Sprintf("bare/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bareLoop(b, file)
			}
		})
		b.Run(fmt.Sprintf("plan/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				planLoop(b, file)
			}
		})
	}
}
