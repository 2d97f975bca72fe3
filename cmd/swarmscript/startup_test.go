package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A program that people put into their prompt has to start at once: version
// takes at most twice what docker --version does.
func TestStartup(t *testing.T) {
	docker, err := testengine.Tool("docker")
	if err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat(docker); err != nil {
		t.Skip("the docker CLI to compare with is not there: make prepare")
	}
	program := filepath.Join(t.TempDir(), "swarmscript")
	// Not the test's own binary, which may have the race detector in it.
	build := exec.Command("go", "build", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ours, theirs := fastest(t, program, "version"), fastest(t, docker, "--version")
	t.Logf("swarmscript version: %v, docker --version: %v", ours, theirs)
	if ours > 2*theirs {
		t.Errorf("swarmscript version takes %v, docker --version %v", ours, theirs)
	}
}

// fastest is the shortest of many runs: others on the machine only ever add.
func fastest(t *testing.T, name string, args ...string) time.Duration {
	best := time.Hour
	for range 25 {
		begun := time.Now()
		if err := exec.Command(name, args...).Run(); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(begun))
	}
	return best
}
