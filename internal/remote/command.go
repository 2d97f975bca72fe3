package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Command is a script for sh. The script and its arguments may be seen in the
// host's process list: secrets go by Stdin.
type Command struct {
	Script string
	Args   []string // $1 and so on, quoted as they must be
	Stdin  []byte
	Root   bool // as root: see [Machine.Sudo]
	Urgent bool // it is short, and waits for no other commands
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
// knows whether that would do harm. When ctx ends, the command and what it
// started get a SIGTERM, and are waited for a moment.
func (h *Host) Run(ctx context.Context, c Command) (Result, error) {
	ch, reqs, l, err := h.session(ctx, c.Urgent)
	if err != nil {
		return Result{}, err
	}
	defer h.sessions.release()
	defer l.unuse()
	defer func() { go ch.Close() }() // a server that hangs is not waited for
	h.commands.Add(1)
	run := newRunning(ch, reqs, l, h.m.needsRoot(c, l.user))
	res, err := run.all(ctx, c)
	if ctx.Err() != nil && err != nil {
		h.stop(run, c)
	}
	if err != nil {
		return res, h.brokenOff(ctx, l, c, err)
	}
	if run.root != nil {
		if err := run.root.failure(h); err != nil {
			return res, err
		}
	}
	if res.Code != 0 {
		return res, h.exitError(c, res)
	}
	return res, nil
}

// session opens one, within the bound of what the server takes at once.
func (h *Host) session(ctx context.Context, urgent bool) (ssh.Channel, <-chan *ssh.Request, *link, error) {
	for try := 0; ; {
		if err := h.sessions.acquire(ctx, urgent); err != nil {
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
		var no *refusal
		switch {
		case err == nil:
			h.channels.Add(1)
			l.ran.Store(true)
			return ch, reqs, l, nil
		case ctx.Err() == nil && errors.As(err, &no):
			if h.sessions.refused() {
				continue // when another one ends
			}
			// One that ended for us may still count there.
			if try++; try == 4 {
				return nil, nil, nil, h.err("run a command on", fmt.Errorf("the server takes no sessions (MaxSessions): %s", no.said))
			}
			select {
			case <-time.After(h.time.pauses[0]):
			case <-ctx.Done():
				return nil, nil, nil, context.Cause(ctx)
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
	mark           string // in the environment of the command and what it starts
	root           *root  // nil where the command runs as it is
	stdout, stderr capped
	copies         sync.WaitGroup
	link           *link
	over           chan struct{} // closed when the channel ended
	status         *int          // set before that; nil where it ended without one
}

func newRunning(ch ssh.Channel, reqs <-chan *ssh.Request, l *link, as *root) *running {
	r := &running{ch: ch, reqs: reqs, link: l, mark: "swarmscript-" + rand.Text(), root: as, over: make(chan struct{})}
	go r.watch() // ends with the channel
	return r
}

// all runs a command to its end.
func (r *running) all(ctx context.Context, c Command) (Result, error) {
	r.copies.Go(func() { io.Copy(&r.stdout, r.ch) })
	if err := r.request(ctx, c, &r.stderr); err != nil {
		return Result{}, err
	}
	r.copies.Go(func() { r.feed(c.Stdin) }) // ends with the channel
	return r.wait(ctx)
}

// request asks for the command. What the command writes on standard error goes
// to stderr.
func (r *running) request(ctx context.Context, c Command, stderr io.Writer) error {
	args := append([]string{"env", markName + "=" + r.mark, "sh", "-c", c.Script, "sh"}, c.Args...)
	if r.root != nil {
		args = r.root.wrap(args)
		own := stderr
		stderr = writer(func(b []byte) (int, error) {
			own.Write(r.root.see(b))
			return len(b), nil
		})
	}
	line := shellLine(args)
	if len(line) > maxCommand {
		return fmt.Errorf("the command has %d bytes, more than the %d that fit: put the script into a file", len(line), maxCommand)
	}
	r.copies.Go(func() { io.Copy(stderr, r.ch.Stderr()) })
	accepted := make(chan error, 1)
	go func() { // ends with the channel
		ok, err := r.ch.SendRequest("exec", true, ssh.Marshal(&struct{ Command string }{line}))
		if err == nil && !ok {
			err = errNoExec
		}
		accepted <- err
	}()
	select {
	case err := <-accepted:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// feed writes the command's input.
func (r *running) feed(stdin []byte) {
	write := func(b []byte) error {
		_, err := r.ch.Write(b)
		return err
	}
	if r.root != nil && !r.root.answer(write, r.over) {
		stdin = nil
	}
	if len(stdin) == 0 || write(stdin) == nil {
		r.ch.CloseWrite()
	}
}

// writer is a function as [io.Writer].
type writer func([]byte) (int, error)

// Write implements [io.Writer].
func (w writer) Write(b []byte) (int, error) { return w(b) }

// errNoExec is a server that runs no commands.
var errNoExec = errors.New("the server runs no commands for this user")

// watch reads how the command ends: RFC 4254 section 6.10.
func (r *running) watch() {
	defer close(r.over)
	for req := range r.reqs {
		switch req.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(req.Payload, &m) == nil {
				code := int(m.Status)
				r.status = &code
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
				r.status = &code
			}
		}
		if req.WantReply {
			req.Reply(false, nil)
		}
	}
	// The exit code comes before the last of the output: where the connection
	// broke in between, the command ended, but we do not have all it said.
	if r.link.conn.broke.Load() {
		r.status = nil
	}
}

// signals are those that RFC 4254 names, by Linux's numbers.
var signals = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}

// errNoStatus is a command of which is not known how it ended.
var errNoStatus = errors.New("it ended without an exit code")

// wait waits for the command's end.
func (r *running) wait(ctx context.Context) (Result, error) {
	select {
	case <-r.over:
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
	r.copies.Wait()
	res := Result{Stdout: r.stdout.Bytes(), Stderr: r.stderr.Bytes()}
	if r.status == nil {
		return res, errNoStatus
	}
	res.Code = *r.status
	if r.stdout.over || r.stderr.over {
		return res, fmt.Errorf("it wrote more than %d MiB", maxOutput>>20)
	}
	return res, nil
}

// markName is the variable by which a command's processes are found.
const markName = "SWARMSCRIPT_COMMAND"

// stopScript ends those of one command. (SSH has a request for signals, which
// sshd refuses to root, and cannot carry out where sudo made another user.)
const stopScript = `for f in $(grep -lzFx -- "$1" /proc/[0-9]*/environ 2>/dev/null); do p=${f#/proc/}; kill -TERM "${p%/environ}"; done`

// stop ends a command that is not wanted any more, and waits a moment for its
// end. It is one of the sessions that [maxSessions] leaves.
func (h *Host) stop(r *running, c Command) {
	ctx, cancel := context.WithTimeout(context.Background(), h.time.lastWord)
	defer cancel()
	if h.stops.acquire(ctx, false) != nil {
		return
	}
	defer h.stops.release()
	ch, reqs, err := r.link.open(ctx, "session", nil)
	if err != nil {
		return
	}
	defer func() { go ch.Close() }()
	kill := Command{Script: stopScript, Args: []string{markName + "=" + r.mark}, Root: c.Root}
	if _, err := newRunning(ch, reqs, r.link, h.m.needsRoot(kill, r.link.user)).all(ctx, kill); err != nil {
		return
	}
	select {
	case <-r.over:
	case <-ctx.Done():
	}
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

// shellLine is what the user's shell gets.
func shellLine(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = Quote(a)
	}
	return "exec " + strings.Join(words, " ")
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
