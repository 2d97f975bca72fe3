package run

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// PlanValue is a plan as a script reads it: how many resources it would add,
// change, replace and delete; whether it is empty; its changes as values; and by
// an address the change of one resource, which may be none.
type PlanValue struct{ Plan *plan.Plan }

var (
	_ starlark.HasAttrs = (*PlanValue)(nil)
	_ starlark.Mapping  = (*PlanValue)(nil)
)

func (p *PlanValue) Type() string          { return "plan" }
func (p *PlanValue) Freeze()               {}
func (p *PlanValue) Truth() starlark.Bool  { return starlark.True }
func (p *PlanValue) Hash() (uint32, error) { return 0, errors.New("unhashable type: plan") }

// String is the last line of its text.
func (p *PlanValue) String() string {
	n := p.Plan.Counts()
	return fmt.Sprintf("<plan: %d to add, %d to change, %d to replace, %d to delete>", n.Add, n.Change, n.Replace, n.Delete)
}

// Get returns the change of an address. What is neither declared nor live has
// none.
func (p *PlanValue) Get(k starlark.Value) (starlark.Value, bool, error) {
	address, err := addressOf("plan", k)
	if err != nil {
		return nil, false, err
	}
	v, err := changeOf("plan", p.Plan, address)
	return v, err == nil, err
}

// Attr implements [starlark.HasAttrs].
func (p *PlanValue) Attr(name string) (starlark.Value, error) {
	n := p.Plan.Counts()
	switch name {
	case "actions":
		return p.actions(), nil
	case "add":
		return starlark.MakeInt(n.Add), nil
	case "change":
		return starlark.MakeInt(n.Change), nil
	case "changes":
		return changesOf(p.Plan), nil
	case "delete":
		return starlark.MakeInt(n.Delete), nil
	case "empty":
		return starlark.Bool(p.Plan.Empty()), nil
	case "off":
		off := []starlark.Value{}
		for _, scope := range sortedKeys(p.Plan.Off) {
			off = append(off, starlark.String(scope))
		}
		return starlark.NewList(off), nil
	case "replace":
		return starlark.MakeInt(n.Replace), nil
	case "warnings":
		var out []starlark.Value
		for _, w := range p.Plan.Warnings {
			out = append(out, starlark.String(w.Summary))
		}
		return starlark.NewList(out), nil
	}
	return nil, nil
}

// AttrNames implements [starlark.HasAttrs].
func (p *PlanValue) AttrNames() []string {
	return []string{"actions", "add", "change", "changes", "delete", "empty", "off", "replace", "warnings"}
}

// actions are those of what changes, by short addresses where these are unique. Of
// what is on a machine that is off nothing is known, so it is not among them.
func (p *PlanValue) actions() *starlark.Dict {
	shorts := map[string]int{}
	var changing []*plan.Change
	for _, c := range p.Plan.Changes {
		if c.Changes() && !(c.Deferred && p.Plan.Off[c.Scope]) {
			changing = append(changing, c)
			shorts[c.Address.Short()]++
		}
	}
	out := starlark.NewDict(len(changing))
	for _, c := range changing {
		name := c.Address.Short()
		if shorts[name] > 1 {
			name = string(c.Address)
		}
		_ = out.SetKey(starlark.String(name), starlark.String(c.Action.String())) // a text as a key never fails
	}
	return out
}

// ResultValue is how an apply went as a script reads it.
func ResultValue(r *apply.Result) starlark.Value { return applied(r) }
