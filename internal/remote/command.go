package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Command is a script for sh. The script and its arguments may be seen in the
// host's process list: secrets go by Stdin.
type Command struct {
	Script string
	Args   []string // $1 and so on, quoted as they must be
	Stdin  []byte
	Root   bool // as root: see [Machine.Sudo]
}

// Result is what a command left.
type Result struct {
	Stdout, Stderr []byte
	Code           int // the exit code; 128 and more for a signal, as in sh
}

// maxOutput bounds what is kept of a command's output: a host is not to fill
// our memory.
const maxOutput = 32 << 20

// maxCommand is what Linux takes as one argument, with room for quotes.
const maxCommand = 120 << 10

// Run runs a command and waits for its end. An exit code other than 0 is an
// [*ExitError] beside the result. Where the connection was lost meanwhile, the
// error is [ErrMayHaveRun], and the command is not run again: only the caller
// knows whether that would do harm. When ctx ends, the command gets a SIGTERM,
// and is not waited for.
func (h *Host) Run(ctx context.Context, c Command) (Result, error) {
	if n := len(c.Script); n > maxCommand {
		return Result{}, fmt.Errorf("the script has %d bytes, more than the %d that fit into one command: put it into a file", n, maxCommand)
	}
	ch, reqs, l, err := h.session(ctx)
	if err != nil {
		return Result{}, err
	}
	defer h.sessions.release()
	defer l.unuse()
	defer ch.Close()
	run := newRunning(ch, reqs)
	if err := run.start(ctx, h.m.wrap(c, l.user), c.Stdin); err != nil {
		return Result{}, h.brokenOff(ctx, l, c, err)
	}
	res, err := run.wait(ctx)
	if err != nil {
		return res, h.brokenOff(ctx, l, c, err)
	}
	if res.Code != 0 {
		return res, h.exitError(c, res)
	}
	return res, nil
}

// session opens one, within the bound of what the server takes at once.
func (h *Host) session(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, *link, error) {
	for {
		if err := h.sessions.acquire(ctx); err != nil {
			return nil, nil, nil, err
		}
		var ch ssh.Channel
		var reqs <-chan *ssh.Request
		var l *link
		err := h.over(ctx, func(on *link) (err error) {
			l = on
			ch, reqs, err = on.open(ctx, "session", nil)
			return err
		})
		var refused *ssh.OpenChannelError
		switch {
		case err == nil:
			h.channels.Add(1)
			return ch, reqs, l, nil
		case ctx.Err() == nil && errors.As(err, &refused):
			if !h.sessions.refused() {
				return nil, nil, nil, h.err("run a command on", fmt.Errorf("the server takes no sessions (MaxSessions): %s", refused.Message))
			}
		default:
			h.sessions.release()
			return nil, nil, nil, err
		}
	}
}

// running is a command that runs.
type running struct {
	ch             ssh.Channel
	reqs           <-chan *ssh.Request
	stdout, stderr capped
	copies         sync.WaitGroup
	status         chan *int // nil where the channel ended without one
}

func newRunning(ch ssh.Channel, reqs <-chan *ssh.Request) *running {
	r := &running{ch: ch, reqs: reqs, status: make(chan *int, 1)}
	return r
}

// start asks for the command, and sends it its input.
func (r *running) start(ctx context.Context, command string, stdin []byte) error {
	go r.watch()
	r.copies.Add(2)
	go r.copy(&r.stdout, r.ch)
	go r.copy(&r.stderr, r.ch.Stderr())
	stop := context.AfterFunc(ctx, r.end)
	defer stop()
	ok, err := r.ch.SendRequest("exec", true, ssh.Marshal(&struct{ Command string }{command}))
	if err != nil {
		return err
	}
	if !ok {
		return errNoExec
	}
	go func() { // ends with the channel
		if _, err := r.ch.Write(stdin); err == nil {
			r.ch.CloseWrite()
		}
	}()
	return nil
}

// errNoExec is a server that runs no commands.
var errNoExec = errors.New("the server runs no commands for this user")

func (r *running) copy(to io.Writer, from io.Reader) {
	defer r.copies.Done()
	io.Copy(to, from)
}

// watch reads how the command ends: RFC 4254 section 6.10.
func (r *running) watch() {
	var status *int
	for req := range r.reqs {
		switch req.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(req.Payload, &m) == nil {
				code := int(m.Status)
				status = &code
			}
		case "exit-signal":
			var m struct {
				Signal  string
				Dumped  bool
				Message string
				Lang    string
			}
			if ssh.Unmarshal(req.Payload, &m) == nil {
				code := 128 + signals[m.Signal]
				status = &code
			}
		}
		if req.WantReply {
			req.Reply(false, nil)
		}
	}
	r.status <- status
}

// signals are those that RFC 4254 names, by Linux's numbers.
var signals = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}

// errNoStatus is a command of which is not known how it ended.
var errNoStatus = errors.New("it ended without an exit code")

// wait waits for the command's end.
func (r *running) wait(ctx context.Context) (Result, error) {
	stop := context.AfterFunc(ctx, r.end)
	defer stop()
	status := <-r.status
	r.copies.Wait()
	res := Result{Stdout: r.stdout.Bytes(), Stderr: r.stderr.Bytes()}
	switch {
	case status == nil && ctx.Err() != nil:
		return res, context.Cause(ctx)
	case status == nil:
		return res, errNoStatus
	}
	res.Code = *status
	if r.stdout.over || r.stderr.over {
		return res, fmt.Errorf("it wrote more than %d MiB", maxOutput>>20)
	}
	return res, nil
}

// end asks the command to end, and lets go of it.
func (r *running) end() {
	r.ch.SendRequest("signal", false, ssh.Marshal(&struct{ Signal string }{"TERM"}))
	r.ch.Close()
}

// capped keeps the first part of what is written to it.
type capped struct {
	bytes.Buffer
	over bool
}

// Write implements [io.Writer].
func (c *capped) Write(b []byte) (int, error) {
	if room := maxOutput - c.Len(); len(b) > room {
		c.over = true
		c.Buffer.Write(b[:room])
		return len(b), nil
	}
	return c.Buffer.Write(b)
}

// ReadFrom hides [bytes.Buffer]'s, which would not stop.
func (c *capped) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// wrap makes the command line that the user's shell gets.
func (m Machine) wrap(c Command, user string) string {
	args := append([]string{"sh", "-c", c.Script, "sh"}, c.Args...)
	if c.Root && user != "root" && m.Sudo != "never" {
		args = append([]string{"sh", "-c", `if [ "$(id -u)" = 0 ]; then exec "$@"; fi; exec sudo -n -- "$@"`, "sh"}, args...)
	}
	for i, a := range args {
		args[i] = Quote(a)
	}
	return "exec " + strings.Join(args, " ")
}

// Quote makes a word that a shell takes as it is.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:@%+,=", r))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
