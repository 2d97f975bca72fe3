package local

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Two machines are what a cloud would give: systemd runs and nothing failed, the
// first SSH connection is verified, they reach each other, the packages of their
// distribution, and nothing of the computer's that is not theirs.
func TestMachines(t *testing.T) {
	y := newYard(t)
	twelve := y.make(Spec{Name: "m12", Image: "debian-12"})
	thirteen := y.make(Spec{Name: "m13", Image: "debian-13", User: "admin"})
	for _, m := range []*Machine{twelve, thirteen} {
		if got := y.sh(m, "systemctl is-system-running --wait; systemctl --failed --no-legend"); got != "running" {
			t.Errorf("%s: systemd says %q", m.Name, got)
		}
		if got := login(t, m, m.HostKey, "hostname; sudo id -u"); got != m.Name+"\n0" {
			t.Errorf("%s: by ssh: %q", m.Name, got)
		}
		// Its cgroups are below its own in every hierarchy: what it did to others'
		// would hit the computer's, or another machine's.
		for _, line := range strings.Split(readWord(filepath.Join("/proc", strconv.Itoa(m.PID()), "cgroup")), "\n") {
			if !strings.Contains(line+"/", ":"+m.cgroup()+"/") {
				t.Errorf("%s is in the cgroup %s", m.Name, line)
			}
		}
		y.sh(m, "apt-get -q update")
		if got := y.sh(m, "apt-cache policy docker.io | grep -c 'Candidate: [0-9]'"); got != "1" {
			t.Errorf("%s: no packages: %q", m.Name, got)
		}
		// Its network is its own, the computer's kernel is not.
		y.sh(m, "sysctl -w net.ipv4.ip_forward=1 net.ipv4.tcp_syncookies=1; iptables -A INPUT -s 192.0.2.77 -j DROP")
		if out, err := y.try(m, "sysctl -w kernel.panic=60"); err == nil {
			t.Errorf("%s changes the computer's settings: %s", m.Name, out)
		}
	}
	// Each counts as a program of the computer where CPUs are short.
	for _, top := range twelve.site.cgroups(twelve.site.cgroup()) {
		if got := readWord(filepath.Join(top, "cpu.shares")); got != "" && got != "2048" {
			t.Errorf("%s weighs %s", top, got)
		}
	}
	if rules, err := run(y.ctx, "iptables", "-w", "-S"); err != nil || strings.Contains(rules, "192.0.2.77") {
		t.Errorf("a machine's rules are the computer's: %v", err)
	}
	for _, pair := range [][2]*Machine{{twelve, thirteen}, {thirteen, twelve}} {
		reaches(t, y, pair[0], pair[1], true)
	}
	for _, file := range []string{"/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"} {
		if y.sh(twelve, "cat "+file) == y.sh(thirteen, "cat "+file) {
			t.Errorf("both have the same %s", file)
		}
	}
	y.clear()
	y.nothingLeft()
}

// reaches fails the test where from does or does not reach to, against what is
// wanted.
func reaches(t *testing.T, y *yard, from, to *Machine, want bool) {
	t.Helper()
	_, err := y.try(from, "timeout 2 bash -c 'read -t 2 -n 4 word </dev/tcp/"+to.Address.String()+"/22 && [ \"$word\" = SSH- ]'")
	if got := err == nil; got != want {
		t.Errorf("%s reaches %s: %t (%v)", from.Name, to.Name, got, err)
	}
}

// login runs a command by SSH with the machine's key, if its host key is the
// wanted one.
func login(t *testing.T, m *Machine, hostKey, command string) string {
	t.Helper()
	text, err := os.ReadFile(m.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(hostKey))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", net.JoinHostPort(m.Address.String(), "22"), &ssh.ClientConfig{
		User: m.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host), Timeout: testTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.Output(command)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// A machine's limits are what the kernel holds it to, and change while it runs.
func TestLimits(t *testing.T) {
	y := newYard(t)
	m := y.make(Spec{Name: "small", Image: "debian-12", Limits: Limits{NanoCPUs: 350_000_000, Memory: 256 << 20}})
	// Twice as much as it may have.
	const hog = "head -c 600M /dev/zero | tail -c 600M | wc -c | grep 629145600"
	inside := func(script string) string {
		// As a service, since what nsenter starts is not in the machine's cgroups.
		return "systemd-run --quiet --wait --pipe /bin/sh -c '" + script + "'"
	}
	if out, err := y.try(m, inside(hog)); err == nil {
		t.Errorf("it has more memory than 256m: %s", out)
	}
	// Of 2 seconds of work it gets 0.35 CPUs' worth: the kernel counts how often it
	// was held back.
	y.sh(m, inside("timeout 2 sh -c \"while :; do :; done\"; true"))
	if n := throttled(t, m); n == 0 {
		t.Error("it was never held back")
	}
	y.must(m.SetLimits(y.ctx, Limits{Memory: 2 << 30}))
	y.sh(m, inside(hog))
	before := throttled(t, m)
	y.sh(m, inside("timeout 2 sh -c \"while :; do :; done\"; true"))
	if n := throttled(t, m); n != before {
		t.Errorf("it was held back %d times without a limit", n-before)
	}
	// They are those of the next boot too.
	y.must(m.Kill(y.ctx))
	y.must(m.SetLimits(y.ctx, Limits{NanoCPUs: 1_500_000_000}))
	y.start(m)
	if got, err := m.limits(); err != nil || got != (Limits{NanoCPUs: 1_500_000_000}) {
		t.Errorf("the kernel's are %+v, %v", got, err)
	}
}

// throttled is how often the machine was held back to its share of CPUs.
func throttled(t *testing.T, m *Machine) int {
	t.Helper()
	for _, dir := range m.site.cgroups(m.cgroup()) {
		for _, line := range strings.Split(readWord(filepath.Join(dir, "cpu.stat")), "\n") {
			if word, n, _ := strings.Cut(line, " "); word == "nr_throttled" {
				count, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				return count
			}
		}
	}
	t.Fatal("the kernel does not count")
	return 0
}

// What is on a machine's disk survives an orderly shutdown, a power cut, and its
// own poweroff. Its address and keys stay the same.
func TestPower(t *testing.T) {
	y := newYard(t)
	m := y.make(Spec{Name: "m", Image: "debian-12"})
	address, key := m.Address, m.HostKey
	// It tells an orderly end from another.
	y.sh(m, `printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=/bin/sh -c "echo bye >>/root/log"\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/bye.service
		systemctl enable --now bye; sync`)
	want := ""
	for _, down := range []struct {
		name string
		end  func() error
		bye  string
	}{
		{"stop", func() error { return m.Stop(y.ctx) }, "bye\n"},
		{"kill", func() error { return m.Kill(y.ctx) }, ""},
		{"poweroff", func() error {
			_, _ = y.try(m, "systemctl poweroff") // it may end before it answers
			for m.State() != Off {
				if err := y.ctx.Err(); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		}, "bye\n"},
	} {
		want += down.bye
		y.must(down.end())
		if got := m.State(); got != Off {
			t.Errorf("after %s it is %s", down.name, got)
		}
		y.start(m)
		if got := y.sh(m, "cat /root/log"); got != strings.TrimSpace(want) {
			t.Errorf("after %s: %q, want %q", down.name, got, want)
		}
	}
	// A reboot is an end and a start, which nobody has to ask for. Nothing that was
	// made of the network stays.
	y.sh(m, "ip link add left type bridge")
	pid := m.PID()
	_, _ = y.try(m, "systemctl reboot")
	for m.PID() == pid || m.State() != Running {
		y.must(y.ctx.Err())
		time.Sleep(20 * time.Millisecond)
	}
	y.must(m.answers(y.ctx))
	want += "bye\n"
	if got := y.sh(m, "cat /root/log; ls /sys/class/net"); got != want+"eth0\nlo" {
		t.Errorf("after a reboot: %q", got)
	}
	again, err := y.Find("shop", "m")
	y.must(err)
	if again.Address != address || again.HostKey != key || login(t, again, key, "echo hello") != "hello" {
		t.Errorf("it is another machine: %+v", again)
	}
	y.start(m) // it runs: nothing happens
	y.must(m.Stop(y.ctx))
	y.must(m.Stop(y.ctx))
	y.must(m.Destroy(y.ctx))
	y.must(m.Destroy(y.ctx))
	for what, err := range map[string]error{"start": m.Start(y.ctx, func(string) {}), "kill": m.Kill(y.ctx), "pause": m.Pause(y.ctx)} {
		if !errors.Is(err, resource.ErrMissing) {
			t.Errorf("%s of a machine that is gone: %v", what, err)
		}
	}
	y.nothingLeft()
}

// A machine that is about to end when somebody starts it is started: one that
// shuts down, and one whose starter died before it said go.
func TestStartOfOneThatEnds(t *testing.T) {
	y := newYard(t)
	m := y.make(Spec{Name: "m", Image: "debian-12"})
	pid := m.PID()
	y.must(signal(pid, sigPowerOff))
	for m.PID() == pid {
		y.start(m) // it answers for a while yet
	}
	if m.State() != Running || m.PID() == pid {
		t.Errorf("it is %s", m.State())
	}
	y.must(m.Kill(y.ctx))
	b, word, err := m.spawn(y.ctx, m.Address.String()+"/16", "10.0.0.1")
	y.must(err)
	y.must(writeJSON(m.file("boot.json"), b))
	time.AfterFunc(300*time.Millisecond, func() { word.Close() })
	y.start(m)
	if m.State() != Running || m.PID() == b.PID {
		t.Errorf("it is %s", m.State())
	}
}

// A machine that is paused keeps its connections, and goes on where it was. It can
// be ended as well.
func TestPause(t *testing.T) {
	y := newYard(t)
	m := y.make(Spec{Name: "m", Image: "debian-13"})
	y.sh(m, "systemd-run --quiet --unit=count sh -c 'while :; do echo x >>/run/count; sleep 0.01; done'")
	count := func() int { return len(readWord(filepath.Join("/proc", strconv.Itoa(m.PID()), "root/run/count"))) }
	y.must(m.Pause(y.ctx))
	before := count()
	if m.State() != Paused {
		t.Errorf("it is %s", m.State())
	}
	if _, err := (vmHandler{}).Open(y.ctx, nil, &resource.Object{Name: "m", Native: m}); !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), "swarmscript local resume m") {
		t.Errorf("who would reach it is told: %v", err)
	}
	time.Sleep(200 * time.Millisecond)
	if after := count(); after != before {
		t.Errorf("it went on: %d, %d", before, after)
	}
	y.must(m.Pause(y.ctx))
	y.must(m.Resume(y.ctx))
	y.must(m.Pause(y.ctx))
	y.start(m) // which lets it go on
	for count() == before {
		y.must(y.ctx.Err())
		time.Sleep(10 * time.Millisecond)
	}
	for _, end := range []func() error{
		func() error { return m.Stop(y.ctx) }, func() error { return m.Kill(y.ctx) }, func() error { return m.Destroy(y.ctx) },
	} {
		y.start(m)
		y.must(m.Pause(y.ctx))
		y.must(end())
	}
	y.nothingLeft()
}

// Two machines that are parted do not hear of each other, the others and the
// computer of both; also after a boot, until they are healed.
func TestPartition(t *testing.T) {
	y := newYard(t)
	a := y.make(Spec{Name: "a", Image: "debian-12"})
	b := y.make(Spec{Name: "b", Image: "debian-12"})
	c := y.make(Spec{Name: "c", Image: "debian-12"})
	y.must(Partition(y.ctx, a, b))
	see := func(want bool) {
		t.Helper()
		reaches(t, y, a, b, want)
		reaches(t, y, b, a, want)
		reaches(t, y, c, a, true)
		reaches(t, y, b, c, true)
	}
	see(false)
	y.must(a.Kill(y.ctx))
	y.start(a)
	y.must(Partition(y.ctx, b, a))
	see(false)
	y.must(Heal(y.ctx, a, c)) // which were not parted
	see(false)
	y.must(Heal(y.ctx, b, a))
	see(true)
	y.must(Heal(y.ctx, a, b))
	if err := Partition(y.ctx, a, a); err == nil {
		t.Error("it is parted from itself")
	}
	y.must(Partition(y.ctx, a, b))
	y.must(b.Destroy(y.ctx))
	y.must(y.HealAll(y.ctx)) // from one that is gone
	if again := y.make(Spec{Name: "b", Image: "debian-12"}); again.Address != b.Address {
		t.Errorf("the new one is at %s, the old one was at %s", again.Address, b.Address)
	} else {
		reaches(t, y, a, again, true)
	}
}
