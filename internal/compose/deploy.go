package compose

import (
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/cli/opts"
	"github.com/docker/docker/api/types/container"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// deploy converts the section of that name, and what stands beside it for the
// same: scale, restart, and the limits of files of version 2.
func (c *converter) deploy(key string, s types.ServiceConfig, d *types.DeployConfig, spec *swarm.ServiceSpec) {
	at := func(more ...string) []string { return append([]string{"services", key}, more...) }
	spec.Mode = orDefault(d.Mode, "replicated")
	spec.EndpointMode = orDefault(strings.ToLower(d.EndpointMode), "vip")
	spec.Replicas, spec.MaxConcurrent = 1, 0
	replicas := d.Replicas
	if replicas == nil {
		replicas = s.Scale
	}
	if replicas != nil {
		if *replicas < 0 || strings.HasPrefix(spec.Mode, "global") {
			c.fail(at("deploy", "replicas"), "", "services.%s.deploy.replicas: a %s service has one task on each node", key, spec.Mode)
		} else {
			spec.Replicas = uint64(*replicas)
		}
	}
	p := d.Placement
	spec.Constraints = convert[swarm.Constraint](p.Constraints)
	for _, pref := range p.Preferences {
		spec.PlacementPrefs = append(spec.PlacementPrefs, swarm.Preference("spread="+pref.Spread))
	}
	spec.ReplicasMaxPerNode = p.MaxReplicas
	c.resources(key, s, d.Resources, spec)
	spec.Update, spec.Rollback = policy(d.UpdateConfig), policy(d.RollbackConfig)
	c.restart(key, s.Restart, d.RestartPolicy, spec)
}

func (c *converter) resources(key string, s types.ServiceConfig, r types.Resources, spec *swarm.ServiceSpec) {
	at := []string{"services", key, "deploy", "resources"}
	put := func(to *schema.NanoCPUs, n float32) {
		got, err := cpus(n)
		if err != nil {
			c.fail(at, "", "services.%s.deploy.resources: %v", key, err)
		}
		*to = got
	}
	put(&spec.LimitCPU, s.CPUS)
	spec.LimitMemory, spec.ReserveMemory, spec.LimitPids = schema.Size(s.MemLimit), schema.Size(s.MemReservation), s.PidsLimit
	if spec.LimitPids < 0 { // compose's word for none
		spec.LimitPids = 0
	}
	if l := r.Limits; l != nil {
		if l.NanoCPUs != 0 {
			put(&spec.LimitCPU, l.NanoCPUs.Value())
		}
		if l.MemoryBytes != 0 {
			spec.LimitMemory = schema.Size(l.MemoryBytes)
		}
		if l.Pids != 0 {
			spec.LimitPids = l.Pids
		}
	}
	if l := r.Reservations; l != nil {
		put(&spec.ReserveCPU, l.NanoCPUs.Value())
		if l.MemoryBytes != 0 {
			spec.ReserveMemory = schema.Size(l.MemoryBytes)
		}
		for _, g := range l.GenericResources {
			if g.DiscreteResourceSpec == nil {
				continue
			}
			if spec.GenericResources == nil {
				spec.GenericResources = map[string]int64{}
			}
			spec.GenericResources[g.DiscreteResourceSpec.Kind] += g.DiscreteResourceSpec.Value
		}
	}
}

// policy is what a file says of updates; of nothing, what the swarm does then.
func policy(u *types.UpdateConfig) swarm.UpdatePolicy {
	out := swarm.UpdatePolicy{Parallelism: 1, OnFailure: "pause", Monitor: 5 * time.Second, Order: "stop-first"}
	if u == nil {
		return out
	}
	if u.Parallelism != nil {
		out.Parallelism = *u.Parallelism
	}
	out.Delay, out.MaxFailureRatio = time.Duration(u.Delay), float64(u.MaxFailureRatio)
	out.OnFailure, out.Order = orDefault(u.FailureAction, out.OnFailure), orDefault(u.Order, out.Order)
	if u.Monitor != 0 {
		out.Monitor = time.Duration(u.Monitor)
	}
	return out
}

// silentRestart is what a swarm does where nothing is said of restarts.
var silentRestart = swarm.RestartPolicy{Condition: "any", Delay: 5 * time.Second}

// restart converts deploy.restart_policy or, without one, restart, as the docker
// CLI does.
func (c *converter) restart(key, short string, p *types.RestartPolicy, spec *swarm.ServiceSpec) {
	out := silentRestart
	defer func() { spec.Restart = out }()
	if p == nil {
		got, err := opts.ParseRestartPolicy(short)
		if err != nil {
			c.fail([]string{"services", key, "restart"}, "", "services.%s.restart: %v", key, err)
			return
		}
		if got.Name == container.RestartPolicyOnFailure {
			out.Condition, out.MaxAttempts = "on-failure", uint64(got.MaximumRetryCount)
		}
		return
	}
	out.Condition = orDefault(p.Condition, out.Condition)
	if p.Delay != nil {
		out.Delay = time.Duration(*p.Delay)
	}
	if p.MaxAttempts != nil {
		out.MaxAttempts = *p.MaxAttempts
	}
	out.Window = durationOr(p.Window, 0)
}
