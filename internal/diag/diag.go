// Package diag holds problems as values: what is wrong, where in which file,
// why, and what to do about it. Everything that checks a script returns them;
// internal/ui turns them into text.
package diag

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Pos is a span of a source file. Lines and columns count from 1, columns in
// runes. End is exclusive and may be zero, for a point.
type Pos struct {
	File    string // as the user would name it: relative to the root, or @stdlib//x.star
	Line    int
	Col     int
	EndLine int
	EndCol  int
}

// IsValid reports whether the position names a place.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String returns file:line:col, less what is not known.
func (p Pos) String() string {
	switch {
	case p.File == "" && p.Line == 0:
		return "-"
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity tells an error from a warning.
type Severity int

const (
	Error Severity = iota
	Warning
)

// Frame is one call on the way to a problem.
type Frame struct {
	Name string // the function, "<toplevel>" for a module's own statements
	Pos  Pos
}

// Diagnostic is one problem.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	Summary  string  // what: lower case, no full stop
	Detail   string  // why, in as many lines as it takes; may be empty
	Hint     string  // what to do; may be empty
	Related  []Note  // other places that matter, such as an earlier declaration
	Stack    []Frame // outermost first; only where more than one call deep
}

// Note points at another place that belongs to a problem.
type Note struct {
	Pos  Pos
	Text string
}

// Error returns the problem in one line: file:line:col: summary.
func (d *Diagnostic) Error() string {
	s := d.Summary
	if d.Hint != "" && !strings.Contains(d.Hint, "\n") {
		s += " (" + d.Hint + ")"
	}
	if d.Pos.File == "" && d.Pos.Line == 0 {
		return s
	}
	return d.Pos.String() + ": " + s
}

// List is all the problems of one run. It is an error when it holds one.
type List []*Diagnostic

// Error returns one line per problem.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error, or nil where nothing in it is one.
func (l List) Err() error {
	for _, d := range l {
		if d.Severity == Error {
			return l
		}
	}
	return nil
}

// Sort orders the list by file, line and column, keeping the order of equals.
func (l List) Sort() {
	sort.SliceStable(l, func(i, j int) bool {
		a, b := l[i].Pos, l[j].Pos
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
}

// From returns the problems in an error: its list if it holds one, otherwise
// one diagnostic with its text.
func From(err error) List {
	if err == nil {
		return nil
	}
	var l List
	if errors.As(err, &l) {
		return l
	}
	var d *Diagnostic
	if errors.As(err, &d) {
		return List{d}
	}
	return List{{Summary: err.Error()}}
}

// Errorf makes an error at a position.
func Errorf(pos Pos, format string, args ...any) *Diagnostic {
	return &Diagnostic{Pos: pos, Summary: fmt.Sprintf(format, args...)}
}
