package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// BenchmarkRealStack is a compose file of 100 services deployed by the program
// and by `docker stack deploy` on the same engine: from the first write to the
// last, and from the program's start to its end; and again, when nothing has
// changed, in time and in the program's own CPU time. Neither asks a registry,
// and neither waits for tasks: there are none.
func BenchmarkRealStack(b *testing.B) {
	e := startBusy(b)
	dir := b.TempDir()
	stackFile(b, dir, 100)
	script := write(b, dir, "project(\"bench\")\ncluster = swarm.init(engine(), external = True)\n"+
		"stack(\"bench\", files = [\"stack.yml\"], resolve_image = \"never\")\n")
	program := filepath.Join(dir, "swarmscript")
	execute(b, "go", "build", "-o", program, "../../cmd/swarmscript")
	ours := func() time.Duration { return execute(b, program, "apply", "--auto-approve", "--detach", script) }
	docker := testengine.CLI(b)
	kept := filepath.Join(dir, "cache") // what is built is in the usual one
	b.Setenv("XDG_CACHE_HOME", kept)
	theirs := func() time.Duration {
		return execute(b, docker, "stack", "deploy", "--detach=true", "--resolve-image=never", "-c", filepath.Join(dir, "stack.yml"), "bench")
	}
	var create, whole, again, cpu stopwatch
	for _, w := range []*stopwatch{&create, &whole, &again, &cpu} {
		w.each = make([][]float64, 2)
	}
	for b.Loop() {
		first := len(create.each[0]) // who begins changes
		for i := range 2 {
			k := (i + first) % 2
			do := []func() time.Duration{ours, theirs}[k]
			if err := os.RemoveAll(kept); err != nil { // the first time is a first time
				b.Fatal(err)
			}
			all, _ := e.writes(b, 100, func() { whole.time(k, func() { do() }) })
			create.each[k] = append(create.each[k], all)
			e.proxy.Reset()
			again.time(k, func() { cpu.each[k] = append(cpu.each[k], do().Seconds()) })
			if n := e.proxy.Writes(); k == 0 && n > 0 {
				b.Errorf("an apply of nothing writes: %v", e.proxy.Calls())
			}
			e.clear(b)
		}
	}
	again.report(b, "again", "stack-again")
	cpu.report(b, "again-cpu", "stack-again-cpu")
	whole.report(b, "whole", "stack-whole")
	create.report(b, "create", "stack-create")
}

// execute runs a program to its end, and returns the CPU time that it took.
func execute(b *testing.B, name string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
