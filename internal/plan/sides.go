package plan

import "github.com/swarmscript/swarmscript/internal/value"

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
				v = f.After(v, before[i], c.Live.Mark.Owned()[f.Name])
			}
		}
		if c.Decl != nil && i < len(c.Decl.Args) && !value.Sensitive(v) {
			v = Mask(f.Type, c.Decl.Args[i], v) // a live value that is kept
		}
		after[i] = v
	}
	return before, after
}
