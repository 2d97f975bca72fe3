package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// A command is never run twice, and the next one finds a new connection.
func TestConnectionCutMidCommand(t *testing.T) {
	var ran atomic.Int32
	f := newFaulty(t, func(f *faulty) {
		f.run = func(cmd string, c *conn) bool {
			if strings.Contains(cmd, "cut me") {
				ran.Add(1)
				c.Close()
				return true
			}
			return false
		}
	})
	h := f.dial()
	for n := range int32(3) {
		_, err := h.Run(t.Context(), Command{Script: "echo cut me; exit 0"})
		if !errors.Is(err, ErrMayHaveRun) || !errors.Is(err, resource.ErrUnreachable) || errors.Is(err, resource.ErrTransient) {
			t.Fatalf("got %v", err)
		}
		if want := `while "echo cut me; exit 0" ran on root@127.0.0.1:`; !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
		if got := ran.Load(); got != n+1 {
			t.Fatalf("the command ran %d times, want %d", got, n+1)
		}
		if res, err := h.Run(t.Context(), Command{Script: "echo again"}); err != nil || string(res.Stdout) != "again\n" {
			t.Fatalf("after it: %q, %v", res.Stdout, err)
		}
	}
	if got := h.Used().Dials; got != 4 {
		t.Errorf("%d dials, want 4", got)
	}
}

// The exit code may come before the last of the output.
func TestConnectionCutAfterExitCode(t *testing.T) {
	f := newFaulty(t, func(f *faulty) {
		f.answer = func(ch ssh.Channel, c *conn) {
			fmt.Fprintln(ch, "a part")
			ch.SendRequest("exit-status", false, ssh.Marshal(&struct{ Code uint32 }{0}))
			c.Close()
		}
	})
	if res, err := f.dial().Run(t.Context(), Command{Script: "true"}); !errors.Is(err, ErrMayHaveRun) {
		t.Errorf("got %q, %v", res.Stdout, err)
	}
}

// What reads a stream to its end must not take a cut for the end.
func TestConnectionCutUnderStream(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := newFaulty(t, nil)
	for _, cut := range []bool{true, false} {
		server := make(chan net.Conn, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				fmt.Fprint(c, "hello")
			}
			server <- c
		}()
		conn, err := f.dial().Dial(t.Context(), "unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		c := <-server
		if cut {
			f.cut()
		} else {
			c.Close()
		}
		var lost *lostError
		if _, err := io.ReadAll(conn); errors.As(err, &lost) != cut || !cut && err != nil {
			t.Errorf("cut is %t: read to %v", cut, err)
		}
		conn.Close()
		c.Close()
	}
}

// A connection that is cut while nothing runs costs nobody an error.
func TestConnectionCutWhileIdle(t *testing.T) {
	f := newFaulty(t, nil)
	h := f.dial()
	for range 5 {
		if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
			t.Fatal(err)
		}
		f.cut()
	}
	if got := f.logins.Load(); got != 5 {
		t.Errorf("%d logins, want 5", got)
	}
}

func TestServerThatTakesTwoSessions(t *testing.T) {
	f := newFaulty(t, func(f *faulty) { f.maxSessions = 2 })
	h := f.dial()
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			if _, err := h.Run(t.Context(), Command{Script: "sleep 0.01"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := f.most.Load(); got != 2 {
		t.Errorf("%d sessions at once, want 2", got)
	}
	if got := h.sessions.max; got != 2 {
		t.Errorf("we learned that it takes %d", got)
	}
}

func TestServerThatTakesNoSessions(t *testing.T) {
	h := newFaulty(t, func(f *faulty) { f.maxSessions = 0 }).dial()
	_, err := h.Run(t.Context(), Command{Script: "true"})
	if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), "takes no sessions (MaxSessions)") {
		t.Errorf("got %v", err)
	}
}

// A host that stops answering is noticed, also under a command.
func TestSilentHost(t *testing.T) {
	f := newFaulty(t, func(f *faulty) {
		f.run = func(cmd string, c *conn) bool {
			if strings.Contains(cmd, "freeze") {
				c.freeze(f.T)
				return true
			}
			return false
		}
	})
	h := f.dial()
	h.time.patience = 3 * time.Second
	_, err := h.Run(t.Context(), Command{Script: "freeze"})
	if !errors.Is(err, ErrMayHaveRun) || !strings.Contains(err.Error(), "the connection was lost: it stopped answering while") {
		t.Errorf("got %v", err)
	}
	if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// Nobody waits for a hung host longer than they want.
func TestCancel(t *testing.T) {
	entered := make(chan struct{}, 1)
	f := newFaulty(t, func(f *faulty) {
		f.run = func(cmd string, c *conn) bool {
			if strings.Contains(cmd, "freeze") {
				c.freeze(f.T)
				entered <- struct{}{}
				return true
			}
			return false
		}
	})
	h := f.dial()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := h.Run(ctx, Command{Script: "freeze"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHello(t *testing.T) {
	for _, tt := range []struct {
		name  string
		greet func(net.Conn) bool
		want  string
	}{
		{"nothing is said", func(c net.Conn) bool { io.Copy(io.Discard, c); return false }, "the port is open, but no SSH server says hello (is it the right port?)"},
		{"hangs up", func(net.Conn) bool { return false }, "the connection was closed before the login (sshd drops logins"},
		{"another protocol", func(c net.Conn) bool {
			fmt.Fprintf(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return false
		}, "cannot reach root@127.0.0.1:"},
		{"stops after hello", func(c net.Conn) bool {
			fmt.Fprintf(c, "SSH-2.0-x\r\n")
			io.Copy(io.Discard, c)
			return false
		}, "no answer in 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFaulty(t, func(f *faulty) { f.greet = tt.greet }).dial()
			h.time.hello = 3 * time.Second
			_, err := h.Run(t.Context(), Command{Script: "true"})
			if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// sshd drops logins at random when many come at once: MaxStartups.
func TestServerThatHangsUpTwice(t *testing.T) {
	var n atomic.Int32
	h := newFaulty(t, func(f *faulty) { f.greet = func(net.Conn) bool { return n.Add(1) > 2 } }).dial()
	if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
		t.Error(err)
	}
}

func TestSlowHello(t *testing.T) {
	release := make(chan struct{})
	f := newFaulty(t, func(f *faulty) { f.greet = func(net.Conn) bool { <-release; return true } })
	h := f.dial()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
				t.Error(err)
			}
		})
	}
	// The one that dials gives up; the others dial for themselves.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Run(ctx, Command{Script: "true"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	wg.Wait()
	if got := f.logins.Load(); got != 1 {
		t.Errorf("%d logins, want 1", got)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	entered := make(chan struct{}, 1)
	f := newFaulty(t, func(f *faulty) {
		f.run = func(string, *conn) bool { entered <- struct{}{}; return true }
	})
	h := f.dial()
	done := make(chan error)
	go func() {
		_, err := h.Run(t.Context(), Command{Script: "for ever"})
		done <- err
	}()
	<-entered
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrMayHaveRun) {
		t.Errorf("the command ended with %v", err)
	}
	if _, err := h.Run(t.Context(), Command{Script: "true"}); err == nil || !strings.Contains(err.Error(), "closed by us") {
		t.Errorf("a closed host gives %v", err)
	}
}

// After a user was added to a group, a new login has it, and what runs goes on.
func TestReconnect(t *testing.T) {
	f := newFaulty(t, nil)
	h := f.dial()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := h.Run(t.Context(), Command{Script: `read x < "$1"`, Args: []string{fifo}})
		done <- err
	}()
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // when the command has opened it
	if err != nil {
		t.Fatal(err)
	}
	h.Reconnect()
	if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(w, "x")
	w.Close()
	if err := <-done; err != nil {
		t.Errorf("what ran before: %v", err)
	}
	if got := f.logins.Load(); got != 2 {
		t.Errorf("%d logins, want 2", got)
	}
}

// A file is there whole, or as it was: the input of a connection that is cut
// looks like one that ends.
func TestPutThatIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFaulty(t, func(f *faulty) {
		f.run = func(cmd string, c *conn) bool {
			out, err := exec.Command("sh", "-c", "printf 'only a part' | { "+strings.TrimPrefix(cmd, "exec ")+"; }").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "only 11 of 1000 bytes arrived") {
				f.Errorf("the script says %q, %v", out, err)
			}
			c.Close()
			return true
		}
	})
	if err := f.dial().Put(t.Context(), path, make([]byte, 1000), PutOptions{}); !errors.Is(err, ErrMayHaveRun) {
		t.Errorf("got %v", err)
	}
	files, _ := os.ReadDir(filepath.Dir(path))
	if text, _ := os.ReadFile(path); string(text) != "before" || len(files) != 1 {
		t.Errorf("the file holds %q, beside %v", text, files)
	}
}

func TestQuote(t *testing.T) {
	for _, word := range []string{"", "plain", "a b", "it's", "$HOME `x` \\ \" * ?", "new\nline", "-n", "ü", "'"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q came as %q, %v", word, out, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("it's")
	f.Fuzz(func(t *testing.T, word string) {
		if strings.Contains(word, "\x00") {
			t.Skip()
		}
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%s came as %q, %v", strconv.Quote(word), out, err)
		}
	})
}

// Each stage of a machine that does not get ready has its own message.
func TestNotReady(t *testing.T) {
	for _, tt := range []struct {
		name   string
		with   func(*faulty)
		change func(*Machine)
		want   string
	}{
		{"nobody listens", nil, func(m *Machine) { m.Port = 1 }, "is not ready: waited 1ms for its SSH port: cannot reach root@127.0.0.1:1 by SSH: connection refused"},
		{"hangs up", func(f *faulty) { f.greet = func(net.Conn) bool { return false } }, nil, "waited 1ms for its SSH server to say hello: "},
		{"no such user", func(f *faulty) {
			f.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
		}, nil, "waited 1ms for the login: cannot reach root@127.0.0.1:"},
		{"an unknown key", nil, func(m *Machine) { m.HostKeys = nil }, "its host key is not known"},
		{"no address", nil, func(m *Machine) { m.Address = "" }, "it has no address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFaulty(t, tt.with).dial()
			h.time.stage = time.Millisecond
			if tt.change != nil {
				tt.change(&h.m)
			}
			err := WaitReady(t.Context(), h, 0, nil)
			if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Where whoever waits has no more time, the error says what for.
func TestNotReadyInTime(t *testing.T) {
	h := newFaulty(t, nil).dial()
	h.m.Port = 1
	ctx, cancel := context.WithCancel(t.Context())
	ctx, over := context.WithTimeout(ctx, time.Hour)
	cancel()
	if err := WaitReady(ctx, h, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	over()
	ctx, cancel = context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	err := WaitReady(ctx, h, 0, nil)
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "root@127.0.0.1:1 is not ready: still waiting for its SSH port" {
		t.Errorf("out of time: %v", err)
	}
}

// Only what listens not, or not yet as an SSH server, may be starting.
func TestNotUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		with   func(*faulty)
		change func(*Machine)
		want   bool
	}{
		{"nobody listens", nil, func(m *Machine) { m.Port = 1 }, true},
		{"no hello", func(f *faulty) { f.greet = func(net.Conn) bool { return false } }, nil, true},
		{"no such name", nil, func(m *Machine) { m.Address = "nowhere.invalid" }, false},
		{"an unknown key", nil, func(m *Machine) { m.HostKeys = nil }, false},
		{"no such user", func(f *faulty) {
			f.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
		}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFaulty(t, tt.with).dial()
			if tt.change != nil {
				tt.change(&h.m)
			}
			_, err := h.Run(t.Context(), Command{Script: "true"})
			if err == nil || NotUp(err) != tt.want {
				t.Errorf("%t for %v", NotUp(err), err)
			}
		})
	}
}

// mark is what a command is known by, different each time.
var mark = regexp.MustCompile(`env SWARMSCRIPT_COMMAND=\S+ `)

// sshd sets TCP_NODELAY with a login's first command: one that only forwards
// gets a command that does nothing.
func TestForwardingIsHurried(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "echo")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	for _, commandFirst := range []bool{false, true} {
		commands := make(chan string, 10)
		f := newFaulty(t, func(f *faulty) {
			f.maxSessions = 1
			f.run = func(cmd string, _ *conn) bool { commands <- cmd; return false }
		})
		h := f.dial()
		if commandFirst {
			if _, err := h.Run(t.Context(), Command{Script: "true"}); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			c, err := h.Dial(t.Context(), "unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, "hello")
			b := make([]byte, 5)
			if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := h.Run(t.Context(), Command{Script: "false || true"}); err != nil {
			t.Error(err)
		}
		h.Close()
		want := []string{":", "exec sh -c 'false || true' sh"}
		if commandFirst {
			want[0] = "exec sh -c true sh"
		}
		for _, w := range want {
			if got := mark.ReplaceAllString(<-commands, ""); got != w {
				t.Errorf("the server ran %q, want %q", got, w)
			}
		}
		if len(commands) > 0 {
			t.Errorf("and %q", <-commands)
		}
	}
}

// A lost connection under the Engine API: what only reads is asked again, and
// what was being answered says that it was lost.
func TestEngineOverCutConnection(t *testing.T) {
	f := newFaulty(t, nil)
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.44")
		if strings.HasSuffix(r.URL.Path, "/info") {
			f.cut()
		}
		fmt.Fprint(w, "OK")
	})}
	go server.Serve(l)
	defer server.Close()
	d, err := f.dial().Docker(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.cut()
		if _, err := d.API().Ping(t.Context()); err != nil {
			t.Errorf("after a cut: %v", Err(err))
		}
	}
	_, err = d.API().Info(t.Context())
	if err = Err(err); !errors.Is(err, resource.ErrTransient) || !strings.Contains(err.Error(), "lost the connection to the Docker Engine at ssh://root@127.0.0.1:") {
		t.Errorf("cut in the middle: %v", err)
	}
}

// No goroutine outlives its host.
func TestNothingOutlivesAHost(t *testing.T) {
	entered := make(chan struct{}, 1)
	f := newFaulty(t, func(f *faulty) {
		f.run = func(cmd string, _ *conn) bool {
			if strings.Contains(cmd, "for ever") {
				entered <- struct{}{}
				return true
			}
			return false
		}
	})
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := runtime.NumGoroutine()
	h := f.dial()
	if _, err := h.Run(t.Context(), Command{Script: "cat", Stdin: make([]byte, 1<<20)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Dial(t.Context(), "unix", socket); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := h.Run(ctx, Command{Script: "for ever", Stdin: make([]byte, 8<<20)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	h.Close()
	for deadline := time.Now().Add(3 * time.Minute); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
