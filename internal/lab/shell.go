package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// Terminal is what a person sits at.
type Terminal struct {
	Kind          string // TERM
	Width, Height int
}

// Run runs a command on a host as its user, or a shell where there is none, and
// returns its exit code. With a terminal, the host has one too.
func Run(ctx context.Context, h *api.Host, command string, in io.Reader, out, errs io.Writer, tty *Terminal) (int, error) {
	client, err := dial(ctx, h)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })()
	s, err := client.NewSession()
	if err != nil {
		return 0, fmt.Errorf("host %s: %w", h.Name, err)
	}
	defer s.Close()
	s.Stdin, s.Stdout, s.Stderr = in, out, errs
	if tty != nil {
		modes := ssh.TerminalModes{ssh.ECHO: 1, ssh.TTY_OP_ISPEED: 14400, ssh.TTY_OP_OSPEED: 14400}
		if err := s.RequestPty(tty.Kind, tty.Height, tty.Width, modes); err != nil {
			return 0, fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	if command == "" {
		if err = s.Shell(); err == nil {
			err = s.Wait()
		}
	} else {
		err = s.Run(command)
	}
	var ended *ssh.ExitError
	var cut *ssh.ExitMissingError
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.As(err, &ended):
		return ended.ExitStatus(), nil
	case errors.As(err, &cut):
		return 0, fmt.Errorf("host %s: the connection ended", h.Name)
	}
	return 0, err
}

// dialLimit is how long a host may take to answer: one that is paused never does.
const dialLimit = 10 * time.Second

func dial(ctx context.Context, h *api.Host) (*ssh.Client, error) {
	s, err := SSHOf(h)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(s.Key)
	if err != nil {
		return nil, err
	}
	known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey))
	if err != nil {
		return nil, err
	}
	at := net.JoinHostPort(s.Host, s.Port)
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("host %s does not answer: %w", h.Name, err)
	}
	if err := conn.SetDeadline(time.Now().Add(dialLimit)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, at, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(known),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("host %s does not let %s in: %w", h.Name, s.User, err), conn.Close())
	}
	return ssh.NewClient(c, channels, requests), conn.SetDeadline(time.Time{})
}
