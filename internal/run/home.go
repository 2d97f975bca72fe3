package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A cluster is its swarm, not the host that it began on: any manager answers for
// it. A declaration of a swarm is moved to the scope of one that does, its home,
// before anything is decided; the script's stays the first choice.

// homes are the scopes in which an opener may be found: the script's, and those
// that something in its scope stands on.
func (v *view) homes(d *resource.Declaration) []string {
	first, known := v.written[d.Address]
	if !known {
		first = d.Scope
		v.written[d.Address] = first
	}
	out := []string{first}
	for _, other := range v.program.Declarations {
		if other.On != "" && other.Scope == string(d.Address) && !slices.Contains(out, other.On) {
			out = append(out, other.On)
		}
	}
	return out
}

// settle chooses the home of a scope's opener. It reports false while one that
// has not been looked at may turn out to be it, unless this is the last time.
func (v *view) settle(s *resource.Scope, last bool) bool {
	d := v.opener(s)
	if d == nil {
		return v.find(s) || last
	}
	homes := v.homes(d)
	if len(homes) == 1 {
		return true
	}
	for _, addr := range homes {
		if st := v.scopes[addr]; st != nil && !v.avoid[addr] && v.holds(st, d) {
			d.Scope = addr
			return true
		}
	}
	d.Scope = homes[0]
	return last
}

// find looks for a swarm that only the inventory names, on the engine that has
// its ID: the inventory has the one that the script began it on, which may be
// gone since. It reports whether the swarm was found, or where else it cannot be.
func (v *view) find(s *resource.Scope) bool {
	e := v.entries[s.Address]
	if e.Type != "swarm" || e.ID == "" {
		return true
	}
	for _, addr := range append([]string{e.Endpoint}, slices.Sorted(maps.Keys(v.scopes))...) {
		on := v.scopes[addr]
		if on == nil || on.State.Obs == nil || !slices.ContainsFunc(on.State.Obs.Objects, func(o *resource.Object) bool { return o.Kind == "swarm" && o.ID == e.ID }) {
			continue
		}
		v.found[s.Address], s.Parent = addr, addr
		return true
	}
	return false
}

// doubt takes a scope that was not found for one that does not answer while it
// may be where nobody could look: a manager's engine that does not answer, or is
// off, may have the swarm, and another one must not be made.
func (v *view) doubt() {
	for _, s := range v.program.Scopes {
		d := v.opener(s)
		if d == nil || v.scopes[s.Address].State.Status != plan.Absent || v.scopes[s.Address].State.Off {
			continue
		}
		for _, addr := range v.homes(d)[1:] {
			home := v.scopes[addr]
			if home == nil || !v.manages(addr, s) || home.State.Status != plan.Unreachable && !home.State.Off {
				continue
			}
			v.put(s, nil, unreachable(s, fmt.Errorf("it may be in %s, which does not answer; bring that back, or, where it is gone for good, take it out of the script: %w", addr, resource.ErrUnreachable)))
			break
		}
	}
}

// manages reports whether what stands on an engine is declared as a manager.
func (v *view) manages(on string, s *resource.Scope) bool {
	return slices.ContainsFunc(v.program.Declarations, func(d *resource.Declaration) bool {
		if d.On != on || d.Scope != s.Address {
			return false
		}
		f, ok := d.Kind.Schema.Field("role")
		return ok && d.Args[f.Index] == "manager"
	})
}

// holds reports whether a scope has the object that a declaration made.
func (v *view) holds(s *apply.Scope, d *resource.Declaration) bool {
	if s.State.Obs == nil {
		return false
	}
	was := d.Address
	for _, m := range v.program.Moves {
		if m.To == d.Address {
			was = m.From
		}
	}
	return slices.ContainsFunc(s.State.Obs.Objects, func(o *resource.Object) bool {
		return o.Kind == d.Kind.Name && o.Mark.Project == v.program.Project && (o.Mark.Address == d.Address || o.Mark.Address == was)
	})
}

// steady moves what is reached through scopes that the plan takes away, or makes
// anew, to others that stay, and looks at it again from there. What is seen from
// there may take away more: that is asked until all stays.
func (v *view) steady(ctx context.Context, in func() plan.Input) error {
	if !slices.ContainsFunc(v.program.Declarations, func(d *resource.Declaration) bool { return d.On != "" }) {
		return nil
	}
	v.avoid = map[string]bool{}
	for {
		maps.Copy(v.avoid, plan.Going(in()))
		moved := v.move()
		if len(moved) == 0 {
			return nil
		}
		if err := v.observeAll(ctx, moved); err != nil {
			return err
		}
	}
}

// move gives the scopes whose homes are to be avoided others that are not. It
// returns those: they have to be looked at again.
func (v *view) move() (moved []*resource.Scope) {
	for _, s := range v.program.Scopes {
		d := v.opener(s)
		if d == nil || v.scopes[s.Address] == nil || v.scopes[s.Address].State.Obs == nil || !v.avoid[d.Scope] {
			continue
		}
		was := d.Scope
		if v.settle(s, true); v.avoid[d.Scope] || d.Scope == was || !v.holds(v.scopes[d.Scope], d) {
			d.Scope = was // there is nowhere else to go
			continue
		}
		moved = append(moved, s)
	}
	return moved
}

// away reports whether a connection goes through another scope than it should
// by now.
func (v *view) away(s *resource.Scope) bool {
	d := v.opener(s)
	v.mu.Lock()
	defer v.mu.Unlock()
	return d != nil && v.through[s.Address] != "" && v.through[s.Address] != d.Scope
}

// reached notes what a scope is reached through.
func (v *view) reached(s *resource.Scope) {
	if d := v.opener(s); d != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.through[s.Address] = d.Scope
	}
}
