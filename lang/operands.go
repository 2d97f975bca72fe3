package lang

import "go.starlark.net/syntax"

// plainOperands reports whether the interpreter's own operator will do: it is
// clear from the text that nothing deferred, and nothing large, is at stake.
func plainOperands(e *syntax.BinaryExpr) bool {
	switch e.Op {
	case syntax.EQL, syntax.NEQ:
		return isConstant(e.X) || isConstant(e.Y) || isComputed(e.X) || isComputed(e.Y)
	case syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return isNumber(e.X) || isNumber(e.Y) || isComputed(e.X) || isComputed(e.Y)
	case syntax.IN, syntax.NOT_IN:
		return isLiteral(e.X) && isLiteral(e.Y)
	case syntax.PERCENT:
		return isNumber(e.X) || isNumber(e.Y)
	case syntax.PLUS:
		return isComputed(e.X) || isNumber(e.X) || isNumber(e.Y) || isText(e.X) && isText(e.Y)
	case syntax.LTLT:
		return isNumber(e.X) && isNumber(e.Y)
	}
	return isNumber(e.X) && isNumber(e.Y)
}

func unparen(e syntax.Expr) syntax.Expr {
	for {
		p, ok := e.(*syntax.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

func isTuple(e syntax.Expr) bool {
	_, ok := e.(*syntax.TupleExpr)
	return ok
}

func isLiteral(e syntax.Expr) bool {
	_, ok := unparen(e).(*syntax.Literal)
	return ok
}

func isNumber(e syntax.Expr) bool {
	lit, ok := unparen(e).(*syntax.Literal)
	return ok && (lit.Token == syntax.INT || lit.Token == syntax.FLOAT)
}

// isText is true of string literals and sums of them, which the compiler joins.
func isText(e syntax.Expr) bool {
	switch e := unparen(e).(type) {
	case *syntax.Literal:
		return e.Token == syntax.STRING
	case *syntax.BinaryExpr:
		return e.Op == syntax.PLUS && isText(e.X) && isText(e.Y)
	}
	return false
}

// isConstant is true of None, True and False.
func isConstant(e syntax.Expr) bool {
	id, ok := unparen(e).(*syntax.Ident)
	return ok && (id.Name == "None" || id.Name == "True" || id.Name == "False")
}

// isComputed is true of what only numbers come out of.
func isComputed(e syntax.Expr) bool {
	switch e := unparen(e).(type) {
	case *syntax.BinaryExpr:
		switch e.Op {
		case syntax.SLASH, syntax.SLASHSLASH:
			return true
		case syntax.PERCENT:
			return isNumber(e.X) || isComputed(e.X)
		}
	case *syntax.UnaryExpr:
		return e.Op == syntax.MINUS
	}
	return false
}

// isBool is true of what only True and False come out of.
func isBool(e syntax.Expr) bool {
	switch e := unparen(e).(type) {
	case *syntax.BinaryExpr:
		switch e.Op {
		case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN:
			return true
		case syntax.AND, syntax.OR:
			return isBool(e.X) && isBool(e.Y)
		}
	case *syntax.UnaryExpr:
		return e.Op == syntax.NOT
	}
	return isConstant(e) || isLiteral(e)
}
