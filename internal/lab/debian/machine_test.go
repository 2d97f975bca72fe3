package debian_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// What is not root's to do.
func TestPermissions(t *testing.T) {
	s := machine(t, "debian-13")
	sh(t, s, "root", "echo secret >/tmp/root; mkdir -m 700 /srv/private; touch /srv/private/f", "")
	for _, c := range []struct{ line, want string }{
		{"cat /etc/shadow", "cat: /etc/shadow: Permission denied\n"},
		{"echo x >/etc/motd", "bash: line 1: /etc/motd: Permission denied\n"},
		{"rm -f /tmp/root", "rm: cannot remove '/tmp/root': Operation not permitted\n"},
		{"ls /srv/private/f", "ls: cannot access '/srv/private/f': Permission denied\n"},
		{"ls /srv/private", "ls: cannot open directory '/srv/private': Permission denied\n"},
		{"chown root ~", "chown: changing ownership of '/home/deploy': Operation not permitted\n"},
		{"chmod 777 /etc", "chmod: changing permissions of '/etc': Operation not permitted\n"},
		{"mkdir /srv/x", "mkdir: cannot create directory '/srv/x': Permission denied\n"},
		{"kill 1", "bash: line 1: kill: Operation not permitted\n"},
		{"cp /etc/hosts ~/h && stat -c '%U %a' ~/h", ""},
		{"touch /tmp/mine && rm /tmp/mine", ""},
	} {
		if _, stderr, _ := sh(t, s, "deploy", c.line, ""); strings.TrimSpace(stderr) != strings.TrimSpace(c.want) {
			t.Errorf("%s: %q, want %q", c.line, stderr, c.want)
		}
	}
}

// What is not known fails and says so; nothing pretends to have worked.
func TestNotSimulated(t *testing.T) {
	s := machine(t, "debian-12")
	sh(t, s, "root", "printf '\\177ELF\\002machine code' >/usr/local/bin/brought; chmod +x /usr/local/bin/brought", "")
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"ls --hyperlink", 2, "swarmscript lab: not simulated: ls option --hyperlink"},
		{"stat -f /", 2, "not simulated: stat option -f"},
		{"find . -fstype ext4", 1, "not simulated: find -fstype"},
		{"echo a | sed 's/a/b/e'", 1, "not simulated: the flag e of s"},
		{"echo aa | grep '\\(a\\)\\1'", 2, "not simulated: a back-reference"},
		{"vim x", 127, "vim: command not found"},
		{"brought", 126, "not simulated: a program that was brought along"},
		{"sh -c 'alias ll=ls'", 2, "alias: swarmscript lab: not simulated: write a function"},
		{"echo \"alias ll='ls -l'\" | bash", 2, "alias: swarmscript lab: not simulated: write a function"},
		{"ulimit -a", 2, "ulimit: swarmscript lab: not simulated: -a"},
		{"a=(1 2)", 2, "not simulated in the shell: arrays"},
		{"getent services", 2, "not simulated: getent the database services"},
	} {
		if _, stderr, code := sh(t, s, "root", c.line, ""); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d, %q, want %d, %q", c.line, code, stderr, c.code, c.want)
		}
	}
}

// A disk that is full, and scripts that do not end.
func TestLimits(t *testing.T) {
	s, err := debian.New(debian.Config{Hostname: "small", Image: "debian-12", Disk: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.PowerOff()
	for _, c := range []struct{ line, want string }{
		{"dd if=/dev/zero of=/srv/a bs=1M count=2", "No space left on device"},
		{"yes >/srv/b", "No space left on device"},
		{"rm -f /srv/a /srv/b; echo fits >/srv/c", ""},
		{"f() { f; }; f", "more than 500 functions within each other"},
		{"while :; do :; done", "the script ran more than"},
		{"echo x >/dev/full", "I/O error"},
		{"truncate -s 1T /srv/sparse", "No space left on device"},
	} {
		if _, stderr, _ := sh(t, s, "root", c.line, ""); !strings.Contains(stderr, c.want) || c.want == "" && stderr != "" {
			t.Errorf("%s: %q, want %q", c.line, stderr, c.want)
		}
	}
}

// A machine that is made again out of the store is as it was; a start empties what is
// in memory only.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	look := "cat /etc/machine-id /srv/f; readlink /srv/l; stat -c '%a %U %Y' /srv/f /etc/apt; ls /etc/apt-moved /srv /usr/games 2>&1; cat /etc/hosts; ls /run/x"
	run := func(lines ...string) (out string) {
		t.Helper()
		file, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		s, err := debian.New(debian.Config{Hostname: "m1", Image: "debian-12", User: "deploy", Store: file.In("m1")})
		if err != nil {
			t.Fatal(err)
		}
		defer s.PowerOff()
		for _, line := range lines {
			if line == "boot" {
				if err := s.Boot(t.Context()); err != nil {
					t.Fatal(err)
				}
				continue
			}
			out, _, _ = sh(t, s, "root", line, "")
		}
		return out
	}
	before := run(`mkdir /srv/d; echo one >/srv/d/f; mv /srv/d/f /srv/f; chown deploy /srv/f; chmod 604 /srv/f; ln -s d /srv/l; touch /run/x
		mv /etc/ssh /etc/apt-moved; chmod 711 /etc/apt; echo '127.0.0.1 x' >>/etc/hosts; rm -rf /usr/local/lib`, look)
	if after := run(look); after != before {
		t.Errorf("it was\n%sit is\n%s", before, after)
	}
	if out := run("boot", "ls /run/x /run/lock"); out != "/run/lock:\n" {
		t.Errorf("after a start, /run has %q", out)
	}
}
