// Command swarmscript plans and applies Docker Swarm infrastructure that a
// Starlark script describes.
//
// This package holds verbs, flags and exit codes; what they do is in
// internal/run. The result of a verb goes to standard output. Problems,
// progress and questions go to standard error, so that a pipe gets nothing but
// the result.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"

	"google.golang.org/grpc/grpclog"

	"github.com/swarmscript/swarmscript/internal/begin"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func main() {
	begin.Collect()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(run.GCPercent)
	}
	// gRPC, over which images are built, tells of every server and connection.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, lookupEnv: os.LookupEnv}
	os.Exit(a.main(os.Args[1:]))
}

// app is the program with its surroundings.
type app struct {
	in, out, err *os.File
	getenv       func(string) string
	lookupEnv    func(string) (string, bool)

	noColor   bool
	chdir     string
	interrupt *interrupt
}

// exit is an error that says no more than a code: what there was to say has
// been said.
type exit int

func (exit) Error() string { return "exit" }

// main runs one command line and returns the exit code.
func (a *app) main(args []string) int {
	a.interrupt = watchSignals(a.err)
	defer a.interrupt.close()
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(a.interrupt.ctx)
	var code exit
	switch {
	case err == nil:
		return apply.ExitOK
	case errors.As(err, &code):
		return int(code)
	}
	return a.fail(err, nil)
}

// fail shows an error and returns its exit code. source returns the lines of
// the script; it may be nil.
func (a *app) fail(err error, source func(string) []byte) int {
	if a.interrupt.begun() && errors.Is(err, context.Canceled) {
		a.notef("interrupted; nothing was changed")
		return apply.ExitInterrupted
	}
	a.problems(err, source)
	return apply.ExitCodeOf(err, apply.ExitError)
}

func (a *app) stdout() ui.Terminal { return ui.NewTerminal(a.in, a.out, a.noColor, a.getenv) }
func (a *app) stderr() ui.Terminal { return ui.NewTerminal(a.in, a.err, a.noColor, a.getenv) }
