// Package labtest gives tests machines of a lab, each alone: a simulated Debian with its
// SSH server, and an engine that only says its version. A whole lab, with engines that run
// containers and swarms, is package world's.
package labtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/sshd"
	"github.com/swarmscript/swarmscript/internal/sshkey"
)

// Address is that of every machine: they differ in their ports.
const Address = "127.0.0.1"

// A Machine is one of a lab, which is switched on.
type Machine struct {
	*debian.System
	Name    string
	User    string
	Port    int    // of its sshd, on [Address]
	Key     []byte // the private key of User, as PEM
	KeyFile string
	HostKey string // the public key of its sshd, a line of authorized_keys

	tb testing.TB
}

// Start makes a machine of an image, "debian-12" or "debian-13", that is reached as a
// user, who may become root.
func Start(tb testing.TB, image, name, user string) *Machine {
	tb.Helper()
	key, public, err := sshkey.New(user + "@" + name)
	must(tb, err)
	hostKey, hostPublic, err := sshkey.New("root@" + name)
	must(tb, err)
	sys, err := debian.New(debian.Config{
		Hostname: name, Image: image, Address: "127.1.2.3", User: user, AuthorizedKeys: []string{string(public)}, HostKey: hostKey,
		NanoCPUs: 2e9, Memory: 2 << 30, Docker: &engine{},
	})
	must(tb, err)
	m := &Machine{System: sys, Name: name, User: user, Key: key, KeyFile: filepath.Join(tb.TempDir(), "key"), HostKey: strings.TrimSpace(string(hostPublic)), tb: tb}
	must(tb, os.WriteFile(m.KeyFile, key, 0o600))
	m.Start()
	tb.Cleanup(sys.PowerOff)
	signer, err := ssh.ParsePrivateKey(hostKey)
	must(tb, err)
	l, err := net.Listen("tcp", net.JoinHostPort(Address, "0"))
	must(tb, err)
	m.Port = l.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { sshd.Serve(ctx, admitting{l, sys}, sshd.Config{System: sys, HostKey: signer}) })
	tb.Cleanup(func() { cancel(); served.Wait() })
	return m
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Run runs a program as root, beside SSH, and returns its standard output without the
// last line's end. The test fails if the program does.
func (m *Machine) Run(program string, args ...string) string {
	m.tb.Helper()
	words := []string{quote(program)}
	for _, a := range args {
		words = append(words, quote(a))
	}
	var out, said bytes.Buffer
	code := m.Exec(context.Background(), debian.Process{User: "root", Line: strings.Join(words, " "), Stdout: &out, Stderr: &said})
	if code != 0 {
		m.tb.Fatalf("%s %q ended with %d: %s%s", program, args, code, out.String(), said.String())
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// Sh is Run for a script of the shell.
func (m *Machine) Sh(script string) string { m.tb.Helper(); return m.Run("sh", "-ec", script) }

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Start switches it on after [Machine.Stop] or [Machine.Kill].
func (m *Machine) Start() { m.tb.Helper(); must(m.tb, m.Boot(context.Background())) }

// Stop switches it off.
func (m *Machine) Stop() { m.tb.Helper(); must(m.tb, m.Shutdown(context.Background())) }

// Kill cuts its power.
func (m *Machine) Kill() { m.PowerOff() }

// admitting keeps out who the machine's firewall does not let in.
type admitting struct {
	net.Listener
	sys *debian.System
}

func (l admitting) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.sys.Filter("tcp", netip.MustParseAddr(Address), 22) == debian.Admitted {
			return c, err
		}
		c.Close()
	}
}

// engine is an engine that only tells its version and labels.
type engine struct {
	mu      sync.Mutex
	version string
	config  []byte
}

func (e *engine) Start(_ context.Context, version string, config []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if bytes.Contains(config, []byte("no-such-driver")) {
		return errors.New(`failed to start daemon: error initializing graphdriver: driver not supported: no-such-driver`)
	}
	e.version, e.config = version, config
	return nil
}

func (e *engine) Stop(context.Context) error { return nil }

func (e *engine) Dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	e.mu.Lock()
	version := e.version
	e.mu.Unlock()
	go http.Serve(&oneConn{conn: far}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch path.Base(r.URL.Path) {
		case "version", "info", "_ping":
			io.WriteString(w, `{"ID":"lab","ServerVersion":"`+version+`","Version":"`+version+`","ApiVersion":"1.41","Swarm":{"LocalNodeState":"inactive"}}`)
		case "volumes":
			io.WriteString(w, `{"Volumes":[]}`)
		default:
			io.WriteString(w, `[]`)
		}
	}))
	return near, nil
}

// oneConn is a listener of one connection.
type oneConn struct {
	conn net.Conn
	once sync.Once
}

func (l *oneConn) Accept() (c net.Conn, err error) {
	err = io.EOF
	l.once.Do(func() { c, err = l.conn, nil })
	return c, err
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
