package debian

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescape replaces what begins with a backslash, as echo and %b do; stop is true
// where \c ends the output.
func unescape(s string, echo bool) (out string, stop bool) {
	if !strings.Contains(s, `\`) {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'c' {
			return b.String(), true
		}
		i += escape(&b, s[i:], echo)
	}
	return b.String(), false
}

// escape writes what follows a backslash, and returns how many bytes more than one it was.
func escape(b *strings.Builder, s string, zero bool) int {
	if i := strings.IndexByte(`abfnrtv\`, s[0]); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v\\"[i])
		return 0
	}
	start, digits := 0, 3
	if zero {
		if s[0] != '0' {
			b.WriteByte('\\')
			b.WriteByte(s[0])
			return 0
		}
		start = 1
	}
	n, end := 0, start
	for end < len(s) && end < start+digits && s[end] >= '0' && s[end] <= '7' {
		n = n*8 + int(s[end]-'0')
		end++
	}
	if end == 0 {
		b.WriteByte('\\')
		b.WriteByte(s[0])
		return 0
	}
	b.WriteByte(byte(n))
	return end - 1
}

// printing is one run of printf.
type printing struct {
	b     strings.Builder
	args  []string
	wrong []string
	stop  bool
	used  bool // an argument was asked for
}

// formatPrintf is printf(1): the format is used again while there are arguments.
func formatPrintf(format string, args []string) (out string, wrong []string) {
	p := &printing{args: args}
	for {
		p.used = false
		p.once(format)
		if p.stop || len(p.args) == 0 || !p.used {
			break
		}
	}
	return p.b.String(), p.wrong
}

func (p *printing) next() (string, bool) {
	p.used = true
	if len(p.args) == 0 {
		return "", false
	}
	s := p.args[0]
	p.args = p.args[1:]
	return s, true
}

func (p *printing) once(format string) {
	for i := 0; i < len(format) && !p.stop; i++ {
		switch {
		case format[i] == '\\' && i+1 < len(format):
			i++
			if format[i] == 'c' {
				p.stop = true
				return
			}
			if format[i] == '"' || format[i] == '\'' {
				p.b.WriteByte(format[i])
				continue
			}
			i += escape(&p.b, format[i:], false)
		case format[i] == '%' && i+1 < len(format):
			i += p.verb(format[i+1:])
		default:
			p.b.WriteByte(format[i])
		}
	}
}

// verb prints one conversion, and returns its length.
func (p *printing) verb(s string) int {
	if s[0] == '%' {
		p.b.WriteByte('%')
		return 1
	}
	end := 0
	flags := "%"
	for end < len(s) && strings.IndexByte("-+ #0", s[end]) >= 0 {
		flags += s[end : end+1]
		end++
	}
	number := func() {
		if end < len(s) && s[end] == '*' {
			arg, _ := p.next()
			n, _ := strconv.Atoi(arg)
			flags += strconv.Itoa(n)
			end++
			return
		}
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			flags += s[end : end+1]
			end++
		}
	}
	number()
	if end < len(s) && s[end] == '.' {
		flags += "."
		end++
		number()
	}
	if end == len(s) {
		p.wrong = append(p.wrong, "%"+s+": invalid directive")
		p.stop = true
		return end
	}
	p.convert(flags, s[end])
	return end + 1
}

func (p *printing) convert(flags string, verb byte) {
	arg, given := p.next()
	switch verb {
	case 's', 'b':
		if verb == 'b' {
			arg, p.stop = unescape(arg, true)
		}
		p.text(flags, arg)
	case 'c':
		if len(arg) > 0 {
			arg = arg[:1]
		}
		fmt.Fprintf(&p.b, flags+"s", arg)
	case 'd', 'i':
		fmt.Fprintf(&p.b, flags+"d", p.integer(arg, given))
	case 'u':
		fmt.Fprintf(&p.b, flags+"d", uint64(p.integer(arg, given)))
	case 'o', 'x', 'X':
		fmt.Fprintf(&p.b, flags+string(verb), uint64(p.integer(arg, given)))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f, err := strconv.ParseFloat(arg, 64)
		if err != nil && given {
			p.wrong = append(p.wrong, arg+": expected numeric value")
		}
		fmt.Fprintf(&p.b, flags+string(verb), f)
	default:
		p.wrong = append(p.wrong, flags+string(verb)+": invalid directive")
		p.stop = true
	}
}

// text prints a string; widths count bytes, as the C locale has it.
func (p *printing) text(flags, arg string) {
	if flags == "%" {
		p.b.WriteString(arg)
		return
	}
	if utf8.RuneCountInString(arg) == len(arg) {
		fmt.Fprintf(&p.b, flags+"s", arg)
		return
	}
	wide := make([]rune, len(arg)) // a rune for each byte
	for i := range len(arg) {
		wide[i] = rune(arg[i])
	}
	for _, r := range fmt.Sprintf(flags+"s", string(wide)) {
		p.b.WriteByte(byte(r))
	}
}

// integer reads a number as C writes them, or 'c for a character's code.
func (p *printing) integer(arg string, given bool) int64 {
	if !given || arg == "" {
		if given {
			p.wrong = append(p.wrong, ": expected numeric value")
		}
		return 0
	}
	if arg[0] == '\'' || arg[0] == '"' {
		if len(arg) == 1 {
			return 0
		}
		return int64(arg[1])
	}
	s := strings.TrimSpace(arg)
	base := 10
	digits := strings.TrimLeft(s, "+-")
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		base = 16
	case strings.HasPrefix(digits, "0"):
		base = 8
	}
	plain := strings.TrimPrefix(s, "+")
	if base == 16 {
		plain = strings.Replace(strings.Replace(plain, "0x", "", 1), "0X", "", 1)
	}
	n, err := strconv.ParseInt(plain, base, 64)
	if err != nil {
		if u, e := strconv.ParseUint(plain, base, 64); e == nil {
			return int64(u)
		}
		end := 0
		for end < len(plain) && (plain[end] >= '0' && plain[end] <= '9' || end == 0 && plain[end] == '-') {
			end++
		}
		n, _ = strconv.ParseInt(plain[:end], 10, 64)
		why := ": not completely converted"
		if end == 0 {
			why = ": expected numeric value"
		}
		p.wrong = append(p.wrong, arg+why)
	}
	return n
}
