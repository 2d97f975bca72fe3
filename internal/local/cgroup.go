package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A hierarchy is a mounted tree of cgroups. Version 1 has several, of one or two
// controllers each; version 2 has one.
type hierarchy struct {
	path        string
	controllers []string // of version 1, as mount(8) wants them: "cpu", "name=systemd"
	unified     bool
}

// hierarchies returns those in which a machine gets a cgroup.
func (s *Site) hierarchies() ([]hierarchy, error) {
	text, err := os.ReadFile(s.mounts)
	if err != nil {
		return nil, err
	}
	all := readHierarchies(string(text))
	if len(all) == 0 {
		return nil, errors.New("no cgroups are mounted below /sys/fs/cgroup")
	}
	return all, nil
}

// readHierarchies reads the kernel's table of mounts, those of version 1 first:
// where both are mounted, the controllers are usually theirs. A machine needs a
// cgroup in the other one nevertheless: systemd keeps its processes there, and two
// that shared a root would end each other's.
func readHierarchies(mounts string) []hierarchy {
	var v1, v2 []hierarchy
	lines := bufio.NewScanner(strings.NewReader(mounts))
	for lines.Scan() {
		left, right, _ := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if len(l) < 5 || len(r) < 3 || l[4] != "/sys/fs/cgroup" && !strings.HasPrefix(l[4], "/sys/fs/cgroup/") {
			continue
		}
		h := hierarchy{path: l[4], unified: r[0] == "cgroup2"}
		switch {
		case h.unified:
			v2 = append(v2, h)
		case r[0] == "cgroup" && !slices.ContainsFunc(v1, func(o hierarchy) bool { return o.path == h.path }):
			for _, o := range strings.Split(r[2], ",") {
				if o != "rw" && o != "ro" && o != "xattr" && o != "clone_children" && o != "noprefix" && !strings.HasPrefix(o, "release_agent=") {
					h.controllers = append(h.controllers, o)
				}
			}
			v1 = append(v1, h)
		}
	}
	return append(v1, v2...)
}

// enter puts the machine's first process, which has no children yet, into the
// machine's cgroups, with its limits set. One that is removed as empty before the
// process is in it, with what another machine left, is made again.
func (m *Machine) enter(pid int) error {
	all, err := m.site.hierarchies()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err = m.enterAll(all, pid); !errors.Is(err, fs.ErrNotExist) || try == enterTries {
			return err
		}
	}
}

const enterTries = 5

func (m *Machine) enterAll(all []hierarchy, pid int) error {
	for _, h := range all {
		dir := h.path
		for _, part := range strings.Split(m.cgroup()[1:], "/") {
			parent := dir
			dir = filepath.Join(dir, part)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := h.inherit(parent, dir); err != nil {
				return err
			}
		}
	}
	if err := m.writeLimits(); err != nil {
		return err
	}
	for _, h := range all {
		if err := m.site.weigh(h); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(h.path, m.cgroup(), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// inherit makes a new cgroup usable: version 1 wants to be told the CPUs that a
// process in it may use, version 2 which controllers there are.
func (h hierarchy) inherit(parent, dir string) error {
	if h.unified {
		for _, c := range strings.Fields(readWord(filepath.Join(parent, "cgroup.controllers"))) {
			if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+c), 0o644); err != nil {
				return fmt.Errorf("cgroup controller %s: %w", c, err)
			}
		}
		return nil
	}
	if !slices.Contains(h.controllers, "cpuset") {
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(readWord(filepath.Join(parent, name))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// weigh lets the site's machines have as much of the CPUs, where these are short,
// as that many other programs of this computer. Version 1 weighs a cgroup against
// every single process beside it: all machines together would count as one, and
// be too slow for what is timed where the computer is busy.
func (s *Site) weigh(h hierarchy) error {
	const one = 1024 // the kernel's, of a process
	if h.unified || !slices.Contains(h.controllers, "cpu") {
		return nil
	}
	top := filepath.Join(h.path, s.cgroup())
	machines, err := filepath.Glob(filepath.Join(top, "m*", "cgroup.procs"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(top, "cpu.shares"), []byte(strconv.Itoa(one*len(machines))), 0o644)
}

// period is that of the CPU limit in microseconds, which is also the kernel's own.
const period = 100_000

// A setting is a file of a cgroup, by version, and what it says for a limit.
type setting struct {
	controller   string
	file1, text1 string
	file2, text2 string
	none         bool // no limit
}

// settings are what limits become. The kernel's word for none differs.
func (l Limits) settings() []setting {
	cpu := setting{controller: "cpu", file1: "cpu.cfs_quota_us", text1: "-1", file2: "cpu.max", text2: "max " + strconv.Itoa(period), none: l.NanoCPUs == 0}
	if !cpu.none {
		// Of a period, rounded down as Docker does it.
		cpu.text1 = strconv.FormatInt(l.NanoCPUs*period/1_000_000_000, 10)
		cpu.text2 = cpu.text1 + " " + strconv.Itoa(period)
	}
	memory := setting{controller: "memory", file1: "memory.limit_in_bytes", text1: "-1", file2: "memory.max", text2: "max", none: l.Memory == 0}
	if !memory.none {
		memory.text1 = strconv.FormatInt(l.Memory, 10)
		memory.text2 = memory.text1
	}
	return []setting{cpu, memory}
}

// rounded is how the kernel keeps them: in parts of a period, and in pages.
func (l Limits) rounded() Limits {
	const part = 1_000_000_000 / period
	page := int64(os.Getpagesize())
	return Limits{NanoCPUs: l.NanoCPUs / part * part, Memory: l.Memory / page * page}
}

// writeLimits sets the limits of the machine's cgroups. One that the kernel has no
// controller for is an error.
func (m *Machine) writeLimits() error {
	all, err := m.site.hierarchies()
	if err != nil {
		return err
	}
	for _, s := range m.Limits.settings() {
		written := s.none // where there is no such limit, none is what there is
		for _, h := range all {
			file, text := s.file1, s.text1
			if h.unified {
				file, text = s.file2, s.text2
			}
			path := filepath.Join(h.path, m.cgroup(), file)
			if !exists(path) {
				continue
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				return fmt.Errorf("the limit of %s: %w", s.controller, err)
			}
			written = true
		}
		if !written {
			return fmt.Errorf("the limit of %s: this computer's kernel has no cgroup controller for it", s.controller)
		}
	}
	return nil
}

// limits reads what the kernel holds the machine to, which runs.
func (m *Machine) limits() (Limits, error) {
	var l Limits
	all, err := m.site.hierarchies()
	if err != nil {
		return l, err
	}
	for _, h := range all {
		quotaFile, memoryFile := "cpu.cfs_quota_us", "memory.limit_in_bytes"
		if h.unified {
			quotaFile, memoryFile = "cpu.max", "memory.max"
		}
		quota, _, _ := strings.Cut(readWord(filepath.Join(h.path, m.cgroup(), quotaFile)), " ")
		memory := readWord(filepath.Join(h.path, m.cgroup(), memoryFile))
		// No limit is -1, "max", or more than there can be.
		if n, err := strconv.ParseInt(quota, 10, 64); err == nil && n > 0 {
			l.NanoCPUs = n * (1_000_000_000 / period)
		}
		if n, err := strconv.ParseInt(memory, 10, 64); err == nil && n < 1<<60 {
			l.Memory = n
		}
	}
	return l, nil
}

// cgroups lists a cgroup in all hierarchies where it is there.
func (s *Site) cgroups(name string) []string {
	all, _ := s.hierarchies()
	var out []string
	for _, h := range all {
		if dir := filepath.Join(h.path, name); exists(dir) {
			out = append(out, dir)
		}
	}
	return out
}

// removeCgroups removes a cgroup and those below it. One that holds a process
// stays.
func (s *Site) removeCgroups(name string) {
	for _, top := range s.cgroups(name) {
		var dirs []string
		_ = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			_ = os.Remove(dir) // one that has come or gone meanwhile is seen by the next try
		}
	}
}

// freezer is where the machine is frozen: the file to write and what to write,
// the file that tells, and what it says then.
type freezer struct {
	write, frozen, thawed string
	tell, isFrozen        string
}

func (m *Machine) freezer() (freezer, error) {
	all, err := m.site.hierarchies()
	if err != nil {
		return freezer{}, err
	}
	for _, h := range all {
		dir := filepath.Join(h.path, m.cgroup())
		switch {
		case h.unified:
			return freezer{dir + "/cgroup.freeze", "1", "0", dir + "/cgroup.events", "frozen 1"}, nil
		case slices.Contains(h.controllers, "freezer"):
			return freezer{dir + "/freezer.state", "FROZEN", "THAWED", dir + "/freezer.state", "FROZEN"}, nil
		}
	}
	return freezer{}, errors.New("machines cannot be paused here: the kernel has no freezer cgroup")
}

func (f freezer) isOn() bool { return strings.Contains(readWord(f.tell), f.isFrozen) }

// set freezes or thaws, and returns when it is so.
func (f freezer) set(ctx context.Context, on bool) error {
	text := f.thawed
	if on {
		text = f.frozen
	}
	for {
		// Written again each time: the kernel gives up on a process that is busy.
		if err := os.WriteFile(f.write, []byte(text), 0o644); err != nil {
			return err
		}
		if f.isOn() == on {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
