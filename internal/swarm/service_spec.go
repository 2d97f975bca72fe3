package swarm

import (
	"time"

	"github.com/swarmscript/swarmscript/internal/schema"
)

// ServiceSpec is what a script says of a service. Each field is a flag of
// `docker service create`, under its name in the plural where it may be
// repeated. Silence means Docker's default, so an argument that is removed
// from the script is reset.
type ServiceSpec struct {
	Name    string   `star:"name,required,pos,local" flag:"--name" doc:"The service's name."`
	Image   ImageRef `star:"image,required" ref:"image.ref,build" flag:"IMAGE" doc:"The image. A tag is pinned to its digest when the service is made and when the tag changes, as the docker CLI does."`
	Command Words    `star:"command" flag:"COMMAND" doc:"Arguments of the entrypoint, in place of the image's; a string is split as a shell would."`

	Mode          string `star:"mode,replace" enum:"replicated,global,replicated-job,global-job" default:"replicated" flag:"--mode" doc:"How many tasks there are: a number of replicas, or one on each node; jobs run to their end."`
	Replicas      uint64 `star:"replicas" default:"1" flag:"--replicas" doc:"Number of tasks, in the replicated modes."`
	MaxConcurrent uint64 `star:"max_concurrent" flag:"--max-concurrent" doc:"Tasks of a replicated job that run at a time; all of them where it is not given."`

	Env             map[string]*string `star:"env" flag:"--env" doc:"Environment variables; None unsets one of the image."`
	Labels          map[string]string  `star:"labels,merge" flag:"--label" doc:"Labels of the service. Changing them restarts nothing."`
	ContainerLabels map[string]string  `star:"container_labels" flag:"--container-label" doc:"Labels of the containers. Changing them restarts the tasks."`
	Entrypoint      Words              `star:"entrypoint" flag:"--entrypoint" doc:"In place of the image's entrypoint; a string is split as a shell would."`
	Hostname        string             `star:"hostname" flag:"--hostname" doc:"The containers' host name; may be a template such as {{.Node.Hostname}}."`
	User            string             `star:"user" flag:"--user" doc:"User name or number, with an optional :group."`
	Groups          []string           `star:"groups,set" flag:"--group" doc:"Supplementary groups."`
	Workdir         string             `star:"workdir" flag:"--workdir" doc:"Working directory in the container."`
	Init            bool               `star:"init" flag:"--init" doc:"Run an init in each container that forwards signals and reaps processes."`
	TTY             bool               `star:"tty" flag:"--tty" doc:"Allocate a pseudo-TTY."`
	StdinOpen       bool               `star:"stdin_open" doc:"Keep the containers' standard input open, as compose files' stdin_open."`
	ReadOnly        bool               `star:"read_only" flag:"--read-only" doc:"Mount the container's root file system read-only."`
	StopSignal      string             `star:"stop_signal" flag:"--stop-signal" doc:"The signal that stops a container."`
	StopGracePeriod time.Duration      `star:"stop_grace_period" default:"10s" min:"0" flag:"--stop-grace-period" doc:"Time between the stop signal and a kill."`
	Isolation       string             `star:"isolation" enum:"default,process,hyperv" default:"default" flag:"--isolation" doc:"How containers are isolated (Windows)."`
	CredentialSpec  CredentialSpec     `star:"credential_spec" flag:"--credential-spec" doc:"Credential spec of a managed service account (Windows)."`
	OomScoreAdj     int64              `star:"oom_score_adj" min:"-1000" max:"1000" api:"1.46" flag:"--oom-score-adj" doc:"How readily the kernel kills the containers when memory is short."`

	Mounts   []Mount           `star:"mounts,set" flag:"--mount" doc:"File systems to mount."`
	Networks []Attachment      `star:"networks,set" flag:"--network" doc:"Networks that the tasks are attached to."`
	Ports    []Port            `star:"ports,set" flag:"--publish" doc:"Ports to publish."`
	Secrets  []SecretRef       `star:"secrets,set" flag:"--secret" doc:"Secrets to put in the containers as files in /run/secrets."`
	Configs  []ConfigRef       `star:"configs,set" flag:"--config" doc:"Configs to put in the containers as files."`
	Hosts    []HostEntry       `star:"hosts,set" flag:"--host" doc:"Lines for the containers' /etc/hosts, as host:ip or host:host-gateway."`
	DNS      []string          `star:"dns" flag:"--dns" doc:"Name servers, in order."`
	Search   []string          `star:"dns_search" flag:"--dns-search" doc:"Search domains, in order."`
	DNSOpts  []string          `star:"dns_options" flag:"--dns-option" doc:"Options of the resolver."`
	CapAdd   []Capability      `star:"cap_add,set" flag:"--cap-add" doc:"Linux capabilities to add."`
	CapDrop  []Capability      `star:"cap_drop,set" flag:"--cap-drop" doc:"Linux capabilities to drop."`
	Ulimits  []Ulimit          `star:"ulimits,set" flag:"--ulimit" doc:"Limits such as the number of open files."`
	Sysctls  map[string]string `star:"sysctls" flag:"--sysctl" doc:"Kernel parameters of the containers."`

	LimitCPU         schema.NanoCPUs  `star:"limit_cpu" flag:"--limit-cpu" doc:"The most CPUs that a task may use."`
	LimitMemory      schema.Size      `star:"limit_memory" min:"0" flag:"--limit-memory" doc:"The most memory that a task may use."`
	LimitPids        int64            `star:"limit_pids" min:"0" flag:"--limit-pids" doc:"The most processes of a task; 0 means no limit."`
	ReserveCPU       schema.NanoCPUs  `star:"reserve_cpu" flag:"--reserve-cpu" doc:"CPUs that a node must have free."`
	ReserveMemory    schema.Size      `star:"reserve_memory" min:"0" flag:"--reserve-memory" doc:"Memory that a node must have free."`
	GenericResources map[string]int64 `star:"generic_resources" min:"0" flag:"--generic-resource" doc:"User-defined resources that a node must have, such as {\"gpu\": 2}."`

	Constraints        []Constraint `star:"constraints,set" flag:"--constraint" doc:"What a node must be, such as node.role==worker."`
	PlacementPrefs     []Preference `star:"placement_prefs" flag:"--placement-pref" doc:"How tasks are spread, such as spread=node.labels.zone; the first counts most."`
	ReplicasMaxPerNode uint64       `star:"replicas_max_per_node" flag:"--replicas-max-per-node" doc:"The most tasks on one node; 0 means no limit."`

	Update   UpdatePolicy  `star:"update" flag:"--update-*" doc:"How an update rolls."`
	Rollback UpdatePolicy  `star:"rollback" flag:"--rollback-*" doc:"How a rollback rolls."`
	Restart  RestartPolicy `star:"restart" flag:"--restart-*" doc:"When a task that ended is started again."`
	Health   Healthcheck   `star:"healthcheck" flag:"--health-*" doc:"How a container's health is checked, in place of the image's way."`

	LogDriver    string            `star:"log_driver" flag:"--log-driver" doc:"Logging driver; the engine's where it is not given."`
	LogOpts      map[string]string `star:"log_opts" flag:"--log-opt" doc:"Options of the logging driver."`
	EndpointMode string            `star:"endpoint_mode" enum:"vip,dnsrr" default:"vip" flag:"--endpoint-mode" doc:"How the service's name resolves: to one virtual address, or to the tasks' in turn."`

	ResolveImage     string `star:"resolve_image,local" enum:"always,changed,never" default:"changed" flag:"--resolve-image" doc:"When the registry is asked for the image's digest: when the reference changes, in every plan (another digest is then a change), or never. One that does not answer leaves the tag as it is, with a warning."`
	NoResolveImage   bool   `star:"no_resolve_image,local" flag:"--no-resolve-image" doc:"The same as resolve_image = \"never\"."`
	WithRegistryAuth *bool  `star:"with_registry_auth,local" flag:"--with-registry-auth" doc:"Send the registry's login to the nodes, so that they can pull. Left out: where registry() names it."`
	RegistryAuth     string `star:"registry_auth" enum:"current,kept" default:"current" flag:"--with-registry-auth" doc:"Whether the login that the nodes have is sent again when registry() has another one, or when it is about to expire; no task restarts. kept sends it only along with other changes."`
}

// SchemaName names the kind.
func (ServiceSpec) SchemaName() (string, string) {
	return "service", "A service of a swarm: `docker service create` with every flag."
}

// Port is one published port, of a service or a container.
type Port struct {
	Target    uint16 `star:"target,required,pos,short" min:"1" max:"65535" doc:"The container's port."`
	Published uint16 `star:"published" min:"0" max:"65535" doc:"The port on the nodes; 0 lets the swarm choose one."`
	Protocol  string `star:"protocol" enum:"tcp,udp,sctp" default:"tcp" doc:"The protocol."`
	HostIP    IP     `star:"host_ip" doc:"The host's address that it is published on, in place of all (containers)."`
	Mode      string `star:"mode" enum:"ingress,host" default:"ingress" doc:"On every node through the routing mesh, or only where a task runs (services)."`
}

// SchemaName names the builtin.
func (Port) SchemaName() (string, string) { return "port", "A published port." }

// Mount is one mounted file system.
type Mount struct {
	Target          string            `star:"target,required,key" flag:"target" doc:"The path in the container."`
	Type            string            `star:"type" enum:"volume,bind,tmpfs,npipe,cluster,image" default:"volume" flag:"type" doc:"What is mounted."`
	Source          string            `star:"source" ref:"volume.name" flag:"source" doc:"The volume, the host's path, or the image; a volume without a name belongs to its task or container."`
	ReadOnly        bool              `star:"readonly" flag:"readonly" doc:"Mount it read-only."`
	BindPropagation string            `star:"bind_propagation" enum:"rprivate,private,rshared,shared,rslave,slave" default:"rprivate" flag:"bind-propagation" doc:"How mounts below it spread (bind)."`
	BindRecursive   string            `star:"bind_recursive" enum:"enabled,disabled,writable,readonly" default:"enabled" flag:"bind-recursive" doc:"Whether mounts below it come along (bind); containers can also say whether those of a read-only one are writable, or must be read-only."`
	VolumeNoCopy    bool              `star:"volume_nocopy" flag:"volume-nocopy" doc:"Do not fill a new volume from the image (volume)."`
	VolumeLabels    map[string]string `star:"volume_labels" flag:"volume-label" doc:"Labels of a volume that is made (volume)."`
	VolumeDriver    string            `star:"volume_driver" flag:"volume-driver" doc:"Driver of a volume that is made (volume)."`
	VolumeOpts      map[string]string `star:"volume_opts" flag:"volume-opt" doc:"Options of the volume's driver (volume)."`
	VolumeSubpath   string            `star:"volume_subpath" api:"1.45" flag:"volume-subpath" doc:"A path in the volume, in place of its root (volume)."`
	ImageSubpath    string            `star:"image_subpath" api:"1.48" flag:"image-subpath" doc:"A path in the image, in place of its root (image)."`
	TmpfsSize       schema.Size       `star:"tmpfs_size" min:"0" flag:"tmpfs-size" doc:"Its size; 0 means no limit (tmpfs)."`
	TmpfsMode       schema.FileMode   `star:"tmpfs_mode" flag:"tmpfs-mode" doc:"Its permission bits; 0 means 01777 (tmpfs)."`
}

// SchemaName names the builtin.
func (Mount) SchemaName() (string, string) { return "mount", "A mounted file system." }

// Attachment is a place in a network: a service's, or a container's.
type Attachment struct {
	Network    string            `star:"network,required,pos,short,key" ref:"network.name" doc:"The network."`
	Aliases    []string          `star:"aliases,set" flag:"--network-alias" doc:"More names in this network."`
	DriverOpts map[string]string `star:"driver_opts" doc:"Options of the network's driver for this attachment."`

	IP           *IP   `star:"ip" flag:"--ip" doc:"The IPv4 address (containers). Left out, it stays as it is, or is chosen."`
	IP6          *IP   `star:"ip6" flag:"--ip6" doc:"The IPv6 address (containers). Left out, it stays as it is, or is chosen."`
	LinkLocalIPs []IP  `star:"link_local_ips,set" flag:"--link-local-ip" doc:"Link-local addresses (containers)."`
	MacAddress   *MAC  `star:"mac_address" flag:"--mac-address" doc:"The MAC address (containers). Left out, it stays as it is, or is chosen."`
	GwPriority   int64 `star:"gw_priority" api:"1.48" doc:"The network with the highest one is the way out (containers)."`
}

// SchemaName names the builtin.
func (Attachment) SchemaName() (string, string) {
	return "attachment", "A place in a network: a service's, or a container's."
}

// SecretRef puts a secret into the containers. The file's name follows the name
// that the secret is declared with: where moved() gives it another one, the plan
// shows the service's update, unless target is given.
type SecretRef struct {
	Secret string          `star:"secret,required,pos,short" ref:"secret.name" doc:"The secret."`
	Target string          `star:"target,key" from:"secret" doc:"The file, in /run/secrets unless it is a full path; the secret's declared name where it is not given."`
	UID    string          `star:"uid" default:"0" doc:"The file's owner."`
	GID    string          `star:"gid" default:"0" doc:"The file's group."`
	Mode   schema.FileMode `star:"mode" default:"0444" doc:"The file's permission bits."`
}

// SchemaName names the builtin.
func (SecretRef) SchemaName() (string, string) { return "secret_ref", "A secret in a container." }

// ConfigRef puts a config into the containers, in a file that is named as
// [SecretRef]'s is.
type ConfigRef struct {
	Config string          `star:"config,required,pos,short" ref:"config.name" doc:"The config."`
	Target string          `star:"target,key" from:"config" doc:"The file, in the container's root unless it is a full path; the config's declared name where it is not given."`
	UID    string          `star:"uid" default:"0" doc:"The file's owner."`
	GID    string          `star:"gid" default:"0" doc:"The file's group."`
	Mode   schema.FileMode `star:"mode" default:"0444" doc:"The file's permission bits."`
}

// SchemaName names the builtin.
func (ConfigRef) SchemaName() (string, string) { return "config_ref", "A config in a container." }

// Ulimit is one limit of a container's processes.
type Ulimit struct {
	Name string `star:"name,required,pos,key" doc:"The limit, such as nofile."`
	Soft int64  `star:"soft,required,pos" min:"-1" doc:"The soft limit; -1 means none."`
	Hard *int64 `star:"hard,pos" min:"-1" doc:"The hard limit; the soft one where it is not given."`
}

// SchemaName names the builtin.
func (Ulimit) SchemaName() (string, string) { return "ulimit", "A limit of a container's processes." }

// UpdatePolicy says how an update or a rollback rolls.
type UpdatePolicy struct {
	Parallelism     uint64        `star:"parallelism" default:"1" flag:"--update-parallelism" doc:"Tasks at a time; 0 means all at once."`
	Delay           time.Duration `star:"delay" min:"0" flag:"--update-delay" doc:"Time between two batches."`
	OnFailure       string        `star:"on_failure" enum:"pause,continue,rollback" default:"pause" flag:"--update-failure-action" doc:"What happens when tasks fail; a rollback cannot be rolled back."`
	Monitor         time.Duration `star:"monitor" default:"5s" min:"0" flag:"--update-monitor" doc:"How long each new task is watched for failure."`
	MaxFailureRatio float64       `star:"max_failure_ratio" flag:"--update-max-failure-ratio" doc:"The share of tasks that may fail, 0 to 1."`
	Order           string        `star:"order" enum:"stop-first,start-first" default:"stop-first" flag:"--update-order" doc:"Whether the old task stops before the new one starts."`
}

// SchemaName names the builtin.
func (UpdatePolicy) SchemaName() (string, string) {
	return "update_policy", "How an update or a rollback rolls."
}

// RestartPolicy says when a task that ended is started again.
type RestartPolicy struct {
	Condition   string        `star:"condition" enum:"none,on-failure,any" default:"any" flag:"--restart-condition" doc:"After which ends."`
	Delay       time.Duration `star:"delay" default:"5s" min:"0" flag:"--restart-delay" doc:"Time before it is started again."`
	MaxAttempts uint64        `star:"max_attempts" flag:"--restart-max-attempts" doc:"How often, within the window; 0 means without end."`
	Window      time.Duration `star:"window" min:"0" flag:"--restart-window" doc:"The time in which attempts are counted; 0 means ever."`
}

// SchemaName names the builtin.
func (RestartPolicy) SchemaName() (string, string) {
	return "restart_policy", "When a task that ended is started again."
}

// Healthcheck says how a container's health is checked. What is zero is the
// image's.
type Healthcheck struct {
	Cmd           HealthCmd     `star:"cmd,pos" flag:"--health-cmd" doc:"A command line for the shell, or a list that begins with CMD or CMD-SHELL."`
	Interval      time.Duration `star:"interval" min:"0" flag:"--health-interval" doc:"Time between checks."`
	Timeout       time.Duration `star:"timeout" min:"0" flag:"--health-timeout" doc:"The longest that one check may take."`
	Retries       int64         `star:"retries" min:"0" flag:"--health-retries" doc:"Failures in a row that make it unhealthy."`
	StartPeriod   time.Duration `star:"start_period" min:"0" flag:"--health-start-period" doc:"Time to start up, in which failures do not count."`
	StartInterval time.Duration `star:"start_interval" min:"0" api:"1.44" flag:"--health-start-interval" doc:"Time between checks during the start period."`
	Disable       bool          `star:"disable" flag:"--no-healthcheck" doc:"Do not check, whatever the image says."`
}

// SchemaName names the builtin.
func (Healthcheck) SchemaName() (string, string) {
	return "healthcheck", "How a container's health is checked."
}

// CredentialSpec is one source of a managed service account's credentials.
type CredentialSpec struct {
	Config   string `star:"config" ref:"config.name" doc:"A config that holds it."`
	File     string `star:"file" doc:"A file on the nodes."`
	Registry string `star:"registry" doc:"A value in the nodes' registry."`
}

// SchemaName names the builtin.
func (CredentialSpec) SchemaName() (string, string) {
	return "credential_spec", "The credentials of a managed service account (Windows)."
}

// ServiceSchema is the schema of [ServiceSpec].
var ServiceSchema = schema.Of(ServiceSpec{})
