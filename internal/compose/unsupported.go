package compose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// ignored are the keys of a service that a swarm does not know, and what to do
// instead. They are told, each at its place.
var ignored = []struct{ key, hint string }{
	{"annotations", ""},
	{"attach", ""},
	{"blkio_config", ""},
	{"build", "build = False says so: the image is taken as it is"},
	{"cgroup", ""},
	{"cgroup_parent", ""},
	{"container_name", "a task's container is named after its service, and there may be several"},
	{"cpu_count", ""},
	{"cpu_percent", ""},
	{"cpu_period", ""},
	{"cpu_quota", "deploy.resources.limits.cpus says the same"},
	{"cpu_rt_period", ""},
	{"cpu_rt_runtime", ""},
	{"cpu_shares", "deploy.resources.limits.cpus is the nearest"},
	{"cpuset", "deploy.resources.limits.cpus is the nearest"},
	{"develop", ""},
	{"device_cgroup_rules", ""},
	{"devices", "deploy.resources.reservations.generic_resources asks a node for what it has"},
	{"domainname", "hostname: may hold it"},
	{"expose", "services in one network reach each other's every port"},
	{"external_links", "attach both to one external network"},
	{"gpus", "deploy.resources.reservations.generic_resources asks a node for what it has"},
	{"ipc", ""},
	{"links", "services in one network reach each other by name; an alias is one of the network's"},
	{"mac_address", ""},
	{"mem_swappiness", ""},
	{"memswap_limit", ""},
	{"models", ""},
	{"network_mode", "networks: {outside: {name: host, external: true}} attaches a service to the host's network"},
	{"oom_kill_disable", ""},
	{"pid", ""},
	{"platform", "deploy.placement.constraints may ask for node.platform.arch"},
	{"post_start", ""},
	{"pre_stop", ""},
	{"privileged", "cap_add gives what it needs"},
	{"provider", ""},
	{"pull_policy", ""},
	{"runtime", ""},
	{"security_opt", ""},
	{"shm_size", "a tmpfs mount on /dev/shm has a size: volumes: [{type: tmpfs, target: /dev/shm, tmpfs: {size: 64m}}]"},
	{"storage_opt", ""},
	{"tmpfs", "volumes: [{type: tmpfs, target: ...}] mounts one"},
	{"use_api_socket", ""},
	{"userns_mode", ""},
	{"uts", ""},
	{"volumes_from", "name the volume in each service that uses it"},
}

// dropIgnored takes those keys off the services: what is ignored cannot
// contradict anything.
func dropIgnored(model map[string]any) {
	services, _ := model["services"].(map[string]any)
	for _, s := range services {
		s, _ := s.(map[string]any)
		for _, i := range ignored {
			// In place of an image, build is no mistake of the file's; and a platform is
			// what it is built for.
			if i.key != "build" && (i.key != "platform" || s["build"] == nil) {
				delete(s, i.key)
			}
		}
	}
}

// unsupported tells what a swarm does not do of the files.
func (c *converter) unsupported() {
	say := func(pos diag.Pos, hint, format string, args ...any) {
		c.warn(&diag.Diagnostic{Severity: diag.Warning, Pos: pos, Summary: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, key := range sorted(c.project.Services) {
		said := c.in.keysOf("services", key)
		for _, i := range ignored {
			counts := i.key == "build" && slices.Contains(c.in.o.Images, key) ||
				(i.key == "build" || i.key == "platform") && c.builds(key, c.project.Services[key])
			if pos, ok := said[i.key]; ok && !counts {
				say(pos, i.hint, "services.%s.%s: a swarm does not know it, and it is ignored", key, i.key)
			}
		}
		c.unsupportedRestart(key, said["restart"], say)
		c.unsupportedParts(key, say)
	}
}

// unsupportedRestart tells of a restart that does not count, or says no: the docker
// CLI makes nothing of that, and of nothing a swarm makes any.
func (c *converter) unsupportedRestart(key string, pos diag.Pos, say func(pos diag.Pos, hint, format string, args ...any)) {
	s := c.project.Services[key]
	switch {
	case !pos.IsValid():
	case c.declares("services", key, "deploy", "restart_policy"):
		say(pos, "", "services.%s.restart: deploy.restart_policy is what counts", key)
	case s.Restart == "no" && (s.Deploy == nil || !strings.HasSuffix(s.Deploy.Mode, "-job")):
		say(pos, "deploy.restart_policy.condition: none says so", "services.%s.restart: no is ignored, as docker stack deploy does: what ends is started again", key)
	}
}

// unsupportedParts tells what is not known within what is.
func (c *converter) unsupportedParts(key string, say func(pos diag.Pos, hint, format string, args ...any)) {
	s := c.project.Services[key]
	told := map[string]bool{} // a range of ports is many, and one for whoever wrote it
	for i, p := range s.Ports {
		addr, err := netip.ParseAddr(strings.Trim(p.HostIP, "[]"))
		every := err == nil && addr.IsUnspecified() // which is what a swarm does
		if p.HostIP != "" && !every && !told[p.HostIP] {
			told[p.HostIP] = true
			say(c.in.at("services", key, "ports"), "publish it with mode: host and let a firewall choose", "services.%s.ports[%d]: host_ip %s is ignored: a swarm publishes on every address", key, i, p.HostIP)
		}
	}
	for _, n := range sorted(s.Networks) {
		a := s.Networks[n]
		if a == nil {
			continue
		}
		for name, given := range map[string]bool{
			"ipv4_address": a.Ipv4Address != "", "ipv6_address": a.Ipv6Address != "", "link_local_ips": len(a.LinkLocalIPs) > 0,
			"mac_address": a.MacAddress != "", "interface_name": a.InterfaceName != "", "gw_priority": a.GatewayPriority != 0, "priority": a.Priority != 0,
		} {
			if given {
				say(c.in.at("services", key, "networks", n, name), "", "services.%s.networks.%s.%s: ignored: a swarm gives each task its address", key, n, name)
			}
		}
	}
	for i, v := range s.Volumes {
		if v.Consistency != "" {
			say(c.in.at("services", key, "volumes"), "", "services.%s.volumes[%d]: consistency does nothing any more", key, i)
		}
		if v.Bind != nil && v.Bind.SELinux != "" {
			say(c.in.at("services", key, "volumes"), "", "services.%s.volumes[%d]: selinux: a swarm does not relabel", key, i)
		}
		if v.Type == "bind" && !c.in.absolute(v.Source) {
			say(c.in.at("services", key, "volumes"), "an absolute path says where it is on the nodes; a config holds a file",
				"services.%s.volumes[%d]: the path is relative, so it is this computer's %s, which each node that runs a task must have", key, i, v.Source)
		}
	}
	if d := s.Deploy; d != nil && d.Resources.Reservations != nil && len(d.Resources.Reservations.Devices) > 0 {
		say(c.in.at("services", key, "deploy", "resources", "reservations", "devices"), "generic_resources asks a node for what it has",
			"services.%s.deploy.resources.reservations.devices: a swarm does not know it, and it is ignored", key)
	}
	for _, on := range sorted(s.DependsOn) {
		d := s.DependsOn[on]
		target := c.project.Services[on]
		mode := ""
		if target.Deploy != nil {
			mode = target.Deploy.Mode
		}
		if d.Condition == "service_completed_successfully" && mode != "replicated-job" && mode != "global-job" {
			say(c.in.at("services", key, "depends_on", on), fmt.Sprintf("services.%s.deploy.mode: replicated-job makes it one", on),
				"services.%s.depends_on.%s: %s is not a job, and never completes: it is waited for until it runs", key, on, on)
		}
		if d.Restart {
			if pos, ok := c.in.has("services", key, "depends_on", on, "restart"); ok {
				say(pos, "", "services.%s.depends_on.%s.restart: ignored: a swarm restarts no service for another's sake", key, on)
			}
		}
	}
}
