// Package sshd is the SSH server of a simulated machine: commands, a shell for a
// person, SFTP, and forwarding to its sockets and to other machines. Who may log in
// is what the machine's own files say.
package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// Config is what a server is.
type Config struct {
	System  *debian.System
	HostKey ssh.Signer
	// Dial connects to an address for a client that comes through this machine: from is
	// the machine's own address. Nil: the server forwards nowhere.
	Dial func(ctx context.Context, from, addr string) (net.Conn, error)
}

// maxSessions is how many sessions one connection may have, as OpenSSH has it.
const maxSessions = 10

// loginTime is how long a client may take to log in.
const loginTime = 2 * time.Minute

// Serve answers until the context ends or the listener is closed. It returns when
// every connection is closed and all that they ran has ended.
func Serve(ctx context.Context, l net.Listener, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	s := &server{cfg: cfg}
	defer s.all.Wait()
	defer cancel()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the SSH server of %s: %w", cfg.System.Hostname(), err)
		}
		s.all.Go(func() { s.serve(ctx, conn) })
	}
}

type server struct {
	cfg Config
	all sync.WaitGroup
}

// serve is one connection.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	login := time.AfterFunc(loginTime, func() { conn.Close() })
	client, chans, reqs, err := ssh.NewServerConn(conn, s.config())
	login.Stop()
	if err != nil {
		return // the client was told
	}
	defer client.Close()
	s.all.Go(func() { ssh.DiscardRequests(reqs) }) // that is an answer to keepalive too
	c := &connection{server: s, conn: client}
	for ch := range chans {
		s.all.Go(func() { c.open(ctx, ch) })
	}
}

// config says who may log in.
func (s *server) config() *ssh.ServerConfig {
	sys := s.cfg.System
	banner := "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7"
	if sys.Image() == "debian-13" {
		banner = "SSH-2.0-OpenSSH_10.0p2 Debian-7"
	}
	cfg := &ssh.ServerConfig{ServerVersion: banner, MaxAuthTries: 6}
	cfg.PublicKeyCallback = func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, s.knowsKey(meta.User(), key)
	}
	if s.setting("PasswordAuthentication", "yes") == "yes" {
		cfg.PasswordCallback = func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if meta.User() == "root" && s.setting("PermitRootLogin", "prohibit-password") != "yes" || !sys.CheckPassword(meta.User(), string(password)) {
				return nil, errDenied
			}
			return nil, nil
		}
	}
	cfg.AddHostKey(s.cfg.HostKey)
	return cfg
}

var errDenied = errors.New("permission denied")

// knowsKey looks for a key in the account's authorized_keys.
func (s *server) knowsKey(user string, key ssh.PublicKey) error {
	who, ok := s.cfg.System.Account(user)
	if !ok || s.setting("PubkeyAuthentication", "yes") == "no" || user == "root" && s.setting("PermitRootLogin", "prohibit-password") == "no" {
		return errDenied
	}
	files := s.cfg.System.FS().Root()
	for _, p := range []string{who.Home, who.Home + "/.ssh", who.Home + "/.ssh/authorized_keys"} {
		st, err := files.Stat(p) // as StrictModes does
		if err != nil || st.Mode&0o022 != 0 || st.UID != who.UID && st.UID != 0 {
			return errDenied
		}
	}
	data, err := files.ReadFile(who.Home + "/.ssh/authorized_keys")
	if err != nil {
		return errDenied
	}
	for line := range bytes.Lines(data) {
		known, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err == nil && bytes.Equal(known.Marshal(), key.Marshal()) {
			return nil
		}
	}
	return errDenied
}

// setting returns what sshd_config says; the first place that says it counts.
func (s *server) setting(name, or string) string {
	files := s.cfg.System.FS().Root()
	var find func(file string) (string, bool)
	find = func(file string) (string, bool) {
		data, err := files.ReadFile(file)
		if err != nil {
			return "", false
		}
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			switch {
			case len(words) < 2 || strings.HasPrefix(words[0], "#"):
			case strings.EqualFold(words[0], "Match"):
				return "", false
			case strings.EqualFold(words[0], "Include"):
				list, err := files.ReadDir(path.Dir(words[1]))
				if err != nil {
					continue
				}
				for _, e := range list {
					if ok, _ := path.Match(path.Base(words[1]), e.Name); !ok {
						continue
					}
					if v, ok := find(path.Dir(words[1]) + "/" + e.Name); ok {
						return v, true
					}
				}
			case strings.EqualFold(words[0], name):
				return strings.ToLower(words[1]), true
			}
		}
		return "", false
	}
	if v, ok := find("/etc/ssh/sshd_config"); ok {
		return v
	}
	return or
}

// connection is a client that is logged in.
type connection struct {
	*server
	conn *ssh.ServerConn

	mu       sync.Mutex
	sessions int
}

// open answers a request for a channel.
func (c *connection) open(ctx context.Context, ch ssh.NewChannel) {
	switch ch.ChannelType() {
	case "session":
		c.mu.Lock()
		full := c.sessions >= maxSessions
		if !full {
			c.sessions++
		}
		c.mu.Unlock()
		if full {
			ch.Reject(ssh.ConnectionFailed, "open failed")
			return
		}
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sessions--
		}()
		channel, reqs, err := ch.Accept()
		if err == nil {
			c.session(ctx, channel, reqs)
		}
	case "direct-streamlocal@openssh.com":
		var m struct {
			Path      string
			Reserved0 string
			Reserved1 uint32
		}
		if ssh.Unmarshal(ch.ExtraData(), &m) != nil {
			ch.Reject(ssh.ConnectionFailed, "open failed")
			return
		}
		c.forward(ctx, ch, func(ctx context.Context) (net.Conn, error) {
			return c.cfg.System.DialAs(ctx, c.conn.User(), m.Path)
		})
	case "direct-tcpip":
		var m struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}
		if c.cfg.Dial == nil || ssh.Unmarshal(ch.ExtraData(), &m) != nil {
			ch.Reject(ssh.Prohibited, "open failed")
			return
		}
		c.forward(ctx, ch, func(ctx context.Context) (net.Conn, error) {
			return c.cfg.Dial(ctx, c.cfg.System.Address(), net.JoinHostPort(m.Host, fmt.Sprint(m.Port)))
		})
	default:
		ch.Reject(ssh.UnknownChannelType, "unknown channel type")
	}
}

// forward joins a channel to a connection.
func (c *connection) forward(ctx context.Context, ch ssh.NewChannel, dial func(context.Context) (net.Conn, error)) {
	to, err := dial(ctx)
	if err != nil {
		ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer to.Close()
	from, reqs, err := ch.Accept()
	if err != nil {
		return
	}
	defer from.Close()
	stop := context.AfterFunc(ctx, func() { to.Close() })
	defer stop()
	c.all.Go(func() { ssh.DiscardRequests(reqs) })
	join(from, to)
}

// acceptedEnv are the variables that a client may set.
func acceptedEnv(name string) bool {
	return name == "LANG" || strings.HasPrefix(name, "LC_") || slices.Contains([]string{"TERM", "COLORTERM", "NO_COLOR"}, name)
}
