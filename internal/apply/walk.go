package apply

import (
	"context"
	"errors"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ended is what a step's goroutine tells the scheduler.
type ended struct {
	node *plan.Node
	did  *plan.Change // what the comparison at its turn made of it; nil where it came to none
	err  error
	took time.Duration
}

// walk schedules the graph. One goroutine, this one, holds all the state; a
// step's goroutine only sends how it ended.
func (e *executor) walk(ctx context.Context) {
	g := e.in.Plan.Graph
	s := &schedule{
		e: e, waiting: make([]int, len(g.Nodes)), dependents: make([][]int, len(g.Nodes)),
		because: make([]value.Address, len(g.Nodes)), bad: make([]bool, len(g.Nodes)),
		turns: newTurns(e.limit), results: make(chan ended),
	}
	for _, n := range g.Nodes {
		s.waiting[n.ID] = len(n.Deps)
		for _, d := range n.Deps {
			s.dependents[d] = append(s.dependents[d], n.ID)
		}
	}
	for _, n := range g.Nodes {
		if len(n.Deps) == 0 {
			s.ready = append(s.ready, n.ID)
		}
	}
	s.run(ctx)
}

type schedule struct {
	e          *executor
	waiting    []int // how many dependencies have not ended, by node
	dependents [][]int
	because    []value.Address // the failed step that a node is skipped for
	bad        []bool
	ready      []int
	running    int
	turns      *turns
	results    chan ended
	stopped    bool
}

func (s *schedule) run(ctx context.Context) {
	stop := s.e.in.Stop
	for {
		for len(s.ready) > 0 && !s.stopped {
			if closed(stop) {
				s.stopped = true
				break
			}
			id := s.ready[0]
			s.ready = s.ready[1:]
			s.begin(ctx, s.e.in.Plan.Graph.Nodes[id])
		}
		if s.running == 0 {
			break
		}
		select {
		case r := <-s.results:
			s.running--
			s.end(r)
		case <-stop:
			stop, s.stopped = nil, true
		case <-ctx.Done():
			s.stopped = true
			r := <-s.results
			s.running--
			s.end(r)
		}
	}
	s.leftOver(ctx)
}

// begin starts a node, or ends it at once where there is nothing to do.
func (s *schedule) begin(ctx context.Context, n *plan.Node) {
	c := n.Change
	switch {
	case ctx.Err() != nil:
		s.stopped = true
		s.ready = append(s.ready, n.ID)
		return
	case c == nil:
		s.close(n, s.bad[n.ID])
		return
	case s.bad[n.ID]:
		// The first half of a replacement may have run; its second half is what is
		// skipped.
		if r := s.e.results[c]; (work(c) || c.Blocked != "") && (r == nil || r.Outcome == Waiting) {
			s.skip(c, s.because[n.ID])
		}
		s.close(n, true)
		return
	case c.Blocked != "":
		s.e.results[c] = &StepResult{Change: c, Outcome: Omitted, Err: blockedError(c)}
		s.e.emit(Event{Type: Skipped, Address: c.Address, Action: c.Action, Text: c.Blocked})
		s.because[n.ID] = c.Address
		s.close(n, true)
		return
	case c.Action == plan.Check && s.e.in.Detach:
		s.e.results[c] = &StepResult{Change: c, Outcome: Omitted}
		s.e.emit(Event{Type: Skipped, Address: c.Address, Action: c.Action, Text: "not checked: with --detach nothing is waited for"})
		s.close(n, false)
		return
	case !work(c):
		s.e.settled(c, c.Live)
		s.close(n, false)
		return
	}
	s.running++
	go func() {
		begun := time.Now()
		turn := &turn{of: s.turns, stop: s.e.in.Stop}
		var did *plan.Change
		err := turn.take(ctx)
		if err == nil {
			did, err = s.e.step(ctx, n, turn)
		}
		turn.free()
		s.results <- ended{n, did, err, time.Since(begun)}
	}()
}

// work reports whether a change has anything to do: to write, to wait for, or
// to check.
func work(c *plan.Change) bool {
	return c.Changes() || c.Action == plan.Check || c.Unsettled != "" || c.Deferred
}

// end records how a step ended.
func (s *schedule) end(r ended) {
	c := r.node.Change
	if errors.Is(r.err, ErrStopped) {
		s.stopped = true
		return
	}
	res := s.e.results[c]
	if res == nil {
		res = &StepResult{Change: c}
		s.e.results[c] = res
	}
	res.Took += r.took
	s.e.interrupted = s.e.interrupted || errors.Is(r.err, errCut)
	if r.err != nil {
		res.Outcome, res.Err = Broken, r.err
		s.because[r.node.ID] = c.Address
		phase := r.node.Phase
		if phase == plan.Widen { // it began as one step
			phase = plan.Do
		}
		s.e.emit(Event{Type: Failed, Address: c.Address, Action: c.Action, Phase: phase, Err: r.err, Elapsed: res.Took})
	} else if r.node.Phase == plan.Do {
		res.Outcome = OK
		text, action := "", c.Action
		if r.did != nil && r.did.Action == plan.Release {
			res.Change, res.Stays, action = r.did, r.did.Reason, plan.Release
			text = "released: it stays: " + res.Stays
		}
		if r.did != nil && r.did.Action == plan.NoOp && c.Action != plan.NoOp {
			was := *c
			was.Action = plan.NoOp
			res.Change, text = &was, "is as declared"
		}
		s.e.emit(Event{Type: Finished, Address: c.Address, Action: action, Phase: r.node.Phase, Text: text, Elapsed: res.Took})
	}
	s.close(r.node, r.err != nil)
}

// close lets the dependents of a node go on, or marks them to be skipped.
func (s *schedule) close(n *plan.Node, failed bool) {
	for _, d := range s.dependents[n.ID] {
		if failed && !s.bad[d] {
			s.bad[d], s.because[d] = true, s.because[n.ID]
		}
		if s.waiting[d]--; s.waiting[d] == 0 {
			s.ready = append(s.ready, d)
		}
	}
}

func (s *schedule) skip(c *plan.Change, because value.Address) {
	s.e.results[c] = &StepResult{Change: c, Outcome: Omitted, Because: because}
	s.e.emit(Event{Type: Skipped, Address: c.Address, Action: c.Action, Text: "because of " + because.Short()})
}

// leftOver records what was not begun because the run was stopped.
func (s *schedule) leftOver(ctx context.Context) {
	if !s.stopped {
		return
	}
	for _, n := range s.e.in.Plan.Graph.Nodes {
		c := n.Change
		if c == nil || !work(c) || s.e.results[c] != nil && s.e.results[c].Outcome != Waiting {
			continue
		}
		s.e.interrupted = true
		s.e.results[c] = &StepResult{Change: c, Outcome: Omitted, Err: context.Cause(ctx)}
	}
	if ctx.Err() != nil {
		s.e.interrupted = true
	}
}
