package debian

import (
	"context"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

func (sh *shell) command(ctx context.Context, cmd syntax.Command) {
	switch cmd := cmd.(type) {
	case nil:
		sh.status = 0
	case *syntax.Block:
		sh.stmts(ctx, cmd.Stmts)
	case *syntax.Subshell:
		sh.status = sh.inPart(ctx, nil, func(part *shell) { part.stmts(ctx, cmd.Stmts) })
	case *syntax.BinaryCmd:
		sh.binary(ctx, cmd)
	case *syntax.IfClause:
		sh.ifClause(ctx, cmd)
	case *syntax.WhileClause:
		sh.whileClause(ctx, cmd)
	case *syntax.ForClause:
		sh.forClause(ctx, cmd)
	case *syntax.CaseClause:
		sh.caseClause(ctx, cmd)
	case *syntax.FuncDecl:
		sh.funcs[cmd.Name.Value] = cmd.Body
		sh.status = 0
	case *syntax.DeclClause:
		sh.declare(ctx, cmd)
	case *syntax.CallExpr:
		sh.simple(ctx, cmd, nil)
	case *syntax.TestClause:
		sh.status = sh.testClause(ctx, cmd)
	case *syntax.ArithmCmd:
		n, err := expand.Arithm(sh.config(ctx), cmd.X)
		sh.status = b2i(n == 0)
		sh.expandError(err)
	default:
		sh.fatal("swarmscript lab: not simulated in the shell: %T", cmd)
	}
}

// inPart runs something in a part of the shell, and returns its status.
func (sh *shell) inPart(ctx context.Context, change func(*shell), do func(*shell)) int {
	if sh.depth > maxDepth {
		sh.fatal("swarmscript lab: more than %d shells within each other", maxDepth)
		return 2
	}
	part := sh.part()
	defer func() { part.fds.close() }()
	if change != nil {
		change(part)
	}
	part.last = sh.last
	part.status = 0
	do(part)
	return part.finish(ctx)
}

func (sh *shell) binary(ctx context.Context, cmd *syntax.BinaryCmd) {
	switch cmd.Op {
	case syntax.AndStmt, syntax.OrStmt:
		sh.quiet++
		sh.stmt(ctx, cmd.X)
		sh.quiet--
		if !sh.stopped(ctx) && (sh.status == 0) == (cmd.Op == syntax.AndStmt) {
			sh.stmt(ctx, cmd.Y)
		}
	default:
		sh.pipe(ctx, cmd)
	}
}

func (sh *shell) pipe(ctx context.Context, cmd *syntax.BinaryCmd) {
	r, w := newPipe(ctx)
	left := sh.part()
	left.fds.set(1, w)
	if cmd.Op == syntax.PipeAll {
		left.fds.set(2, w.keep())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		left.quiet = 0
		left.stmt(ctx, cmd.X)
		left.finish(ctx)
		left.fds.close()
	}()
	sh.status = sh.inPart(ctx, func(part *shell) { part.fds.set(0, r) }, func(part *shell) {
		part.stmt(ctx, cmd.Y)
	})
	<-done
}

func (sh *shell) ifClause(ctx context.Context, cmd *syntax.IfClause) {
	for ; cmd != nil; cmd = cmd.Else {
		if len(cmd.Cond) > 0 {
			sh.quiet++
			sh.stmts(ctx, cmd.Cond)
			sh.quiet--
			if sh.stopped(ctx) {
				return
			}
			if sh.status != 0 {
				continue
			}
		}
		sh.status = 0
		sh.stmts(ctx, cmd.Then)
		return
	}
	sh.status = 0
}

func (sh *shell) whileClause(ctx context.Context, cmd *syntax.WhileClause) {
	status := 0
	sh.loops++
	defer func() { sh.loops-- }()
	for {
		sh.quiet++
		sh.stmts(ctx, cmd.Cond)
		sh.quiet--
		if sh.loopEnds(ctx) {
			return
		}
		if (sh.status == 0) == cmd.Until {
			break
		}
		sh.stmts(ctx, cmd.Do)
		if sh.loopEnds(ctx) {
			return
		}
		status = sh.status
	}
	sh.status = status
}

// loopEnds handles break and continue after a round of a loop.
func (sh *shell) loopEnds(ctx context.Context) bool {
	switch {
	case sh.breaking > 0:
		sh.breaking--
		return true
	case sh.skipping > 1:
		sh.skipping--
		return true
	case sh.skipping == 1:
		sh.skipping = 0
	}
	return sh.stopped(ctx)
}

func (sh *shell) forClause(ctx context.Context, cmd *syntax.ForClause) {
	words, ok := cmd.Loop.(*syntax.WordIter)
	if !ok || cmd.Select {
		sh.fatal("swarmscript lab: not simulated in the shell: this form of for")
		return
	}
	items := sh.params
	if words.InPos.IsValid() {
		if items, ok = sh.fields(ctx, words.Items...); !ok {
			return
		}
	}
	sh.status = 0
	sh.loops++
	defer func() { sh.loops-- }()
	for _, item := range items {
		if err := sh.set(words.Name.Value, item); err != nil {
			sh.fatal("%v", err)
			return
		}
		sh.stmts(ctx, cmd.Do)
		if sh.loopEnds(ctx) {
			return
		}
	}
}

func (sh *shell) caseClause(ctx context.Context, cmd *syntax.CaseClause) {
	word, err := literal(sh.config(ctx), cmd.Word)
	if sh.expandError(err) {
		return
	}
	sh.status = 0
	for _, item := range cmd.Items {
		for _, p := range item.Patterns {
			pat, err := expand.Pattern(sh.config(ctx), p)
			if sh.expandError(err) {
				return
			}
			if matchPattern(pat, word) {
				sh.stmts(ctx, item.Stmts)
				return
			}
		}
	}
}
