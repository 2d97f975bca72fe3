package examples_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// program is swarmscript, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "swarmscript")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "swarmscript")
	out, err := exec.Command("go", "build", "-o", bin, "../cmd/swarmscript").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// stage is an example that is tried on machines of this computer.
type stage struct {
	*testing.T
	script  string
	project string
	site    string   // where its machines are; "" is the usual one
	vars    []string // of every run
	env     []string // beside the test's own
	flags   []string // of every run of the script
	last    []string // of the last apply
}

// run runs the program, and returns its exit code and all that it said.
func (s *stage) run(args ...string) (int, string) {
	s.Helper()
	bin, err := program()
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute) // also at the end of the test
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func (s *stage) args(verb string, vars []string, more ...string) []string {
	args := slices.Concat([]string{verb, s.script}, s.flags, more)
	for _, v := range append(s.vars, vars...) {
		args = append(args, "--var", v)
	}
	return args
}

// apply applies, which must go well.
func (s *stage) apply(vars []string, more ...string) string {
	s.Helper()
	s.last = vars
	code, out := s.run(s.args("apply", vars, append(more, "--auto-approve")...)...)
	if code != 0 {
		s.Fatalf("apply %v ended with %d:\n%s", vars, code, out)
	}
	return out
}

// cut applies, and switches a machine off when the apply says something.
func (s *stage) cut(when, name string) (int, string) {
	s.Helper()
	bin, err := program()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(bin, s.args("apply", s.last, "--auto-approve")...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	var said strings.Builder
	off := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !off && strings.Contains(lines.Text(), when) {
			off = true
			if err := s.machine(name).Kill(s.Context()); err != nil {
				s.Error(err)
			}
		}
	}
	cmd.Wait() // its exit code says how it ended
	if !off {
		s.Fatalf("it never said %q:\n%s", when, said.String())
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// eventually waits until something is so.
func (s *stage) eventually(what string, is func() bool) {
	s.Helper()
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; time.Sleep(time.Second) {
		if is() {
			return
		}
	}
	s.Fatalf("never: %s", what)
}

// settled checks that nothing is left to do.
func (s *stage) settled() {
	s.Helper()
	if code, out := s.run(s.args("plan", s.last, "--detailed-exitcode")...); code != 0 {
		s.Fatalf("after the apply the plan is not empty (%d):\n%s", code, out)
	}
}

// destroy takes everything away.
func (s *stage) destroy() {
	s.Helper()
	if code, out := s.run(s.args("destroy", s.last, "--auto-approve", "--allow-data-loss")...); code != 0 {
		s.Fatalf("destroy ended with %d:\n%s", code, out)
	}
}

// machine returns one of the project's machines.
func (s *stage) machine(name string) *local.Machine {
	s.Helper()
	site, err := local.Open(local.Config{Site: s.site})
	if err != nil {
		s.Fatal(err)
	}
	all, err := site.List()
	if err != nil {
		s.Fatal(err)
	}
	for _, m := range all {
		if m.Project == s.project && m.Name == name {
			return m
		}
	}
	s.Fatalf("there is no machine %s", name)
	return nil
}

// reach says how a machine is reached.
func (s *stage) reach(name string) remote.Machine {
	s.Helper()
	m := s.machine(name)
	to, err := m.SSH()
	if err != nil {
		s.Fatal(err)
	}
	return remote.Machine{Address: m.Address.String(), Port: 22, User: to.User, Key: to.Key, HostKeys: []string{to.HostKey}}
}

// on runs a command on a machine.
func (s *stage) on(name, script string, stdin []byte) string {
	s.Helper()
	h := remote.DialHost(s.reach(name))
	defer h.Close()
	res, err := h.Run(s.Context(), remote.Command{Script: script, Stdin: stdin})
	if err != nil {
		s.Fatalf("%s on %s: %v\n%s", script, name, err, res.Stderr)
	}
	return strings.TrimSpace(string(res.Stdout))
}

// load brings the test images to machines: there is no registry here.
func (s *stage) load(names ...string) {
	s.Helper()
	images, err := os.ReadFile(testengine.Archive(s))
	if err != nil {
		s.Fatal(err)
	}
	for _, n := range names {
		s.on(n, "docker load --quiet", images)
	}
}

// client asks a service all the time, on any of its hosts, as a load balancer
// would.
type client struct {
	s    *stage
	stop context.CancelFunc
	done chan struct{}

	mu            sync.Mutex
	asked, failed int
	worst         time.Duration
	said          []string // when nobody answered, and what was wrong
}

func (s *stage) asks(port int, names ...string) *client {
	ctx, stop := context.WithCancel(context.Background())
	var urls []string
	for _, n := range names {
		urls = append(urls, fmt.Sprintf("http://%s:%d/", s.machine(n).Address, port))
	}
	c := &client{s: s, stop: stop, done: make(chan struct{})}
	web := &http.Client{Timeout: 15 * time.Second} // a busy computer is not an outage
	go func() {
		defer close(c.done)
		var since time.Time // when it stopped to answer
		for ctx.Err() == nil {
			var errs []error
			ok := false
			for _, u := range urls {
				if ok = answers(web, u, &errs); ok {
					break
				}
			}
			c.mu.Lock()
			c.asked++
			if !ok {
				c.said = append(c.said, fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly), errors.Join(errs...)))
			}
			switch {
			case ok:
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
				c.failed++
			default:
				c.failed++
				c.worst = max(c.worst, time.Since(since))
			}
			c.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return c
}

// answers reports whether a page is there; errs gets why not.
func answers(web *http.Client, url string, errs *[]error) bool {
	resp, err := web.Get(url)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return true
		}
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	*errs = append(*errs, err)
	return false
}

// end returns how often it asked, and how often nobody answered.
func (c *client) end() (asked, failed int, worst time.Duration) {
	c.stop()
	<-c.done
	return c.asked, c.failed, c.worst
}
