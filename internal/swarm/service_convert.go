package swarm

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The engine's defaults. Its lists leave them out, so they are known here.
const (
	defaultMonitor      = 5 * time.Second
	defaultGrace        = 10 * time.Second
	defaultRestartDelay = 5 * time.Second
)

// labelImage records a declared image that has both a tag and a digest: in the
// live service it cannot be told from a tag that was pinned.
const labelImage = "swarmscript.image"

// liveNames gives the names of what a live service holds the IDs of.
type liveNames struct {
	networks, configs map[string]string
	volumes           map[string]string // the IDs of the swarm's volumes by name
}

func (n liveNames) network(id string) string { return orSelf(n.networks, id) }
func (n liveNames) config(id string) string  { return orSelf(n.configs, id) }

func orSelf(m map[string]string, id string) string {
	if name, ok := m[id]; ok {
		return name
	}
	return id
}

// liveIDs gives the IDs that a service must hold for secrets and configs, and
// those of networks that it may hold in place of their names.
type liveIDs struct {
	secrets, configs, networks map[string]string
}

// conversion reads and writes one part of Docker's spec: the arguments that
// share a struct there.
type conversion struct {
	fields []string
	get    func(d *swarm.ServiceSpec, s *ServiceSpec, n liveNames)
	set    func(s *ServiceSpec, d *swarm.ServiceSpec, ids liveIDs) error
}

// fromDocker returns a live service in normal form: defaults filled in, IDs
// replaced by names, the digest that a tag was pinned to left out.
func fromDocker(d *swarm.ServiceSpec, n liveNames) *ServiceSpec {
	if d.TaskTemplate.ContainerSpec == nil { // a plugin's service
		c := *d
		c.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{}
		d = &c
	}
	s := &ServiceSpec{}
	for _, c := range conversions {
		c.get(d, s, n)
	}
	return s
}

// toDocker returns the spec to write. Parts in which want and have do not
// differ are kept from live to the last byte, as is all that we do not know:
// an update restarts no task that it need not. Live and have are nil for a new
// service. Labels are the caller's, who knows the mark.
func toDocker(want, have value.Struct, live *swarm.ServiceSpec, ids liveIDs) (swarm.ServiceSpec, error) {
	var s ServiceSpec
	if err := ServiceSchema.Decode(want, &s); err != nil {
		return swarm.ServiceSpec{}, err
	}
	out := swarm.ServiceSpec{}
	if live != nil {
		out = *live
	}
	var c swarm.ContainerSpec
	if out.TaskTemplate.ContainerSpec != nil {
		c = *out.TaskTemplate.ContainerSpec
	}
	out.TaskTemplate.ContainerSpec = &c
	for _, c := range conversions {
		if live != nil && !differs(c.fields, want, have) || live == nil && leaves(c.fields, want) {
			continue
		}
		if err := c.set(&s, &out, ids); err != nil {
			return swarm.ServiceSpec{}, err
		}
	}
	return out, nil
}

// leaves reports whether a new service's script says nothing of a part: then it
// is left to the swarm, as the docker CLI does.
func leaves(fields []string, want value.Struct) bool {
	for _, name := range fields {
		if f, _ := ServiceSchema.Field(name); want[f.Index] != nil || saidAnyway(name, want) {
			return false
		}
	}
	return true
}

// saidAnyway reports whether the docker CLI says an argument that nobody has
// given. `docker stack deploy` leaves init to the engine's configuration.
func saidAnyway(name string, want value.Struct) bool {
	switch name {
	case "mode", "endpoint_mode", "image":
		return true
	case "init":
		labels, _ := (reader{ServiceSchema, want}).raw("labels").(*value.Map)
		_, stack := labels.Get("com.docker.stack.namespace")
		return !stack
	}
	return false
}

func differs(fields []string, want, have value.Struct) bool {
	for _, name := range fields {
		f, _ := ServiceSchema.Field(name)
		w := want[f.Index]
		if w == nil {
			if w = f.Default; w == nil {
				continue
			}
		}
		if !f.Type.Same(w, have[f.Index]) {
			return true
		}
	}
	return false
}

// conversions has each field of ServiceSpec once, labels and what is local
// aside.
var conversions = slices.Concat(containerConversions, fileConversions, []conversion{
	{ // nobody can read it back: [Conn.Inquire] finds out, and a label remembers
		fields: []string{"registry_auth"},
		get:    func(_ *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) { s.RegistryAuth = "current" },
		set:    func(*ServiceSpec, *swarm.ServiceSpec, liveIDs) error { return nil },
	},
	{
		fields: []string{"mode", "replicas", "max_concurrent"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Replicas = 1
			switch m := d.Mode; {
			case m.Global != nil:
				s.Mode = "global"
			case m.GlobalJob != nil:
				s.Mode = "global-job"
			case m.ReplicatedJob != nil:
				s.Mode = "replicated-job"
				s.Replicas = deref(m.ReplicatedJob.TotalCompletions, deref(m.ReplicatedJob.MaxConcurrent, 1))
				s.MaxConcurrent = deref(m.ReplicatedJob.MaxConcurrent, 1)
			default:
				s.Mode = "replicated"
				if m.Replicated != nil {
					s.Replicas = deref(m.Replicated.Replicas, 1)
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			switch s.Mode {
			case "global":
				d.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
			case "global-job":
				d.Mode = swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
			case "replicated-job":
				concurrent := s.MaxConcurrent
				if concurrent == 0 {
					concurrent = s.Replicas
				}
				d.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &concurrent, TotalCompletions: &s.Replicas}}
			default:
				d.Mode = swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &s.Replicas}}
			}
			return nil
		},
	},
	{
		fields: []string{"limit_cpu", "limit_memory", "limit_pids"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if r := d.TaskTemplate.Resources; r != nil && r.Limits != nil {
				s.LimitCPU, s.LimitMemory, s.LimitPids = schema.NanoCPUs(r.Limits.NanoCPUs), schema.Size(r.Limits.MemoryBytes), r.Limits.Pids
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			r := copyOf(d.TaskTemplate.Resources)
			r.Limits = &swarm.Limit{NanoCPUs: int64(s.LimitCPU), MemoryBytes: int64(s.LimitMemory), Pids: s.LimitPids}
			d.TaskTemplate.Resources = r
			return nil
		},
	},
	{
		fields: []string{"reserve_cpu", "reserve_memory", "generic_resources"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			r := d.TaskTemplate.Resources
			if r == nil || r.Reservations == nil {
				return
			}
			s.ReserveCPU, s.ReserveMemory = schema.NanoCPUs(r.Reservations.NanoCPUs), schema.Size(r.Reservations.MemoryBytes)
			for _, g := range r.Reservations.GenericResources {
				if d := g.DiscreteResourceSpec; d != nil {
					if s.GenericResources == nil {
						s.GenericResources = map[string]int64{}
					}
					s.GenericResources[d.Kind] += d.Value
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			r := copyOf(d.TaskTemplate.Resources)
			res := &swarm.Resources{NanoCPUs: int64(s.ReserveCPU), MemoryBytes: int64(s.ReserveMemory)}
			for _, kind := range slices.Sorted(maps.Keys(s.GenericResources)) {
				res.GenericResources = append(res.GenericResources, swarm.GenericResource{
					DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: kind, Value: s.GenericResources[kind]},
				})
			}
			r.Reservations = res
			d.TaskTemplate.Resources = r
			return nil
		},
	},
	{
		fields: []string{"constraints"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if p := d.TaskTemplate.Placement; p != nil {
				s.Constraints = convertAll[Constraint](p.Constraints)
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			p := copyOf(d.TaskTemplate.Placement)
			p.Constraints = convertAll[string](s.Constraints)
			d.TaskTemplate.Placement = p
			return nil
		},
	},
	{
		fields: []string{"placement_prefs"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if p := d.TaskTemplate.Placement; p != nil {
				for _, pref := range p.Preferences {
					if pref.Spread != nil {
						s.PlacementPrefs = append(s.PlacementPrefs, Preference("spread="+pref.Spread.SpreadDescriptor))
					}
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			p := copyOf(d.TaskTemplate.Placement)
			p.Preferences = nil
			for _, pref := range s.PlacementPrefs {
				p.Preferences = append(p.Preferences, swarm.PlacementPreference{
					Spread: &swarm.SpreadOver{SpreadDescriptor: strings.TrimPrefix(string(pref), "spread=")},
				})
			}
			d.TaskTemplate.Placement = p
			return nil
		},
	},
	{
		fields: []string{"replicas_max_per_node"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if p := d.TaskTemplate.Placement; p != nil {
				s.ReplicasMaxPerNode = p.MaxReplicas
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			p := copyOf(d.TaskTemplate.Placement)
			p.MaxReplicas = s.ReplicasMaxPerNode
			d.TaskTemplate.Placement = p
			return nil
		},
	},
	{
		fields: []string{"update"},
		get:    func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) { s.Update = policyFrom(d.UpdateConfig) },
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.UpdateConfig = policyTo(s, s.Update)
			return nil
		},
	},
	{
		fields: []string{"rollback"},
		get:    func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) { s.Rollback = policyFrom(d.RollbackConfig) },
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.RollbackConfig = policyTo(s, s.Rollback)
			return nil
		},
	},
	{
		fields: []string{"restart"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Restart = RestartPolicy{Condition: "any", Delay: defaultRestartDelay}
			if p := d.TaskTemplate.RestartPolicy; p != nil {
				if p.Condition != "" {
					s.Restart.Condition = string(p.Condition)
				}
				s.Restart.Delay = deref(p.Delay, defaultRestartDelay)
				s.Restart.MaxAttempts = deref(p.MaxAttempts, 0)
				s.Restart.Window = deref(p.Window, 0)
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{
				Condition: swarm.RestartPolicyCondition(s.Restart.Condition),
				Delay:     &s.Restart.Delay, MaxAttempts: &s.Restart.MaxAttempts,
			}
			if s.Restart.Window != 0 { // otherwise left to the swarm, as the docker CLI does
				d.TaskTemplate.RestartPolicy.Window = &s.Restart.Window
			}
			return nil
		},
	},
	{
		// Options alone are for whatever driver the engine has.
		fields: []string{"log_driver", "log_opts"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if l := d.TaskTemplate.LogDriver; l != nil {
				s.LogDriver, s.LogOpts = l.Name, l.Options
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.LogDriver = nil
			if s.LogDriver != "" || len(s.LogOpts) > 0 {
				d.TaskTemplate.LogDriver = &swarm.Driver{Name: s.LogDriver, Options: s.LogOpts}
			}
			return nil
		},
	},
	{
		fields: []string{"endpoint_mode", "ports"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.EndpointMode = "vip"
			if e := d.EndpointSpec; e != nil {
				if e.Mode != "" {
					s.EndpointMode = string(e.Mode)
				}
				for _, p := range e.Ports {
					s.Ports = append(s.Ports, portFrom(p))
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			e := &swarm.EndpointSpec{Mode: swarm.ResolutionMode(s.EndpointMode)}
			for _, p := range s.Ports {
				e.Ports = append(e.Ports, swarm.PortConfig{
					Protocol: swarm.PortConfigProtocol(p.Protocol), PublishMode: swarm.PortConfigPublishMode(p.Mode),
					TargetPort: uint32(p.Target), PublishedPort: uint32(p.Published),
				})
			}
			slices.SortStableFunc(e.Ports, func(a, b swarm.PortConfig) int { return cmp.Compare(a.PublishedPort, b.PublishedPort) }) // as docker stack deploy
			d.EndpointSpec = e
			return nil
		},
	},
})
