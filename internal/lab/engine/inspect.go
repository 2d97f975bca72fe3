//lint:file-ignore SA1019 deprecated, and still sent: clients read it

package engine

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/storage"
	"github.com/docker/go-connections/nat"
)

// ContainerInspect is all that is known of a container.
func (e *Engine) ContainerInspect(_ context.Context, name string, o backend.ContainerInspectOptions) (*containertypes.InspectResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return nil, err
	}
	r := e.inspect(c)
	if o.Size {
		var none int64
		size := e.rootSize(c)
		r.SizeRw, r.SizeRootFs = &none, &size
	}
	return r, nil
}

func (e *Engine) rootSize(c *container) int64 {
	if img := e.images.images[c.Image]; img != nil {
		return img.Size
	}
	return 0
}

func (e *Engine) inspect(c *container) *containertypes.InspectResponse {
	host, config := *c.HostConfig, *c.Config
	host.Links = e.shownLinks(c)
	if len(config.Volumes) == 0 {
		config.Volumes = nil
	}
	root := e.daemon.DataRoot
	base := &containertypes.ContainerJSONBase{
		ID: c.ID, Created: c.Created.Format(time.RFC3339Nano), Path: c.Path, Args: c.Args, Image: c.Image,
		State: c.State.shown(), Name: c.Name, RestartCount: c.RestartCount, Driver: e.daemon.StorageDriver, Platform: "linux",
		HostConfig: &host, LogPath: "", AppArmorProfile: "",
		GraphDriver: storage.DriverData{Name: e.daemon.StorageDriver, Data: map[string]string{"ID": c.ID, "MergedDir": root + "/overlay2/" + c.ID + "/merged"}},
	}
	if c.Tried {
		files := root + "/containers/" + c.ID
		base.ResolvConfPath, base.HostnamePath, base.HostsPath = files+"/resolv.conf", files+"/hostname", files+"/hosts"
		if c.HostConfig.LogConfig.Type == "json-file" {
			base.LogPath = files + "/" + c.ID + "-json.log"
		}
	}
	networks := map[string]*networktypes.EndpointSettings{}
	for name, ep := range c.Networks {
		networks[name] = ep.Copy()
	}
	shown := &containertypes.NetworkSettings{Networks: networks}
	shown.Ports = nat.PortMap{}
	for port, bound := range c.Ports {
		shown.Ports[port] = bound
	}
	if shown.SandboxID = c.SandboxID; c.SandboxID != "" {
		shown.SandboxKey = "/var/run/docker/netns/" + c.SandboxID[:12]
	}
	if ep := networks[networktypes.NetworkBridge]; ep != nil {
		shown.EndpointID, shown.Gateway, shown.IPAddress, shown.IPPrefixLen = ep.EndpointID, ep.Gateway, ep.IPAddress, ep.IPPrefixLen
		shown.IPv6Gateway, shown.GlobalIPv6Address, shown.GlobalIPv6PrefixLen = ep.IPv6Gateway, ep.GlobalIPv6Address, ep.GlobalIPv6PrefixLen
		shown.MacAddress = ep.MacAddress
	}
	mounts := append([]containertypes.MountPoint{}, c.Mounts...)
	return &containertypes.InspectResponse{ContainerJSONBase: base, Mounts: mounts, Config: &config, NetworkSettings: shown}
}

// shown is the state as inspect tells it.
func (s *state) shown() *containertypes.State {
	shown := &containertypes.State{
		Status: s.word(), Running: s.Running, Paused: s.Paused, Restarting: s.Restarting, OOMKilled: s.OOMKilled, Dead: s.Dead,
		Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error,
		StartedAt: s.StartedAt.Format(time.RFC3339Nano), FinishedAt: s.FinishedAt.Format(time.RFC3339Nano),
	}
	if h := s.Health; h != nil {
		shown.Health = &containertypes.Health{
			Status: h.Status, FailingStreak: h.FailingStreak, Log: append([]*containertypes.HealthcheckResult{}, h.Log...),
		}
	}
	return shown
}

// shownLinks are a container's links as Docker shows them: "/db:/web/alias".
func (e *Engine) shownLinks(c *container) (links []string) {
	for _, link := range c.HostConfig.Links {
		other, alias := e.link(link)
		if other != nil {
			links = append(links, other.Name+":"+c.Name+"/"+alias)
		}
	}
	return links
}

// link reads "NAME:ALIAS".
func (e *Engine) link(text string) (to *container, alias string) {
	name, alias, ok := strings.Cut(text, ":")
	if !ok {
		alias = strings.TrimPrefix(name, "/")
	}
	to, err := e.find(name)
	if err != nil {
		return nil, alias
	}
	return to, alias
}

// linkNames are a container's names: its own, and those that links give it.
func (e *Engine) linkNames(c *container) []string {
	names := []string{c.Name}
	for _, other := range e.containers {
		for _, text := range other.HostConfig.Links {
			if to, alias := e.link(text); to == c {
				names = append(names, other.Name+"/"+alias)
			}
		}
	}
	sort.Strings(names)
	return names
}
