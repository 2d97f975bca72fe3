package swarm

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Running is what runs in a swarm, for trying a plan out beside it.
type Running struct {
	Nodes    []swarm.Node
	Services []swarm.Service
	Tasks    []swarm.Task
}

// RunningIn returns what was observed of a swarm, and its tasks, which are one
// request more.
func RunningIn(ctx context.Context, rc resource.Conn, obs *resource.Observation) (*Running, error) {
	c, err := serviceConn(rc)
	if err != nil {
		return nil, err
	}
	out := &Running{}
	for _, o := range obs.Objects {
		switch n := o.Native.(type) {
		case *liveNode:
			out.Nodes = append(out.Nodes, n.Node)
		case *swarm.Service:
			out.Services = append(out.Services, *n)
		}
	}
	out.Tasks, err = c.Docker().TaskList(ctx, swarm.TaskListOptions{})
	return out, remote.Err(err)
}

// PlannedService is the spec that a service will have. What is not known yet
// stands as the name of what will say it: it decides about no place, but for
// constraints on what has none yet. Hidden is set where what it asks of the nodes
// is sensitive.
func PlannedService(p *resource.Prospect) (spec *swarm.ServiceSpec, hidden bool, err error) {
	args, _ := value.Resolve(p.Args, func(r value.Ref) (value.Value, bool) { return r.String(), true }).(value.Struct)
	r := &resource.Request{Address: p.Address, Args: args}
	ids := liveIDs{secrets: map[string]string{}, configs: map[string]string{}}
	secrets, configs := usedNames(args)
	for _, name := range secrets {
		ids.secrets[name] = name // the swarm's own IDs are of no interest
	}
	for _, name := range configs {
		ids.configs[name] = name
	}
	var live *swarm.ServiceSpec
	var have value.Struct
	if svc := nativeService(p.Live); svc != nil && !p.Anew {
		live, have = &svc.Spec, p.Live.Args
	}
	out, err := toDocker(args, have, live, ids)
	switch {
	case err != nil && value.Sensitive(p.Args):
		return nil, false, fmt.Errorf("%s: its arguments are not known yet", p.Address)
	case err != nil:
		return nil, false, fmt.Errorf("%s: %w", p.Address, err)
	}
	out.Name = serviceName(r)
	if p.Restart {
		out.TaskTemplate.ForceUpdate++
	}
	return &out, keepsSecret(p), nil
}

// PlannedNode is a node as it will be: one that joins has what its engine says,
// which is nil where that is not there yet.
func PlannedNode(p *resource.Prospect, mark resource.Mark, engine *swarm.Node) (*swarm.Node, error) {
	args, _ := value.Resolve(p.Args, func(r value.Ref) (value.Value, bool) { return r.String(), true }).(value.Struct)
	var spec NodeSpec
	if err := nodeSchema.Decode(args, &spec); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Address, err)
	}
	out := swarm.Node{Spec: swarm.NodeSpec{Role: swarm.NodeRoleWorker, Availability: swarm.NodeAvailabilityActive}}
	out.Description.Hostname = spec.Name
	if engine != nil {
		out.Description = engine.Description
	}
	if p.Live != nil && !p.Anew {
		out = nodeOf(p.Live).Node
		out.Spec.Labels = mergeLabels(out.Spec.Labels, spec.Labels, &resource.Request{Live: p.Live, Mark: mark})
	} else {
		out.Spec.Labels = spec.Labels
	}
	if spec.Availability != nil {
		out.Spec.Availability = swarm.NodeAvailability(*spec.Availability)
	}
	if spec.Role != nil {
		out.Spec.Role = swarm.NodeRole(*spec.Role)
	}
	return &out, nil
}

// FirstNode is an engine as the node that it would be if a swarm began there, nil
// where it is in one or is not known. The arguments are those of a swarm.init, nil
// where there is none.
func FirstNode(engine *resource.Observation, opener value.Struct) *swarm.Node {
	if engine == nil || engine.Begins == nil {
		return nil
	}
	if opener == nil {
		opener = make(value.Struct, len(swarmSchema.Fields()))
	}
	f, ok := engine.Begins(opener).(forecaster)
	if !ok {
		return nil
	}
	n := f.nodes[0]
	if n.Spec.Availability == "" {
		n.Spec.Availability = swarm.NodeAvailabilityActive
	}
	return &n
}
