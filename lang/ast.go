package lang

import "go.starlark.net/syntax"

// maxTreeDepth bounds a syntax tree. The parser bounds its own nesting, but
// builds chains (1+1+1+..., x()()(), elif) in loops: a tree of a million
// levels, which the resolver and the compiler would then recurse into.
const maxTreeDepth = 10000

// checkTree reports whether a tree is shallow enough to be recursed into, and
// where it is not.
func checkTree(f *syntax.File) (syntax.Position, bool) {
	type item struct {
		n     syntax.Node
		depth int
	}
	stack := make([]item, 0, 64)
	for _, st := range f.Stmts {
		stack = append(stack[:0], item{st, 1})
		for len(stack) > 0 {
			it := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if it.depth > maxTreeDepth {
				return syntax.Start(st), false
			}
			children(it.n, func(c syntax.Node) {
				stack = append(stack, item{c, it.depth + 1})
			})
		}
	}
	return syntax.Position{}, true
}

// walk calls fn for a tree's nodes, parents first; fn returns whether to
// descend. The tree has passed checkTree.
func walk(f *syntax.File, fn func(syntax.Node) bool) {
	var visit func(n syntax.Node)
	visit = func(n syntax.Node) {
		if fn(n) {
			children(n, visit)
		}
	}
	for _, st := range f.Stmts {
		visit(st)
	}
}

// children calls fn for a node's direct children, in the order of the source.
func children(n syntax.Node, fn func(syntax.Node)) {
	expr := func(e syntax.Expr) {
		if e != nil {
			fn(e)
		}
	}
	exprs := func(list []syntax.Expr) {
		for _, e := range list {
			fn(e)
		}
	}
	stmts := func(list []syntax.Stmt) {
		for _, st := range list {
			fn(st)
		}
	}
	switch n := n.(type) {
	case *syntax.AssignStmt:
		fn(n.LHS)
		fn(n.RHS)
	case *syntax.DefStmt:
		fn(n.Name)
		exprs(n.Params)
		stmts(n.Body)
	case *syntax.ExprStmt:
		fn(n.X)
	case *syntax.IfStmt:
		fn(n.Cond)
		stmts(n.True)
		stmts(n.False)
	case *syntax.LoadStmt:
		fn(n.Module)
		for i := range n.From {
			fn(n.From[i])
			fn(n.To[i])
		}
	case *syntax.ForStmt:
		fn(n.Vars)
		fn(n.X)
		stmts(n.Body)
	case *syntax.WhileStmt:
		fn(n.Cond)
		stmts(n.Body)
	case *syntax.ReturnStmt:
		expr(n.Result)
	case *syntax.BinaryExpr:
		fn(n.X)
		fn(n.Y)
	case *syntax.CallExpr:
		fn(n.Fn)
		exprs(n.Args)
	case *syntax.Comprehension:
		fn(n.Body)
		for _, c := range n.Clauses {
			fn(c)
		}
	case *syntax.ForClause:
		fn(n.Vars)
		fn(n.X)
	case *syntax.IfClause:
		fn(n.Cond)
	case *syntax.CondExpr:
		fn(n.True)
		fn(n.Cond)
		fn(n.False)
	case *syntax.DictEntry:
		fn(n.Key)
		fn(n.Value)
	case *syntax.DictExpr:
		exprs(n.List)
	case *syntax.DotExpr:
		fn(n.X)
		fn(n.Name)
	case *syntax.IndexExpr:
		fn(n.X)
		fn(n.Y)
	case *syntax.LambdaExpr:
		exprs(n.Params)
		fn(n.Body)
	case *syntax.ListExpr:
		exprs(n.List)
	case *syntax.ParenExpr:
		fn(n.X)
	case *syntax.SliceExpr:
		fn(n.X)
		expr(n.Lo)
		expr(n.Hi)
		expr(n.Step)
	case *syntax.TupleExpr:
		exprs(n.List)
	case *syntax.UnaryExpr:
		expr(n.X)
	}
}

// anchor is the position that the interpreter reports for a node, or that the
// rewriter gives to the call that stands for it. No two nodes share one.
func anchor(n syntax.Node) syntax.Position {
	switch n := n.(type) {
	case *syntax.AssignStmt:
		return n.OpPos
	case *syntax.DefStmt:
		return n.Def
	case *syntax.LambdaExpr:
		return n.Lambda
	case *syntax.LoadStmt:
		return n.Load
	case *syntax.ForStmt:
		return n.For
	case *syntax.ForClause:
		return n.For
	case *syntax.BinaryExpr:
		return n.OpPos
	case *syntax.UnaryExpr:
		return n.OpPos
	case *syntax.CallExpr:
		return n.Lparen
	case *syntax.DotExpr:
		return n.Dot
	case *syntax.IndexExpr:
		return n.Lbrack
	case *syntax.SliceExpr:
		return n.Lbrack
	case *syntax.Comprehension:
		return n.Lbrack
	case *syntax.ListExpr:
		return n.Lbrack
	case *syntax.DictExpr:
		return n.Lbrace
	case *syntax.DictEntry:
		return n.Colon
	case *syntax.CondExpr:
		return n.If
	case *syntax.Ident:
		return n.NamePos
	case *syntax.Literal:
		return n.TokenPos
	case *syntax.ParenExpr:
		return n.Lparen
	case *syntax.TupleExpr:
		return n.Lparen
	}
	return syntax.Position{}
}

// endOf is where a node ends, exclusive. Upstream's Span stops before the
// closing bracket of an index, a slice and a tuple.
func endOf(n syntax.Node) syntax.Position {
	after := func(p syntax.Position) syntax.Position { p.Col++; return p }
	switch n := n.(type) {
	case *syntax.IndexExpr:
		return after(n.Rbrack)
	case *syntax.SliceExpr:
		return after(n.Rbrack)
	case *syntax.TupleExpr:
		if n.Lparen.IsValid() {
			return after(n.Rparen)
		}
		return endOf(n.List[len(n.List)-1])
	case *syntax.LoadStmt:
		return after(n.Rparen)
	case *syntax.BinaryExpr:
		return endOf(n.Y)
	case *syntax.UnaryExpr:
		if n.X != nil {
			return endOf(n.X)
		}
	case *syntax.CondExpr:
		return endOf(n.False)
	case *syntax.LambdaExpr:
		return endOf(n.Body)
	case *syntax.DictEntry:
		return endOf(n.Value)
	case *syntax.AssignStmt:
		return endOf(n.RHS)
	}
	_, end := n.Span()
	return end
}
