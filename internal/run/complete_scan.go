package run

import "strings"

// position is where a text ends: inside which brackets, whether in a string or a
// comment.
type position struct {
	open           []bracket
	quote, content int // where the string begins, and what is in it; quote -1 outside
	comment        bool
}

type bracket struct {
	char   byte
	callee string   // what is called
	arg    int      // where the current argument begins
	used   []string // arguments named so far
}

func (p *position) innermost() *bracket {
	if len(p.open) == 0 {
		return nil
	}
	return &p.open[len(p.open)-1]
}

// scan goes through a text that may be wrong in any way.
func scan(text string) position {
	p := position{quote: -1}
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '#':
			line := strings.IndexByte(text[i:], '\n')
			if line < 0 {
				p.comment = true
				return p
			}
			i += line
		case '"', '\'':
			start := i
			q := 1
			if strings.HasPrefix(text[i:], strings.Repeat(string(c), 3)) {
				q = 3
			}
			i = endOfString(text, start, q)
			if i < 0 {
				p.quote, p.content = start, start+q
				return p
			}
		case '(', '[', '{':
			p.open = append(p.open, bracket{char: c, callee: path().FindString(end(strings.TrimRight(text[:i], " "))), arg: i + 1})
			i++
		case ')', ']', '}':
			p.open = p.open[:max(0, len(p.open)-1)]
			i++
		case ',':
			if b := p.innermost(); b != nil {
				b.arg = i + 1
			}
			i++
		case '=':
			if b := p.innermost(); b != nil {
				if m := named().FindStringSubmatch(end(text[b.arg : i+1])); m != nil && !strings.HasPrefix(text[i:], "==") {
					b.used = append(b.used, m[1])
				}
			}
			i++
		default:
			i++
		}
	}
	return p
}

// end is as much of a text's end as a name takes: looking for one must not take
// longer the longer the text is.
func end(text string) string { return text[max(0, len(text)-300):] }

// endOfString returns where a string that begins with q quotes ends, -1 where it
// does not.
func endOfString(text string, start, q int) int {
	quotes := text[start : start+q]
	for i := start + q; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '\n' && q == 1:
			return i // not ended, and no text goes on behind a line
		case strings.HasPrefix(text[i:], quotes):
			return i + q
		}
	}
	return -1
}
