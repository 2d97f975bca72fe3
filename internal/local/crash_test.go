package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

var rounds = flag.Int("local.rounds", 5, "how often TestCrash kills who makes machines")

// whatChildDoes is set in the environment of a test process that is another
// one's child: a word, and a site or a folder.
const whatChildDoes = "SWARMSCRIPT_LOCAL_TEST"

// TestChild is no test of its own: it is what the others start and kill.
func TestChild(t *testing.T) {
	word, arg, _ := strings.Cut(os.Getenv(whatChildDoes), " ")
	ctx := context.Background()
	say := func(string) {}
	switch word {
	case "":
		t.Skip("for the other tests")
	case "machines": // made, booted and destroyed again and again
		s, err := Open(Config{Site: arg})
		for err == nil {
			var m *Machine
			if m, err = s.Create(ctx, Spec{Project: "shop", Name: "m", Image: "debian-12"}, say); err == nil {
				err = errors.Join(m.Start(ctx, say), m.Destroy(ctx))
			}
		}
		t.Fatal(err)
	case "base":
		s, err := Open(Config{})
		if err == nil {
			s.cache = arg
			_, err = s.Prepare(ctx, "debian-12", say)
		}
		t.Fatal(err)
	case "network":
		forwarding(t, arg)
	}
}

// child starts this test's process again, as TestChild.
func child(t *testing.T, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), whatChildDoes+"="+what)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func cut(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// Who makes, boots or destroys a machine may die at any moment. The next one
// finds a machine that is whole, one that is known to be broken, or none, and
// leaves nothing of it.
func TestCrash(t *testing.T) {
	y := newYard(t)
	_, err := y.Prepare(y.ctx, "debian-12", func(string) {})
	y.must(err)
	for round := range *rounds {
		c := child(t, "machines "+y.name)
		// From before the first step to the third machine.
		time.Sleep(rand.N(6 * time.Second))
		cut(t, c)
		ctx, cancel := context.WithTimeout(context.Background(), testTime)
		defer cancel()
		y.ctx = ctx
		m, err := y.Find("shop", "m")
		state := State("nothing")
		if err == nil {
			state = m.State()
		}
		if round%2 == 1 && (errors.Is(err, resource.ErrMissing) || state == Broken) {
			m, err = y.Create(ctx, Spec{Project: "shop", Name: "m", Image: "debian-12"}, func(string) {})
		}
		if err == nil && m.State() != Broken {
			y.start(m)
			if got := login(t, m, m.HostKey, "hostname"); got != "m" {
				t.Errorf("it is not whole: %q", got)
			}
		}
		if err == nil {
			err = m.Destroy(ctx)
		}
		if !errors.Is(err, resource.ErrMissing) {
			y.must(err)
		}
		t.Logf("round %d: found %s", round, state)
		// Files may be left that nobody could have seen; everything else has gone with
		// the machine that was seen.
		for _, what := range y.left() {
			if what != "folder "+y.dir {
				t.Errorf("left behind by destroying what was seen: %s", what)
			}
		}
		y.must(y.Collect(ctx))
		y.nothingLeft()
	}
}

// A base is made whole or not at all, and what makes it goes with who asked.
func TestCrashOfABase(t *testing.T) {
	y := newYard(t)
	cache := t.TempDir()
	c := child(t, "base "+cache)
	target := filepath.Join(cache, "debian-12.part", "debootstrap")
	for !exists(target) {
		y.must(y.ctx.Err())
		time.Sleep(20 * time.Millisecond)
	}
	cut(t, c)
	working := func() (out []string) {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		y.must(err)
		for _, path := range lines {
			if line := readWord(path); strings.Contains(line, cache) {
				out = append(out, strings.ReplaceAll(line, "\x00", " "))
			}
		}
		return out
	}
	left := working()
	for end := time.Now().Add(2 * time.Minute); len(left) > 0 && time.Now().Before(end); left = working() {
		time.Sleep(20 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("still at work: %q", left)
	}
	if mounts := readWord("/proc/self/mountinfo"); strings.Contains(mounts, cache) {
		t.Errorf("still mounted:\n%s", mounts)
	}
	if done, err := filepath.Glob(filepath.Join(cache, "debian-12-*")); err != nil || len(done) > 0 {
		t.Errorf("a base that is not whole: %v, %v", done, err)
	}
}

// Who wants the same at once gets one machine; who wants different ones, in any
// projects, gets them all.
func TestManyAtOnce(t *testing.T) {
	y := newYard(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	made := make([]*Machine, len(errs))
	for i := range errs {
		wg.Go(func() {
			spec := Spec{Project: fmt.Sprint("project", i%2), Name: fmt.Sprint("m", i/4), Image: "debian-12"}
			made[i], errs[i] = y.Create(y.ctx, spec, func(string) {})
		})
	}
	wg.Wait()
	var all []*Machine
	for i, err := range errs {
		switch {
		case err == nil:
			all = append(all, made[i])
		case !errors.Is(err, resource.ErrExists):
			t.Error(err)
		}
	}
	seen := map[string]bool{}
	for _, m := range all {
		seen[m.Project+"/"+m.Name] = true
		seen[m.Address.String()] = true
	}
	if len(all) != 4 || len(seen) != 8 {
		t.Errorf("%d machines: %v", len(all), seen)
	}
	for _, m := range all {
		wg.Go(func() {
			if err := m.Start(y.ctx, func(string) {}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, m := range all {
		if got := y.sh(m, "hostname; systemctl is-system-running --wait; systemctl --failed --no-legend"); got != m.Name+"\nrunning" {
			t.Errorf("%s says %q", m.Name, got)
		}
	}
	for _, m := range all {
		wg.Go(func() {
			if err := m.Destroy(y.ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	y.nothingLeft()
}
