package swarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A swarm's managers agree by majority: of n, n/2+1 have to be reachable, or
// nothing in the swarm can be changed any more. So managers change one at a time,
// and what is left after each change must have that majority.

// manager is what counts about one of them.
type manager struct {
	ID, Name  string
	Reachable bool
	Leader    bool
	Own       bool // the swarm is reached through it
}

func (m manager) String() string {
	switch {
	case m.Leader:
		return m.Name + " (leader)"
	case m.Reachable:
		return m.Name + " (reachable)"
	}
	return m.Name + " (unreachable)"
}

// quorum is how many of n managers have to be reachable.
func quorum(n int) int { return n/2 + 1 }

// demotions puts the managers that shall be demoted, or removed, into the order
// in which that is safest: first who is not there anyway, the leader last. It
// says why not where a step would leave too few. Both are IDs; the verb is what
// the script does to them, for a person: "demoting", "removing".
func demotions(managers []manager, demote []string, verb string) (order []string, problem *diag.Diagnostic) {
	var going []manager
	for _, id := range safest(managers, demote) {
		going = append(going, managers[slices.IndexFunc(managers, func(m manager) bool { return m.ID == id })])
	}
	left, up := len(managers), countReachable(managers)
	for i, m := range going {
		if m.Own {
			return nil, ownManager(managers, m, verb)
		}
		left--
		if m.Reachable {
			up--
		}
		if left == 0 || up < quorum(left) {
			return nil, lostQuorum(managers, going, i, left, up, verb)
		}
		order = append(order, m.ID)
	}
	return order, nil
}

// safest puts managers that go into the order in which that is safest: first who
// is not there anyway, the leader last.
func safest(managers []manager, ids []string) (order []string) {
	rank := func(m manager) int {
		switch {
		case m.Leader:
			return 2
		case m.Reachable:
			return 1
		}
		return 0
	}
	var going []manager
	for _, m := range managers {
		if slices.Contains(ids, m.ID) {
			going = append(going, m)
		}
	}
	slices.SortStableFunc(going, func(a, b manager) int { return rank(a) - rank(b) })
	for _, m := range going {
		order = append(order, m.ID)
	}
	return order
}

func ownManager(managers []manager, m manager, verb string) *diag.Diagnostic {
	done := "demoted"
	if verb == removing {
		done = "removed"
	}
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("%s cannot be %s: the swarm is reached through it", m.Name, done),
		Detail:  describeManagers(managers) + "\na worker does not answer for its swarm",
		Hint:    "let engine(host = ...) name another manager, on which the project then goes on",
	}
}

// What is done to managers, for a person.
const (
	demoting = "demoting"
	removing = "removing"
)

func countReachable(managers []manager) (n int) {
	for _, m := range managers {
		if m.Reachable {
			n++
		}
	}
	return n
}

func describeManagers(managers []manager) string {
	names := make([]string, len(managers))
	for i, m := range managers {
		names[i] = m.String()
	}
	return "managers: " + strings.Join(names, ", ")
}

// lostQuorum shows the arithmetic.
func lostQuorum(managers, going []manager, step, left, up int, verb string) *diag.Diagnostic {
	names, ids := make([]string, len(going)), make([]string, len(going))
	for i, m := range going {
		names[i], ids[i] = m.Name, m.ID
	}
	p := &diag.Diagnostic{
		Summary: fmt.Sprintf("%s %s now would lose the quorum", verb, strings.Join(names, " and ")),
		Hint:    "promote another node first, in an apply of its own",
	}
	n := len(managers)
	arithmetic := fmt.Sprintf("%s %d; after %s %s: %s, %d reachable, and %d needed", needs(n), quorum(n),
		verb, strings.Join(names[:step+1], " and "), count(left, "manager"), up, quorum(left))
	if left == 0 {
		arithmetic = "a swarm needs a manager"
		if verb == removing {
			p.Hint = "the last manager is the swarm itself, which goes with its declaration and --allow-data-loss"
		}
	}
	p.Detail = describeManagers(managers) + "\n" + arithmetic
	for _, m := range managers {
		if !m.Reachable && !slices.Contains(ids, m.ID) {
			p.Hint = fmt.Sprintf("bring %s back, or demote it first: node(%q, role = \"worker\")", m.Name, m.Name)
			if verb == removing {
				p.Hint = fmt.Sprintf("bring %s back, or remove it first", m.Name)
			}
			break
		}
	}
	return p
}

func needs(n int) string {
	if n == 1 {
		return "1 manager needs"
	}
	return fmt.Sprintf("%d managers need", n)
}

// sequenceNodes implements [resource.Kind.Sequence]: managers change one by one.
// Those that are new are there before anybody goes; those whose machines are
// made anew go and come back, one after the other; then the others go. Workers
// come and go as they like.
func sequenceNodes(objects []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	managers := managersOf(objects)
	var chain, come, leave []resource.Planned
	back := map[value.Address]resource.Planned{}
	for _, p := range planned {
		if p.Live == nil && roleArg(p.Args) == string(swarm.NodeRoleManager) {
			back[p.Address] = p
		}
	}
	var ids []string
	verb := demoting
	for _, p := range planned {
		n, to := nodeOf(p.Live), roleArg(p.Args)
		switch {
		case n == nil:
		case p.Goes && n.ManagerStatus != nil:
			leave, ids, verb = append(leave, p), append(ids, n.ID), removing
		case p.Goes, to == "", to == string(n.Spec.Role):
		case to == string(swarm.NodeRoleManager):
			come = append(come, p)
			if !down(p.Live) { // what is down joins the managers when it is back
				managers = append(managers, manager{ID: n.ID, Name: nodeLabel(n.Node), Reachable: true})
			}
		default:
			leave, ids = append(leave, p), append(ids, n.ID)
		}
	}
	joined := func(p resource.Planned) manager {
		return manager{ID: string(p.Address), Name: p.Address.Name(), Reachable: true}
	}
	for _, p := range planned {
		again := slices.ContainsFunc(leave, func(l resource.Planned) bool { return l.Address == p.Address && l.Goes })
		if _, isNew := back[p.Address]; isNew && p.Live == nil && !again {
			chain, managers = append(chain, p), append(managers, joined(p))
		}
	}
	chain = append(chain, come...)
	order := safest(managers, ids)
	var last []string
	for _, id := range order {
		p := leave[slices.Index(ids, id)]
		next, again := back[p.Address]
		if !again || !p.Goes {
			last = append(last, id)
			continue
		}
		if _, problem := demotions(managers, []string{id}, removing); problem != nil {
			return nil, problem
		}
		managers = slices.DeleteFunc(managers, func(m manager) bool { return m.ID == id })
		managers = append(managers, joined(next))
		chain = append(chain, p, next)
	}
	order, problem := demotions(managers, last, verb)
	if problem != nil {
		return nil, problem
	}
	for _, id := range order {
		chain = append(chain, leave[slices.Index(ids, id)])
	}
	if len(chain) > 0 {
		problem = evenManagers(len(managers) - len(order))
	}
	return chain, problem
}

// evenManagers warns of a number of managers that is even: one more than
// another, and no more of them may fail.
func evenManagers(n int) *diag.Diagnostic {
	if n == 0 || n%2 == 1 {
		return nil
	}
	return &diag.Diagnostic{
		Severity: diag.Warning,
		Summary:  fmt.Sprintf("there will be %d managers, an even number", n),
		Detail:   fmt.Sprintf("%d managers need %d, so %s may fail: as many as of %d", n, quorum(n), count(n-quorum(n), "manager"), n-1),
		Hint:     fmt.Sprintf("have %d, or %d", n-1, n+1),
	}
}

func managersOf(objects []*resource.Object) (out []manager) {
	for _, o := range objects {
		if n := nodeOf(o); n != nil && n.ManagerStatus != nil {
			out = append(out, manager{n.ID, nodeLabel(n.Node), reachable(n.Node), n.ManagerStatus.Leader, n.Own})
		}
	}
	slices.SortFunc(out, func(a, b manager) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// nodeLabel tells a node from all others, for a person as far as that goes.
func nodeLabel(n swarm.Node) string {
	if n.Description.Hostname == "" {
		return n.ID
	}
	return n.Description.Hostname
}

func roleArg(args value.Struct) string {
	if args == nil {
		return ""
	}
	get, _ := fieldsOf(nodeSchema, args)
	s, _ := value.Reveal(get("role")).(string)
	return s
}
