package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The quickstart comes about from nothing, is what it says when it is applied
// again, outlives its process, and goes without a trace.
func TestQuickstart(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("quickstart/cluster.star")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "cluster.star")
	if err := os.WriteFile(script, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, script: script, env: []string{"SWARMSCRIPT_LAB_IDLE=1m"}}
	lab := []string{"lab", "--lab", filepath.Join(dir, ".swarmscript", "lab")}
	t.Cleanup(func() { s.run(append(lab, "reset", "--auto-approve")...) })
	says := func(want string, args ...string) {
		t.Helper()
		if code, out := s.run(args...); code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%v ended with %d, want %q:\n%s", args, code, want, out)
		}
	}

	says("6 machines (6 not there yet)", "plan", script)
	if _, err := os.Stat(filepath.Join(dir, ".swarmscript")); !os.IsNotExist(err) {
		t.Errorf("the plan wrote something: %v", err)
	}
	out := s.apply(nil)
	for _, want := range []string{"lab: hosts and containers are simulated, the swarm is real", "0 changed, 0 replaced, 0 deleted. Checks: 3 passed.", `urls = ["http://127.`} {
		if !strings.Contains(out, want) {
			t.Errorf("the apply does not say %q:\n%s", want, out)
		}
	}
	says("No changes. quickstart/demo is as declared.", "apply", "--auto-approve", script)
	says("Leader", append(lab, "ssh", "mgr-1", "docker", "node", "ls")...)

	// More workers come with their tasks, and go again, with two of the managers.
	s.apply([]string{"workers=5"})
	says("No changes. quickstart/demo is as declared.", "plan", "--var", "workers=5", script)
	says("", append(lab, "stop")...)
	s.apply([]string{"managers=1"})
	says("quickstart/demo: 4 machines, swarm.main (4 nodes, 2 services)", "plan", "--var", "managers=1", script)

	says("Destroy complete!", "destroy", "--auto-approve", "--allow-data-loss", script)
	says("no hosts", append(lab, "ls")...)
}
