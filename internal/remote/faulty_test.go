package remote

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// faulty is an SSH server in this process that can be told to fail. Its
// commands are run by this computer's sh; what is proved with it is only how
// we take the faults.
type faulty struct {
	*testing.T
	config   *ssh.ServerConfig
	listener net.Listener
	host     string // its public key
	key      []byte // a private key that it takes

	maxSessions  int32
	noForwarding bool
	greet        func(net.Conn) bool            // before the handshake; false: hang up
	run          func(cmd string, c *conn) bool // false: the command is run by sh
	answer       func(ssh.Channel, *conn)       // instead of sh

	sessions, most, logins atomic.Int32
	mu                     sync.Mutex
	conns                  []*conn
	wg                     sync.WaitGroup
}

// conn is one connection to it.
type conn struct {
	net.Conn
	frozen chan struct{} // while not nil and open, nothing is read
	mu     sync.Mutex
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	frozen := c.frozen
	c.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return n, err
}

// freeze stops reading, as a machine whose power was cut.
func (c *conn) freeze(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = make(chan struct{})
	t.Cleanup(func() { close(c.frozen) })
}

// newKey makes a key, in the two forms that files have.
func newKey(t testing.TB) (signer ssh.Signer, private []byte, line string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err = ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// newFaulty starts one.
func newFaulty(t *testing.T, with func(*faulty)) *faulty {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	hostKey, _, host := newKey(t)
	user, private, _ := newKey(t)
	f := &faulty{T: t, host: host, key: private, maxSessions: 10}
	f.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, errors.New("unknown")
		}
		return nil, nil
	}}
	f.config.AddHostKey(hostKey)
	if with != nil {
		with(f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.listener = l
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		l.Close()
		f.cut()
		f.wg.Wait()
	})
	return f
}

func (f *faulty) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() { f.serve(&conn{Conn: c}) })
	}
}

// cut ends all connections.
func (f *faulty) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *faulty) serve(c *conn) {
	defer c.Close()
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	if f.greet != nil && !f.greet(c) {
		return
	}
	_, chans, reqs, err := ssh.NewServerConn(c, f.config)
	if err != nil {
		return
	}
	f.logins.Add(1)
	f.wg.Go(func() { ssh.DiscardRequests(reqs) })
	for ch := range chans {
		switch ch.ChannelType() {
		case "session":
			f.session(ch, c)
		case "direct-streamlocal@openssh.com":
			f.forward(ch)
		default:
			ch.Reject(ssh.UnknownChannelType, "")
		}
	}
}

func (f *faulty) session(nc ssh.NewChannel, c *conn) {
	n := f.sessions.Add(1)
	if n > f.maxSessions {
		f.sessions.Add(-1)
		nc.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	for most := f.most.Load(); n > most && !f.most.CompareAndSwap(most, n); most = f.most.Load() {
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		f.sessions.Add(-1)
		return
	}
	f.wg.Go(func() {
		defer ch.Close()
		defer f.sessions.Add(-1)
		for req := range reqs {
			if req.Type != "exec" {
				continue
			}
			var m struct{ Command string }
			ssh.Unmarshal(req.Payload, &m)
			req.Reply(true, nil)
			if f.answer != nil {
				f.answer(ch, c)
				return
			}
			if f.run == nil || !f.run(m.Command, c) {
				f.wg.Go(func() { ssh.DiscardRequests(reqs) })
				f.command(ch, m.Command)
				return
			}
		}
	})
}

func (f *faulty) command(ch ssh.Channel, command string) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if cmd.Start() != nil {
		return
	}
	f.wg.Go(func() { io.Copy(in, ch); in.Close() })
	code := 0
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	ch.SendRequest("exit-status", false, ssh.Marshal(&struct{ Code uint32 }{uint32(code)}))
}

func (f *faulty) forward(nc ssh.NewChannel) {
	var m struct {
		Path     string
		Reserved string
		Zero     uint32
	}
	ssh.Unmarshal(nc.ExtraData(), &m)
	to, err := net.Dial("unix", m.Path)
	if err != nil || f.noForwarding {
		nc.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	f.wg.Go(func() { ssh.DiscardRequests(reqs) })
	f.wg.Go(func() { defer ch.Close(); io.Copy(ch, to) })
	f.wg.Go(func() { defer to.Close(); io.Copy(to, ch) })
}

// dial returns the host, with less patience than usual.
func (f *faulty) dial() *Host {
	f.Helper()
	addr := f.listener.Addr().(*net.TCPAddr)
	h := DialHost(Machine{Address: "127.0.0.1", Port: addr.Port, User: "root", Key: f.key, HostKeys: []string{f.host}})
	h.time = timing{keepalive: 50 * time.Millisecond, patience: 10 * time.Second, hello: 30 * time.Second, lastWord: 300 * time.Millisecond, pauses: []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}}
	f.Cleanup(func() { h.Close() })
	return h
}
