package debian

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Process is one command line, as an SSH client sends it.
type Process struct {
	User   string
	Line   string
	Login  bool // no line, but a login shell that reads what it runs from Stdin
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Env    []string
	Signal <-chan string // signals for it, such as TERM; may be nil
}

// proc is a process of the machine. What changes of it is under the lock of the system.
type proc struct {
	pid, ppid int
	comm      string
	args      []string
	env       []string
	who       Account
	start     time.Time
	cancel    context.CancelCauseFunc
	fds       *fdTable
	caught    map[int]bool // signals that its traps see, and that wait there where true
	ignored   map[int]bool
	handlers  map[int]func() // what else a signal does than to end it
	done      chan struct{}
	code      int
	signal    int // that ended it
}

// signalled is the cause of the end of a process by a signal.
type signalled int

func (s signalled) Error() string { return "signal " + strconv.Itoa(int(s)) }

// signalNames are those that kill and trap know.
var signalNames = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11,
	"USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "WINCH": 28}

// signalNumber reads TERM, SIGTERM or 15.
func signalNumber(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n < 65
	}
	n, ok := signalNames[strings.TrimPrefix(strings.ToUpper(s), "SIG")]
	return n, ok
}

// standardPath is where commands of a login are looked for.
const (
	standardPath = "/usr/local/bin:/usr/bin:/bin:/usr/games"
	rootPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Exec runs a command line as the login shell of an account, and returns its exit
// code: 128 and more where a signal ended it. It ends with the context, and when the
// machine is switched off.
func (s *System) Exec(ctx context.Context, p Process) int {
	stdin, stdout, stderr := readStream(p.Stdin), writeStream(p.Stdout), writeStream(p.Stderr)
	fds := newFDs(stdin, stdout, stderr)
	defer fds.close()
	who, ok := s.account(p.User)
	if !ok {
		fmt.Fprintf(stderr, "swarmscript lab: there is no account %s\n", p.User)
		return 1
	}
	files := s.fs.As(who)
	if st, err := files.Stat(who.Home); err == nil && st.IsDir() && files.Access(who.Home, 1) == nil {
		files.Dir = who.Home
	}
	env := append(loginEnv(who), p.Env...)
	ctx, end := s.while(ctx)
	defer end()
	args := []string{path.Base(who.Shell), "-c", p.Line}
	if p.Login {
		args = []string{"-" + path.Base(who.Shell)}
	}
	c := s.newCall(files, args, env, fds)
	if p.Signal != nil {
		over := make(chan struct{})
		defer close(over)
		go s.passSignals(c, p.Signal, over)
	}
	return s.start(ctx, c, 1, who.Shell)
}

func loginEnv(who Account) []string {
	search := standardPath
	if who.UID == 0 {
		search = rootPath
	}
	return []string{"USER=" + who.Name, "LOGNAME=" + who.Name, "HOME=" + who.Home, "SHELL=" + who.Shell, "PATH=" + search, "PWD=" + who.Home}
}

func (s *System) passSignals(c *call, signals <-chan string, over <-chan struct{}) {
	for {
		select {
		case name, ok := <-signals:
			if !ok {
				return
			}
			if n, ok := signalNumber(name); ok && c.proc != nil {
				s.kill(c.proc.pid, n)
			}
		case <-over:
			return
		}
	}
}

// while returns a context that ends when the machine is switched off too.
func (s *System) while(ctx context.Context) (context.Context, func()) {
	s.mu.Lock()
	on := s.ctx
	s.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(on, func() { cancel(context.Cause(on)) })
	return ctx, func() { stop(); cancel(nil) }
}

// newCall prepares a call. It takes over nothing: the descriptors stay the caller's.
func (s *System) newCall(files *Files, args, env []string, fds *fdTable) *call {
	v := *files
	c := &call{sys: s, args: args, env: env, fs: &v, fds: fds, stdin: fds.at(0), stderr: fds.at(2)}
	c.out = bufio.NewWriterSize(fds.at(1), 4096)
	c.stdout = c.out
	return c
}

// start runs a file as a new process, and waits for it.
func (s *System) start(ctx context.Context, c *call, ppid int, file string) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := s.enter(c, ppid, cancel)
	code := s.run(ctx, c, file)
	return s.leave(ctx, p, code)
}

// enter puts a process into the table.
func (s *System) enter(c *call, ppid int, cancel context.CancelCauseFunc) *proc {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.lastPID++; s.procs[s.lastPID] != nil || s.lastPID < 2; s.lastPID++ {
		if s.lastPID > 4_194_303 {
			s.lastPID = 300
		}
	}
	c.proc = &proc{pid: s.lastPID, ppid: ppid, comm: path.Base(c.args[0]), args: c.args, env: c.env, who: c.fs.Who, start: time.Now(),
		cancel: cancel, fds: c.fds, done: make(chan struct{})}
	if up := s.procs[ppid]; up != nil {
		c.proc.ignored = maps.Clone(up.ignored)
	}
	s.procs[s.lastPID] = c.proc
	c.fs.PID = s.lastPID
	return c.proc
}

// leave takes it out again, and returns how it ended.
func (s *System) leave(ctx context.Context, p *proc, code int) int {
	var by signalled
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &by):
		code = 128 + int(by)
		p.signal = int(by)
	case cause != nil:
		code = 128 + 1 // who waited for it is gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.procs[p.pid] == p {
		delete(s.procs, p.pid)
	}
	p.code = code
	close(p.done)
	return code
}

// become makes a process another program's, as exec does.
func (s *System) become(p *proc, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.comm, p.args, p.env, p.who, p.fds = path.Base(c.args[0]), c.args, c.env, c.fs.Who, c.fds
	p.caught = nil
	c.proc = p
	c.fs.PID = p.pid
}

// kill sends a signal. It returns ESRCH where there is no such process.
func (s *System) kill(pid, signal int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[pid]
	if p == nil {
		return ESRCH
	}
	_, trapped := p.caught[signal]
	switch {
	case signal == 0 || pid == 1 || signal == 17 || signal == 18 || signal == 28:
	case trapped:
		p.caught[signal] = true
	case p.handlers[signal] != nil:
		p.handlers[signal]()
	case p.ignored[signal] && signal != 9:
	default:
		p.cancel(signalled(signal))
	}
	return nil
}

// run runs a file in the process of the call.
func (s *System) run(ctx context.Context, c *call, file string) int {
	data, err := c.fs.ReadFile(file)
	if err == nil {
		err = c.fs.Access(file, 1)
	} else if Is(err, EACCES) && c.fs.Access(file, 1) == nil { // it may be run, and not read
		data, err = s.fs.Root().ReadFile(file)
	}
	switch {
	case Is(err, EISDIR):
		err = EACCES
		fallthrough
	case err != nil:
		code := 126
		if Is(err, ENOENT) {
			code = 127
		}
		return c.fail(code, "%s", reason(err))
	}
	if name, ok := bytes.CutPrefix(data, []byte(binaryMark)); ok {
		p, ok := s.programs[string(bytes.TrimSuffix(name, []byte("\n")))]
		if !ok {
			return c.fail(126, "swarmscript lab: this program is not known: %s", file)
		}
		return s.runProgram(ctx, c, p.run)
	}
	if bytes.HasPrefix(data, []byte("\x7fELF")) {
		return c.fail(126, "swarmscript lab: not simulated: a program that was brought along: %s", file)
	}
	shell := []string{"/bin/sh"}
	if line, ok := bytes.CutPrefix(data, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if shell = strings.Fields(string(line)); len(shell) == 0 || shell[0] == file {
			return c.fail(126, "%s: bad interpreter", file)
		}
	}
	c.args = slices.Concat(shell, []string{file}, c.args[1:])
	return s.run(ctx, c, shell[0])
}

func (s *System) runProgram(ctx context.Context, c *call, run command) int {
	if ctx.Err() != nil {
		return 1
	}
	code := run(ctx, c)
	if err := c.flush(); err != nil && ctx.Err() == nil {
		if Is(err, EPIPE) {
			return 128 + 13
		}
		return c.fail(1, "write error: %s", reason(err))
	}
	return code
}

// lookPath finds the file of a command.
func lookPath(files *Files, search, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	err := error(ENOENT)
	for _, dir := range strings.Split(search, ":") {
		p := path.Join("/", dir, name)
		if dir == "" || !strings.HasPrefix(dir, "/") {
			p = path.Join(files.Dir, dir, name)
		}
		st, e := files.Stat(p)
		if e != nil || st.IsDir() {
			continue
		}
		if files.Access(p, 1) == nil {
			return p, nil
		}
		err = EACCES
	}
	return "", err
}

// spawn runs a command found by PATH as a child of the call's process, and waits for
// it. What is nil of the streams is the call's own.
func (c *call) spawn(ctx context.Context, args []string, change func(*call)) int {
	fds := c.fds.clone()
	defer fds.close()
	c.flush()
	child := c.sys.newCall(c.fs, args, c.env, fds)
	if change != nil {
		change(child)
	}
	search := child.getenv("PATH")
	if search == "" {
		search = rootPath
	}
	file, err := lookPath(child.fs, search, args[0])
	if err != nil {
		code := 126
		if Is(err, ENOENT) {
			code = 127
		}
		return c.fail(code, "%s: %s", args[0], reason(err))
	}
	return c.sys.start(ctx, child, c.proc.pid, file)
}

// replace runs a command in the place of the call's own process.
func (c *call) replace(ctx context.Context, args []string) int {
	c.flush()
	file, err := lookPath(c.fs, cmp.Or(c.getenv("PATH"), rootPath), args[0])
	if err != nil {
		code := 126
		if Is(err, ENOENT) {
			code = 127
		}
		return c.fail(code, "'%s': %s", args[0], reason(err))
	}
	next := c.sys.newCall(c.fs, args, c.env, c.fds)
	c.sys.become(c.proc, next)
	return c.sys.run(ctx, next, file)
}
