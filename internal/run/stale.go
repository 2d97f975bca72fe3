package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
)

// Stale says that a saved plan is not what would be planned now, and why.
type Stale struct{ problem *diag.Diagnostic }

func staleBecause(reasons []string) error {
	if len(reasons) == 0 {
		return nil
	}
	return &Stale{&diag.Diagnostic{
		Summary: "the plan is stale: it is not what would be planned now", Detail: strings.Join(reasons, "\n"),
		Hint: "nothing was changed; make a new one with swarmscript plan --out",
	}}
}

func (e *Stale) Error() string {
	return e.problem.Summary + ": " + strings.ReplaceAll(e.problem.Detail, "\n", "; ")
}

// Unwrap gives the exit code, and what is shown.
func (e *Stale) Unwrap() []error { return []error{apply.ErrStale, e.problem} }

// PlanSaved plans as a saved plan was planned, and refuses if anything is not
// as it was then. Of opts, what belongs to a plan comes from the file; Vars may
// hold the sensitive ones, which it has not.
func PlanSaved(ctx context.Context, f *plan.File, opts Options) (*Planned, error) {
	if err := opts.restore(f); err != nil {
		return &Planned{Script: &Script{}}, err
	}
	s, err := Evaluate(ctx, opts)
	p := &Planned{Script: s, saved: f}
	if s.session == nil {
		return p, err
	}
	if _, there := os.Stat(opts.File); there != nil {
		return p, &diag.Diagnostic{Summary: fmt.Sprintf("the plan's script, %s, is not here", opts.File),
			Hint: "the plan was made in " + f.Dir + ": apply it there, or in a copy of it"}
	}
	if name := s.Program.Project; name != f.Project && (name != "" || err == nil) {
		return p, fmt.Errorf("the plan is one of project %s, and %s is project %s's", f.Project, opts.File, name)
	}
	if stale := p.staleInputs(func(kind string) bool { return kind == script }); stale != nil {
		return p, staleBecause(stale)
	}
	if err != nil {
		return p, err
	}
	if err := p.look(ctx); err != nil {
		return p, err
	}
	if err := p.stale(); err != nil {
		return p, errors.Join(err, p.view.close())
	}
	return p, nil
}

// restore takes over what a saved plan says. Variables that are given must be
// those that it does not hold.
func (o *Options) restore(f *plan.File) error {
	var problems diag.List
	for _, v := range o.Vars {
		name, _, err := builtins.ParseVar(v)
		if err != nil {
			problems = append(problems, &diag.Diagnostic{Summary: err.Error()})
		} else if !slices.ContainsFunc(f.Seals, func(s plan.Seal) bool { return s.Kind == "var" && s.Name == name }) {
			problems = append(problems, &diag.Diagnostic{Summary: fmt.Sprintf("--var %s: the plan has its variables; only sensitive ones, which it does not hold, are given again", name)})
		}
	}
	o.File, o.VarFiles = f.Script, f.VarFiles
	if f.Chdir {
		o.Chdir = "."
	}
	for _, name := range slices.Sorted(maps.Keys(f.Vars)) {
		o.Vars = append(o.Vars, name+"="+f.Vars[name])
	}
	env := o.Env
	o.Env = func(name string) (string, bool) {
		if text, saved := f.Env[name]; saved {
			if text == nil {
				return "", false
			}
			return *text, true
		}
		if env == nil {
			return "", false
		}
		return env(name)
	}
	w := f.Wishes
	o.Destroy, o.AllowDataLoss, o.AllowPending = w.Destroy, w.AllowDataLoss, w.AllowPending
	o.Adopt, o.AdoptAll, o.Forget, o.RefreshOnly = w.Adopt, w.AdoptAll, w.Forget, w.RefreshOnly
	o.Provider, o.Lab = w.Provider, w.Lab
	o.Targets, o.Exclude, o.Replace, o.Check = w.Targets, w.Exclude, w.Replace, w.Check
	return problems.Err()
}

// stale compares what a saved plan was made from, and what it is, with what
// there is now. Where it is another place altogether, nothing else is said.
func (p *Planned) stale() error {
	if reasons := p.staleScopes(); reasons != nil {
		return staleBecause(reasons)
	}
	var reasons []string
	switch key := (sealer{key: p.view.hashKey()}).keyID(); {
	case key == p.saved.Key:
		reasons = p.staleInputs(func(kind string) bool { return kind != script })
	case p.saved.Key == "":
		reasons = append(reasons, "the project was applied since: it has a ledger now")
	default: // no seal says anything
		reasons = append(reasons, "the project's hash key is another one: its ledger was made anew")
	}
	if p.buildErr != nil {
		for _, d := range diag.From(p.buildErr) {
			reasons = append(reasons, d.Error())
		}
		return staleBecause(reasons)
	}
	more, err := p.staleSteps(p.Plan, true, p.secretsMoved())
	if err != nil {
		return err
	}
	reasons = append(reasons, more...)
	if s := (sealer{p.saved.Salt, p.view.hashKey()}); reasons == nil && p.valuesSum(s) != p.saved.Values {
		reasons = append(reasons, "a sensitive value that a step writes is another one")
	}
	return staleBecause(reasons)
}

// secretsMoved reports whether a variable that may be a password is not what it was, or
// that cannot be known.
func (p *Planned) secretsMoved() bool {
	variable := func(kind string) bool { return kind == "env" || kind == "var" || kind == "var-file" }
	if (sealer{key: p.view.hashKey()}).keyID() != p.saved.Key {
		return slices.ContainsFunc(p.saved.Seals, func(s plan.Seal) bool { return variable(s.Kind) && s.Sum != "" })
	}
	return p.staleInputs(variable) != nil
}

// staleSteps compares the steps; where inputs changed that may be
// passwords, without values.
func (p *Planned) staleSteps(now *plan.Plan, same, hidden bool) ([]string, error) {
	written, err := plan.Written(now, registry.Kind)
	if err != nil {
		return nil, err
	}
	return plan.Differences(p.saved.Plan, written, same, hidden), nil
}

func (p *Planned) staleScopes() []string {
	var reasons []string
	was := map[string]string{}
	for _, s := range p.saved.Scopes {
		was[s.Address] = s.Identity
	}
	for _, s := range p.view.identities() {
		id, known := was[s.Address]
		delete(was, s.Address)
		switch {
		case !known:
			reasons = append(reasons, s.Address+" is new among the project's scopes")
		case id == "" && s.Identity != "":
			reasons = append(reasons, s.Address+" did not exist, and does now")
		case id != "" && s.Identity == "":
			reasons = append(reasons, s.Address+" existed, and does not now")
		case id != s.Identity:
			reasons = append(reasons, fmt.Sprintf("%s is another one: its ID is %s, and was %s", s.Address, s.Identity, id))
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(was)) {
		reasons = append(reasons, addr+" is not among the project's scopes any more")
	}
	return reasons
}

// staleInputs compares the seals of some kinds.
func (p *Planned) staleInputs(of func(kind string) bool) []string {
	var key []byte
	if p.view != nil {
		key = p.view.hashKey()
	}
	type id struct{ kind, name string }
	was := map[id]string{}
	for _, s := range p.saved.Seals {
		if of(s.Kind) {
			was[id{s.Kind, s.Name}] = s.Sum
		}
	}
	var reasons []string
	inputs := slices.DeleteFunc(p.inputs(), func(in input) bool { return !of(in.kind) })
	for _, s := range (sealer{p.saved.Salt, key}).all(inputs) {
		sum, known := was[id{s.Kind, s.Name}]
		delete(was, id{s.Kind, s.Name})
		what := inputWord(s.Kind) + " " + s.Name
		switch {
		case !known:
			reasons = append(reasons, what+" was not read when the plan was made")
		case sum != "" && s.Sum == "":
			reasons = append(reasons, what+" is not given now: "+giveAgain(s.Kind, s.Name))
		case sum != s.Sum:
			reasons = append(reasons, what+" has changed")
		}
	}
	for _, s := range p.saved.Seals {
		if _, left := was[id{s.Kind, s.Name}]; left {
			reasons = append(reasons, inputWord(s.Kind)+" "+s.Name+" is not read any more")
		}
	}
	return reasons
}

func inputWord(kind string) string {
	switch kind {
	case script:
		return "script"
	case "var":
		return "variable"
	case "env":
		return "environment variable"
	}
	return kind
}

func giveAgain(kind, name string) string {
	if kind == "var" {
		return fmt.Sprintf("a plan does not hold what is sensitive; give it with --var %s=... or %s%s", name, builtins.EnvPrefix, name)
	}
	return "a plan does not hold what is sensitive; set it"
}
