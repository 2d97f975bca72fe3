package remote

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// proxied is the connection that a ProxyCommand of ssh_config makes: its
// standard input and output.
type proxied struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	stderr said
	to     place
	once   sync.Once
}

// startProxy runs the command in the user's shell, away from our terminal.
func startProxy(command, to string) (net.Conn, error) {
	p := &proxied{cmd: exec.Command(userShell(), "-c", "exec "+command), to: place{"tcp", to}}
	ownSession(p.cmd)
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second // for what it leaves behind
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait would close it under a reader.
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.out = w, out
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("proxycommand: %w", err)
	}
	return p, nil
}

// userShell is what ssh runs commands with.
func userShell() string {
	if shell := os.Getenv("SHELL"); shell != "" {
		return shell
	}
	return "/bin/sh"
}

// Read implements [net.Conn]. A command that ended says why.
func (p *proxied) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == io.EOF {
		p.end()
		if text := p.stderr.last(); text != "" {
			return n, fmt.Errorf("its ProxyCommand ended: %s", text)
		}
	}
	return n, err
}

// Write implements [net.Conn].
func (p *proxied) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close implements [net.Conn].
func (p *proxied) Close() error {
	p.in.Close()
	p.end()
	p.out.Close()
	return nil
}

// end ends the command, if it did not by itself, and waits for it.
func (p *proxied) end() {
	p.once.Do(func() {
		late := time.AfterFunc(time.Second, func() { p.cmd.Process.Kill() })
		defer late.Stop()
		p.in.Close()
		p.cmd.Wait()
	})
}

// LocalAddr implements [net.Conn].
func (p *proxied) LocalAddr() net.Addr { return place{"tcp", "proxy"} }

// RemoteAddr implements [net.Conn].
func (p *proxied) RemoteAddr() net.Addr { return p.to }

// SetDeadline implements [net.Conn].
func (p *proxied) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements [net.Conn].
func (p *proxied) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements [net.Conn].
func (p *proxied) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
