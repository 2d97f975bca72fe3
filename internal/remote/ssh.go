package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/cli/cli/connhelper/ssh"
)

// tunnel reaches an engine over ssh, as the docker CLI does: the user's own
// `ssh` runs `docker system dial-stdio` there, so ~/.ssh/config, agents and
// known hosts count, and host keys are checked as the user has it.
//
// Docker's helper logs in for every connection of HTTP, and sshd drops logins
// that come in numbers (MaxStartups). So one ssh logs in and goes to the
// background, and the connections are sessions within that login.
type tunnel struct {
	spec   *ssh.Spec
	helper func(control string) (*connhelper.ConnectionHelper, error)

	mu      sync.Mutex
	dir     string // holds the control socket; "" before the first dial
	foreign bool   // the user's ssh is logged in already: its login is used

	// doubt is set when a session ends: perhaps the login did.
	doubt atomic.Bool
}

const (
	// tunnelConns is the number of sessions in one login: sshd's MaxSessions is
	// 10 by default, and the user may have one open.
	tunnelConns = 8
	// lonelyConns is the same where each is a login of its own.
	lonelyConns = 4
	// linger is how many seconds a login outlives the last session if this
	// program could not end it.
	linger = "60"
)

// newTunnel returns the tunnel to an ssh:// address.
func newTunnel(host string) (*tunnel, error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	spec, err := ssh.NewSpec(u)
	if err != nil {
		return nil, fmt.Errorf("engine address %q: %w", host, err)
	}
	return &tunnel{spec: spec, helper: func(control string) (*connhelper.ConnectionHelper, error) {
		var flags []string
		if control != "" {
			flags = []string{"-o", "ControlMaster=no", "-o", "ControlPath=" + control}
		}
		return connhelper.GetConnectionHelperWithSSHOpts(host, flags)
	}}, nil
}

// shares reports whether several sessions can use one login: Windows' ssh
// cannot.
func (t *tunnel) shares() bool { return runtime.GOOS != "windows" }

func (t *tunnel) conns() int {
	if t.shares() {
		return tunnelConns
	}
	return lonelyConns
}

// dial opens a session, after logging in if there is no login.
func (t *tunnel) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	control, err := t.login(ctx)
	if err != nil {
		return nil, err
	}
	h, err := t.helper(control)
	if err != nil {
		return nil, err
	}
	conn, err := h.Dialer(ctx, network, addr)
	if err != nil {
		t.doubt.Store(true)
		return nil, err
	}
	return &session{conn, t}, nil
}

// session is a connection that tells when it ends.
type session struct {
	net.Conn
	t *tunnel
}

// Read implements [net.Conn].
func (s *session) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		s.t.doubt.Store(true)
	}
	return n, err
}

// CloseWrite ends what is sent; the other side may still send.
func (s *session) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// login makes sure that there is a login, and returns its control socket; ""
// means that ssh is to do what it does by itself.
func (t *tunnel) login(ctx context.Context) (string, error) {
	if !t.shares() {
		return "", nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.foreign {
		return "", nil
	}
	if t.dir == "" {
		if t.command(ctx, "-O", "check").Run() == nil {
			t.foreign = true
			return "", nil
		}
		dir, err := os.MkdirTemp(shortTemp(), "swst")
		if err != nil {
			return "", err
		}
		t.dir = dir
	}
	control := filepath.Join(t.dir, "c")
	if _, err := os.Stat(control); err == nil {
		if !t.doubt.Swap(false) || t.command(ctx, "-O", "check", "-o", "ControlPath="+control).Run() == nil {
			return control, nil
		}
		// With a socket that nobody serves, each session would log in by itself.
		if err := os.Remove(control); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	// What it says goes to a file: a pipe would be kept open by the ssh that
	// goes to the background, and waited for.
	said, err := os.Create(filepath.Join(t.dir, "stderr"))
	if err != nil {
		return "", err
	}
	defer said.Close()
	cmd := t.command(ctx, "-f", "-N", "-T", "-o", "ConnectTimeout=30",
		"-o", "ControlMaster=yes", "-o", "ControlPath="+control, "-o", "ControlPersist="+linger)
	cmd.Stderr = said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return "", err // there is no ssh
		}
		text, _ := os.ReadFile(said.Name())
		return "", &sshError{said: strings.TrimSpace(string(text)), cause: err}
	}
	return control, nil
}

// shortTemp is the folder for temporary files: a socket's path may have 104
// bytes, of which ssh needs 17 for itself.
func shortTemp() string {
	if dir := os.TempDir(); len(dir) <= 60 {
		return dir
	}
	return "/tmp"
}

// command is ssh to the machine, without a remote command.
func (t *tunnel) command(ctx context.Context, flags ...string) *exec.Cmd {
	args := flags
	if t.spec.User != "" {
		args = append(args, "-l", t.spec.User)
	}
	if t.spec.Port != "" {
		args = append(args, "-p", t.spec.Port)
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "--", t.spec.Host)...)
	// Nothing is asked on the terminal, which is busy; a Ctrl-C is for us.
	ownSession(cmd)
	return cmd
}

// close ends the login.
func (t *tunnel) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir == "" {
		return nil
	}
	control := filepath.Join(t.dir, "c")
	if _, err := os.Stat(control); err == nil {
		// A login that ended by itself in the meantime is fine.
		_ = t.command(context.Background(), "-O", "exit", "-o", "ControlPath="+control).Run()
	}
	err := os.RemoveAll(t.dir)
	t.dir = ""
	return err
}

// sshError is an ssh that could not log in.
type sshError struct {
	said  string
	cause error
}

func (e *sshError) Error() string { return "ssh: " + e.said }

func (e *sshError) Unwrap() error { return e.cause }

// sshSaid returns what ssh, or the command that it ran, wrote on standard
// error before it ended. The sessions' errors hold it in their text.
func sshSaid(err error) (string, bool) {
	var e *sshError
	if errors.As(err, &e) {
		return e.said, true
	}
	text := err.Error()
	if !strings.Contains(text, "command [ssh ") {
		return "", false
	}
	_, said, ok := strings.Cut(text, "stderr=")
	return strings.TrimSpace(said), ok
}

// sshReason puts what ssh said in a person's words.
func (t *target) sshReason(said string) (why, hint string, transient bool) {
	host := sshHost(t.host)
	try := "try: ssh " + host + " docker version"
	lines := strings.Split(said, "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("IDENTIFICATION HAS CHANGED"):
		return "its host key is not the one that is known", "another machine may be in its place; if it was made anew, remove the old key from known_hosts (ssh-keygen -R)", false
	case has("Host key verification failed"):
		return "its host key is not known", "compare and accept it once by hand: ssh " + host, false
	case has("Permission denied ("), has("Too many authentication failures"):
		return "ssh was not let in: " + last, "try: ssh " + host + "; ssh-add -l shows the agent's keys", false
	case has("Connection refused"):
		return "connection refused", refusedHint, false
	case has("Could not resolve hostname"):
		return "the name cannot be resolved", "check the address, and Host in ~/.ssh/config", false
	case has("docker: command not found", "docker: not found", "docker: No such file"):
		return "there is no docker command there", "install the docker CLI there, and see that commands run over ssh find it: ssh " + host + " docker version", false
	case has("permission denied") && has("docker"):
		return "the docker command there may not use its engine: " + last, "add the user to the group that owns the socket there, often docker", false
	case has("failed to open the raw stream connection"):
		_, cause, _ := strings.Cut(last, "connection: ")
		return "the docker command there reaches no engine: " + cause, "is the engine running there? " + try, false
	case has("closed by remote host", "Connection reset", "Broken pipe", "not responding", "mux_client"):
		return "ssh lost it: " + last, try, true
	case last == "":
		return "ssh ended without a word", try, false
	}
	return "ssh says: " + last, try, false
}

// sshHost is an ssh:// address as arguments of ssh.
func sshHost(host string) string {
	u, err := url.Parse(host)
	if err != nil {
		return strings.TrimPrefix(host, "ssh://")
	}
	s := u.Hostname()
	if u.User != nil {
		s = u.User.Username() + "@" + s
	}
	if u.Port() != "" {
		s = "-p " + u.Port() + " " + s
	}
	return s
}
