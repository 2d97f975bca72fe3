package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	mounttypes "github.com/docker/docker/api/types/mount"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/go-connections/nat"
	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/api/genericresource"
)

const taskLabels = "com.docker.swarm." // of a task's container

// taskName is the name of a task's container: SERVICE.SLOT.ID.
func taskName(t *api.Task) string {
	if t.Annotations.Name != "" {
		return t.Annotations.Name
	}
	slot := t.NodeID
	if t.Slot != 0 {
		slot = strconv.FormatUint(t.Slot, 10)
	}
	return fmt.Sprintf("%s.%s.%s", t.ServiceAnnotations.Name, slot, t.ID)
}

// containerOf is the container that a task asks for.
func containerOf(t *api.Task, spec *api.ContainerSpec) backend.ContainerCreateConfig {
	config := &containertypes.Config{
		Labels: labelsOf(t, spec), StopSignal: spec.StopSignal, Tty: spec.TTY, OpenStdin: spec.OpenStdin, User: spec.User,
		Env:      append(append([]string{}, spec.Env...), genericresource.EnvFormat(t.AssignedGenericResources, "DOCKER_RESOURCE")...),
		Hostname: spec.Hostname, WorkingDir: spec.Dir, Image: familiarImage(spec.Image), ExposedPorts: nat.PortSet{}, Healthcheck: healthOf(spec.Healthcheck),
	}
	switch {
	case len(spec.Command) > 0:
		config.Entrypoint, config.Cmd = append([]string{}, spec.Command...), append([]string{}, spec.Args...)
	case len(spec.Args) > 0:
		config.Cmd = append([]string{}, spec.Args...)
	}
	if spec.StopGracePeriod != nil {
		if d, err := gogotypes.DurationFromProto(spec.StopGracePeriod); err == nil {
			seconds := int(d / time.Second)
			config.StopTimeout = &seconds
		}
	}
	host := hostOf(t, spec)
	for port := range host.PortBindings {
		config.ExposedPorts[port] = struct{}{}
	}
	return backend.ContainerCreateConfig{Name: taskName(t), Config: config, HostConfig: host, NetworkingConfig: networksOf(t)}
}

func labelsOf(t *api.Task, spec *api.ContainerSpec) map[string]string {
	labels := map[string]string{}
	for k, v := range spec.Labels {
		labels[k] = v
	}
	for k, v := range t.Annotations.Labels {
		labels[k] = v
	}
	for k, v := range map[string]string{
		"task": "", "task.id": t.ID, "task.name": taskName(t), "node.id": t.NodeID, "service.id": t.ServiceID, "service.name": t.ServiceAnnotations.Name,
	} {
		labels[taskLabels+k] = v
	}
	return labels
}

func familiarImage(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

func healthOf(h *api.HealthConfig) *containertypes.HealthConfig {
	if h == nil {
		return nil
	}
	duration := func(d *gogotypes.Duration) time.Duration {
		v, _ := gogotypes.DurationFromProto(d) // absent is 0
		return v
	}
	return &containertypes.HealthConfig{
		Test: h.Test, Interval: duration(h.Interval), Timeout: duration(h.Timeout), Retries: int(h.Retries),
		StartPeriod: duration(h.StartPeriod), StartInterval: duration(h.StartInterval),
	}
}

func hostOf(t *api.Task, spec *api.ContainerSpec) *containertypes.HostConfig {
	host := &containertypes.HostConfig{
		GroupAdd: spec.Groups, PortBindings: hostPorts(t), ReadonlyRootfs: spec.ReadOnly, Isolation: convert.IsolationFromGRPC(spec.Isolation),
		Sysctls: spec.Sysctls, CapAdd: spec.CapabilityAdd, CapDrop: spec.CapabilityDrop, OomScoreAdj: int(spec.OomScoreAdj),
	}
	if spec.Init != nil {
		init := spec.Init.GetValue()
		host.Init = &init
	}
	if spec.PidsLimit > 0 {
		limit := spec.PidsLimit
		host.PidsLimit = &limit
	}
	for _, u := range spec.Ulimits {
		host.Ulimits = append(host.Ulimits, &containertypes.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	if r := t.Spec.Resources; r != nil && r.Limits != nil {
		host.Memory, host.NanoCPUs = r.Limits.MemoryBytes, r.Limits.NanoCPUs
	}
	for _, m := range spec.Mounts {
		host.Mounts = append(host.Mounts, mountOf(m))
	}
	if d := spec.DNSConfig; d != nil {
		host.DNS, host.DNSSearch, host.DNSOptions = d.Nameservers, d.Search, d.Options
	}
	for _, entry := range spec.Hosts { // "ADDRESS NAME", as in /etc/hosts
		if words := strings.Fields(entry); len(words) > 1 {
			host.ExtraHosts = append(host.ExtraHosts, words[1]+":"+words[0])
		}
	}
	if t.LogDriver != nil {
		host.LogConfig = containertypes.LogConfig{Type: t.LogDriver.Name, Config: t.LogDriver.Options}
	}
	if len(t.Networks) > 0 && isPredefined(t.Networks[0]) {
		host.NetworkMode = containertypes.NetworkMode(t.Networks[0].Network.Spec.Annotations.Name)
	}
	if p := spec.Privileges; p != nil {
		host.SecurityOpt = securityOf(p)
	}
	return host
}

func isPredefined(a *api.NetworkAttachment) bool {
	return a.Network.Spec.Annotations.Labels["com.docker.swarm.predefined"] == "true"
}

func hostPorts(t *api.Task) nat.PortMap {
	ports := nat.PortMap{}
	if t.Endpoint == nil {
		return ports
	}
	for _, p := range t.Endpoint.Ports {
		if p.PublishMode != api.PublishModeHost {
			continue
		}
		b := nat.PortBinding{}
		if p.PublishedPort != 0 {
			b.HostPort = strconv.Itoa(int(p.PublishedPort))
		}
		ports[nat.Port(fmt.Sprintf("%d/%s", p.TargetPort, strings.ToLower(p.Protocol.String())))] = []nat.PortBinding{b}
	}
	return ports
}

func securityOf(p *api.Privileges) (opts []string) {
	if s := p.SELinuxContext; s != nil {
		if s.Disable {
			opts = append(opts, "label=disable")
		}
		for _, part := range []struct{ name, value string }{{"user", s.User}, {"role", s.Role}, {"level", s.Level}, {"type", s.Type}} {
			if part.value != "" {
				opts = append(opts, "label="+part.name+":"+part.value)
			}
		}
	}
	if s := p.Seccomp; s != nil {
		switch s.Mode {
		case api.Privileges_SeccompOpts_UNCONFINED:
			opts = append(opts, "seccomp=unconfined")
		case api.Privileges_SeccompOpts_CUSTOM:
			opts = append(opts, "seccomp="+string(s.Profile))
		}
	}
	if a := p.Apparmor; a != nil && a.Mode == api.Privileges_AppArmorOpts_DISABLED {
		opts = append(opts, "apparmor=unconfined")
	}
	if p.NoNewPrivileges {
		opts = append(opts, "no-new-privileges=true")
	}
	return opts
}

func networksOf(t *api.Task) *networktypes.NetworkingConfig {
	endpoints := map[string]*networktypes.EndpointSettings{}
	for _, a := range t.Networks {
		ep := &networktypes.EndpointSettings{
			NetworkID: a.Network.ID, Aliases: append([]string{}, a.Aliases...), DriverOpts: a.DriverAttachmentOpts,
			IPAMConfig: &networktypes.EndpointIPAMConfig{},
		}
		for _, address := range a.Addresses {
			ip, _, err := net.ParseCIDR(address)
			switch {
			case err != nil:
			case ip.To4() != nil:
				ep.IPAMConfig.IPv4Address = ip.String()
			default:
				ep.IPAMConfig.IPv6Address = ip.String()
			}
		}
		if isPredefined(a) {
			ep.NetworkID, ep.IPAMConfig, ep.Aliases = "", nil, nil
		}
		endpoints[a.Network.Spec.Annotations.Name] = ep
	}
	return &networktypes.NetworkingConfig{EndpointsConfig: endpoints}
}

var mountTypes = map[api.Mount_MountType]mounttypes.Type{
	api.MountTypeBind: mounttypes.TypeBind, api.MountTypeVolume: mounttypes.TypeVolume, api.MountTypeTmpfs: mounttypes.TypeTmpfs,
	api.MountTypeNamedPipe: mounttypes.TypeNamedPipe, api.MountTypeCluster: mounttypes.TypeCluster,
}

func mountOf(m api.Mount) mounttypes.Mount {
	mount := mounttypes.Mount{Type: mountTypes[m.Type], Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
	if o := m.BindOptions; o != nil {
		mount.BindOptions = &mounttypes.BindOptions{
			NonRecursive: o.NonRecursive, CreateMountpoint: o.CreateMountpoint,
			ReadOnlyNonRecursive: o.ReadOnlyNonRecursive, ReadOnlyForceRecursive: o.ReadOnlyForceRecursive,
			Propagation: mounttypes.Propagation(strings.ToLower(o.Propagation.String())),
		}
	}
	if o := m.VolumeOptions; o != nil {
		mount.VolumeOptions = &mounttypes.VolumeOptions{NoCopy: o.NoCopy, Labels: o.Labels, Subpath: o.Subpath}
		if d := o.DriverConfig; d != nil {
			mount.VolumeOptions.DriverConfig = &mounttypes.Driver{Name: d.Name, Options: d.Options}
		}
	}
	if o := m.TmpfsOptions; o != nil {
		var options [][]string
		_ = json.Unmarshal([]byte(o.Options), &options) // as Docker: what is no list is no option
		mount.TmpfsOptions = &mounttypes.TmpfsOptions{SizeBytes: o.SizeBytes, Mode: o.Mode, Options: options}
	}
	return mount
}

// verifyTask checks what Docker checks of a task before it takes it.
func verifyTask(spec *api.ContainerSpec) error {
	if spec.Image == "" {
		return errors.New("dockerexec: image required")
	}
	for _, m := range spec.Mounts {
		switch {
		case !path.IsAbs(m.Target) && m.Type != api.MountTypeNamedPipe:
			return fmt.Errorf("invalid mount target, must be an absolute path: %s", m.Target)
		case m.Type == api.MountTypeBind && !path.IsAbs(m.Source):
			return fmt.Errorf("invalid bind mount source, must be an absolute path: %s", m.Source)
		case m.Type == api.MountTypeVolume && path.IsAbs(m.Source):
			return fmt.Errorf("invalid volume mount source, must not be an absolute path: %s", m.Source)
		case m.Type == api.MountTypeTmpfs && m.Source != "":
			return errors.New("invalid tmpfs source, source must be empty")
		case m.Type == api.MountTypeNamedPipe && m.Source == "":
			return errors.New("invalid npipe source, source must not be empty")
		}
	}
	return nil
}

// ofTask is what a task's container has that no other one has.
type ofTask struct {
	files []string // secrets and configs, by their paths
	job   bool     // it is to end
}
