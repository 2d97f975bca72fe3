// Package conformance asks whether the lab's swarm is Docker's: one list of cases of the swarm API, from init to rollback,
// that real engines (20.10 and 28.5.2) and the lab have to pass alike.
//
// A case speaks HTTP to hosts, as any client does. It says what it asks, which status and which text come back, and which
// tasks result: how many, in what state, on which nodes. What two releases say differently stands in the case, with both
// texts. What a container does is told twice, so that no case needs to know where it runs: by the arguments of the test
// images' program, which real engines run, and by the labels lab.*, which the lab obeys.
//
// Not asked here, as these real engines cannot show it: traffic through the routing mesh, virtual IPs and encrypted
// networks (this kernel has no IPVS and no ESP), images from a registry, plugins, and certificates that expire.
//
// All is in the tests of this package: nothing imports it.
package conformance
