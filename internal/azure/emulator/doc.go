// Package emulator is an Azure to test against: what Azure Resource Manager and
// Entra ID say over HTTPS, as far as machines and their networks go, from
// memory or from a folder.
//
// It is a server of messages, not a mock of a client: it knows nothing of who
// calls it, but what Azure's REST API says. Tokens are asked for and checked;
// bodies are held to Azure's rules and completed with the defaults that Azure
// adds; what is immutable, in use, busy or too much is refused with Azure's
// codes; what takes time there is a long-running operation here.
//
// A request is one [tx]: what it reads and writes is staged, and is seen by
// others, and kept, only when all of it went well. What is slow happens in the
// background, as an [operation] that a restart takes up again. Relations are
// kept once: who refers to whom is read from the bodies, and the references
// back, which Azure shows in answers, are made from that.
//
// Types of resources are rows of a table ([kinds]): what is checked when one is
// written, what its deletion takes along, and what happens while an operation
// runs. Machines are real as far as [Machines] makes them; around those that are
// [Filtering] there is what their security groups say, and to those that are
// [Balancing] goes what load balancers are sent.
package emulator
