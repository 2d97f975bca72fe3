package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Import asks for a live object to become what a declaration is about.
type Import struct {
	Address string // of the declaration, in full or short
	Object  string // the object's ID, the beginning of one, or its name
}

// imports plans that live objects are taken under the addresses of
// declarations: their marks are written and nothing else, however much they
// differ from what is declared. That, the next plan shows.
func (b *builder) imports() (*Plan, diag.List) {
	g := &Graph{}
	b.plan.Graph = g
	taken := map[*resource.Object]value.Address{}
	for _, im := range b.in.Options.Imports {
		c, problem := b.imported(im)
		switch {
		case problem != nil:
			b.fail(problem)
		case c.Blocked != "":
			b.plan.Changes = append(b.plan.Changes, c)
		case taken[c.Live] != "":
			b.fail(diag.Errorf(c.Decl.Pos, "import %s: %s %q is taken for %s already", im.Address, c.Kind.Name, c.Live.Name, taken[c.Live].Short()))
		default:
			taken[c.Live] = c.Address
			b.plan.Changes = append(b.plan.Changes, c)
			g.add(c, Do)
		}
	}
	if b.problems.Err() != nil {
		return nil, b.problems
	}
	return b.plan, nil
}

// imported decides about one import. It is a no-op where the object is that of
// the address already.
func (b *builder) imported(im Import) (*Change, *diag.Diagnostic) {
	d, problem := b.importTo(im.Address)
	if problem != nil {
		return nil, problem
	}
	ix := b.index[d.Scope]
	fail := func(format string, args ...any) *diag.Diagnostic {
		return diag.Errorf(d.Pos, "import %s: %s", d.Address.Short(), fmt.Sprintf(format, args...))
	}
	switch {
	case d.External:
		p := fail("it is declared as external, and never taken over")
		p.Hint = "drop external = True"
		return nil, p
	case d.Kind.Verify != nil:
		return nil, fail("a check has nothing live that could be taken over")
	case d.Kind.Unmarked:
		return nil, fail("a %s carries no mark: what has the declared name is meant already", d.Kind.Name)
	case ix == nil || ix.State.Status == Absent:
		return nil, fail("%s does not exist", d.Scope)
	case ix.State.Status == Unreachable:
		return &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Blocked: d.Scope + " is unreachable"}, nil
	}
	o, problem := ix.meant(d, im.Object)
	if problem != nil {
		problem.Pos, problem.Summary = d.Pos, "import "+d.Address.Short()+": "+problem.Summary
		return nil, problem
	}
	if problem := b.mayImport(d, o, ix.ours[d.Address]); problem != nil {
		problem.Pos, problem.Summary = d.Pos, "import "+d.Address.Short()+": "+problem.Summary
		return nil, problem
	}
	c := ix.Case(d)
	if c.HashKey == nil {
		c.HashKey = b.in.HashKey
	}
	c.Resolve = b.resolve
	return c.imported(o), nil
}

// importTo finds the declaration that an address means.
func (b *builder) importTo(addr string) (*resource.Declaration, *diag.Diagnostic) {
	var found []*resource.Declaration
	var names []string
	for _, d := range b.in.Program.Declarations {
		if string(d.Address) == addr || d.Address.Short() == addr {
			found = append(found, d)
		}
		names = append(names, d.Address.Short())
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("import %s: no such resource is declared", addr), Hint: diag.DidYouMean(addr, names)}
	}
	full := make([]string, len(found))
	for i, d := range found {
		full[i] = string(d.Address)
	}
	return nil, &diag.Diagnostic{Summary: fmt.Sprintf("import %s: it could be %s", addr, strings.Join(full, " or "))}
}

// meant finds a live object by its name or its ID, as the docker CLI does: the
// beginning of an ID is enough where only one begins so.
func (ix *Index) meant(d *resource.Declaration, id string) (*resource.Object, *diag.Diagnostic) {
	kind := d.Kind.Name
	var begins []*resource.Object
	var names []string
	var other *resource.Object // of another kind
	for _, o := range ix.State.Obs.Objects {
		same := o.Kind == kind
		switch {
		case same && (o.ID == id || o.Name == id):
			return o, nil
		case same && id != "" && strings.HasPrefix(o.ID, id):
			begins = append(begins, o)
		case !same && (o.ID == id || o.Name == id && other == nil):
			other = o
		}
		if same && !o.Unlisted {
			names = append(names, o.Name)
		}
	}
	if len(begins) == 1 {
		return begins[0], nil
	}
	p := &diag.Diagnostic{}
	switch {
	case len(begins) > 1:
		p.Summary = fmt.Sprintf("%d IDs in %s begin with %s", len(begins), d.Scope, id)
		p.Hint = "give more of it"
	case other != nil:
		p.Summary = fmt.Sprintf("%s is a %s, and this is a %s", id, other.Kind, kind)
	default:
		p.Summary = fmt.Sprintf("there is no %s %q in %s, by its ID or name", kind, id, d.Scope)
		p.Hint = diag.DidYouMean(id, names)
	}
	return nil, p
}

// mayImport refuses what is somebody's already, and a second object for an
// address that has one.
func (b *builder) mayImport(d *resource.Declaration, o *resource.Object, ours []*resource.Object) *diag.Diagnostic {
	p := &diag.Diagnostic{}
	switch m := o.Mark; {
	case slices.Contains(ours, o):
		return nil
	case len(ours) > 0:
		p.Summary = fmt.Sprintf("it has a live object already, %s %q (%s)", d.Kind.Name, ours[0].Name, ours[0].ID)
		p.Hint = "remove that one, or declare this one under an address of its own"
	case m.Project == b.in.Program.Project:
		p.Summary = fmt.Sprintf("%s %q is %s of this project", o.Kind, o.Name, m.Address.Short())
		p.Hint = fmt.Sprintf("moved(%q, %q) in the script gives it the new address", m.Address.Short(), d.Address.Short())
	case m.Project != "":
		p.Summary = fmt.Sprintf("%s %q belongs to project %s, where it is %s", o.Kind, o.Name, m.Project, m.Address.Short())
		p.Hint = fmt.Sprintf("let go of it there first, or take it by force: apply --adopt %s", d.Address.Short())
	default:
		return nil
	}
	return p
}

// imported is the change that gives a live object the mark of a declaration,
// and leaves all else as it is.
func (c Case) imported(o *resource.Object) *Change {
	d := c.Decl
	ch := &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Args: o.Args, Live: o, Name: o.Name}
	if o.Mark.Project == c.Project && o.Mark.Address == d.Address {
		ch.Mark = o.Mark
		return ch
	}
	args, problems := c.arguments()
	if problems != nil {
		args = d.Args // what is wrong with them, the plan tells
	}
	ch.Action, ch.Remark, ch.Imported, ch.Reason = Update, true, true, "imported"
	ch.Mark = c.mark(args)
	ch.markName(o.Name)
	// What the script sets and the object does not have is not ours yet.
	ch.Mark.Keys = slices.DeleteFunc(ch.Mark.Keys, func(k string) bool {
		field, key, _ := strings.Cut(k, ":")
		f, _ := d.Kind.Schema.Field(field)
		return !f.HasKey(o.Args[f.Index], key)
	})
	if d.Kind.Versioned && c.holds(o, args) {
		ch.Mark.Hash = c.hashOf(args)
	}
	return ch
}

// ImportAgain decides about an import anew, where somebody has written the
// object since it was planned: it is nil where the object is gone, or has got
// another's mark.
func ImportAgain(ch *Change, ix *Index) *Change {
	o := ix.withID(ch.Live.ID)
	if o == nil || o.Mark.Project != "" && !o.Mark.Equal(ch.Live.Mark) {
		return nil
	}
	again := *ch
	again.Live, again.Args = o, o.Args
	return &again
}

// holds reports whether a live object is known to hold what a versioned kind's
// arguments say.
func (c Case) holds(o *resource.Object, args value.Struct) bool {
	h, ok := c.Decl.Kind.Handler.(resource.Holder)
	return ok && h.Holds(o, args)
}

// hashOf is the hash of a version, "" while it is not known.
func (c Case) hashOf(args value.Struct) string {
	_, hash, known := c.Decl.Kind.Handler.(resource.Versioner).Version(args, c.HashKey)
	if !known {
		return ""
	}
	return hash
}
