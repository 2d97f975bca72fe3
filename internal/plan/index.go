package plan

import (
	"slices"
	"sync"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Index finds the live objects of a scope.
type Index struct {
	State   *ScopeState
	project string
	ours    map[value.Address][]*resource.Object
	// Of a plan without changes nothing is asked for by its name or its ID, so
	// these are made when it is; the executor's steps ask at the same time. Of
	// kinds that are single the last one counts.
	names sync.Once
	named map[kindName]*resource.Object
	byID  map[string]*resource.Object
	users map[string][]*resource.Object // by the ID of what they use
}

type kindName struct{ kind, name string }

// NewIndex indexes a scope's observation for a project. Marks in the ledger
// win over those that the objects carry.
func NewIndex(st *ScopeState, project string) *Index {
	ix := &Index{State: st, project: project}
	if st.Status != Present {
		return ix
	}
	objects := st.Obs.Objects
	ix.ours = make(map[value.Address][]*resource.Object, len(objects))
	alone := make([]*resource.Object, len(objects)) // most addresses have one
	for i, o := range objects {
		if m, ok := st.Obs.Ledger.Marks[o.ID]; ok && !o.Mark.Equal(m) { // once: steps read it
			o.Mark = m
		}
		if o.Mark.Project != project || project == "" {
			continue
		}
		if others := ix.ours[o.Mark.Address]; others != nil {
			ix.ours[o.Mark.Address] = append(others, o)
			continue
		}
		alone[i] = o
		ix.ours[o.Mark.Address] = alone[i : i+1 : i+1]
	}
	return ix
}

// withID returns the live object that has an ID, or nil.
func (ix *Index) withID(id string) *resource.Object {
	if ix.byID == nil && ix.State.Obs != nil {
		ix.byID = make(map[string]*resource.Object, len(ix.State.Obs.Objects))
		for _, o := range ix.State.Obs.Objects {
			ix.byID[o.ID] = o
		}
	}
	return ix.byID[id]
}

// usersOf returns the live objects that use the one with an ID, in the order
// of the observation.
func (ix *Index) usersOf(id string) []*resource.Object {
	if ix.users == nil && ix.State.Obs != nil {
		ix.users = map[string][]*resource.Object{}
		for _, o := range ix.State.Obs.Objects {
			for i, used := range o.Uses {
				if !slices.Contains(o.Uses[:i], used) {
					ix.users[used] = append(ix.users[used], o)
				}
			}
		}
	}
	return ix.users[id]
}

// Rename makes the objects marked with one address count as another's, as
// moved() asks. It reports whether there were any, and whether the other has
// some of its own, in which case nothing is done. Of versions some may have
// the new mark already, where an apply was cut short.
func (ix *Index) Rename(from, to value.Address, versioned bool) (found, taken bool) {
	objects := ix.ours[from]
	if len(objects) == 0 {
		return false, false
	}
	if len(ix.ours[to]) > 0 && !versioned {
		return true, true
	}
	ix.ours[to] = append(slices.Clone(ix.ours[to]), objects...)
	delete(ix.ours, from)
	return true, false
}

// Move does what all of a program's moved() ask. Whether they can be done, the
// plan has told.
func (ix *Index) Move(p *resource.Program) {
	if len(p.Moves) == 0 {
		return
	}
	versioned := map[value.Address]bool{}
	for _, d := range p.Declarations {
		versioned[d.Address] = d.Kind.Versioned
	}
	for _, m := range p.Moves {
		ix.Rename(m.From, m.To, versioned[m.To])
		for _, a := range ix.within(m.From) {
			to := movedInto(m, a)
			ix.Rename(a, to, versioned[to])
		}
	}
}

// within returns the addresses of ours that live in a scope.
func (ix *Index) within(scope value.Address) []value.Address {
	var out []value.Address
	for _, a := range sortedKeys(ix.ours) {
		if a.Scope() == string(scope) {
			out = append(out, a)
		}
	}
	return out
}

// movedInto is the new address of what lives in a scope that has moved.
func movedInto(m resource.Move, a value.Address) value.Address {
	return m.To + "/" + value.Address(a.Short())
}

// Case is what the scope knows about a declaration; references, adoption and
// forced replacements are the caller's to add.
func (ix *Index) Case(d *resource.Declaration) Case {
	c := Case{
		Project: ix.project,
		Decl:    d,
		Absent:  ix.State.Status == Absent,
		Ours:    ix.ours[d.Address],
		Named:   func(name string) *resource.Object { return ix.find(d.Kind, name) },
		Objects: func() []*resource.Object { return ix.ofKind(d.Kind) },
		Resolve: func(value.Ref) (value.Value, bool) { return nil, false },
	}
	if ix.State.Obs != nil {
		c.API = ix.State.Obs.API
		c.HashKey = ix.State.Obs.Ledger.HashKey
	}
	return c
}

// find returns the live object of a name, whoever's it is; of a kind of which
// a scope holds one at most, that one.
func (ix *Index) find(k *resource.Kind, name string) *resource.Object {
	ix.names.Do(func() {
		if ix.State.Obs == nil {
			return
		}
		ix.named = make(map[kindName]*resource.Object, len(ix.State.Obs.Objects))
		for _, o := range ix.State.Obs.Objects {
			ix.named[kindName{o.Kind, o.Name}] = o
			ix.named[kindName{kind: o.Kind}] = o
		}
	})
	if k.Single {
		name = ""
	}
	return ix.named[kindName{k.Name, name}]
}

// ofKind returns the live objects of a kind, whoever's they are.
func (ix *Index) ofKind(k *resource.Kind) []*resource.Object {
	var out []*resource.Object
	if ix.State.Obs != nil {
		for _, o := range ix.State.Obs.Objects {
			if o.Kind == k.Name {
				out = append(out, o)
			}
		}
	}
	return out
}

// Live returns the object that a declaration most likely means: ours, or the
// one that has its name. It is how a scope is reached whose opener is
// declared.
func (ix *Index) Live(d *resource.Declaration) *resource.Object {
	if ours := ix.ours[d.Address]; len(ours) > 0 {
		return ours[0]
	}
	return ix.find(d.Kind, d.Address.Name())
}
