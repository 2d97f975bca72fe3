package debian

import (
	"strings"
)

func (p *awkParser) statement() awkStmt {
	switch {
	case p.is("{"):
		return p.block()
	case p.take("if"):
		return p.ifStatement()
	case p.take("while"):
		p.want("(")
		cond := p.expr()
		p.want(")")
		return awkLoop(nil, cond, nil, p.body())
	case p.take("do"):
		body := p.body()
		p.newlines()
		p.want("while")
		p.want("(")
		cond := p.expr()
		p.want(")")
		return func(a *awk) awkFlow {
			switch flow := body(a); flow {
			case awkBreak:
				return awkOn
			case awkNext, awkExit:
				return flow
			}
			return awkLoop(nil, cond, nil, body)(a)
		}
	case p.take("for"):
		return p.forStatement()
	}
	st := p.simple()
	if p.tok.kind != 0 && p.tok.kind != '\n' && !p.is("}") && !p.is(";") {
		p.fail("syntax error at or near %s", p.tok.text)
	}
	if p.is(";") {
		p.next()
	}
	return st
}

func (p *awkParser) ifStatement() awkStmt {
	p.want("(")
	cond := p.expr()
	p.want(")")
	then := p.body()
	saved := *p
	p.newlines()
	var other awkStmt
	if p.take("else") {
		other = p.body()
	} else {
		err := p.err
		*p = saved
		p.err = err
	}
	return func(a *awk) awkFlow {
		if cond(a).truth() {
			return then(a)
		}
		if other != nil {
			return other(a)
		}
		return awkOn
	}
}

// awkLoop is for and while.
func awkLoop(first awkStmt, cond awkExpr, step, body awkStmt) awkStmt {
	return func(a *awk) awkFlow {
		if first != nil {
			first(a)
		}
		for (cond == nil || cond(a).truth()) && a.goesOn() {
			switch flow := body(a); flow {
			case awkBreak:
				return awkOn
			case awkNext, awkExit:
				return flow
			}
			if step != nil {
				step(a)
			}
		}
		return awkOn
	}
}

func (p *awkParser) forStatement() awkStmt {
	p.want("(")
	var first, step awkStmt
	var cond awkExpr
	if p.tok.kind == 'i' {
		saved := *p
		name := p.tok.text
		p.next()
		if p.take("in") {
			array := p.tok.text
			p.next()
			if p.take(")") {
				return awkForIn(name, array, p.body())
			}
		}
		*p = saved
	}
	if !p.is(";") {
		first = p.simple()
	}
	p.want(";")
	if !p.is(";") {
		cond = p.expr()
	}
	p.want(";")
	if !p.is(")") {
		step = p.simple()
	}
	p.want(")")
	return awkLoop(first, cond, step, p.body())
}

func awkForIn(name, array string, body awkStmt) awkStmt {
	return func(a *awk) awkFlow {
		for _, key := range a.keys(array) {
			a.set(name, awkText(key))
			switch flow := body(a); flow {
			case awkBreak:
				return awkOn
			case awkNext, awkExit:
				return flow
			}
		}
		return awkOn
	}
}

func (p *awkParser) simple() awkStmt {
	flow := func(f awkFlow) awkStmt { return func(*awk) awkFlow { return f } }
	switch {
	case p.is("print") || p.is("printf"):
		return p.printStatement()
	case p.take("next"):
		return flow(awkNext)
	case p.take("break"):
		return flow(awkBreak)
	case p.take("continue"):
		return flow(awkContinue)
	case p.take("exit"):
		var code awkExpr
		if p.tok.kind != 0 && p.tok.kind != '\n' && !p.is(";") && !p.is("}") {
			code = p.expr()
		}
		return func(a *awk) awkFlow {
			if code != nil {
				a.code = int(code(a).number())
			}
			return awkExit
		}
	case p.take("delete"):
		name := p.tok.text
		p.next()
		if !p.take("[") {
			return func(a *awk) awkFlow { delete(a.arrays, name); return awkOn }
		}
		key := p.subscript()
		return func(a *awk) awkFlow { delete(a.arrays[name], key(a)); return awkOn }
	case p.is("getline") || p.is("return"):
		p.fail("swarmscript lab: not simulated: %s of awk", p.tok.text)
	}
	e := p.expr()
	return func(a *awk) awkFlow { e(a); return awkOn }
}

func (p *awkParser) printStatement() awkStmt {
	formatted := p.is("printf")
	p.next()
	p.noMore = true
	var args []awkExpr
	paren := p.is("(")
	for p.tok.kind != 0 && p.tok.kind != '\n' && !p.is(";") && !p.is("}") && !p.is(">") && !p.is(">>") && !p.is("|") && p.err == nil {
		if paren && len(args) == 0 { // print (a, b) too
			saved := *p
			if list, ok := p.parenList(); ok {
				args = list
				continue
			}
			*p, paren = saved, false
		}
		args = append(args, p.expr())
		if !p.take(",") {
			break
		}
		p.skipLines()
	}
	p.noMore = false
	toErr := false
	if p.is(">") || p.is(">>") || p.is("|") {
		op := p.tok.text
		p.next()
		if toErr = op == ">" && p.tok.kind == 's' && p.tok.text == "/dev/stderr"; !toErr {
			p.fail("swarmscript lab: not simulated: print %s of awk", op)
		}
		p.next()
	}
	if formatted && len(args) == 0 {
		p.fail("printf wants a format")
	}
	return func(a *awk) awkFlow { a.print(args, formatted, toErr); return awkOn }
}

// parenList reads (a, b) where nothing but the end of the statement follows.
func (p *awkParser) parenList() ([]awkExpr, bool) {
	p.next()
	p.noMore = false
	defer func() { p.noMore = true }()
	var list []awkExpr
	for {
		list = append(list, p.expr())
		if !p.take(",") {
			break
		}
		p.skipLines()
	}
	if !p.take(")") {
		return nil, false
	}
	ends := p.tok.kind == 0 || p.tok.kind == '\n' || p.is(";") || p.is("}") || p.is(">") || p.is("|")
	return list, ends && p.err == nil
}

// subscript reads what is in brackets, to the bracket that ends it.
func (p *awkParser) subscript() func(a *awk) string {
	list := []awkExpr{p.expr()}
	for p.take(",") {
		list = append(list, p.expr())
	}
	p.want("]")
	return func(a *awk) string {
		parts := make([]string, len(list))
		for i, e := range list {
			parts[i] = a.text(e(a))
		}
		return strings.Join(parts, "\x1c")
	}
}
