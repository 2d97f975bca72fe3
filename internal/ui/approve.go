package ui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Secret asks for what is not shown while it is typed.
func (t Terminal) Secret(prompt string) (string, error) {
	in, ok := t.In.(*os.File)
	if !ok || !t.Ask {
		return "", ErrNobodyToAsk
	}
	fmt.Fprint(t.Out, prompt)
	text, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(t.Out)
	return string(text), err
}

// ErrNobodyToAsk says that changes need a person's yes and there is no person.
var ErrNobodyToAsk = errors.New("these actions need approval, and there is no terminal to ask on: " +
	"look at the plan, then run it again with --auto-approve")

// Question is what is asked before anything is changed.
type Question struct {
	Project string
	Destroy bool
	// Lost is what cannot be brought back: "volume.data and all in it".
	Lost []string
}

// Approve asks and reports whether the answer was yes. Only the whole word is
// one; an empty line, the end of input and every other answer are a no. It
// returns the context's error where that ends first: then the answer, should
// it still come, is nobody's, since a read from a terminal cannot be called
// off.
func Approve(ctx context.Context, t Terminal, q Question) (bool, error) {
	if !t.Ask {
		return false, ErrNobodyToAsk
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	o := &out{w: t.Out, Style: t.Style()}
	o.endLine()
	project := clean(q.Project)
	if project == "" {
		project = "this script"
	}
	if q.Destroy {
		o.in(bold, "Do you really want to destroy all of "+project+"?")
		o.endLine()
		o.line("  There is no undo.")
	} else {
		o.in(bold, "Do you want to perform these actions?")
		o.endLine()
	}
	for _, l := range q.Lost {
		o.in(red, "  This will be lost: "+clean(l))
		o.endLine()
	}
	o.line("  Only 'yes' will be accepted.")
	o.endLine()
	o.str("  Enter a value: ")
	o.flush()
	if o.err != nil {
		return false, o.err
	}
	type reply struct {
		line string
		err  error
	}
	answer := make(chan reply, 1)
	go func() {
		line, err := bufio.NewReader(t.In).ReadString('\n')
		answer <- reply{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.Out)
		return false, ctx.Err()
	case a := <-answer:
		if a.err != nil {
			fmt.Fprintln(t.Out) // the line that was not ended
			if !errors.Is(a.err, io.EOF) {
				return false, fmt.Errorf("reading the answer: %w", a.err)
			}
		}
		fmt.Fprintln(t.Out)
		return strings.TrimSpace(a.line) == "yes", nil
	}
}
