package swarm

import (
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// containerConversions are those of ContainerSpec's scalars, lists and maps.
var containerConversions = []conversion{
	{
		fields: []string{"image"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Image = imageFrom(d.TaskTemplate.ContainerSpec.Image, d.Labels)
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.Image = string(s.Image)
			// The platforms are those of the image that was.
			if p := d.TaskTemplate.Placement; p != nil && p.Platforms != nil {
				p = copyOf(p)
				p.Platforms = nil
				d.TaskTemplate.Placement = p
			}
			return nil
		},
	},
	inContainer("command", func(c *swarm.ContainerSpec) *[]string { return &c.Args }, func(s *ServiceSpec) *Words { return &s.Command }),
	inContainer("entrypoint", func(c *swarm.ContainerSpec) *[]string { return &c.Command }, func(s *ServiceSpec) *Words { return &s.Entrypoint }),
	inContainer("groups", func(c *swarm.ContainerSpec) *[]string { return &c.Groups }, func(s *ServiceSpec) *[]string { return &s.Groups }),
	plain("hostname", func(c *swarm.ContainerSpec) *string { return &c.Hostname }, func(s *ServiceSpec) *string { return &s.Hostname }),
	plain("user", func(c *swarm.ContainerSpec) *string { return &c.User }, func(s *ServiceSpec) *string { return &s.User }),
	plain("workdir", func(c *swarm.ContainerSpec) *string { return &c.Dir }, func(s *ServiceSpec) *string { return &s.Workdir }),
	plain("stop_signal", func(c *swarm.ContainerSpec) *string { return &c.StopSignal }, func(s *ServiceSpec) *string { return &s.StopSignal }),
	plain("tty", func(c *swarm.ContainerSpec) *bool { return &c.TTY }, func(s *ServiceSpec) *bool { return &s.TTY }),
	plain("stdin_open", func(c *swarm.ContainerSpec) *bool { return &c.OpenStdin }, func(s *ServiceSpec) *bool { return &s.StdinOpen }),
	plain("read_only", func(c *swarm.ContainerSpec) *bool { return &c.ReadOnly }, func(s *ServiceSpec) *bool { return &s.ReadOnly }),
	plain("oom_score_adj", func(c *swarm.ContainerSpec) *int64 { return &c.OomScoreAdj }, func(s *ServiceSpec) *int64 { return &s.OomScoreAdj }),
	plain("container_labels", func(c *swarm.ContainerSpec) *map[string]string { return &c.Labels }, func(s *ServiceSpec) *map[string]string { return &s.ContainerLabels }),
	plain("sysctls", func(c *swarm.ContainerSpec) *map[string]string { return &c.Sysctls }, func(s *ServiceSpec) *map[string]string { return &s.Sysctls }),
	inContainer("cap_add", func(c *swarm.ContainerSpec) *[]string { return &c.CapabilityAdd }, func(s *ServiceSpec) *[]Capability { return &s.CapAdd }),
	inContainer("cap_drop", func(c *swarm.ContainerSpec) *[]string { return &c.CapabilityDrop }, func(s *ServiceSpec) *[]Capability { return &s.CapDrop }),
	{
		// A spec made by others may leave the choice to the daemon's
		// configuration; the docker CLI never does, and neither do we.
		fields: []string{"init"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Init = deref(d.TaskTemplate.ContainerSpec.Init, false)
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.Init = &s.Init
			return nil
		},
	},
	{
		fields: []string{"stop_grace_period"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.StopGracePeriod = deref(d.TaskTemplate.ContainerSpec.StopGracePeriod, defaultGrace)
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.StopGracePeriod = &s.StopGracePeriod
			return nil
		},
	},
	{
		fields: []string{"isolation"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Isolation = strings.ToLower(string(d.TaskTemplate.ContainerSpec.Isolation))
			if s.Isolation == "" {
				s.Isolation = "default"
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.Isolation = container.Isolation(s.Isolation)
			return nil
		},
	},
	{
		fields: []string{"env"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			for _, line := range d.TaskTemplate.ContainerSpec.Env {
				if s.Env == nil {
					s.Env = map[string]*string{}
				}
				key, val, ok := strings.Cut(line, "=")
				s.Env[key] = nil
				if ok {
					s.Env[key] = &val
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			var env []string
			for _, key := range slices.Sorted(maps.Keys(s.Env)) {
				if val := s.Env[key]; val != nil {
					key += "=" + *val
				}
				env = append(env, key)
			}
			d.TaskTemplate.ContainerSpec.Env = env
			return nil
		},
	},
	{
		fields: []string{"healthcheck"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			s.Health = HealthFrom(d.TaskTemplate.ContainerSpec.Healthcheck)
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.Healthcheck = HealthTo(s.Health)
			return nil
		},
	},
	{
		fields: []string{"hosts"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			for _, line := range d.TaskTemplate.ContainerSpec.Hosts { // "IP name [aliases...]"
				words := strings.Fields(line)
				for i := 1; i < len(words); i++ {
					s.Hosts = append(s.Hosts, HostEntry(words[i]+":"+words[0]))
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			var lines []string
			for _, h := range s.Hosts {
				name, ip, _ := strings.Cut(string(h), ":")
				lines = append(lines, ip+" "+name)
			}
			d.TaskTemplate.ContainerSpec.Hosts = lines
			return nil
		},
	},
	{
		fields: []string{"dns", "dns_search", "dns_options"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			if c := d.TaskTemplate.ContainerSpec.DNSConfig; c != nil {
				s.DNS, s.Search, s.DNSOpts = c.Nameservers, c.Search, c.Options
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			d.TaskTemplate.ContainerSpec.DNSConfig = &swarm.DNSConfig{Nameservers: s.DNS, Search: s.Search, Options: s.DNSOpts}
			return nil
		},
	},
	{
		fields: []string{"ulimits"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			for _, u := range d.TaskTemplate.ContainerSpec.Ulimits {
				hard := u.Hard
				s.Ulimits = append(s.Ulimits, Ulimit{Name: u.Name, Soft: u.Soft, Hard: &hard})
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			var limits []*container.Ulimit
			for _, u := range s.Ulimits {
				limits = append(limits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: deref(u.Hard, u.Soft)})
			}
			d.TaskTemplate.ContainerSpec.Ulimits = limits
			return nil
		},
	},
}

// plain is a field that Docker and we hold alike.
func plain[T any](name string, in func(*swarm.ContainerSpec) *T, our func(*ServiceSpec) *T) conversion {
	return conversion{
		fields: []string{name},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			*our(s) = *in(d.TaskTemplate.ContainerSpec)
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			*in(d.TaskTemplate.ContainerSpec) = *our(s)
			return nil
		},
	}
}

// inContainer is a list of strings for which we have a type of our own.
func inContainer[E ~string, L ~[]E](name string, in func(*swarm.ContainerSpec) *[]string, our func(*ServiceSpec) *L) conversion {
	return conversion{
		fields: []string{name},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			*our(s) = convertAll[E](*in(d.TaskTemplate.ContainerSpec))
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			*in(d.TaskTemplate.ContainerSpec) = convertAll[string]([]E(*our(s)))
			return nil
		},
	}
}
