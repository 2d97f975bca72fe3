package local

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Docker runs inside, with the storage driver that it runs with elsewhere, and
// makes a swarm of two machines with engines of two releases.
func TestDocker(t *testing.T) {
	y := newYard(t)
	manager := y.make(Spec{Name: "manager", Image: "debian-13"})
	worker := y.make(Spec{Name: "worker", Image: "debian-12"})
	for _, m := range []*Machine{manager, worker} {
		y.sh(m, "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -qy install --no-install-recommends docker.io $(apt-cache pkgnames docker-cli | grep -x docker-cli)")
		if got := y.sh(m, "docker info --format '{{.Driver}} {{.Swarm.LocalNodeState}}'"); got != "overlay2 inactive" {
			t.Errorf("%s: docker says %q", m.Name, got)
		}
	}
	y.sh(manager, "docker swarm init --advertise-addr "+manager.Address.String())
	token := y.sh(manager, "docker swarm join-token -q worker")
	y.sh(worker, "docker swarm join --token "+token+" "+manager.Address.String()+":2377")
	ready := func(want string) {
		t.Helper()
		for y.sh(manager, "docker node ls --format '{{.Hostname}} {{.Status}}' | sort") != want {
			y.must(y.ctx.Err())
			time.Sleep(200 * time.Millisecond)
		}
	}
	ready("manager Ready\nworker Ready")
	y.must(Partition(y.ctx, manager, worker))
	ready("manager Ready\nworker Down")
	y.must(y.HealAll(y.ctx))
	ready("manager Ready\nworker Ready")
	y.clear()
	y.nothingLeft()
}

// After a reboot of the computer nothing is left of a machine but its folder,
// which says a process number that may be anybody's by now.
func TestReboot(t *testing.T) {
	y := newYard(t)
	// None that is chosen for others meanwhile: this test's own is free for a moment.
	y.want = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 253, byte(os.Getpid()), 0}), 24)
	m := y.make(Spec{Name: "m", Image: "debian-12"})
	y.sh(m, "echo kept >/root/file; sync")
	var b boot
	y.must(readJSON(m.file("boot.json"), &b))
	y.must(m.Kill(y.ctx))
	y.must(y.removeNetwork(y.ctx))
	y.removeCgroups(y.cgroup())
	if left := y.left(); len(left) != 1 || left[0] != "folder "+y.dir {
		t.Errorf("not as after a reboot: %v", left)
	}
	b.PID, b.Started, b.Kernel = os.Getpid(), started(os.Getpid()), "another boot"
	y.must(writeJSON(m.file("boot.json"), b))
	if got := m.State(); got != Off {
		t.Errorf("it is %s", got)
	}
	y.start(m)
	if got := login(t, m, m.HostKey, "cat file"); got != "kept" {
		t.Errorf("got %q", got)
	}
	// A process of another number of this boot is not it either.
	y.must(m.Kill(y.ctx))
	b.Kernel, b.Started = readWord(kernelBoot), "1"
	y.must(writeJSON(m.file("boot.json"), b))
	y.must(m.Destroy(y.ctx))
	y.nothingLeft()
}

// A computer whose cgroups are of version 2 only: machines boot, hang and end
// there. Whether it holds them to their limits depends on its controllers.
func TestUnified(t *testing.T) {
	y := newYard(t)
	table, err := os.ReadFile(y.mounts)
	y.must(err)
	only := ""
	for _, line := range strings.Split(string(table), "\n") {
		if strings.Contains(line, " - cgroup2 ") {
			only = line + "\n"
		}
	}
	if only == "" {
		t.Skip("no cgroups of version 2 are mounted")
	}
	y.mounts = filepath.Join(t.TempDir(), "mountinfo")
	y.must(os.WriteFile(y.mounts, []byte(only), 0o644))
	for _, image := range Images() {
		m := y.make(Spec{Name: image, Image: image})
		if got := y.sh(m, "systemctl is-system-running --wait; stat -fc %T /sys/fs/cgroup"); got != "running\ncgroup2fs" {
			t.Errorf("%s: %q", image, got)
		}
		y.must(m.Pause(y.ctx))
		if m.State() != Paused {
			t.Errorf("%s is %s", image, m.State())
		}
		y.must(m.Kill(y.ctx))
		y.start(m)
		y.must(m.Stop(y.ctx))
		y.start(m)
	}
	y.clear()
	y.nothingLeft()
}

// A base that cannot be made is an error that says where it was to come from, and
// leaves nothing.
func TestBaseFromADeadMirror(t *testing.T) {
	newYard(t)
	dir := filepath.Join(t.TempDir(), "base")
	r := recipe{Suite: "bookworm", Packages: []string{"sudo"}, Mirrors: mirrors{Main: "http://127.0.0.1:9/debian"}}
	err := r.make(t.Context(), dir, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "debootstrap bookworm from http://127.0.0.1:9/debian: exit status 1\n") {
		t.Errorf("got %v", err)
	}
	if table, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(table), dir) {
		t.Errorf("something is mounted: %v", err)
	}
}

// An image that is not there is an error that names those that are.
func TestNoImage(t *testing.T) {
	y := newYard(t)
	_, err := y.Create(y.ctx, Spec{Project: "shop", Name: "m", Image: "debian-14"}, func(string) {})
	if want := `there is no image "debian-14" (did you mean "debian-12"?): it is one of debian-12, debian-13`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	_, err = y.Create(y.ctx, Spec{Project: "shop", Name: "m", Image: "debian-12", User: "daemon"}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "user daemon is one of the system's") {
		t.Errorf("got %v", err)
	}
	y.nothingLeft()
}

// The subnet is chosen once, and changed when all machines are gone.
func TestSubnet(t *testing.T) {
	y := newYard(t)
	var err error
	y.want, err = parseSubnet("10.199.7.0/28")
	y.must(err)
	m := y.make(Spec{Name: "m", Image: "debian-12"})
	if m.Address.String() != "10.199.7.2" {
		t.Errorf("it is at %s", m.Address)
	}
	other, err := Open(Config{Site: y.name, Subnet: "10.199.8.0/28"})
	y.must(err)
	_, err = other.Create(y.ctx, Spec{Project: "shop", Name: "n", Image: "debian-12"}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "have the subnet 10.199.7.0/28, not 10.199.8.0/28") {
		t.Errorf("got %v", err)
	}
	// Another site keeps out of its way.
	z := newYard(t)
	z.want = y.want
	_, err = z.Create(y.ctx, Spec{Project: "shop", Name: "n", Image: "debian-12"}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	y.must(m.Destroy(y.ctx))
	n, err := other.Create(y.ctx, Spec{Project: "shop", Name: "n", Image: "debian-12"}, func(string) {})
	y.must(err)
	if n.Address.String() != "10.199.8.2" {
		t.Errorf("it is at %s", n.Address)
	}
}

// The links that lead out of the computer forward packets while there are machines,
// and not a moment longer, unless somebody else wants it by then.
func TestForwarding(t *testing.T) {
	y := newYard(t)
	// A computer's network of its own, with a way out.
	const script = `mount -t sysfs sysfs /sys
		ip link add out0 type veth peer name out1
		ip addr add 192.0.2.1/24 dev out0; ip link set out0 up; ip link set out1 up
		ip route add default via 192.0.2.2; echo 0 >/proc/sys/net/ipv4/ip_forward
		exec "$0" "$@"`
	cmd := exec.Command("unshare", "--net", "--mount", "--propagation", "private", "/bin/sh", "-ec", script, os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), whatChildDoes+"=network "+y.name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// forwarding is TestForwarding on that network.
func forwarding(t *testing.T, site string) {
	s, err := Open(Config{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	s.dir = filepath.Join(t.TempDir(), site) // the computer's other sites are not of this network
	is := func(when, link, all string) {
		t.Helper()
		if got := readWord(forwardingFile("out0")); got != link {
			t.Errorf("%s: out0 forwards: %s, want %s", when, got, link)
		}
		if got := readWord("/proc/sys/net/ipv4/ip_forward"); got != all {
			t.Errorf("%s: all links forward: %s, want %s", when, got, all)
		}
	}
	make := func() {
		t.Helper()
		for range 2 { // the second finds all there
			if _, err := s.makeNetwork(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func() {
		t.Helper()
		for range 2 {
			if err := s.removeNetwork(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(s.dir); err != nil { // as with the last machine
			t.Fatal(err)
		}
		if rules, err := run(t.Context(), "iptables", "-w", "-S"); err != nil || strings.Contains(rules, s.bridge()) {
			t.Errorf("rules are left: %v\n%s", err, rules)
		}
	}
	is("before", "0", "0")
	make()
	is("with machines", "1", "0")
	remove()
	is("without", "0", "0")
	other := &Site{name: "other", dir: filepath.Join(filepath.Dir(s.dir), "other")}
	make()
	if err := errors.Join(os.Mkdir(other.dir, 0o700), writeJSON(other.file("network.json"), network{Subnet: netip.MustParsePrefix("10.9.0.0/16")})); err != nil {
		t.Fatal(err)
	}
	remove()
	is("with another site's machines", "1", "0")
	if err := other.removeNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	is("without those too", "0", "0")
	make()
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil { // as dockerd does
		t.Fatal(err)
	}
	remove()
	is("beside somebody else", "1", "1")
}
