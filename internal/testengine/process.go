package testengine

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// aloneVar names the test that a process was started for.
const aloneVar = "SWARMSCRIPT_TEST_ALONE"

// Alone runs a test that changes its process's environment, which would keep it from running beside others, in a process
// of its own, and reports whether that is done. It comes first in the test:
//
//	if testengine.Alone(t) {
//		return
//	}
func Alone(t *testing.T) (done bool) {
	t.Helper()
	if os.Getenv(aloneVar) == t.Name() {
		return false
	}
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=20m")
	cmd.Env = append(os.Environ(), aloneVar+"="+t.Name())
	cmd.SysProcAttr = diesWithThread()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a process of its own: %v\n%s", err, out)
	}
	switch said := string(out); {
	case strings.Contains(said, "--- PASS: "+t.Name()+" "):
	case strings.Contains(said, "--- SKIP: "+t.Name()+" "):
		t.Skipf("in a process of its own:\n%s", said)
	default:
		t.Fatalf("in a process of its own it was not run:\n%s", said)
	}
	return true
}
