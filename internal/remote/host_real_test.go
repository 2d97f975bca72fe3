package remote_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// machine is a server of OpenSSH as a script would name it. Engines are started
// before: what they are made of is cached in HOME.
func machine(t testing.TB, s *testengine.SSHD) remote.Machine {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // without the developer's own keys, known hosts and configuration
	t.Setenv("SSH_AUTH_SOCK", "")
	port, err := strconv.Atoi(s.Port)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Machine{Address: "127.0.0.1", Port: port, User: "root", KeyFile: s.Key, HostKeys: []string{s.HostKey}}
}

func dial(t testing.TB, m remote.Machine) *remote.Host {
	h := remote.DialHost(m)
	t.Cleanup(func() { h.Close() })
	return h
}

// Commands, a file and the Engine API share one login.
func TestOneConnection(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	s := testengine.StartBareSSHD(t)
	h := dial(t, machine(t, s))

	var wg sync.WaitGroup
	for i := range 20 { // more than sshd takes at once
		wg.Go(func() {
			res, err := h.Run(t.Context(), remote.Command{Script: "cat; echo \"$1\"", Args: []string{"it's " + strconv.Itoa(i)}, Stdin: []byte("in ")})
			if got, want := string(res.Stdout), "in it's "+strconv.Itoa(i)+"\n"; err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	wg.Wait()

	path := filepath.Join(t.TempDir(), "a file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	if err := h.Put(t.Context(), path, content, remote.PutOptions{Mode: 0o640, Owner: "nobody", Group: "nogroup", Root: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}

	d, err := h.Docker(strings.TrimPrefix(e.Host, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if version, err := d.Ready(t.Context()); err != nil || version != "1.51" {
		t.Errorf("the engine speaks %q, %v", version, err)
	}
	if _, err := d.API().ContainerList(t.Context(), container.ListOptions{}); err != nil {
		t.Error(err)
	}
	if n := s.Logins(); n != 1 {
		t.Errorf("there were %d logins, want 1", n)
	}
	if used := h.Used(); used.Dials != 1 || used.Commands != 21 || used.Channels != 22 {
		t.Errorf("used %+v", used)
	}
}

func TestExitCodes(t *testing.T) {
	h := dial(t, machine(t, testengine.StartBareSSHD(t)))
	res, err := h.Run(t.Context(), remote.Command{Script: "# a comment\necho out; echo one >&2; echo two >&2\nexit 7"})
	var exit *remote.ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || res.Code != 7 || string(res.Stdout) != "out\n" || string(res.Stderr) != "one\ntwo\n" {
		t.Fatalf("got %+v, %v", res, err)
	}
	if want := `"echo out; echo one >&2; echo two >&2" ended with exit code 7: one` + "\ntwo"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("the error is %q", err)
	}
	if _, err := h.Run(t.Context(), remote.Command{Script: "kill -KILL $$"}); !errors.As(err, &exit) || exit.Code != 137 {
		t.Errorf("a killed command gives %v", err)
	}
	if errors.Is(err, resource.ErrUnreachable) {
		t.Error("a command that failed is not a host that cannot be reached")
	}
}

// What a person reads when a host cannot be reached.
func TestHostUnreachable(t *testing.T) {
	s := testengine.StartBareSSHD(t)
	known := machine(t, s)
	home := os.Getenv("HOME")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(s.Other + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".ssh", "known_hosts")
	for _, tt := range []struct {
		name   string
		known  string // the file known_hosts
		change func(*remote.Machine)
		want   []string
	}{
		{"wrong key", "", func(m *remote.Machine) { m.KeyFile = s.Other }, []string{"cannot reach root@127.0.0.1:" + s.Port + " by SSH", "took none of our keys: " + s.Other + " (ssh-ed25519 SHA256:", "authorized_keys"}},
		{"no key", "", func(m *remote.Machine) { m.KeyFile = "" }, []string{"no key to log in with", "ssh-keygen"}},
		{"no key file", "", func(m *remote.Machine) { m.KeyFile = "/none" }, []string{"the private key: stat /none"}},
		{"not a key", "", func(m *remote.Machine) { m.KeyFile = s.Config }, []string{"no private key in " + s.Config}},
		{"bad user", "", func(m *remote.Machine) { m.User = "nobody-there" }, []string{"took none of our keys", "check the user"}},
		{"changed key, given", "", func(m *remote.Machine) { m.HostKeys = []string{string(other)} }, []string{"its host key is ssh-ed25519 SHA256:", "given when it was made", "another machine"}},
		{"unknown key", "# nothing\n", func(m *remote.Machine) { m.HostKeys = nil }, []string{"its host key is not known: it shows ssh-ed25519 SHA256:", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub", "ssh -p " + s.Port + " 127.0.0.1"}},
		{"changed key", "# one\n[127.0.0.1]:" + s.Port + " " + string(other), func(m *remote.Machine) { m.HostKeys = nil; m.AcceptNew = true }, []string{"its host key has changed", file + ":2 knows", "ssh-keygen -f " + file + " -R '[127.0.0.1]:" + s.Port + "'"}},
		{"revoked key", "@revoked * " + s.HostKey, func(m *remote.Machine) { m.HostKeys = nil; m.AcceptNew = true }, []string{"is revoked at " + file + ":1"}},
		{"refused", "", func(m *remote.Machine) { m.Port = 1 }, []string{"connection refused", "is sshd running"}},
		{"no name", "", func(m *remote.Machine) { m.Address = "no-such-host.invalid" }, []string{"the name no-such-host.invalid cannot be resolved"}},
		{"no address", "", func(m *remote.Machine) { m.Address = "" }, []string{"it has no address"}},
		{"a jump host", "", func(m *remote.Machine) { m.Jump = "127.0.0.1:1" }, []string{"the jump host 127.0.0.1: connection refused"}},
		{"a bad jump host", "", func(m *remote.Machine) { m.Jump = "a@b:c" }, []string{`the jump host "a@b:c": want [user@]host[:port]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tt.known), 0o600); err != nil {
				t.Fatal(err)
			}
			m := known
			tt.change(&m)
			_, err := dial(t, m).Run(t.Context(), remote.Command{Script: "true"})
			if !errors.Is(err, resource.ErrUnreachable) {
				t.Fatalf("%v is not ErrUnreachable", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if text, _ := os.ReadFile(file); string(text) != tt.known {
				t.Errorf("known_hosts is now %q", text)
			}
		})
	}
}
