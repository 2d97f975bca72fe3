package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/namesgenerator"
	"github.com/docker/docker/pkg/stringid"
	"github.com/docker/docker/runconfig"
	"github.com/docker/go-connections/nat"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

var namePattern = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// ContainerCreate creates a container.
func (e *Engine) ContainerCreate(_ context.Context, given backend.ContainerCreateConfig) (containertypes.CreateResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, warnings, err := e.create(given, nil)
	if err != nil {
		return containertypes.CreateResponse{Warnings: warnings}, err
	}
	return containertypes.CreateResponse{ID: c.ID, Warnings: warnings}, nil
}

// create makes a container of a configuration, which becomes the engine's. That of
// a swarm's task has what a task adds.
func (e *Engine) create(given backend.ContainerCreateConfig, task *ofTask) (*container, []string, error) {
	warnings := []string{}
	config, host := given.Config, given.HostConfig
	if config == nil {
		return nil, warnings, errdefs.InvalidParameter(runconfig.ErrEmptyConfig)
	}
	if host == nil {
		host = &containertypes.HostConfig{}
	}
	host.RestartPolicy = restartPolicyOf(host)
	if err := e.verify(config, host); err != nil {
		return nil, warnings, errdefs.InvalidParameter(err)
	}
	if config.AttachStdin && config.OpenStdin {
		return nil, warnings, notSimulated("what is typed into a container: run it without --interactive")
	}
	img, err := e.images.find(config.Image)
	if err != nil && config.Image != "" {
		return nil, warnings, err
	}
	if img != nil {
		merge(config, img.Config.Config)
	}
	if len(config.Entrypoint) == 0 && len(config.Cmd) == 0 {
		return nil, warnings, errdefs.InvalidParameter(errors.New("no command specified"))
	}
	e.fill(host)
	c := &container{
		ID: newID(), Created: time.Now().UTC(), Config: config, HostConfig: host, Managed: task != nil,
		Networks: map[string]*networktypes.EndpointSettings{}, Ports: nat.PortMap{}, changed: make(chan struct{}),
	}
	if img != nil {
		c.Image = img.ID
	}
	if task != nil {
		c.Files, c.Job = task.files, task.job
	}
	command := append(slices.Clone(config.Entrypoint), config.Cmd...)
	c.Path, c.Args = command[0], append([]string{}, command[1:]...)
	if c.Name, err = e.claimName(c.ID, given.Name); err != nil {
		return nil, warnings, err
	}
	if config.Hostname == "" && !host.NetworkMode.IsHost() && !host.NetworkMode.IsContainer() {
		config.Hostname = c.ID[:12]
	} else if config.Hostname == "" && host.NetworkMode.IsHost() {
		config.Hostname = e.cfg.Hostname
	}
	if err := e.mountAll(c); err != nil {
		delete(e.names, c.Name)
		return nil, warnings, err
	}
	if err := e.plug(c, given.NetworkingConfig); err != nil {
		delete(e.names, c.Name)
		return nil, warnings, err
	}
	e.containers[c.ID] = c
	e.save(c)
	e.containerEvent(c, events.ActionCreate)
	return c, warnings, nil
}

// merge fills a configuration with that of its image.
func merge(config *containertypes.Config, image containertypes.Config) {
	if config.User == "" {
		config.User = image.User
	}
	for port := range image.ExposedPorts {
		if config.ExposedPorts == nil {
			config.ExposedPorts = nat.PortSet{}
		}
		config.ExposedPorts[port] = struct{}{}
	}
	for _, env := range image.Env {
		name, _, _ := strings.Cut(env, "=")
		if !slices.ContainsFunc(config.Env, func(s string) bool { n, _, _ := strings.Cut(s, "="); return n == name }) {
			config.Env = append(config.Env, env)
		}
	}
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	for k, v := range image.Labels {
		if _, ok := config.Labels[k]; !ok {
			config.Labels[k] = v
		}
	}
	if len(config.Entrypoint) == 0 {
		if len(config.Cmd) == 0 {
			config.Cmd = slices.Clone(image.Cmd)
		}
		if config.Entrypoint == nil {
			config.Entrypoint = slices.Clone(image.Entrypoint)
		}
	}
	mergeHealth(config, image.Healthcheck)
	if config.WorkingDir == "" {
		config.WorkingDir = image.WorkingDir
	}
	for path := range image.Volumes {
		if config.Volumes == nil {
			config.Volumes = map[string]struct{}{}
		}
		config.Volumes[path] = struct{}{}
	}
	if config.StopSignal == "" {
		config.StopSignal = image.StopSignal
	}
}

func mergeHealth(config *containertypes.Config, image *containertypes.HealthConfig) {
	if image == nil {
		return
	}
	if config.Healthcheck == nil {
		copied := *image
		config.Healthcheck = &copied
		return
	}
	h := config.Healthcheck
	if len(h.Test) == 0 {
		h.Test = image.Test
	}
	for _, field := range []struct{ to, from *time.Duration }{
		{&h.Interval, &image.Interval}, {&h.Timeout, &image.Timeout},
		{&h.StartPeriod, &image.StartPeriod}, {&h.StartInterval, &image.StartInterval},
	} {
		if *field.to == 0 {
			*field.to = *field.from
		}
	}
	if h.Retries == 0 {
		h.Retries = image.Retries
	}
}

// fill sets what Docker sets where nothing was given.
func (e *Engine) fill(h *containertypes.HostConfig) {
	if h.Memory > 0 && h.MemorySwap == 0 {
		h.MemorySwap = 2 * h.Memory
	}
	if h.ShmSize == 0 {
		h.ShmSize = 64 << 20
	}
	if h.IpcMode.IsEmpty() {
		h.IpcMode = containertypes.IPCModePrivate
	}
	if h.CgroupnsMode.IsEmpty() {
		h.CgroupnsMode = containertypes.CgroupnsModePrivate
	}
	if h.PidsLimit != nil && *h.PidsLimit <= 0 {
		h.PidsLimit = nil
	}
	if h.NetworkMode == "" || h.NetworkMode == networktypes.NetworkDefault {
		h.NetworkMode = networktypes.NetworkBridge
	}
	if h.LogConfig.Type == "" {
		h.LogConfig.Type = e.daemon.LogDriver
		if h.LogConfig.Config == nil {
			h.LogConfig.Config = map[string]string{}
			for k, v := range e.daemon.LogOpts {
				h.LogConfig.Config[k] = v
			}
		}
	}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if h.Runtime == "" {
		h.Runtime = "runc"
	}
	if h.Privileged {
		h.SecurityOpt = append(h.SecurityOpt, "label=disable")
	}
	if h.MaskedPaths == nil && !h.Privileged {
		h.MaskedPaths = slices.Clone(maskedPaths)
	}
	if h.ReadonlyPaths == nil && !h.Privileged {
		h.ReadonlyPaths = slices.Clone(readonlyPaths)
	}
}

var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// claimName reserves a name, or makes one up.
func (e *Engine) claimName(id, name string) (string, error) {
	if name == "" {
		for i := range 6 {
			made := "/" + namesgenerator.GetRandomName(i)
			if _, taken := e.names[made]; !taken {
				e.names[made] = id
				return made, nil
			}
		}
		name = stringid.TruncateID(id)
	}
	bare := strings.TrimPrefix(name, "/")
	if !namePattern().MatchString(bare) {
		return "", invalid("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	if other, taken := e.names["/"+bare]; taken {
		return "", conflict("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+bare, other)
	}
	e.names["/"+bare] = id
	return "/" + bare, nil
}
