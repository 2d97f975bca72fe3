// Package run joins the parts for the verbs, the REPL and the tests: it
// evaluates a script, observes the scopes that it names, plans, and applies.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// GCPercent is how the program sets the garbage collector where GOGC does not:
// a run is short and its memory small, and collecting less often takes a tenth
// to a fifth off a plan of 10,000 declarations.
const GCPercent = 800

// Planned is a script with its plan, and the connections that it was observed
// through.
type Planned struct {
	*Script
	Plan *plan.Plan
	// Observed says in a line what was looked at: "1 engine, 1 swarm (3 nodes, 4
	// services)".
	Observed string
	Took     time.Duration

	saved    *plan.File // the plan that this one has to be
	buildErr error      // why there is none, where a saved one is compared

	view  *view
	shown *plan.Plan // what was approved, once a later plan has taken its place
}

// Plan evaluates, observes and plans. It writes nothing. What it returns has
// the script also with an error, for showing its lines.
func Plan(ctx context.Context, opts Options) (*Planned, error) {
	s, err := Evaluate(ctx, opts)
	if err != nil {
		return &Planned{Script: s}, err
	}
	return s.Plan(ctx)
}

// Plan observes and plans what the script declares; see [Plan].
func (s *Script) Plan(ctx context.Context) (*Planned, error) {
	p := &Planned{Script: s}
	return p, p.look(ctx)
}

// look observes and plans.
func (p *Planned) look(ctx context.Context) error {
	begun := time.Now()
	p.view = newView(p.Script)
	p.view.secrets = newSecrets(p.opts)
	p.view.forgets = p.opts.Forget
	if err := p.view.observe(ctx); err != nil {
		return errors.Join(err, p.view.close())
	}
	if p.opts.Patience > 0 && p.view.await(ctx, p.opts.Patience, p.opts.Waiting) {
		if err := p.view.observe(ctx); err != nil {
			return errors.Join(err, p.view.close())
		}
	}
	if err := p.view.twins(); err != nil {
		return errors.Join(err, p.view.close())
	}
	if err := p.inquire(ctx); err != nil {
		return errors.Join(err, p.view.close())
	}
	p.Observed, p.Took = p.view.summary(), time.Since(begun)
	if err := p.view.checkForgets(); err != nil {
		return errors.Join(err, p.view.close())
	}
	if p.saved != nil {
		if err := p.view.unreachable(); err != nil {
			return errors.Join(fmt.Errorf("nothing was applied: %w", err), p.view.close())
		}
	}
	var err error
	p.Plan, err = p.build(ctx)
	if err != nil && p.saved != nil { // then what has changed says more
		p.buildErr = err
		return nil
	}
	if err != nil {
		return errors.Join(err, p.view.close())
	}
	return nil
}

// inquire asks registries of the images that are to be pulled; see
// [view.inquire].
func (p *Planned) inquire(ctx context.Context) error {
	if p.opts.Destroy || len(p.opts.Imports) > 0 {
		return nil
	}
	err := p.view.inquire(ctx)
	p.expand(p.view.warnings)
	var refused refusedLogins
	if errors.As(err, &refused) {
		p.expand(refused.List)
	}
	return err
}

func (p *Planned) build(ctx context.Context) (*plan.Plan, error) {
	if err := p.view.steady(ctx, p.input); err != nil {
		return nil, err
	}
	built, problems := plan.Build(p.input())
	if built == nil {
		return nil, p.expand(problems)
	}
	built.Warnings = append(append(built.Warnings, p.Program.Warnings...), p.view.warnings...)
	if p.opts.RefreshOnly {
		built.OnlyLook()
	}
	return built, nil
}

func (p *Planned) input() plan.Input {
	return plan.Input{
		Program: p.Program, Scopes: p.view.states(), Kinds: registry.Kind, HashKey: p.view.hashKey(),
		Options: p.planOptions(),
	}
}

func (p *Planned) planOptions() plan.Options {
	return plan.Options{Destroy: p.opts.Destroy, AllowDataLoss: p.opts.AllowDataLoss, Adopt: p.opts.Adopt, AdoptAll: p.opts.AdoptAll, Imports: p.opts.Imports,
		AllowPending: p.opts.AllowPending || p.opts.Detach,
		Targets:      p.opts.Targets, Exclude: p.opts.Exclude, Replace: p.opts.Replace, Check: p.opts.Check}
}

// Close closes the connections.
func (p *Planned) Close() error {
	if p.view == nil {
		return nil
	}
	return p.view.close()
}

// ApplyOptions are how an apply talks to its caller.
type ApplyOptions struct {
	// Why is written into the lease for others to read: "apply cluster.star".
	Why string
	// Stop, once closed, lets running steps end and begins no new ones.
	Stop <-chan struct{}
	// Sink receives the events, one at a time.
	Sink func(apply.Event)
}

// Apply carries the plan out: it takes the leases, observes again, and stops
// at whatever would delete or replace what the plan did not show. Without
// anything to do it writes nothing.
func (p *Planned) Apply(ctx context.Context, opts ApplyOptions) (*apply.Result, error) {
	if err := p.Refused(); err != nil {
		return nil, err
	}
	if !p.writes() {
		res := p.run(ctx, opts, nil)
		p.locate(res)
		return res, nil
	}
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	leases := newLeases(p.Program.Project, p.opts.LockTimeout, opts, lost)
	defer func() {
		if err := leases.release(ctx); err != nil {
			p.note(opts, "a lease could not be given back, and expires by itself: "+err.Error())
		}
	}()
	if err := p.prepare(ctx, opts, leases); errors.Is(err, apply.ErrStopped) {
		return p.run(ctx, opts, nil), nil // which begins nothing, and says what was left out
	} else if err != nil {
		return nil, err
	}
	p.simulated(opts)
	res := p.run(ctx, opts, leases)
	p.letGo(res, leases)
	p.locate(res)
	var lease *apply.LostLease
	if errors.As(context.Cause(ctx), &lease) {
		res.LeaseLost = lease
	}
	defer p.tell(opts)
	if err := p.finish(ctx, res); err != nil {
		if res.ExitCode() == apply.ExitOK {
			return res, fmt.Errorf("everything was applied, but the project's ledger could not be written: %w", err)
		}
		p.note(opts, "the project's ledger could not be written: "+err.Error())
	}
	return res, nil
}

func (p *Planned) note(opts ApplyOptions, text string) {
	if opts.Sink != nil {
		opts.Sink(apply.Event{Time: time.Now(), Type: apply.Notice, Text: "warning: " + text})
	}
}

// simulated says once what of an apply is not real.
func (p *Planned) simulated(opts ApplyOptions) {
	inLab := slices.ContainsFunc(p.Program.Scopes, func(s *resource.Scope) bool { return s.Type == "lab" })
	if inLab && opts.Sink != nil && !p.opts.Destroy {
		opts.Sink(apply.Event{Time: time.Now(), Type: apply.Notice, Text: "lab: hosts and containers are simulated, the swarm is real"})
	}
}

// prepare takes the leases and looks again. Once the run is stopped it goes no
// further.
func (p *Planned) prepare(ctx context.Context, opts ApplyOptions, leases *leases) error {
	looking, stopped := context.WithCancelCause(ctx)
	defer stopped(nil)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-opts.Stop:
			stopped(apply.ErrStopped)
		case <-ended:
		}
	}()
	err := p.underLeases(ctx, looking, leases)
	if cause := context.Cause(looking); errors.Is(cause, apply.ErrStopped) {
		return cause
	}
	return err
}

// underLeases takes the leases of all scopes and plans again. A scope that has
// come to be since the plan was shown, by another apply that was waited for, is
// seen only then: its lease is taken as well, and everything looked at anew.
func (p *Planned) underLeases(ctx, looking context.Context, leases *leases) error {
	for {
		taken := false
		for _, from := range p.view.leasers() {
			isNew, err := leases.take(ctx, from)
			if err != nil {
				return err
			}
			taken = taken || isNew
		}
		if !taken {
			return nil
		}
		if err := p.begin(looking); err != nil {
			return err
		}
	}
}

// tell passes on what came up during the apply beside its steps.
func (p *Planned) tell(opts ApplyOptions) {
	if opts.Sink == nil {
		return
	}
	said := map[string]bool{}
	for _, w := range p.Plan.Warnings {
		said[w.Summary] = true
	}
	for _, w := range p.view.warnings {
		if !said[w.Summary] {
			said[w.Summary] = true
			opts.Sink(apply.Event{Time: time.Now(), Type: apply.Notice, Text: "warning: " + w.Summary})
		}
	}
}

// locate makes the positions of what failed the spans of their declarations.
func (p *Planned) locate(res *apply.Result) {
	for _, step := range res.Steps {
		if d := step.Change.Decl; d != nil && step.Err != nil {
			d.Pos = p.session.Expand(d.Pos)
		}
	}
}

// writes reports whether the plan has a step that writes; a plan may also only
// wait.
func (p *Planned) writes() bool {
	return !p.Plan.Empty() || len(p.view.letGo) > 0 || p.view.owesChecks() || len(p.Plan.Owes) > 0 || p.opts.RefreshOnly && p.view.outdated()
}

// partial reports whether the plan leaves something as it is that may have to
// change: then nothing is known to be finished.
func (p *Planned) partial() bool {
	return p.opts.RefreshOnly || len(p.opts.Imports)+len(p.opts.Targets)+len(p.opts.Exclude) > 0
}

// begin prepares the scopes that are there and plans again under the lease:
// what somebody else did since the plan was shown is seen, and nothing may go
// that was not shown.
func (p *Planned) begin(ctx context.Context) error {
	if err := p.view.observe(ctx); err != nil {
		return err
	}
	if err := p.inquire(ctx); err != nil {
		return err
	}
	p.view.unpassed = p.owed(due(p.Plan)) // until they have passed
	if err := p.view.saveLedgers(ctx, false); err != nil {
		return err
	}
	now, err := p.build(ctx)
	if err != nil {
		return err
	}
	if p.saved != nil {
		stale, err := p.staleSteps(now, false, false)
		if err := errors.Join(err, staleBecause(stale)); err != nil {
			return err
		}
	}
	if p.shown == nil {
		p.shown = p.Plan
	}
	plan.Restrict(now, p.shown)
	p.Plan = now
	return p.Refused()
}

// Refused is why the plan is not carried out though it could be made: what is
// foreseen of it. It is nil where nothing speaks against it.
func (p *Planned) Refused() error {
	refused := p.Plan.Refused()
	if len(refused) == 0 {
		return nil
	}
	return p.expand(refused)
}

func (p *Planned) run(ctx context.Context, opts ApplyOptions, leases *leases) *apply.Result {
	return apply.Run(ctx, apply.Input{
		Plan: p.Plan, Program: p.Plan.Program, Scopes: p.view.scopes, Parallelism: p.opts.Parallelism,
		Options: p.planOptions(),
		Detach:  p.opts.Detach, Timeout: p.opts.Timeout, Sink: opts.Sink, Stop: opts.Stop,
		Closing: func(addr string) { p.closing(addr, leases) },
		Away:    func(ctx context.Context, addr string, off bool) error { return p.away(ctx, addr, leases, off) },
		Leaving: sync.OnceFunc(func() { p.leaving(leases) }),
		Opened: func(ctx context.Context, addr string, opener *resource.Object, s *apply.Scope) error {
			if store, ok := s.Conn.(resource.Leaser); ok && leases != nil && !leases.covers(s.State.Scope) {
				if _, err := leases.take(ctx, leaser{leaseName(s.State.Scope, opener.ID), store}); err != nil {
					return err
				}
			}
			return p.view.opened(ctx, addr, opener, s)
		},
	})
}

// closing ends the leases that a scope holds which is about to go, and those in
// it.
func (p *Planned) closing(machine string, leases *leases) {
	if leases == nil {
		return
	}
	for _, addr := range p.view.inside(machine) {
		s := p.view.scope(addr)
		store, ok := s.Conn.(resource.Leaser)
		switch {
		case !ok:
		case s.State.Scope.Type == "swarm": // it may live on, on other machines
			leases.abandon(store)
		default:
			leases.abandonOn(machine, store)
		}
	}
}

// letGo forgets the scopes that were taken away, with what was in them: their
// ledgers and leases went too. With a machine that was made anew its lease went.
func (p *Planned) letGo(res *apply.Result, leases *leases) {
	for _, step := range res.Steps {
		c := step.Change
		if step.Outcome != apply.OK {
			continue
		}
		if switchesOff(c) {
			p.switchedOff(string(c.Outage.Machine))
		}
		if c.Kind.Opens == "" {
			continue
		}
		if c.Action == plan.Replace {
			leases.dropOn(string(c.Address))
		}
		if c.Action != plan.Delete {
			continue
		}
		for _, addr := range p.view.inside(string(c.Address)) {
			s := p.view.scope(addr)
			if store, ok := s.Conn.(resource.Leaser); ok {
				leases.drop(store)
			}
			if s.Conn != nil {
				s.Conn.Close() // to what is not there any more
			}
			delete(p.view.scopes, addr)
		}
	}
}

// finish brings the inventory up to date: what was destroyed is not listed any
// more.
func (p *Planned) finish(ctx context.Context, res *apply.Result) error {
	if ctx.Err() != nil {
		return nil
	}
	p.view.unpassed = p.owed(unpassed(res))
	ended := p.opts.Destroy || len(p.Program.Scopes) == 0 // where it declares nothing any more
	if p.partial() {
		return p.view.saveLedgers(ctx, false)
	}
	if ended && res.ExitCode() == apply.ExitOK && len(p.Plan.Unreachable) == 0 {
		return p.view.dropLedgers(ctx)
	}
	return p.view.saveLedgers(ctx, res.ExitCode() == apply.ExitOK)
}
