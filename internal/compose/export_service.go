package compose

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// service writes one service.
func (e *exporter) service(d *resource.Declaration) {
	s := as[swarm.ServiceSpec](e, d)
	key := e.key("services", s.Name)
	if scoped(e.out.Stack, key) != s.Name {
		e.renamed = append(e.renamed, d)
	}
	e.out.Services++
	m := newMapping()
	image := string(s.Image)
	if said := s.Labels[LabelImage]; said != "" {
		if normal, err := swarm.ImageRef(said).Normal(); err == nil && normal == image {
			image = said // as a stack's file had it, for the label that docker makes of it
		}
	}
	m.put("image", image)
	e.hosts[imageHost(image)] = true
	e.build(d, m)
	m.set("entrypoint", s.Entrypoint)
	m.set("command", s.Command)
	m.set("environment", s.Env)
	m.set("hostname", s.Hostname)
	m.set("user", s.User)
	m.set("working_dir", s.Workdir)
	if given(d, "init") {
		m.put("init", s.Init)
	}
	m.set("tty", s.TTY)
	m.set("stdin_open", s.StdinOpen)
	m.set("read_only", s.ReadOnly)
	m.set("stop_signal", s.StopSignal)
	if f, _ := swarm.ServiceSchema.Field("stop_grace_period"); f.Default != int64(s.StopGracePeriod) {
		m.put("stop_grace_period", s.StopGracePeriod)
	}
	if s.Isolation != "default" {
		m.set("isolation", s.Isolation)
	}
	m.set("credential_spec", e.credentials(s.CredentialSpec))
	m.set("oom_score_adj", s.OomScoreAdj)
	m.set("volumes", e.mounts(d, s.Mounts))
	m.set("networks", e.attachments(d, key, s.Networks))
	m.set("ports", portsOf(s.Ports))
	e.contents(m, s)
	m.set("extra_hosts", s.Hosts)
	m.set("dns", s.DNS)
	m.set("dns_search", s.Search)
	m.set("cap_add", s.CapAdd)
	m.set("cap_drop", s.CapDrop)
	m.set("ulimits", limits(s.Ulimits))
	m.set("sysctls", s.Sysctls)
	m.set("healthcheck", checked(s.Health))
	logging := newMapping()
	logging.set("driver", s.LogDriver)
	logging.set("options", s.LogOpts)
	m.set("logging", logging)
	m.set("labels", e.labels(s.ContainerLabels))
	m.set("depends_on", e.depends(d))
	m.set("deploy", e.deployed(d, s, image))
	e.unsaid(d, "groups", "dns_options", "registry_auth")
	if s.MaxConcurrent != 0 && s.MaxConcurrent != s.Replicas {
		e.warn(d, "", "a stack file cannot say max_concurrent: all replicas of the job run at a time")
	}
	if s.WithRegistryAuth != nil && *s.WithRegistryAuth {
		e.need("docker stack deploy --with-registry-auth, for the nodes to pull")
	}
	e.sections["services"].node.put(key, m)
}

// contents are the configs and secrets that a service has.
func (e *exporter) contents(m *mapping, s *swarm.ServiceSpec) {
	var files []*mapping
	for _, r := range s.Configs {
		files = append(files, fileOf(e.refer("configs", r.Config), r.Config, r.Target, r.UID, r.GID, r.Mode))
	}
	m.set("configs", files)
	files = nil
	for _, r := range s.Secrets {
		files = append(files, fileOf(e.refer("secrets", r.Secret), r.Secret, r.Target, r.UID, r.GID, r.Mode))
	}
	m.set("secrets", files)
}

// build writes how the service's image is built, where the script builds it, with
// the first service that has it. docker stack deploy passes it over; docker compose
// build does it.
func (e *exporter) build(d *resource.Declaration, m *mapping) {
	f, _ := swarm.ServiceSchema.Field("image")
	ref, ok := d.Args[f.Index].(value.Ref)
	if !ok {
		return
	}
	from := e.byAddress[ref.Address]
	if from == nil || from.Kind.Name != "build" || e.built[from.Address] {
		return
	}
	e.built[from.Address] = true
	get := func(name string) value.Value {
		f, ok := from.Kind.Schema.Field(name)
		if !ok {
			panic("compose: build has no argument " + name)
		}
		if v := e.plain(from, name, from.Args[f.Index]); v != nil && !nothing(v) && (f.Default == nil || !f.Type.Same(v, f.Default)) {
			return v
		}
		return nil
	}
	b := newMapping()
	folder, _ := get("context").(string)
	if e.o.Context != nil {
		folder = e.o.Context(folder)
	}
	b.put("context", folder)
	for _, name := range [][2]string{
		{"dockerfile", "dockerfile"}, {"target", "target"}, {"args", "args"}, {"labels", "labels"}, {"network", "network"},
		{"add_hosts", "extra_hosts"}, {"cache_from", "cache_from"}, {"platforms", "platforms"}, {"pull", "pull"}, {"no_cache", "no_cache"}, {"ssh", "ssh"},
	} {
		switch v := get(name[0]).(type) {
		case nil:
		case value.List:
			b.set(name[1], []value.Value(v))
		case *value.Map:
			entries := newMapping()
			for _, entry := range v.Entries {
				entries.put(entry.Key, entry.Value)
			}
			b.set(name[1], entries)
		default:
			b.set(name[1], v)
		}
	}
	if tags, ok := get("tags").(value.List); ok && len(tags) > 1 {
		b.put("tags", []value.Value(tags[1:]))
	}
	if to, _ := get("cache_to").(string); to != "" {
		b.put("cache_to", []string{"type=" + to})
	}
	m.put("build", b)
	if given(from, "secrets") {
		e.warn(from, "beside the service's build, a compose file has the secrets of a build in files, or in the environment", "its secrets are not written")
	}
	does := "docker compose build does it before, for one node: others need it pushed"
	if get("push") == true {
		does = "docker compose build --push does it before"
	}
	e.warn(d, does, "docker stack deploy builds nothing: the image has to be there")
}

// buildImage is the name of an image that the script builds.
func buildImage(d *resource.Declaration) string {
	if f, ok := d.Kind.Schema.Field("tags"); ok {
		if tags, _ := d.Args[f.Index].(value.List); len(tags) > 0 {
			if tag, ok := tags[0].(string); ok {
				return tag
			}
		}
	}
	return d.Address.Name()
}

func (e *exporter) credentials(c swarm.CredentialSpec) *mapping {
	m := newMapping()
	if c.Config != "" {
		m.put("config", e.refer("configs", c.Config))
	}
	m.set("file", c.File)
	m.set("registry", c.Registry)
	return m
}

// attachments are a service's networks. Docker makes the service's key an alias
// in each.
func (e *exporter) attachments(d *resource.Declaration, service string, list []swarm.Attachment) *mapping {
	out := newMapping()
	if len(list) == 0 {
		e.warn(d, "", "it is in no network, and docker stack deploy puts it into %s", scoped(e.out.Stack, "default"))
	}
	for _, a := range list {
		key := e.refer("networks", a.Network)
		e.attached[key] = true
		m := newMapping()
		m.set("aliases", slices.DeleteFunc(slices.Clone(a.Aliases), func(name string) bool { return name == service }))
		m.set("driver_opts", a.DriverOpts)
		if m.empty() {
			out.put(key, nil)
		} else {
			out.put(key, m)
		}
	}
	return out
}

func portsOf(list []swarm.Port) (out []*mapping) {
	for _, p := range list {
		m := newMapping()
		m.put("target", p.Target)
		m.set("published", p.Published)
		if p.Protocol != "tcp" {
			m.set("protocol", p.Protocol)
		}
		if p.Mode != "ingress" {
			m.set("mode", p.Mode)
		}
		out = append(out, m)
	}
	return out
}

// fileOf is a secret or config in a service's containers.
func fileOf(key, name, target, uid, gid string, mode schema.FileMode) *mapping {
	m := newMapping()
	m.put("source", key)
	if target == "" {
		target = name
	}
	if target != key {
		m.put("target", target)
	}
	if uid != "0" {
		m.set("uid", uid)
	}
	if gid != "0" {
		m.set("gid", gid)
	}
	if mode != 0o444 {
		m.put("mode", mode)
	}
	return m
}

func limits(list []swarm.Ulimit) *mapping {
	out := newMapping()
	for _, u := range list {
		if u.Hard == nil || *u.Hard == u.Soft && u.Soft != 0 {
			out.put(u.Name, u.Soft)
			continue
		}
		m := newMapping()
		m.put("soft", u.Soft)
		m.put("hard", *u.Hard)
		out.put(u.Name, m)
	}
	return out
}

func checked(h swarm.Healthcheck) *mapping {
	m := newMapping()
	if h.Disable {
		m.put("disable", true)
		return m
	}
	m.set("test", h.Cmd)
	m.set("interval", h.Interval)
	m.set("timeout", h.Timeout)
	m.set("retries", h.Retries)
	m.set("start_period", h.StartPeriod)
	m.set("start_interval", h.StartInterval)
	return m
}

// depends are the services that come first. docker stack deploy takes no notice.
func (e *exporter) depends(d *resource.Declaration) (keys []string) {
	var others []string
	for _, a := range d.After {
		on := e.byAddress[a]
		if on != nil && on.Kind == swarm.ServiceKind && on.Scope == d.Scope && e.sections["services"].keys[declaredName(on)] != "" {
			keys = append(keys, e.key("services", declaredName(on)))
		} else {
			others = append(others, a.Short())
		}
	}
	if len(keys) > 0 {
		e.warn(d, "", "docker stack deploy does not wait for %s", strings.Join(keys, ", "))
	}
	if len(others) > 0 {
		e.warn(d, "", "a stack file cannot say that it comes after %s", strings.Join(others, ", "))
	}
	return keys
}

// deployed is the section deploy.
func (e *exporter) deployed(d *resource.Declaration, s *swarm.ServiceSpec, image string) *mapping {
	m := newMapping()
	if s.Mode != "replicated" {
		m.put("mode", s.Mode)
	}
	if s.Replicas != 1 && !strings.HasPrefix(s.Mode, "global") {
		m.put("replicas", s.Replicas)
	}
	if s.EndpointMode != "vip" {
		m.put("endpoint_mode", s.EndpointMode)
	}
	placement := newMapping()
	placement.set("constraints", s.Constraints)
	var prefs []*mapping
	for _, p := range s.PlacementPrefs {
		pref := newMapping()
		pref.put("spread", strings.TrimPrefix(string(p), "spread="))
		prefs = append(prefs, pref)
	}
	placement.set("preferences", prefs)
	placement.set("max_replicas_per_node", s.ReplicasMaxPerNode)
	m.set("placement", placement)
	m.set("resources", resources(s))
	m.set("update_config", policyOf(s.Update))
	m.set("rollback_config", policyOf(s.Rollback))
	m.set("restart_policy", restartOf(s.Restart))
	labels := e.labels(s.Labels)
	if said, ok := labels[LabelImage]; ok {
		if delete(labels, LabelImage); said != image {
			e.warn(d, "", "docker stack deploy gives the label %s the value %s", LabelImage, image)
		}
	}
	m.set("labels", labels)
	return m
}

func resources(s *swarm.ServiceSpec) *mapping {
	limits, reservations := newMapping(), newMapping()
	limits.set("cpus", s.LimitCPU)
	limits.set("memory", s.LimitMemory)
	limits.set("pids", s.LimitPids)
	reservations.set("cpus", s.ReserveCPU)
	reservations.set("memory", s.ReserveMemory)
	var generic []*mapping
	for _, kind := range sorted(s.GenericResources) {
		spec, one := newMapping(), newMapping()
		spec.put("kind", kind)
		spec.put("value", s.GenericResources[kind])
		one.put("discrete_resource_spec", spec)
		generic = append(generic, one)
	}
	reservations.set("generic_resources", generic)
	m := newMapping()
	m.set("limits", limits)
	m.set("reservations", reservations)
	return m
}

// policyOf is what a policy says otherwise than silence.
func policyOf(u swarm.UpdatePolicy) *mapping {
	m, silent := newMapping(), policy(nil)
	if u.Parallelism != silent.Parallelism {
		m.put("parallelism", u.Parallelism)
	}
	m.set("delay", u.Delay)
	if u.OnFailure != silent.OnFailure {
		m.put("failure_action", u.OnFailure)
	}
	if u.Monitor != silent.Monitor {
		m.put("monitor", u.Monitor)
	}
	m.set("max_failure_ratio", u.MaxFailureRatio)
	if u.Order != silent.Order {
		m.put("order", u.Order)
	}
	return m
}

func restartOf(r swarm.RestartPolicy) *mapping {
	m := newMapping()
	if r.Condition != silentRestart.Condition {
		m.put("condition", r.Condition)
	}
	if r.Delay != silentRestart.Delay {
		m.put("delay", r.Delay)
	}
	m.set("max_attempts", r.MaxAttempts)
	m.set("window", r.Window)
	return m
}
