package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

type addProblem = func(path, format string, args ...any)

// containerName is Docker's rule.
var containerName = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

func checkIdentity(s *ContainerSpec, add addProblem) {
	if s.Name != "" && !containerName().MatchString(s.Name) {
		add("name", "got %q, want at least two letters, digits, '_', '.' and '-', beginning with a letter or digit", s.Name)
	}
	if p := s.Platform; p != "" && (strings.Count(p, "/") > 2 || strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/")) {
		add("platform", "got %q, want os/architecture such as linux/arm64", p)
	}
	if t := s.StopTimeout; t%time.Second != 0 {
		add("stop_timeout", "got %s, and Docker counts whole seconds", t)
	} else if t < 0 && t != -time.Second {
		add("stop_timeout", "got %s, want a time, or -1 for no end", t)
	}
	if s.LogDriver == "none" && len(s.LogOpts) > 0 {
		add("log_opts", "log_driver none has no options")
	}
	for _, v := range s.Volumes {
		parts := strings.Split(string(v), ":")
		target := parts[min(1, len(parts)-1)]
		for _, m := range s.Mounts {
			if m.Target == target {
				add("volumes", "%s is in mounts too", target)
			}
		}
		if _, both := s.Tmpfs[target]; both {
			add("volumes", "%s is in tmpfs too", target)
		}
	}
	for _, m := range s.Mounts {
		if m.Type == "cluster" {
			add(fmt.Sprintf("mounts[%q]", m.Target), "cluster volumes are for services")
		}
	}
}

func checkState(s *ContainerSpec, add addProblem) {
	if s.State == stateCompleted && (s.Restart == "always" || s.Restart == "unless-stopped") {
		add("restart", "got %q, with which a container that has run to its end is started again: want no or on-failure", string(s.Restart))
	}
}

func checkNetworks(s *ContainerSpec, add addProblem) {
	shared := strings.HasPrefix(string(s.Network), ofContainer)
	switch {
	case s.Network == "":
	case s.Network != "host" && s.Network != "none" && !shared:
		add("network", "got %q, want host, none or container:NAME; a network to join belongs in networks = [%q]", string(s.Network), string(s.Network))
	case len(s.Networks) > 0:
		add("networks", "it has no network of its own with network = %q", string(s.Network))
	case len(s.Links) > 0:
		add("links", "it has no network of its own with network = %q", string(s.Network))
	}
	if shared {
		for field, given := range map[string]bool{
			"hostname": s.Hostname != "", "hosts": s.Hosts != nil, "dns": s.DNS != nil, "ports": s.Ports != nil,
			"expose": s.Expose != nil, "publish_all": s.PublishAll,
		} {
			if given {
				add(field, "belongs to the container whose network it shares")
			}
		}
	}
	for field, n := range map[string]Namespace{"ipc": s.IPC, "pid": s.PID} {
		words := map[string][]string{"ipc": {"", "private", "shareable", "host", "none"}, "pid": {"", "host"}}[field]
		if !slices.Contains(words, string(n)) && !strings.HasPrefix(string(n), ofContainer) {
			add(field, "got %q, want %s or container:NAME", string(n), strings.Join(words[1:], ", "))
		}
	}
	if s.UTS == "host" && (s.Hostname != "" || s.Domainname != "") {
		add("uts", "host shares the host's name: hostname and domainname do not go with it")
	}
	seen := map[string]bool{}
	for _, a := range s.Networks {
		if a.Network != "" && seen[a.Network] {
			add("networks", "%s is there twice", a.Network)
		}
		seen[a.Network] = true
		if a.Network == "host" || a.Network == "none" {
			add("networks", "%s is no network to join: give network = %q", a.Network, a.Network)
		}
		if a.Network == "bridge" && (a.IP != nil || a.IP6 != nil || a.Aliases != nil) {
			add("networks", "the engine's bridge gives no fixed addresses and no aliases: declare a network")
		}
	}
}

func checkPorts(s *ContainerSpec, add addProblem) {
	seen := map[string]bool{}
	for _, p := range s.Ports {
		if p.Mode == "host" {
			add("ports", "port %d: mode is for services: a container's port is always published on its own host", p.Target)
		}
		if s.Network == "host" || s.Network == "none" {
			add("ports", "port %d: network = %q publishes none", p.Target, string(s.Network))
		}
		k := fmt.Sprintf("%s:%d/%s", p.HostIP, p.Published, p.Protocol)
		if p.Published != 0 && seen[k] {
			add("ports", "%s is published twice", strings.TrimPrefix(k, ":"))
		}
		seen[k] = true
	}
}

func checkLimits(s *ContainerSpec, add addProblem) {
	if s.CPUs != 0 && (s.CPUPeriod != 0 || s.CPUQuota != 0) {
		add("cpus", "stands for cpu_period and cpu_quota: give one or the other")
	}
	if s.CPUs != 0 && s.CPUs < 10_000_000 {
		add("cpus", "want at least 0.01")
	}
	if s.Memory != 0 && s.Memory < 6<<20 {
		add("memory", "want at least 6m")
	}
	if s.Memory != 0 && s.MemoryReservation > s.Memory {
		add("memory_reservation", "is above memory")
	}
	switch swap := s.MemorySwap; {
	case swap == 0:
	case s.Memory == 0:
		add("memory_swap", "needs memory")
	case swap > 0 && swap < s.Memory:
		add("memory_swap", "is below memory: it counts memory and swap together")
	}
	if w := s.BlkioWeight; w != 0 && w < 10 {
		add("blkio_weight", "got %d, want 10 to 1000", w)
	}
}
