package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4") // unless -parallel says otherwise: scripts wait more than they work
	testscript.Main(m, map[string]func(){"swarmscript": main})
}

// TestScripts runs the scripts of testdata. They read as what a user types;
// the commands beyond testscript's own are in commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Deadline:            time.Now().Add(20 * time.Minute), // what hangs is shown
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
		Condition: func(cond string) (bool, error) {
			if cond == "engine" {
				return runtime.GOOS == "linux" && os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			// Nothing of the developer's own docker gets in.
			e.Setenv("DOCKER_HOST", "unix://"+filepath.Join(e.WorkDir, "no-engine.sock"))
			e.Setenv("DOCKER_CONFIG", filepath.Join(e.WorkDir, ".docker"))
			// The race detector would sleep a second at the end of each of our hundreds of runs.
			e.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
			// The bases of local machines are made once for all tests.
			cache, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			e.Setenv("XDG_CACHE_HOME", cache)
			// The process of a lab that a script which failed leaves ends soon.
			e.Setenv("SWARMSCRIPT_LAB_IDLE", "1m")
			examples, err := filepath.Abs("../../examples")
			e.Setenv("EXAMPLES", examples)
			return err
		},
	})
}

var commands = map[string]func(*testscript.TestScript, bool, []string){
	"awaits":  awaits,
	"engine":  startEngine,
	"gone":    gone,
	"exits":   exits,
	"shows":   shows,
	"http":    httpShows,
	"machine": makeMachine,
	"nodes":   startNodes,
	"pending": pending,
	"repeat":  repeat,
	"settled": settled,
	"site":    takeSite,
}

// script is what testengine asks of a test.
type script struct {
	testing.TB
	ts *testscript.TestScript
}

func (s script) Helper()                           {}
func (s script) Fatal(args ...any)                 { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (s script) Fatalf(format string, args ...any) { s.ts.Fatalf(format, args...) }
func (s script) Logf(format string, args ...any)   { s.ts.Logf(format, args...) }

// few bounds the scripts with engines that run at once: each engine takes a processor to start, and then waits.
var few = make(chan struct{}, max(2, runtime.NumCPU()))

// engine [20.10] starts an engine with the test images, for DOCKER_HOST. The
// docker CLI is in the PATH; ADDR is the engine's address.
func startEngine(ts *testscript.TestScript, neg bool, args []string) {
	version := testengine.Docker28
	if len(args) == 1 && args[0] == "20.10" {
		version = testengine.Debian20
	} else if len(args) > 0 || neg {
		ts.Fatalf("usage: engine [20.10]")
	}
	few <- struct{}{}
	ts.Defer(func() { <-few })
	e, err := testengine.New(version)
	ts.Check(err)
	ts.Defer(func() { ts.Check(e.Close()) })
	testengine.Images(e.In(script{ts: ts}))
	use(ts, e)
}

// nodes N starts a swarm of N engines, n1 to nN, and sets what engine does for
// n1, its manager.
func startNodes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nodes N")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	few <- struct{}{}
	ts.Defer(func() { <-few })
	var first *testengine.Engine
	token := ""
	for i := range count {
		e, err := testengine.New(testengine.Docker28, testengine.Hostname(fmt.Sprintf("n%d", i+1)))
		ts.Check(err)
		ts.Defer(func() { ts.Check(e.Close()) })
		e = e.In(script{ts: ts})
		testengine.Images(e)
		if first == nil {
			first = e
			e.Docker("swarm", "init", "--advertise-addr", e.Addr)
			token = e.Docker("swarm", "join-token", "-q", "worker")
		} else {
			e.Docker("swarm", "join", "--advertise-addr", e.Addr, "--token", token, first.Addr+":2377")
		}
	}
	for begun := time.Now(); strings.Count(first.Docker("node", "ls", "--format", "{{.Status}}"), "Ready") < count; time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > 3*time.Minute {
			ts.Fatalf("the nodes are not ready: %s", first.Docker("node", "ls"))
		}
	}
	use(ts, first)
}

// site takes a site of local machines for the script, whose name is in SITE. Its
// machines are destroyed at the end.
func takeSite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: site")
	}
	site, destroy, err := testhost.TakeSite()
	ts.Check(err)
	ts.Defer(func() { ts.Check(destroy()) })
	ts.Setenv("SITE", site.Name())
}

// machine PROJECT NAME [off] makes a local machine on the script's site, and boots
// it.
func makeMachine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: machine PROJECT NAME [off]")
	}
	site, err := local.Open(local.Config{Site: ts.Getenv("SITE")})
	ts.Check(err)
	spec := local.Spec{Project: args[0], Name: args[1], Image: "debian-12", Limits: local.Limits{NanoCPUs: 1_500_000_000, Memory: 512 << 20}}
	m, err := site.Create(context.Background(), spec, func(string) {})
	ts.Check(err)
	if len(args) == 2 {
		ts.Check(m.Start(context.Background(), func(string) {}))
	}
}

// use makes an engine the one of the script's commands.
func use(ts *testscript.TestScript, e *testengine.Engine) {
	cli, err := testengine.Tool("docker")
	ts.Check(err)
	ts.Setenv("DOCKER_HOST", e.Host)
	ts.Setenv("ADDR", e.Addr)
	ts.Setenv("PATH", filepath.Dir(cli)+string(os.PathListSeparator)+ts.Getenv("PATH"))
}

// exits CODE COMMAND... runs a command that ends with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		coder, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = coder.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// awaits FILE waits until a file is there that a command in the background makes.
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaits FILE")
	}
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s is not there", args[0])
}

// gone GLOB waits until there is no such file any more.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone GLOB")
	}
	var left []string
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(10 * time.Millisecond) {
		var err error
		left, err = filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(left) == 0 {
			return
		}
	}
	ts.Fatalf("there are still %v", left)
}

var tookText = regexp.MustCompile(`\d+\.\d s\b`)

// shows FILE checks that the standard output of the last command is what a file
// has, in which T stands for how long something took.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shows FILE")
	}
	got := tookText.ReplaceAllString(ts.ReadFile("stdout"), "T")
	if want := ts.ReadFile(args[0]); got != want {
		ts.Fatalf("it is not what %s has:\n%s", args[0], diff.Diff("want", []byte(want), "got", []byte(got)))
	}
}

// http URL TEXT waits until the URL's page holds the text.
func httpShows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: http URL TEXT")
	}
	var last string
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(100 * time.Millisecond) {
		res, err := http.Get(args[0])
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		ts.Check(err)
		if last = string(body); strings.Contains(last, args[1]) {
			return
		}
	}
	ts.Fatalf("%s: no %q; the last answer was %q", args[0], args[1], last)
}

// pending waits until a task of the engine has found no node: the scheduler
// takes a moment to say so.
func pending(ts *testscript.TestScript, neg bool, args []string) {
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(100 * time.Millisecond) {
		ts.Check(ts.Exec("sh", "-c", "docker service ps --no-trunc --format '{{.Error}}' $(docker service ls --quiet)"))
		if strings.Contains(ts.ReadFile("stdout"), "no suitable node") {
			return
		}
	}
	ts.Fatalf("every task has found a node")
}

// repeat N TEXT FILE appends to a file N lines of the text, with their number
// for %d.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat N TEXT FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[2]), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	ts.Check(err)
	for i := range n {
		_, err := fmt.Fprintf(f, "%s\n", strings.ReplaceAll(args[1], "%d", strconv.Itoa(i)))
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// settled FILE... checks that nothing is left to do: plan says so, and an
// apply changes nothing.
func settled(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: settled [ARGUMENT...]")
	}
	ts.Check(ts.Exec("swarmscript", append([]string{"plan", "--detailed-exitcode"}, args...)...))
	ts.Check(ts.Exec("swarmscript", append([]string{"apply", "--auto-approve"}, args...)...))
	if out := ts.ReadFile("stdout"); !strings.Contains(out, "No changes.") {
		ts.Fatalf("a second apply says %q", out)
	}
}
