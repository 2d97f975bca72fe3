package swarm

import (
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/schema"
)

// fileConversions are those of what a service uses: mounts, networks, secrets,
// configs.
var fileConversions = []conversion{
	{
		fields: []string{"mounts"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			for _, m := range d.TaskTemplate.ContainerSpec.Mounts {
				s.Mounts = append(s.Mounts, MountFrom(m))
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, _ liveIDs) error {
			var mounts []mount.Mount
			for _, m := range s.Mounts {
				mounts = append(mounts, MountTo(m))
			}
			d.TaskTemplate.ContainerSpec.Mounts = mounts
			return nil
		},
	},
	{
		// The swarm resolves names to IDs itself, but that costs it a list for
		// each. Old services have their networks beside the task template.
		fields: []string{"networks"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, n liveNames) {
			for _, a := range attachments(d) {
				s.Networks = append(s.Networks, Attachment{Network: n.network(a.Target), Aliases: a.Aliases, DriverOpts: a.DriverOpts})
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, ids liveIDs) error {
			var list []swarm.NetworkAttachmentConfig
			for _, a := range s.Networks {
				list = append(list, swarm.NetworkAttachmentConfig{Target: orSelf(ids.networks, a.Network), Aliases: a.Aliases, DriverOpts: a.DriverOpts})
			}
			d.TaskTemplate.Networks = list
			//lint:ignore SA1019 the old place must not hold other ones
			d.Networks = nil
			return nil
		},
	},
	{
		fields: []string{"secrets"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, _ liveNames) {
			for _, r := range d.TaskTemplate.ContainerSpec.Secrets {
				if f := r.File; f != nil {
					s.Secrets = append(s.Secrets, SecretRef{Secret: r.SecretName, Target: f.Name, UID: f.UID, GID: f.GID, Mode: schema.FileMode(f.Mode)})
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, ids liveIDs) error {
			var refs []*swarm.SecretReference
			for _, r := range s.Secrets {
				id, ok := ids.secrets[r.Secret]
				if !ok {
					return missing("secret", r.Secret)
				}
				refs = append(refs, &swarm.SecretReference{SecretID: id, SecretName: r.Secret, File: &swarm.SecretReferenceFileTarget{
					Name: orElse(r.Target, r.Secret), UID: r.UID, GID: r.GID, Mode: os.FileMode(r.Mode),
				}})
			}
			d.TaskTemplate.ContainerSpec.Secrets = refs
			return nil
		},
	},
	{
		// A credential spec in a config needs a reference of its own kind.
		fields: []string{"configs", "credential_spec"},
		get: func(d *swarm.ServiceSpec, s *ServiceSpec, n liveNames) {
			for _, r := range d.TaskTemplate.ContainerSpec.Configs {
				if f := r.File; f != nil {
					s.Configs = append(s.Configs, ConfigRef{Config: r.ConfigName, Target: f.Name, UID: f.UID, GID: f.GID, Mode: schema.FileMode(f.Mode)})
				}
			}
			if p := d.TaskTemplate.ContainerSpec.Privileges; p != nil && p.CredentialSpec != nil {
				s.CredentialSpec = CredentialSpec{File: p.CredentialSpec.File, Registry: p.CredentialSpec.Registry}
				if id := p.CredentialSpec.Config; id != "" {
					s.CredentialSpec.Config = n.config(id)
				}
			}
		},
		set: func(s *ServiceSpec, d *swarm.ServiceSpec, ids liveIDs) error {
			var refs []*swarm.ConfigReference
			for _, r := range s.Configs {
				id, ok := ids.configs[r.Config]
				if !ok {
					return missing("config", r.Config)
				}
				refs = append(refs, &swarm.ConfigReference{ConfigID: id, ConfigName: r.Config, File: &swarm.ConfigReferenceFileTarget{
					Name: orElse(r.Target, r.Config), UID: r.UID, GID: r.GID, Mode: os.FileMode(r.Mode),
				}})
			}
			c := d.TaskTemplate.ContainerSpec
			had := c.Privileges
			var cred *swarm.CredentialSpec
			if want := s.CredentialSpec; want != (CredentialSpec{}) {
				cred = &swarm.CredentialSpec{File: want.File, Registry: want.Registry}
				if want.Config != "" {
					id, ok := ids.configs[want.Config]
					if !ok {
						return missing("config", want.Config)
					}
					cred.Config = id
					refs = append(refs, &swarm.ConfigReference{ConfigID: id, ConfigName: want.Config, Runtime: &swarm.ConfigReferenceRuntimeTarget{}})
				}
			}
			// As the docker CLI has them: tasks are compared by the bytes of their spec.
			slices.SortStableFunc(refs, func(a, b *swarm.ConfigReference) int { return strings.Compare(a.ConfigName, b.ConfigName) })
			c.Configs = refs
			if cred != nil || had != nil {
				c.Privileges = copyOf(had)
				c.Privileges.CredentialSpec = cred
			}
			return nil
		},
	},
}

// attachments returns a service's networks, wherever they are kept.
func attachments(d *swarm.ServiceSpec) []swarm.NetworkAttachmentConfig {
	if len(d.TaskTemplate.Networks) > 0 {
		return d.TaskTemplate.Networks
	}
	//lint:ignore SA1019 services of old clients have them here
	return d.Networks
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func MountFrom(m mount.Mount) Mount {
	out := Mount{
		Target: m.Target, Type: string(m.Type), Source: m.Source, ReadOnly: m.ReadOnly,
		BindPropagation: "rprivate", BindRecursive: "enabled",
	}
	if out.Type == "" {
		out.Type = "bind" // the swarm's zero
	}
	if b := m.BindOptions; b != nil {
		if b.Propagation != "" {
			out.BindPropagation = string(b.Propagation)
		}
		switch {
		case b.NonRecursive:
			out.BindRecursive = "disabled"
		case b.ReadOnlyNonRecursive:
			out.BindRecursive = "writable"
		case b.ReadOnlyForceRecursive:
			out.BindRecursive = "readonly"
		}
	}
	if v := m.VolumeOptions; v != nil {
		out.VolumeNoCopy, out.VolumeLabels, out.VolumeSubpath = v.NoCopy, v.Labels, v.Subpath
		if v.DriverConfig != nil {
			out.VolumeDriver, out.VolumeOpts = v.DriverConfig.Name, v.DriverConfig.Options
		}
	}
	if i := m.ImageOptions; i != nil {
		out.ImageSubpath = i.Subpath
	}
	if t := m.TmpfsOptions; t != nil {
		out.TmpfsSize, out.TmpfsMode = schema.Size(t.SizeBytes), schema.FileMode(t.Mode)
	}
	return out
}

// MountTo returns a mount as the API takes it. It leaves out options that have their defaults: the swarm keeps an
// empty struct apart from none, and tells them apart when it decides whether
// tasks must be renewed.
func MountTo(m Mount) mount.Mount {
	out := mount.Mount{Type: mount.Type(m.Type), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
	switch m.Type {
	case "bind":
		if m.BindPropagation != "rprivate" || m.BindRecursive != "enabled" {
			out.BindOptions = &mount.BindOptions{
				Propagation: mount.Propagation(m.BindPropagation), NonRecursive: m.BindRecursive == "disabled",
				ReadOnlyNonRecursive: m.BindRecursive == "writable", ReadOnlyForceRecursive: m.BindRecursive == "readonly",
			}
		}
	case "image":
		if m.ImageSubpath != "" {
			out.ImageOptions = &mount.ImageOptions{Subpath: m.ImageSubpath}
		}
	case "tmpfs":
		if m.TmpfsSize != 0 || m.TmpfsMode != 0 {
			out.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(m.TmpfsSize), Mode: os.FileMode(m.TmpfsMode)}
		}
	case "volume":
		v := &mount.VolumeOptions{NoCopy: m.VolumeNoCopy, Labels: m.VolumeLabels, Subpath: m.VolumeSubpath}
		if m.VolumeDriver != "" || len(m.VolumeOpts) > 0 {
			v.DriverConfig = &mount.Driver{Name: m.VolumeDriver, Options: m.VolumeOpts}
		}
		if v.NoCopy || len(v.Labels) > 0 || v.Subpath != "" || v.DriverConfig != nil {
			out.VolumeOptions = v
		}
	}
	return out
}
