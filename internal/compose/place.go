package compose

import (
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// keys are the places in a service of a file that arguments come from, where
// they have another name there.
var keys = map[string]string{
	"command": "command", "container_labels": "labels", "env": "environment", "groups": "group_add", "workdir": "working_dir",
	"mode": "deploy.mode", "replicas": "deploy.replicas", "labels": "deploy.labels", "mounts": "volumes", "hosts": "extra_hosts",
	"dns_options": "dns_opt", "limit_cpu": "deploy.resources.limits.cpus", "limit_memory": "deploy.resources.limits.memory",
	"limit_pids": "deploy.resources.limits.pids", "reserve_cpu": "deploy.resources.reservations.cpus",
	"reserve_memory": "deploy.resources.reservations.memory", "generic_resources": "deploy.resources.reservations.generic_resources",
	"constraints": "deploy.placement.constraints", "placement_prefs": "deploy.placement.preferences",
	"replicas_max_per_node": "deploy.placement.max_replicas_per_node", "update": "deploy.update_config",
	"rollback": "deploy.rollback_config", "restart": "deploy.restart_policy", "log_driver": "logging.driver", "log_opts": "logging.options",
	"endpoint_mode": "deploy.endpoint_mode", "tty": "tty",
	"options": "driver_opts", "subnets": "ipam.config", "ipam_driver": "ipam.driver", "ipv4": "enable_ipv4", "ipv6": "enable_ipv6",
	"value": "file",
}

// keyOf is where an argument's value stands, below its object.
func keyOf(arg string) []string {
	if k, ok := keys[arg]; ok {
		return strings.Split(k, ".")
	}
	return []string{arg}
}

// argsAt are the places of the arguments of an object.
func (in *input) argsAt(section, key string) func(arg string) diag.Pos {
	return func(arg string) diag.Pos { return in.at(append([]string{section, key}, keyOf(arg)...)...) }
}
