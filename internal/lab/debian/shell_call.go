package debian

import (
	"context"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// simple runs a simple command: assignments, redirections and words.
func (sh *shell) simple(ctx context.Context, cmd *syntax.CallExpr, redirs []*syntax.Redirect) {
	sh.substed = false
	args, ok := sh.arguments(ctx, cmd.Args)
	if !ok {
		return
	}
	if len(args) == 0 {
		sh.assignments(ctx, cmd.Assigns, redirs)
		return
	}
	sh.trace(args)
	special := specialBuiltins[args[0]]
	_, function := sh.funcs[args[0]]
	builtin := sh.builtin(args[0])
	if !function && args[0] == "exec" {
		sh.exec(ctx, cmd, args[1:], redirs)
		return
	}
	saved := sh.fds
	if len(redirs) > 0 {
		sh.fds = saved.clone()
		defer func() { sh.fds.close(); sh.fds = saved }()
		if !sh.redirect(ctx, redirs) {
			sh.status = 2
			if special && !function && !sh.bash {
				sh.exiting = true
			}
			return
		}
	}
	switch {
	case function:
		sh.with(ctx, cmd.Assigns, false, func() { sh.function(ctx, args) })
	case builtin != nil:
		sh.with(ctx, cmd.Assigns, special && !sh.bash, func() { sh.runBuiltin(ctx, builtin, args) })
	default:
		sh.with(ctx, cmd.Assigns, false, func() { sh.status = sh.external(ctx, args) })
	}
}

// arguments expands the words of a command. After a command that declares, words
// such as a=$b are not split.
func (sh *shell) arguments(ctx context.Context, words []*syntax.Word) ([]string, bool) {
	if len(words) == 0 {
		return nil, true
	}
	switch words[0].Lit() {
	case "export", "readonly", "local":
	default:
		return sh.fields(ctx, words...)
	}
	args := []string{words[0].Lit()}
	for _, w := range words[1:] {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok {
			if name, _, ok := strings.Cut(lit.Value, "="); ok && syntax.ValidName(name) {
				s, err := literal(sh.config(ctx), w)
				if sh.expandError(err) {
					return nil, false
				}
				args = append(args, s)
				continue
			}
		}
		more, ok := sh.fields(ctx, w)
		if !ok {
			return nil, false
		}
		args = append(args, more...)
	}
	return args, true
}

// assignments is a command of nothing else.
func (sh *shell) assignments(ctx context.Context, list []*syntax.Assign, redirs []*syntax.Redirect) {
	for _, as := range list {
		value, ok := sh.value(ctx, as)
		if !ok {
			return
		}
		if err := sh.set(as.Name.Value, value); err != nil {
			sh.fatal("%v", err)
			return
		}
		sh.trace([]string{as.Name.Value + "=" + value})
	}
	if len(redirs) > 0 {
		saved := sh.fds
		sh.fds = saved.clone()
		ok := sh.redirect(ctx, redirs)
		sh.fds.close()
		sh.fds = saved
		if !ok {
			sh.status = 2
			return
		}
	}
	sh.status = 0
	if sh.substed {
		sh.status = sh.last
	}
}

func (sh *shell) value(ctx context.Context, as *syntax.Assign) (string, bool) {
	if as.Array != nil || as.Index != nil {
		sh.fatal("swarmscript lab: not simulated in the shell: arrays")
		return "", false
	}
	value, err := literal(sh.config(ctx), as.Value)
	if sh.expandError(err) {
		return "", false
	}
	if as.Append {
		value = sh.get(as.Name.Value) + value
	}
	return value, true
}

// with sets variables for the time of one command, or for good where it is to keep them.
func (sh *shell) with(ctx context.Context, list []*syntax.Assign, keep bool, do func()) {
	if len(list) == 0 {
		do()
		return
	}
	old := map[string]expand.Variable{}
	for _, as := range list {
		value, ok := sh.value(ctx, as)
		if !ok {
			return
		}
		name := as.Name.Value
		if _, known := old[name]; !known {
			old[name] = sh.vars[name]
		}
		if err := sh.set(name, value); err != nil {
			sh.fatal("%v", err)
			return
		}
		if !keep {
			v := sh.vars[name]
			v.Exported = true
			sh.vars[name] = v
		}
	}
	do()
	if keep {
		return
	}
	for name, v := range old {
		if v.Declared() {
			sh.vars[name] = v
		} else {
			delete(sh.vars, name)
		}
	}
}

// trace is set -x.
func (sh *shell) trace(args []string) {
	if !sh.opts['x'] {
		return
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"$`\\|&;<>()*?[]#~") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'"'"'`) + "'"
		}
	}
	sh.fds.at(2).Write([]byte("+ " + strings.Join(words, " ") + "\n"))
}

// function calls one.
func (sh *shell) function(ctx context.Context, args []string) {
	if sh.depth++; sh.depth > maxDepth {
		sh.fatal("swarmscript lab: more than %d functions within each other", maxDepth)
		return
	}
	params, loops := sh.params, sh.loops
	sh.params, sh.loops = args[1:], 0
	sh.locals = append(sh.locals, map[string]expand.Variable{})
	sh.status = 0
	sh.stmt(ctx, sh.funcs[args[0]])
	sh.depth--
	hidden := sh.locals[len(sh.locals)-1]
	sh.locals = sh.locals[:len(sh.locals)-1]
	for name, v := range hidden {
		if v.Declared() {
			sh.vars[name] = v
		} else {
			delete(sh.vars, name)
		}
	}
	sh.params, sh.loops = params, loops
	sh.leaving = false
}

// external runs a program.
func (sh *shell) external(ctx context.Context, args []string) int {
	search, name := sh.get("PATH"), args[0]
	file, err := lookPath(sh.fs, search, name)
	if err != nil {
		if Is(err, EACCES) {
			sh.errorf("%s: Permission denied", name)
			return 126
		}
		sh.errorf("%s: %s", name, sh.notFound())
		return 127
	}
	c, code := sh.prepare(args, file)
	if c == nil {
		return code
	}
	defer c.fds.close()
	return sh.sys.start(ctx, c, sh.proc.pid, file)
}

func (sh *shell) notFound() string {
	if sh.bash {
		return "command not found"
	}
	return "not found"
}

// prepare makes the call of a file, or says why there can be none.
func (sh *shell) prepare(args []string, file string) (*call, int) {
	st, err := sh.fs.Stat(file)
	switch {
	case err != nil && Is(err, ENOENT):
		sh.errorf("%s: %s", args[0], sh.notFound())
		return nil, 127
	case err != nil:
		sh.errorf("%s: %s", args[0], reason(err))
		return nil, 126
	case st.IsDir() || sh.fs.Access(file, 1) != nil:
		sh.errorf("%s: Permission denied", args[0])
		return nil, 126
	}
	return sh.sys.newCall(sh.fs, args, sh.environ(), sh.fds.clone()), 0
}

// exec makes the redirections the shell's own, and puts a program in its place.
func (sh *shell) exec(ctx context.Context, cmd *syntax.CallExpr, args []string, redirs []*syntax.Redirect) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if !sh.redirect(ctx, redirs) {
		sh.status, sh.exiting = 2, !sh.bash
		return
	}
	sh.status = 0
	if len(args) == 0 {
		sh.with(ctx, cmd.Assigns, true, func() {})
		return
	}
	file, err := lookPath(sh.fs, sh.get("PATH"), args[0])
	if err != nil {
		sh.errorf("exec: %s: %s", args[0], sh.notFound())
		sh.status, sh.exiting = 127, true
		return
	}
	sh.with(ctx, cmd.Assigns, false, func() {
		c, code := sh.prepare(args, file)
		sh.exiting = true
		clear(sh.traps)
		if c == nil {
			sh.status = code
			return
		}
		defer c.fds.close()
		if sh.sub { // the shell itself goes on
			sh.status = sh.sys.start(ctx, c, sh.proc.pid, file)
			return
		}
		sh.sys.become(sh.proc, c)
		sh.status = sh.sys.run(ctx, c, file)
	})
}

// declare is export, readonly and local as bash's grammar has them.
func (sh *shell) declare(ctx context.Context, cmd *syntax.DeclClause) {
	args := []string{cmd.Variant.Value}
	for _, as := range cmd.Args {
		switch {
		case as.Name == nil:
			more, ok := sh.fields(ctx, as.Value)
			if !ok {
				return
			}
			args = append(args, more...)
		case as.Naked:
			args = append(args, as.Name.Value)
		default:
			value, ok := sh.value(ctx, as)
			if !ok {
				return
			}
			args = append(args, as.Name.Value+"="+value)
		}
	}
	sh.trace(args)
	if b := sh.builtin(args[0]); b != nil {
		sh.runBuiltin(ctx, b, args)
		return
	}
	sh.fatal("swarmscript lab: not simulated in the shell: %s", args[0])
}
