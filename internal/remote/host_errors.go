package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// refusedHint is what to look at where a connection is refused.
const refusedHint = "is sshd running there, and on that port? a firewall that limits logins refuses them too, for half a minute"

// ErrMayHaveRun is a command whose connection was lost before its exit code
// came: it may have run, not at all, in part, or to its end.
var ErrMayHaveRun = errors.New("the connection was lost while the command ran, so it may have run")

// hostError is a host that could not be reached or used.
type hostError struct {
	msg   string
	cause error
	is    []error
}

func (e *hostError) Error() string { return e.msg }

func (e *hostError) Unwrap() []error { return append([]error{e.cause}, e.is...) }

// err puts what went wrong in a person's words.
func (h *Host) err(doing string, err error) error {
	var known *hostError
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	why, hint := h.reason(err)
	e := &hostError{msg: fmt.Sprintf("cannot %s %s by SSH: %s", doing, h.Name(), why), cause: err, is: []error{resource.ErrUnreachable}}
	if hint != "" {
		e.msg += " (" + hint + ")"
	}
	var lost *lostError
	if errors.As(err, &lost) {
		e.is = append(e.is, resource.ErrTransient)
	}
	return e
}

// reason says why, and what to do.
func (h *Host) reason(err error) (why, hint string) {
	var (
		key     *hostKeyError
		login   *authError
		dns     *net.DNSError
		refused *ssh.OpenChannelError
		op      *net.OpError
		nego    *ssh.AlgorithmNegotiationError
		hop     *hopError
	)
	at := ""
	if errors.As(err, &hop) {
		at, err = "the jump host "+hop.name+": ", hop.err
	}
	switch {
	case errors.As(err, &key):
		return at + key.why, key.hint
	case errors.As(err, &login):
		return at + login.why, login.hint
	case errors.As(err, &dns):
		return at + fmt.Sprintf("the name %s cannot be resolved", dns.Name), "check the address, and HostName in ~/.ssh/config"
	case errors.Is(err, syscall.ECONNREFUSED):
		return at + "connection refused", refusedHint
	case errors.Is(err, errSilent):
		return at + err.Error(), "is it the right port?"
	case errors.Is(err, errHello):
		return at + err.Error(), "sshd drops logins when many come at once (MaxStartups), or forbids this address"
	case errors.As(err, &nego):
		return at + fmt.Sprintf("it and we have no %s in common: it has %s", nego.What, strings.Join(nego.SupportedAlgorithms, ", ")), "bring its SSH server up to date"
	case errors.As(err, &refused):
		return at + "the server refuses to forward: " + refused.Message, "see AllowTcpForwarding and PermitOpen in its sshd_config"
	case errors.As(err, &op) && op.Op == "dial":
		return at + op.Err.Error(), "check the address, and firewalls on the way"
	case errors.Is(err, io.EOF):
		return at + "it closed the connection", ""
	}
	return at + strings.TrimPrefix(err.Error(), "ssh: "), ""
}

// lostError is a connection that ended under what ran over it.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	if e.cause == nil || errors.Is(e.cause, io.EOF) {
		return "the connection was lost"
	}
	return "the connection was lost: " + strings.TrimPrefix(e.cause.Error(), "ssh: ")
}

func (e *lostError) Unwrap() error { return e.cause }

// brokenOff says what became of a command that has no exit code.
func (h *Host) brokenOff(ctx context.Context, l *link, c Command, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errNoStatus) {
		if !l.dying() {
			return fmt.Errorf("%s: %s: %w", h.Name(), firstLine(c.Script), errNoStatus)
		}
		lost := &lostError{cause: l.cause()}
		return &hostError{
			msg:   fmt.Sprintf("%s while %q ran on %s: it may have run, in part or to its end", lost, firstLine(c.Script), h.Name()),
			cause: lost,
			is:    []error{ErrMayHaveRun, resource.ErrUnreachable},
		}
	}
	return fmt.Errorf("%s: %s: %w", h.Name(), firstLine(c.Script), err)
}

// refused says why the host did not open a connection for us.
func (h *Host) refused(ctx context.Context, network, addr string, err error) error {
	var no *refusal
	if !errors.As(err, &no) || ctx.Err() != nil {
		return err
	}
	return &hostError{
		msg:   fmt.Sprintf("%s cannot connect to %s: %s", h.Name(), addr, no.said),
		cause: err,
		is:    []error{resource.ErrUnreachable},
	}
}

// ExitError is a command that did not end well.
type ExitError struct {
	Host    string
	Command string // the script's first line
	Code    int
	Stderr  string // its last lines, without those that are empty
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s: %q ended with exit code %d", e.Host, e.Command, e.Code)
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

func (h *Host) exitError(c Command, res Result) error {
	return &ExitError{Host: h.Name(), Command: firstLine(c.Script), Code: res.Code, Stderr: lastLines(res.Stderr, 5)}
}

// firstLine is what a script is called in messages.
func firstLine(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && line != "set -e" && line != "set -eu" {
			if r := []rune(line); len(r) > 80 {
				line = string(r[:77]) + "..."
			}
			return line
		}
	}
	return ""
}

// lastLines are the end of an output.
func lastLines(text []byte, n int) string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(slices.Concat(lines[max(0, len(lines)-n):]), "\n")
}
