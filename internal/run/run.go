// Package run joins the parts for the verbs, the REPL and the tests: it
// evaluates a script, observes the scopes that it names, plans, and applies.
package run

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Options are what a verb was asked for.
type Options struct {
	// File is the entry script; Chdir the root, "" for the script's folder.
	File, Chdir string
	// Vars are --var name=value, VarFiles --var-file.
	Vars, VarFiles []string
	// Env looks up the environment.
	Env func(string) (string, bool)
	// Print receives what the script prints. May be nil.
	Print func(string)

	Destroy       bool
	AllowDataLoss bool
	Adopt         []string

	Parallelism int
	Detach      bool
	Timeout     time.Duration // of a step's convergence; 0: the default
	LockTimeout time.Duration // how long to wait for another apply
}

// Script is an evaluated script.
type Script struct {
	Program *resource.Program
	opts    Options
	source  func(file string) []byte
}

// Source returns the text of a file that the script was made of, for showing
// the line of a problem.
func (s *Script) Source(file string) []byte { return s.source(file) }

// Planned is a script with its plan, and the connections that it was observed
// through.
type Planned struct {
	*Script
	Plan *plan.Plan
	// Observed says in a line what was looked at: "1 engine, 1 swarm (3 nodes, 4
	// services)".
	Observed string
	Took     time.Duration

	scopes map[string]*apply.Scope
}

// ApplyOptions are how an apply talks to its caller.
type ApplyOptions struct {
	// Stop, once closed, lets running steps end and begins no new ones.
	Stop <-chan struct{}
	// Sink receives the events, one at a time.
	Sink func(apply.Event)
}

// Evaluate runs the script. Nothing is contacted.
func Evaluate(ctx context.Context, opts Options) (*Script, error) { panic("not yet") }

// Plan evaluates, observes and plans. It writes nothing. The script is
// returned also with an error, where there is one, for showing its lines.
func Plan(ctx context.Context, opts Options) (*Planned, error) { panic("not yet") }

// Apply carries the plan out: it takes the leases, observes again, and stops
// at whatever would delete or replace what the plan did not show.
func (p *Planned) Apply(ctx context.Context, opts ApplyOptions) (*apply.Result, error) {
	panic("not yet")
}

// Close closes the connections.
func (p *Planned) Close() error { panic("not yet") }
