//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// verify checks a configuration as Docker does before it creates anything.
func (e *Engine) verify(config *containertypes.Config, host *containertypes.HostConfig) error {
	if err := verifyConfig(config); err != nil {
		return err
	}
	if host.AutoRemove && !host.RestartPolicy.IsNone() {
		return errors.New("can't create 'AutoRemove' container with restart policy")
	}
	for _, m := range host.Mounts {
		if err := e.verifyMount(m); err != nil {
			return err
		}
	}
	for _, extra := range host.ExtraHosts {
		name, ip, ok := strings.Cut(extra, ":")
		if !ok || name == "" {
			return fmt.Errorf("bad format for add-host: %q", extra)
		}
		if ip != "host-gateway" && net.ParseIP(strings.Trim(ip, "[]")) == nil {
			return fmt.Errorf("invalid IP address in add-host: %q", ip)
		}
	}
	for port, bindings := range host.PortBindings {
		_, number := nat.SplitProtoPort(string(port))
		if _, err := nat.ParsePort(number); err != nil {
			return fmt.Errorf("invalid port specification: %q", number)
		}
		for _, b := range bindings {
			if _, err := nat.NewPort(nat.SplitProtoPort(b.HostPort)); err != nil {
				return fmt.Errorf("invalid port specification: %q", b.HostPort)
			}
		}
	}
	if err := containertypes.ValidateRestartPolicy(host.RestartPolicy); err != nil {
		return err
	}
	if err := verifyCapabilities("CapAdd", host.CapAdd); err != nil {
		return err
	}
	if err := verifyCapabilities("CapDrop", host.CapDrop); err != nil {
		return err
	}
	return e.verifyResources(host)
}

func verifyConfig(config *containertypes.Config) error {
	if config.WorkingDir != "" {
		if !path.IsAbs(config.WorkingDir) {
			return fmt.Errorf("the working directory '%s' is invalid, it needs to be an absolute path", config.WorkingDir)
		}
		config.WorkingDir = path.Clean(config.WorkingDir)
	}
	if config.StopSignal != "" {
		if _, err := parseSignal(config.StopSignal); err != nil {
			return err
		}
	}
	for _, env := range config.Env {
		if strings.HasPrefix(env, "=") || env == "" {
			return fmt.Errorf("invalid environment variable: %s", env)
		}
	}
	h := config.Healthcheck
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}, {"StartInterval", h.StartInterval}} {
		if d.value != 0 && d.value < containertypes.MinimumDuration {
			return fmt.Errorf("%s in Healthcheck cannot be less than %s", d.name, containertypes.MinimumDuration)
		}
	}
	if h.Retries < 0 {
		return errors.New("Retries in Healthcheck cannot be negative")
	}
	return nil
}

const minMemory = 6 << 20

func (e *Engine) verifyResources(h *containertypes.HostConfig) error {
	switch {
	case h.Memory != 0 && h.Memory < minMemory:
		return errors.New("Minimum memory limit allowed is 6MB")
	case h.Memory > 0 && h.MemorySwap > 0 && h.MemorySwap < h.Memory:
		return errors.New("Minimum memoryswap limit should be larger than memory limit, see usage")
	case h.Memory == 0 && h.MemorySwap > 0:
		return errors.New("You should always set the Memory limit when using Memoryswap limit, see usage")
	case h.Memory > 0 && h.MemoryReservation > 0 && h.Memory < h.MemoryReservation:
		return errors.New("Minimum memory limit can not be less than memory reservation limit, see usage")
	case h.MemoryReservation > 0 && h.MemoryReservation < minMemory:
		return errors.New("Minimum memory reservation allowed is 6MB")
	case h.OomScoreAdj < -1000 || h.OomScoreAdj > 1000:
		return fmt.Errorf("Invalid value %d, range for oom score adj is [-1000, 1000]", h.OomScoreAdj)
	case h.NanoCPUs > 0 && (h.CPUPeriod > 0 || h.CPUQuota > 0):
		return errors.New("Conflicting options: Nano CPUs and CPU Period cannot both be set")
	}
	if cpus := e.cfg.NanoCPUs / 1e9; cpus > 0 && (h.NanoCPUs < 0 || h.NanoCPUs > cpus*1e9) {
		return fmt.Errorf("range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", cpus, cpus)
	}
	if h.ShmSize < 0 {
		return errors.New("SHM size can not be less than 0")
	}
	if r := h.Runtime; r != "" && !slices.Contains([]string{"runc", "io.containerd.runc.v2"}, r) {
		return fmt.Errorf("unknown or invalid runtime name: %s", r)
	}
	if d := h.LogConfig.Type; d != "" && !slices.Contains(logDrivers, d) {
		return fmt.Errorf("error looking up logging plugin %s: plugin %q not found", d, d)
	}
	return nil
}

// capabilities are Linux's.
var capabilities = strings.Fields(`AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
	DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN
	NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE
	SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL`)

func verifyCapabilities(field string, given []string) error {
	for _, c := range given {
		name := strings.TrimPrefix(strings.ToUpper(c), "CAP_")
		if !slices.Contains(capabilities, name) {
			return fmt.Errorf("invalid %s: unknown capability: %q", field, "CAP_"+name)
		}
	}
	return nil
}
