// Package azure makes machines in Microsoft Azure, and what they need: networks,
// their security groups, addresses.
//
// A scope is one resource group of one subscription. It is observed by one list
// for each type of resource, all at once; whose a resource is, its tags say
// ([resource.Mark]). Nothing is kept on the side: what cannot be read back, such as
// custom data, leaves a hash in a tag.
//
// A machine is one request. Its network interface, its public address and its disk
// are made, and deleted, with it by Azure itself, so that a crash in between leaves
// nothing behind. Its SSH host key is made here before it is: the private half
// goes to the machine in its custom data, the public half is kept in a tag, so
// that the first connection is verified already, whoever makes it.
//
// All requests of a run to a subscription go through one token bucket below
// Azure's own limits, and what Azure refuses for a while is tried again
// ([throttle]).
package azure
