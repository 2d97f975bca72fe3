package main

import (
	"errors"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// usageError is a command line that makes no sense.
type usageError struct {
	verb string // the command's path, for where to read more
	msg  string
	hint string
}

func (e *usageError) Error() string { return e.msg }

func usagef(verb, hint, format string, args ...any) error {
	return &usageError{verb: verb, hint: hint, msg: fmt.Sprintf(format, args...)}
}

// problems shows an error on standard error.
func (a *app) problems(err error, source func(string) []byte) {
	var usage *usageError
	if errors.As(err, &usage) {
		a.usageProblem(usage)
		return
	}
	ui.Diagnostics(a.err, diag.From(err), source, a.stderr().Color)
}

func (a *app) usageProblem(e *usageError) {
	msg := "swarmscript: " + e.msg
	if e.hint != "" {
		msg += " (" + e.hint + ")"
	}
	ui.Note(a.err, msg, a.stderr().Style().Width)
	fmt.Fprintf(a.err, "run '%s --help' for usage\n", e.verb)
}

// notef tells something on standard error.
func (a *app) notef(format string, args ...any) {
	ui.Note(a.err, fmt.Sprintf(format, args...), a.stderr().Style().Width)
}
