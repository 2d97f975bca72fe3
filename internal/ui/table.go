package ui

import (
	"encoding/json"
	"io"
)

// Table writes columns of text, each as wide as its widest cell. The last is
// not padded, and cut where the terminal ends.
type Table struct {
	Head []string
	Rows []Row
}

// Row is a line of a table, and what is said below it.
type Row struct {
	Cells    []string
	Bad, Old bool // somebody should look at it; it is over
	Below    []string
}

// WriteTable writes a table.
func WriteTable(w io.Writer, t Table, style Style) error {
	o := &out{w: w, Style: style}
	widths := make([]int, len(t.Head))
	measure := func(cells []string) {
		for i, c := range cells {
			widths[i] = max(widths[i], textWidth(clean(c)))
		}
	}
	measure(t.Head)
	for _, r := range t.Rows {
		measure(r.Cells)
	}
	line := func(cells []string, color string) {
		text := ""
		for i, c := range cells {
			c = clean(c)
			text += c
			if i < len(cells)-1 {
				text += string(appendSpaces(nil, widths[i]-textWidth(c)+3))
			}
		}
		if o.Width > 0 {
			text = head(text, o.Width)
		}
		o.in(color, text)
		o.endLine()
	}
	line(t.Head, plain)
	for _, r := range t.Rows {
		color := plain
		switch {
		case r.Bad:
			color = red
		case r.Old:
			color = dim
		}
		line(r.Cells, color)
		for _, b := range r.Below {
			o.detailIn(4, b)
		}
	}
	o.flush()
	return o.err
}

// detailIn writes a foreign text, folded, some columns in.
func (o *out) detailIn(indent int, s string) {
	for _, l := range cleanLines(s) {
		for _, f := range fold(l, max(o.Width-indent, min(o.Width, 20))) {
			o.spaces(indent)
			o.line(f)
		}
	}
}

// PrettyJSON writes a value as indented JSON.
func PrettyJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
