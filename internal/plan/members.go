package plan

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// guardMembers refuses to take away what a scope that cannot be reached may have
// as a member: the machine of a swarm's manager, which has to be counted, and to
// leave the swarm, before it goes.
func (b *builder) guardMembers(all []*Change) {
	seen := map[string]bool{}
	for _, d := range b.in.Program.Declarations {
		ix := b.index[d.Scope]
		if d.On == "" || seen[d.Scope] || ix == nil || ix.State.Status != Unreachable || b.goes(d.Scope) {
			continue
		}
		seen[d.Scope] = true
		for _, c := range all {
			if c.Kind.Opens == "" || c.Action != Delete && c.Action != Replace || c.Live == nil || !b.mayBeMember(string(c.Address)) {
				continue
			}
			p := &diag.Diagnostic{
				Summary: fmt.Sprintf("%s may be a member of %s, which cannot be reached: it would go without leaving it", c.Address, d.Scope),
				Hint:    fmt.Sprintf("look again when %s answers; --exclude %s leaves it alone, --allow-data-loss permits it", d.Scope, c.Address.Short()),
			}
			if err := b.rootCause(d.Scope); err != nil {
				p.Detail = err.Error()
			}
			if c.Decl != nil {
				p.Pos = c.Decl.Pos
			}
			b.fail(p)
		}
	}
}

// mayBeMember reports whether a scope, or one inside it, may be a node of a
// swarm: it is one, or did not say.
func (b *builder) mayBeMember(scope string) bool {
	ix := b.index[scope]
	if ix == nil || ix.State.Status == Unreachable {
		return true
	}
	if ix.State.Obs != nil && ix.State.Obs.Node != "" {
		return true
	}
	for inner, other := range b.index {
		if other.State.Scope.Type != "swarm" && b.livesIn(value.Address(inner)) == scope && b.mayBeMember(inner) {
			return true
		}
	}
	return false
}

// root is the outermost scope around one that cannot be reached which cannot either.
func (b *builder) root(scope string) (root string) {
	for in := scope; in != "" && b.index[in] != nil && b.index[in].State.Status == Unreachable; in = b.livesIn(value.Address(in)) {
		root = in
	}
	return root
}

// rootCause is why a scope cannot be reached, as the outermost that does not
// answer says it; nil where that says nothing.
func (b *builder) rootCause(scope string) (err error) {
	for in := scope; in != "" && b.index[in] != nil && b.index[in].State.Status == Unreachable; in = b.livesIn(value.Address(in)) {
		if e := b.index[in].State.Err; e != nil {
			err = fmt.Errorf("%s: %w", in, e)
		}
	}
	return err
}
