package debian

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// sedParser reads a script.
type sedParser struct {
	s        string
	i        int
	extended bool
	last     *regexp.Regexp // what // means
}

func (p *sedParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *sedParser) skip(chars string) {
	for p.i < len(p.s) && strings.IndexByte(chars, p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *sedParser) commands(inside bool) ([]*sedCommand, error) {
	var list []*sedCommand
	for {
		p.skip(" \t\n;")
		if p.i >= len(p.s) {
			if inside {
				return nil, errors.New("unmatched `{'")
			}
			return list, nil
		}
		if p.peek() == '}' {
			p.i++
			if !inside {
				return nil, errors.New("unexpected `}'")
			}
			return list, nil
		}
		if p.peek() == '#' {
			for p.i < len(p.s) && p.s[p.i] != '\n' {
				p.i++
			}
			continue
		}
		cmd, err := p.command()
		if err != nil {
			return nil, err
		}
		list = append(list, cmd)
	}
}

func (p *sedParser) number() int {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	n, _ := strconv.Atoi(p.s[start:p.i])
	return n
}

func (p *sedParser) address() (*sedAddress, error) {
	switch ch := p.peek(); {
	case ch >= '0' && ch <= '9':
		a := &sedAddress{line: p.number()}
		if p.peek() == '~' {
			p.i++
			a.step = p.number()
		}
		return a, nil
	case ch == '$':
		p.i++
		return &sedAddress{last: true}, nil
	case ch == '/' || ch == '\\':
		p.i++
		if ch == '\\' {
			ch = p.peek()
			p.i++
		}
		pat, err := p.until(ch, true)
		if err != nil {
			return nil, errors.New("unterminated address regex")
		}
		fold := p.peek() == 'I'
		if fold {
			p.i++
		}
		re, err := p.compile(pat, fold)
		return &sedAddress{re: re}, err
	}
	return nil, nil
}

func (p *sedParser) compile(pat string, fold bool) (*regexp.Regexp, error) {
	if pat == "" {
		if p.last == nil {
			return nil, errors.New("no previous regular expression")
		}
		return p.last, nil
	}
	re, err := compileRegexp(pat, p.extended, fold)
	p.last = re
	return re, err
}

// until reads to a delimiter; one with a backslash before it is a plain character.
func (p *sedParser) until(end byte, pattern bool) (string, error) {
	var b strings.Builder
	bracket := false
	for ; p.i < len(p.s); p.i++ {
		ch := p.s[p.i]
		switch {
		case ch == '\\' && p.i+1 < len(p.s) && !bracket:
			p.i++
			switch {
			case p.s[p.i] == end && end != '&':
				b.WriteByte(end)
			case p.s[p.i] == '\n' && !pattern:
				b.WriteString("\\\n")
			default:
				b.WriteByte('\\')
				b.WriteByte(p.s[p.i])
			}
			continue
		case ch == '[' && pattern && !bracket:
			bracket = true
			b.WriteByte(ch)
			for p.i+1 < len(p.s) && (p.s[p.i+1] == '^' && p.s[p.i] == '[' || p.s[p.i+1] == ']') {
				p.i++
				b.WriteByte(p.s[p.i])
				if p.s[p.i] == ']' {
					break
				}
			}
			continue
		case ch == ']' && bracket:
			bracket = false
		case ch == end && !bracket:
			p.i++
			return b.String(), nil
		}
		b.WriteByte(ch)
	}
	return "", errors.New("unterminated")
}

func (p *sedParser) command() (*sedCommand, error) {
	cmd := &sedCommand{}
	var err error
	if cmd.from, err = p.address(); err != nil {
		return nil, err
	}
	p.skip(" \t")
	if cmd.from != nil && p.peek() == ',' {
		p.i++
		p.skip(" \t")
		if p.peek() == '+' {
			p.i++
			cmd.to = &sedAddress{more: p.number(), line: -1}
		} else if cmd.to, err = p.address(); err != nil {
			return nil, err
		}
		if cmd.to == nil {
			return nil, errors.New("unexpected `,'")
		}
		p.skip(" \t")
	}
	for p.peek() == '!' {
		cmd.not = true
		p.i++
		p.skip(" \t")
	}
	if p.i >= len(p.s) {
		return nil, errors.New("missing command")
	}
	cmd.name = p.s[p.i]
	p.i++
	return cmd, p.arguments(cmd)
}

func (p *sedParser) arguments(cmd *sedCommand) (err error) {
	switch cmd.name {
	case '{':
		cmd.inside, err = p.commands(true)
		return err
	case 's':
		return p.substitute(cmd)
	case 'y':
		return p.transliterate(cmd)
	case 'a', 'i', 'c':
		cmd.text = p.textArgument()
		return nil
	case ':', 'b', 't', 'T':
		p.skip(" \t")
		start := p.i
		for p.i < len(p.s) && strings.IndexByte(";\n} ", p.s[p.i]) < 0 {
			p.i++
		}
		cmd.text = p.s[start:p.i]
		return nil
	case 'q', 'Q':
		p.skip(" \t")
		cmd.code = p.number()
	case 'd', 'D', 'p', 'P', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=':
	default:
		return fmt.Errorf("unknown command: `%c'", cmd.name)
	}
	p.skip(" \t")
	if ch := p.peek(); ch != 0 && strings.IndexByte(";\n}#", ch) < 0 {
		return errors.New("extra characters after command")
	}
	return nil
}

// textArgument is the text of a, i and c: on the same line, or after a backslash and a newline.
func (p *sedParser) textArgument() string {
	p.skip(" \t")
	if strings.HasPrefix(p.s[p.i:], "\\\n") {
		p.i += 2
	} else if p.peek() == '\\' {
		p.i++
	}
	var b strings.Builder
	for ; p.i < len(p.s) && p.s[p.i] != '\n'; p.i++ {
		if p.s[p.i] == '\\' && p.i+1 < len(p.s) {
			p.i++
			if p.s[p.i] == 't' {
				b.WriteByte('\t')
				continue
			}
		}
		b.WriteByte(p.s[p.i])
	}
	return b.String()
}

func (p *sedParser) substitute(cmd *sedCommand) error {
	end := p.peek()
	p.i++
	pat, err := p.until(end, true)
	if err == nil {
		cmd.with, err = p.until(end, false)
	}
	if err != nil {
		return errors.New("unterminated `s' command")
	}
	fold := false
	for {
		switch ch := p.peek(); {
		case ch == 'g':
			cmd.global = true
		case ch == 'p':
			cmd.print = true
		case ch == 'i' || ch == 'I':
			fold = true
		case ch >= '1' && ch <= '9':
			cmd.nth = p.number()
			continue
		case ch == 0 || strings.IndexByte(";\n}# \t", ch) >= 0:
			cmd.re, err = p.compile(pat, fold)
			return err
		case strings.IndexByte("ewmM", ch) >= 0:
			return fmt.Errorf("swarmscript lab: not simulated: the flag %c of s", ch)
		default:
			return errors.New("unknown option to `s'")
		}
		p.i++
	}
}

func (p *sedParser) transliterate(cmd *sedCommand) error {
	end := p.peek()
	p.i++
	from, err := p.until(end, false)
	to, err2 := p.until(end, false)
	if err != nil || err2 != nil {
		return errors.New("unterminated `y' command")
	}
	plain := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	a, b := []rune(plain.Replace(from)), []rune(plain.Replace(to))
	if len(a) != len(b) {
		return errors.New("strings for `y' command are different lengths")
	}
	cmd.table = map[rune]rune{}
	for i, r := range a {
		cmd.table[r] = b[i]
	}
	return nil
}
