package testengine

import (
	"fmt"
	"testing"
)

// A Swarm is several engines in one swarm.
type Swarm struct {
	Managers []*Engine // the first made the swarm
	Workers  []*Engine
}

// StartSwarm starts engines 28.5.2 in one swarm, with the host names mgr-0, mgr-1, ... and wrk-0, wrk-1, ... Each takes
// about a second. Images must be loaded on each engine that shall run them: [Swarm.Images].
func StartSwarm(tb testing.TB, managers, workers int) *Swarm {
	tb.Helper()
	s := &Swarm{}
	for i := range managers {
		s.Managers = append(s.Managers, Start(tb, Docker28, Hostname(fmt.Sprint("mgr-", i))))
	}
	for i := range workers {
		s.Workers = append(s.Workers, Start(tb, Docker28, Hostname(fmt.Sprint("wrk-", i))))
	}
	first := s.Managers[0]
	first.Docker("swarm", "init", "--advertise-addr", first.Addr)
	for _, e := range s.Managers[1:] {
		s.Join(e, "manager")
	}
	for _, e := range s.Workers {
		s.Join(e, "worker")
	}
	return s
}

// Join makes an engine a node of the swarm.
func (s *Swarm) Join(e *Engine, role string) {
	e.tb.Helper()
	first := s.Managers[0]
	e.Docker("swarm", "join", "--token", first.Docker("swarm", "join-token", "--quiet", role), first.Addr+":2377")
}

// Engines are all of them, managers first.
func (s *Swarm) Engines() []*Engine {
	return append(append([]*Engine(nil), s.Managers...), s.Workers...)
}

// Images loads the test images on every engine.
func (s *Swarm) Images() {
	for _, e := range s.Engines() {
		e.tb.Helper()
		Images(e)
	}
}
