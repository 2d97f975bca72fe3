package debian

import (
	"context"
	"errors"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

func (sh *shell) doTest(_ context.Context, args []string) int {
	if args[0] == "[" {
		if args[len(args)-1] != "]" {
			return sh.say(args, 2, "missing ]")
		}
		args = args[:len(args)-1]
	}
	ok, err := runTest(sh.fs, sh.fds, args[1:])
	if err != nil {
		return sh.say(args, 2, "%v", err)
	}
	return b2i(!ok)
}

func (sh *shell) doPrintf(_ context.Context, args []string) int {
	if len(args) < 2 {
		return sh.say(args, 2, "usage: printf format [arg ...]")
	}
	rest := args[1:]
	if rest[0] == "--" && len(rest) > 1 {
		rest = rest[1:]
	}
	out, wrong := formatPrintf(rest[0], rest[1:])
	status := sh.print(out)
	for _, w := range wrong {
		sh.errorf("printf: %s", w)
		status = 1
	}
	return status
}

// testClause is [[ ]], of which the plain forms are known.
func (sh *shell) testClause(ctx context.Context, cmd *syntax.TestClause) int {
	ok, err := sh.testExpr(ctx, cmd.X)
	if err != nil {
		sh.fatal("%v", err)
		return 2
	}
	return b2i(!ok)
}

func (sh *shell) testExpr(ctx context.Context, x syntax.TestExpr) (bool, error) {
	switch x := x.(type) {
	case *syntax.Word:
		s, err := literal(sh.config(ctx), x)
		return s != "", err
	case *syntax.ParenTest:
		return sh.testExpr(ctx, x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			ok, err := sh.testExpr(ctx, x.X)
			return !ok, err
		}
		if w, ok := x.X.(*syntax.Word); ok {
			s, err := literal(sh.config(ctx), w)
			if err != nil {
				return false, err
			}
			return runTest(sh.fs, sh.fds, []string{x.Op.String(), s})
		}
	case *syntax.BinaryTest:
		return sh.testBinary(ctx, x)
	}
	return false, errors.New("swarmscript lab: not simulated in the shell: this form of [[")
}

func (sh *shell) testBinary(ctx context.Context, x *syntax.BinaryTest) (bool, error) {
	if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
		ok, err := sh.testExpr(ctx, x.X)
		if err != nil || ok == (x.Op == syntax.OrTest) {
			return ok, err
		}
		return sh.testExpr(ctx, x.Y)
	}
	a, isWord := x.X.(*syntax.Word)
	b, isWord2 := x.Y.(*syntax.Word)
	if !isWord || !isWord2 {
		return false, errors.New("swarmscript lab: not simulated in the shell: this form of [[")
	}
	left, err := literal(sh.config(ctx), a)
	if err != nil {
		return false, err
	}
	switch x.Op {
	case syntax.TsMatch, syntax.TsMatchShort, syntax.TsNoMatch:
		pat, err := expand.Pattern(sh.config(ctx), b)
		return matchPattern(pat, left) == (x.Op != syntax.TsNoMatch), err
	}
	right, err := literal(sh.config(ctx), b)
	if err != nil {
		return false, err
	}
	return runTest(sh.fs, sh.fds, []string{left, x.Op.String(), right})
}
