package ui

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"
)

// Raw gives a terminal's keys to whoever reads them, Ctrl-C among them, until
// restore is called. It does nothing where in is no terminal.
func Raw(in *os.File) (restore func(), err error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return func() {}, nil
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { term.Restore(fd, old) }, nil // nothing can be done about a failure
}

// IsTerminal reports whether a file is one.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// sizeEvery is how often the size of a window is looked at: every system has
// that, and a signal only some.
const sizeEvery = 250 * time.Millisecond

// Sizes calls fn with a terminal's size, and again when it has changed, until
// ctx ends.
func (t Terminal) Sizes(ctx context.Context, fn func(width, height int)) {
	if t.Size == nil {
		return
	}
	tick := time.NewTicker(sizeEvery)
	defer tick.Stop()
	width, height := 0, 0
	for {
		if w, h := t.Size(); w != width || h != height {
			width, height = w, h
			fn(w, h)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
