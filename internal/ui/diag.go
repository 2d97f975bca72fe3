package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Diagnostics writes problems as text: where and what, the source line with
// the expression underlined, why, how the script got there, and how many there
// are. source returns the text of a file, nil where it is not known. Colour
// carries nothing that the text does not.
func Diagnostics(w io.Writer, list diag.List, source func(file string) []byte, color bool) {
	Problems(w, list, source, color)
	errors, warnings := 0, 0
	for _, d := range list {
		if d.Severity == diag.Warning {
			warnings++
		} else {
			errors++
		}
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

// Problems writes problems as [Diagnostics] does, without how many there are.
func Problems(w io.Writer, list diag.List, source func(file string) []byte, color bool) {
	p := printer{w: w, source: source, color: color, lines: map[string][]string{}}
	for _, d := range list {
		p.diagnostic(d)
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
	head := clean(d.Summary)
	style := red
	if d.Severity == diag.Warning {
		head, style = "warning: "+head, yellow
	}
	if d.Hint != "" && !strings.Contains(d.Hint, "\n") {
		head += " (" + clean(d.Hint) + ")"
	}
	if d.Pos.File != "" || d.Pos.Line > 0 {
		fmt.Fprintf(p.w, "%s: ", p.paint(bold, clean(d.Pos.String())))
	}
	fmt.Fprintln(p.w, p.paint(style, head))
	p.excerpt(d.Pos, style)
	p.block(d.Detail)
	if strings.Contains(d.Hint, "\n") {
		p.block(d.Hint)
	}
	for _, n := range d.Related {
		fmt.Fprintf(p.w, "  %s: %s\n", clean(n.Pos.String()), clean(n.Text))
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
		fmt.Fprintf(p.w, "    %s: %s\n", clean(f.Pos.String()), clean(name))
	}
}

// block writes text indented under a problem.
func (p *printer) block(text string) {
	if text == "" {
		return
	}
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(p.w, "      %s\n", clean(l))
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
	carets := strings.Repeat("^", max(1, textWidth(under)))
	fmt.Fprintf(p.w, "      | %s%s\n", strings.Repeat(" ", len(cutLeft)+textWidth(before)), p.paint(style, carets))
}

// screen makes source text fit to be shown: a tab is four columns, and what
// would control the terminal is spelled out.
func screen(runes []rune) string {
	return clean(strings.ReplaceAll(string(runes), "\t", "    "))
}
