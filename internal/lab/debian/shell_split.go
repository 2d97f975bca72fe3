package debian

import (
	"context"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// fields expands words to arguments. Where IFS has other than blanks, the library
// loses empty fields, so words with something to split are then split here; what
// comes of them is not looked up as a pattern of file names.
func (sh *shell) fields(ctx context.Context, words ...*syntax.Word) ([]string, bool) {
	if strings.Trim(sh.ifs(), " \t\n") == "" {
		list, err := expand.Fields(sh.config(ctx), words...)
		return list, !sh.expandError(err)
	}
	var all []string
	for _, w := range words {
		var list []string
		var err error
		if splits(w) {
			list, err = sh.splitWord(ctx, w)
		} else {
			list, err = expand.Fields(sh.config(ctx), w)
		}
		if sh.expandError(err) {
			return nil, false
		}
		all = append(all, list...)
	}
	return all, true
}

// splits reports whether a word has an expansion outside of quotes.
func splits(w *syntax.Word) bool {
	for _, part := range w.Parts {
		switch part.(type) {
		case *syntax.ParamExp, *syntax.CmdSubst:
			return true
		}
	}
	return false
}

// splitWord expands one word part by part.
func (sh *shell) splitWord(ctx context.Context, w *syntax.Word) ([]string, error) {
	var done []string
	field, open := "", false
	join := func(list []string) {
		for i, s := range list {
			if i > 0 {
				done, field = append(done, field), ""
			}
			field, open = field+s, true
		}
	}
	for _, part := range w.Parts {
		one := &syntax.Word{Parts: []syntax.WordPart{part}}
		param, isParam := part.(*syntax.ParamExp)
		_, isCommand := part.(*syntax.CmdSubst)
		switch {
		case isParam && (param.Param.Value == "@" || param.Param.Value == "*"), !isParam && !isCommand:
			list, err := expand.Fields(sh.config(ctx), one)
			if err != nil {
				return nil, err
			}
			join(list)
			continue
		}
		value, err := expand.Literal(sh.config(ctx), one)
		if err != nil {
			return nil, err
		}
		list, before, after := splitIFS(value, sh.ifs())
		if before && open {
			done, field, open = append(done, field), "", false
		}
		join(list)
		if after && open {
			done, field, open = append(done, field), "", false
		}
	}
	if open {
		done = append(done, field)
	}
	return done, nil
}

// splitIFS splits a text; before and after say whether it begins or ends with a separator.
func splitIFS(s, ifs string) (list []string, before, after bool) {
	blank := func(b byte) bool { return strings.IndexByte(" \t\n", b) >= 0 && strings.IndexByte(ifs, b) >= 0 }
	i := 0
	for i < len(s) && blank(s[i]) {
		i++
	}
	before = i > 0
	for i < len(s) {
		start := i
		for i < len(s) && strings.IndexByte(ifs, s[i]) < 0 {
			i++
		}
		list = append(list, s[start:i])
		after = i < len(s)
		for i < len(s) && blank(s[i]) {
			i++
		}
		if i < len(s) && strings.IndexByte(ifs, s[i]) >= 0 {
			for i++; i < len(s) && blank(s[i]); i++ {
			}
		}
	}
	return list, before, after
}
