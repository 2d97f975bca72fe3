package swarm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm/placement"
	"github.com/swarmscript/swarmscript/internal/value"
)

// forecaster implements [resource.Forecaster] for a swarm: whether its nodes
// have room for the tasks, and its routing mesh for the ports.
type forecaster struct {
	nodes []swarm.Node
	// begins is set where the swarm is still to begin, on the one node.
	begins bool
	// images are the platforms of those that registries were asked for.
	images map[string][]placement.Platform
}

// Forecast implements [resource.Forecaster].
func (f forecaster) Forecast(list, elsewhere []resource.Prospect) []resource.Finding {
	nodes := f.nodesAfter(list)
	if f.joined(list) {
		nodes = nil
	}
	list = slices.DeleteFunc(slices.Clone(list), func(p resource.Prospect) bool {
		return p.Kind != "service" || keepsSecret(&p)
	})
	out := foreseePorts(list)
	if len(nodes) > 0 { // else they are not known
		out = append(out, f.foreseePlaces(nodes, list)...)
		out = append(out, foreseeVolumes(nodes, list, elsewhere)...)
	}
	return out
}

func (f forecaster) foreseePlaces(nodes []placement.Node, list []resource.Prospect) []resource.Finding {
	services := make([]placement.Service, 0, len(list))
	from := make([]*resource.Prospect, 0, len(list))
	for i := range list {
		from = append(from, &list[i])
	}
	slices.SortStableFunc(from, func(a, b *resource.Prospect) int { return cmp.Compare(claim(a), claim(b)) })
	from = slices.DeleteFunc(from, func(p *resource.Prospect) bool {
		s, ok := f.demand(p)
		if ok {
			services = append(services, s)
		}
		return !ok
	})
	var out []resource.Finding
	for _, s := range placement.Check(nodes, services) {
		p := from[s.Service]
		if p.Address == "" || !p.Changes && p.Live.Unsettled == "" {
			continue // somebody else's, or it runs all the same
		}
		out = append(out, placeFinding(p, s))
	}
	return out
}

// keepsSecret reports whether what a service asks of the nodes is sensitive: to
// say what it conflicts with would show it.
func keepsSecret(p *resource.Prospect) bool {
	if p.Changes {
		return slices.ContainsFunc(asking, func(name string) bool {
			f, _ := ServiceSchema.Field(name)
			return value.Sensitive(p.Args[f.Index])
		})
	}
	return slices.ContainsFunc(p.Live.Mark.Sensitive, func(name string) bool {
		field, _, _ := strings.Cut(name, ":")
		return slices.Contains(asking, field)
	})
}

// claim orders services by their right to a place: who has one already comes
// before who waits for one, that before who asks for more, and that before who is
// new.
func claim(p *resource.Prospect) int {
	switch {
	case !p.Changes && (p.Live.Unsettled == "" || running(nativeService(p.Live)) > 0):
		return 0
	case !p.Changes:
		return 1
	case p.Anew:
		return asksAnew
	case changes(p.Fields, asking...):
		return asksMore
	}
	return 2
}

// The claims of what this plan asks for.
const asksMore, asksAnew = 3, 4

// placeFinding puts a shortage into words. It is an error where this plan makes
// it, and the step would wait in vain, whatever becomes of nodes that are away.
func placeFinding(p *resource.Prospect, s placement.Shortage) resource.Finding {
	d := diag.Diagnostic{Severity: diag.Warning, Detail: strings.Join(s.Why, "\n"), Hint: strings.Join(s.Do, "; or ")}
	switch {
	case s.Nowhere:
		d.Summary = "it runs on no node: none satisfies its constraints"
	case s.Rolling:
		d.Summary = "its update would get stuck: order = \"start-first\" needs room for a new task beside the old ones"
	case s.Missing < s.Tasks:
		d.Summary = fmt.Sprintf("%d of %d tasks cannot be placed", s.Missing, s.Tasks)
	case s.Tasks == 1:
		d.Summary = "its task cannot be placed"
	default:
		d.Summary = fmt.Sprintf("none of its %d tasks can be placed", s.Tasks)
	}
	if (claim(p) >= asksMore || s.Rolling) && !s.Nowhere && !s.Away && !p.NoWait {
		d.Severity = diag.Error
		d.Hint += "; or wait = False, or --allow-pending, lets them be pending"
	}
	d.Hint = strings.TrimPrefix(d.Hint, "; or ")
	return resource.Finding{Address: p.Address, Diagnostic: d, Pending: true}
}

// demand is what a service will ask of the nodes; false where that is nothing.
func (f forecaster) demand(p *resource.Prospect) (placement.Service, bool) {
	live := nativeService(p.Live)
	if p.Changes {
		return f.declaredDemand(p, live), true
	}
	if live == nil {
		return placement.Service{}, false
	}
	return liveDemand(p.Title, live)
}

func nativeService(o *resource.Object) *swarm.Service {
	if o == nil {
		return nil
	}
	svc, _ := o.Native.(*swarm.Service)
	return svc
}

// running is how many tasks of a live service run.
func running(svc *swarm.Service) int {
	if svc == nil || svc.ServiceStatus == nil {
		return 0
	}
	return int(svc.ServiceStatus.RunningTasks)
}

// liveDemand is that of a service that stays as it is. A job that has completed
// asks for nothing any more.
func liveDemand(title string, svc *swarm.Service) (placement.Service, bool) {
	s := placement.Service{Name: title, Settled: true, Running: running(svc), Stays: running(svc) > 0}
	switch m := svc.Spec.Mode; {
	case m.Replicated != nil:
		s.Tasks = int(deref(m.Replicated.Replicas, 1))
	case m.Global != nil:
		s.Global = true
	case m.ReplicatedJob != nil && !jobDone(svc):
		s.Job, s.Tasks = true, int(deref(m.ReplicatedJob.MaxConcurrent, 1))
	default:
		return s, false
	}
	if e := svc.Spec.EndpointSpec; e != nil {
		for _, port := range e.Ports {
			s.Ports = hostPort(s.Ports, portFrom(port))
		}
	}
	if pl := svc.Spec.TaskTemplate.Placement; pl != nil {
		s.Constraints, s.MaxPerNode, s.Platforms = pl.Constraints, int(pl.MaxReplicas), platformsOf(pl)
	}
	if r := svc.Spec.TaskTemplate.Resources; r != nil && r.Reservations != nil {
		s.CPU, s.Memory = r.Reservations.NanoCPUs, r.Reservations.MemoryBytes
		for _, g := range r.Reservations.GenericResources {
			if d := g.DiscreteResourceSpec; d != nil {
				if s.Generic == nil {
					s.Generic = map[string]int64{}
				}
				s.Generic[d.Kind] += d.Value
			}
		}
	}
	return s, true
}

func hostPort(list []placement.Port, p Port) []placement.Port {
	if p.Mode != "host" || p.Published == 0 {
		return list
	}
	return append(list, placement.Port{Number: p.Published, Protocol: p.Protocol})
}

func platformsOf(p *swarm.Placement) []placement.Platform {
	var out []placement.Platform
	for _, pl := range p.Platforms {
		out = append(out, placement.Platform{OS: pl.OS, Arch: pl.Architecture})
	}
	return out
}

// placing are the arguments that decide which nodes a task fits on.
var placing = []string{"mode", "ports", "reserve_cpu", "reserve_memory", "generic_resources", "constraints", "replicas_max_per_node"}

// asking are the arguments that say what a service asks of the nodes.
var asking = append([]string{"replicas", "max_concurrent"}, placing...)

// declaredDemand is that of a service that is made or changed. What is not
// known yet asks for nothing.
func (f forecaster) declaredDemand(p *resource.Prospect, live *swarm.Service) placement.Service {
	r := reader{ServiceSchema, p.Args}
	s := placement.Service{
		Name: p.Title, Tasks: int(r.orDefault("replicas")), MaxPerNode: int(r.int("replicas_max_per_node")),
		CPU: r.int("reserve_cpu"), Memory: r.int("reserve_memory"), Constraints: r.texts("constraints"),
	}
	mode := r.str("mode")
	s.Global = strings.HasPrefix(mode, "global")
	if s.Job = strings.HasSuffix(mode, "-job"); s.Job && r.given("max_concurrent") {
		s.Tasks = min(s.Tasks, int(r.int("max_concurrent")))
	}
	for _, port := range r.each("ports") {
		s.Ports = hostPort(s.Ports, portOf(port))
	}
	if m, ok := r.raw("generic_resources").(*value.Map); ok && m != nil {
		s.Generic = map[string]int64{}
		for _, e := range m.Entries {
			s.Generic[e.Key], _ = value.Reveal(e.Value).(int64)
		}
	}
	if p.Anew || live == nil || changes(p.Fields, "image") {
		s.Image = r.str("image")
		s.Platforms = f.images[s.Image]
	}
	if p.Anew || live == nil {
		return s
	}
	if pl := live.Spec.TaskTemplate.Placement; pl != nil && !changes(p.Fields, "image") {
		s.Platforms = platformsOf(pl)
	}
	s.Running = running(live)
	renewed := renews(p.Fields, p.Restart)
	s.Stays = s.Running > 0 && !renewed
	u, given := r.in("update")
	s.StartFirst = given && u.str("order") == "start-first" && renewed && !s.Job && !changes(p.Fields, placing...)
	return s
}

func portOf(r reader) Port {
	p := Port{Target: uint16(r.int("target")), Published: uint16(r.int("published")), Protocol: r.str("protocol"), Mode: r.str("mode")}
	if p.Protocol == "" {
		p.Protocol = "tcp"
	}
	return p
}

// foreseePorts finds ports of the routing mesh that the swarm will refuse: each
// of them is one service's, in host mode too. A port that is let go of by the
// same plan is free.
func foreseePorts(list []resource.Prospect) []resource.Finding {
	type user struct {
		title string
		mode  string
	}
	taken := map[placement.Port][]user{}
	var out []resource.Finding
	for i := range list {
		p := &list[i]
		for _, port := range publishedPorts(p) {
			at := placement.Port{Number: port.Published, Protocol: port.Protocol}
			for _, u := range taken[at] {
				if p.Changes && u.title != p.Title && (u.mode != "host" || port.Mode != "host") {
					out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
						Summary: fmt.Sprintf("port %s is published by %s already, and the swarm gives it to one service only", at, u.title),
						Hint:    "publish another port, or take it away there",
					}})
					break
				}
			}
			taken[at] = append(taken[at], user{p.Title, port.Mode})
		}
	}
	return out
}

// publishedPorts are the ports that a service will have of the nodes. Those that
// the swarm chose for a live one are its too.
func publishedPorts(p *resource.Prospect) []Port {
	var out []Port
	add := func(port Port) {
		if port.Published != 0 && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	if p.Changes {
		for _, r := range (reader{ServiceSchema, p.Args}).each("ports") {
			add(portOf(r))
		}
	}
	if svc := nativeService(p.Live); svc != nil && !p.Changes {
		if e := svc.Spec.EndpointSpec; e != nil {
			for _, port := range e.Ports {
				add(portFrom(port))
			}
		}
		for _, port := range svc.Endpoint.Ports {
			add(portFrom(port))
		}
	}
	return out
}
