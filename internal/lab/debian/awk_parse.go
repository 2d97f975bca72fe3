package debian

import (
	"fmt"
	"strings"
)

// awkToken is a word of a program: 'n' number, 's' string, 'r' regular expression,
// 'i' name, 'f' name with a parenthesis at once after it, 'o' operator, '\n', or 0 at the end.
type awkToken struct {
	kind byte
	text string
}

// awkParser reads a program, and makes functions of it.
type awkParser struct {
	src    string
	i      int
	tok    awkToken
	last   awkToken
	err    error
	noMore bool // > is a redirection, not a comparison
}

type (
	awkExpr func(a *awk) awkValue
	awkStmt func(a *awk) awkFlow
)

// awkFlow says what comes after a statement.
type awkFlow int

const (
	awkOn awkFlow = iota
	awkBreak
	awkContinue
	awkNext
	awkExit
)

// awkRule is a pattern with its action.
type awkRule struct {
	begin, end bool
	from, to   awkExpr // nil: all records; to of a range
	action     awkStmt // nil: print
	open       bool    // a range has begun
}

func parseAwk(src string) ([]*awkRule, error) {
	p := &awkParser{src: src}
	p.next()
	var rules []*awkRule
	for p.err == nil {
		p.newlines()
		if p.tok.kind == 0 {
			return rules, nil
		}
		rules = append(rules, p.rule())
	}
	return nil, p.err
}

func (p *awkParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.tok = awkToken{}
}

const awkOperators = "&& || == != <= >= ++ -- += -= *= /= %= ^= !~ >> ** { } ( ) [ ] ; , + - * / % ^ ! > < ~ ? : = $ |"

// next reads a token. A slash begins a regular expression where no value is before it.
func (p *awkParser) next() {
	if p.err != nil {
		return
	}
	p.last = p.tok
	for p.i < len(p.src) {
		switch ch := p.src[p.i]; {
		case ch == ' ' || ch == '\t' || ch == '\r':
			p.i++
			continue
		case ch == '\\' && strings.HasPrefix(p.src[p.i+1:], "\n"):
			p.i += 2
			continue
		case ch == '#':
			for p.i < len(p.src) && p.src[p.i] != '\n' {
				p.i++
			}
			continue
		}
		break
	}
	if p.i >= len(p.src) {
		p.tok = awkToken{}
		return
	}
	p.token(p.src[p.i])
}

func (p *awkParser) token(ch byte) {
	start := p.i
	switch {
	case ch == '\n':
		p.i++
		p.tok = awkToken{'\n', "newline"}
	case ch == '"':
		p.tok = awkToken{'s', p.quoted('"')}
	case ch == '/' && strings.IndexByte("nsi)]", p.lastKind()) < 0:
		p.tok = awkToken{'r', p.quoted('/')}
	case ch >= '0' && ch <= '9' || ch == '.' && p.i+1 < len(p.src) && p.src[p.i+1] >= '0' && p.src[p.i+1] <= '9':
		for p.i < len(p.src) && (strings.IndexByte("0123456789.", p.src[p.i]) >= 0 || p.i > start && strings.IndexByte("eE", p.src[p.i]) >= 0) {
			p.i++
		}
		p.tok = awkToken{'n', p.src[start:p.i]}
	case isWord(ch):
		for p.i < len(p.src) && isWord(p.src[p.i]) {
			p.i++
		}
		kind := byte('i')
		if p.i < len(p.src) && p.src[p.i] == '(' {
			kind = 'f'
		}
		p.tok = awkToken{kind, p.src[start:p.i]}
	default:
		for _, op := range strings.Fields(awkOperators) {
			if strings.HasPrefix(p.src[p.i:], op) {
				p.i += len(op)
				p.tok = awkToken{'o', op}
				return
			}
		}
		p.fail("syntax error at or near %c", ch)
	}
}

// lastKind is the kind of the token before, or its character where that ends a value.
func (p *awkParser) lastKind() byte {
	if p.last = p.tok; p.tok.kind == 'o' {
		return p.tok.text[0]
	}
	return p.tok.kind
}

func (p *awkParser) quoted(end byte) string {
	var b strings.Builder
	for p.i++; p.i < len(p.src) && p.src[p.i] != end; p.i++ {
		if p.src[p.i] == '\n' {
			break
		}
		if p.src[p.i] != '\\' || p.i+1 == len(p.src) {
			b.WriteByte(p.src[p.i])
			continue
		}
		p.i++
		switch {
		case end == '/' && p.src[p.i] == '/':
			b.WriteByte('/')
		case end == '/':
			b.WriteByte('\\')
			b.WriteByte(p.src[p.i])
		case p.src[p.i] == '"' || p.src[p.i] == '/':
			b.WriteByte(p.src[p.i])
		default:
			p.i += escape(&b, p.src[p.i:], false)
		}
	}
	if p.i >= len(p.src) || p.src[p.i] != end {
		p.fail("unterminated %c", end)
		return ""
	}
	p.i++
	return b.String()
}

func (p *awkParser) is(text string) bool {
	return (p.tok.kind == 'o' || p.tok.kind == 'i' || p.tok.kind == 'f') && p.tok.text == text
}

func (p *awkParser) take(text string) bool {
	if !p.is(text) {
		return false
	}
	p.next()
	return true
}

func (p *awkParser) want(text string) {
	if !p.take(text) && p.err == nil {
		p.fail("syntax error at or near %q: want %q", p.tok.text, text)
	}
}

func (p *awkParser) newlines() {
	for p.tok.kind == '\n' || p.is(";") {
		p.next()
	}
}

func (p *awkParser) skipLines() {
	for p.tok.kind == '\n' {
		p.next()
	}
}

func (p *awkParser) rule() *awkRule {
	r := &awkRule{}
	switch {
	case p.take("BEGIN"):
		r.begin = true
	case p.take("END"):
		r.end = true
	case p.is("function") || p.is("func"):
		p.fail("swarmscript lab: not simulated: functions of awk")
	case !p.is("{"):
		r.from = p.expr()
		if p.take(",") {
			p.skipLines()
			r.to = p.expr()
		}
	}
	if p.is("{") {
		r.action = p.block()
	} else if r.begin || r.end {
		p.fail("BEGIN and END want an action")
	}
	return r
}

func (p *awkParser) block() awkStmt {
	p.want("{")
	var list []awkStmt
	for p.newlines(); !p.is("}") && p.err == nil; p.newlines() {
		if p.tok.kind == 0 {
			p.fail("unexpected end of the program: want }")
			break
		}
		list = append(list, p.statement())
	}
	p.want("}")
	return func(a *awk) awkFlow {
		for _, st := range list {
			if flow := st(a); flow != awkOn {
				return flow
			}
		}
		return awkOn
	}
}

// body is the statement of a loop or a condition.
func (p *awkParser) body() awkStmt {
	p.skipLines()
	if p.take(";") {
		return func(*awk) awkFlow { return awkOn }
	}
	return p.statement()
}
