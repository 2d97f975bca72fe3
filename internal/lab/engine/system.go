//lint:file-ignore SA1019 deprecated, and still sent: clients read it

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/api/types/build"
	containertypes "github.com/docker/docker/api/types/container"
	registrytypes "github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	volumetypes "github.com/docker/docker/api/types/volume"
)

// Label marks the engines of a lab, in `docker info` and on a swarm's nodes.
const Label = "lab=true"

const (
	minAPI  = "1.24"
	kernel  = "6.1.0-lab"
	warning = "WARNING: this engine is simulated (swarmscript lab): its containers have no processes"
)

// SystemInfo is `docker info`.
func (e *Engine) SystemInfo(context.Context) (*system.Info, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info := &system.Info{
		ID: e.id, Containers: len(e.containers), Images: len(e.images.images), Driver: e.daemon.StorageDriver,
		DriverStatus: [][2]string{{"Backing Filesystem", "extfs"}, {"Supports d_type", "true"}, {"Using metacopy", "false"}, {"Native Overlay Diff", "true"}, {"userxattr", "false"}},
		Plugins: system.PluginsInfo{
			Volume: []string{"local"}, Network: slices.Clone(networkDrivers), Log: slices.Clone(logDrivers),
		},
		MemoryLimit: true, SwapLimit: true, CPUCfsPeriod: true, CPUCfsQuota: true, CPUShares: true, CPUSet: true, PidsLimit: true,
		IPv4Forwarding: true, Debug: e.daemon.Debug, NFd: 24, OomKillDisable: false, NGoroutines: 40, SystemTime: time.Now().Format(time.RFC3339Nano),
		LoggingDriver: e.daemon.LogDriver, CgroupDriver: "systemd", CgroupVersion: "2", NEventsListener: 0, KernelVersion: kernel,
		OperatingSystem: e.cfg.OS, OSVersion: osVersion(e.cfg.OS), OSType: "linux", Architecture: "x86_64",
		IndexServerAddress: "https://index.docker.io/v1/", RegistryConfig: e.registries(),
		NCPU: int(e.cfg.NanoCPUs / 1e9), MemTotal: e.cfg.Memory, DockerRootDir: e.daemon.DataRoot, Name: e.cfg.Hostname,
		Labels: append(slices.Clone(e.daemon.Labels), Label), ExperimentalBuild: e.daemon.Experimental, ServerVersion: e.cfg.Version,
		Runtimes: map[string]system.RuntimeWithStatus{
			"runc":                  {Runtime: system.Runtime{Path: "runc"}},
			"io.containerd.runc.v2": {Runtime: system.Runtime{Path: "runc"}},
		},
		DefaultRuntime: "runc", LiveRestoreEnabled: e.daemon.LiveRestore, Isolation: "", InitBinary: "docker-init",
		ContainerdCommit: system.Commit{ID: "lab"}, RuncCommit: system.Commit{ID: "lab"}, InitCommit: system.Commit{ID: "lab"},
		SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"},
		Warnings:        []string{warning}, CDISpecDirs: []string{},
	}
	for _, pool := range e.daemon.DefaultAddressPools {
		info.DefaultAddressPools = append(info.DefaultAddressPools, system.NetworkAddressPool{Base: pool.Base.String(), Size: pool.Size})
	}
	for _, c := range e.containers {
		switch c.State.word() {
		case containertypes.StateRunning, containertypes.StateRestarting:
			info.ContainersRunning++
		case containertypes.StatePaused:
			info.ContainersPaused++
		default:
			info.ContainersStopped++
		}
	}
	for _, r := range e.daemon.GenericResources {
		if g, ok := genericResource(r); ok {
			info.GenericResources = append(info.GenericResources, g)
		}
	}
	return info, nil
}

func genericResource(text string) (swarm.GenericResource, bool) {
	kind, value, ok := strings.Cut(text, "=")
	if !ok {
		return swarm.GenericResource{}, false
	}
	var n int64
	if _, err := fmt.Sscanf(value, "%d", &n); err == nil && fmt.Sprint(n) == value {
		return swarm.GenericResource{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: kind, Value: n}}, true
	}
	return swarm.GenericResource{NamedResourceSpec: &swarm.NamedGenericResource{Kind: kind, Value: value}}, true
}

func osVersion(name string) string {
	for _, word := range strings.Fields(name) {
		if word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return ""
}

func (e *Engine) registries() *registrytypes.ServiceConfig {
	c := &registrytypes.ServiceConfig{
		InsecureRegistryCIDRs: []*registrytypes.NetIPNet{},
		IndexConfigs: map[string]*registrytypes.IndexInfo{
			"docker.io": {Name: "docker.io", Mirrors: append([]string{}, e.daemon.Mirrors...), Secure: true, Official: true},
		},
		Mirrors: append([]string{}, e.daemon.Mirrors...),
	}
	for _, name := range e.daemon.InsecureRegistries {
		c.IndexConfigs[name] = &registrytypes.IndexInfo{Name: name, Mirrors: []string{}}
	}
	return c
}

// SystemVersion is `docker version`.
func (e *Engine) SystemVersion(context.Context) (types.Version, error) {
	v := types.Version{
		Version: e.cfg.Version, APIVersion: e.api, MinAPIVersion: minAPI, GitCommit: "lab", GoVersion: "go1.24", Os: "linux", Arch: architecture,
		KernelVersion: kernel, BuildTime: "2025-01-01T00:00:00.000000000+00:00", Experimental: e.daemon.Experimental,
		Components: []types.ComponentVersion{{
			Name: "Engine", Version: e.cfg.Version,
			Details: map[string]string{
				"ApiVersion": e.api, "MinAPIVersion": minAPI, "Arch": architecture, "Os": "linux", "GitCommit": "lab", "GoVersion": "go1.24",
				"KernelVersion": kernel, "BuildTime": "2025-01-01T00:00:00.000000000+00:00", "Experimental": fmt.Sprint(e.daemon.Experimental),
			},
		}},
	}
	v.Platform.Name = "swarmscript lab (simulated)"
	return v, nil
}

// SystemDiskUsage is `docker system df`.
func (e *Engine) SystemDiskUsage(ctx context.Context, o backend.DiskUsageOptions) (*backend.DiskUsage, error) {
	du := &backend.DiskUsage{}
	if o.Containers {
		list, err := e.Containers(ctx, &containertypes.ListOptions{All: true, Size: true})
		if err != nil {
			return nil, err
		}
		du.Containers = &containertypes.DiskUsage{Items: list}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.Images {
		du.Images = e.imageUsage()
	}
	if o.Volumes {
		du.Volumes = &volumetypes.DiskUsage{Items: []*volumetypes.Volume{}}
		for _, v := range e.volumes {
			shown := v.Volume
			shown.UsageData = &volumetypes.UsageData{RefCount: int64(len(e.volumeUsers(v.Name)))}
			du.Volumes.Items = append(du.Volumes.Items, &shown)
		}
		slices.SortFunc(du.Volumes.Items, func(a, b *volumetypes.Volume) int { return strings.Compare(a.Name, b.Name) })
	}
	return du, nil
}

// builder is the build cache, which is empty.
type builder struct{}

func (builder) DiskUsage(context.Context) ([]*build.CacheRecord, error) { return nil, nil }
