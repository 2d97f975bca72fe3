package testengine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An SSHD is Debian's sshd on a port of its own, whose sessions find a docker command that reaches an engine. Its client is
// the `ssh` in [SSHD.Bin], which reads the configuration in [SSHD.Config] for the one in ~/.ssh: OpenSSH takes that folder
// from the system's list of users, not from HOME.
type SSHD struct {
	Host   string // the name in Config
	Port   string
	Bin    string // a folder for the front of PATH, with ssh
	Config string // the file of ssh_config
	Known  string // the file of known_hosts that Config names
	Remote string // a folder that is the PATH of sessions, with docker

	*daemon
}

// StartSSHD starts a server for a test. It accepts the key that the client's configuration names.
func StartSSHD(e *Engine) *SSHD {
	tb := e.tb
	tb.Helper()
	dir := tb.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	s := &SSHD{Host: "swarmtest", Port: freePort(tb, "127.0.0.1"), Bin: file("bin"), Config: file("ssh_config"), Known: file("known_hosts"), Remote: file("remote")}
	for _, key := range []string{"host_key", "user_key", "other_key"} {
		if out, err := exec.Command("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(key)).CombinedOutput(); err != nil {
			tb.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	hostKey, err := os.ReadFile(file("host_key.pub"))
	if err != nil {
		tb.Fatal(err)
	}
	put := func(path, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			tb.Fatal(err)
		}
	}
	put(s.Known, fmt.Sprintf("[127.0.0.1]:%s %s", s.Port, hostKey), 0o600)
	put(s.Config, fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %s\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\nHost *\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n",
		s.Host, s.Port, file("user_key"), s.Known), 0o600)
	put(filepath.Join(s.Bin, "ssh"), "#!/bin/sh\nexec /usr/bin/ssh -F '"+s.Config+"' \"$@\"\n", 0o755)
	put(filepath.Join(s.Remote, "docker"), "#!/bin/sh\nexec '"+filepath.Join(e.cache, "docker")+"' \"$@\"\n", 0o755)
	put(file("sshd_config"), strings.Join([]string{
		"ListenAddress 127.0.0.1:" + s.Port,
		"HostKey " + file("host_key"),
		"AuthorizedKeysFile " + file("user_key.pub"),
		"PidFile none",
		"UsePAM no",
		"StrictModes no", // the folder is in one that everybody may write to
		"PermitRootLogin prohibit-password",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"LogLevel VERBOSE",
		"SetEnv PATH=" + s.Remote + " DOCKER_HOST=" + e.Host + " DOCKER_CONFIG=/var/empty/swarmscript-test",
		"",
	}, "\n"), 0o600)
	// Debian's sshd wants this empty folder, which its service makes.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		tb.Fatal(err)
	}
	s.daemon = startDaemon(tb, dir, "127.0.0.1:"+s.Port, "/usr/sbin/sshd", "-D", "-e", "-f", file("sshd_config"))
	return s
}

// Logins counts the logins so far.
func (s *SSHD) Logins() int { return s.lines("Accepted publickey") }

// Stop ends the server; sessions go on.
func (s *SSHD) Stop() { s.stop() }
