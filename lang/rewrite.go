package lang

import (
	"fmt"

	"go.starlark.net/syntax"
)

// hiddenPrefix starts the names of what the rewriter adds. No script can spell
// them.
const hiddenPrefix = "="

// copying names the methods that look through, copy or multiply what they are
// called on. Taking one of them off a value goes through dotMethod, which hands
// out our own. It is filled from own.
var copying = map[string]bool{}

// rewrite replaces the operations that the interpreter would do without asking
// us by calls of guards. It keeps every position: the guard's call stands where
// the operator stood.
func rewrite(f *syntax.File) { (&rewriter{}).file(f) }

type rewriter struct {
	temps   int
	varargs map[string]int // *args of the lambdas around
	// count makes what counts a statement, nil for one that does nothing; it is
	// nil itself where nothing is counted.
	count func(syntax.Stmt) syntax.Stmt
}

func (r *rewriter) file(f *syntax.File) { f.Stmts = r.stmts(f.Stmts) }

// call makes a call of a guard that the interpreter will report at pos.
func call(name string, at syntax.Node, pos syntax.Position, args ...syntax.Expr) syntax.Expr {
	start, end := at.Span()
	return &syntax.CallExpr{
		Fn:     &syntax.Ident{NamePos: start, Name: hiddenPrefix + name},
		Lparen: pos,
		Args:   args,
		Rparen: end,
	}
}

func (r *rewriter) stmts(list []syntax.Stmt) []syntax.Stmt {
	out := make([]syntax.Stmt, 0, len(list))
	for _, st := range list {
		if r.count != nil {
			if counts := r.count(st); counts != nil {
				out = append(out, counts)
			}
		}
		out = r.stmt(out, st)
	}
	return out
}

// stmt appends a statement, and what has to come before it, to out.
func (r *rewriter) stmt(out []syntax.Stmt, st syntax.Stmt) []syntax.Stmt {
	switch st := st.(type) {
	case *syntax.AssignStmt:
		if st.Op == syntax.EQ {
			st.LHS = r.target(st.LHS)
			st.RHS = r.assigned(st.LHS, st.RHS)
			break
		}
		return r.augmented(out, st)
	case *syntax.DefStmt:
		r.params(st.Params)
		outer := r.varargs
		r.varargs = nil
		st.Body = r.stmts(st.Body)
		r.varargs = outer
		if id := variadic(st.Params); id != nil {
			check := &syntax.AssignStmt{
				OpPos: id.NamePos, Op: syntax.EQ,
				LHS: &syntax.Ident{NamePos: id.NamePos, Name: id.Name},
				RHS: call("tupled", id, id.NamePos, &syntax.Ident{NamePos: id.NamePos, Name: id.Name}),
			}
			st.Body = insertStmt(st.Body, check)
		}
	case *syntax.ExprStmt:
		st.X = r.expr(st.X)
	case *syntax.IfStmt:
		st.Cond = r.cond(st.Cond)
		st.True = r.stmts(st.True)
		if st.False != nil {
			st.False = r.stmts(st.False)
		}
	case *syntax.ForStmt:
		st.Vars = r.target(st.Vars)
		st.X = r.expr(st.X)
		st.Body = r.stmts(st.Body)
	case *syntax.WhileStmt:
		st.Cond = r.cond(st.Cond)
		st.Body = r.stmts(st.Body)
	case *syntax.ReturnStmt:
		if st.Result != nil {
			st.Result = r.expr(st.Result)
		}
	}
	return append(out, st)
}

// insertStmt puts a statement first, after a docstring.
func insertStmt(body []syntax.Stmt, st syntax.Stmt) []syntax.Stmt {
	at := 0
	if e, ok := body[0].(*syntax.ExprStmt); ok {
		if lit, ok := e.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
			at = 1
		}
	}
	out := append([]syntax.Stmt{}, body[:at]...)
	out = append(out, st)
	return append(out, body[at:]...)
}

// variadic returns the x of a parameter *x.
func variadic(params []syntax.Expr) *syntax.Ident {
	for _, p := range params {
		if u, ok := p.(*syntax.UnaryExpr); ok && u.Op == syntax.STAR {
			id, _ := u.X.(*syntax.Ident)
			return id
		}
	}
	return nil
}

func (r *rewriter) params(params []syntax.Expr) {
	for _, p := range params {
		if b, ok := p.(*syntax.BinaryExpr); ok {
			b.Y = r.expr(b.Y)
		}
	}
}

// target rewrites what is assigned to: names stay, the insides of x[i] and x.f
// are expressions.
func (r *rewriter) target(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		e.X = r.target(e.X)
	case *syntax.TupleExpr:
		for i := range e.List {
			e.List[i] = r.target(e.List[i])
		}
	case *syntax.ListExpr:
		for i := range e.List {
			e.List[i] = r.target(e.List[i])
		}
	case *syntax.IndexExpr:
		e.X = r.expr(e.X)
		e.Y = r.expr(e.Y)
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
	}
	return e
}

// assigned rewrites a right-hand side. In a, b = b, a no tuple survives.
func (r *rewriter) assigned(lhs, rhs syntax.Expr) syntax.Expr {
	if t, ok := rhs.(*syntax.TupleExpr); ok {
		if l, ok := lhs.(*syntax.TupleExpr); ok && len(l.List) == len(t.List) {
			for i := range t.List {
				t.List[i] = r.expr(t.List[i])
			}
			return t
		}
	}
	return r.expr(rhs)
}

// augmented rewrites x op= y. The guard of an operator that works in place
// only checks, and returns y.
func (r *rewriter) augmented(out []syntax.Stmt, st *syntax.AssignStmt) []syntax.Stmt {
	var guard string
	switch st.Op {
	case syntax.PLUS_EQ:
		guard = "grow"
	case syntax.STAR_EQ:
		guard = "times"
	case syntax.LTLT_EQ:
		guard = "shift"
	case syntax.PERCENT_EQ:
		guard = "%"
	}
	st.LHS = r.target(st.LHS)
	st.RHS = r.expr(st.RHS)
	if guard == "" || isNumber(st.RHS) && (guard == "grow" || guard == "%") {
		return append(out, st)
	}
	// The guard reads the left-hand side as well, so what it computes is kept
	// in names of ours first.
	lhs := st.LHS
	for {
		p, ok := lhs.(*syntax.ParenExpr)
		if !ok {
			break
		}
		lhs = p.X
	}
	switch e := lhs.(type) {
	case *syntax.IndexExpr:
		e.X = r.keep(&out, e.X)
		e.Y = r.keep(&out, e.Y)
	case *syntax.DotExpr:
		e.X = r.keep(&out, e.X)
	}
	st.RHS = call(guard, st, st.OpPos, copyTarget(lhs), st.RHS)
	if guard == "%" {
		st.Op = syntax.EQ
	}
	return append(out, st)
}

// keep returns an expression that can be evaluated twice.
func (r *rewriter) keep(out *[]syntax.Stmt, e syntax.Expr) syntax.Expr {
	switch e.(type) {
	case *syntax.Ident, *syntax.Literal:
		return copyTarget(e)
	}
	r.temps++
	start, _ := e.Span()
	name := fmt.Sprintf("%st%d", hiddenPrefix, r.temps)
	*out = append(*out, &syntax.AssignStmt{
		OpPos: start, Op: syntax.EQ, LHS: &syntax.Ident{NamePos: start, Name: name}, RHS: e,
	})
	return &syntax.Ident{NamePos: start, Name: name}
}

// copyTarget copies the part of a tree that is to occur twice: the resolver
// writes into nodes.
func copyTarget(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Ident:
		return &syntax.Ident{NamePos: e.NamePos, Name: e.Name}
	case *syntax.Literal:
		c := *e
		return &c
	case *syntax.IndexExpr:
		return &syntax.IndexExpr{X: copyTarget(e.X), Lbrack: e.Lbrack, Y: copyTarget(e.Y), Rbrack: e.Rbrack}
	case *syntax.DotExpr:
		return &syntax.DotExpr{X: copyTarget(e.X), Dot: e.Dot, NamePos: e.NamePos, Name: &syntax.Ident{NamePos: e.Name.NamePos, Name: e.Name.Name}}
	}
	return e
}

// cond rewrites an expression whose truth is asked.
func (r *rewriter) cond(e syntax.Expr) syntax.Expr {
	plain := isBool(e)
	pos := anchor(unparen(e))
	out := r.expr(e)
	if plain {
		return out
	}
	if !pos.IsValid() {
		pos = syntax.Start(e)
	}
	return call("test", e, pos, out)
}

func (r *rewriter) exprs(list []syntax.Expr) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

func (r *rewriter) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Ident:
		if r.varargs[e.Name] > 0 {
			return call("tupled", e, e.NamePos, e)
		}
	case *syntax.ParenExpr:
		e.X = r.expr(e.X)
	case *syntax.BinaryExpr:
		return r.binary(e)
	case *syntax.UnaryExpr:
		if e.Op == syntax.NOT {
			e.X = r.cond(e.X)
		} else if e.X != nil {
			e.X = r.expr(e.X)
		}
	case *syntax.CondExpr:
		e.Cond = r.cond(e.Cond)
		e.True = r.expr(e.True)
		e.False = r.expr(e.False)
	case *syntax.CallExpr:
		e.Fn = r.expr(e.Fn)
		for i, arg := range e.Args {
			if b, ok := arg.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ {
				b.Y = r.expr(b.Y)
			} else if u, ok := arg.(*syntax.UnaryExpr); ok && u.Op == syntax.STAR {
				// A range of any length costs nothing until it is spread.
				u.X = call("spread", u.X, u.OpPos, r.expr(u.X))
			} else {
				e.Args[i] = r.expr(arg)
			}
		}
	case *syntax.Comprehension:
		for _, c := range e.Clauses {
			switch c := c.(type) {
			case *syntax.ForClause:
				c.Vars = r.target(c.Vars)
				c.X = r.expr(c.X)
			case *syntax.IfClause:
				c.Cond = r.cond(c.Cond)
			}
		}
		e.Body = r.expr(e.Body)
	case *syntax.DictEntry:
		e.Key = r.expr(e.Key)
		e.Value = r.expr(e.Value)
	case *syntax.DictExpr:
		r.exprs(e.List)
	case *syntax.ListExpr:
		r.exprs(e.List)
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
		if copying[e.Name.Name] {
			name := &syntax.Literal{Token: syntax.STRING, TokenPos: e.Name.NamePos, Raw: e.Name.Name, Value: e.Name.Name}
			return call("dot", e, e.Dot, e.X, name)
		}
	case *syntax.IndexExpr:
		e.X = r.expr(e.X)
		e.Y = r.expr(e.Y)
	case *syntax.SliceExpr:
		e.X = r.expr(e.X)
		for _, p := range []*syntax.Expr{&e.Lo, &e.Hi, &e.Step} {
			if *p != nil {
				*p = r.expr(*p)
			}
		}
		e.X = call("sliced", e.X, e.Lbrack, e.X)
	case *syntax.LambdaExpr:
		r.params(e.Params)
		id := variadic(e.Params)
		if id != nil {
			if r.varargs == nil {
				r.varargs = map[string]int{}
			}
			r.varargs[id.Name]++
		}
		e.Body = r.expr(e.Body)
		if id != nil {
			r.varargs[id.Name]--
		}
	case *syntax.TupleExpr:
		simple := true
		for _, x := range e.List {
			simple = simple && (isLiteral(x) || isBool(x))
		}
		r.exprs(e.List)
		if !simple && len(e.List) < 250 {
			pos := e.Lparen
			if !pos.IsValid() {
				pos = syntax.Start(e)
			}
			return call("tuple", e, pos, e.List...)
		}
		if !simple {
			return call("tupled", e, syntax.Start(e), e)
		}
	}
	return e
}

// guarded are the operators that become calls.
var guarded = map[syntax.Token]string{
	syntax.EQL: "==", syntax.NEQ: "!=", syntax.IN: "in", syntax.NOT_IN: "not in",
	syntax.LT: "<", syntax.LE: "<=", syntax.GT: ">", syntax.GE: ">=",
	syntax.PERCENT: "%", syntax.PLUS: "+", syntax.STAR: "*", syntax.LTLT: "<<",
}

func (r *rewriter) binary(e *syntax.BinaryExpr) syntax.Expr {
	if e.Op == syntax.AND || e.Op == syntax.OR {
		e.X = r.cond(e.X)
		e.Y = r.expr(e.Y)
		return e
	}
	name := guarded[e.Op]
	if name == "" || plainOperands(e) {
		e.X = r.expr(e.X)
		e.Y = r.expr(e.Y)
		return e
	}
	e.X = r.expr(e.X)
	if t, ok := e.Y.(*syntax.TupleExpr); ok && e.Op == syntax.PERCENT {
		r.exprs(t.List) // the tuple is looked at by the guard, and gone
	} else if p, ok := e.Y.(*syntax.ParenExpr); ok && e.Op == syntax.PERCENT && isTuple(p.X) {
		r.exprs(p.X.(*syntax.TupleExpr).List)
	} else {
		e.Y = r.expr(e.Y)
	}
	return call(name, e, e.OpPos, e.X, e.Y)
}
