package debian

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// redirect applies redirections to the shell's descriptors, in their order.
func (sh *shell) redirect(ctx context.Context, list []*syntax.Redirect) bool {
	for _, r := range list {
		if err := sh.redirectOne(ctx, r); err != nil {
			if !errors.Is(err, errSaid) {
				sh.errorf("%v", err)
			}
			return false
		}
	}
	return true
}

var errSaid = errors.New("it was said already")

func (sh *shell) redirectOne(ctx context.Context, r *syntax.Redirect) error {
	n := 1
	switch r.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		n = 0
	}
	if r.N != nil {
		var err error
		if n, err = strconv.Atoi(r.N.Value); err != nil || n > 255 {
			return fmt.Errorf("%s: bad file descriptor", r.N.Value)
		}
	}
	if r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc {
		text, err := sh.hereDocument(ctx, r)
		if sh.expandError(err) {
			return errSaid
		}
		return sh.fds.set(n, readStream(strings.NewReader(text)))
	}
	word, err := literal(sh.config(ctx), r.Word)
	if sh.expandError(err) {
		return errSaid
	}
	switch r.Op {
	case syntax.WordHdoc:
		return sh.fds.set(n, readStream(strings.NewReader(word+"\n")))
	case syntax.DplIn, syntax.DplOut:
		return sh.duplicate(n, word)
	case syntax.RdrIn:
		return sh.openTo(n, word, flagRead)
	case syntax.RdrInOut:
		return sh.openTo(n, word, flagBoth)
	case syntax.AppOut:
		return sh.openTo(n, word, flagAppend)
	case syntax.RdrOut, syntax.RdrClob:
		if st, err := sh.fs.Stat(word); err == nil && sh.opts['C'] && r.Op == syntax.RdrOut && st.Kind == File {
			return fmt.Errorf("cannot create %s: File exists", word)
		}
		return sh.openTo(n, word, flagWrite)
	case syntax.RdrAll, syntax.AppAll:
		flag := flagWrite
		if r.Op == syntax.AppAll {
			flag = flagAppend
		}
		if err := sh.openTo(1, word, flag); err != nil {
			return err
		}
		return sh.fds.set(2, sh.fds.at(1).keep())
	}
	return fmt.Errorf("swarmscript lab: not simulated in the shell: the redirection %s", r.Op)
}

func (sh *shell) duplicate(n int, word string) error {
	if word == "-" {
		return sh.fds.set(n, nil)
	}
	from, err := strconv.Atoi(word)
	if err != nil || sh.fds.at(from) == nil {
		return fmt.Errorf("%s: Bad file descriptor", word)
	}
	if from == n {
		return nil
	}
	return sh.fds.set(n, sh.fds.at(from).keep())
}

func (sh *shell) openTo(n int, p string, flag int) error {
	if from, ok := descriptorPath(p); ok {
		return sh.duplicate(n, strconv.Itoa(from))
	}
	h, err := sh.fs.Open(p, flag, 0o666)
	if err != nil {
		verb := "create"
		if flag == flagRead {
			verb = "open"
		}
		if sh.bash {
			return fmt.Errorf("%s: %s", p, reason(err))
		}
		text := reason(err)
		if Is(err, ENOENT) { // dash has words of its own
			if text = "No such file"; verb == "create" {
				text = "Directory nonexistent"
			}
		}
		return fmt.Errorf("cannot %s %s: %s", verb, p, text)
	}
	return sh.fds.set(n, fileStream(h))
}

// hereDocument returns what a here-document says.
func (sh *shell) hereDocument(ctx context.Context, r *syntax.Redirect) (string, error) {
	if r.Hdoc == nil {
		return "", nil
	}
	body := r.Hdoc
	if r.Op == syntax.DashHdoc {
		body = withoutTabs(body)
	}
	for _, part := range r.Word.Parts {
		lit, plain := part.(*syntax.Lit)
		if !plain || strings.Contains(lit.Value, `\`) { // a quoted word: nothing is expanded
			var b strings.Builder
			for _, p := range body.Parts {
				if l, ok := p.(*syntax.Lit); ok {
					b.WriteString(l.Value)
				}
			}
			return b.String(), nil
		}
	}
	return expand.Document(sh.config(ctx), body)
}

// withoutTabs takes the tabs from the beginnings of lines.
func withoutTabs(w *syntax.Word) *syntax.Word {
	to := &syntax.Word{}
	start := true
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			to.Parts, start = append(to.Parts, part), false
			continue
		}
		var b strings.Builder
		for _, line := range strings.SplitAfter(lit.Value, "\n") {
			if start {
				line = strings.TrimLeft(line, "\t")
			}
			b.WriteString(line)
			start = strings.HasSuffix(line, "\n") || start && line == ""
		}
		l := *lit
		l.Value = b.String()
		to.Parts = append(to.Parts, &l)
	}
	return to
}
