package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// shell is one shell, or a part of one that runs beside it: in parentheses, in a
// pipe, in a command substitution or in the background.
type shell struct {
	sys    *System
	proc   *proc
	pid    int // $$
	fs     *Files
	fds    *fdTable
	name   string // $0
	params []string
	vars   map[string]expand.Variable
	locals []map[string]expand.Variable // what local hides, by function call
	funcs  map[string]*syntax.Stmt
	traps  map[string]string // by EXIT or a signal's name
	opts   map[byte]bool     // of set: e, u, x, f, C, a, n
	bash   bool
	typed  bool // what it runs comes on its standard input, as from a person

	aliases map[string]string
	limits  map[byte]string // that were set with ulimit
	sub     bool            // it is a part of another one

	status   int
	last     int // $?
	quiet    int // >0: a failure is looked at, so set -e does not end the shell
	exiting  bool
	failed   bool // exiting because of an error in the script itself
	leaving  bool // return
	breaking int
	skipping int // continue
	loops    int
	depth    int
	inTrap   bool
	jobs     []*job
	line     uint
	substed  bool // a command substitution has set last
	optPlace int  // where getopts is in a word of several letters
	steps    *atomic.Int64

	cfg *expand.Config
}

// job is what runs in the background.
type job struct {
	pid  int
	done chan struct{}
	p    *proc
	told bool // how it ended
}

const (
	maxDepth = 500       // of functions and parts within each other
	maxSteps = 1_000_000 // commands of one shell with its parts
)

func newShell(c *call, bash bool) *shell {
	sh := &shell{sys: c.sys, proc: c.proc, pid: c.proc.pid, fs: c.fs, fds: c.fds, name: c.args[0], vars: map[string]expand.Variable{},
		funcs: map[string]*syntax.Stmt{}, traps: map[string]string{}, opts: map[byte]bool{}, bash: bash, steps: new(atomic.Int64)}
	for _, kv := range c.env {
		name, value, ok := strings.Cut(kv, "=")
		if ok && syntax.ValidName(name) {
			sh.vars[name] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: value}
		}
	}
	sh.put("IFS", " \t\n")
	sh.put("OPTIND", "1")
	sh.put("PPID", strconv.Itoa(c.proc.ppid))
	sh.put("PWD", c.fs.Dir)
	return sh
}

// part makes a shell that runs beside this one, with the same descriptors.
func (sh *shell) part() *shell {
	to := *sh
	v := *sh.fs
	to.fs, to.fds = &v, sh.fds.clone()
	to.vars, to.funcs = maps.Clone(sh.vars), maps.Clone(sh.funcs)
	to.opts = maps.Clone(sh.opts)
	to.traps = map[string]string{}
	for name, do := range sh.traps {
		if do == "" { // what is ignored stays so
			to.traps[name] = do
		}
	}
	to.locals, to.jobs = nil, nil
	to.sub, to.depth = true, sh.depth+1
	to.cfg = nil
	return &to
}

// finish is the end of a shell or a part: its exit trap runs.
func (sh *shell) finish(ctx context.Context) int {
	if sh.breaking+sh.skipping > 0 {
		sh.breaking, sh.skipping = 0, 0
	}
	if do, ok := sh.traps["EXIT"]; ok && do != "" && ctx.Err() == nil {
		delete(sh.traps, "EXIT")
		status := sh.status
		sh.exiting, sh.leaving, sh.last = false, false, status
		sh.inTrap = true
		sh.eval(ctx, do, "trap")
		if !sh.exiting {
			sh.status = status
		}
	}
	return sh.status & 0xff
}

// parse reads a script.
func (sh *shell) parse(src, name string) (*syntax.File, error) {
	lang := syntax.LangPOSIX
	if sh.bash {
		lang = syntax.LangBash
	}
	return syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(src), name)
}

// eval runs a script in this shell.
func (sh *shell) eval(ctx context.Context, src, name string) {
	file, err := sh.parse(src, name)
	if err != nil {
		sh.syntaxError(err)
		return
	}
	if len(file.Stmts) == 0 {
		sh.status = 0
	}
	sh.stmts(ctx, file.Stmts)
}

func (sh *shell) syntaxError(err error) {
	var lang syntax.LangError
	var parse syntax.ParseError
	switch {
	case errors.As(err, &parse):
		sh.line = parse.Pos.Line()
		sh.errorf("Syntax error: %s", parse.Text)
	case errors.As(err, &lang):
		sh.line = lang.Pos.Line()
		sh.errorf("Syntax error: %s is not a feature of sh", lang.Feature)
	default:
		sh.errorf("Syntax error: %v", err)
	}
	sh.status, sh.exiting, sh.failed = 2, true, true
}

// errorf says something as dash does: after the shell's name and the line.
func (sh *shell) errorf(format string, args ...any) {
	if sh.bash {
		fmt.Fprintf(sh.fds.at(2), "%s: line %d: %s\n", sh.name, max(1, sh.line), fmt.Sprintf(format, args...))
		return
	}
	fmt.Fprintf(sh.fds.at(2), "%s: %d: %s\n", sh.name, max(1, sh.line), fmt.Sprintf(format, args...))
}

// fatal ends the shell with an error.
func (sh *shell) fatal(format string, args ...any) {
	sh.errorf(format, args...)
	sh.status, sh.exiting, sh.failed = 2, true, true
}

// stopped reports whether nothing further is to run where we are.
func (sh *shell) stopped(ctx context.Context) bool {
	if ctx.Err() != nil {
		sh.exiting = true
		var by signalled
		if errors.As(context.Cause(ctx), &by) {
			sh.status = 128 + int(by)
		} else {
			sh.status = 129
		}
	}
	return sh.exiting || sh.leaving || sh.breaking > 0 || sh.skipping > 0 || sh.opts['n']
}

func (sh *shell) stmts(ctx context.Context, list []*syntax.Stmt) {
	for _, st := range list {
		if sh.stopped(ctx) {
			return
		}
		sh.stmt(ctx, st)
		sh.signals(ctx)
	}
}

// signals runs the traps of signals that came.
func (sh *shell) signals(ctx context.Context) {
	if sh.sub || sh.inTrap || len(sh.traps) == 0 {
		return
	}
	var came []int
	sh.sys.mu.Lock()
	for n, pending := range sh.proc.caught {
		if pending {
			came = append(came, n)
			sh.proc.caught[n] = false
		}
	}
	sh.sys.mu.Unlock()
	slices.Sort(came)
	for _, n := range came {
		for name, do := range sh.traps {
			if signalNames[name] == n && name != "EXIT" {
				status := sh.status
				sh.last = status
				sh.inTrap = true
				sh.eval(ctx, do, "trap")
				sh.inTrap = false
				if !sh.exiting {
					sh.status, sh.last = status, status
				}
			}
		}
	}
}

func (sh *shell) stmt(ctx context.Context, st *syntax.Stmt) {
	if sh.stopped(ctx) {
		return
	}
	if sh.steps.Add(1) > maxSteps {
		sh.fatal("swarmscript lab: the script ran more than %d commands", maxSteps)
		return
	}
	sh.line = st.Pos().Line()
	if st.Background || st.Coprocess || st.Disown {
		sh.background(ctx, st)
		return
	}
	if st.Negated {
		sh.quiet++
	}
	sh.redirected(ctx, st)
	if st.Negated {
		sh.quiet--
		if !sh.exiting && !sh.leaving {
			sh.status = b2i(sh.status == 0)
		}
	} else if sh.status != 0 && sh.opts['e'] && sh.quiet == 0 && endsShell(st) && !sh.leaving {
		sh.exiting = true
	}
	sh.last = sh.status
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// endsShell reports whether set -e looks at a command: what is made of others was
// looked at where those failed.
func endsShell(st *syntax.Stmt) bool {
	switch cmd := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		return cmd.Op == syntax.Pipe || cmd.Op == syntax.PipeAll
	case *syntax.CallExpr, *syntax.Subshell, *syntax.DeclClause, *syntax.TestClause, *syntax.ArithmCmd, nil:
		return true
	}
	return len(st.Redirs) > 0
}

// background runs a command beside the shell.
func (sh *shell) background(ctx context.Context, st *syntax.Stmt) {
	st2 := *st
	st2.Background, st2.Coprocess, st2.Disown = false, false, false
	part := sh.part()
	if !sh.bash { // no job control: it does not read what the shell reads
		part.fds.set(0, readStream(nil))
	}
	own, cancel := context.WithCancelCause(sh.sys.on())
	c := sh.sys.newCall(part.fs, []string{sh.name}, part.environ(), part.fds)
	p := sh.sys.enter(c, sh.proc.pid, cancel)
	part.proc = p
	sh.sys.mu.Lock()
	p.comm = sh.proc.comm
	sh.sys.mu.Unlock()
	j := &job{pid: p.pid, done: p.done, p: p}
	sh.jobs = append(sh.jobs, j)
	sh.sys.jobs.Go(func() {
		defer cancel(nil)
		part.stmt(own, &st2)
		code := part.finish(own)
		part.fds.close()
		sh.sys.leave(own, p, code)
	})
	sh.status, sh.last = 0, 0
}

// on returns the context of the time that the machine is on.
func (s *System) on() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

// redirected runs a command with its redirections.
func (sh *shell) redirected(ctx context.Context, st *syntax.Stmt) {
	call, simple := st.Cmd.(*syntax.CallExpr)
	if simple {
		sh.simple(ctx, call, st.Redirs)
		return
	}
	if len(st.Redirs) == 0 {
		sh.command(ctx, st.Cmd)
		return
	}
	saved := sh.fds
	sh.fds = saved.clone()
	if sh.redirect(ctx, st.Redirs) {
		sh.status = 0
		sh.command(ctx, st.Cmd)
	} else {
		sh.status = 2
	}
	sh.fds.close()
	sh.fds = saved
}

// config returns how words are expanded. It is the same one all the time, but for
// the context that command substitutions run in.
func (sh *shell) config(ctx context.Context) *expand.Config {
	cfg := &expand.Config{Env: shellEnv{sh}, NoUnset: sh.opts['u']}
	cfg.CmdSubst = func(w io.Writer, cs *syntax.CmdSubst) error {
		sh.last = sh.inPart(ctx, func(part *shell) { part.fds.set(1, writeStream(w)) }, func(part *shell) { part.stmts(ctx, cs.Stmts) })
		sh.substed = true
		return nil
	}
	if !sh.opts['f'] {
		cfg.ReadDir2 = func(p string) ([]fs.DirEntry, error) {
			list, err := sh.fs.ReadDir(hostPath(p))
			entries := make([]fs.DirEntry, len(list))
			for i, st := range list {
				entries[i] = dirEntry{st}
			}
			return entries, err
		}
	}
	return cfg
}

// expandError ends the shell where words could not be expanded.
func (sh *shell) expandError(err error) bool {
	var unset expand.UnsetParameterError
	switch {
	case errors.As(err, &unset) && unset.Message == "unbound variable":
		sh.fatal("%s: parameter not set", unset.Node.Param.Value)
	case err != nil:
		sh.fatal("%v", err)
	}
	return err != nil
}
