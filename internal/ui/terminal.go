// Package ui is all that a person or a machine reads of plans and applies:
// the plan as text and as JSON, the progress of an apply, its summary, the
// question before it. It decides nothing; it only says what was decided.
//
// Three rules hold in all of it. Colour carries no meaning that the words do
// not. A secret is never written, whatever the level or the format. And text
// that comes from a script or from a cluster is shown with its control
// characters escaped: no label may move a person's cursor.
package ui

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is where a person sits, or what stands in for one. This file is
// the only one that asks what kind of terminal it is; the others ask here.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	// Live is set where lines can be redrawn: a terminal that moves its cursor
	// and is watched, not a log.
	Live bool
	// Ask is set where a person can answer: both ends are terminals.
	Ask bool
	// Color is set where escape codes for colour do good.
	Color bool
	// Size returns columns and rows, asked anew at each drawing because a
	// window can be resized; nil where there is no terminal.
	Size func() (width, height int)
}

// NewTerminal finds out what in and out are. noColor is the --no-color flag;
// getenv is os.Getenv, or what a test says.
//
//   - Off a terminal: no colour, no redrawing, no question, lines of any length.
//   - NO_COLOR (set, to anything: no-color.org) or --no-color: no colour. The
//     lines are still redrawn: NO_COLOR is about colour alone.
//   - TERM=dumb, or no TERM where there should be one: neither colour nor
//     redrawing.
//   - CI (set, but not "false"): nobody watches, though some runners have a
//     terminal: no redrawing and no question. Colour stays; logs show it.
func NewTerminal(in, out *os.File, noColor bool, getenv func(string) string) Terminal {
	t := Terminal{In: in, Out: out}
	fd := int(out.Fd())
	if !term.IsTerminal(fd) {
		return t
	}
	t.Size = func() (int, int) { return sizeOf(fd) }
	dumb := getenv("TERM") == "dumb" || !enableEscapes(out, getenv)
	ci := getenv("CI") != "" && getenv("CI") != "false"
	t.Color = !dumb && !noColor && getenv("NO_COLOR") == ""
	t.Live = !dumb && !ci
	t.Ask = !ci && term.IsTerminal(int(in.Fd()))
	return t
}

// sizeOf never returns 0: some terminals (serial lines, new ptys) do not know
// their size, and then it is the customary one.
func sizeOf(fd int) (width, height int) {
	w, h, err := term.GetSize(fd)
	if err != nil || w <= 0 {
		w = 80
	}
	if err != nil || h <= 0 {
		h = 24
	}
	return w, h
}

// Style is how text is laid out: that of a terminal, or of a file.
type Style struct {
	Width int // columns; 0 where nothing limits them
	Color bool
}

// Style returns the terminal's at this moment.
func (t Terminal) Style() Style {
	s := Style{Color: t.Color}
	if t.Size != nil {
		s.Width, _ = t.Size()
	}
	return s
}

// The few colours there are, each for one thing.
const (
	plain  = ""
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m" // it goes, or it failed
	green  = "\x1b[32m" // it comes, or it is done
	yellow = "\x1b[33m" // it changes; a warning
	cyan   = "\x1b[36m" // it is read
	reset  = "\x1b[0m"
)
