// Package ui renders for a person: problems, plans, progress.
package ui

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/internal/diag"
)

const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	dim    = "\x1b[2m"
	reset  = "\x1b[0m"
)

// Diagnostics writes problems as text: where and what, the source line with
// the expression underlined, why, how the script got there, and how many there
// are. source returns the text of a file, nil where it is not known. Colour
// carries nothing that the text does not.
func Diagnostics(w io.Writer, list diag.List, source func(file string) []byte, color bool) {
	p := printer{w: w, source: source, color: color, lines: map[string][]string{}}
	errors, warnings := 0, 0
	for _, d := range list {
		if d.Severity == diag.Warning {
			warnings++
		} else {
			errors++
		}
		p.diagnostic(d)
	}
	var counts []string
	if errors > 0 {
		counts = append(counts, plural(errors, "error"))
	}
	if warnings > 0 {
		counts = append(counts, plural(warnings, "warning"))
	}
	if len(counts) > 0 {
		fmt.Fprintln(w, strings.Join(counts, ", "))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

type printer struct {
	w      io.Writer
	source func(string) []byte
	color  bool
	lines  map[string][]string
}

func (p *printer) paint(style, s string) string {
	if !p.color || s == "" {
		return s
	}
	return style + s + reset
}

func (p *printer) diagnostic(d *diag.Diagnostic) {
	head := Clean(d.Summary)
	style := red
	if d.Severity == diag.Warning {
		head, style = "warning: "+head, yellow
	}
	if d.Hint != "" && !strings.Contains(d.Hint, "\n") {
		head += " (" + Clean(d.Hint) + ")"
	}
	if d.Pos.File != "" || d.Pos.Line > 0 {
		fmt.Fprintf(p.w, "%s: ", p.paint(bold, Clean(d.Pos.String())))
	}
	fmt.Fprintln(p.w, p.paint(style, head))
	p.excerpt(d.Pos, style)
	p.block(d.Detail)
	if strings.Contains(d.Hint, "\n") {
		p.block(d.Hint)
	}
	for _, n := range d.Related {
		fmt.Fprintf(p.w, "  %s: %s\n", Clean(n.Pos.String()), Clean(n.Text))
		p.excerpt(n.Pos, dim)
	}
	p.stack(d)
}

// stack shows the calls that led to a problem, outermost first. The innermost
// is the problem's own position, so it is left out where it says no more.
func (p *printer) stack(d *diag.Diagnostic) {
	if len(d.Stack) < 2 {
		return
	}
	const most = 12
	fmt.Fprintln(p.w, "  called from")
	for i, f := range d.Stack {
		if len(d.Stack) > most && i >= most/2 && i < len(d.Stack)-most/2 {
			if i == most/2 {
				fmt.Fprintf(p.w, "    ... %d more\n", len(d.Stack)-most)
			}
			continue
		}
		name := f.Name
		if name == "<toplevel>" {
			name = "the top level"
		}
		fmt.Fprintf(p.w, "    %s: %s\n", Clean(f.Pos.String()), Clean(name))
	}
}

// block writes text indented under a problem.
func (p *printer) block(text string) {
	if text == "" {
		return
	}
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(p.w, "      %s\n", Clean(l))
	}
}

func (p *printer) line(file string, n int) (string, bool) {
	lines, ok := p.lines[file]
	if !ok {
		if p.source != nil {
			if src := p.source(file); src != nil {
				lines = strings.Split(string(src), "\n")
			}
		}
		p.lines[file] = lines
	}
	if n < 1 || n > len(lines) {
		return "", false
	}
	return strings.TrimSuffix(lines[n-1], "\r"), true
}

// excerptWidth is how much of a long line is shown.
const excerptWidth = 160

// excerpt writes the line of a position, and carets under its expression; of
// one that spans lines, the part on the first.
func (p *printer) excerpt(pos diag.Pos, style string) {
	if pos.Line == 0 || pos.Col == 0 {
		return
	}
	line, ok := p.line(pos.File, pos.Line)
	if !ok {
		return
	}
	runes := []rune(line)
	from := min(pos.Col-1, len(runes))
	to := from + 1
	switch {
	case pos.EndLine == pos.Line && pos.EndCol > pos.Col:
		to = pos.EndCol - 1
	case pos.EndLine > pos.Line:
		to = len([]rune(strings.TrimRight(line, " \t")))
	}
	to = max(min(to, len(runes)), from)

	cutLeft, cutRight := "", ""
	if len(runes) > excerptWidth {
		lo := max(0, min(from-excerptWidth/4, len(runes)-excerptWidth))
		hi := min(len(runes), lo+excerptWidth)
		if lo > 0 {
			cutLeft = "..."
		}
		if hi < len(runes) {
			cutRight = "..."
		}
		runes, from, to = runes[lo:hi], from-lo, min(to, hi)-lo
	}
	before, under, after := screen(runes[:from]), screen(runes[from:to]), screen(runes[to:])
	fmt.Fprintf(p.w, "%5d | %s%s%s%s%s\n", pos.Line, cutLeft, before, under, after, cutRight)
	carets := strings.Repeat("^", max(1, Width(under)))
	fmt.Fprintf(p.w, "      | %s%s\n", strings.Repeat(" ", len(cutLeft)+Width(before)), p.paint(style, carets))
}

// screen makes source text fit to be shown: a tab is four columns, and what
// would control the terminal is spelled out.
func screen(runes []rune) string {
	return Clean(strings.ReplaceAll(string(runes), "\t", "    "))
}

// Clean spells out control characters, so that no text can move the cursor or
// change colours. Tabs and newlines are spelled out too.
func Clean(s string) string {
	ok := utf8.ValidString(s)
	for _, r := range s {
		if unicode.IsControl(r) || isBidi(r) {
			ok = false
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b.WriteString("\uFFFD")
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(" ")
		case unicode.IsControl(r) || isBidi(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isBidi is true of the characters that reorder text, which can make a line
// read as what it is not.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}

// Width is how many columns text takes on a terminal: marks that combine take
// none, East Asian wide characters and emoji two.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r == 0x200d || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, r >= 0x2e80 && r <= 0x303e, r >= 0x3041 && r <= 0x33ff,
		r >= 0x3400 && r <= 0x4dbf, r >= 0x4e00 && r <= 0x9fff, r >= 0xa000 && r <= 0xa4cf,
		r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1f9ff,
		r >= 0x20000 && r <= 0x3fffd:
		return true
	}
	return false
}
