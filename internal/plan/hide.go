package plan

import (
	"maps"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What stands in a file for a value that must not be in it: a secret, known or
// not, and what is not secret but cannot be read back, such as a config's
// content. Two hidden values are equal, whatever they were.
var (
	hiddenKnown   = value.Secret{V: "hidden"}
	hiddenUnknown = value.Secret{V: value.Ref{Output: "hidden"}}
	unshownKnown  = "(write-only value)"
)

// Hidden returns the plan as it may be written to a file: nothing sensitive is
// in it, and nothing that only a run has a use for. It is shown as the plan
// itself is.
func (p *Plan) Hidden() *Plan {
	out := *p
	out.Program, out.Graph = nil, &Graph{}
	at := make(map[*Change]*Change, len(p.Changes))
	copyOf := func(list []*Change) []*Change {
		var all []*Change
		for _, c := range list {
			at[c] = c.hidden()
			all = append(all, at[c])
		}
		return all
	}
	out.Changes, out.Drift = copyOf(p.Changes), copyOf(p.Drift)
	if p.Graph != nil {
		for _, n := range p.Graph.Nodes {
			out.Graph.Nodes = append(out.Graph.Nodes, &Node{ID: n.ID, Change: at[n.Change], Phase: n.Phase, Deps: n.Deps})
		}
	}
	out.Outputs = make([]resource.OutputValue, len(p.Outputs))
	for i, o := range p.Outputs {
		if o.Sensitive {
			o.Value = hide(o.Value)
		}
		o.Value = hideIn(nil, o.Value)
		out.Outputs[i] = o
	}
	out.Unreachable, out.Off = maps.Clone(p.Unreachable), maps.Clone(p.Off)
	return &out
}

func (c *Change) hidden() *Change {
	out := *c
	out.Decl, out.Former = nil, nil
	if c.Kind == nil {
		return &out
	}
	s := c.Kind.Schema
	if c.Args != nil {
		out.Args = hideFields(s, c.Kept())
	}
	if c.Live != nil {
		live := *c.Live
		live.Native, live.Out, live.Uses = nil, nil, nil
		if live.Args != nil {
			live.Args = hideFields(s, c.Masked(live.Args))
		}
		out.Live = &live
	}
	out.Fields = nil
	for _, f := range c.Fields {
		f.Secret = f.Secret || c.HidesList(f.Field)
		if f.Secret || f.Field != nil && (f.Field.Secret || f.Field.WriteOnly) {
			cover := hide
			if !f.Secret && !f.Field.Secret {
				cover = unshown
			}
			f.Before, f.After = cover(f.Before), cover(f.After)
		} else {
			f.Before, f.After = hideIn(f.Type, f.Before), hideIn(f.Type, f.After)
		}
		out.Fields = append(out.Fields, f)
	}
	return &out
}

// SecretTexts are the texts in a program that are secret, or are given where a
// secret belongs.
func SecretTexts(p *resource.Program) []string {
	var out []string
	for _, d := range p.Declarations {
		out = secretFields(out, d.Kind.Schema, d.Args)
	}
	for _, o := range p.Outputs {
		out = secretIn(out, nil, o.Value, o.Sensitive)
	}
	return out
}

func secretFields(out []string, s *schema.Struct, args value.Struct) []string {
	for i, v := range args {
		if i < len(s.Fields()) {
			out = secretIn(out, s.Fields()[i].Type, v, s.Fields()[i].Secret)
		}
	}
	return out
}

func secretIn(out []string, t *schema.Type, v value.Value, secret bool) []string {
	var elem *schema.Type
	if t != nil {
		elem = t.Elem
	}
	switch x := v.(type) {
	case value.Secret:
		return secretIn(out, t, x.V, true)
	case *value.Template:
		for _, p := range x.Parts {
			out = secretIn(out, nil, p, secret)
		}
	case value.List:
		for _, e := range x {
			out = secretIn(out, elem, e, secret)
		}
	case *value.Map:
		for i := range x.Len() {
			out = secretIn(out, elem, x.Entries[i].Value, secret)
		}
	case value.Struct:
		if t != nil && t.Struct != nil && !secret {
			return secretFields(out, t.Struct, x)
		}
		for _, e := range x {
			out = secretIn(out, nil, e, secret)
		}
	case string:
		if secret && x != "" {
			out = append(out, x)
		}
	case int64, float64:
		if secret {
			out = append(out, value.Text(x))
		}
	}
	return out
}

// hide covers a value as a whole. What was not given stays so.
func hide(v value.Value) value.Value {
	switch {
	case v == nil:
		return nil
	case value.Known(v):
		return hiddenKnown
	}
	return hiddenUnknown
}

// unshown covers what is not secret, but too long and of no use.
func unshown(v value.Value) value.Value {
	switch {
	case v == nil:
		return nil
	case value.Sensitive(v):
		return hide(v)
	case value.Known(v):
		return unshownKnown
	}
	return hiddenUnknown.V
}

func hideFields(s *schema.Struct, args value.Struct) value.Struct {
	out := make(value.Struct, len(args))
	for i, v := range args {
		switch {
		case i >= len(s.Fields()):
			out[i] = hide(v)
		case s.Fields()[i].Secret:
			out[i] = hide(v)
		case s.Fields()[i].WriteOnly:
			out[i] = unshown(v)
		default:
			out[i] = hideIn(s.Fields()[i].Type, v)
		}
	}
	return out
}

// hideIn covers the parts of a value that are sensitive.
func hideIn(t *schema.Type, v value.Value) value.Value {
	var elem *schema.Type
	if t != nil {
		elem = t.Elem
	}
	switch x := v.(type) {
	case value.Secret:
		return hide(v)
	case *value.Template:
		out := &value.Template{Parts: make([]value.Value, len(x.Parts))}
		for i, p := range x.Parts {
			out.Parts[i] = hideIn(nil, p)
		}
		return out
	case value.List:
		out := make(value.List, len(x))
		for i, e := range x {
			out[i] = hideIn(elem, e)
		}
		return out
	case *value.Map:
		out := &value.Map{}
		for i := range x.Len() {
			out.Entries = append(out.Entries, value.Entry{Key: x.Entries[i].Key, Value: hideIn(elem, x.Entries[i].Value)})
		}
		return out
	case value.Struct:
		if t == nil || t.Struct == nil {
			return hide(v)
		}
		return hideFields(t.Struct, x)
	case value.Record:
		return hide(v)
	}
	return v
}
