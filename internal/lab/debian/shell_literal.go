package debian

import (
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// literal expands a word to one text. What expand.Literal leaves in place is taken away
// first: the backslash before a character that it quotes.
func literal(cfg *expand.Config, w *syntax.Word) (string, error) {
	return expand.Literal(cfg, withoutEscapes(w))
}

func withoutEscapes(w *syntax.Word) *syntax.Word {
	if w == nil {
		return nil
	}
	escaped := false
	for _, p := range w.Parts {
		lit, ok := p.(*syntax.Lit)
		escaped = escaped || ok && strings.Contains(lit.Value, `\`)
	}
	if !escaped {
		return w
	}
	out := &syntax.Word{}
	for _, p := range w.Parts {
		lit, ok := p.(*syntax.Lit)
		if !ok {
			out.Parts = append(out.Parts, p)
			continue
		}
		s := lit.Value
		for {
			i := strings.IndexByte(s, '\\')
			if i < 0 || i == len(s)-1 {
				break // a backslash at the end stays
			}
			_, n := utf8.DecodeRuneInString(s[i+1:])
			out.Parts = append(out.Parts, &syntax.Lit{Value: s[:i]}, &syntax.SglQuoted{Value: s[i+1 : i+1+n]})
			s = s[i+1+n:]
		}
		out.Parts = append(out.Parts, &syntax.Lit{Value: s})
	}
	return out
}
