package run

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// What can be wrong with a machine: each fault has its own message, which says what
// to do, and once that is done the same script converges. Of the faults of its
// packages, its engine and its firewall, package host has the stories.
func TestStoryMachineFaults(t *testing.T) {
	h := testhost.Start(t, "debian-12", testhost.User("ops"))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	known := filepath.Join(home, ".ssh", "known_hosts")
	if err := os.Mkdir(filepath.Dir(known), 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(home, "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(other + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	knows := func(key string) {
		t.Helper()
		if err := os.WriteFile(known, []byte(h.Address+" "+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	knows(h.HostKey)

	f := newFixture(t, &testengine.Engine{})
	f.opts.Timeout = 5 * time.Minute
	script := func(key, content string) {
		f.Bare(fmt.Sprintf("project(var(\"project\"))\nm = host(\"m\", %q, user = \"ops\", key = %q)\nfile(m, \"/srv/f\", content = %q)\n", h.Address, key, content))
	}
	unreachable := func(want string) {
		t.Helper()
		p := f.Plan()
		if err := p.view.unreachable(); err == nil || err.Error() != "host.m does not answer: "+want {
			t.Errorf("got  %v\nwant host.m does not answer: %s", err, want)
		}
		if _, err := p.Apply(t.Context(), ApplyOptions{}); err != nil {
			t.Error(err)
		}
		if got := h.Sh("ls /srv"); got != "" {
			t.Errorf("it was worked on: %s", got)
		}
	}
	reach := "cannot reach ops@" + h.Address + " by SSH: "
	finger := func(key string) string {
		t.Helper()
		cmd := exec.Command("ssh-keygen", "-lf", "-")
		cmd.Stdin = strings.NewReader(key)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))[1]
	}

	script(other, "one")
	unreachable(reach + "the server took none of our keys: " + other + " (ssh-ed25519 " + finger(string(public)) + ") (add one to ~/.ssh/authorized_keys there, and check the user)")

	script(h.KeyFile, "one")
	knows(strings.TrimSpace(string(public)))
	unreachable(reach + "its host key has changed: it shows ssh-ed25519 " + finger(h.HostKey) + ", and " + known + ":1 knows ssh-ed25519 " + finger(string(public)) +
		" (another machine may be in its place; if it was made anew, forget the old key: ssh-keygen -f " + known + " -R '" + h.Address + "')")
	knows(h.HostKey)

	h.Sh("mkdir /root/kept; mv /etc/sudoers.d/* /root/kept/; gpasswd -d ops sudo 2>/dev/null || true")
	unreachable("cannot become root on ops@" + h.Address + ": sudo wants the password of ops (have it asked for by sudo = \"ask\", or allow it without one: NOPASSWD in sudoers)")
	h.Sh("mv /root/kept/* /etc/sudoers.d/")

	f.Apply()
	f.PlanIsEmpty()

	// A disk that is full.
	h.Sh("mv /srv/f /root/; mount -t tmpfs -o size=64k tmpfs /srv; mv /root/f /srv/")
	script(h.KeyFile, strings.Repeat("x", 1<<17))
	f.ApplyEnds(4, `file["/srv/f"]: ops@`+h.Address+": the disk is full: make room there, and run it again\n", "No space left on device")
	h.Sh("mount -o remount,size=1m /srv")
	f.Apply()
	f.PlanIsEmpty()

	// A clock that is off: it is told with the plan, and the rest goes on.
	h.Sh(`mv /usr/bin/date /usr/bin/date.real
printf '#!/bin/sh\nexec /usr/bin/date.real -d "1 hour ago" "$@"\n' >/usr/bin/date; chmod 755 /usr/bin/date`)
	p := f.Plan()
	clock := regexp.MustCompile(`^host\.m: the clock of ` + h.Name + ` is (1h0m|59m5)\d+s behind this computer's: certificates may not be valid there, and it may not get into a swarm; ` +
		`set it, or run a time service \(systemd-timesyncd, chrony\)$`) // less by how long it took to answer
	if len(p.Plan.Warnings) != 1 || !clock.MatchString(p.Plan.Warnings[0].Summary) {
		t.Errorf("the warnings are %v", p.Plan.Warnings)
	}
	f.shows(p)
	h.Sh("mv /usr/bin/date.real /usr/bin/date")
	if p := f.Plan(); len(p.Plan.Warnings) > 0 {
		t.Errorf("with its clock right, the warnings are %v", p.Plan.Warnings)
	}
}
