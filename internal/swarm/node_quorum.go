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

// departure is a manager that shall be one no more, by its ID.
type departure struct {
	id string
	// back is set where its machine is made anew, and becomes a manager again as
	// soon as the old one is gone.
	back bool
}

// demotions puts the managers that shall be demoted, or removed, into the order
// in which that is safest: who is not there anyway; then, once so many more have
// come, who is back at once; then the others; the leader last. It says why not
// where a step would leave too few. The verb is what the script does to them, for
// a person.
func demotions(managers []manager, leave []departure, coming int, verb string) (order []string, problem *diag.Diagnostic) {
	going, back := leaving(managers, leave)
	left, up := len(managers), countReachable(managers)
	came := false
	for i, m := range going {
		if m.Own && left+coming > 1 {
			return nil, ownManager(managers, m, verb)
		}
		if m.Reachable && !came {
			left, up, came = left+coming, up+coming, true
		}
		left--
		if m.Reachable {
			up--
		}
		if left == 0 || up < quorum(left) {
			return nil, lostQuorum(managers, going[:i+1], going, coming, left, up, verb)
		}
		order = append(order, m.ID)
		if back[m.ID] {
			left, up = left+1, up+1
		}
	}
	return order, nil
}

// leaving returns the managers that leave, in their order, and which are back at
// once.
func leaving(managers []manager, leave []departure) (going []manager, back map[string]bool) {
	back = map[string]bool{}
	for _, m := range managers {
		if i := slices.IndexFunc(leave, func(d departure) bool { return d.id == m.ID }); i >= 0 {
			going = append(going, m)
			back[m.ID] = leave[i].back
		}
	}
	rank := func(m manager) (n int) {
		switch {
		case !m.Reachable:
			return 0
		case back[m.ID]:
			n = 1
		default:
			n = 3
		}
		if m.Leader {
			n++
		}
		return n
	}
	slices.SortStableFunc(going, func(a, b manager) int { return rank(a) - rank(b) })
	return going, back
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

// lostQuorum shows the arithmetic of the last of the steps.
func lostQuorum(managers, steps, going []manager, coming, left, up int, verb string) *diag.Diagnostic {
	p := &diag.Diagnostic{
		Summary: fmt.Sprintf("%s %s now would lose the quorum", verb, namesOf(going)),
		Hint:    "promote another node first, in an apply of its own",
	}
	n, more := len(managers), ""
	if coming > 0 {
		more = fmt.Sprintf("with %d more and ", coming)
	}
	arithmetic := fmt.Sprintf("%s %d; %safter %s %s: %s, %d reachable, and %d needed", needs(n), quorum(n), more,
		verb, namesOf(steps), count(left, "manager"), up, quorum(left))
	if left == 0 {
		arithmetic = fmt.Sprintf("a swarm needs a manager; after %s %s there is none", verb, namesOf(steps))
		if verb == removing {
			p.Hint = "the last manager is the swarm itself, which goes with its declaration and --allow-data-loss"
		}
	}
	p.Detail = describeManagers(managers) + "\n" + arithmetic
	for _, m := range managers {
		if !m.Reachable && !slices.Contains(going, m) {
			p.Hint = fmt.Sprintf("bring %s back, or demote it first: node(%q, role = \"worker\")", m.Name, m.Name)
			if verb == removing {
				p.Hint = fmt.Sprintf("bring %s back, or remove it first", m.Name)
			}
			break
		}
	}
	return p
}

func namesOf(managers []manager) string {
	names := make([]string, len(managers))
	for i, m := range managers {
		names[i] = m.Name
	}
	return strings.Join(names, " and ")
}

func needs(n int) string {
	if n == 1 {
		return "1 manager needs"
	}
	return fmt.Sprintf("%d managers need", n)
}

// sequenceNodes implements [resource.Kind.Sequence]: managers change one by one.
// First those go that are gone already; those that come are there before any
// other goes. Workers come and go as they like, but for those whose machines are
// made anew: each is back before the next one goes, so that its tasks have a place.
func sequenceNodes(objects []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	var come, promote []resource.Planned
	var leave []departure
	goes, joins := map[string]resource.Planned{}, map[value.Address]resource.Planned{}
	verb, coming := demoting, 0
	for _, p := range planned {
		n, to := nodeOf(p.Live), roleArg(p.Args)
		switch {
		case p.Begins && to == string(swarm.NodeRoleWorker):
			return nil, firstManager(p.Address.Name())
		case p.Live == nil && to == string(swarm.NodeRoleManager):
			joins[p.Address] = p
			come = append(come, p)
		case n == nil, !p.Goes && (to == "" || to == string(n.Spec.Role)):
		case p.Goes && n.ManagerStatus != nil:
			verb, goes[n.ID] = removing, p
		case p.Goes:
		case to == string(swarm.NodeRoleManager):
			if promote = append(promote, p); !down(p.Live) {
				coming++ // what is down joins the managers when it is back
			}
		default:
			goes[n.ID] = p
		}
	}
	managers := managersOf(objects)
	for _, m := range managers {
		p, ok := goes[m.ID]
		if !ok {
			continue
		}
		_, back := joins[p.Address]
		// Who replaces one that is gone comes with the others.
		if leave = append(leave, departure{m.ID, back && m.Reachable}); back && m.Reachable {
			come = slices.DeleteFunc(come, func(q resource.Planned) bool { return q.Address == p.Address })
		}
	}
	coming += len(come)
	order, problem := demotions(managers, leave, coming, verb)
	if problem != nil {
		return nil, problem
	}
	chain := chained(managers, order, goes, joins, append(come, promote...))
	if len(chain) > 0 {
		problem = evenManagers(len(managers) + coming - len(order) + countBack(leave))
	}
	return append(chain, rolling(planned)...), problem
}

// rolling are the workers that go and come back, one after another. One that is down
// already has no tasks to move.
func rolling(planned []resource.Planned) (chain []resource.Planned) {
	for _, p := range planned {
		n := nodeOf(p.Live)
		if !p.Goes || n == nil || n.ManagerStatus != nil || down(p.Live) {
			continue
		}
		back := slices.IndexFunc(planned, func(q resource.Planned) bool { return q.Live == nil && q.Address == p.Address })
		if back >= 0 && roleArg(planned[back].Args) != string(swarm.NodeRoleManager) {
			chain = append(chain, p, planned[back])
		}
	}
	return chain
}

// firstManager refuses to make a worker of the node that a swarm begins on, in
// the apply in which it does: until others have joined, it is all there is.
func firstManager(name string) *diag.Diagnostic {
	one := []manager{{Name: name, Reachable: true, Leader: true}}
	p := lostQuorum(one, one, one, 0, 0, 0, demoting)
	p.Summary = name + " cannot be a worker yet: the swarm begins on it"
	p.Hint = `leave out role = "worker" until another node is a manager; the next apply demotes it`
	return p
}

// chained puts the steps one after another: who comes is between those that are
// gone already and the others; who is back comes after itself.
func chained(managers []manager, order []string, goes map[string]resource.Planned, joins map[value.Address]resource.Planned, come []resource.Planned) (chain []resource.Planned) {
	came := false
	for _, id := range order {
		alive := slices.ContainsFunc(managers, func(m manager) bool { return m.ID == id && m.Reachable })
		if alive && !came {
			chain, came = append(chain, come...), true
		}
		p := goes[id]
		chain = append(chain, p)
		if again, ok := joins[p.Address]; ok && alive {
			chain = append(chain, again)
		}
	}
	if !came {
		chain = append(chain, come...)
	}
	return chain
}

func countBack(leave []departure) (n int) {
	for _, d := range leave {
		if d.back {
			n++
		}
	}
	return n
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
