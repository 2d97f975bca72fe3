package plan

import (
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// moves turns moved() into new keys of the index.
func (b *builder) moves() {
	for _, m := range b.in.Program.Moves {
		if d := b.decls[m.From]; d != nil {
			b.fail(diag.Errorf(m.Pos, "moved: %s is still declared, at %s", m.From.Short(), d.Pos))
			continue
		}
		if b.decls[m.To] == nil && !b.in.Options.Destroy {
			p := diag.Errorf(m.Pos, "moved: %s is not declared", m.To.Short())
			p.Hint = "the second address is the new one"
			b.fail(p)
			continue
		}
		for _, ix := range b.index {
			found, taken := ix.Rename(m.From, m.To, b.versioned(m.To))
			if taken {
				b.fail(diag.Errorf(m.Pos, "moved: both %s and %s exist", m.From.Short(), m.To.Short()))
			}
			if !found || taken {
				continue
			}
			b.moved[m.From] = append(b.moved[m.From], m.To)
		}
		b.moveScope(m)
	}
}

// moveScope moves what lives in a scope whose own address has changed.
func (b *builder) moveScope(m resource.Move) {
	if b.scopes == nil {
		b.scopes = map[string]bool{}
		for _, ix := range b.index {
			for a := range ix.ours {
				b.scopes[a.Scope()] = true
			}
		}
	}
	if !b.scopes[string(m.From)] {
		return // nearly always: what moves is no scope
	}
	b.scopes[string(m.To)] = true
	for _, ix := range b.index {
		for _, a := range ix.within(m.From) {
			to := movedInto(m, a)
			if found, taken := ix.Rename(a, to, b.versioned(to)); found && !taken {
				b.moved[a] = append(b.moved[a], to)
			}
		}
	}
}

func (b *builder) versioned(a value.Address) bool {
	d := b.decls[a]
	return d != nil && d.Kind.Versioned
}
