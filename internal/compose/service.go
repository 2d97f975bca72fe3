package compose

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/cli/opts"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// service adds one service, and the order that its dependencies ask for.
func (c *converter) service(key string, s types.ServiceConfig) {
	given := slices.Contains(c.in.o.Images, key)
	var built *Part
	if c.builds(key, s) {
		built = c.build(key, s)
	}
	if s.Image == "" && !given && built == nil {
		c.fail([]string{"services", key}, fmt.Sprintf("name it with image:, or stack(..., images = {%q: ...})", key), "service %s has no image", key)
		return
	}
	d := s.Deploy
	if d == nil {
		d = &types.DeployConfig{}
	}
	labels := c.labels(d.Labels)
	if image := c.imageName(key, s); image != "" && !given {
		labels[LabelImage] = image
	}
	spec := &swarm.ServiceSpec{
		Image:           swarm.ImageRef(c.imageName(key, s)),
		Command:         swarm.Words(s.Command),
		Entrypoint:      swarm.Words(s.Entrypoint),
		Env:             s.Environment,
		Labels:          labels,
		ContainerLabels: c.labels(s.Labels),
		Hostname:        s.Hostname,
		User:            s.User,
		Groups:          s.GroupAdd,
		Workdir:         s.WorkingDir,
		TTY:             s.Tty,
		StdinOpen:       s.StdinOpen,
		ReadOnly:        s.ReadOnly,
		StopSignal:      s.StopSignal,
		StopGracePeriod: durationOr(s.StopGracePeriod, 10*time.Second),
		Isolation:       orDefault(s.Isolation, "default"),
		OomScoreAdj:     s.OomScoreAdj,
		DNS:             s.DNS,
		Search:          s.DNSSearch,
		DNSOpts:         s.DNSOpts,
		Sysctls:         s.Sysctls,
		Hosts:           hosts(s.ExtraHosts),
		Mounts:          c.mounts(key, s.Volumes),
		Networks:        c.attachments(key, s),
		Ports:           c.ports(key, s.Ports),
		Ulimits:         ulimits(s.Ulimits),
		Health:          c.health(key, s.HealthCheck),
		LogOpts:         logOptions(s),
	}
	add, drop := opts.EffectiveCapAddCapDrop(s.CapAdd, s.CapDrop)
	spec.CapAdd, spec.CapDrop = convert[swarm.Capability](add), convert[swarm.Capability](drop)
	if s.Init != nil {
		spec.Init = *s.Init
	}
	if s.Logging != nil {
		spec.LogDriver = s.Logging.Driver
	}
	if cs := s.CredentialSpec; cs != nil {
		spec.CredentialSpec = c.credentials(key, cs)
	}
	for _, r := range s.Secrets {
		f := c.file(r.Source, types.FileReferenceConfig(r))
		spec.Secrets = append(spec.Secrets, swarm.SecretRef{Secret: c.project.Secrets[r.Source].Name, Target: f.Target, UID: f.UID, GID: f.GID, Mode: mode(f)})
	}
	for _, r := range s.Configs {
		f := c.file(r.Source, types.FileReferenceConfig(r))
		spec.Configs = append(spec.Configs, swarm.ConfigRef{Config: c.project.Configs[r.Source].Name, Target: f.Target, UID: f.UID, GID: f.GID, Mode: mode(f)})
	}
	c.deploy(key, s, d, spec)
	p := c.part(swarm.ServiceKind, "services", key, scoped(c.stack.Name, key), spec)
	if s.Init != nil { // said, though it is what silence says of other services
		f, _ := swarm.ServiceSchema.Field("init")
		p.Args[f.Index] = *s.Init
	}
	p.Built = built
	for _, on := range sorted(s.DependsOn) {
		if _, ok := c.project.Services[on]; ok {
			p.After = append(p.After, on)
		}
	}
}

// file fills in what a reference to a secret or config leaves out, as the docker
// CLI does.
func (c *converter) file(source string, f types.FileReferenceConfig) types.FileReferenceConfig {
	f.Target, f.UID, f.GID = orDefault(f.Target, source), orDefault(f.UID, "0"), orDefault(f.GID, "0")
	return f
}

func mode(f types.FileReferenceConfig) schema.FileMode {
	if f.Mode == nil {
		return 0o444
	}
	return schema.FileMode(*f.Mode)
}

// attachments are a service's networks. It is known in each by its own name in
// the file too.
func (c *converter) attachments(key string, s types.ServiceConfig) (out []swarm.Attachment) {
	for _, n := range networksOf(s) {
		name := c.networkName(n)
		a := swarm.Attachment{Network: name}
		if got := s.Networks[n]; got != nil {
			a.Aliases = slices.Clone(got.Aliases)
			a.DriverOpts = got.DriverOpts
		}
		if !slices.Contains(hostNetworks, name) && !slices.Contains(a.Aliases, key) {
			a.Aliases = append(a.Aliases, key)
		}
		out = append(out, a)
	}
	return out
}

func (c *converter) ports(key string, ports []types.ServicePortConfig) (out []swarm.Port) {
	for i, p := range ports {
		at := []string{"services", key, "ports", strconv.Itoa(i)}
		published, err := strconv.ParseUint(orDefault(p.Published, "0"), 10, 16)
		if err != nil {
			c.fail(at, "give one port each", "services.%s.ports[%d]: published: got %q, want one port of 1 to 65535", key, i, p.Published)
			continue
		}
		if p.Target == 0 || p.Target > math.MaxUint16 {
			c.fail(at, "", "services.%s.ports[%d]: target: got %d, want 1 to 65535", key, i, p.Target)
			continue
		}
		port := swarm.Port{
			Target: uint16(p.Target), Published: uint16(published),
			Protocol: orDefault(p.Protocol, "tcp"), Mode: orDefault(p.Mode, "ingress"),
		}
		if len(c.in.o.Files) > 1 && published != 0 { // the later file says what is published there
			out = slices.DeleteFunc(out, func(q swarm.Port) bool { return q.Published == port.Published && q.Protocol == port.Protocol })
		}
		out = append(out, port)
	}
	return out
}

func hosts(list types.HostsList) (out []swarm.HostEntry) {
	for _, name := range sorted(list) {
		for _, ip := range list[name] {
			out = append(out, swarm.HostEntry(name+":"+ip))
		}
	}
	return out
}

func ulimits(m map[string]*types.UlimitsConfig) (out []swarm.Ulimit) {
	for _, name := range sorted(m) {
		u := m[name]
		soft, hard := int64(u.Soft), int64(u.Hard)
		if u.Single != 0 {
			soft, hard = int64(u.Single), int64(u.Single)
		}
		out = append(out, swarm.Ulimit{Name: name, Soft: soft, Hard: &hard})
	}
	return out
}

func logOptions(s types.ServiceConfig) map[string]string {
	if s.Logging == nil {
		return nil
	}
	return s.Logging.Options
}

func (c *converter) health(key string, h *types.HealthCheckConfig) swarm.Healthcheck {
	if h == nil {
		return swarm.Healthcheck{}
	}
	if h.Disable {
		if len(h.Test) > 0 {
			c.fail([]string{"services", key, "healthcheck", "disable"}, "", "services.%s.healthcheck: test and disable exclude each other", key)
		}
		return swarm.Healthcheck{Disable: true}
	}
	if len(h.Test) > 0 && h.Test[0] == "NONE" {
		return swarm.Healthcheck{Disable: true}
	}
	out := swarm.Healthcheck{
		Cmd: swarm.HealthCmd(h.Test), Interval: durationOr(h.Interval, 0), Timeout: durationOr(h.Timeout, 0),
		StartPeriod: durationOr(h.StartPeriod, 0), StartInterval: durationOr(h.StartInterval, 0),
	}
	if h.Retries != nil {
		out.Retries = int64(min(*h.Retries, math.MaxInt32))
	}
	return out
}

// credentials are a credential spec. A config of the file is meant by its key.
func (c *converter) credentials(key string, s *types.CredentialSpecConfig) swarm.CredentialSpec {
	out := swarm.CredentialSpec{File: s.File, Registry: s.Registry}
	if s.Config == "" {
		return out
	}
	cfg, ok := c.project.Configs[s.Config]
	if !ok {
		c.fail([]string{"services", key, "credential_spec"}, "", "services.%s.credential_spec: there is no config %q", key, s.Config)
	}
	out.Config = cfg.Name
	return out
}

func durationOr(d *types.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return time.Duration(*d)
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func convert[To, From ~string](in []From) (out []To) {
	for _, s := range in {
		out = append(out, To(s))
	}
	return out
}

// cpus are compose-go's, which it keeps in a float32: in its shortest form it is
// what the file says.
func cpus(n float32) (schema.NanoCPUs, error) {
	if n == 0 {
		return 0, nil
	}
	got, err := opts.ParseCPUs(strconv.FormatFloat(float64(n), 'f', -1, 32))
	if err != nil {
		return 0, fmt.Errorf("%v CPUs: %w", n, err)
	}
	return schema.NanoCPUs(got), nil
}
