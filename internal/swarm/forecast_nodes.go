package swarm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm/placement"
	"github.com/swarmscript/swarmscript/internal/value"
)

// nodesAfter are the nodes as they will be when the plan is carried out: with
// the labels and the availability that the script declares for them, with those
// that join, and without those that leave.
func (f forecaster) nodesAfter(list []resource.Prospect) []placement.Node {
	declared := map[string]*resource.Prospect{}
	var nodes []placement.Node
	for i := range list {
		switch p := &list[i]; {
		case p.Kind != "node":
		case p.Live != nil:
			declared[p.Live.ID] = p
		case f.meansFirst(p):
			declared[f.nodes[0].ID] = p
		case p.Anew:
			nodes = append(nodes, comingNode(p))
		}
	}
	for i := range f.nodes {
		n, p := placementNode(&f.nodes[i]), declared[f.nodes[i].ID]
		n.First = f.begins
		if p == nil && leavesWithItsMark(&f.nodes[i]) {
			continue
		}
		if p == nil || p.Changes {
			changeNode(&n, p, f.nodes[i].Spec.Labels)
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b placement.Node) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return nodes
}

// leavesWithItsMark reports whether a node that is not in the list of what will be
// leaves the swarm; others are only released.
func leavesWithItsMark(n *swarm.Node) bool {
	mark, _ := resource.ReadMark(n.Spec.Labels)
	return mark.On != ""
}

// comingNode is a node that joins.
func comingNode(p *resource.Prospect) placement.Node {
	n := placement.Node{
		ID: string(p.Address), Name: p.Address.Name(), Coming: true, State: string(swarm.NodeStateReady),
		Availability: string(swarm.NodeAvailabilityActive), Role: string(swarm.NodeRoleWorker),
	}
	changeNode(&n, p, nil)
	return n
}

// changeNode applies a declaration to a node; none takes away the labels that an
// earlier one set. What is not known yet, or sensitive, is open.
func changeNode(n *placement.Node, p *resource.Prospect, labels map[string]string) {
	mark, _ := resource.ReadMark(labels)
	owned := mark.Owned()["labels"]
	if p == nil && len(owned) == 0 {
		return
	}
	n.Labels, n.Open = maps.Clone(n.Labels), map[string]bool{}
	for _, key := range owned {
		delete(n.Labels, key)
	}
	if p == nil {
		return
	}
	r := reader{p.Schema, p.Args}
	if a := r.str("availability"); a != "" {
		n.Availability = a
	}
	if role := r.str("role"); role != "" {
		n.Role = role
	}
	m, _ := r.raw("labels").(*value.Map)
	if m == nil {
		return
	}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	for _, e := range m.Entries {
		text, known := e.Value.(string)
		n.Labels[e.Key], n.Open[e.Key] = text, !known
	}
}

func placementNode(n *swarm.Node) placement.Node {
	out := placement.Node{
		ID: n.ID, Name: n.Description.Hostname, Addr: n.Status.Addr, Role: string(n.Spec.Role),
		OS: n.Description.Platform.OS, Arch: n.Description.Platform.Architecture,
		Labels: n.Spec.Labels, EngineLabels: n.Description.Engine.Labels,
		State: string(n.Status.State), Availability: string(n.Spec.Availability),
		CPU: n.Description.Resources.NanoCPUs, Memory: n.Description.Resources.MemoryBytes,
		Generic: map[string]int64{},
	}
	if out.Availability == "" {
		out.Availability = string(swarm.NodeAvailabilityActive)
	}
	if out.Name == "" {
		out.Name = n.ID
	}
	for _, g := range n.Description.Resources.GenericResources {
		switch {
		case g.DiscreteResourceSpec != nil:
			out.Generic[g.DiscreteResourceSpec.Kind] += g.DiscreteResourceSpec.Value
		case g.NamedResourceSpec != nil:
			out.Generic[g.NamedResourceSpec.Kind]++
		}
	}
	return out
}

// foreseeVolumes warns of volumes that only some of the nodes have which may run
// a service: on the others its tasks would get empty ones of that name. It knows
// the volumes of the engines that the plan sees.
func foreseeVolumes(nodes []placement.Node, list, elsewhere []resource.Prospect) []resource.Finding {
	has := map[string][]string{} // the IDs of the nodes, by the volume
	for i := range elsewhere {
		p := &elsewhere[i]
		if p.Kind != "volume" || p.Node == "" {
			continue
		}
		name := p.Address.Name()
		if p.Live != nil {
			name = p.Live.Name
		} else if f := p.Schema.NameField(); f != nil {
			if s, ok := p.Args[f.Index].(string); ok {
				name = s
			}
		}
		has[name] = append(has[name], p.Node)
	}
	var out []resource.Finding
	for i := range list {
		p := &list[i]
		f, _ := ServiceSchema.Field("mounts")
		if !p.Changes || len(has) == 0 || value.Sensitive(p.Args[f.Index]) {
			continue
		}
		for _, m := range (reader{ServiceSchema, p.Args}).each("mounts") {
			source := m.str("source")
			if kind := m.str("type"); kind != "" && kind != "volume" || has[source] == nil || m.str("volume_driver") != "" {
				continue
			}
			if d := strayVolume(nodes, forecaster{}.declaredDemand(p, nil), source, has[source]); d != nil {
				out = append(out, resource.Finding{Address: p.Address, Diagnostic: *d})
			}
		}
	}
	return out
}

func strayVolume(nodes []placement.Node, s placement.Service, name string, has []string) *diag.Diagnostic {
	var with, without []string
	for i := range nodes {
		n := &nodes[i]
		switch there := slices.Contains(has, n.ID); {
		case there:
			with = append(with, n.Name)
		case n.Allows(s.Constraints):
			without = append(without, n.Name)
		}
	}
	if len(without) == 0 || len(with) == 0 {
		return nil
	}
	d := &diag.Diagnostic{
		Severity: diag.Warning,
		Summary:  fmt.Sprintf("volume %s is on %s, and its tasks may run on %s too", name, placement.Join(with), placement.Join(without)),
		Detail:   "there they would get an empty volume of that name",
	}
	if len(with) == 1 {
		d.Hint = fmt.Sprintf("constraints = [\"node.hostname==%s\"] keeps them where it is", with[0])
	}
	return d
}
