// Package repl is the person's side of an interactive session: lines are read
// from a terminal or a pipe and put together to inputs; history, editing and
// completion are here. What an input does is the business of internal/run.
package repl

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/swarmscript/swarmscript/lang"
)

// ErrInterrupted says that a line was given up with Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// The prompts of an input's first line and of those after it.
const (
	prompt = ">>> "
	more   = "... "
)

// farewell is what people type to leave other prompts.
var farewell = map[string]bool{"exit": true, "exit()": true, "quit": true, "quit()": true}

// Lines is where lines come from.
type Lines interface {
	// Line returns the next line, and whether it was pasted. pending is the
	// lines before it of the same input. At the end the error is io.EOF, and the
	// line may hold what was not ended; where a person gives the line up it is
	// ErrInterrupted.
	Line(ctx context.Context, prompt, pending string) (line string, pasted bool, err error)
}

// Loop reads inputs and hands them over, until the end of the lines or of the
// context.
type Loop struct {
	Lines Lines
	// Eval evaluates an input and shows what comes of it.
	Eval func(ctx context.Context, text string)
	// Person is set where lines are typed: an empty one then ends a block.
	// Otherwise a block goes on up to a line that is not indented.
	Person bool
	// History remembers inputs; it may be nil. Warn tells why it does not.
	History *History
	Warn    func(error)
}

// Run is the session. It returns nil at the end of the lines.
func (l *Loop) Run(ctx context.Context) error {
	var in []string
	for {
		p := prompt
		if len(in) > 0 {
			p = more
		}
		line, pasted, err := l.Lines.Line(ctx, p, strings.Join(in, "\n"))
		switch {
		case errors.Is(err, ErrInterrupted):
			l.remember(in)
			in = nil
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err != nil:
			if line != "" {
				in = append(in, line)
			}
			if !l.Person { // a person who leaves in the middle of an input did not end it
				l.eval(ctx, in)
			}
			return ctx.Err()
		}
		if !l.Person && l.beginsAnew(in, line) {
			l.eval(ctx, in)
			in = nil
		}
		in = append(in, line)
		if blank(strings.Join(in, "")) {
			in = nil
		} else if !pasted && l.whole(in) {
			if l.Person && farewell[strings.TrimSpace(line)] {
				return nil
			}
			l.eval(ctx, in)
			in = nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (l *Loop) eval(ctx context.Context, in []string) {
	text := strings.Join(dedent(in), "\n")
	if blank(text) {
		return
	}
	l.remember(in)
	l.Eval(ctx, text+"\n")
}

func (l *Loop) remember(in []string) {
	if l.History == nil || len(in) == 0 {
		return
	}
	if err := l.History.Input(in); err != nil && l.Warn != nil {
		l.Warn(err)
	}
}

// whole reports whether an input is to be evaluated as it is.
func (l *Loop) whole(in []string) bool {
	last := in[len(in)-1]
	switch lang.Missing(strings.Join(dedent(in), "\n")) {
	case lang.GoesOn:
		return false
	case lang.MayGoOn:
		return l.Person && blank(last)
	}
	return l.Person || len(in) == 1 || !indented(last)
}

// beginsAnew reports whether a line cannot belong to the input before it: off a
// terminal, where nothing else ends a block.
func (l *Loop) beginsAnew(in []string, line string) bool {
	if len(in) == 0 || blank(line) || indented(line) || line[0] == '#' || lang.Missing(strings.Join(in, "\n")) == lang.GoesOn {
		return false
	}
	first := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == ':' || r == '(' })
	return len(first) == 0 || first[0] != "else" && first[0] != "elif"
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func indented(s string) bool { return s != "" && (s[0] == ' ' || s[0] == '\t') }

// dedent takes off the margin that all lines share with the first: what is
// pasted from the middle of a script, and the blank before a line that is not to
// be remembered.
func dedent(in []string) []string {
	margin := ""
	if len(in) > 0 {
		margin = in[0][:len(in[0])-len(strings.TrimLeft(in[0], " \t"))]
	}
	out := make([]string, len(in))
	for i, l := range in {
		rest, ok := strings.CutPrefix(l, margin)
		if !ok && !blank(l) {
			return in
		}
		out[i] = rest
	}
	return out
}

// Plain reads lines that nobody edits: from a pipe, or from a terminal that
// cannot move its cursor.
type Plain struct {
	in      *bufio.Reader
	prompt  io.Writer // nil for none
	reading reading
}

// NewPlain returns a reader of lines, which shows prompts on out unless that is
// nil.
func NewPlain(in io.Reader, out io.Writer) *Plain {
	return &Plain{in: bufio.NewReader(in), prompt: out}
}

// Line implements [Lines].
func (p *Plain) Line(ctx context.Context, prompt, _ string) (string, bool, error) {
	if p.prompt != nil {
		if _, err := io.WriteString(p.prompt, prompt); err != nil {
			return "", false, err
		}
	}
	line, err := p.reading.wait(ctx, func() (string, error) { return p.in.ReadString('\n') })
	return strings.TrimRight(line, "\r\n"), false, err
}

// reading is the wait for a line. A read from a terminal cannot be called off:
// one whose context ended goes on, and what it gets is the next line.
type reading struct{ answer chan reply }

type reply struct {
	line string
	err  error
}

func (r *reading) begun() bool { return r.answer != nil }

// wait returns what read does, or the context's error where that ends first.
func (r *reading) wait(ctx context.Context, read func() (string, error)) (string, error) {
	if r.answer == nil {
		answer := make(chan reply, 1)
		r.answer = answer
		go func() {
			line, err := read()
			answer <- reply{line, err}
		}()
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-r.answer:
		r.answer = nil
		return got.line, got.err
	}
}
