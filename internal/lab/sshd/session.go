package sshd

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// session is one: a command, a shell, or a subsystem.
type session struct {
	*connection
	ch      ssh.Channel
	env     []string
	term    bool
	width   int
	height  int
	signals chan string
	resize  func(width, height int)
}

func (c *connection) session(ctx context.Context, ch ssh.Channel, reqs <-chan *ssh.Request) {
	s := &session{connection: c, ch: ch, signals: make(chan string, 8)}
	var running sync.WaitGroup
	started := false
	for req := range reqs {
		ok := false
		switch req.Type {
		case "env":
			var m struct{ Name, Value string }
			if ssh.Unmarshal(req.Payload, &m) == nil && acceptedEnv(m.Name) {
				s.env = append(s.env, m.Name+"="+m.Value)
				ok = true
			}
		case "pty-req":
			ok = s.pty(req.Payload)
		case "window-change":
			ok = s.window(req.Payload)
		case "signal":
			var m struct{ Name string }
			if ssh.Unmarshal(req.Payload, &m) == nil {
				select {
				case s.signals <- m.Name:
				default: // it has more than enough
				}
			}
		case "exec", "shell", "subsystem":
			var m struct{ Line string }
			if req.Type != "shell" && ssh.Unmarshal(req.Payload, &m) != nil || started {
				break
			}
			if req.Type == "subsystem" && m.Line != "sftp" {
				break
			}
			started, ok = true, true
			if req.WantReply { // before any of its output
				req.Reply(true, nil)
				req.WantReply = false
			}
			running.Go(func() { s.run(ctx, req.Type, m.Line) })
		}
		if req.WantReply {
			req.Reply(ok, nil)
		}
	}
	running.Wait()
	ch.Close()
}

func (s *session) pty(payload []byte) bool {
	var m struct {
		Term                  string
		Width, Height, PX, PY uint32
		Modes                 string
	}
	if ssh.Unmarshal(payload, &m) != nil {
		return false
	}
	s.term, s.width, s.height = true, int(m.Width), int(m.Height)
	s.env = append(s.env, "TERM="+m.Term)
	return true
}

func (s *session) window(payload []byte) bool {
	var m struct{ Width, Height, PX, PY uint32 }
	if ssh.Unmarshal(payload, &m) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height = int(m.Width), int(m.Height)
	if s.resize != nil {
		s.resize(s.width, s.height)
	}
	return true
}

// environ is what a session's processes know of the connection.
func (s *session) environ() []string {
	from, fromPort, _ := net.SplitHostPort(s.conn.RemoteAddr().String())
	to, toPort, _ := net.SplitHostPort(s.conn.LocalAddr().String())
	if _, simulated, _ := net.ParseCIDR(s.cfg.System.Address() + "/32"); simulated != nil {
		to, toPort = s.cfg.System.Address(), "22" // where it listens really is nobody's business
	}
	return append([]string{"SSH_CLIENT=" + from + " " + fromPort + " " + toPort, "SSH_CONNECTION=" + from + " " + fromPort + " " + to + " " + toPort}, s.env...)
}

// run is what the session is for. It ends with an exit code.
func (s *session) run(ctx context.Context, kind, line string) {
	code := 0
	switch {
	case kind == "subsystem":
		s.files()
	case kind == "shell" && s.term:
		code = s.terminal(ctx)
	default:
		code = s.cfg.System.Exec(ctx, debian.Process{User: s.conn.User(), Line: line, Login: kind == "shell",
			Stdin: s.ch, Stdout: s.ch, Stderr: s.ch.Stderr(), Env: s.environ(), Signal: s.signals})
	}
	s.ch.CloseWrite()
	s.ch.SendRequest("exit-status", false, ssh.Marshal(&struct{ Code uint32 }{uint32(code)}))
	s.ch.Close()
}

// files is the subsystem sftp.
func (s *session) files() {
	who, ok := s.cfg.System.Account(s.conn.User())
	if !ok {
		return
	}
	view := s.cfg.System.FS().As(who)
	h := &sftpFiles{view}
	server := sftp.NewRequestServer(s.ch, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h}, sftp.WithStartDirectory(who.Home))
	server.Serve() // it ends with the channel
	server.Close()
}

// join copies both ways until both have ended.
func join(a ssh.Channel, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(b, a)
		if half, ok := b.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		} else {
			b.Close()
		}
	})
	both.Go(func() {
		io.Copy(a, b)
		a.CloseWrite()
		a.Close()
	})
	both.Wait()
}
