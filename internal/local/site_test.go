package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testTime bounds what a test waits for.
const testTime = 10 * time.Minute

// A yard is a site that a test has for itself, so that it can tell that nothing
// is left of it.
type yard struct {
	*Site
	t   *testing.T
	ctx context.Context
}

// newYard returns one without machines. It is emptied at the test's end, or, where
// a test process died, by the next one.
func newYard(t *testing.T) *yard {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	t.Cleanup(cancel)
	if _, err := Open(Config{}); err != nil {
		t.Skip(err)
	}
	clearYards(t, ctx)
	for n := range 100 {
		name := "t" + strconv.FormatInt(int64(os.Getpid()), 36) + strconv.Itoa(n)
		owner, err := TryLock(yardLock(name))
		if err != nil {
			t.Fatal(err)
		}
		if owner == nil {
			continue // another test of this process has it
		}
		s, err := Open(Config{Site: name})
		if err != nil {
			t.Fatal(err)
		}
		y := &yard{s, t, ctx}
		t.Cleanup(func() {
			defer owner.Close()
			y.clear()
			os.Remove(owner.Name())
		})
		return y
	}
	t.Fatal("no name for a site is left")
	return nil
}

// yardLock is outside the site's folder, which comes and goes.
func yardLock(name string) string { return filepath.Join(os.TempDir(), "swarmscript-yard-"+name) }

func clearYards(t *testing.T, ctx context.Context) {
	t.Helper()
	dirs, err := os.ReadDir(sitesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !d.IsDir() || !strings.HasPrefix(d.Name(), "t") || d.Name() == "test" {
			continue
		}
		owner, err := TryLock(yardLock(d.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if owner == nil {
			continue // its test runs
		}
		s, err := Open(Config{Site: d.Name()})
		if err != nil {
			t.Fatal(err)
		}
		(&yard{s, t, ctx}).clear()
		os.Remove(owner.Name())
		owner.Close()
	}
}

// clear destroys all machines.
func (y *yard) clear() {
	y.t.Helper()
	// The test's own time may be over.
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	all, err := y.List()
	for _, m := range all {
		err = errors.Join(err, m.Destroy(ctx))
	}
	if err := errors.Join(err, y.Collect(ctx)); err != nil {
		y.t.Error(err)
	}
}

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// make makes a machine and boots it.
func (y *yard) make(spec Spec) *Machine {
	y.t.Helper()
	if spec.Project == "" {
		spec.Project = "shop"
	}
	m, err := y.Create(y.ctx, spec, func(string) {})
	y.must(err)
	y.start(m)
	return m
}

func (y *yard) start(m *Machine) {
	y.t.Helper()
	y.must(m.Start(y.ctx, func(string) {}))
}

// sh runs a script on a machine, and returns what it wrote.
func (y *yard) sh(m *Machine, script string) string {
	y.t.Helper()
	out, err := y.try(m, script)
	y.must(err)
	return out
}

func (y *yard) try(m *Machine, script string) (string, error) {
	out, err := run(y.ctx, "nsenter", "--target", strconv.Itoa(m.PID()), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
		"--", "/usr/bin/env", "-i", "PATH="+systemPath, "/bin/sh", "-c", script)
	return strings.TrimSpace(out), err
}

// left names all that is there of the site.
func (y *yard) left() []string {
	y.t.Helper()
	var out []string
	if exists(y.dir) {
		out = append(out, "folder "+y.dir)
	}
	links, err := os.ReadDir("/sys/class/net")
	y.must(err)
	for _, l := range links {
		if l.Name() == y.bridge() || strings.HasPrefix(l.Name(), "ss"+y.name+"-") {
			out = append(out, "link "+l.Name())
		}
	}
	for _, table := range []string{"nat", "filter"} {
		rules, err := run(y.ctx, "iptables", "-w", "-t", table, "-S")
		y.must(err)
		for _, line := range strings.Split(rules, "\n") {
			if strings.Contains(line, y.bridge()) {
				out = append(out, "rule "+line)
			}
		}
	}
	for _, dir := range y.cgroups(y.cgroup()) {
		out = append(out, "cgroup "+dir)
	}
	// Whatever has one of the machines' mounts: the computer, or a process in the
	// namespaces of one.
	tables, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	y.must(err)
	for _, path := range tables {
		if strings.Contains(readWord(path), y.dir+"/") {
			out = append(out, fmt.Sprintf("mounts of %s (%s)", filepath.Dir(path), readWord(filepath.Join(filepath.Dir(path), "comm"))))
		}
	}
	return out
}

// nothingLeft fails the test where something of the site stays. The kernel may
// take a moment for a namespace without processes.
func (y *yard) nothingLeft() {
	y.t.Helper()
	left := y.left()
	for end := time.Now().Add(2 * time.Minute); len(left) > 0 && time.Now().Before(end); left = y.left() {
		time.Sleep(20 * time.Millisecond)
	}
	if len(left) > 0 {
		y.t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// The machines of other sites are named to somebody who sees none.
func TestOtherSites(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"main/web", "lab/a", "lab/b", "empty"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
		if path != "empty" {
			if err := os.WriteFile(filepath.Join(dir, path, recordFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &Site{name: "main", dir: filepath.Join(dir, "main")}
	if got := s.OtherSites(); !slices.Equal(got, []string{"lab"}) {
		t.Errorf("got %q", got)
	}
}
