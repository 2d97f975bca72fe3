package cluster

import (
	"time"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/moby/swarmkit/v2/ca"
	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/wal"
)

// What makes a lab quick. Docker's values suit networks of tens of milliseconds and
// machines that crash; a lab is in one process. What a user reads is Docker's value
// all the same, and writing it back keeps the lab's.
const (
	dockerHeartbeatTick = 1
	dockerElectionTick  = 10
	// Managers without a leader choose one after 2 to 3 s. So few ticks would be too
	// few on a network; here one process that stalls stops all their clocks.
	labElectionTick = 2

	dockerHeartbeat = 5 * time.Second
	// SwarmKit adds half a second of jitter: with less it never settles. The last
	// nanosecond tells it from a heartbeat of a second that a user asked for.
	labHeartbeat = time.Second + time.Nanosecond

	// A node beats for the first time when it is ready, and then seconds later. The
	// period is changed in between: SwarmKit's dispatcher reads it without a lock while
	// it answers a heartbeat ((*nodeStore).Heartbeat, (*nodeStore).updatePeriod).
	firstHeartbeat = 50 * time.Millisecond
)

// SwarmKit's settings are the process's. A lab is a process of its own.
func init() {
	ca.GetCertRetryInterval = 200 * time.Millisecond
	wal.SegmentSizeBytes = 1 << 20
	bbolt.DefaultOptions.NoSync = true // like package store: it survives the process, not the computer
}

// stored is what SwarmKit is told of a spec.
func stored(s types.Spec) types.Spec {
	if s.Dispatcher.HeartbeatPeriod == dockerHeartbeat {
		s.Dispatcher.HeartbeatPeriod = labHeartbeat
	}
	if s.Raft.ElectionTick == dockerElectionTick {
		s.Raft.ElectionTick = labElectionTick
	}
	return s
}

// shown is what a user reads of a spec.
func shown(s types.Spec) types.Spec {
	if s.Dispatcher.HeartbeatPeriod == labHeartbeat {
		s.Dispatcher.HeartbeatPeriod = dockerHeartbeat
	}
	if s.Raft.ElectionTick == labElectionTick {
		s.Raft.ElectionTick = dockerElectionTick
	}
	return s
}
