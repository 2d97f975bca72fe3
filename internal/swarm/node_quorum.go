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

// demotions puts the managers that shall be demoted into the order in which
// that is safest: first who is not there anyway, the leader last. It says why
// not where a step would leave too few. Both are IDs.
func demotions(managers []manager, demote []string) (order []string, problem *diag.Diagnostic) {
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
		if slices.Contains(demote, m.ID) {
			going = append(going, m)
		}
	}
	slices.SortStableFunc(going, func(a, b manager) int { return rank(a) - rank(b) })
	left, up := len(managers), countReachable(managers)
	for i, m := range going {
		if m.Own {
			return nil, &diag.Diagnostic{
				Summary: fmt.Sprintf("%s cannot be demoted: the swarm is reached through it", m.Name),
				Detail:  describeManagers(managers) + "\na worker does not answer for its swarm",
				Hint:    "let engine(host = ...) name another manager, on which the project then goes on",
			}
		}
		left--
		if m.Reachable {
			up--
		}
		if left == 0 || up < quorum(left) {
			return nil, lostQuorum(managers, going, i, left, up)
		}
		order = append(order, m.ID)
	}
	return order, nil
}

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
func lostQuorum(managers, going []manager, step, left, up int) *diag.Diagnostic {
	names, ids := make([]string, len(going)), make([]string, len(going))
	for i, m := range going {
		names[i], ids[i] = m.Name, m.ID
	}
	n := len(managers)
	lines := []string{describeManagers(managers)}
	if left == 0 {
		lines = append(lines, "a swarm needs a manager")
	} else {
		lines = append(lines, fmt.Sprintf("%s %d; after demoting %s: %s, %d reachable, and %d needed", needs(n), quorum(n),
			strings.Join(names[:step+1], " and "), count(left, "manager"), up, quorum(left)))
	}
	p := &diag.Diagnostic{
		Summary: fmt.Sprintf("demoting %s now would lose the quorum", strings.Join(names, " and ")),
		Detail:  strings.Join(lines, "\n"),
		Hint:    "promote another node first, in an apply of its own",
	}
	for _, m := range managers {
		if !m.Reachable && !slices.Contains(ids, m.ID) {
			p.Hint = fmt.Sprintf("bring %s back, or demote it first: node(%q, role = \"worker\")", m.Name, m.Name)
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

// sequenceNodes implements [resource.Kind.Sequence]: roles change one by one,
// promotions first.
func sequenceNodes(objects []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	var promote, demote []resource.Planned
	var ids []string
	for _, p := range planned {
		n, to := nodeOf(p.Live), roleArg(p.Args)
		switch {
		case n == nil || to == "" || to == string(n.Spec.Role):
		case to == string(swarm.NodeRoleManager):
			promote = append(promote, p)
		default:
			demote, ids = append(demote, p), append(ids, n.ID)
		}
	}
	managers := managersOf(objects)
	for _, p := range promote { // each is there before anybody goes; what is down joins when it is back
		if n := nodeOf(p.Live); !down(p.Live) {
			managers = append(managers, manager{ID: n.ID, Name: nodeLabel(n.Node), Reachable: true})
		}
	}
	order, problem := demotions(managers, ids)
	if problem != nil {
		return nil, problem
	}
	for _, id := range order {
		promote = append(promote, demote[slices.Index(ids, id)])
	}
	return promote, nil
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
	get, _ := fieldsOf(nodeSchema, args)
	s, _ := value.Reveal(get("role")).(string)
	return s
}
