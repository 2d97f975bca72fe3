// Package lab is the provider that needs nothing: what lab() stands for in a
// script, and what vm() uses by default.
//
// A lab is a folder, and while it is used a process: this program started again
// in the background ([internal/lab/serve]). In it every host is simulated, with
// an SSH server and a Docker Engine of its own; the swarm that the engines form
// is real SwarmKit, and only the containers in it are simulated.
//
// The folder is all that is kept. It holds one file that the process writes
// through, so that a process which ends, by SIGKILL too, is followed by one that
// goes on with the same hosts and tasks. Whoever needs the lab starts it: the
// process that opens the file first is the lab's, and who comes second leaves
// again. It ends when nobody has used it for a while, or when it is told to.
//
// This package is the side of the client: it finds and starts the process, and
// has the kind vm. It knows nothing of how a host is simulated.
package lab
