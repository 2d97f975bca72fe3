package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/swarmscript/swarmscript/internal/swarm"
)

// driverCDI is the device driver under which CDI devices are asked for.
const driverCDI = "cdi"

// config is the part of a container that does not depend on its host.
func (s *ContainerSpec) config(labels map[string]string) *container.Config {
	c := &container.Config{
		Image: string(s.Image), Hostname: s.Hostname, Domainname: s.Domainname, User: s.User, WorkingDir: s.Workdir,
		Tty: s.TTY, OpenStdin: s.Interactive, StopSignal: s.StopSignal, Labels: labels,
		Cmd: strslice.StrSlice(s.Command), Entrypoint: strslice.StrSlice(s.Entrypoint), Healthcheck: swarm.HealthTo(s.Health),
	}
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		if val := s.Env[key]; val != nil {
			key += "=" + *val
		}
		c.Env = append(c.Env, key)
	}
	if s.StopTimeout != defaultStopTimeout {
		seconds := int(s.StopTimeout / time.Second)
		c.StopTimeout = &seconds
	}
	if len(s.Ports)+len(s.Expose) > 0 {
		c.ExposedPorts = nat.PortSet{}
	}
	for _, p := range s.Ports {
		c.ExposedPorts[portOf(p)] = struct{}{}
	}
	for _, e := range s.Expose {
		for _, p := range e.ports() {
			c.ExposedPorts[p] = struct{}{}
		}
	}
	for _, v := range s.Volumes {
		if v.anonymous() {
			if c.Volumes == nil {
				c.Volumes = map[string]struct{}{}
			}
			c.Volumes[string(v)] = struct{}{}
		}
	}
	return c
}

func portOf(p swarm.Port) nat.Port {
	return nat.Port(strconv.Itoa(int(p.Target)) + "/" + p.Protocol)
}

// hostConfig is what depends on the host.
func (s *ContainerSpec) hostConfig(g given) *container.HostConfig {
	h := &container.HostConfig{
		NetworkMode: container.NetworkMode(s.Network), RestartPolicy: s.Restart.policy(),
		ReadonlyRootfs: s.ReadOnly, Privileged: s.Privileged, PublishAllPorts: s.PublishAll,
		Annotations: s.Annotations, StorageOpt: s.StorageOpts, Sysctls: s.Sysctls, Tmpfs: s.Tmpfs,
		GroupAdd: s.Groups, DNS: orEmpty(s.DNS), DNSSearch: orEmpty(s.Search), DNSOptions: orEmpty(s.DNSOpts),
		VolumeDriver: s.VolumeDriver, OomScoreAdj: int(s.OomScoreAdj), Isolation: container.Isolation(s.Isolation),
		UTSMode: container.UTSMode(s.UTS), UsernsMode: container.UsernsMode(s.Userns), PidMode: container.PidMode(s.PID),
		IpcMode: container.IpcMode(s.IPC), CgroupnsMode: container.CgroupnsMode(s.Cgroupns), Runtime: s.Runtime,
		ShmSize: int64(s.ShmSize), LogConfig: container.LogConfig{Type: s.LogDriver, Config: s.LogOpts},
		CapAdd: convert[string](s.CapAdd), CapDrop: convert[string](s.CapDrop),
		ExtraHosts: convert[string](s.Hosts), VolumesFrom: convert[string](s.VolumesFrom),
		PortBindings: nat.PortMap{}, Resources: s.resources(),
	}
	if s.Network == "" && len(s.Networks) > 0 {
		h.NetworkMode = container.NetworkMode(s.Networks[0].Network)
	}
	if h.NetworkMode.IsDefault() || h.NetworkMode.IsBridge() {
		h.Links = convert[string](s.Links)
	}
	if g.has("init") {
		h.Init = &s.Init
	}
	for _, v := range s.Volumes {
		if !v.anonymous() {
			h.Binds = append(h.Binds, string(v))
		}
	}
	for _, m := range s.Mounts {
		h.Mounts = append(h.Mounts, swarm.MountTo(m))
	}
	for _, p := range s.Ports {
		b := nat.PortBinding{HostIP: string(p.HostIP)}
		if p.Published != 0 {
			b.HostPort = strconv.Itoa(int(p.Published))
		}
		h.PortBindings[portOf(p)] = append(h.PortBindings[portOf(p)], b)
	}
	for _, o := range s.SecurityOpts {
		if o == unconfinedPaths { // the docker CLI's word for these
			h.MaskedPaths, h.ReadonlyPaths = []string{}, []string{}
			continue
		}
		h.SecurityOpt = append(h.SecurityOpt, string(o))
	}
	return h
}

func orEmpty(l []string) []string {
	if l == nil {
		return []string{} // Docker keeps these apart from none
	}
	return l
}

func (s *ContainerSpec) resources() container.Resources {
	r := s.updatable()
	r.CgroupParent, r.CPUCount, r.CPUPercent = s.CgroupParent, s.CPUCount, s.CPUPercent
	r.IOMaximumBandwidth, r.IOMaximumIOps = uint64(s.IOMaxBandwidth), uint64(s.IOMaxIOps)
	r.DeviceCgroupRules = s.DeviceCgroupRules
	if s.MemorySwappiness >= 0 {
		r.MemorySwappiness = &s.MemorySwappiness
	}
	if s.OomKillDisable {
		r.OomKillDisable = &s.OomKillDisable
	}
	for _, path := range slices.Sorted(maps.Keys(s.BlkioWeightDevice)) {
		r.BlkioWeightDevice = append(r.BlkioWeightDevice, &blkiodev.WeightDevice{Path: path, Weight: uint16(s.BlkioWeightDevice[path])})
	}
	r.BlkioDeviceReadBps, r.BlkioDeviceWriteBps = throttle(s.DeviceReadBps), throttle(s.DeviceWriteBps)
	r.BlkioDeviceReadIOps, r.BlkioDeviceWriteIOps = throttle(s.DeviceReadIops), throttle(s.DeviceWriteIops)
	var cdi []string
	for _, d := range s.Devices {
		if d.isCDI() {
			cdi = append(cdi, string(d))
			continue
		}
		parts := strings.Split(string(d), ":")
		r.Devices = append(r.Devices, container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[1], CgroupPermissions: parts[2]})
	}
	if s.GPUs != "" {
		if req, err := s.GPUs.request(); err == nil { // checked before
			r.DeviceRequests = append(r.DeviceRequests, req)
		}
	}
	if cdi != nil {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{Driver: driverCDI, DeviceIDs: cdi})
	}
	for _, u := range s.Ulimits {
		hard := u.Soft
		if u.Hard != nil {
			hard = *u.Hard
		}
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: hard})
	}
	return r
}

// updatable are the resources that `docker update` knows.
func (s *ContainerSpec) updatable() container.Resources {
	r := container.Resources{
		NanoCPUs: int64(s.CPUs), CPUShares: s.CPUShares, CPUPeriod: s.CPUPeriod, CPUQuota: s.CPUQuota,
		CPURealtimePeriod: s.CPURtPeriod, CPURealtimeRuntime: s.CPURtRuntime, CpusetCpus: s.CpusetCPUs, CpusetMems: s.CpusetMems,
		Memory: int64(s.Memory), MemoryReservation: int64(s.MemoryReservation), MemorySwap: int64(s.MemorySwap),
		BlkioWeight: uint16(s.BlkioWeight),
	}
	if s.PidsLimit > 0 {
		r.PidsLimit = &s.PidsLimit
	}
	return r
}

func throttle[T ~int64](rates map[string]T) []*blkiodev.ThrottleDevice {
	var out []*blkiodev.ThrottleDevice
	for _, path := range slices.Sorted(maps.Keys(rates)) {
		out = append(out, &blkiodev.ThrottleDevice{Path: path, Rate: uint64(rates[path])})
	}
	return out
}

// endpoints are its places in networks: the first one's holds the links, where
// it is not the engine's bridge.
func (s *ContainerSpec) endpoints() []*network.EndpointSettings {
	out := make([]*network.EndpointSettings, len(s.Networks))
	for i, a := range s.Networks {
		out[i] = endpoint(a)
		if i == 0 && !container.NetworkMode(a.Network).IsBridge() {
			out[i].Links = convert[string](s.Links)
		}
	}
	return out
}

func endpoint(a swarm.Attachment) *network.EndpointSettings {
	e := &network.EndpointSettings{Aliases: a.Aliases, DriverOpts: a.DriverOpts, GwPriority: int(a.GwPriority)}
	e.MacAddress = textOf(a.MacAddress)
	if a.IP != nil || a.IP6 != nil || len(a.LinkLocalIPs) > 0 {
		e.IPAMConfig = &network.EndpointIPAMConfig{
			IPv4Address: textOf(a.IP), IPv6Address: textOf(a.IP6), LinkLocalIPs: convert[string](a.LinkLocalIPs),
		}
	}
	return e
}

func textOf[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// platform is nil where any will do.
func (s *ContainerSpec) platform() *ocispec.Platform {
	if s.Platform == "" {
		return nil
	}
	parts := append(strings.SplitN(s.Platform, "/", 3), "", "")
	return &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
}
