package engine

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	containertypes "github.com/docker/docker/api/types/container"
	mounttypes "github.com/docker/docker/api/types/mount"
)

func mountError(m mounttypes.Mount, reason string) error {
	return fmt.Errorf("invalid mount config for type %q: %s", m.Type, reason)
}

// verifyMount checks one of HostConfig.Mounts.
func (e *Engine) verifyMount(m mounttypes.Mount) error {
	if m.Target == "" {
		return mountError(m, "field Target must not be empty")
	}
	if !path.IsAbs(m.Target) {
		return mountError(m, fmt.Sprintf("invalid mount path: '%s' mount path must be absolute", m.Target))
	}
	if path.Clean(m.Target) == "/" {
		return mountError(m, "invalid specification: destination can't be '/'")
	}
	switch m.Type {
	case mounttypes.TypeBind:
		if m.Source == "" {
			return mountError(m, "field Source must not be empty")
		}
		if !path.IsAbs(m.Source) {
			return mountError(m, fmt.Sprintf("invalid mount path: '%s' mount path must be absolute", m.Source))
		}
		if m.VolumeOptions != nil {
			return mountError(m, "field VolumeOptions must not be specified")
		}
		if e.cfg.Exists != nil && !e.cfg.Exists(m.Source) && (m.BindOptions == nil || !m.BindOptions.CreateMountpoint) {
			return mountError(m, "bind source path does not exist: "+m.Source)
		}
	case mounttypes.TypeVolume:
		if m.BindOptions != nil {
			return mountError(m, "field BindOptions must not be specified")
		}
		if m.Source == "" && m.ReadOnly {
			return mountError(m, "must not set ReadOnly mode when using anonymous volumes")
		}
		if m.Source != "" && !namePattern().MatchString(m.Source) {
			return mountError(m, fmt.Sprintf("%q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", m.Source))
		}
	case mounttypes.TypeTmpfs:
		if m.Source != "" {
			return mountError(m, "field Source must not be specified")
		}
	case mounttypes.TypeCluster, mounttypes.TypeImage:
	default:
		return mountError(m, "mount type unknown")
	}
	return nil
}

// mountAll sets a container's mounts from its configuration, and creates the
// volumes it names.
func (e *Engine) mountAll(c *container) error {
	at := map[string]containertypes.MountPoint{}
	for _, from := range c.HostConfig.VolumesFrom {
		name, mode, _ := strings.Cut(from, ":")
		other, err := e.find(name)
		if err != nil {
			return invalid("%w", err)
		}
		for _, m := range other.Mounts {
			m.Mode = ""
			m.RW = m.RW && mode != "ro"
			at[m.Destination] = m
		}
	}
	taken := map[string]bool{}
	claim := func(target string) error {
		if _, tmpfs := c.HostConfig.Tmpfs[target]; taken[target] || tmpfs {
			return invalid("Duplicate mount point: %s", target)
		}
		taken[target] = true
		return nil
	}
	for _, bind := range c.HostConfig.Binds {
		m, err := e.parseBind(bind, c.HostConfig.VolumeDriver)
		if err != nil {
			return err
		}
		if err := claim(m.Destination); err != nil {
			return err
		}
		at[m.Destination] = m
	}
	for _, given := range c.HostConfig.Mounts {
		if err := claim(given.Target); err != nil {
			return err
		}
		m, err := e.mount(c, given)
		if err != nil {
			return err
		}
		at[m.Destination] = m
	}
	for target := range c.Config.Volumes {
		target = path.Clean(target)
		if _, there := at[target]; there {
			continue
		}
		v, err := e.createVolume("", "local", nil, nil)
		if err != nil {
			return err
		}
		c.Anonymous = append(c.Anonymous, v.Name)
		at[target] = containertypes.MountPoint{Type: mounttypes.TypeVolume, Name: v.Name, Source: v.Mountpoint, Destination: target, Driver: v.Driver, RW: true}
	}
	for _, m := range at {
		c.Mounts = append(c.Mounts, m)
	}
	sort.Slice(c.Mounts, func(i, j int) bool { return c.Mounts[i].Destination < c.Mounts[j].Destination })
	return nil
}

// parseBind reads one of HostConfig.Binds: "SOURCE:TARGET[:MODE]".
func (e *Engine) parseBind(bind, driver string) (m containertypes.MountPoint, err error) {
	parts := strings.Split(bind, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return m, fmt.Errorf("invalid volume specification: '%s'", bind)
	}
	if !path.IsAbs(parts[1]) {
		return m, fmt.Errorf("invalid volume specification: '%s': invalid mount config for type %q: invalid mount path: '%s' mount path must be absolute", bind, bindType(parts[0]), parts[1])
	}
	target := path.Clean(parts[1])
	if target == "/" {
		return m, fmt.Errorf("invalid volume specification: '%s': invalid mount config for type %q: invalid specification: destination can't be '/'", bind, bindType(parts[0]))
	}
	mode := ""
	if len(parts) == 3 {
		mode = parts[2]
	}
	m = containertypes.MountPoint{Destination: target, Mode: mode, RW: true}
	for _, word := range strings.Split(mode, ",") {
		switch {
		case word == "ro":
			m.RW = false
		case slices.Contains([]string{"shared", "slave", "private", "rshared", "rslave", "rprivate"}, word):
			m.Propagation = mounttypes.Propagation(word)
		case !slices.Contains([]string{"", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"}, word):
			return m, fmt.Errorf("invalid mode: %s", mode)
		}
	}
	if path.IsAbs(parts[0]) {
		m.Type, m.Source = mounttypes.TypeBind, path.Clean(parts[0])
		if m.Propagation == "" {
			m.Propagation = mounttypes.PropagationRPrivate
		}
		return m, nil
	}
	v, err := e.createVolume(parts[0], driver, nil, nil)
	if err != nil {
		return m, err
	}
	m.Type, m.Name, m.Source, m.Driver = mounttypes.TypeVolume, v.Name, v.Mountpoint, v.Driver
	if mode == "" {
		m.Mode = "z"
	}
	return m, nil
}

// mount makes one of HostConfig.Mounts.
func (e *Engine) mount(c *container, given mounttypes.Mount) (containertypes.MountPoint, error) {
	m := containertypes.MountPoint{Type: given.Type, Source: given.Source, Destination: path.Clean(given.Target), RW: !given.ReadOnly}
	switch given.Type {
	case mounttypes.TypeBind:
		m.Propagation = mounttypes.PropagationRPrivate
		if o := given.BindOptions; o != nil && o.Propagation != "" {
			m.Propagation = o.Propagation
		}
	case mounttypes.TypeVolume:
		var labels, options map[string]string
		driver := ""
		if o := given.VolumeOptions; o != nil {
			labels = o.Labels
			if o.DriverConfig != nil {
				driver, options = o.DriverConfig.Name, o.DriverConfig.Options
			}
		}
		v, err := e.createVolume(given.Source, driver, options, labels)
		if err != nil {
			return m, err
		}
		if given.Source == "" {
			c.Anonymous = append(c.Anonymous, v.Name)
		}
		m.Name, m.Source, m.Driver, m.Mode = v.Name, v.Mountpoint, v.Driver, "z"
	case mounttypes.TypeImage:
		img, err := e.images.find(given.Source)
		if err != nil {
			return m, err
		}
		m.Name, m.Source, m.RW = given.Source, e.daemon.DataRoot+"/overlay2/"+strings.TrimPrefix(img.ID, "sha256:"), false
	case mounttypes.TypeCluster:
		return m, notSimulated("cluster volumes")
	}
	return m, nil
}

func bindType(source string) mounttypes.Type {
	if path.IsAbs(source) {
		return mounttypes.TypeBind
	}
	return mounttypes.TypeVolume
}
