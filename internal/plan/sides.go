package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Sides returns the arguments before and after a change, in full: what the
// script leaves out is its default, or stays as it is.
func (c *Change) Sides() (before, after value.Struct) {
	if c.Kind == nil {
		return nil, nil
	}
	s := c.Kind.Schema
	if c.Live != nil {
		before = c.Masked(c.Live.Args)
	}
	if c.Action.Drops() || c.Args == nil || s == nil {
		return before, nil
	}
	after = make(value.Struct, len(s.Fields()))
	for i, f := range s.Fields() {
		v := c.Args[i]
		if v == nil {
			v = f.Default
		}
		if i < len(before) {
			switch {
			case v == nil:
				v = before[i]
			case f.Merge:
				v = merged(f.Name, c, v, before[i])
			}
		}
		if c.Decl != nil && i < len(c.Decl.Args) && !value.Sensitive(v) {
			v = Mask(f.Type, c.Decl.Args[i], v) // a live value that is kept
		}
		after[i] = v
	}
	return before, after
}

// merged is a map of which only some keys are ours, as it will be.
func merged(field string, c *Change, want, live value.Value) value.Value {
	w, ok1 := want.(*value.Map)
	l, ok2 := live.(*value.Map)
	if !ok1 || !ok2 || l.Len() == 0 {
		return want
	}
	owned := c.Live.Mark.Owned()[field]
	var entries []value.Entry
	for _, e := range l.Entries {
		if !slices.Contains(owned, e.Key) {
			entries = append(entries, e)
		}
	}
	if w != nil {
		entries = append(entries, w.Entries...) // of equal keys the last wins
	}
	return value.NewMap(entries)
}
