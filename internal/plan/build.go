package plan

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Options are a person's wishes about a run.
type Options struct {
	Destroy       bool `json:"destroy,omitempty"`
	AllowDataLoss bool `json:"allow_data_loss,omitempty"`
	// AllowPending permits what would leave tasks without a node.
	AllowPending bool `json:"allow_pending,omitempty"`
	// Adopt holds the addresses that may take over what is not ours, in full or
	// short.
	Adopt []string `json:"adopt,omitempty"`
	// AdoptAll lets every declaration take over what has its name and nobody's
	// mark.
	AdoptAll bool `json:"adopt_all,omitempty"`
	// Imports make the plan one of these marks alone.
	Imports []Import `json:"-"`
	// Targets are the only ones that are planned, with what they need; Exclude
	// are left out, with what needs them. See selection.
	Targets []string `json:"targets,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// Replace are made anew though nothing asks for it.
	Replace []string `json:"replace,omitempty"`
	// Check makes every check, not only those after something that changes.
	Check bool `json:"check,omitempty"`
}

// Input is all that a plan is made from.
type Input struct {
	Program *resource.Program
	// Scopes by address: those of the program and those of its inventory.
	Scopes map[string]*ScopeState
	// Kinds finds a kind by the type of its scope and its name.
	Kinds func(scope, name string) *resource.Kind
	// HashKey is used where a scope's own ledger has none.
	HashKey []byte
	Options Options

	selected *selection // nil for everything
}

// Build plans everything, or what the options select. The plan is nil where
// there are errors; warnings are in the plan.
func Build(in Input) (*Plan, diag.List) {
	b := newBuilder(in)
	if !in.Options.partial() {
		return b.build()
	}
	sel, problems := newSelection(b)
	if problems != nil {
		return nil, problems
	}
	for {
		b := newBuilder(sel.input())
		p, problems := b.build()
		if sel.grow(b) {
			continue
		}
		if p != nil {
			p.Partial, p.Owes = true, sel.owes(b)
			p.Warnings = append(p.Warnings, sel.warn())
		}
		return p, problems
	}
}

func (b *builder) build() (*Plan, diag.List) {
	b.moves()
	if len(b.in.Options.Imports) > 0 {
		return b.imports()
	}
	b.renew()
	if b.in.Options.Destroy {
		b.checkAdopt(nil)
	} else {
		b.warm()
		b.ordered = b.order()
		for _, d := range b.ordered {
			b.declare(d)
		}
		b.checkAdopt(b.in.Program.Declarations)
	}
	b.claim()
	b.prune()
	b.oldVersions()
	b.sequences()
	b.plan.Changes = b.sorted()
	if b.problems.Err() == nil {
		b.arrange()
	}
	b.guard()
	b.spare()
	b.unreachables()
	if err := b.problems.Err(); err != nil {
		b.problems.Sort()
		return nil, b.problems
	}
	b.takes()
	b.effects()
	b.forecast()
	b.checkAdopted()
	b.checkRenewed()
	b.outputs()
	return b.plan, nil
}

type builder struct {
	in        Input
	plan      *Plan
	problems  diag.List
	index     map[string]*Index
	changes   map[value.Address]*Change
	decls     map[value.Address]*resource.Declaration
	failed    map[value.Address]bool            // could not be decided, or needs one that could not
	moved     map[value.Address][]value.Address // new addresses by the old one
	scopes    map[string]bool                   // that a live object of ours has in its mark's address
	deletes   []*Change
	ordered   []*resource.Declaration           // each after what it refers to
	removed   map[string]bool                   // the kinds and IDs of those
	claimed   map[*resource.Object]*Change      // of kinds with Find
	chains    [][]*Change                       // changes that are made one after another
	adopt     map[string]bool                   // Options.Adopt; true once it was made use of
	users     map[value.Address][]value.Address // declared users, by what they use
	renewed   map[value.Address]bool            // Options.Replace
	unpassed  map[string]bool                   // checks, as ledgers say
	hasChecks bool
	fresh     map[string]bool          // what anew has said
	stirred   map[value.Address]bool   // changes, settles, or comes after what does
	loose     map[value.Address]bool   // wait for what they follow one by one
	idle      map[string]value.Address // the machine that is not to run, of scopes on one
}

func newBuilder(in Input) *builder {
	n := len(in.Program.Declarations)
	b := &builder{
		in:       in,
		plan:     &Plan{Project: in.Program.Project, Program: in.Program, Unreachable: map[string]error{}, Off: map[string]bool{}},
		index:    make(map[string]*Index, len(in.Scopes)),
		changes:  make(map[value.Address]*Change, n),
		decls:    make(map[value.Address]*resource.Declaration, n),
		failed:   map[value.Address]bool{},
		removed:  map[string]bool{},
		moved:    map[value.Address][]value.Address{},
		adopt:    make(map[string]bool, len(in.Options.Adopt)),
		users:    map[value.Address][]value.Address{},
		renewed:  map[value.Address]bool{},
		fresh:    map[string]bool{},
		stirred:  map[value.Address]bool{},
		loose:    map[value.Address]bool{},
		idle:     map[string]value.Address{},
		unpassed: map[string]bool{},
	}
	for _, s := range in.Options.Adopt {
		b.adopt[s] = false
	}
	for _, d := range in.Program.Declarations {
		b.decls[d.Address] = d
		b.hasChecks = b.hasChecks || d.Kind.Verify != nil
	}
	if in.selected != nil {
		b.hasChecks = slices.ContainsFunc(in.selected.full.Program.Declarations, func(d *resource.Declaration) bool { return d.Kind.Verify != nil })
	}
	for addr, st := range in.Scopes {
		b.index[addr] = NewIndex(st, in.Program.Project)
		if st.Status == Unreachable {
			b.plan.Unreachable[addr] = st.Err
		}
		if st.Off {
			b.plan.Off[addr] = true
		}
		if st.Obs != nil {
			for _, check := range st.Obs.Ledger.Unpassed {
				b.unpassed[check] = true
			}
		}
	}
	b.index[""] = Nowhere(in.Program.Project)
	return b
}

func (b *builder) fail(d *diag.Diagnostic) { b.problems = append(b.problems, d) }

// order returns the declarations so that each comes after what it refers to.
func (b *builder) order() []*resource.Declaration {
	decls := b.in.Program.Declarations
	g := &Graph{Nodes: make([]*Node, len(decls))}
	nodes := make([]Node, len(decls))
	id := make(map[value.Address]int, len(decls))
	for i, d := range decls {
		nodes[i].ID = i
		g.Nodes[i] = &nodes[i]
		id[d.Address] = i
	}
	for i, d := range decls {
		n := g.Nodes[i]
		b.needs(d, func(a value.Address) {
			if j, ok := id[a]; ok {
				n.afterID(j)
				b.users[a] = append(b.users[a], d.Address)
			}
		})
	}
	order, cycle := g.Order()
	if cycle != nil {
		var names []string
		for _, i := range append(cycle, cycle[0]) {
			names = append(names, decls[i].Address.Short())
		}
		b.fail(diag.Errorf(decls[cycle[0]].Pos, "these wait for each other: %s", strings.Join(names, " -> ")))
		return nil
	}
	out := make([]*resource.Declaration, len(order))
	for i, j := range order {
		out[i] = decls[j]
	}
	return out
}

// needs calls fn for each resource that a declaration comes after.
func (b *builder) needs(d *resource.Declaration, fn func(value.Address)) {
	if d.Scope != "" {
		fn(value.Address(d.Scope))
	}
	for _, r := range d.Refs() {
		fn(r.Address)
	}
	if d.Lifecycle.ReplaceOn != nil {
		value.Refs(d.Lifecycle.ReplaceOn, func(r value.Ref) { fn(r.Address) })
	}
	if d.On != "" {
		fn(value.Address(d.On))
	}
	for _, a := range d.After {
		fn(a)
	}
}

// warm asks for the versions that take long to hash, on all processors: their
// handlers keep them for when they are decided about.
func (b *builder) warm() {
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, d := range b.in.Program.Declarations {
		slow, ok := d.Kind.Handler.(resource.SlowVersioner)
		ix := b.index[d.Scope]
		if !ok || d.External || ix == nil || ix.State.Status != Present || len(d.Refs()) > 0 {
			continue
		}
		c := ix.Case(d)
		if c.HashKey == nil {
			c.HashKey = b.in.HashKey
		}
		ch := &Change{Address: d.Address, Kind: d.Kind, Args: d.Args}
		c.keepName(ch)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			slow.Version(ch.Args, c.HashKey)
		})
	}
	wg.Wait()
}

// declare decides about one declaration; what it refers to is decided already.
func (b *builder) declare(d *resource.Declaration) {
	ix := b.index[d.Scope]
	if ix == nil {
		b.fail(diag.Errorf(d.Pos, "%s: there is no scope %s", d.Address, d.Scope))
		return
	}
	blocked := ""
	b.needs(d, func(a value.Address) {
		if b.failed[a] {
			b.failed[d.Address] = true
		} else if c := b.changes[a]; c != nil && c.Blocked != "" && string(a) != d.On {
			blocked = a.Short() + " cannot be reached"
		}
	})
	if b.failed[d.Address] {
		// There is no plan; but what else is wrong with it is told in this run.
		_, problems := Decide(b.caseOf(d, ix))
		b.problems = append(b.problems, problems...)
		return
	}
	if b.leave(d, nil) {
		return
	}
	if ix.State.Status == Unreachable {
		blocked = b.root(d.Scope) + " is unreachable"
	}
	if ix.State.Off {
		if off := b.off(d.Scope); off != "" {
			blocked = off + " does not run"
		}
	}
	if d.On != "" && blocked == "" && b.index[d.On].State.Status == Unreachable && len(ix.ours[d.Address]) == 0 {
		blocked = b.root(d.On) + " is unreachable"
	}
	if blocked != "" {
		b.changes[d.Address] = &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Args: d.Args, Blocked: blocked}
		return
	}
	ch, problems := Decide(b.caseOf(d, ix))
	if ch == nil {
		b.failed[d.Address] = true
		b.problems = append(b.problems, problems...)
		return
	}
	if d.Kind.Opens != "" && ch.Action == Create {
		if own := b.index[string(d.Address)]; own != nil && own.State.Status == Unreachable {
			ch = &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Args: d.Args, Blocked: "it may be there, and cannot be reached"}
		}
	}
	if b.leave(d, ch) {
		return
	}
	b.changes[d.Address] = ch
	if d.Kind.Off != nil && ch.Blocked == "" && d.Kind.Off(ch.Args) {
		b.turnOff(d.Address)
	}
	b.stir(d, ch)
}

func (b *builder) caseOf(d *resource.Declaration, ix *Index) Case {
	c := ix.Case(d)
	if c.HashKey == nil {
		c.HashKey = b.in.HashKey
	}
	if c.API == "" {
		c.API = b.futureAPI(d.Scope)
	}
	c.Adopt, c.AdoptFree, c.Renew = b.mayAdopt(d.Address), b.in.Options.AdoptAll, b.renewed[d.Address]
	c.Resolve = b.resolve
	c.Due = d.Kind.Verify != nil && (b.in.Options.Check || b.unpassed[string(d.Address)] || b.stirs(d) != nil)
	if d.On != "" {
		c.On = b.onState(d.On)
	}
	c.Absent = c.Absent || b.anew(d.Scope)
	b.needs(d, func(a value.Address) {
		used := b.changes[a]
		if used == nil || used.Action != Replace || !goesWith(d.Kind, used.Kind) || !refersTo(d, a) && !usesNow(c.Ours, used.Live) {
			return
		}
		if c.Replaced == "" || c.ReplacedMaybe { // a definite one decides
			c.Replaced, c.ReplacedMaybe = a, used.Tentative
		}
	})
	return c
}

// goesWith reports whether objects of a kind are replaced with those of another that
// they use.
func goesWith(k, used *resource.Kind) bool {
	return used.Busy || k.Within == used.Name || used.Together && used == k
}

func refersTo(d *resource.Declaration, a value.Address) bool {
	return slices.ContainsFunc(d.Refs(), func(r value.Ref) bool { return r.Address == a })
}

// usesNow reports whether a live object uses another: it may name it in plain
// text, which is no reference.
func usesNow(objects []*resource.Object, used *resource.Object) bool {
	return slices.ContainsFunc(objects, func(o *resource.Object) bool { return slices.Contains(o.Uses, used.ID) })
}

func (b *builder) mayAdopt(a value.Address) bool {
	if len(b.adopt) == 0 {
		return false
	}
	for _, s := range []string{string(a), a.Short()} {
		if _, ok := b.adopt[s]; ok {
			b.adopt[s] = true
			return true
		}
	}
	return false
}

func (b *builder) checkAdopt(decls []*resource.Declaration) {
	var names []string
	for _, s := range b.in.Options.Adopt {
		if b.adopt[s] {
			continue
		}
		if names == nil {
			for _, d := range decls {
				names = append(names, d.Address.Short())
			}
		}
		if b.failed[value.Address(s)] || slices.Contains(names, s) || b.leftOut(s) {
			continue
		}
		b.fail(&diag.Diagnostic{Summary: fmt.Sprintf("--adopt %s: no such resource is declared", s), Hint: diag.DidYouMean(s, names)})
	}
}

// resolve returns what is known of a reference, given what is planned for the
// resource that it names.
func (b *builder) resolve(r value.Ref) (value.Value, bool) {
	return Known(b.changes[r.Address], r.Output)
}

// Known returns an output of a resource as far as its change leaves it known:
// of a no-op as it is, of an update what an update keeps, of anything what its
// arguments say.
func Known(c *Change, output string) (value.Value, bool) {
	if c == nil {
		return nil, false
	}
	if c.Decl != nil && c.Decl.External {
		return knownOfOther(c, output)
	}
	o, ok := c.Kind.Output(output)
	if !ok {
		return nil, false
	}
	if c.Kind.Versioned && output == "name" {
		return c.Name, c.Name != ""
	}
	if o.Arg != "" {
		if f, ok := c.Kind.Schema.Field(o.Arg); ok {
			v := c.Args[f.Index]
			if v == nil {
				v = f.Default
			}
			if v != nil {
				return v, value.Known(v)
			}
		}
	}
	live := c.Live != nil && (c.Action == NoOp || c.Action == Read || c.Action == Update && o.Stable)
	if !live || c.Blocked != "" {
		return nil, false
	}
	v, ok := c.Live.Out[output]
	return v, ok
}

// outputs resolves what the script publishes.
func (b *builder) outputs() {
	for _, o := range b.in.Program.Outputs {
		o.Value = value.Resolve(o.Value, b.resolve)
		b.plan.Outputs = append(b.plan.Outputs, o)
	}
}
