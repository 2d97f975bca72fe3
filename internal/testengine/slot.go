package testengine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A slot is an engine's place on this computer: a number, and by it a folder, an address, a link and cgroups. Its folder
// is short, as a unix socket's path may have 104 bytes. The file "owner" in it is locked by the test process that
// uses it; the kernel drops that lock when the process dies, whatever way, so a slot that can be locked is free or left over.
type slot struct {
	number int
	dir    string
	owner  *os.File
}

const (
	stateDir = "/var/lib/swarmscript-test"
	bridge   = "swst0"
	// Addresses for benchmarks (RFC 2544): no real network uses them, nor does Docker.
	bridgeIP  = "198.18.0.1"
	slotLimit = 250
)

func (s *slot) name() string    { return "e" + strconv.Itoa(s.number) }
func (s *slot) address() string { return fmt.Sprintf("198.18.0.%d", s.number+1) }
func (s *slot) link() string    { return "swst-" + s.name() }
func (s *slot) cgroup() string  { return "/swarmscript-test/" + s.name() }

// mac is the same whenever an engine has this slot's address: others remember which link an address was at for half a
// minute. The bridge has one of its own for the same reason, as it would else change with the links that come and go.
func (s *slot) mac() string { return fmt.Sprintf("02:53:57:00:00:%02x", s.number) }

const bridgeMAC = "02:53:57:00:01:00"

func (s *slot) file(name string) string { return filepath.Join(s.dir, name) }

// takeSlot claims a slot, and clears those that dead test processes left.
func takeSlot() (*slot, error) {
	if err := os.MkdirAll(stateDir, 0o711); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(stateDir, "lock"), true)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	var taken *slot
	for n := 1; n <= slotLimit; n++ {
		s := &slot{number: n, dir: filepath.Join(stateDir, "e"+strconv.Itoa(n))}
		left := exists(s.dir)
		if !left && taken != nil {
			continue
		}
		if err := os.MkdirAll(s.dir, 0o711); err != nil {
			return nil, err
		}
		if s.owner, err = lockFile(s.file("owner"), false); err != nil {
			return nil, err
		}
		if s.owner == nil {
			continue // in use
		}
		if left {
			if err := s.clear(); err != nil {
				return nil, fmt.Errorf("an engine left by an earlier test: %w", err)
			}
			if taken == nil {
				n-- // take it, now that it is gone
			}
			continue
		}
		taken = s
	}
	if taken == nil {
		return nil, fmt.Errorf("all %d test engines are in use: see %s", slotLimit, stateDir)
	}
	if err := taken.makeBridge(); err != nil {
		return nil, errors.Join(err, taken.clear())
	}
	return taken, nil
}

// release gives the slot back. The last one takes the bridge with it.
func (s *slot) release() error {
	lock, err := lockFile(filepath.Join(stateDir, "lock"), true)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.clear(); err != nil {
		return err
	}
	others, err := filepath.Glob(filepath.Join(stateDir, "e*"))
	if err != nil || len(others) > 0 {
		return err
	}
	removeCgroups("/swarmscript-test")
	return run("ip", "link", "delete", bridge)
}

// clear ends what still runs in the slot and removes all it has.
func (s *slot) clear() error {
	defer s.owner.Close()
	if pid := s.leftPid(); pid > 0 {
		signal(pid, sigKill)
	}
	// The veth pair and the mounts go with their namespaces, a moment after the last process.
	var err error
	for range 1200 {
		removeCgroups(s.cgroup())
		if err = os.RemoveAll(s.dir); err == nil && len(cgroups(s.cgroup())) == 0 && !exists("/sys/class/net/"+s.link()) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		err = fmt.Errorf("%s: its cgroups or its link %s do not go away", s.dir, s.link())
	}
	return err
}

// leftPid is the init process that a dead test process left here. The kernel kills it with its parent, so this is rare;
// a pid may by now be somebody else's, so its command line must name this slot's folder.
func (s *slot) leftPid() int {
	text, _ := os.ReadFile(s.file("pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if pid > 1 && bytes.Contains(line, []byte(s.dir+"/")) {
		return pid
	}
	return 0
}

func (s *slot) makeBridge() error {
	if exists("/sys/class/net/" + bridge) {
		return nil
	}
	return errors.Join(
		run("ip", "link", "add", bridge, "address", bridgeMAC, "type", "bridge"),
		run("ip", "addr", "add", bridgeIP+"/16", "dev", bridge),
		run("ip", "link", "set", bridge, "up"))
}

// connect gives the machine whose init is pid its link.
func (s *slot) connect(pid int) error {
	return errors.Join(
		run("ip", "link", "add", s.link(), "type", "veth", "peer", "name", "eth0", "address", s.mac(), "netns", strconv.Itoa(pid)),
		run("ip", "link", "set", s.link(), "master", bridge, "up"))
}

// cgroups lists a cgroup in all hierarchies where it is there.
func cgroups(name string) []string {
	v1, _ := filepath.Glob("/sys/fs/cgroup/*" + name)
	if exists("/sys/fs/cgroup" + name) {
		v1 = append(v1, "/sys/fs/cgroup"+name)
	}
	return v1
}

// removeCgroups removes a cgroup and those below it; one that holds a process stays.
func removeCgroups(name string) {
	for _, top := range cgroups(name) {
		var dirs []string
		filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			os.Remove(dirs[i])
		}
	}
}

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=" + systemPath}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, bytes.TrimSpace(out))
	}
	return nil
}
