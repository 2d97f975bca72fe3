package testengine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An SSHD is Debian's sshd on a port of its own, whose sessions find a docker command that reaches an engine. Its client is
// the `ssh` in [SSHD.Bin], which reads the configuration in [SSHD.Config] for the one in ~/.ssh: OpenSSH takes that folder
// from the system's list of users, not from HOME.
type SSHD struct {
	Host    string // the name in Config
	Port    string
	Bin     string // a folder for the front of PATH, with ssh
	Config  string // the file of ssh_config
	Known   string // the file of known_hosts that Config names
	Remote  string // a folder that is the PATH of sessions, with docker
	Key     string // the file of the private key that it accepts
	Other   string // the file of one that it does not
	HostKey string // its own public key, as a line of authorized_keys

	*daemon
	tb  testing.TB
	dir string
}

// StartSSHD starts a server for a test. It accepts the key that the client's configuration names.
func StartSSHD(e *Engine) *SSHD {
	e.tb.Helper()
	s := newSSHD(e.tb)
	s.put(filepath.Join(s.Remote, "docker"), "#!/bin/sh\nexec '"+filepath.Join(e.cache, "docker")+"' \"$@\"\n", 0o755)
	s.start("SetEnv PATH=" + s.Remote + " DOCKER_HOST=" + e.Host + " DOCKER_CONFIG=/var/empty/swarmscript-test")
	return s
}

// StartBareSSHD starts a server whose sessions have this computer's commands. Settings are lines of sshd_config, which go
// before its own.
func StartBareSSHD(tb testing.TB, settings ...string) *SSHD {
	tb.Helper()
	if err := usable(); err != nil {
		tb.Skip(err)
	}
	if _, programs := missing(needed); len(programs) > 0 {
		tb.Fatalf("missing %s: run `go run ./internal/testengine/prepare`", strings.Join(programs, ", "))
	}
	s := newSSHD(tb)
	s.start(settings...)
	return s
}

// newSSHD makes the keys and the client's configuration.
func newSSHD(tb testing.TB) *SSHD {
	tb.Helper()
	dir := tb.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	s := &SSHD{tb: tb, dir: dir, Host: "swarmtest", Port: freePort(tb, "127.0.0.1"), Bin: file("bin"), Config: file("ssh_config"), Known: file("known_hosts"),
		Remote: file("remote"), Key: file("user_key"), Other: file("other_key")}
	for _, key := range []string{"host_key", "user_key", "other_key"} {
		if out, err := exec.Command("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(key)).CombinedOutput(); err != nil {
			tb.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	hostKey, err := os.ReadFile(file("host_key.pub"))
	if err != nil {
		tb.Fatal(err)
	}
	s.HostKey = strings.TrimSpace(string(hostKey))
	s.put(s.Known, fmt.Sprintf("[127.0.0.1]:%s %s\n", s.Port, s.HostKey), 0o600)
	s.put(s.Config, fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %s\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\nHost *\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n",
		s.Host, s.Port, s.Key, s.Known), 0o600)
	s.put(filepath.Join(s.Bin, "ssh"), "#!/bin/sh\nexec /usr/bin/ssh -F '"+s.Config+"' \"$@\"\n", 0o755)
	return s
}

func (s *SSHD) put(path, text string, mode os.FileMode) {
	s.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		s.tb.Fatal(err)
	}
}

// start starts it with lines of sshd_config, of which the first one of a kind counts.
func (s *SSHD) start(settings ...string) {
	s.tb.Helper()
	config := filepath.Join(s.dir, "sshd_config")
	s.put(config, strings.Join(append(settings,
		"ListenAddress 127.0.0.1:"+s.Port,
		"HostKey "+filepath.Join(s.dir, "host_key"),
		"AuthorizedKeysFile "+s.Key+".pub",
		"PidFile none",
		"UsePAM no",
		"StrictModes no", // the folder is in one that everybody may write to
		"PermitRootLogin prohibit-password",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"LogLevel VERBOSE",
		"",
	), "\n"), 0o600)
	// Debian's sshd wants this empty folder, which its service makes.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		s.tb.Fatal(err)
	}
	s.daemon = startDaemon(s.tb, s.dir, "127.0.0.1:"+s.Port, "/usr/sbin/sshd", "-D", "-e", "-f", config)
}

// Logins counts the logins so far.
func (s *SSHD) Logins() int { return s.lines("Accepted publickey") }

// Stop ends the server; sessions go on.
func (s *SSHD) Stop() { s.stop() }

// Restart starts a server that was stopped, with the settings it had.
func (s *SSHD) Restart() {
	s.tb.Helper()
	s.daemon = startDaemon(s.tb, s.dir, "127.0.0.1:"+s.Port, "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
}
