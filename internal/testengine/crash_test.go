package testengine

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestCrashedProcess is a test process that is killed while its engine runs a container: the kernel ends the engine, and
// the next start clears what is left.
func TestCrashedProcess(t *testing.T) {
	const variable = "TESTENGINE_CRASH"
	if os.Getenv(variable) != "" {
		e := Start(t, Debian20)
		Images(e)
		e.Docker("run", "--detach", Sleep)
		os.Stdout.WriteString("\nfolder " + e.slot.dir + "\n")
		time.Sleep(time.Minute)
		return
	}
	if err := usable(); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashedProcess$")
	cmd.Env = append(os.Environ(), variable+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for lines := bufio.NewScanner(stdout); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "folder ")
		if !strings.HasPrefix(dir, stateDir) {
			dir = ""
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if dir == "" {
		t.Fatal("the process to be killed started no engine")
	}
	s := &slot{dir: dir}
	for range 3000 {
		if s.leftPid() == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if pid := s.leftPid(); pid != 0 {
		t.Errorf("process %d outlives the test process that started it", pid)
	}

	e, err := New(Docker28)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	// The new engine may well have the same slot, with nothing of the old one in it.
	if out := e.In(t).Docker("ps", "--all", "--quiet"); out != "" {
		t.Errorf("a new engine has containers: %s", out)
	}
	if e.slot.dir == dir || !exists(dir) {
		return
	}
	// It may be another test process's by now, which then holds its lock.
	if free, err := lockFile(s.file("owner"), false); err != nil || free != nil {
		t.Errorf("%s is left (%v)", dir, err)
	}
}
