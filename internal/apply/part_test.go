package apply

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// part plans and applies a part of the program, as --target or --exclude asks:
// what is planned is what was named and what the rules say belongs to it, it
// converges on its own, and nothing else in the world changes.
func part(t *testing.T, r *rand.Rand, s *session) {
	t.Helper()
	w := s.w
	w.crashed, w.budget = false, -1
	all, err := s.plan(context.Background())
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	if len(all.Changes) == 0 { // nothing is there to destroy
		return
	}
	named := all.Changes[r.IntN(len(all.Changes))].Address
	part := *s
	opts := s.opts
	excluded := r.IntN(2) == 0
	if excluded {
		opts.Exclude = []string{string(named)}
	} else {
		opts.Targets = []string{string(named)}
	}
	part.opts = opts
	p, err := part.plan(context.Background())
	if err != nil {
		for _, d := range diag.From(err) {
			for _, why := range []string{"is left out of this plan", "is held by"} {
				if strings.Contains(d.Summary+d.Detail, why) {
					return // the part cannot be had without the rest, and that is said
				}
			}
		}
		t.Fatalf("the part of %s: %v", named, err)
	}
	if !s.opts.Destroy {
		checkPart(t, s.program, all, p, named, excluded)
	}
	before, had := outside(w, p), maps.Clone(w.inside)
	converge(t, r, &part)
	if after := outside(w, p); w.room != nil && !replacesRoom(p) {
		for id, was := range before {
			if after[id] != was {
				t.Fatalf("%s is not in the part, and was %s, now %q:\n%s", id, was, after[id], dump(p))
			}
		}
		for id := range after {
			if had[id] == nil {
				t.Fatalf("the part made something else, %s: %v, before %v\n%s", id, after, before, dump(p))
			}
		}
	}
}

// checkPart compares a part with what is known of it without the planner: the
// references of the program.
func checkPart(t *testing.T, program *resource.Program, all, p *plan.Plan, named value.Address, excluded bool) {
	t.Helper()
	needs := map[value.Address][]value.Address{}
	for _, d := range program.Declarations {
		list := append([]value.Address{value.Address(d.Scope)}, d.After...)
		for _, r := range d.Refs() {
			list = append(list, r.Address)
		}
		value.Refs(d.Lifecycle.ReplaceOn, func(r value.Ref) { list = append(list, r.Address) })
		needs[d.Address] = list
	}
	in := map[value.Address]bool{}
	for _, c := range p.Changes {
		in[c.Address] = true
	}
	for _, c := range all.Changes {
		a := c.Address
		switch reaches := reach(needs, a, named); {
		case excluded && reaches && in[a]:
			t.Fatalf("%s needs %s, which is left out, and is in the part:\n%s", a, named, dump(p))
		case !excluded && c.Decl != nil && reach(needs, named, a) && !in[a] && c.Action != plan.Delete:
			t.Fatalf("%s is needed by %s, and not in the part:\n%s", a, named, dump(p))
		}
	}
	if excluded {
		return
	}
	// What else is in it lets go of something, or needs to be there for that.
	free := map[value.Address]bool{}
	for again := true; again; {
		again = false
		for _, c := range p.Changes {
			a := c.Address
			if free[a] {
				continue
			}
			lets := slices.ContainsFunc(p.Changes, func(o *plan.Change) bool {
				return free[o.Address] && (o.Action == plan.Delete || o.Action == plan.Replace) && c.Live != nil && slices.Contains(c.Live.Uses, o.Live.ID)
			})
			needed := slices.ContainsFunc(slices.Collect(maps.Keys(free)), func(o value.Address) bool { return reach(needs, o, a) })
			if a == named || a.Scope() == string(named) || lets || needed || reach(needs, named, a) {
				free[a], again = true, true
			}
		}
	}
	for _, c := range p.Changes {
		if !free[c.Address] {
			t.Fatalf("%s has nothing to do with %s, and is in the part:\n%s", c.Address, named, dump(p))
		}
	}
}

// reach reports whether one needs another, itself included.
func reach(needs map[value.Address][]value.Address, from, to value.Address) bool {
	seen := map[value.Address]bool{}
	for todo := []value.Address{from}; len(todo) > 0; {
		a := todo[0]
		if todo = todo[1:]; a == to {
			return true
		}
		if !seen[a] {
			seen[a] = true
			todo = append(todo, needs[a]...)
		}
	}
	return false
}

// outside is what is live and in no step of a plan.
func outside(w *world, p *plan.Plan) map[string]string {
	in := map[value.Address]bool{}
	ids, peers := map[string]bool{}, map[string]bool{}
	for _, c := range p.Changes {
		in[c.Address] = true
		if c.Live != nil {
			in[c.Live.Mark.Address] = true
			ids[c.Live.ID] = true // what is taken over has no mark yet
		}
		if f := c.Kind.Schema.NameField(); c.Kind.Find != nil && c.Args != nil && f != nil {
			name, _ := c.Args[f.Index].(string)
			peers[name] = true // which one is meant may be known only later
		}
		for _, o := range c.Former {
			in[o.Mark.Address] = true
		}
	}
	out := map[string]string{}
	for id, o := range w.inside {
		mark := o.Mark
		if w.ledger != nil {
			if m, ok := w.ledger.Marks[id]; ok {
				mark = m
			}
		}
		if !ids[id] && !(o.Kind == "peer" && peers[o.Name]) && (mark.Project != project || !in[mark.Address]) {
			out[id] = string(mark.Address) + " " + o.Name
		}
	}
	return out
}

func replacesRoom(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Changes, func(c *plan.Change) bool {
		return c.Address == "room.main" && (c.Action == plan.Replace || c.Action == plan.Create || c.Action == plan.Delete)
	})
}
