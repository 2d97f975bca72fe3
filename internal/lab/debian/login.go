package debian

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Login is a shell that a person types into, a line at a time.
type Login struct {
	sys  *System
	sh   *shell
	call *call
	proc *proc
	end  func()
}

// Login begins one for an account.
func (s *System) Login(user string, env []string) (*Login, error) {
	who, ok := s.account(user)
	if !ok {
		return nil, fmt.Errorf("swarmscript lab: there is no account %s", user)
	}
	if base := path.Base(who.Shell); base != "bash" && base != "sh" && base != "dash" {
		return nil, fmt.Errorf("this account is currently not available: its shell is %s", who.Shell)
	}
	files := s.fs.As(who)
	if st, err := files.Stat(who.Home); err == nil && st.IsDir() {
		files.Dir = who.Home
	}
	c := s.newCall(files, []string{"-" + path.Base(who.Shell)}, append(loginEnv(who), env...), newFDs(readStream(nil), writeStream(nil), writeStream(nil)))
	ctx, cancel := context.WithCancelCause(s.on())
	p := s.enter(c, 1, cancel)
	l := &Login{sys: s, call: c, proc: p, end: func() { cancel(nil); s.leave(ctx, p, 0) }}
	l.sh = newShell(c, path.Base(who.Shell) == "bash")
	return l, nil
}

// Close ends it.
func (l *Login) Close() { l.end() }

// Greeting is what a login begins with.
func (l *Login) Greeting() string { return strings.Join(l.sys.lines("/etc/motd"), "\n") + "\n" }

// Prompt is what it shows before a line.
func (l *Login) Prompt() string {
	at := l.sh.fs.Dir
	if home := l.sh.fs.Who.Home; at == home {
		at = "~"
	} else if rest, ok := strings.CutPrefix(at, home+"/"); ok {
		at = "~/" + rest
	}
	sign := "$"
	if l.sh.fs.Who.UID == 0 {
		sign = "#"
	}
	return l.sh.fs.Who.Name + "@" + l.sys.hostname() + ":" + at + sign + " "
}

// Status is the exit code of the last command.
func (l *Login) Status() int { return l.sh.status }

// Incomplete reports whether a command goes on in the next line.
func (l *Login) Incomplete(text string) bool {
	_, err := l.sh.parse(text, l.sh.name)
	return err != nil && syntax.IsIncomplete(err)
}

// Run runs what was typed, and reports whether the shell ended with it.
func (l *Login) Run(ctx context.Context, text string, stdin io.Reader, stdout, stderr io.Writer) (over bool) {
	ctx, end := l.sys.while(ctx)
	defer end()
	l.sh.fds.set(0, readStream(stdin))
	l.sh.fds.set(1, writeStream(stdout))
	l.sh.fds.set(2, writeStream(stderr))
	l.sh.eval(ctx, text, l.sh.name)
	if ctx.Err() != nil { // ^C: the shell itself goes on
		l.sh.exiting = false
		l.sh.status, l.sh.last = 130, 130
		return l.sys.on().Err() != nil
	}
	if l.sh.failed { // an error that ends a script does not end a person's shell
		l.sh.exiting, l.sh.failed = false, false
	}
	l.sh.leaving, l.sh.breaking, l.sh.skipping = false, 0, 0
	return l.sh.exiting
}

// Hostname is the name that the machine has now.
func (s *System) Hostname() string { return s.hostname() }

// Address is the machine's own.
func (s *System) Address() string { return s.cfg.Address }

// Image is what it was made from.
func (s *System) Image() string { return s.cfg.Image }
