package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What a container may be asked to be.
const (
	stateRunning   = "running"
	stateCompleted = "completed"
	stateStopped   = "stopped"
)

// defaultStopTimeout is Docker's, which its API shows as none.
const defaultStopTimeout = 10 * time.Second

// containerArgs returns a live container's arguments in normal form. n gives the
// names of containers by ID: Docker keeps the IDs of those whose namespaces are
// shared.
func containerArgs(c *container.InspectResponse, n names, g given) value.Struct {
	s := &ContainerSpec{}
	s.readConfig(c, g)
	s.readHost(c.HostConfig, g, n)
	s.readResources(&c.HostConfig.Resources, g)
	s.readNetworks(c)
	s.State = stateOf(c.State, g)
	return containerSchema.Encode(s)
}

// stateOf is what a container is, in the words of the argument, or in Docker's
// where there is no argument for it.
func stateOf(s *container.State, g given) string {
	up := s.Running || s.Restarting
	switch {
	case s.Paused:
		return "paused"
	case g.has("state:"+stateCompleted) && (up || ranToEnd(s)):
		return stateCompleted
	case up && !g.has("state:"+stateCompleted):
		return stateRunning
	}
	return stateStopped
}

func ranToEnd(s *container.State) bool {
	return s.Status == container.StateExited && s.ExitCode == 0 && s.Error == ""
}

func (s *ContainerSpec) readConfig(c *container.InspectResponse, g given) {
	d := c.Config
	s.Name, s.Image = strings.TrimPrefix(c.Name, "/"), swarm.ImageRef(d.Image)
	s.Domainname, s.TTY, s.Interactive = d.Domainname, d.Tty, d.OpenStdin
	_, s.Labels = resource.ReadMark(d.Labels)
	s.Env = map[string]*string{}
	for _, line := range d.Env {
		key, val, ok := strings.Cut(line, "=")
		s.Env[key] = nil
		if ok {
			s.Env[key] = &val
		}
	}
	s.StopTimeout = defaultStopTimeout
	if d.StopTimeout != nil {
		s.StopTimeout = time.Duration(*d.StopTimeout) * time.Second
	}
	if g.has("command") {
		s.Command = swarm.Words(d.Cmd)
	}
	if g.has("entrypoint") {
		s.Entrypoint = swarm.Words(d.Entrypoint)
	}
	for name, f := range map[string]struct{ from, to *string }{
		"hostname": {&d.Hostname, &s.Hostname}, "user": {&d.User, &s.User},
		"workdir": {&d.WorkingDir, &s.Workdir}, "stop_signal": {&d.StopSignal, &s.StopSignal},
	} {
		if g.has(name) {
			*f.to = *f.from
		}
	}
	for _, p := range g.values("expose") {
		if !slices.ContainsFunc(ExposedPort(p).ports(), func(p nat.Port) bool { _, ok := d.ExposedPorts[p]; return !ok }) {
			s.Expose = append(s.Expose, ExposedPort(p))
		}
	}
	for _, v := range g.values("volumes") {
		if _, ok := d.Volumes[v]; ok {
			s.Volumes = append(s.Volumes, Bind(v))
		}
	}
	s.Platform = g.value("platform")
	s.Health = g.onlyGiven(swarm.HealthFrom(d.Healthcheck))
}

func (s *ContainerSpec) readHost(h *container.HostConfig, g given, n names) {
	s.ReadOnly, s.Privileged, s.PublishAll = h.ReadonlyRootfs, h.Privileged, h.PublishAllPorts
	s.Annotations, s.StorageOpts, s.Sysctls, s.Tmpfs = h.Annotations, h.StorageOpt, h.Sysctls, h.Tmpfs
	s.Groups, s.DNS, s.Search, s.DNSOpts = h.GroupAdd, h.DNS, h.DNSSearch, h.DNSOptions
	s.VolumeDriver, s.OomScoreAdj = h.VolumeDriver, int64(h.OomScoreAdj)
	s.UTS, s.Userns = string(h.UTSMode), string(h.UsernsMode)
	s.Restart = restartFrom(h.RestartPolicy)
	if s.Isolation = strings.ToLower(string(h.Isolation)); s.Isolation == "" {
		s.Isolation = "default"
	}
	s.CapAdd, s.CapDrop = convert[swarm.Capability](h.CapAdd), convert[swarm.Capability](h.CapDrop)
	s.Hosts, s.VolumesFrom = convert[swarm.HostEntry](h.ExtraHosts), convert[VolumesFrom](h.VolumesFrom)
	s.Volumes = append(s.Volumes, convert[Bind](h.Binds)...)
	for _, m := range h.Mounts {
		s.Mounts = append(s.Mounts, swarm.MountFrom(m))
	}
	for port, bindings := range h.PortBindings {
		for _, b := range bindings {
			s.Ports = append(s.Ports, portFrom(port, b))
		}
	}
	for _, l := range h.Links { // /db:/web/alias
		name, alias, _ := strings.Cut(l, ":")
		s.Links = append(s.Links, Link(n.now(strings.TrimPrefix(name, "/"))+":"+alias[strings.LastIndexByte(alias, '/')+1:]))
	}
	s.readSecurity(h, g)
	s.PID = namespaceFrom(string(h.PidMode), n)
	if g.has("init") {
		s.Init = h.Init != nil && *h.Init
	}
	if g.has("runtime") {
		s.Runtime = h.Runtime
	}
	if g.has("ipc") {
		s.IPC = namespaceFrom(string(h.IpcMode), n)
	}
	if g.has("cgroupns") {
		s.Cgroupns = string(h.CgroupnsMode)
	}
	if g.has("shm_size") {
		s.ShmSize = schema.Size(h.ShmSize)
	}
	if g.has("log_driver") {
		s.LogDriver = h.LogConfig.Type
	}
	s.LogOpts = pick(h.LogConfig.Config, g.values("log_opts"))
	switch m := h.NetworkMode; {
	case m.IsHost(), m.IsNone():
		s.Network = Namespace(m)
	case m.IsContainer():
		s.Network = namespaceFrom(string(m), n)
	}
}

// readSecurity leaves out the label that Docker adds itself to containers that
// share the host's namespaces.
func (s *ContainerSpec) readSecurity(h *container.HostConfig, g given) {
	for _, o := range h.SecurityOpt {
		if !strings.HasPrefix(o, "label") || g.has("security_opts:"+o) {
			s.SecurityOpts = append(s.SecurityOpts, SecurityOpt(o))
		}
	}
	if h.MaskedPaths != nil && len(h.MaskedPaths) == 0 && h.ReadonlyPaths != nil && len(h.ReadonlyPaths) == 0 {
		s.SecurityOpts = append(s.SecurityOpts, unconfinedPaths)
	}
}

func (s *ContainerSpec) readResources(r *container.Resources, g given) {
	s.CPUs, s.CPUShares, s.CPUPeriod, s.CPUQuota = schema.NanoCPUs(r.NanoCPUs), r.CPUShares, r.CPUPeriod, r.CPUQuota
	s.CPURtPeriod, s.CPURtRuntime = r.CPURealtimePeriod, r.CPURealtimeRuntime
	s.CpusetCPUs, s.CpusetMems, s.CPUCount, s.CPUPercent = r.CpusetCpus, r.CpusetMems, r.CPUCount, r.CPUPercent
	s.Memory, s.MemoryReservation = schema.Size(r.Memory), schema.Size(r.MemoryReservation)
	if g.has("memory_swap") {
		s.MemorySwap = schema.Size(r.MemorySwap)
	}
	s.MemorySwappiness = -1
	if r.MemorySwappiness != nil {
		s.MemorySwappiness = *r.MemorySwappiness
	}
	s.OomKillDisable = r.OomKillDisable != nil && *r.OomKillDisable
	if r.PidsLimit != nil {
		s.PidsLimit = max(*r.PidsLimit, 0)
	}
	s.BlkioWeight, s.CgroupParent = int64(r.BlkioWeight), r.CgroupParent
	s.BlkioWeightDevice = map[string]int64{}
	for _, d := range r.BlkioWeightDevice {
		s.BlkioWeightDevice[d.Path] = int64(d.Weight)
	}
	s.DeviceReadBps, s.DeviceWriteBps = rates[schema.Size](r.BlkioDeviceReadBps), rates[schema.Size](r.BlkioDeviceWriteBps)
	s.DeviceReadIops, s.DeviceWriteIops = rates[int64](r.BlkioDeviceReadIOps), rates[int64](r.BlkioDeviceWriteIOps)
	s.IOMaxBandwidth, s.IOMaxIOps = schema.Size(r.IOMaximumBandwidth), int64(r.IOMaximumIOps)
	s.DeviceCgroupRules = r.DeviceCgroupRules
	for _, d := range r.Devices {
		s.Devices = append(s.Devices, Device(d.PathOnHost+":"+d.PathInContainer+":"+d.CgroupPermissions))
	}
	for _, d := range r.DeviceRequests {
		if d.Driver == driverCDI {
			s.Devices = append(s.Devices, convert[Device](d.DeviceIDs)...)
		} else {
			s.GPUs = gpusFrom(d)
		}
	}
	for _, u := range r.Ulimits {
		if g.has("ulimits:" + u.Name) {
			s.Ulimits = append(s.Ulimits, swarm.Ulimit{Name: u.Name, Soft: u.Soft, Hard: &u.Hard})
		}
	}
}

// readNetworks also finds the links of networks other than the engine's
// bridge: Docker keeps them there.
func (s *ContainerSpec) readNetworks(c *container.InspectResponse) {
	for name, e := range c.NetworkSettings.Networks {
		if mode := container.NetworkMode(name); mode.IsHost() || mode.IsNone() || e == nil {
			continue
		}
		a := attachmentFrom(name, e, c.Config.Hostname, c.ID)
		//lint:ignore SA1019 engines before 25 keep it here while the container is stopped
		if mac := c.Config.MacAddress; a.MacAddress == nil && name == c.HostConfig.NetworkMode.NetworkName() {
			a.MacAddress = optional[swarm.MAC](mac)
		}
		s.Networks = append(s.Networks, a)
		for _, l := range e.Links {
			if !slices.Contains(s.Links, Link(l)) {
				s.Links = append(s.Links, Link(l))
			}
		}
	}
}

// attachmentFrom leaves out the names that a container has anyway: engines
// before 25 show its ID and its host name among the aliases.
func attachmentFrom(name string, e *network.EndpointSettings, hostname, id string) swarm.Attachment {
	a := swarm.Attachment{Network: name, DriverOpts: e.DriverOpts, GwPriority: int64(e.GwPriority)}
	for _, alias := range e.Aliases {
		if alias != hostname && (len(alias) < 12 || !strings.HasPrefix(id, alias)) {
			a.Aliases = append(a.Aliases, alias)
		}
	}
	a.MacAddress = optional[swarm.MAC](e.MacAddress)
	if i := e.IPAMConfig; i != nil {
		a.IP, a.IP6, a.LinkLocalIPs = optional[swarm.IP](i.IPv4Address), optional[swarm.IP](i.IPv6Address), convert[swarm.IP](i.LinkLocalIPs)
	}
	return a
}

// optional is nil for what is empty.
func optional[T ~string](s string) *T {
	if s == "" {
		return nil
	}
	v := T(s)
	return &v
}

func portFrom(port nat.Port, b nat.PortBinding) swarm.Port {
	published, _ := nat.ParsePort(b.HostPort) // "" and ranges are the engine's choice
	return swarm.Port{
		Target: uint16(port.Int()), Published: uint16(published), Protocol: port.Proto(), Mode: "ingress", HostIP: swarm.IP(b.HostIP),
	}
}

// namespaceFrom gives the name of a container whose namespace is shared; one
// that is gone stays an ID, which differs from what was asked for.
func namespaceFrom(mode string, n names) Namespace {
	if id, ok := strings.CutPrefix(mode, ofContainer); ok {
		if name := n.byID[id]; name != "" {
			return Namespace(ofContainer + name)
		}
	}
	return Namespace(mode)
}

func convert[To, From ~string, L ~[]From](in L) []To {
	var out []To
	for _, s := range in {
		out = append(out, To(s))
	}
	return out
}

func pick(m map[string]string, keys []string) map[string]string {
	out := maps.Clone(m)
	maps.DeleteFunc(out, func(k, _ string) bool { return !slices.Contains(keys, k) })
	return out
}

func rates[T ~int64](in []*blkiodev.ThrottleDevice) map[string]T {
	out := map[string]T{}
	for _, d := range in {
		out[d.Path] = T(d.Rate)
	}
	return out
}
