package compose

import (
	"maps"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// mounts converts a service's volumes. A named volume is made by the node that
// runs a task, by what the mount says of it.
func (c *converter) mounts(key string, list []types.ServiceVolumeConfig) (out []swarm.Mount) {
	for i, v := range list {
		at := []string{"services", key, "volumes", strconv.Itoa(i)}
		m := swarm.Mount{
			Target: v.Target, Type: orDefault(v.Type, "volume"), Source: v.Source, ReadOnly: v.ReadOnly,
			BindPropagation: "rprivate", BindRecursive: "enabled",
		}
		c.foreign(at, key, i, m.Type, v)
		switch m.Type {
		case "volume":
			c.volume(&m, v)
		case "bind", "npipe":
			if b := v.Bind; b != nil && m.Type == "bind" {
				m.BindPropagation = orDefault(b.Propagation, "rprivate")
				m.BindRecursive = orDefault(b.Recursive, "enabled")
			}
		case "tmpfs":
			if t := v.Tmpfs; t != nil {
				m.TmpfsSize, m.TmpfsMode = schema.Size(t.Size), schema.FileMode(t.Mode)
			}
		case "cluster":
			if !strings.HasPrefix(v.Source, "group:") {
				vol, ok := c.project.Volumes[v.Source]
				if !ok {
					c.fail(at, "", "services.%s.volumes[%d]: there is no volume %q", key, i, v.Source)
				}
				m.Source = vol.Name
			}
		case "image":
			if v.Image != nil {
				m.ImageSubpath = v.Image.SubPath
			}
		}
		out = append(out, m)
	}
	return out
}

// volume says how a named volume is made where there is none.
func (c *converter) volume(m *swarm.Mount, v types.ServiceVolumeConfig) {
	if v.Source == "" { // one for each container
		return
	}
	vol := c.project.Volumes[v.Source]
	m.Source = vol.Name
	if v.Volume != nil {
		m.VolumeNoCopy, m.VolumeSubpath = v.Volume.NoCopy, v.Volume.Subpath
	}
	if bool(vol.External) {
		return
	}
	m.VolumeLabels = c.labels(vol.Labels)
	m.VolumeDriver, m.VolumeOpts = vol.Driver, maps.Clone(map[string]string(vol.DriverOpts))
}

// foreign refuses options of another type of mount, as the docker CLI does.
func (c *converter) foreign(at []string, key string, i int, kind string, v types.ServiceVolumeConfig) {
	for _, o := range []struct {
		of    string
		given bool
	}{
		{"bind", saysBind(v.Bind) && kind != "npipe"}, {"volume", v.Volume != nil}, {"tmpfs", v.Tmpfs != nil}, {"image", v.Image != nil},
	} {
		if o.given && o.of != kind {
			c.fail(at, "", "services.%s.volumes[%d]: options of a %s are for type %s, this is %s", key, i, o.of, o.of, kind)
		}
	}
}

// saysBind reports whether options say how something is bound. In the short form
// any volume may have z or Z, which mean nothing to a swarm.
func saysBind(b *types.ServiceVolumeBind) bool {
	return b != nil && (b.Propagation != "" || b.Recursive != "" || b.CreateHostPath)
}

// absolute reports whether some service mounts a path that the files say as it is.
// Others were relative to a file's folder, or to the user's.
func (in *input) absolute(source string) bool {
	for _, d := range in.docs {
		for _, s := range pairs(child(d.top(), "services")) {
			for _, n := range items(child(s.value, "volumes")) {
				short := true
				if n = resolve(n); n.Kind == yaml.MappingNode {
					n, short = child(n, "source"), false
				}
				if n == nil {
					continue
				}
				text, err := substitute(n.Value, in.given(d))
				if short && err == nil {
					var v types.ServiceVolumeConfig
					v, err = format.ParseVolume(text)
					text = v.Source
				}
				if err == nil && (text == source || path.IsAbs(text) && path.Clean(text) == path.Clean(source)) {
					return true
				}
			}
		}
	}
	return false
}
