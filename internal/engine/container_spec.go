package engine

import (
	"time"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// ContainerSpec is what a script says of a container. Each field is a flag of
// `docker run`, under the name that the service kind has for it, otherwise
// under Docker's, in the plural where it may be repeated.
//
// Docker fills in what is left out: from the image, and from the engine's
// configuration. Fields for which it does that are borrowed: see [borrowed].
type ContainerSpec struct {
	Name     string         `star:"name,required,pos,local" flag:"--name" doc:"The container's name. Another one renames it."`
	Image    swarm.ImageRef `star:"image,required,replace" ref:"image.ref,build" flag:"IMAGE" doc:"The image. That a tag means another image since is no change: see lifecycle(replace_on=)."`
	Command  swarm.Words    `star:"command,replace" flag:"COMMAND" doc:"Arguments of the entrypoint, in place of the image's; a string is split as a shell would."`
	State    string         `star:"state" enum:"running,completed,stopped" default:"running" doc:"What it shall be: running (and healthy, where it has a health check), run to its end with exit code 0, or there but stopped."`
	Pull     string         `star:"pull,local" enum:"always,missing,never" default:"missing" flag:"--pull" doc:"When the image is pulled before the container is made."`
	Platform string         `star:"platform,replace" flag:"--platform" doc:"The image's platform, such as linux/arm64, where it has several."`

	Env         map[string]*string `star:"env,merge,replace" flag:"--env" doc:"Environment variables; None unsets one of the image."`
	Labels      map[string]string  `star:"labels,merge,replace" flag:"--label" doc:"Labels."`
	Annotations map[string]string  `star:"annotations,replace" api:"1.43" flag:"--annotation" doc:"Annotations, passed on to the OCI runtime."`
	Entrypoint  swarm.Words        `star:"entrypoint,replace" flag:"--entrypoint" doc:"In place of the image's entrypoint; a string is split as a shell would."`
	Hostname    string             `star:"hostname,replace" flag:"--hostname" doc:"The container's host name; part of its ID where it is not given."`
	Domainname  string             `star:"domainname,replace" flag:"--domainname" doc:"Its NIS domain name."`
	User        string             `star:"user,replace" flag:"--user" doc:"User name or number, with an optional :group."`
	Groups      []string           `star:"groups,set,replace" flag:"--group-add" doc:"Supplementary groups."`
	Workdir     string             `star:"workdir,replace" flag:"--workdir" doc:"Working directory in the container."`
	Init        bool               `star:"init,replace" flag:"--init" doc:"Run an init in the container that forwards signals and reaps processes."`
	TTY         bool               `star:"tty,replace" flag:"--tty" doc:"Allocate a pseudo-TTY."`
	Interactive bool               `star:"interactive,replace" flag:"--interactive" doc:"Keep the standard input open."`
	ReadOnly    bool               `star:"read_only,replace" flag:"--read-only" doc:"Mount the root file system read-only."`
	Privileged  bool               `star:"privileged,replace" flag:"--privileged" doc:"Give it all that the host may do."`
	StopSignal  string             `star:"stop_signal,replace" flag:"--stop-signal" doc:"The signal that stops it."`
	StopTimeout time.Duration      `star:"stop_timeout,replace" default:"10s" min:"-1000000000" flag:"--stop-timeout" doc:"Time between the stop signal and a kill, in whole seconds; -1 means without end."`
	Isolation   string             `star:"isolation,replace" enum:"default,process,hyperv" default:"default" flag:"--isolation" doc:"How it is isolated (Windows)."`
	Runtime     string             `star:"runtime,replace" flag:"--runtime" doc:"The OCI runtime; the engine's where it is not given."`
	Restart     RestartPolicy      `star:"restart" default:"no" flag:"--restart" doc:"When Docker starts it again: no, on-failure, on-failure:5, always, unless-stopped."`

	Network    Namespace          `star:"network,replace" ref:"container.namespace" flag:"--network" doc:"In place of networks: host, none, or the network of another container (container:NAME, or its handle)."`
	Networks   []swarm.Attachment `star:"networks,set" flag:"--network" doc:"Networks that it is attached to; the engine's bridge where neither this nor network is given."`
	Links      []Link             `star:"links,set,replace" ref:"container.name" flag:"--link" doc:"Containers that it reaches by another name, as name:alias."`
	Ports      []swarm.Port       `star:"ports,set,replace" flag:"--publish" doc:"Ports to publish on the host."`
	PublishAll bool               `star:"publish_all,replace" flag:"--publish-all" doc:"Publish all exposed ports on ports that the engine chooses."`
	Expose     []ExposedPort      `star:"expose,set,replace" flag:"--expose" doc:"Ports to expose beside the image's, such as 80 or 53/udp."`
	Hosts      []swarm.HostEntry  `star:"hosts,set,replace" flag:"--add-host" doc:"Lines for its /etc/hosts, as host:ip or host:host-gateway."`
	DNS        []string           `star:"dns,replace" flag:"--dns" doc:"Name servers, in order."`
	Search     []string           `star:"dns_search,replace" flag:"--dns-search" doc:"Search domains, in order."`
	DNSOpts    []string           `star:"dns_options,replace" flag:"--dns-option" doc:"Options of the resolver."`

	Mounts       []swarm.Mount     `star:"mounts,set,replace" flag:"--mount" doc:"File systems to mount."`
	Volumes      []Bind            `star:"volumes,set,replace" ref:"volume.name" flag:"--volume" doc:"Volumes and folders of the host, as source:target or source:target:ro; a target alone is an anonymous volume."`
	VolumesFrom  []VolumesFrom     `star:"volumes_from,set,replace" ref:"container.name" flag:"--volumes-from" doc:"Containers whose volumes are mounted too, as name or name:ro."`
	VolumeDriver string            `star:"volume_driver,replace" flag:"--volume-driver" doc:"Driver of volumes that are made for volumes."`
	Tmpfs        map[string]string `star:"tmpfs,replace" flag:"--tmpfs" doc:"Memory file systems: their options, such as size=64m, by target."`
	ShmSize      schema.Size       `star:"shm_size,replace" min:"0" flag:"--shm-size" doc:"Size of /dev/shm; the engine's where it is not given."`
	StorageOpts  map[string]string `star:"storage_opts,replace" flag:"--storage-opt" doc:"Options of the storage driver."`

	CapAdd            []swarm.Capability `star:"cap_add,set,replace" flag:"--cap-add" doc:"Linux capabilities to add."`
	CapDrop           []swarm.Capability `star:"cap_drop,set,replace" flag:"--cap-drop" doc:"Linux capabilities to drop."`
	SecurityOpts      []SecurityOpt      `star:"security_opts,set,replace" flag:"--security-opt" doc:"Security options. A seccomp profile is given by its content: \"seccomp=\" + read_file(...)."`
	Devices           []Device           `star:"devices,set,replace" flag:"--device" doc:"Devices of the host, as /dev/x, /dev/x:/dev/y, /dev/x:/dev/y:rw, or a CDI name."`
	DeviceCgroupRules []string           `star:"device_cgroup_rules,replace" flag:"--device-cgroup-rule" doc:"Rules added to the allowed devices, such as c 42:* rmw."`
	GPUs              GPUs               `star:"gpus,replace" flag:"--gpus" doc:"GPUs: all, a number, or docker's device=0,driver=nvidia."`
	Ulimits           []swarm.Ulimit     `star:"ulimits,set,replace" flag:"--ulimit" doc:"Limits such as the number of open files."`
	Sysctls           map[string]string  `star:"sysctls,replace" flag:"--sysctl" doc:"Kernel parameters of the container."`
	CgroupParent      string             `star:"cgroup_parent,replace" flag:"--cgroup-parent" doc:"The cgroup that its own is made in."`
	Cgroupns          string             `star:"cgroupns,replace" enum:"host,private" flag:"--cgroupns" doc:"Whose cgroup namespace it has; the engine's choice where it is not given."`
	IPC               Namespace          `star:"ipc,replace" ref:"container.namespace" flag:"--ipc" doc:"Whose shared memory it has: private, shareable, host, none, or another container's."`
	PID               Namespace          `star:"pid,replace" ref:"container.namespace" flag:"--pid" doc:"Whose processes it sees: host, or another container's."`
	UTS               string             `star:"uts,replace" enum:"host" flag:"--uts" doc:"host shares the host's name."`
	Userns            string             `star:"userns,replace" enum:"host" flag:"--userns" doc:"host turns the engine's mapping of users off."`

	CPUs              schema.NanoCPUs        `star:"cpus" flag:"--cpus" doc:"The most CPUs that it may use."`
	CPUShares         int64                  `star:"cpu_shares" min:"0" flag:"--cpu-shares" doc:"Its weight where CPUs are short; Docker's is 1024."`
	CPUPeriod         int64                  `star:"cpu_period" min:"0" flag:"--cpu-period" doc:"Period of the CFS scheduler, in microseconds."`
	CPUQuota          int64                  `star:"cpu_quota" flag:"--cpu-quota" doc:"Time in each period, in microseconds."`
	CPURtPeriod       int64                  `star:"cpu_rt_period" min:"0" flag:"--cpu-rt-period" doc:"Period of the real-time scheduler, in microseconds."`
	CPURtRuntime      int64                  `star:"cpu_rt_runtime" min:"0" flag:"--cpu-rt-runtime" doc:"Real-time in each period, in microseconds."`
	CpusetCPUs        string                 `star:"cpuset_cpus" flag:"--cpuset-cpus" doc:"The CPUs that it may run on, such as 0-3 or 0,1."`
	CpusetMems        string                 `star:"cpuset_mems" flag:"--cpuset-mems" doc:"The memory nodes that it may use."`
	CPUCount          int64                  `star:"cpu_count,replace" min:"0" flag:"--cpu-count" doc:"Number of CPUs (Windows)."`
	CPUPercent        int64                  `star:"cpu_percent,replace" min:"0" max:"100" flag:"--cpu-percent" doc:"Percent of the CPUs (Windows)."`
	Memory            schema.Size            `star:"memory" min:"0" flag:"--memory" doc:"The most memory that it may use."`
	MemoryReservation schema.Size            `star:"memory_reservation" min:"0" flag:"--memory-reservation" doc:"What it is held to where memory is short."`
	MemorySwap        schema.Size            `star:"memory_swap" min:"-1" flag:"--memory-swap" doc:"Memory and swap together; -1 means no limit; twice the memory where it is not given."`
	MemorySwappiness  int64                  `star:"memory_swappiness,replace" default:"-1" min:"-1" max:"100" flag:"--memory-swappiness" doc:"How readily it is swapped out, 0 to 100; -1 means as the host."`
	OomKillDisable    bool                   `star:"oom_kill_disable,replace" flag:"--oom-kill-disable" doc:"Do not kill its processes when memory is short (cgroup v1)."`
	OomScoreAdj       int64                  `star:"oom_score_adj,replace" min:"-1000" max:"1000" flag:"--oom-score-adj" doc:"How readily the kernel kills it when memory is short."`
	PidsLimit         int64                  `star:"pids_limit" min:"-1" flag:"--pids-limit" doc:"The most processes; 0 and -1 mean no limit."`
	BlkioWeight       int64                  `star:"blkio_weight" min:"0" max:"1000" flag:"--blkio-weight" doc:"Its weight where disks are busy, 10 to 1000."`
	BlkioWeightDevice map[string]int64       `star:"blkio_weight_device,replace" min:"10" max:"1000" flag:"--blkio-weight-device" doc:"The weight by device."`
	DeviceReadBps     map[string]schema.Size `star:"device_read_bps,replace" min:"1" flag:"--device-read-bps" doc:"The most bytes a second to read, by device."`
	DeviceWriteBps    map[string]schema.Size `star:"device_write_bps,replace" min:"1" flag:"--device-write-bps" doc:"The most bytes a second to write, by device."`
	DeviceReadIops    map[string]int64       `star:"device_read_iops,replace" min:"1" flag:"--device-read-iops" doc:"The most reads a second, by device."`
	DeviceWriteIops   map[string]int64       `star:"device_write_iops,replace" min:"1" flag:"--device-write-iops" doc:"The most writes a second, by device."`
	IOMaxBandwidth    schema.Size            `star:"io_maxbandwidth,replace" min:"0" flag:"--io-maxbandwidth" doc:"The most bytes a second of the system drive (Windows)."`
	IOMaxIOps         int64                  `star:"io_maxiops,replace" min:"0" flag:"--io-maxiops" doc:"The most operations a second of the system drive (Windows)."`

	Health    swarm.Healthcheck `star:"healthcheck,replace" flag:"--health-*" doc:"How its health is checked, in place of the image's way."`
	LogDriver string            `star:"log_driver,replace" flag:"--log-driver" doc:"Logging driver; the engine's where it is not given."`
	LogOpts   map[string]string `star:"log_opts,replace" flag:"--log-opt" doc:"Options of the logging driver."`
}

// SchemaName names the kind.
func (ContainerSpec) SchemaName() (string, string) {
	return "container", "A container of one engine: `docker run --detach` with every flag."
}

var containerSchema = schema.Of(ContainerSpec{})
