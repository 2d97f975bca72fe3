package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// keyboard is swarmscript repl on a terminal of 100 columns: keys are typed, and
// the screen is read.
type keyboard struct {
	*testing.T
	pty *os.File
	cmd *exec.Cmd

	mu     sync.Mutex
	screen screen
	ended  chan error
}

const (
	ctrlA = "\x01"
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlU = "\x15"
	up    = "\x1b[A"
	enter = "\r"
)

func startRepl(t *testing.T, dir string, env []string, args ...string) *keyboard {
	t.Helper()
	return startCommand(t, dir, env, "swarmscript", append([]string{"repl"}, args...)...)
}

func startCommand(t *testing.T, dir string, env []string, name string, args ...string) *keyboard {
	t.Helper()
	k := &keyboard{T: t, ended: make(chan error, 1)}
	k.cmd = exec.Command(name, args...)
	k.cmd.Dir = dir
	k.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=xterm", "NO_COLOR=1"}, env...)
	var err error
	if k.pty, err = pty.StartWithSize(k.cmd, &pty.Winsize{Rows: 40, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := k.pty.Read(buf)
			k.mu.Lock()
			k.screen.write(string(buf[:n]))
			k.mu.Unlock()
			if err != nil {
				k.ended <- k.cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		k.pty.Close()
		k.cmd.Process.Kill() // it has ended, unless the test failed
	})
	k.shows("Ctrl-D ends.\n>>>")
	return k
}

// types types keys.
func (k *keyboard) types(keys ...string) {
	k.Helper()
	for _, key := range keys {
		if _, err := k.pty.WriteString(key); err != nil {
			k.Fatal(err)
		}
	}
}

// shows waits until the end of the screen is as wanted; "..." stands for any
// text.
func (k *keyboard) shows(want string) {
	k.Helper()
	var got string
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(10 * time.Millisecond) {
		k.mu.Lock()
		got = k.screen.text()
		k.mu.Unlock()
		if strings.HasSuffix(got, want) || strings.Contains(want, "...") && endsLike(got, want) {
			return
		}
	}
	k.Fatalf("the screen shows\n%s\nwant at its end\n%s", got, want)
}

func endsLike(got, want string) bool {
	parts := strings.Split(want, "...")
	if !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	at := strings.LastIndex(got, parts[0])
	for _, p := range parts {
		if at < 0 || !strings.Contains(got[at:], p) {
			return false
		}
		at += strings.Index(got[at:], p) + len(p)
	}
	return true
}

// line types a line and waits for what it shows, and the next prompt.
func (k *keyboard) line(text, want string) {
	k.Helper()
	k.types(text, enter)
	if want != "" {
		want += "\n"
	}
	k.shows(">>> " + text + "\n" + want + ">>>")
}

// leaves ends the session with Ctrl-D.
func (k *keyboard) leaves() {
	k.Helper()
	k.types(ctrlD)
	select {
	case err := <-k.ended:
		if err != nil {
			k.Errorf("it ended with %v", err)
		}
	case <-time.After(3 * time.Minute):
		k.Fatal("Ctrl-D does not end it")
	}
}

func TestReplLines(t *testing.T) {
	dir := t.TempDir()
	k := startRepl(t, dir, nil)
	k.line("x = 1", "")
	k.line("x + 1", "2")
	k.types("def f(a):", enter, "\t", "return a + x", enter, enter)
	k.shows(">>> def f(a):\n...     return a + x\n...\n>>>")
	k.line("f(3)", "4")
	k.types("f(", enter, "5", enter, ")", enter)
	k.shows(">>> f(\n... 5\n... )\n6\n>>>")

	// Editing, and giving up.
	k.types("ax", ctrlA, "\x1b[3~", enter)
	k.shows(">>> x\n1\n>>>")
	k.types("def g():", enter, "    nonsense", ctrlC)
	k.shows("...     nonsense^C\n>>>")
	k.types("nothing of this", ctrlU, "x", enter)
	k.shows(">>> x\n1\n>>>")

	// A mistake is shown as everywhere, and nothing is lost.
	k.line("servce('web')", "input 8:1:1: undefined: servce (did you mean \"service\"?)\n    1 | servce('web')\n      | ^^^^^^")
	k.types(up, ctrlA, "#", enter)
	k.shows(">>> #servce('web')\n>>>")
	k.line("f(x)", "2")

	// A paste is one input, empty lines and all.
	k.types("\x1b[200~def g():\r    a = 1\r\r    return a\r\rg() + 1\x1b[201~", enter)
	k.shows("... g() + 1\n2\n>>>")
	k.leaves()
}

func TestReplCompletion(t *testing.T) {
	k := startRepl(t, t.TempDir(), nil)
	k.types("serv\t")
	k.shows(">>> service")
	k.types("('web', imag\t")
	k.shows(">>> service('web', image =")
	k.types("'nginx', replicas_m\t", ctrlC)
	k.shows(">>> service('web', image = 'nginx', replicas_max_per_node = ^C\n>>>")
	k.types("swarm.\t")
	k.shows("init  join\n>>> swarm.")
	k.types("in\t", ctrlC)
	k.shows(">>> swarm.init^C\n>>>")
	k.types("port(80, p\t")
	k.shows("protocol =   published =\n>>> port(80, p")
	k.types(ctrlC)
	k.types("port(80, protocol = 't\t", ")", enter)
	k.shows(">>> port(80, protocol = 'tcp')\nport(target = 80)\n>>>")
	k.leaves()
}

// Two sessions at once: the next has the lines of both.
func TestReplHistory(t *testing.T) {
	dir := t.TempDir()
	state := []string{"XDG_STATE_HOME=" + filepath.Join(dir, "state")}
	one, two := startRepl(t, dir, state), startRepl(t, dir, state)
	one.line("a = 'of one'", "")
	two.line("b = 'of two'", "")
	one.line("secret('s', value = 'hunter2')", "<swarm.default/secret.s>")
	one.types(up, ctrlC) // it is there in its own session
	one.shows(">>> secret('s', value = 'hunter2')^C\n>>>")
	two.leaves()
	one.leaves()
	three := startRepl(t, dir, state)
	three.types(up)
	three.shows(">>> b = 'of two'")
	three.types(up)
	three.shows(">>> a = 'of one'")
	three.types(enter)
	three.shows(">>> a = 'of one'\n>>>")
	three.leaves()
}

// Ctrl-C ends an evaluation, whatever it is at, and the session goes on.
func TestReplCancels(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	waiting := make(chan net.Conn, 8)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			waiting <- conn // and says nothing
		}
	}()
	k := startRepl(t, t.TempDir(), nil)
	k.types("for i in range(1 << 40): print(i)", enter, enter)
	k.shows("\n100\n...")
	k.types(ctrlC)
	k.shows("\ninterrupted\n>>>") // the terminal's own ^C may be anywhere among the numbers
	k.line("1 + 1", "2")
	k.line("project('p'); _ = engine('tcp://"+silent.Addr().String()+"', name = 'e')", "")
	for range 2 {
		k.types("plan()", enter)
		defer (<-waiting).Close()
		k.types(ctrlC)
		k.shows("^C\ninterrupted\n>>>")
	}
	k.line("1 + 2", "3")
	if err := k.cmd.Process.Signal(syscall.SIGINT); err != nil { // at the prompt it means nothing
		t.Fatal(err)
	}
	k.line("1 + 3", "4")
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-k.ended; err == nil || k.cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// The terminal is given back as it was.
func TestReplTerminal(t *testing.T) {
	k := startRepl(t, t.TempDir(), []string{"TERM=dumb"})
	k.types("1 + 1\n")
	k.shows(">>> 1 + 1\n2\n>>>")
	k.leaves()
	k = startRepl(t, t.TempDir(), nil)
	before, err := unix.IoctlGetTermios(int(k.pty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if before.Lflag&unix.ECHO != 0 {
		t.Error("a line is read without the terminal being set up")
	}
	k.types("1 + 1", enter)
	k.shows("2\n>>>")
	k.leaves()
	k = startCommand(t, t.TempDir(), nil, "sh", "-c", "swarmscript repl; stty -a")
	k.types("1 + 1", enter)
	k.shows("2\n>>>")
	k.leaves()
	for _, mode := range []string{"isig icanon", " echo "} {
		if got := k.screen.text(); !strings.Contains(got, mode) {
			t.Errorf("the terminal was left without %q:\n%s", mode, got)
		}
	}
}

// plan, apply, live and diff, on a real engine.
func TestReplApplies(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("engines need root")
	}
	few <- struct{}{}
	defer func() { <-few }()
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	dir := t.TempDir()
	script := `project("shop")
def site(name, replicas = 1):
    return service(name, image = "swarmtest/web:1", replicas = replicas, no_resolve_image = True,
        stop_grace_period = "1s", update = update_policy(monitor = "100ms"))
web = site("web")
output("name", web.name)
`
	if err := os.WriteFile(filepath.Join(dir, "cluster.star"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	k := startRepl(t, dir, []string{"DOCKER_HOST=" + e.Host}, "cluster.star")
	k.types("plan()", enter)
	k.shows("+ create\n...Plan: 1 to add, 0 to change, 0 to replace, 0 to delete.\n>>>")
	k.types("apply()", enter)
	k.shows("  Enter a value:")
	k.types("no", enter)
	k.shows("Enter a value: no\n\nnot approved; nothing was changed\n>>>")
	k.types("apply()", enter)
	k.shows("  Enter a value:")
	k.types(ctrlC) // no answer is no
	k.shows("Enter a value: ^C\n\nnot approved; nothing was changed\n>>>")
	k.types("apply()", enter)
	k.shows("  Enter a value:")
	if err := k.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	k.shows("\ninterrupted\n>>>")
	k.line("1 + 1", "2")
	if out := e.Docker("service", "ls", "-q"); strings.TrimSpace(out) != "" {
		t.Fatalf("made without approval: %s", out)
	}
	k.types("r = apply()", enter)
	k.shows("  Enter a value:")
	k.types("yes", enter)
	k.shows("Apply complete! Resources: 1 added, 0 changed, 0 replaced, 0 deleted.\n\nOutputs:\n\nname = \"web\"\n>>>")
	k.line("r.done", "1")
	k.line("r.outputs", `{"name": "web"}`)
	k.line("live('service')", "swarm.default\n  service.web  of shop, image = \"swarmtest/web:1\"")
	k.line("live(web).replicas", "1")
	k.line("web = site('web', 2)", "")
	k.types("diff()", enter)
	k.shows(">>> diff()\n~ swarm.default/service.web...\n  replicas  1 -> 2\n>>>")
	k.types("apply(auto_approve = True)", enter)
	k.shows("Apply complete! Resources: 0 added, 1 changed, 0 replaced, 0 deleted.\n...>>>")
	k.line("live(web).replicas", "2")
	k.line("diff(web)", "swarm.default/service.web: no change")
	k.line("reload()", "")
	k.types("diff(web)", enter)
	k.shows(">>> diff(web)\n~ swarm.default/service.web...\n  replicas  2 -> 1\n>>>")

	// An apply is stopped as the verb is: once to begin no more, twice to abort.
	k.line("bad = service('bad', image = 'swarmtest/nothing:9', no_resolve_image = True)", "")
	k.types("apply(auto_approve = True)", enter)
	k.shows("Plan: 1 to add, 1 to change, 0 to replace, 0 to delete.\n...service.bad...")
	k.types(ctrlC)
	k.shows("interrupt again to abort them\n...")
	k.types(ctrlC)
	k.shows("(exit 130)\n...\ninterrupted\n>>>")
	k.line("1 + 1", "2")
	k.leaves()
}

// screen is a terminal's, of 100 columns and any number of rows: as much of one
// as a line editor needs.
type screen struct {
	rows [][]rune
	y, x int
	rest string // an escape sequence that has not ended
}

func (s *screen) text() string {
	lines := make([]string, len(s.rows))
	for i, r := range s.rows {
		lines[i] = strings.TrimRight(string(r), " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (s *screen) write(text string) {
	text = s.rest + text
	s.rest = ""
	for text != "" {
		if text[0] == '\x1b' {
			end := strings.IndexFunc(text[1:], func(r rune) bool { return r >= '@' && r != '[' })
			if end < 0 {
				s.rest = text
				return
			}
			s.control(text[1:end+1], text[end+1])
			text = text[end+2:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch r {
		case '\r':
			s.x = 0
		case '\n':
			s.y++
		case '\a':
		default:
			s.row()[s.x] = r
			if s.x++; s.x == 100 {
				s.x, s.y = 0, s.y+1
			}
		}
	}
	s.row()
}

// scrollback is how many lines a screen keeps at most.
const scrollback = 4000

// row is the cursor's.
func (s *screen) row() []rune {
	if over := s.y - scrollback; over > scrollback {
		s.rows, s.y = s.rows[min(over, len(s.rows)):], scrollback
	}
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, []rune(strings.Repeat(" ", 100)))
	}
	return s.rows[s.y]
}

func (s *screen) control(args string, final byte) {
	n := 1
	_, _ = fmt.Sscanf(args, "[%d", &n)
	switch final {
	case 'A':
		s.y -= n
	case 'B':
		s.y += n
	case 'C':
		s.x += n
	case 'D':
		s.x = max(0, s.x-n)
	case 'K':
		for i := s.x; i < 100; i++ {
			s.row()[i] = ' '
		}
	case 'J':
		s.row()
		for i := s.x; i < 100; i++ {
			s.rows[s.y][i] = ' '
		}
		s.rows = s.rows[:s.y+1]
	}
}
