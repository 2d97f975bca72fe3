// Package machines puts machines behind the virtual machines of an emulated Azure:
// the hosts of a lab, which need nothing, or real ones of this computer, with
// systemd, in namespaces of their own.
//
// Each machine carries the ID of its virtual machine in a label, so that whoever
// comes after a crash finds it. Custom data is taken as cloud-init takes it, as far
// as it goes here ([parseCustomData]): what is not known fails the boot, and is not
// left out. What load balancers do, this process does ([balance.Balancer]).
package machines
