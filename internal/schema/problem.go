package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Problem is one thing wrong with an argument.
type Problem struct {
	Path string // as in ports[0].published; "" for the value as a whole
	Msg  string
	Hint string
}

// Error returns path: message (hint).
func (p *Problem) Error() string {
	s := p.Msg
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems is all that is wrong with a value.
type Problems []*Problem

// Error joins the problems with "; ".
func (ps Problems) Error() string {
	msgs := make([]string, len(ps))
	for i, p := range ps {
		msgs[i] = p.Error()
	}
	return strings.Join(msgs, "; ")
}

func wrong(format string, args ...any) error {
	return Problems{{Msg: fmt.Sprintf(format, args...)}}
}

// within puts a step before the paths of an error's problems.
func within(step string, err error) Problems {
	var ps Problems
	if !errors.As(err, &ps) {
		ps = Problems{{Msg: err.Error()}}
	}
	out := make(Problems, len(ps))
	for i, p := range ps {
		q := *p
		switch {
		case q.Path == "":
			q.Path = step
		case q.Path[0] == '[':
			q.Path = step + q.Path
		default:
			q.Path = step + "." + q.Path
		}
		out[i] = &q
	}
	return out
}

// hideValue replaces the problems with a secret value by one that tells only
// its type: their messages may quote it, and their paths the keys of a map. A
// wrong type is told as ever.
func hideValue(err error, v value.Value) error {
	v = value.Reveal(v)
	switch v.(type) {
	case nil, bool, value.Ref:
		return err
	}
	return wrong("the sensitive value (%s) is not valid here", typeName(v))
}
