package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	dockerswarm "github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/whatif"
	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Simulate tries the plan out in a swarm in memory for each swarm in which it
// changes services or nodes, and says what it does to what runs. It writes
// nothing, and asks each swarm for its tasks only.
func (p *Planned) Simulate(ctx context.Context) ([]*outcome.Report, error) {
	var out []*outcome.Report
	for _, addr := range slices.Sorted(maps.Keys(p.view.scopes)) {
		t := &trial{p: p, addr: addr, state: p.view.scopes[addr].State}
		if t.state.Scope.Type != "swarm" || !t.acts() {
			continue
		}
		r, err := t.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: simulate: %w", addr, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// trial is a plan as it concerns one swarm.
type trial struct {
	p     *Planned
	addr  string
	state *plan.ScopeState
	notes []string
}

// acts reports whether the plan changes anything in the swarm that the swarm
// would show.
func (t *trial) acts() bool {
	if t.state.Status == plan.Unreachable {
		return false
	}
	return slices.ContainsFunc(t.p.Plan.Changes, func(c *plan.Change) bool { return t.counts(c) || t.restsIn(c) })
}

// restsIn reports whether a node of the swarm rests in a step.
func (t *trial) restsIn(c *plan.Change) bool {
	return c.Outage != nil && slices.ContainsFunc(c.Outage.Rests, func(a value.Address) bool { return a.Scope() == t.addr })
}

// counts reports whether a change is of a service or a node of the swarm, and
// does more to it than to mark it.
func (t *trial) counts(c *plan.Change) bool {
	return c.Scope == t.addr && (c.Kind == swarm.ServiceKind || c.Kind == swarm.NodeKind) &&
		c.Changes() && c.Action != plan.Release && c.Blocked == "" && !c.MarkOnly() && !c.Imported
}

func (t *trial) run(ctx context.Context) (*outcome.Report, error) {
	in := whatif.Input{Swarm: t.addr}
	if t.state.Status == plan.Present && !t.begins() {
		running, err := swarm.RunningIn(ctx, t.p.view.scopes[t.addr].Conn, t.state.Obs)
		if err != nil {
			return nil, err
		}
		in.Nodes, in.Services, in.Tasks = running.Nodes, running.Services, running.Tasks
	} else {
		in.Nodes = []dockerswarm.Node{t.first()}
	}
	for _, n := range t.p.Plan.Graph.Nodes {
		step, err := t.step(n, in.Nodes)
		if err != nil { // what it will be is not known
			t.notes = append(t.notes, "not simulated: "+err.Error())
		}
		in.Steps = append(in.Steps, t.rest(n.Change, step, len(t.p.Plan.Graph.Nodes)+len(in.Steps), in.Nodes)...)
	}
	r, err := whatif.Simulate(ctx, in)
	if err == nil {
		r.Assumptions = append(r.Assumptions, t.notes...)
	}
	return r, err
}

// opener is the change of what opens the swarm, nil where it is not in the plan.
func (t *trial) opener() *plan.Change {
	for _, c := range t.p.Plan.Changes {
		if string(c.Address) == t.addr {
			return c
		}
	}
	return nil
}

// begins reports whether the swarm is made by this plan.
func (t *trial) begins() bool {
	c := t.opener()
	return c != nil && (c.Action == plan.Create || c.Action == plan.Replace)
}

// first is the node on which the swarm begins.
func (t *trial) first() dockerswarm.Node {
	unknown := dockerswarm.Node{Spec: dockerswarm.NodeSpec{Availability: dockerswarm.NodeAvailabilityActive}}
	unknown.Description.Hostname = t.addr
	n := &unknown
	if c := t.opener(); c != nil {
		unknown.Description.Hostname = value.Address(c.Scope).Name()
		if s := t.p.view.scope(c.Scope); s != nil {
			if known := swarm.FirstNode(s.State.Obs, c.Args); known != nil {
				n = known
			}
		}
	}
	n.ID, n.Spec.Role, n.Status.State = "first", dockerswarm.NodeRoleManager, dockerswarm.NodeStateReady
	return *n
}

// step is what a node of the plan's graph does in the swarm; what concerns
// something else only passes on what it waits for.
func (t *trial) step(n *plan.Node, nodes []dockerswarm.Node) (whatif.Step, error) {
	st := whatif.Step{ID: n.ID, After: n.Deps}
	c := n.Change
	if c == nil || n.Phase == plan.Widen || !t.counts(c) {
		return st, nil
	}
	goes := n.Phase == plan.Destroy || c.Action == plan.Delete
	prospect := &resource.Prospect{
		Address: c.Address, Kind: c.Kind.Name, Live: c.Live, Changes: true, Args: c.Args, Schema: c.Kind.Schema,
		Fields: c.Fields, Anew: c.Action == plan.Create || c.Action == plan.Replace, Restart: c.Restart,
	}
	var err error
	if c.Kind == swarm.NodeKind {
		st.Node, err = t.node(c, prospect, goes, nodes)
		return st, err
	}
	service := &whatif.ServiceStep{
		Address: string(c.Address), Action: c.Action.String(),
		Sensitive: value.Sensitive(c.Args),
		NoWait:    c.Pending || c.Decl != nil && c.Decl.NoWait || t.p.planOptions().AllowPending,
	}
	if c.Live != nil && (goes || !prospect.Anew) {
		service.ID = c.Live.ID
	}
	if !goes {
		if service.Spec, service.Hidden, err = swarm.PlannedService(prospect); err != nil {
			return st, err
		}
	}
	st.Service = service
	return st, nil
}

func (t *trial) node(c *plan.Change, p *resource.Prospect, goes bool, nodes []dockerswarm.Node) (*whatif.NodeStep, error) {
	out := &whatif.NodeStep{Address: string(c.Address)}
	if c.Live != nil && (goes || !p.Anew) {
		out.ID = c.Live.ID
	}
	if goes {
		return out, nil
	}
	var engine *dockerswarm.Node
	if c.Decl != nil && c.Decl.On != "" {
		if s := t.p.view.scope(c.Decl.On); s != nil {
			engine = swarm.FirstNode(s.State.Obs, nil)
		}
	}
	n, err := swarm.PlannedNode(p, c.Mark, engine)
	if err != nil {
		return nil, err
	}
	if out.ID == "" && t.begins() && nodes[0].Description.Hostname == n.Description.Hostname { // it is the first
		out.ID, n.Spec.Role = nodes[0].ID, dockerswarm.NodeRoleManager
	}
	out.Node = n
	return out, nil
}
