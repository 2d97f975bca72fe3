package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// terminal is a command that a person sits before.
type terminal struct {
	t    *testing.T
	pty  *os.File
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{}
}

// onTerminal starts this program on a terminal of 90 columns and 25 rows.
func onTerminal(t *testing.T, e *testengine.Engine, dir string, args ...string) *terminal {
	t.Helper()
	program, err := os.Executable() // which is swarmscript under that name, by testscript.Main
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "swarmscript")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "CI=", "DOCKER_HOST="+e.Host, "DOCKER_CONFIG=/var/empty/none", "DOCKER_CONTEXT=")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 90, Rows: 25})
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, pty: f, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		b := make([]byte, 4096)
		for {
			n, err := f.Read(b)
			x.mu.Lock()
			x.text.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return // the other end is closed
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		f.Close()
		<-x.done
	})
	return x
}

// screen is all that was shown so far.
func (x *terminal) screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

// Shows waits until a text was shown.
func (x *terminal) Shows(text string) {
	x.t.Helper()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(x.screen(), text) {
			return
		}
	}
	x.t.Fatalf("%q was not shown; there is\n%s", text, x.screen())
}

// Types sends keys.
func (x *terminal) Types(keys string) {
	x.t.Helper()
	if _, err := x.pty.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// Ends waits for the program, and checks its exit code.
func (x *terminal) Ends(code int) {
	x.t.Helper()
	ended := make(chan struct{})
	go func() {
		x.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(3 * time.Minute):
		x.t.Fatalf("it does not end; there is\n%s", x.screen())
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, want %d; there is\n%s", got, code, x.screen())
	}
}

// A command in a container has this terminal: its size, also when that
// changes, its keys with Ctrl-C among them, its name; and passes its exit code
// on. Logs are followed until Ctrl-C, in colour on a terminal.
func TestOnATerminal(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	e.Docker("service", "create", "--quiet", "--no-resolve-image", "--name", "web", "swarmtest/web:1")
	container := e.Docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=web")
	shell := filepath.Join(t.TempDir(), "shell")
	build := exec.Command("go", "build", "-o", shell, "./testdata/shell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	e.Docker("cp", "--quiet", shell, container+":/shell")
	dir := t.TempDir() // without a script

	t.Run("exec", func(t *testing.T) {
		x := onTerminal(t, e, dir, "exec", "web", "-e", "A=b", "--", "/shell")
		x.Shows("ready")
		x.Types("tty\r")
		x.Shows("tty true")
		x.Types("size\r")
		x.Shows("size 90 x 25")
		x.Types("env TERM\renv A\r")
		x.Shows("TERM is xterm")
		x.Shows("A is b")
		if err := pty.Setsize(x.pty, &pty.Winsize{Cols: 71, Rows: 9}); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(x.screen(), "size 71 x 9") && !t.Failed() {
			x.Types("size\r")
			time.Sleep(100 * time.Millisecond)
			if len(x.screen()) > 1<<16 {
				t.Fatalf("the new size does not arrive")
			}
		}
		x.Types("exit 41\r")
		x.Ends(41)
	})
	t.Run("ctrl-c goes to the command", func(t *testing.T) {
		x := onTerminal(t, e, dir, "exec", "web", "--", "/shell")
		x.Shows("ready")
		x.Types("\x03")
		x.Shows("interrupted")
		x.Ends(42)
	})
	t.Run("without a terminal", func(t *testing.T) {
		x := onTerminal(t, e, dir, "exec", "-T", "web", "--", "/shell")
		x.Shows("ready")
		x.Types("tty\r")
		x.Shows("tty false")
		x.Types("\x04") // the end of input
		x.Shows("end of input")
		x.Ends(0)
	})
	t.Run("logs", func(t *testing.T) {
		x := onTerminal(t, e, dir, "logs", "-f", "web")
		x.Shows("\x1b[36mweb.1 |\x1b[0m swarmtest: version 1 listens on :8080")
		x.Types("\x03")
		x.Ends(130)
		if strings.Contains(x.screen(), "nothing was changed") {
			t.Errorf("it says more than it should:\n%s", x.screen())
		}
	})
	t.Run("approve", func(t *testing.T) {
		x := onTerminal(t, e, dir, "scale", "web=0")
		x.Shows("Do you want to perform these actions?")
		x.Types("no\r")
		x.Shows("not approved; nothing was changed")
		x.Ends(1)
		x = onTerminal(t, e, dir, "scale", "web=0")
		x.Shows("Enter a value:")
		x.Types("yes\r")
		x.Shows("1 changed")
		x.Ends(0)
	})
}
