package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Imported is what became of one import.
type Imported struct {
	Change  *plan.Change
	Already bool // it was the address's object before
}

// Import gives live objects the marks of declarations, and changes nothing
// else. All are checked before the first is written. The script is returned
// also with an error, for showing its lines.
func Import(ctx context.Context, opts Options, apply ApplyOptions) (*Script, []Imported, error) {
	p, err := Plan(ctx, opts)
	if err != nil {
		return p.Script, nil, err
	}
	defer p.Close()
	var out []Imported
	for _, c := range p.Plan.Changes {
		if c.Blocked != "" {
			return p.Script, nil, fmt.Errorf("import %s: %w", c.Address.Short(), scopeError(p.Plan, c.Scope))
		}
		if (c.Kind.MarkFixed || c.Live.MarkFixed) && !keepsMarks(p.view.scopes[c.Scope].Conn) {
			return p.Script, nil, fmt.Errorf("import %s: the labels of a %s cannot be changed, and %s keeps no marks", c.Address.Short(), c.Kind.Name, c.Scope)
		}
		out = append(out, Imported{Change: c, Already: !c.Changes()})
	}
	res, err := p.Apply(ctx, apply)
	if err != nil {
		return p.Script, nil, err
	}
	return p.Script, out, failure(res)
}

// keepsMarks reports whether a scope can hold the marks of what cannot carry
// them itself.
func keepsMarks(c resource.Conn) bool {
	_, ok := c.(resource.Marker)
	return ok
}

// scopeError says why a scope did not answer.
func scopeError(p *plan.Plan, scope string) error {
	if err := p.Unreachable[scope]; err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", scope, resource.ErrUnreachable)
}

// failure joins the errors of the steps that did not end well.
func failure(res *apply.Result) error {
	errs := []error{res.LeaseLost}
	for _, s := range res.Steps {
		switch {
		case s.Err != nil:
			errs = append(errs, fmt.Errorf("import %s: %w", s.Change.Address.Short(), s.Err))
		case s.Outcome == apply.Omitted:
			errs = append(errs, fmt.Errorf("import %s: %w", s.Change.Address.Short(), apply.ErrStopped))
		}
	}
	return errors.Join(errs...)
}
