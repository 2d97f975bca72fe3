package compose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// object writes what services refer to.
func (e *exporter) object(d *resource.Declaration) {
	switch d.Kind {
	case swarm.NetworkKind:
		e.network(d)
	case swarm.ConfigKind:
		e.config(d)
	case swarm.SecretKind:
		e.secret(d)
	case swarm.VolumeKind:
		e.warn(d, "docker volume create makes it", "a stack makes no volumes of a swarm: the file takes it as external")
	}
}

func (e *exporter) network(d *resource.Declaration) {
	spec := as[swarm.NetworkSpec](e, d)
	key := e.key("networks", spec.Name)
	m := e.named(key, spec.Name)
	if spec.Driver != nil && *spec.Driver != "overlay" {
		m.set("driver", *spec.Driver)
	}
	opts := map[string]string{}
	for k, v := range spec.Options {
		opts[k] = v
	}
	if _, said := opts["encrypted"]; !said && spec.Encrypted != nil && *spec.Encrypted {
		opts["encrypted"] = "true"
	}
	m.set("driver_opts", opts)
	m.set("attachable", spec.Attachable)
	if spec.Internal != nil {
		m.set("internal", *spec.Internal)
	}
	ipam := newMapping()
	ipam.set("driver", spec.IPAMDriver)
	if spec.Subnets != nil {
		var pools []*mapping
		for _, s := range *spec.Subnets {
			pool := newMapping()
			pool.put("subnet", s.CIDR)
			pools = append(pools, pool)
			if s.Gateway != nil || s.IPRange != nil || s.AuxAddress != nil {
				e.warn(d, "", "of the subnet %s a stack file says neither gateway, ip_range nor aux_address", s.CIDR)
			}
		}
		ipam.set("config", pools)
	}
	m.set("ipam", ipam)
	m.set("labels", e.labels(spec.Labels))
	e.unsaid(d, "ingress", "ipv4", "ipv6", "config_only", "config_from", "ipam_options")
	e.sections["networks"].node.put(key, m)
}

func (e *exporter) config(d *resource.Declaration) {
	spec := as[swarm.ConfigSpec](e, d, "content")
	m := e.named(e.key("configs", spec.Name), spec.Name)
	content, known := e.content(d, "content")
	switch {
	case !known:
		e.external(d, m, "its content is not known before an apply")
	case value.Sensitive(content) && !e.o.Secrets:
		e.external(d, m, "its content is sensitive")
	default:
		e.contained(m, "configs", content, spec.Name, spec.TemplateDriver, spec.Labels)
	}
	e.sections["configs"].node.put(e.key("configs", spec.Name), m)
}

func (e *exporter) secret(d *resource.Declaration) {
	spec := as[swarm.SecretSpec](e, d, "value")
	m := e.named(e.key("secrets", spec.Name), spec.Name)
	content, known := e.content(d, "value")
	switch {
	case spec.Generate != nil:
		e.external(d, m, "its value is made by the swarm's first apply")
	case spec.Driver != nil:
		m.put("driver", *spec.Driver)
		m.set("driver_opts", spec.DriverOpts)
		e.contained(m, "secrets", nil, spec.Name, spec.TemplateDriver, spec.Labels)
	case !known || !e.o.Secrets:
		e.external(d, m, "")
	default:
		e.contained(m, "secrets", content, spec.Name, spec.TemplateDriver, spec.Labels)
	}
	e.sections["secrets"].node.put(e.key("secrets", spec.Name), m)
}

// content is what is in a config or a secret, as far as the script says it.
func (e *exporter) content(d *resource.Declaration, arg string) (v value.Value, known bool) {
	f, _ := d.Kind.Schema.Field(arg)
	v = value.Resolve(d.Args[f.Index], e.resolve)
	text, known := value.Reveal(v).(string)
	return v, known && !variableIn().MatchString(text)
}

// contained writes what configs and secrets have in common; content is nil where
// none is in the file.
func (e *exporter) contained(m *mapping, section string, content value.Value, name string, driver *string, labels map[string]string) {
	if text, ok := value.Reveal(content).(string); ok {
		m.put("file", e.file(section, e.key(section, name), text))
	}
	if driver != nil {
		m.put("template_driver", *driver)
	}
	m.set("labels", e.labels(labels))
}

// external makes an object one that there has to be already, by its name as it
// is.
func (e *exporter) external(d *resource.Declaration, m *mapping, why string) {
	name := declaredName(d)
	*m = *newMapping()
	m.put("name", name)
	m.put("external", true)
	if why != "" {
		e.warn(d, "", "%s: the file takes it as external", why)
	}
	e.need("docker %s create %s FILE", d.Kind.Name, name)
}

// file puts a content beside the stack file.
func (e *exporter) file(in, key, content string) string {
	name := path.Join(in, strings.TrimLeft(key, "."))
	for n := 2; ; n++ {
		if _, taken := e.out.Files[name]; !taken {
			break
		}
		name = fmt.Sprintf("%s_%d", path.Join(in, strings.TrimLeft(key, ".")), n)
	}
	e.out.Files[name] = content
	return "./" + name
}

// mounts writes a service's mounts, and the volumes that they name.
func (e *exporter) mounts(d *resource.Declaration, list []swarm.Mount) (out []*mapping) {
	for _, v := range list {
		m := newMapping()
		m.put("type", v.Type)
		if v.Source != "" {
			m.put("source", v.Source)
		}
		options := newMapping()
		switch v.Type {
		case "volume":
			if v.Source != "" {
				*m = *newMapping()
				m.put("type", v.Type)
				m.put("source", e.volume(d, v))
			}
			options.set("nocopy", v.VolumeNoCopy)
			options.set("subpath", v.VolumeSubpath)
		case "bind":
			if v.BindPropagation != "rprivate" {
				options.set("propagation", v.BindPropagation)
			}
			if v.BindRecursive != "" && v.BindRecursive != "enabled" {
				e.warn(d, "", "the mount on %s: a stack file cannot say bind_recursive", v.Target)
			}
		case "tmpfs":
			options.set("size", int64(v.TmpfsSize))
			if v.TmpfsMode != 0 {
				e.warn(d, "", "the mount on %s: a stack file cannot say tmpfs_mode", v.Target)
			}
		case "cluster":
			if !strings.HasPrefix(v.Source, "group:") {
				*m = *newMapping()
				m.put("type", v.Type)
				m.put("source", e.refer("volumes", v.Source))
			}
		case "image":
			if v.ImageSubpath != "" {
				e.warn(d, "", "the mount on %s: a stack file cannot say image_subpath", v.Target)
			}
		}
		m.put("target", v.Target)
		m.set("read_only", v.ReadOnly)
		m.set(v.Type, options)
		out = append(out, m)
	}
	return out
}

// volume writes a named volume as a mount says that it is made, or as the script
// declares it, and returns its key.
func (e *exporter) volume(d *resource.Declaration, v swarm.Mount) string {
	driver, opts, labels := v.VolumeDriver, v.VolumeOpts, v.VolumeLabels
	i := slices.IndexFunc(e.volumes, func(d *resource.Declaration) bool { return declaredName(d) == v.Source })
	bare := driver == "" && len(opts) == 0 && len(labels) == 0
	if bare && i >= 0 {
		spec := as[swarm.VolumeSpec](e, e.volumes[i])
		opts, labels = spec.Options, spec.Labels
		if spec.Driver != nil {
			driver = *spec.Driver
		}
	} else if bare && stackOf(d) != "" { // of a stack, and yet without its label
		return e.referAs("volumes", v.Source+" of somebody else", v.Source)
	}
	// Two mounts may say of one volume that it is made differently: then it has two
	// keys.
	id := fmt.Sprint(v.Source, driver, opts, labels)
	if e.volumeIDs[v.Source] == "" {
		e.volumeIDs[v.Source] = id
	}
	name := v.Source
	if e.volumeIDs[v.Source] != id {
		name = id
	}
	s := e.sections["volumes"]
	key := e.keyOf("volumes", name, v.Source)
	if s.has(key) {
		return key
	}
	m := e.named(key, v.Source)
	m.set("driver", driver)
	m.set("driver_opts", opts)
	m.set("labels", e.labels(labels))
	s.node.put(key, m)
	return key
}
