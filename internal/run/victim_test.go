package run

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// A victim is the program, which is killed at random moments.
type victim struct {
	*testing.T
	rand    *rand.Rand
	program string
	dir     string   // where it is run, and its home
	env     []string // beside its home
	kills   int      // how often it was killed before its end
}

// newVictim builds the program. Its leases expire soon.
func newVictim(t *testing.T, seed uint64, env ...string) *victim {
	v := &victim{T: t, rand: rand.New(rand.NewPCG(seed, 2)), dir: t.TempDir(), env: env}
	v.program = filepath.Join(t.TempDir(), "swarmscript")
	build := exec.Command("go", "build", "-ldflags=-X github.com/swarmscript/swarmscript/internal/run.leaseTTL=6s", "-o", v.program,
		"github.com/swarmscript/swarmscript/cmd/swarmscript")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return v
}

// script is what it is to apply from now on.
func (v *victim) script(text string) {
	v.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, "cluster.star"), []byte(text), 0o644); err != nil {
		v.Fatal(err)
	}
}

func (v *victim) command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, v.program, append(append([]string{verb}, args...), "cluster.star")...)
	cmd.Dir = v.dir
	cmd.Env = append([]string{"HOME=" + v.dir, "PATH=/usr/bin:/bin"}, v.env...)
	return cmd
}

func (v *victim) applying(ctx context.Context, verb string) *exec.Cmd {
	return v.command(ctx, verb, "--auto-approve", "--lock-timeout=3m", "--timeout=3m")
}

// killed runs the program and kills it at a random moment, once or twice.
func (v *victim) killed(round int, verb string) {
	for range 1 + v.rand.IntN(2) {
		limit := 300 // most writes are early
		if v.rand.IntN(3) == 0 {
			limit = 3000
		}
		after := time.Duration(5+v.rand.IntN(limit)) * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), after)
		out, err := v.applying(ctx, verb).CombinedOutput()
		died := ctx.Err() != nil && err != nil
		cancel()
		if died {
			v.kills++
			v.Logf("round %d: %s was killed after %s", round, verb, after)
		} else if err != nil {
			v.Fatalf("round %d: %s: %v\n%s", round, verb, err, out)
		}
	}
}

// finish runs the program to its end. An engine that was busy, or has just lost
// its power, may be out of reach for a moment: whoever is told so runs it again.
func (v *victim) finish(round int, verb string) {
	v.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	begun := time.Now()
	cmd := v.applying(ctx, verb)
	out, err := cmd.CombinedOutput()
	v.Logf("round %d: %s took %s", round, verb, time.Since(begun).Round(time.Millisecond))
	for try := 0; try < 3 && cmd.ProcessState.ExitCode() == apply.ExitUnreachable; try++ {
		v.Logf("round %d: %s: out of reach:\n%s", round, verb, out)
		cmd = v.applying(ctx, verb)
		out, err = cmd.CombinedOutput()
	}
	if err != nil {
		script, _ := os.ReadFile(filepath.Join(v.dir, "cluster.star"))
		v.Fatalf("round %d: %s: %v\n%s\n%s", round, verb, err, out, script)
	}
}

// converged fails the test where there is still something to do.
func (v *victim) converged(round int) {
	v.Helper()
	out, err := v.command(context.Background(), "plan", "--detailed-exitcode").CombinedOutput()
	if err != nil {
		v.Errorf("round %d: the plan is not empty: %v\n%s", round, err, out)
	}
}
