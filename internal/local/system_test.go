package local

import (
	"os"
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
