package debian

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// charSet reads a set of tr: characters, ranges, classes and escapes.
func charSet(s string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "[:"):
			end := strings.Index(s[i:], ":]")
			if end < 0 {
				return nil, fmt.Errorf("missing ':]' in %s", quoted(s))
			}
			name := s[i+2 : i+end]
			class, ok := charClass(name)
			if !ok {
				return nil, fmt.Errorf("invalid character class %s", quoted(name))
			}
			out = append(out, class...)
			i += end + 1
		case s[i] == '\\' && i+1 < len(s):
			var b strings.Builder
			n := escape(&b, s[i+1:], false)
			e := b.String()
			if len(e) == 2 && e[0] == '\\' {
				e = e[1:]
			}
			out = append(out, e...)
			i += 1 + n
		case i+2 < len(s) && s[i+1] == '-':
			if s[i+2] < s[i] {
				return nil, fmt.Errorf("range-endpoints of '%s' are in reverse collating sequence order", s[i:i+3])
			}
			for b := int(s[i]); b <= int(s[i+2]); b++ {
				out = append(out, byte(b))
			}
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return out, nil
}

func charClass(name string) ([]byte, bool) {
	tests := map[string]func(b byte) bool{
		"alpha": func(b byte) bool { return isWord(b) && b != '_' && (b < '0' || b > '9') },
		"digit": func(b byte) bool { return b >= '0' && b <= '9' },
		"alnum": func(b byte) bool { return isWord(b) && b != '_' },
		"upper": func(b byte) bool { return b >= 'A' && b <= 'Z' },
		"lower": func(b byte) bool { return b >= 'a' && b <= 'z' },
		"space": func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' },
		"blank": func(b byte) bool { return b == ' ' || b == '\t' },
		"cntrl": func(b byte) bool { return b < 32 || b == 127 },
		"print": func(b byte) bool { return b >= 32 && b < 127 },
		"graph": func(b byte) bool { return b > 32 && b < 127 },
		"punct": func(b byte) bool { return b > 32 && b < 127 && (!isWord(b) || b == '_') },
		"xdigit": func(b byte) bool {
			return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
		},
	}
	test, ok := tests[name]
	if !ok {
		return nil, false
	}
	var out []byte
	for b := range 256 {
		if test(byte(b)) {
			out = append(out, byte(b))
		}
	}
	return out, true
}

func trProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("cCdst", "complement", "delete", "squeeze-repeats", "truncate-set1")
	if !ok {
		return bad
	}
	var complement, del, squeeze bool
	for _, o := range opts {
		switch o.name {
		case "c", "C", "complement":
			complement = true
		case "d", "delete":
			del = true
		case "s", "squeeze-repeats":
			squeeze = true
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	if len(rest) == 0 || len(rest) == 1 && !del && !squeeze {
		return c.usage("missing operand")
	}
	var sets [2][]byte
	for i := range rest[:min(2, len(rest))] {
		var err error
		if sets[i], err = charSet(rest[i]); err != nil {
			return c.fail(1, "%v", err)
		}
	}
	if complement {
		var other []byte
		for b := range 256 {
			if bytes.IndexByte(sets[0], byte(b)) < 0 {
				other = append(other, byte(b))
			}
		}
		sets[0] = other
	}
	t := newTranslation(sets, len(rest) > 1, del, squeeze)
	buf := make([]byte, 32<<10)
	for ctx.Err() == nil {
		n, err := c.stdin.Read(buf)
		if _, err := c.stdout.Write(t.translate(buf[:n])); err != nil {
			return 128 + 13
		}
		if err == io.EOF {
			return 0
		}
		if err != nil {
			return c.fail(1, "read error: %s", reason(err))
		}
	}
	return 0
}

type translation struct {
	to      [256]int // -1: it goes
	squeeze [256]bool
	last    int
}

func newTranslation(sets [2][]byte, two, del, squeeze bool) *translation {
	t := &translation{last: -1}
	for b := range 256 {
		t.to[b] = b
	}
	for i, b := range sets[0] {
		switch {
		case del:
			t.to[b] = -1
		case two && len(sets[1]) > 0:
			t.to[b] = int(sets[1][min(i, len(sets[1])-1)])
		}
	}
	if squeeze {
		set := sets[0]
		if two {
			set = sets[1]
		}
		for _, b := range set {
			t.squeeze[b] = true
		}
	}
	return t
}

func (t *translation) translate(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for _, b := range in {
		to := t.to[b]
		if to < 0 || to == t.last && t.squeeze[to] {
			continue
		}
		out = append(out, byte(to))
		t.last = to
	}
	return out
}
