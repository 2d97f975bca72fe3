package lang

import (
	"context"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// lastName is the hidden variable that takes the value of an input's last
// statement, if that is an expression.
const lastName = hiddenPrefix + "last"

// ExecInput evaluates one input of an interactive session; where src is nil, the
// file of that name below the root. before are the names that it sees beside the
// predeclared ones: what earlier inputs bound. It returns what this one bound,
// not frozen, and the value of its last statement where that is an expression,
// otherwise nil. With an error nothing is bound.
//
// Every input has a budget of steps of its own. A function keeps the globals
// that it saw when it was defined: a later input that binds one of them anew
// does not change it.
func (s *Session) ExecInput(ctx context.Context, name string, src []byte, before starlark.StringDict) (bound starlark.StringDict, last starlark.Value, err error) {
	stop, err := s.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer stop()
	s.thread.Steps, s.unseen = 0, 0
	s.scheduleCheckpoint()

	key := Key{Path: name}
	if src == nil {
		if src, err = s.readModule(key); err != nil {
			return nil, nil, diag.List{{Summary: err.Error(), Pos: diag.Pos{File: name}}}
		}
	}
	m := s.addSource(key, src)
	m.before = before.Keys()
	opts := dialect()
	opts.LoadBindsGlobally = true
	f := s.parse(m, opts)
	s.visitLoads(m, nil)
	env := make(starlark.StringDict, len(s.predeclared)+len(before))
	for _, names := range []starlark.StringDict{s.predeclared, before} {
		for k, v := range names {
			env[k] = v
		}
	}
	if f != nil {
		keepLast(f)
		s.checkNames(m, f, env)
	}
	if len(s.diags) > 0 {
		return nil, nil, s.finishUnrun()
	}
	after, err := s.runInput(m, f, env)
	if err != nil {
		s.addError(err)
	}
	if err := s.finish(); err != nil {
		return nil, nil, err
	}
	last = after[lastName]
	for k, v := range after {
		if old := env[k]; !isIdentifier(k) || old != nil && identical(old, v) {
			delete(after, k)
		}
	}
	return after, last, nil
}

// keepLast makes the last statement, if it is an expression, an assignment that
// nobody can see.
func keepLast(f *syntax.File) {
	if len(f.Stmts) == 0 {
		return
	}
	end := &f.Stmts[len(f.Stmts)-1]
	if st, ok := (*end).(*syntax.ExprStmt); ok {
		start, _ := st.X.Span()
		*end = &syntax.AssignStmt{OpPos: start, Op: syntax.EQ, LHS: &syntax.Ident{NamePos: start, Name: lastName}, RHS: st.X}
	}
}

// checkNames resolves the tree, so that names which do not exist are told beside
// what else is wrong and before anything runs. It is resolved again when it is
// run.
func (s *Session) checkNames(m *module, f *syntax.File, env starlark.StringDict) {
	if err := resolve.REPLChunk(f, env.Has, func(string) bool { return false }, starlark.Universe.Has); err != nil {
		s.addResolveError(m, err)
	}
}

// runInput runs a tree over its variables and returns all that it used or
// bound. A panic in a builtin becomes an error, as in run.
func (s *Session) runInput(m *module, f *syntax.File, env starlark.StringDict) (after starlark.StringDict, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &diag.Diagnostic{
				Pos:     diag.Pos{File: m.file},
				Summary: fmt.Sprintf("internal error: %v", r),
				Detail:  panicStack(),
			}
		}
	}()
	after = make(starlark.StringDict, len(env))
	for k, v := range env {
		after[k] = v
	}
	return after, starlark.ExecREPLChunk(f, s.thread, after)
}

// identical reports whether two values are one. Tuples are slices, which Go
// does not compare.
func identical(a, b starlark.Value) bool {
	_, t1 := a.(starlark.Tuple)
	_, t2 := b.(starlark.Tuple)
	return !t1 && !t2 && a == b
}

// Unfinished is how much of an input is missing.
type Unfinished int

const (
	Finished Unfinished = iota
	// MayGoOn is a whole text that ends in a block (def, for, if), to which
	// more may be added.
	MayGoOn
	// GoesOn is a text that needs more: an open bracket, a block without a
	// body, a text in three quotes.
	GoesOn
)

// Missing tells whether an interactive input is whole. One that is wrong is:
// more text would not mend it.
func Missing(text string) Unfinished {
	if checkText("", []byte(text)) != nil {
		return Finished
	}
	text = strings.TrimRight(text, "\n")
	f, err := dialect().Parse("", text+"\n", 0)
	if err != nil {
		if atEnd(err, strings.Count(text, "\n")+1) {
			return GoesOn
		}
		return Finished
	}
	if len(f.Stmts) == 0 {
		return Finished
	}
	switch f.Stmts[len(f.Stmts)-1].(type) {
	case *syntax.DefStmt, *syntax.ForStmt, *syntax.IfStmt, *syntax.WhileStmt:
		return MayGoOn
	}
	return Finished
}

// atEnd reports whether a parser's error is that a text of so many lines ended
// too soon.
func atEnd(err error, lines int) bool {
	syn, ok := err.(syntax.Error)
	return ok && (int(syn.Pos.Line) > lines || strings.Contains(syn.Msg, "unexpected EOF in string"))
}

// Text is the text of a value for a person: all of it, unless it is so large or
// so deep that nobody would read it.
func Text(v starlark.Value) string {
	m := &meter{maxDepth: 50, maxSize: 1 << 16}
	if err := m.visit(v, 0); err != nil {
		return "a large " + v.Type() + " (" + err.Error() + ")"
	}
	return v.String()
}

// Adopt takes over the texts that another session read, for showing the lines of
// its problems.
func (s *Session) Adopt(other *Session) {
	for name, m := range other.byFile {
		s.byFile[name] = m
	}
}
