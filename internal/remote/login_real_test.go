package remote_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// must runs a program of this computer.
func must(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// startAgent starts ssh-agent with keys, and returns its socket.
func startAgent(t *testing.T, keys ...string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent")
	cmd := exec.Command("/usr/bin/ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			break
		}
	}
	for _, key := range keys {
		add := exec.Command("/usr/bin/ssh-add", "-q", key)
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v\n%s", err, out)
		}
	}
	return socket
}

// configure writes ~/.ssh/config.
func configure(t testing.TB, text string) {
	t.Helper()
	path := filepath.Join(os.Getenv("HOME"), ".ssh", "config")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func logsIn(t *testing.T, what string, m remote.Machine) {
	t.Helper()
	if _, err := dial(t, m).Run(t.Context(), remote.Command{Script: "true"}); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func refuses(t *testing.T, what string, m remote.Machine, want ...string) {
	t.Helper()
	_, err := dial(t, m).Run(t.Context(), remote.Command{Script: "true"})
	if !errors.Is(err, resource.ErrUnreachable) {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q lacks %q", what, err, w)
		}
	}
}

// Where keys come from: a file, PEM text, ~/.ssh, its configuration, an agent.
func TestKeys(t *testing.T) {
	s := testengine.StartBareSSHD(t, "MaxAuthTries 3")
	m := machine(t, s)
	logsIn(t, "a file", m)

	pem, err := os.ReadFile(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	m.KeyFile, m.Key = "", pem
	logsIn(t, "PEM text", m)
	m.Key = []byte("not a key")
	refuses(t, "no PEM text", m, "the private key that was given cannot be read")
	m.Key = nil

	configure(t, "Host 127.0.0.1\n IdentityFile "+s.Other+"\n IdentityFile "+s.Key+"\n")
	logsIn(t, "the second IdentityFile", m)
	configure(t, "")
	must(t, "cp", s.Key, filepath.Join(os.Getenv("HOME"), ".ssh", "id_ed25519"))
	logsIn(t, "a key with a usual name", m)
	os.Remove(filepath.Join(os.Getenv("HOME"), ".ssh", "id_ed25519"))

	t.Setenv("SSH_AUTH_SOCK", startAgent(t, s.Other, s.Key))
	logsIn(t, "the agent", m)
	configure(t, "IdentityAgent none\n")
	refuses(t, "the agent that is not asked", m, "there is no key to log in with")
	configure(t, "IdentitiesOnly yes\n")
	refuses(t, "the agent's keys that were not asked for", m, "there is no key to log in with")
	must(t, "cp", s.Key+".pub", filepath.Join(os.Getenv("HOME"), ".ssh", "mine.pub"))
	configure(t, "IdentitiesOnly yes\nIdentityFile ~/.ssh/mine\n")
	logsIn(t, "the agent's key that was asked for by its public half", m)
	configure(t, "")
	t.Setenv("SSH_AUTH_SOCK", "/none")
	refuses(t, "an agent that is gone", m, "the agent does not answer")
}

// An agent with more keys than the server has patience for.
func TestTooManyKeys(t *testing.T) {
	s := testengine.StartBareSSHD(t, "MaxAuthTries 3")
	m := machine(t, s)
	var keys []string
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name))
		keys = append(keys, filepath.Join(dir, name))
	}
	t.Setenv("SSH_AUTH_SOCK", startAgent(t, append(keys, s.Key)...))
	m.KeyFile = ""
	refuses(t, "too many", m, "the server hung up before it saw all of our 4 keys", "IdentitiesOnly")
	must(t, "cp", s.Key+".pub", filepath.Join(os.Getenv("HOME"), "mine.pub"))
	configure(t, "IdentityFile ~/mine\n")
	logsIn(t, "the right one first", m)
}

// A passphrase is asked for once, whatever the number of hosts, and only when
// the server takes the key.
func TestPassphrase(t *testing.T) {
	s := testengine.StartBareSSHD(t)
	m := machine(t, s)
	for _, format := range []string{"OPENSSH", "PEM"} {
		t.Run(format, func(t *testing.T) {
			m := m
			dir := t.TempDir()
			m.KeyFile = filepath.Join(dir, "locked")
			if format == "PEM" { // hides the public half; an RSA key is signed with by SHA-2
				must(t, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "hunter2", "-f", m.KeyFile)
				os.Remove(m.KeyFile + ".pub")
				public := must(t, "ssh-keygen", "-y", "-P", "hunter2", "-f", m.KeyFile)
				f, err := os.OpenFile(s.Key+".pub", os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				f.WriteString(public)
				f.Close()
			} else {
				must(t, "cp", s.Key, m.KeyFile)
				must(t, "ssh-keygen", "-q", "-p", "-N", "hunter2", "-f", m.KeyFile)
			}
			refuses(t, "nobody to ask", m, "the key "+m.KeyFile+" has a passphrase", "ssh-add "+m.KeyFile)
			asked := 0
			m.Keyring = remote.NewKeyring(func(prompt string) (string, error) {
				if !strings.Contains(prompt, m.KeyFile) {
					t.Errorf("asked %q", prompt)
				}
				if asked++; asked == 1 {
					return "wrong", nil
				}
				return "hunter2", nil
			})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { logsIn(t, "the second time it was right", m) })
			}
			wg.Wait()
			if asked != 2 {
				t.Errorf("asked %d times, want 2", asked)
			}
			m.Keyring = remote.NewKeyring(func(string) (string, error) { return "wrong", nil })
			refuses(t, "always wrong", m, "the passphrase of the key "+m.KeyFile+" was wrong 3 times")
			m.Keyring = remote.NewKeyring(func(string) (string, error) { return "", errors.New("there is no terminal") })
			refuses(t, "cannot ask", m, "there is no terminal")
			if format == "OPENSSH" {
				m.User = "nobody-there" // the server does not take the key of that one
				m.Keyring = remote.NewKeyring(func(string) (string, error) {
					t.Error("asked for a key that the server does not take")
					return "", nil
				})
				refuses(t, "not taken", m, "took none of our keys")
			}
		})
	}
}

// Certificates of users, and of hosts by @cert-authority.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	ca, user, hostKey := filepath.Join(dir, "ca"), filepath.Join(dir, "user"), filepath.Join(dir, "host")
	for _, key := range []string{ca, user, hostKey} {
		must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	}
	must(t, "ssh-keygen", "-q", "-s", ca, "-I", "someone", "-n", "root", user+".pub")
	must(t, "ssh-keygen", "-q", "-s", ca, "-I", "a host", "-h", "-n", "127.0.0.1", hostKey+".pub")
	s := testengine.StartBareSSHD(t, "TrustedUserCAKeys "+ca+".pub", "HostKey "+hostKey, "HostCertificate "+hostKey+"-cert.pub")
	m := machine(t, s)
	m.KeyFile = user
	shown, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	m.HostKeys = []string{string(shown)}
	logsIn(t, "a user's certificate", m)

	m.HostKeys = nil
	public, err := os.ReadFile(ca + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	configure(t, "")
	known := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known("@cert-authority [127.0.0.1]:* " + string(public))
	logsIn(t, "a host's certificate", m)
	known("@cert-authority *.example.com " + string(public))
	refuses(t, "an authority for others", m, "its host key is not known")
	known("@cert-authority * " + string(public) + "@revoked * " + string(public))
	refuses(t, "a revoked authority", m, "its host certificate is not valid", "revoked")
	must(t, "ssh-keygen", "-q", "-s", ca, "-I", "a host", "-h", "-n", "elsewhere", hostKey+".pub")
	s.Stop()
	s.Restart()
	known("@cert-authority * " + string(public))
	refuses(t, "a certificate for another host", m, "its host certificate is not valid", "elsewhere")
}

// Which host keys are taken, by the user's own files.
func TestKnownHosts(t *testing.T) {
	dir := t.TempDir()
	rsa := filepath.Join(dir, "rsa")
	must(t, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa)
	s := testengine.StartBareSSHD(t, "HostKey "+rsa) // its first offer
	m := machine(t, s)
	m.HostKeys = nil
	configure(t, "")
	file := filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts")
	known := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := "[127.0.0.1]:" + s.Port
	known("garbage\n" + name + ",other " + s.HostKey + "\n")
	logsIn(t, "the kind that is known is asked for", m)
	known(name + ",other " + s.HostKey + "\n")
	must(t, "ssh-keygen", "-q", "-H", "-f", file)
	logsIn(t, "a hashed line", m)
	known("127.0.0.1 " + s.HostKey + "\n")
	logsIn(t, "known without its port, as ssh takes it", m)
	known("!" + name + "," + name + " " + s.HostKey + "\n")
	refuses(t, "a pattern that forbids", m, "its host key is not known")
	must(t, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", filepath.Join(dir, "ecdsa"))
	public, _ := os.ReadFile(filepath.Join(dir, "ecdsa.pub"))
	known(name + " " + string(public))
	refuses(t, "a kind that it does not have", m, "it has no host key of the kind that "+file+":1 knows (ecdsa-sha2-nistp256)", "ssh-keygen -f "+file+" -R '"+name+"'")

	known("# no newline at the end")
	m.AcceptNew = true
	var wg sync.WaitGroup
	logsIn(t, "a new one", m)
	for range 4 {
		wg.Go(func() { logsIn(t, "again", m) })
	}
	wg.Wait()
	m.AcceptNew = false
	logsIn(t, "remembered", m)
	text, err := os.ReadFile(file)
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); err != nil || len(lines) != 2 || !strings.HasPrefix(lines[1], "|1|") {
		t.Errorf("known_hosts is %q, %v", text, err)
	}
	// OpenSSH's own client agrees with what we wrote.
	must(t, "/usr/bin/ssh", "-F", "none", "-o", "UserKnownHostsFile="+file, "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-i", s.Key, "-p", s.Port, "root@127.0.0.1", "true")
	if got := must(t, "ssh-keygen", "-F", name, "-f", file); !strings.Contains(got, "found: line 2") {
		t.Errorf("ssh-keygen says %q", got)
	}
}

// Through jump hosts, each of which is verified.
func TestJumpHosts(t *testing.T) {
	first, second, last := testengine.StartBareSSHD(t), testengine.StartBareSSHD(t), testengine.StartBareSSHD(t)
	m := machine(t, last)
	configure(t, strings.Join([]string{
		"Host first\n HostName 127.0.0.1\n User root\n Port " + first.Port + "\n IdentityFile " + first.Key,
		"Host second\n HostName 127.0.0.1\n User root\n Port " + second.Port + "\n IdentityFile " + second.Key + "\n ProxyJump first",
		"Host last\n HostName 127.0.0.1\n User root\n Port " + last.Port + "\n IdentityFile " + last.Key + "\n ProxyJump second",
		"Host direct\n HostName 127.0.0.1\n User root\n Port " + last.Port + "\n IdentityFile " + last.Key, ""}, "\n"))
	file := filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts")
	line := func(s *testengine.SSHD) string { return "[127.0.0.1]:" + s.Port + " " + s.HostKey + "\n" }
	if err := os.WriteFile(file, []byte(line(first)+line(second)+line(last)), 0o600); err != nil {
		t.Fatal(err)
	}
	logsIn(t, "two hops by the configuration", remote.Machine{Address: "last"})
	logsIn(t, "two hops by ourselves", remote.Machine{Address: "direct", Jump: "first,second"})
	refuses(t, "a name that only jump= knows", remote.Machine{Address: "direct", Jump: "first,no-such-host.invalid"}, "the jump host no-such-host.invalid: the server refuses to forward")
	if a, b, c := first.Logins(), second.Logins(), last.Logins(); a != 3 || b != 2 || c != 2 {
		t.Errorf("logins: %d, %d, %d", a, b, c)
	}
	m.Jump = "first"
	logsIn(t, "one hop, with the machine's own keys", m)
	if err := os.WriteFile(file, []byte(line(first)+line(last)), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, "an unknown host in the middle", remote.Machine{Address: "last"}, "the jump host second: its host key is not known", "ssh second")
	second.Stop()
	refuses(t, "nobody there", remote.Machine{Address: "last"}, "the jump host second: the server refuses to forward", "Connection refused")
}

// A ProxyCommand makes the connection, and says why it could not.
func TestProxyCommand(t *testing.T) {
	s := testengine.StartBareSSHD(t)
	m := machine(t, s)
	m.Address = "behind"
	configure(t, "Host behind\n ProxyCommand /usr/bin/ssh -F '"+s.Config+"' -W 127.0.0.1:%p "+s.Host+"\n")
	h := dial(t, m)
	res, err := h.Run(t.Context(), remote.Command{Script: "echo through; cat", Stdin: make([]byte, 1<<20)})
	if err != nil || len(res.Stdout) != 8+1<<20 {
		t.Fatalf("%d bytes, %v", len(res.Stdout), err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if n := s.Logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	configure(t, "ProxyCommand echo no way to %h >&2; exit 1\n")
	refuses(t, "a command that fails", m, "its ProxyCommand ended: no way to behind")
	configure(t, "ProxyCommand sleep 1000\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := dial(t, m).Run(ctx, remote.Command{Script: "true"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
