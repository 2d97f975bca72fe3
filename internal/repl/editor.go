package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Editor reads lines from a terminal, which can be edited, recalled and
// completed. The terminal is in raw mode only while a line is read, so that at
// any other time Ctrl-C is a signal and output needs no care.
type Editor struct {
	in, out     *os.File
	terminal    *term.Terminal
	size        func() (width, height int)
	reading     reading
	interrupted bool
	pending     string // the lines before this one
	complete    func(text string, pos int) (from int, found []string)
}

// NewEditor returns an editor over a terminal. complete says what could stand at
// a place of an input; see run.Session.
func NewEditor(in, out *os.File, size func() (width, height int), h *History, complete func(string, int) (int, []string)) *Editor {
	e := &Editor{in: in, out: out, size: size, complete: complete}
	e.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&keys{in: in}, out}, "")
	e.terminal.History = h
	e.terminal.AutoCompleteCallback = e.key
	return e
}

// Line implements [Lines].
func (e *Editor) Line(ctx context.Context, prompt, pending string) (line string, pasted bool, err error) {
	old, err := term.MakeRaw(int(e.in.Fd()))
	if err != nil {
		return "", false, fmt.Errorf("the terminal cannot be set up: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(int(e.in.Fd()), old)) }()
	e.terminal.SetBracketedPasteMode(true)
	defer e.terminal.SetBracketedPasteMode(false)
	if err := e.terminal.SetSize(e.size()); err != nil {
		return "", false, err
	}
	if e.reading.begun() { // for a line that was given up with its context
		fmt.Fprint(e.out, prompt)
	} else {
		e.terminal.SetPrompt(prompt)
		e.pending = pending
	}
	line, err = e.reading.wait(ctx, e.terminal.ReadLine)
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	switch {
	case e.interrupted:
		e.interrupted = false
		return "", false, ErrInterrupted
	case errors.Is(err, io.EOF):
		fmt.Fprint(e.out, "\r\n")
		return line, false, io.EOF
	case errors.Is(err, term.ErrPasteIndicator):
		return line, true, nil
	}
	return line, false, err
}

// interruptKey stands for Ctrl-C: what x/term makes of the real one cannot be
// told from the end of the input.
const interruptKey = '\ue003'

// key is asked about every key that is not one of x/term's own.
func (e *Editor) key(line string, pos int, key rune) (string, int, bool) {
	switch key {
	case interruptKey:
		e.interrupted = true
		line += "^C"
		return line, len(line), true
	case '\t':
		line, pos = e.tab(line, pos)
		return line, pos, true
	}
	return "", 0, false
}

// tab puts in what all candidates have in common, and lists them where they are
// several.
func (e *Editor) tab(line string, pos int) (string, int) {
	before := ""
	if e.pending != "" {
		before = e.pending + "\n"
	}
	from, found := e.complete(before+line, len(before)+pos)
	from -= len(before)
	if len(found) == 0 || from < 0 || from > pos {
		return line, pos
	}
	common := found[0]
	for _, f := range found[1:] {
		for !strings.HasPrefix(f, common) {
			_, n := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-n]
		}
	}
	if len(found) > 1 && common == line[from:pos] {
		width, _ := e.size()
		for i, f := range found { // what ends a candidate says nothing here
			found[i] = strings.TrimRight(f, " \"'])")
		}
		fmt.Fprint(e.terminal, Columns(found, width))
	}
	return line[:from] + common + line[pos:], from + len(common)
}

// Columns lays texts out as ls does.
func Columns(list []string, width int) string {
	const most = 300
	rest := ""
	if len(list) > most {
		rest = fmt.Sprintf("... %d more\n", len(list)-most)
		list = list[:most]
	}
	column := 0
	for _, l := range list {
		column = max(column, utf8.RuneCountInString(l))
	}
	column += 2
	across := max(1, width/column)
	down := (len(list) + across - 1) / across
	var b strings.Builder
	for row := range down {
		line := ""
		for i := row; i < len(list); i += down {
			line += fmt.Sprintf("%-*s", column, list[i])
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String() + rest
}

// keys is what is typed, with keys that x/term does not know as those it does.
type keys struct {
	in   io.Reader
	raw  [256]byte
	next string
}

var known = strings.NewReplacer(
	"\x03", "\x1b[201~\x05"+string(interruptKey)+"\r", // it also ends a paste, which may never end
	"\x1b[1~", "\x1b[H", "\x1b[7~", "\x1b[H", "\x1bOH", "\x1b[H", // Home
	"\x1b[4~", "\x1b[F", "\x1b[8~", "\x1b[F", "\x1bOF", "\x1b[F", // End
	"\x1bOA", "\x1b[A", "\x1bOB", "\x1b[B", "\x1bOC", "\x1b[C", "\x1bOD", "\x1b[D",
	"\x1b[1;5C", "\x1b[1;3C", "\x1b[1;5D", "\x1b[1;3D", // by words
	"\x1bf", "\x1b[1;3C", "\x1bb", "\x1b[1;3D",
)

// Read implements [io.Reader].
func (k *keys) Read(p []byte) (int, error) {
	if k.next == "" {
		n, err := k.in.Read(k.raw[:])
		if n == 0 {
			return 0, err
		}
		k.next = known.Replace(string(k.raw[:n]))
	}
	n := copy(p, k.next)
	k.next = k.next[n:]
	return n, nil
}
