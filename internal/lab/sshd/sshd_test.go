package sshd_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/sshd"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// host is a simulated machine with an SSH server.
type host struct {
	*debian.System
	machine remote.Machine
	signer  ssh.Signer
	addr    string
}

func newKey(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func start(t testing.TB, user string) *host {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // without the developer's own keys and known hosts
	t.Setenv("SSH_AUTH_SOCK", "")
	hostKey, hostPEM := newKey(t)
	userKey, userPEM := newKey(t)
	sys, err := debian.New(debian.Config{Hostname: "m1", Image: "debian-12", Address: "127.9.8.7", User: user, HostKey: []byte(hostPEM),
		AuthorizedKeys: []string{string(ssh.MarshalAuthorizedKey(userKey.PublicKey()))}, NanoCPUs: 2e9, Memory: 2 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- sshd.Serve(ctx, l, sshd.Config{System: sys, HostKey: hostKey, Dial: func(ctx context.Context, from, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		sys.PowerOff()
	})
	at := l.Addr().(*net.TCPAddr)
	return &host{sys, remote.Machine{Address: "127.0.0.1", Port: at.Port, User: user, Key: []byte(userPEM), HostKeys: []string{string(ssh.MarshalAuthorizedKey(hostKey.PublicKey()))}}, userKey, at.String()}
}

func dial(t testing.TB, m remote.Machine) *remote.Host {
	h := remote.DialHost(m)
	t.Cleanup(func() { h.Close() })
	return h
}

// sh runs a line as root, without SSH.
func (h *host) sh(t testing.TB, line string) string {
	t.Helper()
	var out bytes.Buffer
	if code := h.Exec(t.Context(), debian.Process{User: "root", Line: line, Stdout: &out, Stderr: &out}); code != 0 {
		t.Fatalf("%s: %d: %s", line, code, out.String())
	}
	return out.String()
}

// Commands and files by the product's own client.
func TestRemote(t *testing.T) {
	m := start(t, "deploy")
	h := dial(t, m.machine)
	if err := remote.WaitReady(t.Context(), h, 0, nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 30 { // more than the server takes at once
		wg.Go(func() {
			res, err := h.Run(t.Context(), remote.Command{Script: "cat; echo \"$1\"", Args: []string{fmt.Sprint("it's ", i)}, Stdin: []byte("in ")})
			if got, want := string(res.Stdout), fmt.Sprint("in it's ", i, "\n"); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	wg.Wait()

	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	if err := h.Put(t.Context(), "/srv/a file", content, remote.PutOptions{Mode: 0o640, Owner: "nobody", Group: "nogroup", Root: true}); err != nil {
		t.Fatal(err)
	}
	if got := m.sh(t, "stat -c '%U %G %a %s' '/srv/a file'; ls -A /srv"); got != "nobody nogroup 640 1600000\na file\n" {
		t.Errorf("the file is %q", got)
	}
	if err := h.Put(t.Context(), "/etc/motd", nil, remote.PutOptions{}); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a file of root's: %v", err)
	}

	var exit *remote.ExitError
	if _, err := h.Run(t.Context(), remote.Command{Script: "echo one >&2; exit 7"}); !errors.As(err, &exit) || exit.Code != 7 || exit.Stderr != "one" {
		t.Errorf("a command that fails gives %v", err)
	}
	if _, err := h.Run(t.Context(), remote.Command{Script: "kill -KILL $$"}); !errors.As(err, &exit) || exit.Code != 137 {
		t.Errorf("a killed command gives %v", err)
	}
}

// A command that is given up is ended there too, with all that it started.
func TestCancelled(t *testing.T) {
	m := start(t, "deploy")
	h := dial(t, m.machine)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := h.Run(ctx, remote.Command{Root: true, Script: "touch /run/began; sleep 1001"})
		done <- err
	}()
	m.sh(t, "while [ ! -e /run/began ]; do sleep 0.02; done")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	m.sh(t, "while pgrep -f '^sleep 1001$' >/dev/null; do sleep 0.02; done")
}

func TestSudo(t *testing.T) {
	m := start(t, "deploy")
	const show = `id -un; cat; echo "args: $*"; echo oops >&2`
	ask := func(password string) (remote.Result, error) {
		with := m.machine
		with.SudoPassword = password
		return dial(t, with).Run(t.Context(), remote.Command{Root: true, Script: show, Args: []string{"a b", "$HOME"}, Stdin: []byte("input\n")})
	}
	works := func(what, password string) {
		t.Helper()
		res, err := ask(password)
		if err != nil || string(res.Stdout) != "root\ninput\nargs: a b $HOME\n" || string(res.Stderr) != "oops\n" {
			t.Errorf("%s: %q, %q, %v", what, res.Stdout, res.Stderr, err)
		}
	}
	fails := func(what, password, want string) {
		t.Helper()
		if _, err := ask(password); !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	works("without a password", "")
	works("a password that is not asked for", "hunter2")

	hash, err := debian.HashPassword("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	m.sh(t, "sed -i 's|^deploy:[^:]*|deploy:"+hash+"|' /etc/shadow; printf 'Defaults lecture=always\\ndeploy ALL=(ALL) ALL\\n' >/etc/sudoers.d/90-cloud-init-users")
	works("with a password", "hunter2")
	fails("no password", "", "sudo wants the password of deploy")
	fails("a wrong password", "hunter3", "sudo did not take the password of deploy (check the password)")
	m.sh(t, "echo 'Defaults requiretty' >>/etc/sudoers.d/90-cloud-init-users")
	fails("requiretty", "hunter2", "sudo wants a terminal (remove requiretty")
	m.sh(t, "rm /etc/sudoers.d/*; sed -i 's/^sudo:.*/sudo:x:27:/' /etc/group")
	fails("not in sudoers", "hunter2", "deploy may not use sudo (add the user to the group sudo")
	m.sh(t, "rm /usr/bin/sudo")
	fails("no sudo", "", "deploy is not root, and there is no sudo there")
}

// A socket of the machine, which only root and the members of a group may use.
func TestForwardedSocket(t *testing.T) {
	m := start(t, "deploy")
	here, there := net.Pipe()
	conns := make(chan net.Conn, 1)
	conns <- there
	if err := m.Listen("/run/docker.sock", 0, 0o660, func(context.Context) (net.Conn, error) { return <-conns, nil }); err != nil {
		t.Fatal(err)
	}
	h := dial(t, m.machine)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return h.Dial(ctx, "unix", "/var/run/docker.sock")
	}}}
	if _, err := client.Get("http://docker/_ping"); err == nil || !strings.Contains(err.Error(), "open failed") && !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a socket of root's: %v", err)
	}
	m.sh(t, "chgrp deploy /run/docker.sock")
	go func() {
		l := &once{conn: here, ready: make(chan struct{}, 1)}
		l.ready <- struct{}{}
		http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK") }))
	}()
	res, err := client.Get("http://docker/_ping")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "OK" {
		t.Errorf("got %q, %v", body, err)
	}
}

// once is a listener of one connection.
type once struct {
	conn  net.Conn
	ready chan struct{}
}

func (o *once) Accept() (net.Conn, error) {
	if _, ok := <-o.ready; !ok {
		return nil, net.ErrClosed
	}
	close(o.ready)
	return o.conn, nil
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return o.conn.LocalAddr() }

// One machine is the way to another.
func TestJumpHost(t *testing.T) {
	m := start(t, "deploy")
	known := filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts")
	line := fmt.Sprintf("[127.0.0.1]:%d %s", m.machine.Port, m.machine.HostKeys[0])
	if err := errors.Join(os.Mkdir(filepath.Dir(known), 0o700), os.WriteFile(known, []byte(line), 0o600)); err != nil {
		t.Fatal(err)
	}
	through := m.machine
	through.Jump = fmt.Sprintf("deploy@127.0.0.1:%d", m.machine.Port)
	res, err := dial(t, through).Run(t.Context(), remote.Command{Script: "hostname"})
	if err != nil || string(res.Stdout) != "m1\n" {
		t.Errorf("%q, %v", res.Stdout, err)
	}
}

func client(t testing.TB, m *host) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial("tcp", m.addr, &ssh.ClientConfig{User: m.machine.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(m.signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSFTP(t *testing.T) {
	m := start(t, "deploy")
	c, err := sftp.NewClient(client(t, m))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.Create("dir.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Repeat([]byte("x"), 300_000)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(f.Close(), c.Mkdir("d"), c.Rename("dir.txt", "d/f"), c.Symlink("f", "d/l"), c.Chmod("d/f", 0o600)); err != nil {
		t.Error(err)
	}
	if got := m.sh(t, "cd /home/deploy && stat -c '%n %s %a %U' d/f && readlink d/l"); got != "d/f 300000 600 deploy\nf\n" {
		t.Errorf("got %q", got)
	}
	if _, err := c.Open("/etc/shadow"); !errors.Is(err, io.EOF) && (err == nil || !strings.Contains(err.Error(), "permission denied")) {
		t.Errorf("a file of root's: %v", err)
	}
	list, err := c.ReadDir("d")
	if err != nil || len(list) != 2 || list[0].Name() != "f" {
		t.Errorf("%v, %v", list, err)
	}
}

// The eleventh session of a connection is refused.
func TestMaxSessions(t *testing.T) {
	c := client(t, start(t, "deploy"))
	for i := range 11 {
		s, err := c.NewSession()
		if (err != nil) != (i == 10) {
			t.Fatalf("session %d: %v", i+1, err)
		}
		if err == nil {
			defer s.Close()
		}
	}
}

// A person at a terminal.
func TestTerminal(t *testing.T) {
	m := start(t, "deploy")
	s, err := client(t, m).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	seen := ""
	until := func(want string) {
		t.Helper()
		buf := make([]byte, 1000)
		for !strings.Contains(seen, want) {
			n, err := out.Read(buf)
			seen += string(buf[:n])
			if err != nil {
				t.Fatalf("it ended without %q: %v\n%s", want, err, seen)
			}
		}
		seen = seen[strings.Index(seen, want)+len(want):]
	}
	until("deploy@m1:~$ ")
	io.WriteString(in, "cd /etc; x=5\r")
	until("deploy@m1:/etc$ ")
	io.WriteString(in, "echo \"x is $x\"; pwd\r")
	until("x is 5\r\n/etc\r\n")
	until("$ ")
	io.WriteString(in, "cat\r")
	until("\n")
	io.WriteString(in, "typed\r")
	until("typed\r\ntyped\r\n")
	io.WriteString(in, "\x04")
	until("$ ")
	io.WriteString(in, "sleep 1000\r")
	until("\n")
	io.WriteString(in, "\x03")
	until("^C\r\n")
	until("$ ")
	io.WriteString(in, "for i in 1 2\r")
	until("> ")
	io.WriteString(in, "do echo \"<$i>\"; done\r")
	until("<1>\r\n<2>\r\n")
	io.WriteString(in, "nosuch\r")
	until("nosuch: command not found")
	until("$ ")
	io.WriteString(in, "exit 3\r")
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 3 {
		t.Errorf("it ended with %v", err)
	}
}
