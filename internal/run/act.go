package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Acts are changes by a person's word, as a plan that can be shown and carried
// out. They are kept apart from what a script asks for: the next apply knows
// nothing of them.
type Acts struct {
	Plan *plan.Plan
	// Warnings say where the script says otherwise.
	Warnings []string

	live *Live
	acts map[*plan.Change]*operate.Act
}

// Acts makes a plan of acts.
func (l *Live) Acts(ctx context.Context, acts []*operate.Act) *Acts {
	out := &Acts{Plan: &plan.Plan{Project: l.Project(), Graph: &plan.Graph{}}, live: l, acts: map[*plan.Change]*operate.Act{}}
	declared := l.declared(ctx)
	for _, a := range acts {
		c := &plan.Change{
			Address: a.Service.Address(), Kind: swarm.ServiceKind, Scope: a.Service.State.Swarm.Address, Action: plan.Update,
			Live: a.Live, Args: a.Args, Fields: a.Fields, Mark: a.Live.Mark, Effect: a.Effect, Reason: a.Reason,
		}
		if in := declared[a.Live.ID]; in != nil {
			c.Decl = in.Decl // which knows what is sensitive
		}
		out.Plan.Changes = append(out.Plan.Changes, c)
		out.acts[c] = a
		if w := l.contradicts(a, declared[a.Live.ID]); w != "" {
			out.Warnings = append(out.Warnings, w)
		}
	}
	l.foresee(out.Plan)
	return out
}

// foresee warns where tasks would have no node, by what was observed for the
// script. It is only told: who acts by hand may know what comes next.
func (l *Live) foresee(p *plan.Plan) {
	if l.view == nil {
		return
	}
	for _, s := range l.Swarms {
		obs := l.view.scopes[s.Address].State.Obs
		if obs == nil || obs.Forecaster == nil {
			continue
		}
		byAddress := map[value.Address]*plan.Change{}
		byID := map[string]*plan.Change{}
		for _, c := range p.Changes {
			if c.Scope == s.Address {
				byAddress[c.Address], byID[c.Live.ID] = c, c
			}
		}
		var stay, change []resource.Prospect
		for _, o := range obs.Objects {
			title := o.Kind + " " + o.Name
			c := byID[o.ID]
			if c == nil {
				stay = append(stay, resource.Prospect{Title: title, Kind: o.Kind, Live: o})
				continue
			}
			change = append(change, resource.Prospect{
				Address: c.Address, Title: title, Kind: o.Kind, Live: o, Changes: true, Args: c.Args,
				Schema: c.Kind.Schema, Fields: c.Fields, Restart: len(c.Fields) == 0, NoWait: true,
			})
		}
		for _, f := range obs.Forecaster.Forecast(append(stay, change...), nil) {
			if c := byAddress[f.Address]; c != nil {
				f.Severity = diag.Warning
				c.Findings = append(c.Findings, &f.Diagnostic)
			}
		}
	}
}

// declared are the script's changes by the ID of what is live; there are none
// where it has no plan.
func (l *Live) declared(ctx context.Context) map[string]*plan.Change {
	out := map[string]*plan.Change{}
	p, err := l.Planned(ctx)
	if p == nil || err != nil {
		return out
	}
	for _, c := range p.Changes {
		if c.Live != nil && c.Decl != nil && !c.Decl.External {
			out[c.Live.ID] = c
		}
	}
	return out
}

// contradicts says that the next apply would undo an act, "" where it would
// not.
func (l *Live) contradicts(a *operate.Act, in *plan.Change) string {
	name := a.Service.Spec.Name
	if in == nil {
		switch project := a.Service.Mark.Project; {
		case project == "":
			return ""
		case l.Script == nil || project != l.Project():
			return fmt.Sprintf("%s belongs to %s: the next apply of that project makes it as its script says", name, project)
		}
		return fmt.Sprintf("%s is not in the script any more, or the script has no plan: the next apply decides about it", name)
	}
	diff := swarm.ServiceSchema.Diff(in.Args, a.Args, a.Live.Mark.Owned())
	diff = slices.DeleteFunc(diff, func(f schema.Change) bool {
		return slices.Contains(in.Decl.Lifecycle.IgnoreChanges, f.Field.Name)
	})
	if len(diff) == 0 {
		return ""
	}
	fields := ""
	for i, f := range diff {
		if i > 0 {
			fields += ", "
		}
		fields += f.Path
	}
	return fmt.Sprintf("%s says otherwise about %s (%s): the next apply makes it so again; change the script too", in.Decl.Pos, name, fields)
}

// Interrupts reports whether any of them stops or renews what runs.
func (a *Acts) Interrupts() bool {
	for _, act := range a.acts {
		if act.Interrupts {
			return true
		}
	}
	return false
}

// Apply carries the acts out, all at once, under the leases of the projects
// that the services belong to.
func (a *Acts) Apply(ctx context.Context, o Options, opts ApplyOptions) (*apply.Result, error) {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	release, err := a.lease(ctx, o, opts, lost)
	defer release()
	if err != nil {
		return nil, err
	}
	res := &apply.Result{}
	var mu sync.Mutex
	emit := func(e apply.Event) {
		mu.Lock()
		defer mu.Unlock()
		e.Time = time.Now()
		if opts.Sink != nil {
			opts.Sink(e)
		}
	}
	var wg sync.WaitGroup
	for _, c := range a.Plan.Changes {
		step := &apply.StepResult{Change: c}
		res.Steps = append(res.Steps, step)
		wg.Go(func() { a.step(ctx, step, o, emit) })
	}
	wg.Wait()
	var lease *apply.LostLease
	if errors.As(context.Cause(ctx), &lease) {
		res.LeaseLost = lease
	}
	return res, nil
}

// lease takes the leases of the projects, each in the swarm of its services,
// always in the same order.
func (a *Acts) lease(ctx context.Context, o Options, opts ApplyOptions, lost func(error)) (release func(), err error) {
	var held []*leases
	release = func() {
		for _, l := range held {
			if err := l.release(ctx); err != nil && opts.Sink != nil {
				opts.Sink(apply.Event{Time: time.Now(), Type: apply.Notice, Text: "warning: a lease could not be given back, and expires by itself: " + err.Error()})
			}
		}
	}
	byProject := map[string]*leases{}
	for _, c := range a.Plan.Changes {
		act := a.acts[c]
		project := act.Service.Mark.Project
		if project == "" {
			continue // nobody applies it
		}
		if byProject[project] == nil {
			byProject[project] = newLeases(project, o.LockTimeout, opts, lost)
			held = append(held, byProject[project])
		}
		sw := act.Service.State.Swarm
		if _, err := byProject[project].take(ctx, leaser{sw.Address, sw.Conn}); err != nil {
			return release, err
		}
	}
	return release, nil
}

func (a *Acts) step(ctx context.Context, step *apply.StepResult, o Options, emit func(apply.Event)) {
	c := step.Change
	begun := time.Now()
	emit(apply.Event{Type: apply.Started, Address: c.Address, Action: c.Action})
	timeout := o.Timeout
	if timeout == 0 {
		timeout = apply.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	step.Err = a.acts[c].Do(ctx, o.Detach, func(p resource.Progress) {
		emit(apply.Event{Type: apply.Progressed, Address: c.Address, Action: c.Action, Done: p.Done, Total: p.Total, Text: p.Text})
	})
	step.Took = time.Since(begun)
	if step.Err != nil {
		step.Outcome = apply.Broken
		emit(apply.Event{Type: apply.Failed, Address: c.Address, Action: c.Action, Err: step.Err, Elapsed: step.Took})
		return
	}
	step.Outcome = apply.OK
	emit(apply.Event{Type: apply.Finished, Address: c.Address, Action: c.Action, Elapsed: step.Took})
}
