package debian

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// grepping is one run of grep.
type grepping struct {
	c                                *call
	fixed, extended, ignore          bool
	invert, word, whole              bool
	count, only, list, without       bool
	quiet, silent, number, recursive bool
	names                            byte // 'h' never, 'H' always
	zero                             bool
	most, before, after              int
	patterns                         []string
	res                              []*regexp.Regexp
	include                          []string
	hit, bad                         bool
}

func grepProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.options("EFGPivwxcolLqsnrRhHze:f:m:A:B:C:aIbu", "extended-regexp", "fixed-strings", "ignore-case", "invert-match", "word-regexp", "line-regexp",
		"count", "only-matching", "files-with-matches", "files-without-match", "quiet", "silent", "no-messages", "line-number", "recursive", "no-filename", "with-filename",
		"null-data", "regexp=", "file=", "max-count=", "color=?", "colour=?", "text", "include=", "line-buffered", "after-context=", "before-context=", "context=")
	if !ok {
		return bad
	}
	g := &grepping{c: c, most: 1 << 30, extended: c.name() == "egrep", fixed: c.name() == "fgrep"}
	given := false
	for _, o := range opts {
		given = given || o.name == "e" || o.name == "regexp" || o.name == "f" || o.name == "file"
		if code := g.option(o); code != 0 {
			return code
		}
	}
	if !given {
		if len(rest) == 0 {
			return c.fail(2, "usage: grep [OPTION]... PATTERNS [FILE]...")
		}
		g.patterns, rest = strings.Split(rest[0], "\n"), rest[1:]
	}
	if err := g.compile(); err != nil {
		return c.fail(2, "%v", err)
	}
	return g.run(rest)
}

func (g *grepping) option(o option) int {
	number := func(to *int) int {
		n, err := strconv.Atoi(o.value)
		if err != nil {
			return g.c.fail(2, "%s: invalid context length argument", o.value)
		}
		*to = n
		return 0
	}
	switch o.name {
	case "E", "extended-regexp":
		g.extended = true
	case "P":
		g.extended = true // what is not in it either fails to compile
	case "F", "fixed-strings":
		g.fixed = true
	case "i", "ignore-case":
		g.ignore = true
	case "v", "invert-match":
		g.invert = true
	case "w", "word-regexp":
		g.word = true
	case "x", "line-regexp":
		g.whole = true
	case "c", "count":
		g.count = true
	case "o", "only-matching":
		g.only = true
	case "l", "files-with-matches":
		g.list = true
	case "L", "files-without-match":
		g.without = true
	case "q", "quiet", "silent":
		g.quiet = true
	case "s", "no-messages":
		g.silent = true
	case "n", "line-number":
		g.number = true
	case "r", "R", "recursive":
		g.recursive = true
	case "h", "no-filename":
		g.names = 'h'
	case "H", "with-filename":
		g.names = 'H'
	case "z", "null-data":
		g.zero = true
	case "e", "regexp":
		g.patterns = append(g.patterns, strings.Split(o.value, "\n")...)
	case "include":
		g.include = append(g.include, o.value)
	case "f", "file":
		return g.patternFile(o.value)
	case "m", "max-count":
		return number(&g.most)
	case "A", "after-context":
		return number(&g.after)
	case "B", "before-context":
		return number(&g.before)
	case "C", "context":
		return max(number(&g.after), number(&g.before))
	case "b", "u":
		return g.c.notSimulated("option -" + o.name)
	}
	return 0
}

func (g *grepping) patternFile(name string) int {
	r, err := g.c.open(name)
	if err != nil {
		return g.c.fail(2, "%s: %s", name, reason(err))
	}
	defer r.Close()
	err = eachLine(r, func(line []byte, _ bool) error {
		g.patterns = append(g.patterns, string(line))
		return nil
	})
	if err != nil {
		return g.c.fail(2, "%s: %s", name, reason(err))
	}
	return 0
}

func (g *grepping) compile() error {
	for _, p := range g.patterns {
		var re *regexp.Regexp
		var err error
		switch {
		case g.fixed && g.ignore:
			re, err = regexp.Compile("(?i)" + regexp.QuoteMeta(p))
		case g.fixed:
			re, err = regexp.Compile(regexp.QuoteMeta(p))
		default:
			re, err = compileRegexp(p, g.extended, g.ignore)
		}
		if err != nil {
			return err
		}
		re.Longest()
		g.res = append(g.res, re)
	}
	return nil
}

// match returns where a line fits, nil where it does not.
func (g *grepping) match(line []byte, from int) []int {
	var best []int
	for _, re := range g.res {
		for start := from; start <= len(line); {
			at := re.FindIndex(line[start:])
			if at == nil {
				break
			}
			at[0], at[1] = at[0]+start, at[1]+start
			fits := true
			if g.whole {
				fits = at[0] == 0 && at[1] == len(line)
			} else if g.word {
				fits = (at[0] == 0 || !isWord(line[at[0]-1])) && (at[1] == len(line) || !isWord(line[at[1]])) && at[1] > at[0]
			}
			if fits {
				if best == nil || at[0] < best[0] || at[0] == best[0] && at[1] > best[1] {
					best = at
				}
				break
			}
			start = at[0] + 1
		}
	}
	return best
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func (g *grepping) run(files []string) int {
	if g.recursive {
		if len(files) == 0 {
			files = []string{"."}
		}
		var all []string
		for _, f := range files {
			all = g.collect(all, f, true)
		}
		if g.names == 0 {
			g.names = 'H'
		}
		files = all
		if len(files) == 0 {
			return 1
		}
	}
	show := g.names == 'H' || g.names == 0 && len(files) > 1
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, f := range files {
		r, err := g.c.open(f)
		if err == nil {
			err = g.file(f, r, show)
			r.Close()
		}
		if Is(err, EPIPE) {
			return 128 + 13
		}
		if err != nil {
			g.bad = true
			if !g.silent {
				g.c.warnf("%s: %s", f, reason(err))
			}
		}
		if g.quiet && g.hit {
			return 0
		}
	}
	switch {
	case g.bad && !(g.quiet && g.hit):
		return 2
	case g.hit:
		return 0
	}
	return 1
}

func (g *grepping) collect(all []string, p string, named bool) []string {
	st, err := g.c.fs.Lstat(p)
	if err != nil || !st.IsDir() {
		if err == nil && (st.Kind != File && !named || len(g.include) > 0 && !slices.ContainsFunc(g.include, func(pat string) bool { return matchPattern(pat, lastName(p)) })) {
			return all
		}
		return append(all, p)
	}
	list, err := g.c.fs.ReadDir(p)
	if err != nil {
		g.bad = true
		if !g.silent {
			g.c.warnf("%s: %s", p, reason(err))
		}
	}
	for _, e := range list {
		all = g.collect(all, strings.TrimRight(p, "/")+"/"+e.Name, false)
	}
	return all
}

func (g *grepping) file(name string, r io.Reader, show bool) error {
	prefix := ""
	if name == "-" {
		name = "(standard input)"
	}
	if show {
		prefix = name
	}
	end := byte('\n')
	if g.zero {
		end = 0
	}
	p := &grepPrinter{g: g, prefix: prefix, end: string(end), name: name}
	err := eachPart(r, end, func(line []byte, _ bool) error {
		p.n++
		if p.hits >= g.most {
			if p.left == 0 {
				return errEnough
			}
			return p.context(line)
		}
		return p.line(line)
	})
	if err == errEnough {
		err = nil
	}
	if p.hits > 0 != g.without {
		g.hit = true
	}
	switch {
	case err != nil || g.quiet:
	case g.list && p.hits > 0, g.without && p.hits == 0:
		g.c.printf("%s\n", name)
	case g.count && !g.list && !g.without:
		if prefix != "" {
			g.c.printf("%s:", prefix)
		}
		g.c.printf("%d\n", p.hits)
	}
	return err
}

type grepPrinter struct {
	g           *grepping
	prefix, end string
	name        string
	n, hits     int
	left        int // lines of context after a hit
	held        [][]byte
	last        int
}

func (p *grepPrinter) line(line []byte) error {
	g := p.g
	at := g.match(line, 0)
	if (at != nil) == g.invert {
		return p.context(line)
	}
	p.hits++
	switch {
	case g.quiet, g.list && !g.count, g.without:
		return errEnough
	case g.count:
		return nil
	case g.only:
		for !g.invert && at != nil {
			if at[1] > at[0] {
				if err := p.print(':', p.n, line[at[0]:at[1]]); err != nil {
					return err
				}
			}
			at = g.match(line, max(at[1], at[0]+1))
		}
		return nil
	}
	if g.before+g.after > 0 && p.last > 0 && p.n-len(p.held) > p.last+1 {
		g.c.printf("--\n")
	}
	for i, old := range p.held {
		if err := p.print('-', p.n-len(p.held)+i, old); err != nil {
			return err
		}
	}
	p.held, p.left, p.last = nil, g.after, p.n
	return p.print(':', p.n, line)
}

func (p *grepPrinter) context(line []byte) error {
	g := p.g
	if g.count || g.quiet || g.list || g.only {
		return nil
	}
	if p.left > 0 {
		p.left--
		p.last = p.n
		return p.print('-', p.n, line)
	}
	if g.before > 0 {
		p.held = append(p.held, bytes.Clone(line))
		p.held = p.held[max(0, len(p.held)-g.before):]
	}
	return nil
}

func (p *grepPrinter) print(sep byte, n int, line []byte) error {
	c := p.g.c
	if p.prefix != "" {
		c.printf("%s%c", p.prefix, sep)
	}
	if p.g.number {
		c.printf("%d%c", n, sep)
	}
	_, err := fmt.Fprintf(c.stdout, "%s%s", line, p.end)
	return err
}
