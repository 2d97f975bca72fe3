package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// selection is the part of a project that is planned: what --target names with
// all that it needs, or everything but what --exclude names and all that needs
// it. What is not in it is left as it is, as if it were somebody else's.
//
// What a declaration needs, its references say. What a deletion or a
// replacement needs, the live objects say: what uses a thing must let go of it
// first. So a selection grows as long as planning it shows such users.
type selection struct {
	full  Input
	decls map[value.Address]*resource.Declaration
	scope map[value.Address]string // of all that is known, declared or live
	keep  map[value.Address]bool
	moved map[value.Address][]value.Address // what moved() calls otherwise now
}

func (o Options) partial() bool { return len(o.Targets)+len(o.Exclude) > 0 }

// newSelection finds what the options name, with a builder of everything.
func newSelection(b *builder) (*selection, diag.List) {
	b.moves()
	s := &selection{full: b.in, decls: b.decls, scope: map[value.Address]string{}, keep: map[value.Address]bool{}, moved: b.moved}
	for addr, ix := range b.index {
		for a := range ix.ours {
			s.scope[a] = addr
		}
	}
	for a, d := range b.decls {
		s.scope[a] = d.Scope
	}
	o := b.in.Options
	if len(o.Targets) > 0 && len(o.Exclude) > 0 {
		return nil, diag.List{{Summary: "--target and --exclude exclude each other"}}
	}
	flag, patterns := "--target", o.Targets
	if len(o.Exclude) > 0 {
		flag, patterns = "--exclude", o.Exclude
	}
	var named []value.Address
	var problems diag.List
	for _, p := range patterns {
		found, problem := s.find(flag, p)
		if problem != nil {
			problems = append(problems, problem)
		}
		named = append(named, found...)
	}
	switch {
	case problems != nil:
		return nil, problems
	case len(o.Targets) > 0:
		s.add(b, named)
	default:
		s.exclude(b, named)
	}
	return s, nil
}

// find returns what a pattern names: an address in full or, where that is
// unique, short; a scope, for all that is in it; with * for any text.
func (s *selection) find(flag, pattern string) ([]value.Address, *diag.Diagnostic) {
	glob := strings.Contains(pattern, "*")
	match := func(a string) bool { return a == pattern }
	if glob {
		match = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString
	}
	var full, short []value.Address
	var names []string
	for _, a := range sortedKeys(s.scope) {
		switch {
		case match(string(a)) || s.within(a, pattern):
			full = append(full, a)
		case match(a.Short()):
			short = append(short, a)
		}
		names = append(names, a.Short())
	}
	switch {
	case full != nil && !glob, short == nil && full != nil:
		return full, nil
	case glob && short != nil:
		return append(full, short...), nil
	case len(short) == 1:
		return short, nil
	case len(short) > 1:
		texts := make([]string, len(short))
		for i, a := range short {
			texts[i] = string(a)
		}
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("%s %s could be %s", flag, pattern, strings.Join(texts, " or "))}
	}
	for _, sc := range s.full.Scopes {
		if sc.Scope.Address == pattern {
			return nil, nil // and nothing is in it
		}
	}
	return nil, &diag.Diagnostic{Summary: fmt.Sprintf("%s %s: there is no such resource", flag, pattern), Hint: diag.DidYouMean(pattern, names)}
}

// within reports whether a resource lives in a scope, or in one that does.
func (s *selection) within(a value.Address, scope string) bool {
	for range len(s.scope) + 1 { // a chain; damaged marks may make it a ring
		in := s.scope[a]
		if in == scope {
			return true
		}
		if in == "" {
			return false
		}
		a = value.Address(in)
	}
	return false
}

// add takes in resources with what they need.
func (s *selection) add(b *builder, todo []value.Address) {
	for len(todo) > 0 {
		a := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.keep[a] {
			continue
		}
		s.keep[a] = true
		if d := s.decls[a]; d != nil && !s.full.Options.Destroy {
			b.needs(d, func(n value.Address) { todo = append(todo, n) })
			todo = append(todo, d.Follows...)
		}
	}
}

// exclude takes in everything but what is named and what needs it. Where
// everything is destroyed it is the other way round: what stays keeps what it
// uses.
func (s *selection) exclude(b *builder, named []value.Address) {
	out := map[value.Address]bool{}
	for _, a := range named {
		out[a] = true
	}
	destroy := s.full.Options.Destroy
	for again := true; again; {
		again = false
		drop := func(a value.Address) {
			if _, known := s.scope[a]; known && !out[a] {
				out[a], again = true, true
			}
		}
		for _, d := range s.full.Program.Declarations {
			if destroy {
				break
			}
			b.needs(d, func(n value.Address) {
				if out[n] {
					drop(d.Address)
				}
			})
		}
		for _, addr := range sortedKeys(b.index) {
			s.eachUse(b.index[addr], func(user, used value.Address) {
				if out[user] && (destroy || s.decls[used] == nil) {
					drop(used)
				}
			})
		}
		for a := range out {
			if destroy {
				drop(value.Address(s.scope[a]))
			}
		}
	}
	for a := range s.scope {
		if !out[a] {
			s.keep[a] = true
		}
	}
}

// eachUse calls fn for each of our objects and each of ours that it uses.
func (s *selection) eachUse(ix *Index, fn func(user, used value.Address)) {
	if ix.State.Obs == nil {
		return
	}
	for _, o := range ix.State.Obs.Objects {
		for _, id := range o.Uses {
			user, ok1 := s.address(ix, o)
			used, ok2 := s.address(ix, ix.withID(id))
			if ok1 && ok2 {
				fn(user, used)
			}
		}
	}
}

// address is where one of our objects is planned, if it is known at all.
func (s *selection) address(ix *Index, o *resource.Object) (value.Address, bool) {
	if o == nil {
		return "", false
	}
	if o.Mark.Project != ix.project || ix.project == "" { // unless it is being adopted
		a := value.NewAddress(ix.State.Scope.Address, o.Kind, o.Name)
		return a, s.decls[a] != nil
	}
	a := o.Mark.Address
	if to := s.moved[a]; len(to) > 0 {
		a = to[0]
	}
	_, known := s.scope[a]
	return a, known
}

// input is the part of the input that is selected.
func (s *selection) input() Input {
	in := s.full
	p := *in.Program
	p.Declarations, p.Moves, p.Outputs = nil, nil, nil
	for _, d := range s.full.Program.Declarations {
		if s.keep[d.Address] {
			p.Declarations = append(p.Declarations, d)
		}
	}
	for _, m := range s.full.Program.Moves {
		if s.keep[m.To] {
			p.Moves = append(p.Moves, m)
		}
	}
	for _, o := range s.full.Program.Outputs {
		left := false
		value.Refs(o.Value, func(r value.Ref) { left = left || !s.keep[r.Address] })
		if !left {
			p.Outputs = append(p.Outputs, o)
		}
	}
	in.Program, in.selected = &p, s
	return in
}

// grow takes in what uses the things that a plan would take away: it has to let
// go first; and what rests while a machine is off. It reports whether there was any.
// Of what --exclude leaves out nothing is taken in: the plan then says why it cannot
// be.
func (s *selection) grow(b *builder) bool {
	if len(s.full.Options.Targets) == 0 {
		return false
	}
	before := len(s.keep)
	goes := slices.Clone(b.deletes)
	for _, c := range b.changes {
		if c.Action == Replace {
			goes = append(goes, c)
		}
	}
	for _, c := range goes {
		ix := b.index[c.Scope]
		if c.Live == nil || ix == nil || c.Reason == oldVersion || c.Action == Release {
			continue
		}
		for _, user := range ix.usersOf(c.Live.ID) {
			if a, known := s.address(ix, user); known {
				s.add(b, []value.Address{a})
			}
		}
	}
	for _, c := range b.changes {
		if o := outageOf(c); o != nil && (o.Begins || o.Ends) {
			s.addResting(b, b.index[c.Scope], o.Machine)
		}
	}
	return len(s.keep) > before
}

// addResting takes in what is made by a machine and rests while it is off.
func (s *selection) addResting(b *builder, ix *Index, machine string) {
	a, known := s.address(ix, ix.withID(machine))
	if !known {
		return
	}
	for _, d := range s.full.Program.Declarations {
		if _, rests := d.Kind.Handler.(resource.Rester); rests && d.On != "" && s.within(value.Address(d.On), string(a)) {
			s.add(b, []value.Address{d.Address})
		}
	}
}

// warn says that the plan is not all.
func (s *selection) warn() *diag.Diagnostic {
	o := s.full.Options
	needs, neededBy := " and what that needs", " and what needs that"
	if o.Destroy {
		needs, neededBy = neededBy, needs
	}
	text := "the plan is partial: it has only " + strings.Join(o.Targets, ", ") + needs + " (--target)"
	if len(o.Exclude) > 0 {
		text = "the plan is partial: it leaves out " + strings.Join(o.Exclude, ", ") + neededBy + " (--exclude)"
	}
	return &diag.Diagnostic{Severity: diag.Warning, Summary: text, Detail: "the rest stays as it is: plan without these options afterwards"}
}

// wants reports whether an address is planned at all.
func (b *builder) wants(a value.Address) bool { return b.in.selected == nil || b.in.selected.keep[a] }

// leftOut reports whether the selection has left out an address, in full or
// short.
func (b *builder) leftOut(text string) bool {
	if b.in.selected == nil {
		return false
	}
	for a := range b.in.selected.scope {
		if !b.wants(a) && (string(a) == text || a.Short() == text) {
			return true
		}
	}
	return false
}

// leavesOut reports whether the selection has left out a live object, and where
// that is declared.
func (b *builder) leavesOut(ix *Index, o *resource.Object) (value.Address, bool) {
	if b.in.selected == nil {
		return "", false
	}
	a, known := b.in.selected.address(ix, o)
	return a, known && !b.wants(a)
}

// renew finds what --replace names.
func (b *builder) renew() {
	for _, text := range b.in.Options.Replace {
		var found []value.Address
		var names []string
		for _, d := range b.in.Program.Declarations {
			if string(d.Address) == text {
				found = []value.Address{d.Address}
				break
			}
			if d.Address.Short() == text {
				found = append(found, d.Address)
			}
			names = append(names, d.Address.Short())
		}
		fail := func(hint, format string, args ...any) {
			b.fail(&diag.Diagnostic{Summary: "--replace " + text + ": " + fmt.Sprintf(format, args...), Hint: hint})
		}
		switch {
		case b.in.Options.Destroy:
			fail("", "everything is destroyed")
		case len(found) == 0:
			fail(diag.DidYouMean(text, names), "no such resource is planned")
		case len(found) > 1:
			fail("", "it could be %s or %s", found[0], found[1])
		case b.decls[found[0]].External:
			fail("", "it is external, and never changed")
		case b.decls[found[0]].Kind.Find != nil:
			fail("", "a %s is found, not made", b.decls[found[0]].Kind.Name)
		case b.decls[found[0]].Kind.Versioned:
			fail("", "a %s is made anew by what is in it", b.decls[found[0]].Kind.Name)
		default:
			b.renewed[found[0]] = true
		}
	}
}

// checkRenewed warns where there is nothing to replace.
func (b *builder) checkRenewed() {
	for _, a := range sortedKeys(b.renewed) {
		if c := b.changes[a]; c != nil && c.Blocked == "" && c.Action != Replace {
			b.plan.Warnings = append(b.plan.Warnings, &diag.Diagnostic{Severity: diag.Warning, Pos: c.Decl.Pos,
				Summary: "nothing to replace: " + a.Short() + " does not exist"})
		}
	}
}
