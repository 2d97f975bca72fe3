//lint:file-ignore ST1005 these words are Docker's

package cluster

import (
	"errors"

	"github.com/docker/docker/errdefs"
)

// The words are Docker's: people and programs look for them.
var (
	errNoSwarm     = errdefs.Unavailable(errors.New("This node is not part of a swarm"))
	errSwarmExists = errdefs.Unavailable(errors.New(`This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`))
	errJoinTimeout = errdefs.Unavailable(errors.New(`Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.`))
	errLocked      = errdefs.Unavailable(errors.New(`Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.`))
	errLeaveLocked = errdefs.Unavailable(errors.New("Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message."))
	errNotLocked   = errdefs.Conflict(errors.New("swarm is not locked"))
	errInvalidKey  = errdefs.Unauthorized(errors.New("swarm could not be unlocked: invalid key provided"))

	errOff = errdefs.Unavailable(errors.New("the host lost its power"))

	errNoManager        = errdefs.Unavailable(errors.New(`This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`))
	errManagerPreparing = errdefs.Unavailable(errors.New("This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster."))
	errWorker           = errdefs.Unavailable(errors.New("This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager."))

	errBadListenAddr    = errdefs.InvalidParameter(errors.New("listen address must be an IP address or network interface (with optional port number)"))
	errBadAdvertiseAddr = errdefs.InvalidParameter(errors.New("advertise address must be a non-zero IP address or network interface (with optional port number)"))
	errBadDataPathAddr  = errdefs.InvalidParameter(errors.New("data path address must be a non-zero IP address or network interface (without a port number)"))
)
