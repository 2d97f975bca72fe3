package debian

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// errBackReference is that of a pattern that looks for what a group found before.
var errBackReference = errors.New("swarmscript lab: not simulated: a back-reference in a regular expression")

// compileRegexp makes a basic or extended POSIX regular expression one of Go's, which
// prefers the longest match as POSIX does.
func compileRegexp(s string, extended, ignoreCase bool) (*regexp.Regexp, error) {
	t := &regexpTranslation{s: s, extended: extended}
	expr, err := t.translate()
	if err != nil {
		return nil, err
	}
	if ignoreCase {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile("(?s)" + expr)
	if err != nil {
		return nil, words(fmt.Sprintf("Invalid regular expression: %s", s))
	}
	re.Longest()
	return re, nil
}

type regexpTranslation struct {
	s        string
	extended bool
	b        strings.Builder
	start    bool // of the expression or a part: * means itself here
}

func (t *regexpTranslation) translate() (string, error) {
	t.start = true
	for i := 0; i < len(t.s); {
		n, err := t.one(i)
		if err != nil {
			return "", err
		}
		i += n
	}
	return t.b.String(), nil
}

// one translates what is at a place, and returns its length.
func (t *regexpTranslation) one(i int) (int, error) {
	c := t.s[i]
	start := t.start
	t.start = false
	switch {
	case c == '\\':
		if i+1 == len(t.s) {
			return 0, words("Trailing backslash")
		}
		return 2, t.escaped(t.s[i+1], start)
	case c == '[':
		return t.bracket(i)
	case c == '*' && start:
		t.b.WriteString(`\*`)
		t.start = !t.extended
	case c == '*' || c == '.':
		t.b.WriteByte(c)
	case c == '^':
		if t.extended || start {
			t.b.WriteByte('^')
			t.start = true
		} else {
			t.b.WriteString(`\^`)
		}
	case c == '$':
		rest := t.s[i+1:]
		if t.extended || rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`) {
			t.b.WriteByte('$')
		} else {
			t.b.WriteString(`\$`)
		}
	case strings.IndexByte("(|", c) >= 0 && t.extended:
		t.b.WriteByte(c)
		t.start = true
	case strings.IndexByte(")+?", c) >= 0 && t.extended:
		t.b.WriteByte(c)
	case c == '{' && t.extended && strings.IndexByte(t.s[i:], '}') > 0 && i+1 < len(t.s) && t.s[i+1] >= '0' && t.s[i+1] <= '9':
		end := strings.IndexByte(t.s[i:], '}')
		t.b.WriteString(t.s[i : i+end+1])
		return end + 1, nil
	default:
		t.b.WriteString(regexp.QuoteMeta(string(c)))
		if c >= 0x80 { // a part of a character stays with the others
			s := t.b.String()
			t.b.Reset()
			t.b.WriteString(s[:len(s)-len(regexp.QuoteMeta(string(c)))])
			end := i + 1
			for end < len(t.s) && t.s[end] >= 0x80 && t.s[end] < 0xC0 {
				end++
			}
			t.b.WriteString(t.s[i:end])
			return end - i, nil
		}
	}
	return 1, nil
}

func (t *regexpTranslation) escaped(c byte, start bool) error {
	switch {
	case c >= '1' && c <= '9':
		return errBackReference
	case c == '<' || c == '>':
		t.b.WriteString(`\b`)
	case strings.IndexByte("bBwWsS", c) >= 0:
		t.b.WriteByte('\\')
		t.b.WriteByte(c)
	case c == '`':
		t.b.WriteString(`\A`)
	case c == '\'':
		t.b.WriteString(`\z`)
	case c == 'n' || c == 't':
		t.b.WriteByte('\\')
		t.b.WriteByte(c)
	case !t.extended && strings.IndexByte("(|", c) >= 0:
		t.b.WriteByte(c)
		t.start = true
	case !t.extended && strings.IndexByte(")+?", c) >= 0:
		t.b.WriteByte(c)
	case !t.extended && (c == '{' || c == '}'):
		t.b.WriteByte(c)
	default:
		t.b.WriteString(regexp.QuoteMeta(string(c)))
	}
	return nil
}

// bracket translates [...]: a backslash means itself in it.
func (t *regexpTranslation) bracket(i int) (int, error) {
	j := i + 1
	t.b.WriteByte('[')
	if j < len(t.s) && t.s[j] == '^' {
		t.b.WriteByte('^')
		j++
	}
	first := true
	for ; j < len(t.s); j++ {
		c := t.s[j]
		switch {
		case c == ']' && !first:
			t.b.WriteByte(']')
			return j + 1 - i, nil
		case c == '[' && j+1 < len(t.s) && strings.IndexByte(":.=", t.s[j+1]) >= 0:
			end := strings.Index(t.s[j+2:], string(t.s[j+1])+"]")
			if end < 0 {
				return 0, words("Unmatched [, [^, [:, [., or [=")
			}
			name := t.s[j+2 : j+2+end]
			if t.s[j+1] == ':' {
				t.b.WriteString("[:" + name + ":]")
			} else {
				t.b.WriteString(regexp.QuoteMeta(name))
			}
			j += end + 3
		case strings.IndexByte(`\[]^&~`, c) >= 0:
			t.b.WriteByte('\\')
			t.b.WriteByte(c)
		default:
			t.b.WriteByte(c)
		}
		first = false
	}
	return 0, words("Unmatched [, [^, [:, [., or [=")
}
