package debian

import (
	"errors"
	"strconv"
	"strings"
)

// place is something that can be assigned to.
type awkPlace struct {
	get awkExpr
	set func(a *awk, v awkValue)
}

func (p *awkParser) expr() awkExpr {
	cond := p.or()
	if !p.take("?") {
		return cond
	}
	p.skipLines()
	yes := p.expr()
	p.skipLines()
	p.want(":")
	p.skipLines()
	no := p.expr()
	return func(a *awk) awkValue {
		if cond(a).truth() {
			return yes(a)
		}
		return no(a)
	}
}

func (p *awkParser) or() awkExpr {
	left := p.and()
	for p.take("||") {
		p.skipLines()
		x, y := left, p.and()
		left = func(a *awk) awkValue { return awkBool(x(a).truth() || y(a).truth()) }
	}
	return left
}

func (p *awkParser) and() awkExpr {
	left := p.membership()
	for p.take("&&") {
		p.skipLines()
		x, y := left, p.membership()
		left = func(a *awk) awkValue { return awkBool(x(a).truth() && y(a).truth()) }
	}
	return left
}

func (p *awkParser) membership() awkExpr {
	left := p.match()
	for p.take("in") {
		x, array := left, p.tok.text
		p.next()
		left = func(a *awk) awkValue { _, ok := a.arrays[array][a.text(x(a))]; return awkBool(ok) }
	}
	return left
}

func (p *awkParser) match() awkExpr {
	left := p.comparison()
	for p.is("~") || p.is("!~") {
		not := p.is("!~")
		p.next()
		x := left
		re := p.pattern()
		left = func(a *awk) awkValue { return awkBool(a.matches(re(a), a.text(x(a))) != not) }
	}
	return left
}

// pattern is a regular expression, or an expression that says one.
func (p *awkParser) pattern() func(a *awk) string {
	if p.tok.kind == 'r' {
		text := p.tok.text
		p.next()
		return func(*awk) string { return text }
	}
	e := p.comparison()
	return func(a *awk) string { return a.text(e(a)) }
}

func (p *awkParser) comparison() awkExpr {
	left := p.concatenation()
	for p.is("<") || p.is("<=") || p.is("==") || p.is("!=") || p.is(">") && !p.noMore || p.is(">=") {
		op := p.tok.text
		p.next()
		x, y := left, p.concatenation()
		left = func(a *awk) awkValue { return awkBool(a.compare(x(a), op, y(a))) }
	}
	return left
}

func (p *awkParser) concatenation() awkExpr {
	left := p.sum()
	for p.startsValue() {
		x, y := left, p.sum()
		left = func(a *awk) awkValue { s := a.text(x(a)); return awkText(s + a.text(y(a))) }
	}
	return left
}

// startsValue reports whether a value follows, without an operator.
func (p *awkParser) startsValue() bool {
	switch p.tok.kind {
	case 'n', 's', 'r', 'f':
		return p.tok.text != "in"
	case 'i':
		return p.tok.text != "in"
	case 'o':
		return p.is("$") || p.is("!") || p.is("(") || p.is("++") || p.is("--")
	}
	return false
}

func (p *awkParser) sum() awkExpr {
	left := p.product()
	for p.is("+") || p.is("-") {
		minus := p.is("-")
		p.next()
		x, y := left, p.product()
		left = func(a *awk) awkValue {
			n := y(a).number()
			if minus {
				n = -n
			}
			return awkNumber(x(a).number() + n)
		}
	}
	return left
}

func (p *awkParser) product() awkExpr {
	left := p.unary()
	for p.is("*") || p.is("/") || p.is("%") {
		op := p.tok.text
		p.next()
		x, y := left, p.unary()
		left = func(a *awk) awkValue { return awkNumber(a.calculate(x(a).number(), op, y(a).number())) }
	}
	return left
}

func (p *awkParser) unary() awkExpr {
	switch {
	case p.take("!"):
		e := p.unary()
		return func(a *awk) awkValue { return awkBool(!e(a).truth()) }
	case p.take("-"):
		e := p.unary()
		return func(a *awk) awkValue { return awkNumber(-e(a).number()) }
	case p.take("+"):
		e := p.unary()
		return func(a *awk) awkValue { return awkNumber(e(a).number()) }
	}
	left := p.postfix()
	if p.take("^") || p.take("**") {
		x, y := left, p.unary()
		return func(a *awk) awkValue { return awkNumber(a.calculate(x(a).number(), "^", y(a).number())) }
	}
	return left
}

// postfix is a value, an assignment to it, or one that it counts up or down.
func (p *awkParser) postfix() awkExpr {
	if p.is("++") || p.is("--") {
		step := float64(b2i(p.is("++"))*2 - 1)
		p.next()
		_, at := p.primary()
		if at == nil {
			p.fail("syntax error: ++ wants a variable")
			return nil
		}
		return func(a *awk) awkValue {
			v := awkNumber(at.get(a).number() + step)
			at.set(a, v)
			return v
		}
	}
	value, at := p.primary()
	if at == nil {
		return value
	}
	switch op := p.tok.text; {
	case p.tok.kind != 'o':
	case op == "++" || op == "--":
		step := float64(b2i(op == "++")*2 - 1)
		p.next()
		return func(a *awk) awkValue {
			old := at.get(a).number()
			at.set(a, awkNumber(old+step))
			return awkNumber(old)
		}
	case op == "=":
		p.next()
		p.skipLines()
		e := p.expr()
		return func(a *awk) awkValue { v := e(a); at.set(a, v); return v }
	case len(op) == 2 && op[1] == '=' && strings.IndexByte("+-*/%^", op[0]) >= 0:
		p.next()
		e := p.expr()
		return func(a *awk) awkValue {
			n := e(a).number()
			v := awkNumber(a.calculate(at.get(a).number(), op[:1], n))
			at.set(a, v)
			return v
		}
	}
	return value
}

func (p *awkParser) primary() (awkExpr, *awkPlace) {
	tok := p.tok
	switch {
	case tok.kind == 'n':
		n, err := strconv.ParseFloat(tok.text, 64)
		if err != nil {
			p.fail("bad number %s", tok.text)
		}
		p.next()
		return func(*awk) awkValue { return awkNumber(n) }, nil
	case tok.kind == 's':
		p.next()
		return func(*awk) awkValue { return awkText(tok.text) }, nil
	case tok.kind == 'r':
		p.next()
		return func(a *awk) awkValue { return awkBool(a.matches(tok.text, a.record)) }, nil
	case tok.kind == 'f' || tok.kind == 'i' && tok.text == "length":
		p.next()
		return p.function(tok.text), nil
	case tok.kind == 'i':
		p.next()
		return p.variable(tok.text)
	case p.take("$"):
		e, _ := p.primary()
		if e == nil {
			p.fail("syntax error after $")
			return nil, nil
		}
		at := &awkPlace{
			get: func(a *awk) awkValue { return a.field(int(e(a).number())) },
			set: func(a *awk, v awkValue) { a.setField(int(e(a).number()), a.text(v)) },
		}
		return at.get, at
	case p.take("("):
		noMore := p.noMore
		p.noMore = false
		e := p.expr()
		p.noMore = noMore
		p.want(")")
		return e, nil
	case p.is("-") || p.is("!") || p.is("+"):
		return p.unary(), nil
	case p.is("++") || p.is("--"):
		return p.postfix(), nil
	}
	p.fail("syntax error at or near %q", tok.text)
	return func(*awk) awkValue { return awkValue{} }, nil
}

func (p *awkParser) variable(name string) (awkExpr, *awkPlace) {
	at := &awkPlace{
		get: func(a *awk) awkValue { return a.get(name) },
		set: func(a *awk, v awkValue) { a.set(name, v) },
	}
	if p.take("[") {
		key := p.subscript()
		at = &awkPlace{
			get: func(a *awk) awkValue {
				k := key(a)
				v, ok := a.array(name)[k]
				if !ok {
					a.array(name)[k] = v
				}
				return v
			},
			set: func(a *awk, v awkValue) { a.array(name)[key(a)] = v },
		}
	}
	return at.get, at
}

// function is a call of one that awk has.
func (p *awkParser) function(name string) awkExpr {
	var args []awkExpr
	var places []*awkPlace
	names := []string{}
	if p.take("(") {
		noMore := p.noMore
		p.noMore = false
		for !p.is(")") && p.err == nil {
			names = append(names, p.tok.text)
			if p.tok.kind == 'r' {
				text := p.tok.text
				p.next()
				args, places = append(args, func(*awk) awkValue { return awkText(text) }), append(places, nil)
			} else {
				saved := *p
				_, at := p.primary()
				if !p.is(",") && !p.is(")") {
					at = nil
				}
				*p = saved
				args, places = append(args, p.expr()), append(places, at)
			}
			if !p.take(",") {
				break
			}
			p.skipLines()
		}
		p.noMore = noMore
		p.want(")")
	}
	call, err := awkFunction(name, args, places, names)
	if err != nil && p.err == nil {
		p.err = err
	}
	return call
}

var errAwkArguments = errors.New("wrong number of arguments")
