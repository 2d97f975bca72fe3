package ui

import (
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

const (
	// maxLabel bounds the column of the values.
	maxLabel = 28
	// wideLine is where a list is broken into lines off a terminal, longLine
	// where a single value, or a line of one, is cut.
	wideLine, longLine = 100, 240
	// maxLines is how many lines one argument may take.
	maxLines = 20

	forces = "  # forces replacement"
	arrow  = " -> "
)

// fields writes the lines below a header.
func (pr *planPrinter) fields(c *plan.Change) {
	width := 0
	for i := range pr.pairs {
		if n := textWidth(pr.pairs[i].label); n <= maxLabel {
			width = max(width, n)
		}
	}
	for i := range pr.pairs {
		pr.field(&pr.pairs[i], width)
	}
	if len(c.Rolls) > 0 {
		pr.rolls(c)
	}
	if len(c.Takes) > 0 {
		pr.takes(c)
	}
	for _, f := range c.Findings {
		pr.finding(f)
	}
}

// finding writes what is foreseen of a resource: it must not be missed, so it
// stands with the resource, whole.
func (pr *planPrinter) finding(f *diag.Diagnostic) {
	color, word := red, "error: "
	if f.Severity == diag.Warning {
		color, word = yellow, "warning: "
	}
	for i, l := range fold(word+clean(f.Summary), max(pr.Width-fieldIndent, 0)) {
		pr.spaces(fieldIndent)
		if rest, ok := strings.CutPrefix(l, word); ok && i == 0 {
			pr.in(color, word)
			l = rest
		}
		pr.line(l)
	}
	for _, text := range []string{f.Detail, f.Hint} {
		if text == "" {
			continue
		}
		for _, l := range cleanLines(text) {
			for _, part := range fold(l, max(pr.Width-fieldIndent-2, 0)) {
				pr.spaces(fieldIndent + 2)
				pr.line(part)
			}
		}
	}
}

// field writes one argument: in one line if it fits, otherwise below its name.
func (pr *planPrinter) field(f *pair, width int) {
	pr.spaces(fieldIndent)
	pr.str(f.label)
	n := textWidth(f.label)
	gap := 2 + max(0, width-n)
	suffix := ""
	room, limit := wideLine, longLine
	if pr.Width > 0 {
		room = max(pr.Width-fieldIndent-n-gap, 12)
		limit = room
	}
	if f.change != nil {
		if f.change.Replace {
			suffix = forces
		}
		pr.change(f.change, gap, room-len(suffix), suffix)
		return
	}
	switch x := f.value.(type) {
	case string:
		if !f.field.Secret && !f.field.WriteOnly && strings.Contains(x, "\n") {
			pr.block("  ", textLines(x))
			return
		}
	case value.List, *value.Map:
		if f.field.Secret || f.field.WriteOnly {
			break
		}
		pr.scratch = appendNested(pr.scratch[:0], f.field.Type, x)
		if len(pr.scratch) > room && textWidth(string(pr.scratch)) > room {
			pr.block("  ", elementLines(f.field.Type, x))
			return
		}
		pr.spaces(gap)
		pr.b = append(pr.b, pr.scratch...)
		pr.endLine()
		return
	}
	pr.spaces(gap)
	pr.cell(f.field, f.value, limit)
	pr.endLine()
}

// cell appends a value, cut to a number of columns.
func (pr *planPrinter) cell(f *schema.Field, v value.Value, limit int) {
	at := len(pr.b)
	if s, ok := v.(string); ok && !f.Secret && !f.WriteOnly && isWord(s) {
		pr.b = append(pr.b, s...)
	} else {
		pr.b = appendField(pr.b, f, v)
	}
	if len(pr.b)-at > limit {
		short := cut(string(pr.b[at:]), max(limit, 8))
		pr.b = append(pr.b[:at], short...)
	}
	pr.dimmed(at)
}

// dimmed greys what stands for a value, from an offset of the buffer on.
func (pr *planPrinter) dimmed(at int) {
	if pr.Color && len(pr.b) > at && pr.b[at] == '(' {
		pr.scratch = append(append(append(pr.scratch[:0], dim...), pr.b[at:]...), reset...)
		pr.b = append(pr.b[:at], pr.scratch...)
	}
}

// change writes a difference.
func (pr *planPrinter) change(c *schema.Change, gap, room int, suffix string) {
	if secret, writeOnly := hidden(c); secret || writeOnly {
		pr.spaces(gap)
		if secret {
			pr.in(dim, value.Hidden)
		} else {
			pr.in(dim, unshown)
		}
		if c.Unknown {
			pr.str(arrow)
			pr.in(dim, schema.UnknownText)
		}
		pr.line(suffix)
		return
	}
	if lines := listChange(c, room); lines != nil {
		pr.str(suffix)
		pr.block("", lines)
		return
	}
	if lines := textChange(c); lines != nil {
		pr.str(suffix)
		pr.block("", lines)
		return
	}
	before := string(appendValue(nil, c.Type, c.Before))
	after := string(appendValue(nil, c.Type, c.After))
	if textWidth(before)+len(arrow)+textWidth(after) > room {
		// One below the other, each has the whole line.
		limit := longLine
		if pr.Width > 0 {
			limit = max(pr.Width-fieldIndent-4, 12)
		}
		before, after = cutPair(before, after, limit)
		pr.str(suffix)
		pr.block("", []string{"- " + before, "+ " + after})
		return
	}
	pr.spaces(gap)
	at := len(pr.b)
	pr.str(before)
	pr.dimmed(at)
	pr.str(arrow)
	at = len(pr.b)
	pr.str(after)
	pr.dimmed(at)
	pr.line(suffix)
}

// hidden reports whether the values of a change must not be shown, because of
// what they are or of a field on the way to them: auth.password belongs to
// auth, which is not secret.
func hidden(c *schema.Change) (secret, writeOnly bool) {
	secret = c.Secret
	f := c.Field
	if f == nil {
		return secret, false
	}
	path := strings.TrimPrefix(c.Path, f.Name)
	for {
		secret, writeOnly = secret || f.Secret, writeOnly || f.WriteOnly
		var name string
		var ok bool
		if path, ok = strings.CutPrefix(path, "."); !ok || f.Type.Kind != schema.StructOf {
			return secret, writeOnly
		}
		if i := strings.IndexAny(path, ".["); i >= 0 {
			name, path = path[:i], path[i:]
		} else {
			name, path = path, ""
		}
		if f, ok = f.Type.Struct.Field(name); !ok {
			return secret, writeOnly
		}
	}
}

// block writes lines below a label, each already cleaned.
func (pr *planPrinter) block(prefix string, lines []string) {
	pr.endLine()
	for i, l := range lines {
		if i == maxLines-1 && len(lines) > maxLines {
			pr.spaces(fieldIndent + 2)
			pr.in(dim, "... "+countOf(len(lines)-i, "more line", "more lines"))
			pr.endLine()
			return
		}
		l = prefix + l
		limit := longLine
		if pr.Width > 0 {
			limit = max(pr.Width-fieldIndent-2, 12)
		}
		pr.spaces(fieldIndent + 2)
		color := plain
		switch {
		case strings.HasPrefix(l, "+ "):
			color = green
		case strings.HasPrefix(l, "- "):
			color = red
		case strings.HasPrefix(l, "~ "):
			color = yellow
		}
		pr.in(color, cut(l, limit))
		pr.endLine()
	}
}

// textLines shows text of several lines.
func textLines(s string) []string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = "| " + clean(strings.ReplaceAll(l, "\t", "    "))
	}
	return lines
}

func elementLines(t *schema.Type, v value.Value) []string {
	var lines []string
	switch x := v.(type) {
	case value.List:
		for _, e := range x {
			lines = append(lines, string(appendValue(nil, t.Elem, e)))
		}
	case *value.Map:
		for _, e := range x.Entries {
			lines = append(lines, string(appendValue(append(appendClean(nil, e.Key), " = "...), t.Elem, e.Value)))
		}
	}
	return lines
}

// textChange shows how text of several lines differs; nil where it is not.
// What is the same at both ends is left out.
func textChange(c *schema.Change) []string {
	before, ok1 := c.Before.(string)
	after, ok2 := c.After.(string)
	if !ok1 || !ok2 || !strings.Contains(before, "\n") && !strings.Contains(after, "\n") {
		return nil
	}
	a, b := textLines(before), textLines(after)
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		from++
	}
	x, y := len(a), len(b)
	for x > from && y > from && a[x-1] == b[y-1] {
		x, y = x-1, y-1
	}
	var lines []string
	if from > 0 {
		lines = append(lines, "  ... "+countOf(from, "line", "lines")+" as before")
	}
	for _, l := range a[from:x] {
		lines = append(lines, "- "+l)
	}
	for _, l := range b[from:y] {
		lines = append(lines, "+ "+l)
	}
	if x < len(a) {
		lines = append(lines, "  ... "+countOf(len(a)-x, "line", "lines")+" as before")
	}
	return lines
}

// rolls says what changes because a new version is made.
func (pr *planPrinter) rolls(c *plan.Change) {
	what := "services that will roll: "
	names := make([]string, len(c.Rolls))
	for i, a := range c.Rolls {
		if a.Kind() != "service" {
			what = "what will change with it: "
		}
		names[i] = pr.names.Of(a)
	}
	if what[0] == 's' {
		for i, n := range names {
			names[i] = strings.TrimPrefix(n, "service.")
		}
	}
	for i, l := range fold(what+strings.Join(names, ", "), max(pr.Width-fieldIndent-2, 0)) {
		pr.spaces(fieldIndent + 2*min(i, 1))
		pr.line(l)
	}
}

// takes says what goes with a scope. It is whole: there is no undo.
func (pr *planPrinter) takes(c *plan.Change) {
	pr.spaces(fieldIndent)
	pr.line("takes with it " + countOf(len(c.Takes), "object", "objects") + ":")
	for _, t := range c.Takes {
		pr.spaces(fieldIndent + 2)
		pr.line(clean(t))
	}
}
