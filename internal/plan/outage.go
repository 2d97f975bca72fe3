package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A change may switch a machine off, its own or that of a disk: for a while, or for
// good. What is made by the machine, as a node of a swarm is, rests meanwhile: what
// runs on it runs elsewhere before. So that there is an elsewhere, and that managers
// keep their majority, machines of one swarm do that one after another.

// Outage is the time of a step in which a machine does not run.
type Outage struct {
	Machine value.Address `json:"machine,omitempty"` // "" where it is none of the plan's
	Begins  bool          `json:"begins,omitempty"`  // it runs before
	Ends    bool          `json:"ends,omitempty"`    // it runs after
	// Rests are the resources on which nothing runs meanwhile: nodes of a swarm.
	Rests []value.Address `json:"rests,omitempty"`

	id string // the machine's, in its scope
}

// outages finds which machines are off while something changes, and what rests then.
func (b *builder) outages() {
	machines := map[string]*Change{}
	for _, c := range b.plan.Changes {
		c.Outage = nil
		if c.Kind.Opens != "" && c.Live != nil && !c.Action.Drops() {
			machines[c.Scope+"/"+c.Live.ID] = c
		}
	}
	on := map[value.Address][]*Outage{}
	for _, c := range b.plan.Changes {
		o := outageOf(c)
		if o == nil {
			continue
		}
		c.Outage = &Outage{Begins: o.Begins, Ends: o.Ends, id: c.Scope + "/" + o.Machine}
		if machine := machines[c.Outage.id]; machine != nil {
			c.Outage.Machine = machine.Address
			on[machine.Address] = append(on[machine.Address], c.Outage)
		}
	}
	if len(on) == 0 {
		return
	}
	for _, c := range b.plan.Changes {
		if !rests(c) {
			continue
		}
		for in := value.Address(c.Decl.On); in != ""; in = value.Address(b.livesIn(in)) {
			for _, o := range on[in] {
				o.Rests = append(o.Rests, c.Address)
			}
		}
	}
}

// outageOf is what a change does to a machine, nil where nothing.
func outageOf(c *Change) *resource.Outage {
	if c.Action != Update || c.Blocked != "" || c.Imported || c.Live == nil || c.Kind.Outage == nil {
		return nil
	}
	return c.Kind.Outage(c.Live, c.Args, c.Fields)
}

// rests reports whether a change is of what rests while its machine is off.
func rests(c *Change) bool {
	if c.Decl == nil || c.Decl.On == "" || c.Live == nil || c.Action.Drops() || c.Blocked != "" {
		return false
	}
	_, ok := c.Kind.Handler.(resource.Rester)
	return ok
}

// spare refuses to switch machines off for good that others cannot do without. Those
// that are off already may not have been missed yet.
func (b *builder) spare() {
	off, cycled := map[string][]string{}, map[string][]string{} // IDs of what rests, by scope
	first := map[string]*Change{}                               // that switches one off
	for _, c := range b.plan.Changes {
		if rests(c) && b.idle[c.Decl.On] != "" {
			off[c.Scope] = append(off[c.Scope], c.Live.ID)
		}
		if c.Outage == nil || !c.Outage.Begins {
			continue
		}
		for _, a := range c.Outage.Rests {
			rests := b.changes[a]
			if c.Outage.Ends {
				cycled[rests.Scope] = append(cycled[rests.Scope], rests.Live.ID)
			} else if first[rests.Scope] == nil {
				first[rests.Scope] = c
			}
		}
	}
	for _, scope := range sortedKeys(first) {
		c := first[scope]
		rester := b.changes[c.Outage.Rests[0]].Kind.Handler.(resource.Rester)
		if problem := rester.Spare(b.index[scope].State.Obs.Objects, off[scope], cycled[scope]); problem != nil {
			problem.Pos, problem.Summary = c.Decl.Pos, scope+": "+problem.Summary
			b.fail(problem)
		}
	}
}

// tell says what becomes of what rests.
func (o *Outage) tell() (text string) {
	if !o.Begins && !o.Ends {
		return ""
	}
	for _, a := range o.Rests {
		text += "; " + a.Short()
		switch {
		case !o.Ends:
			text += " is drained before"
		case !o.Begins:
			text += " takes tasks again after"
		default:
			text += " is drained before, and takes tasks again after"
		}
	}
	return text
}

// linkOutages lets those wait for one another who have the same machine off, or
// machines of one swarm; and members that come and go for those: all one after
// another, as the graph has them so far, the machines first that are off already. What
// is spread over the nodes of a swarm waits until all are back, unless they come after
// it.
func (b *builder) linkOutages(g *Graph, do, destroy map[value.Address]*Node) {
	queues := b.queues(g, do, destroy)
	if len(queues) == 0 {
		return
	}
	order, cycle := g.Order(offAlready(g, queues)...)
	if cycle != nil {
		return // which is broken first
	}
	last, back := map[string]*Node{}, map[string]*Node{}
	for _, id := range order {
		n := g.Nodes[id]
		for _, queue := range queues[id] {
			n.after(last[queue])
			last[queue] = n
			if n.Change.Outage != nil {
				back[queue] = n
			}
		}
	}
	early := map[int]bool{}
	for _, n := range back {
		for _, id := range g.before(n, func(c *Change) bool { return c.Kind.Spreads }) {
			early[id] = true
		}
	}
	for _, c := range b.plan.Changes {
		if n := do[c.Address]; c.Kind.Spreads && !c.Action.Drops() && !early[n.ID] {
			n.after(back[c.Scope])
		}
	}
}

// queues says of nodes in which queues they stand: of a machine, of a swarm. A machine
// that is made anew is not in the way of what it had: that changes in between.
func (b *builder) queues(g *Graph, do, destroy map[value.Address]*Node) map[int][]string {
	queues, resting := map[int][]string{}, map[string]bool{}
	for _, c := range b.plan.Changes {
		o := c.Outage
		if o == nil {
			continue
		}
		n, ends := do[c.Address], destroy[o.Machine]
		if ends != nil && !slices.Contains(g.before(ends, func(*Change) bool { return true }), n.ID) {
			n.after(ends)
			c.Outage = nil
			continue
		}
		queues[n.ID] = append(queues[n.ID], o.id)
		for _, a := range o.Rests {
			if scope := b.changes[a].Scope; !slices.Contains(queues[n.ID], scope) {
				queues[n.ID] = append(queues[n.ID], scope)
				resting[scope] = true
			}
		}
	}
	member := map[*Change]bool{}
	for _, chain := range b.chains {
		for _, c := range chain {
			member[c] = resting[c.Scope]
		}
	}
	for _, n := range g.Nodes {
		if n.Phase == Do && member[n.Change] {
			queues[n.ID] = append(queues[n.ID], n.Change.Scope)
		}
	}
	return queues
}

// offAlready are the nodes of machines that are off: what they have changes, then they
// are started. Others have to be there before the next goes off.
func offAlready(g *Graph, queues map[int][]string) []int {
	var stay, start []int
	for _, n := range g.Nodes {
		if queues[n.ID] == nil || n.Change.Outage == nil || n.Change.Outage.Begins {
			continue
		}
		if n.Change.Outage.Ends {
			start = append(start, n.ID)
		} else {
			stay = append(stay, n.ID)
		}
	}
	return append(stay, start...)
}
