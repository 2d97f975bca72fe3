// Package testengine gives tests real Docker Engines.
//
// An engine is a machine in miniature: dockerd, the containerd it starts, and all containers live in one set of Linux
// namespaces (process, mount, network, host name) below one init process. That one idea answers most questions:
//
//   - Several engines run side by side. Each has its own iptables, bridges, ingress network, /run and host name, and an
//     address on a bridge that this computer and the other engines reach: for swarm joins, and for mode=host ports.
//   - A power cut is one SIGKILL: the kernel ends everything in the process namespace. So is the end of a test, and
//     mounts, links and iptables rules go with their namespaces. What is left is a folder and empty cgroups, removed by
//     [Engine.Close], or by the next engine to start if the test process died.
//   - No route leads out and no name server answers, so the pull that Docker tries before each task fails at once.
//
// It runs as root on Linux; elsewhere [Start] skips the test. What it needs (Debian's docker.io package, dockerd and the
// docker CLI 28.5.2 built from the tools modules beside this file, the test images) comes from
//
//	go run ./internal/testengine/prepare
//
// A swarm's traffic is that of the kernel: without IPVS, the routing mesh and virtual IPs carry nothing, while mode=host
// ports and endpoint mode dnsrr do.
package testengine
