package debian

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// aptPlan is what apt-get is about to do. It chooses as apt does where that is simple:
// the newest version that a list has, the first alternative that can be had, and what
// stands in the way of something that was asked for goes.
type aptPlan struct {
	d          *dpkg
	lists      *aptLists
	recommends bool
	install    map[string]*pkg
	remove     map[string]bool
	asked      map[string]bool
	auto       map[string]bool // of those that are installed now, what nobody asked for
	problems   []string        // what cannot be
}

func newAptPlan(d *dpkg) *aptPlan {
	return &aptPlan{d: d, lists: &aptLists{cat: d.cat}, install: map[string]*pkg{}, remove: map[string]bool{}, asked: map[string]bool{}, auto: map[string]bool{}}
}

// version returns what a package's version would be, "" where it would not be there.
func (p *aptPlan) version(name string) string {
	if q := p.install[name]; q != nil {
		return q.version
	}
	if i := p.d.all[name]; i.is() && !p.remove[name] {
		return i.version
	}
	return ""
}

// there returns the packages that would be.
func (p *aptPlan) there() map[string]*pkg {
	all := maps.Clone(p.install)
	for name, i := range p.d.all {
		if all[name] == nil && i.is() && !p.remove[name] {
			if q := p.d.cat.find(name, i.version); q != nil {
				all[name] = q
			}
		}
	}
	return all
}

// satisfied reports whether something would be there that is meant.
func (p *aptPlan) satisfied(r relation) bool {
	if v := p.version(r.name); v != "" && r.matches(v) {
		return true
	}
	for _, q := range p.d.cat.provides[r.name] {
		if v := p.version(q.name); v != "" && provides(q, r) {
			return true
		}
	}
	return false
}

func provides(q *pkg, r relation) bool {
	return slices.ContainsFunc(q.provides, func(has relation) bool {
		return has.name == r.name && (r.op == "" || has.version != "" && r.matches(has.version))
	})
}

// want adds a package to what is to be there, with what it needs.
func (p *aptPlan) want(q *pkg) {
	if p.version(q.name) == q.version {
		return
	}
	p.install[q.name] = q
	delete(p.remove, q.name)
	p.clear(q)
	for _, group := range q.depends {
		if !p.need(group) {
			p.problems = append(p.problems, p.unmet(q, group))
		}
	}
	if !p.recommends || p.d.all[q.name].is() {
		return
	}
	for _, group := range q.recommends {
		p.need(group)
	}
}

// clear takes away what cannot be beside a package.
func (p *aptPlan) clear(q *pkg) {
	for name, other := range p.there() {
		if name == q.name || !conflict(q, other) && !conflict(other, q) {
			continue
		}
		if p.install[name] != nil && p.asked[name] {
			p.problems = append(p.problems, fmt.Sprintf(" %s : Conflicts: %s but %s is to be installed", q.name, name, other.version))
			continue
		}
		if newer := p.lists.candidate(name); p.d.all[name].is() && newer != nil && newer.version != other.version && p.install[name] == nil &&
			!conflict(q, newer) && !conflict(newer, q) {
			p.want(newer)
			continue
		}
		delete(p.install, name)
		if p.d.all[name].is() {
			p.remove[name] = true
		}
	}
	p.orphan()
}

func conflict(q, other *pkg) bool {
	return slices.ContainsFunc(q.conflicts, func(r relation) bool {
		return r.name == other.name && r.matches(other.version) || r.name != q.name && provides(other, r)
	})
}

// orphan takes away what cannot be without what goes.
func (p *aptPlan) orphan() {
	for again := len(p.remove) > 0; again; {
		again = false
		for name := range p.broken() {
			if p.d.all[name].is() && p.install[name] == nil && !p.remove[name] {
				p.remove[name], again = true, true
			}
		}
	}
}

// broken are the packages that would be there without what they need, and what that is.
// What is wrong already is not looked at.
func (p *aptPlan) broken() map[string]string {
	out := map[string]string{}
	for name, q := range p.there() {
		for _, group := range q.depends {
			goes := slices.ContainsFunc(group, func(r relation) bool { return p.goes(r) })
			if goes && !slices.ContainsFunc(group, p.satisfied) {
				out[name] = joinRelations([][]relation{group})
			}
		}
	}
	return out
}

// goes reports whether what is removed, or changed, is meant.
func (p *aptPlan) goes(r relation) bool {
	if p.remove[r.name] || p.install[r.name] != nil {
		return true
	}
	return slices.ContainsFunc(p.d.cat.provides[r.name], func(q *pkg) bool { return p.remove[q.name] })
}

// need sees to one of several packages, and reports whether that could be.
func (p *aptPlan) need(group []relation) bool {
	if slices.ContainsFunc(group, p.satisfied) {
		return true
	}
	for _, r := range group {
		if q := p.choose(r); q != nil {
			p.want(q)
			return true
		}
	}
	return false
}

// choose returns the package to be installed for what is needed.
func (p *aptPlan) choose(r relation) *pkg {
	for _, q := range p.lists.versions(r.name) {
		if r.matches(q.version) && !p.barred(q) {
			return q
		}
	}
	for _, q := range p.d.cat.provides[r.name] {
		if c := p.lists.candidate(q.name); c != nil && provides(c, r) && !p.barred(c) {
			return c
		}
	}
	return nil
}

// barred reports whether something that was asked for, or is to stay as it is, has no
// place for a package.
func (p *aptPlan) barred(q *pkg) bool {
	for name, other := range p.there() {
		if name != q.name && (p.asked[name] || p.install[name] != nil) && (conflict(q, other) || conflict(other, q)) {
			return true
		}
	}
	return p.asked[q.name] && p.install[q.name] != nil
}

func (p *aptPlan) unmet(q *pkg, group []relation) string {
	what := joinRelations([][]relation{group})
	switch r := group[0]; {
	case p.version(r.name) != "":
		return fmt.Sprintf(" %s : Depends: %s but %s is to be installed", q.name, what, p.version(r.name))
	case len(p.lists.versions(r.name)) > 0:
		return fmt.Sprintf(" %s : Depends: %s but it is not going to be installed", q.name, what)
	default:
		return fmt.Sprintf(" %s : Depends: %s but it is not installable", q.name, what)
	}
}

// drop takes a package away, with what needs it.
func (p *aptPlan) drop(name string) {
	p.remove[name] = true
	delete(p.install, name)
	p.orphan()
}

// unneeded are the packages that were installed for others only, and that none needs.
func (p *aptPlan) unneeded() []string {
	used := map[string]bool{}
	all := p.there()
	var use func(name string)
	use = func(name string) {
		q := all[name]
		if q == nil || used[name] {
			return
		}
		used[name] = true
		for _, group := range slices.Concat(q.depends, q.recommends) {
			for _, r := range group {
				use(r.name)
				for _, other := range p.d.cat.provides[r.name] {
					use(other.name)
				}
			}
		}
	}
	for name, q := range all {
		if !p.auto[name] || q.essential {
			use(name)
		}
	}
	var out []string
	for name := range all {
		if p.auto[name] && !used[name] && p.install[name] == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// change is one package of a plan.
type aptChange struct {
	name, was, version string
	pkg                *pkg
}

// sorted are the changes of a plan by what happens: new ones, upgrades, downgrades and
// removals, each in the order of their names.
func (p *aptPlan) sorted() (fresh, up, down, gone []aptChange) {
	for _, name := range sortedKeys(p.install) {
		q := p.install[name]
		ch := aptChange{name: name, version: q.version, pkg: q}
		if i := p.d.all[name]; i.is() {
			ch.was = i.version
		}
		switch {
		case ch.was == "":
			fresh = append(fresh, ch)
		case debianOrder(q.version, ch.was) < 0:
			down = append(down, ch)
		default:
			up = append(up, ch)
		}
	}
	for _, name := range p.removals() {
		if i := p.d.all[name]; i != nil {
			gone = append(gone, aptChange{name: name, was: i.version})
		}
	}
	return fresh, up, down, gone
}

// removals are the packages that go, what needs others before them.
func (p *aptPlan) removals() (out []string) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] || !p.remove[name] {
			return
		}
		seen[name] = true
		for _, other := range sortedKeys(p.remove) {
			q := p.d.info(other)
			needs := q != nil && slices.ContainsFunc(q.depends, func(group []relation) bool {
				return slices.ContainsFunc(group, func(r relation) bool { return r.name == name })
			})
			if needs {
				visit(other)
			}
		}
		out = append(out, name)
	}
	for _, name := range sortedKeys(p.remove) {
		visit(name)
	}
	return out
}

// order is the one in which packages are set up: what another needs before it.
func (p *aptPlan) order() []*pkg {
	var out []*pkg
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		q := p.install[name]
		if q == nil || seen[name] {
			return
		}
		seen[name] = true
		for _, group := range q.depends {
			for _, r := range group {
				visit(r.name)
				for _, other := range p.d.cat.provides[r.name] {
					visit(other.name)
				}
			}
		}
		out = append(out, q)
	}
	for _, name := range sortedKeys(p.install) {
		visit(name)
	}
	return out
}

func namesOf(list []aptChange) string {
	var all []string
	for _, ch := range list {
		all = append(all, ch.name)
	}
	return strings.Join(all, " ")
}
