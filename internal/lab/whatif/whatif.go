// Package whatif tries a plan out beside a swarm: it loads what is live into a
// swarm in memory, applies the plan there, and tells what happened.
//
// The swarm in memory is SwarmKit's own control plane, unmodified: its store,
// control API, orchestrators, scheduler, constraint enforcer and task reaper,
// without raft, network, processes or containers. In place of the allocator
// and of the engines is a loop, see engines.go, that makes of each task at once
// what a swarm would make of it in a while, and writes down what happens.
//
// No delay of a real swarm is waited for. A policy's delays, watches and
// restart delays are taken out of the specs before they come in (see
// undelayed), and package outcome puts them back as numbers. So a rolling
// update that takes an hour is tried out in a second, and its times do not
// depend on how busy this computer is.
//
// What the plan does comes as steps on services and nodes. Steps that wait for
// others come in a later round, which begins when the swarm has settled, as in
// an apply. What is not simulated: networks and their address pools, cluster
// volumes, failing containers.
package whatif

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// Input is a swarm and what is to be done in it.
type Input struct {
	// Swarm is its address.
	Swarm    string
	Nodes    []swarm.Node
	Services []swarm.Service
	// Tasks may be all that the swarm lists; those that are over are left out.
	Tasks []swarm.Task
	Steps []Step
	// Limit bounds how long the simulation takes; 0 means 10 s.
	Limit time.Duration
}

// Step is one thing that the plan does. One of Service and Node is set, or none
// where it only passes on what it waits for.
type Step struct {
	// ID is the step's own, After are those that it waits for.
	ID      int
	After   []int
	Service *ServiceStep
	Node    *NodeStep
}

// ServiceStep writes a service.
type ServiceStep struct {
	Address string
	Action  string // create, update, replace, delete
	// ID is the live service, "" where it is made.
	ID string
	// Spec is what it shall be, nil where it goes.
	Spec *swarm.ServiceSpec
	// NoWait is set where the plan goes on without it.
	NoWait bool
	// Hidden is set where what it asks of the nodes is sensitive, Sensitive where
	// anything of it is.
	Hidden, Sensitive bool
}

// NodeStep changes a node.
type NodeStep struct {
	Address string
	// ID is the live node, "" where it joins.
	ID string
	// Node is how it shall be, nil where it leaves. Of one that joins, resources
	// and a platform that are not known are those of its smallest peer.
	Node *swarm.Node
}

// defaultLimit is how long a simulation may take.
const defaultLimit = 10 * time.Second

// turn is held by the one simulation that runs: the filters of SwarmKit's
// schedulers are variables of their package, so that two schedulers of a process
// would mix up what they look for.
var turn = make(chan struct{}, 1)

// Simulate carries the steps out in a swarm in memory. It ends by itself: where
// the swarm has not settled in time, the report says so.
// Simulations of one process take turns.
func Simulate(ctx context.Context, in Input) (*outcome.Report, error) {
	if in.Limit == 0 {
		in.Limit = defaultLimit
	}
	in.Nodes = slices.Clone(in.Nodes)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, in.Limit)
	defer cancel()
	s, err := newWorld(ctx, in)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	s.settle(ctx)
	s.found()
	if err := s.carryOut(ctx); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err == context.Canceled {
		return nil, err
	}
	return outcome.Build(s.finish()), nil
}

// carryOut takes the steps, round by round.
func (w *world) carryOut(ctx context.Context) error {
	state := map[int]stepState{}
	todo := w.in.Steps
	for ctx.Err() == nil {
		todo = w.pass(todo, state)
		acts, rest := ready(todo, state)
		switch {
		case len(acts) == 0 && len(rest) > 0:
			return fmt.Errorf("the steps of %s wait for each other", w.in.Swarm)
		case len(acts) == 0:
			return nil
		}
		w.round(ctx, acts, state)
		todo = rest
	}
	return nil
}

// pass ends the steps that do nothing here, or are not reached, so that those after
// them come in the same round as what they waited for. It returns the others.
func (w *world) pass(todo []Step, state map[int]stepState) []Step {
	for {
		now, later := ready(todo, state)
		var acts []Step
		for _, st := range now {
			why := blocked(st, state)
			switch {
			case why == "" && (st.Service != nil || st.Node != nil):
				acts = append(acts, st)
				continue
			case why != "" && st.Service != nil:
				w.service(st.Service).NotReached = why
			}
			state[st.ID] = stepState{done: true, why: why}
		}
		if len(acts) == len(now) {
			return todo
		}
		todo = append(acts, later...)
	}
}

// stepState is what became of a step; why is what keeps those from being taken
// that wait for it.
type stepState struct {
	done bool
	why  string
}

// ready splits off the steps that wait for nothing any more.
func ready(todo []Step, state map[int]stepState) (now, later []Step) {
	for _, st := range todo {
		if slices.ContainsFunc(st.After, func(id int) bool { return !state[id].done }) {
			later = append(later, st)
		} else {
			now = append(now, st)
		}
	}
	return now, later
}

// blocked is what keeps a step from being taken, "" where nothing does.
func blocked(st Step, state map[int]stepState) string {
	for _, id := range st.After {
		if why := state[id].why; why != "" {
			return why
		}
	}
	return ""
}

// round takes steps together, and waits until the swarm has settled.
func (w *world) round(ctx context.Context, steps []Step, state map[int]stepState) {
	w.begin()
	for _, st := range steps {
		out := stepState{done: true}
		switch {
		case st.Service != nil:
			if err := w.writeService(ctx, st.Service); err != nil {
				w.service(st.Service).Refused = refusal(err)
				out.why = st.Service.Address
			}
		case st.Node != nil:
			w.writeNode(st.Node)
		}
		state[st.ID] = out
	}
	w.settle(ctx)
	stuck, left := w.drained()
	if left {
		w.settle(ctx)
	}
	for _, st := range steps {
		if n := st.Node; n != nil && stuck[n.Address] {
			state[st.ID] = stepState{done: true, why: n.Address}
		}
		if s := st.Service; s != nil && s.Spec != nil && !s.NoWait && !w.converged(s) {
			state[st.ID] = stepState{done: true, why: s.Address}
		}
	}
}
