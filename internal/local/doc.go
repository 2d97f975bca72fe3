// Package local makes real Linux machines on this computer, without a
// hypervisor and without a Docker Engine: what local() stands for in a script.
//
// A machine is one set of Linux namespaces (processes, mounts, network, host
// name, IPC, cgroups) with systemd as its first process, on a root file system of
// its own: an overlay over a Debian base that all machines of an image share. It
// has a cgroup for its limits, an address on a bridge, and an SSH server whose
// host key was made before it first started.
//
// Machines live on a [Site]: a folder, a bridge and its subnet. The folder is all
// that is kept. What else a machine has (mounts, links, rules in its network,
// processes) belongs to its namespaces, so the kernel takes it away with their
// first process, whatever way that ends; what does not (cgroups, the site's
// bridge and firewall rules) has a name that follows from the site's and the
// machine's number. So nothing needs to be remembered to be cleaned up, and a
// crash or a reboot at any point leaves a folder from which [Machine.Destroy], or
// the next one who comes by, removes the rest.
//
// Two locks keep processes apart: the site's for what all machines share, held
// briefly, and each machine's for what changes that one. Who has to wait for
// both takes the machine's first.
//
// It is no boundary of security: root on a machine can do to the computer what
// root there can, but for what a slip would do (the kernel's settings other than
// those of the network are read-only).
package local
