package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// diff(address=None) plans and returns the changes as values.
func (s *Session) diff(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var what starlark.Value = starlark.None
	if err := starlark.UnpackArgs("diff", args, kwargs, "address?", &what); err != nil {
		return nil, err
	}
	address := ""
	if what != starlark.None {
		var err error
		if address, err = addressOf("diff", what); err != nil {
			return nil, err
		}
	}
	p, err := s.planned(thread)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.answered(); err != nil {
		return nil, err
	}
	if address == "" {
		return changesOf(p.Plan), nil
	}
	return changeOf("diff", p.Plan, address)
}

// answered is an error that names the scopes which did not answer: what is in
// them is in no plan.
func (p *Planned) answered() error {
	var errs []error
	for _, scope := range sortedKeys(p.Plan.Unreachable) {
		errs = append(errs, fmt.Errorf("%s did not answer: %w", scope, p.Plan.Unreachable[scope]))
	}
	return errors.Join(errs...)
}

// changeOf finds the change of one address, which may be none.
func changeOf(fn string, p *plan.Plan, address string) (starlark.Value, error) {
	var found []*plan.Change
	var names []string
	for _, c := range p.Changes {
		if string(c.Address) == address || c.Address.Short() == address {
			found = append(found, c)
		}
		names = append(names, c.Address.Short())
	}
	switch {
	case len(found) == 0:
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("%s: %s is neither declared nor live", fn, address), Hint: diag.DidYouMean(address, names)}
	case len(found) > 1 && found[0].Address != found[1].Address:
		return nil, fmt.Errorf("%s: %s could be %s or %s", fn, address, found[0].Address, found[1].Address)
	}
	return &change{found[0]}, nil
}

// changesOf are those that write something.
func changesOf(p *plan.Plan) *changes {
	out := &changes{}
	for _, c := range p.Changes {
		if c.Changes() {
			out.list = append(out.list, &change{c})
		}
	}
	return out
}

// changes is a list of them, found by place or address.
type changes struct{ list []*change }

func (l *changes) Type() string          { return "changes" }
func (l *changes) Freeze()               {}
func (l *changes) Truth() starlark.Bool  { return len(l.list) > 0 }
func (l *changes) Hash() (uint32, error) { return 0, errors.New("unhashable type: changes") }
func (l *changes) String() string        { return fmt.Sprintf("<%d changes>", len(l.list)) }
func (l *changes) Len() int              { return len(l.list) }

func (l *changes) Iterate() starlark.Iterator {
	elems := make(starlark.Tuple, len(l.list))
	for i, c := range l.list {
		elems[i] = c
	}
	return elems.Iterate()
}

// Get finds a change by its place or its address.
func (l *changes) Get(k starlark.Value) (starlark.Value, bool, error) {
	if i, ok := k.(starlark.Int); ok {
		n, _ := i.Int64()
		if n < 0 {
			n += int64(len(l.list))
		}
		if n < 0 || n >= int64(len(l.list)) {
			return nil, false, fmt.Errorf("changes: index %v is out of range: there are %d", i, len(l.list))
		}
		return l.list[n], true, nil
	}
	name, _ := starlark.AsString(k)
	var names []string
	for _, c := range l.list {
		if string(c.c.Address) == name || c.c.Address.Short() == name {
			return c, true, nil
		}
		names = append(names, c.c.Address.Short())
	}
	return nil, false, &diag.Diagnostic{Summary: fmt.Sprintf("changes: there is none of %s", name), Hint: diag.DidYouMean(name, names)}
}

func (l *changes) show(width int) string {
	if len(l.list) == 0 {
		return "no changes"
	}
	out := make([]string, len(l.list))
	for i, c := range l.list {
		out[i] = c.show(width)
	}
	return strings.Join(out, "\n")
}

// change is one resource's change as a value.
type change struct{ c *plan.Change }

func (c *change) Type() string          { return "change" }
func (c *change) Freeze()               {}
func (c *change) Truth() starlark.Bool  { return starlark.Bool(c.c.Changes()) }
func (c *change) Hash() (uint32, error) { return starlark.String(c.c.Address).Hash() }
func (c *change) String() string {
	return "<" + c.c.Action.String() + " " + string(c.c.Address) + ">"
}

func (c *change) Attr(name string) (starlark.Value, error) {
	text := map[string]string{
		"address": string(c.c.Address), "action": c.c.Action.String(), "kind": c.c.Kind.Name, "scope": c.c.Scope,
		"reason": c.c.Reason, "effect": c.c.Effect,
	}
	if t, ok := text[name]; ok {
		return starlark.String(t), nil
	}
	var out []starlark.Value
	switch name {
	case "findings":
		for _, d := range c.c.Findings {
			out = append(out, starlark.String(finding(d)))
		}
		return starlark.NewList(out), nil
	case "after", "before":
		return c.side(name == "after"), nil
	case "fields":
	default:
		return nil, nil
	}
	for _, d := range c.fields() {
		out = append(out, starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{
			"path": starlark.String(d.Path), "before": builtins.Plain(d.Type, d.Before), "after": builtins.Plain(d.Type, d.After),
		}))
	}
	return starlark.NewList(out), nil
}

func (c *change) AttrNames() []string {
	return []string{"action", "address", "after", "before", "effect", "fields", "findings", "kind", "reason", "scope"}
}

// side has all arguments by their names, as they will be or as they are. What is
// secret is marked so.
func (c *change) side(after bool) *starlark.Dict {
	args, later := c.c.Sides()
	if after {
		args = later
	}
	out := starlark.NewDict(len(args))
	for i, f := range c.c.Kind.Schema.Fields() {
		if i >= len(args) {
			break
		}
		v := args[i]
		if v != nil && (f.Secret || c.c.Decl != nil && value.Sensitive(c.c.Decl.Args[i])) {
			v = hide(v)
		}
		_ = out.SetKey(starlark.String(f.Name), builtins.Plain(f.Type, v)) // a text as a key never fails
	}
	return out
}

// finding is what is foreseen, in one line.
func finding(d *diag.Diagnostic) string {
	if d.Severity == diag.Warning {
		return "warning: " + d.Summary
	}
	return "error: " + d.Summary
}

// fields are the differences, and of what is made all that it is given; what is
// secret is marked so.
func (c *change) fields() []schema.Change {
	if len(c.c.Fields) == 0 && c.c.Action == plan.Create {
		var out []schema.Change
		for i, f := range c.c.Kind.Schema.Fields() {
			v := c.c.Args[i]
			if f.Name == "name" || schema.IsEmpty(v) || value.Equal(v, f.Default) {
				continue
			}
			if f.Secret && !value.Sensitive(v) {
				v = value.Secret{V: v}
			}
			out = append(out, schema.Change{Path: f.Name, Field: f, Type: f.Type, After: v})
		}
		return out
	}
	out := slices.Clone(c.c.Fields)
	for i, d := range out {
		secret := d.Secret || value.Sensitive(d.After)
		if decl := c.c.Decl; decl != nil && d.Field != nil {
			secret = secret || value.Sensitive(decl.Args[d.Field.Index])
		}
		if secret {
			out[i].Before, out[i].After = hide(d.Before), hide(d.After)
		}
	}
	return out
}

func hide(v value.Value) value.Value {
	if v == nil {
		return nil
	}
	return value.Secret{V: value.RevealAll(v)}
}

// show is the change as a plan begins it: the sign, the address, why, and the
// fields.
func (c *change) show(int) string {
	head := strings.TrimSpace(c.c.Action.Sign() + " " + string(c.c.Address))
	for _, note := range []string{c.c.Reason, c.c.Effect, c.c.Unsettled, c.c.Blocked} {
		if note != "" {
			head += ", " + note
		}
	}
	for _, d := range c.c.Findings {
		head += "\n  " + finding(d)
	}
	if !c.c.Changes() && c.c.Unsettled == "" && c.c.Action != plan.Check {
		return head + ": no change"
	}
	var rows [][2]string
	for _, d := range c.fields() {
		text := d.Type.Format(d.After)
		if c.c.Action != plan.Create {
			text = d.Type.Format(d.Before) + " -> " + text
		}
		rows = append(rows, [2]string{d.Path, text})
	}
	if len(rows) == 0 {
		return head
	}
	return head + "\n" + table(rows)
}
