package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// oldVersion is why a version goes.
const oldVersion = "old version"

// keptVersions is how many old versions of a secret or config stay, for a
// rollback.
const keptVersions = 2

// prune plans the deletion of what is ours and no longer declared.
func (b *builder) prune() {
	for _, addr := range sortedKeys(b.index) {
		ix := b.index[addr]
		if ix.State.Status != Present {
			continue
		}
		if b.goes(addr) {
			b.unmake(addr, ix)
			continue
		}
		var gone []value.Address // few of many, so they are sorted alone
		for a := range ix.ours {
			if !b.declaredIn(a, addr) && b.wants(a) {
				gone = append(gone, a)
			}
		}
		slices.Sort(gone)
		for _, a := range gone {
			for _, o := range ix.ours[a] {
				if !b.elsewhere(a, o) && b.claimed[o] == nil && !b.atHome(a, addr, o) {
					b.remove(a, addr, o, b.pruneReason())
				}
			}
		}
	}
}

// unmake plans what has to be done on other scopes that stay when one goes: the
// engines of a swarm leave it.
func (b *builder) unmake(addr string, ix *Index) {
	for _, a := range sortedKeys(ix.ours) {
		for _, o := range ix.ours[a] {
			if o.Mark.On == "" || b.goes(o.Mark.On) || b.opens(o.Mark.On, addr) {
				continue
			}
			if c := b.remove(a, addr, o, b.pruneReason()); c != nil {
				c.Ends = true
			}
		}
	}
}

// opens reports whether a scope is the one in which another's opener lives: it
// goes there with its opener.
func (b *builder) opens(on, scope string) bool { return b.livesIn(value.Address(scope)) == on }

// elsewhere reports whether an object is declared, and was found there too, in
// another scope: one swarm seen from two engines, or one engine under two names.
func (b *builder) elsewhere(a value.Address, o *resource.Object) bool {
	c := b.changes[a]
	return c != nil && c.Live != nil && c.Live.ID == o.ID
}

// atHome reports whether an object that goes is seen in another scope too, which
// is the one to take it away in: one swarm seen from several of its managers.
func (b *builder) atHome(a value.Address, scope string, o *resource.Object) bool {
	home := b.livesIn(a)
	return home != "" && home != scope && b.index[home] != nil && b.index[home].withID(o.ID) != nil
}

func (b *builder) pruneReason() string {
	if b.in.Options.Destroy {
		return ""
	}
	return "no longer declared"
}

// declaredIn reports whether an object with that mark is still wanted, or must
// be left alone because what is wanted could not be decided.
func (b *builder) declaredIn(a value.Address, scope string) bool {
	if b.in.Options.Destroy {
		return false
	}
	d := b.decls[a]
	return d != nil && d.Scope == scope
}

// goes reports whether a scope disappears with the resource that opens it:
// then nothing in it is deleted one by one.
func (b *builder) goes(scope string) bool {
	opener := value.Address(scope)
	if in := b.livesIn(opener); in != "" && b.goes(in) {
		return true
	}
	if c := b.changes[opener]; c != nil {
		return c.Action == Replace
	}
	for _, addr := range sortedKeys(b.index) {
		ix := b.index[addr]
		if ix.State.Obs == nil || b.keeps(ix, opener) {
			continue
		}
		if len(ix.ours[opener]) > 0 && !b.declaredIn(opener, addr) && b.wants(opener) {
			return true
		}
	}
	return false
}

// keeps reports whether what is in a scope does not vanish with its opener.
func (b *builder) keeps(ix *Index, opener value.Address) bool {
	k := b.in.Kinds(ix.State.Scope.Type, opener.Kind())
	return k != nil && k.Keeps
}

func (b *builder) remove(a value.Address, scope string, o *resource.Object, reason string) *Change {
	k := b.in.Kinds(b.index[scope].State.Scope.Type, o.Kind)
	if k == nil || b.removed[o.Kind+" "+o.ID] {
		return nil // the second: one engine under two names
	}
	b.removed[o.Kind+" "+o.ID] = true
	action := Delete
	if k.Find != nil && o.Mark.On == "" {
		action = Release
	}
	c := &Change{
		Address: a, Kind: k, Scope: scope, Action: action, Decl: b.decls[a], Live: o, Name: o.Name, Reason: reason,
	}
	b.deletes = append(b.deletes, c)
	return c
}

// oldVersions plans the deletion of versions that nobody needs any more: all
// but the current one and the newest two before it, unless something that
// stays still uses them.
func (b *builder) oldVersions() {
	for _, d := range b.in.Program.Declarations {
		c := b.changes[d.Address]
		if !d.Kind.Versioned || c == nil || c.Blocked != "" || c.Deferred || c.Decl.External {
			continue
		}
		ix := b.index[d.Scope]
		var old []*resource.Object
		for _, o := range ix.ours[d.Address] {
			if o != c.Live || c.Action == NewVersion {
				old = append(old, o)
			}
		}
		slices.SortFunc(old, func(x, y *resource.Object) int {
			if c := y.Created.Compare(x.Created); c != 0 {
				return c
			}
			return strings.Compare(x.Name, y.Name)
		})
		for i, o := range old {
			if i >= keptVersions && !b.stillUsed(ix, o) {
				b.remove(d.Address, d.Scope, o, oldVersion)
			}
		}
		if c.Action == NewVersion {
			for _, a := range b.users[d.Address] {
				if u := b.changes[a]; u != nil && u.Changes() {
					c.Rolls = append(c.Rolls, a)
				}
			}
		}
	}
}

// stillUsed reports whether something that uses the object now is not going
// to change.
func (b *builder) stillUsed(ix *Index, o *resource.Object) bool {
	return slices.ContainsFunc(ix.usersOf(o.ID), func(user *resource.Object) bool { return b.stays(ix, user) })
}

// stays reports whether a live object is left as it is.
func (b *builder) stays(ix *Index, o *resource.Object) bool {
	if b.removed[o.Kind+" "+o.ID] {
		return false
	}
	for _, a := range b.addressesOf(ix, o) {
		if c := b.changes[a]; c != nil && c.Live != nil && c.Live.ID == o.ID {
			return !c.Changes() || c.Blocked != ""
		}
	}
	return true
}

// addressesOf returns the address that an object is planned under: its mark's,
// or where it is being adopted or moved, the new one.
func (b *builder) addressesOf(ix *Index, o *resource.Object) []value.Address {
	out := append([]value.Address{o.Mark.Address}, b.moved[o.Mark.Address]...)
	return append(out, value.NewAddress(ix.State.Scope.Address, o.Kind, o.Name))
}

// guard refuses what would lose data or was forbidden, and the removal of what
// something uses that stays as it is: strangers, and what names it in plain
// text.
func (b *builder) guard() {
	all := append([]*Change(nil), b.deletes...)
	for _, d := range b.in.Program.Declarations {
		if c := b.changes[d.Address]; c != nil {
			all = append(all, c)
		}
	}
	for _, c := range all {
		if c.Action != Delete && c.Action != Replace {
			continue
		}
		b.guardOne(c)
	}
	b.guardHomes()
	if !b.in.Options.AllowDataLoss {
		b.guardWithin()
		b.guardMembers(all)
	}
}

// guardHomes refuses to take away what a scope that stays is reached through.
func (b *builder) guardHomes() {
	if b.in.Options.Destroy {
		return
	}
	for _, d := range b.in.Program.Declarations {
		if d.Kind.Opens == "" { // nearly all
			continue
		}
		c := b.changes[d.Address]
		if c == nil || c.Live == nil || c.Action == Replace || !b.goes(d.Scope) {
			continue
		}
		b.fail(&diag.Diagnostic{
			Pos:     d.Pos,
			Summary: fmt.Sprintf("%s is reached through %s alone, which goes in this plan", d.Address, d.Scope),
			Hint:    fmt.Sprintf("let the others join in an apply of its own, and take %s away in the next", d.Scope),
		})
	}
}

// guardWithin refuses to lose what is in a scope that goes with what it lies in:
// the swarm that a machine is the last manager of.
func (b *builder) guardWithin() {
	for _, d := range b.in.Program.Declarations {
		b.lost(d)
	}
	for _, addr := range sortedKeys(b.index) {
		ix := b.index[addr]
		if ix.State.Obs == nil || !b.goes(addr) {
			continue
		}
		for _, o := range ix.State.Obs.Objects {
			k := b.in.Kinds(ix.State.Scope.Type, o.Kind)
			if k == nil || k.DataLoss == "" || o.Mark.Project != b.in.Program.Project || b.seenElsewhere(o.ID) {
				continue
			}
			top := value.Address(addr)
			for in := b.livesIn(top); in != "" && b.goes(in); in = b.livesIn(top) {
				top = value.Address(in)
			}
			p := &diag.Diagnostic{Summary: fmt.Sprintf("%s: without it %s is lost: %s", top, o.Mark.Address.Short(), k.DataLoss), Hint: "--allow-data-loss permits it"}
			if d := b.decls[top]; d != nil {
				p.Pos = d.Pos
			}
			if opener := b.changes[top]; opener == nil || opener.Kind.DataLoss == "" { // else that is refused itself
				b.fail(p)
			}
		}
	}
}

// lost refuses to take away what cannot be reached and may hold what must not be
// lost.
func (b *builder) lost(d *resource.Declaration) {
	ix := b.index[d.Scope]
	if d.Kind.Opens == "" || d.Kind.DataLoss == "" || ix == nil || ix.State.Status != Unreachable && !ix.State.Off || !b.goes(d.Scope) {
		return
	}
	b.fail(&diag.Diagnostic{
		Pos:     d.Pos,
		Summary: fmt.Sprintf("%s goes in this plan and cannot be looked at: with it %s may be lost, %s", d.Scope, d.Address, d.Kind.DataLoss),
		Hint:    "bring it back and look again; --allow-data-loss permits it",
	})
}

// unreachables leaves out of the plan's scopes that did not answer those that go
// with what they lie in.
func (b *builder) unreachables() {
	for _, addr := range sortedKeys(b.plan.Unreachable) {
		if b.goes(addr) {
			delete(b.plan.Unreachable, addr)
		}
	}
}

// seenElsewhere reports whether an object is also seen in a scope that stays: a
// swarm on another of its managers.
func (b *builder) seenElsewhere(id string) bool {
	for addr, ix := range b.index {
		if ix.State.Obs != nil && !b.goes(addr) && ix.withID(id) != nil {
			return true
		}
	}
	return false
}

func (b *builder) guardOne(c *Change) {
	pos := diag.Pos{}
	if c.Decl != nil {
		pos = c.Decl.Pos
	}
	verb := "deleting it"
	if c.Action == Replace {
		verb = "replacing it"
	}
	d := b.decls[c.Address]
	if d != nil && d.Lifecycle.PreventDestroy && c.Reason != oldVersion {
		p := diag.Errorf(d.Pos, "%s: %s is forbidden by lifecycle(prevent_destroy = True)", c.Address, verb)
		p.Detail = whatForces(c)
		b.fail(p)
	}
	if c.Kind.Fixed && forced(c) {
		p := diag.Errorf(pos, "%s: a %s cannot be changed, and making it anew would lose %s", c.Address, c.Kind.Name, c.Kind.DataLoss)
		p.Detail = whatForces(c)
		p.Hint = fmt.Sprintf("undo that, or declare another %s under another name and move what is in it; lifecycle(ignore_changes = [%s]) leaves it as it is; --replace %s makes it anew",
			c.Kind.Name, strings.Join(fieldsOf(c), ", "), c.Address.Short())
		b.fail(p)
		return
	}
	if c.Kind.DataLoss != "" && !b.in.Options.AllowDataLoss {
		p := diag.Errorf(pos, "%s: %s would lose %s", c.Address, verb, c.Kind.DataLoss)
		p.Detail = whatForces(c)
		p.Hint = "--allow-data-loss permits it"
		b.fail(p)
	}
	ix := b.index[c.Scope]
	if !c.Kind.Busy || ix == nil || ix.State.Obs == nil {
		return
	}
	for _, user := range ix.usersOf(c.Live.ID) {
		if !b.stays(ix, user) {
			continue
		}
		p := diag.Errorf(pos, "%s: %s is not possible while %s %q uses it", c.Address, verb, user.Kind, user.Name)
		if a, out := b.leavesOut(ix, user); out {
			p.Detail = a.Short() + " is left out of this plan, and stays as it is"
			p.Hint = "leave this out too, or plan both"
		} else if user.Mark.Project == b.in.Program.Project {
			p.Detail = fmt.Sprintf("%s names it in plain text, and stays as it is", user.Mark.Address.Short())
			p.Hint = fmt.Sprintf("let %s refer to the resource itself, not to its name, or take it out there", user.Mark.Address.Short())
		} else {
			p.Detail = fmt.Sprintf("%s %q does not belong to this project", user.Kind, user.Name)
			p.Hint = "detach it first"
		}
		b.fail(p)
	}
}

// forced reports whether a difference asks for a replacement, not the person
// who wants one.
func forced(c *Change) bool {
	return c.Action == Replace && c.Reason != askedFor && slices.ContainsFunc(c.Fields, func(f schema.Change) bool { return f.Replace })
}

// fieldsOf names the arguments that ask for a replacement, as a script does.
func fieldsOf(c *Change) []string {
	var out []string
	for _, f := range c.Fields {
		if name := strconv.Quote(f.Field.Name); f.Replace && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// whatForces lists the differences behind a replacement, made or refused.
func whatForces(c *Change) string {
	var lines []string
	which, forces := ", which forces replacement", " forces replacement"
	if c.Kind.Fixed {
		which, forces = "", ""
	}
	for _, f := range c.Fields {
		if !f.Replace {
			continue
		}
		// What is sensitive now may have been so before.
		if f.Secret || value.Sensitive(f.Before) || value.Sensitive(f.After) {
			lines = append(lines, f.Path+" changed"+which)
		} else {
			lines = append(lines, fmt.Sprintf("%s: %s -> %s%s", f.Path, f.Type.Format(f.Before), f.Type.Format(f.After), forces))
		}
	}
	if c.Reason != "" {
		lines = append(lines, c.Reason)
	}
	return strings.Join(lines, "\n")
}

// sorted returns the changes of declared resources in the script's order, then
// the deletions by address.
func (b *builder) sorted() []*Change {
	out := make([]*Change, 0, len(b.changes)+len(b.deletes))
	if !b.in.Options.Destroy {
		for _, d := range b.in.Program.Declarations {
			if c := b.changes[d.Address]; c != nil {
				out = append(out, c)
			}
		}
	}
	slices.SortStableFunc(b.deletes, func(x, y *Change) int {
		if c := strings.Compare(string(x.Address), string(y.Address)); c != 0 {
			return c
		}
		return strings.Compare(x.Name, y.Name)
	})
	return append(out, b.deletes...)
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
