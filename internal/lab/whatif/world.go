package whatif

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/log"
	"github.com/moby/swarmkit/v2/manager/controlapi"
	"github.com/moby/swarmkit/v2/manager/orchestrator/constraintenforcer"
	"github.com/moby/swarmkit/v2/manager/orchestrator/global"
	"github.com/moby/swarmkit/v2/manager/orchestrator/jobs"
	"github.com/moby/swarmkit/v2/manager/orchestrator/replicated"
	"github.com/moby/swarmkit/v2/manager/orchestrator/taskreaper"
	"github.com/moby/swarmkit/v2/manager/scheduler"
	"github.com/moby/swarmkit/v2/manager/state"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/status"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// world is a swarm in memory.
type world struct {
	in    Input
	store *store.MemoryStore
	api   *controlapi.Server

	nodes    map[string]*outcome.TraceNode // by ID
	services []*outcome.TraceService
	drains   []drain // of this round
	cut      bool
	guessed  []string // nodes of which it is not known how large they are
	clusters bool     // a service has cluster volumes, which are left out

	engines *engines
	stops   []func()
}

// newWorld loads what is live and starts the swarm.
func newWorld(ctx context.Context, in Input) (*world, error) {
	w := &world{in: in, store: store.NewMemoryStore(&counter{}), nodes: map[string]*outcome.TraceNode{}}
	w.api = controlapi.NewServer(w.store, nil, nil, nil, nil)
	if err := w.load(); err != nil {
		return nil, err
	}
	w.start(ctx)
	return w, nil
}

// counter is the proposer of a swarm with one manager, whose word is enough: it
// only numbers what is written.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) ProposeValue(_ context.Context, _ []api.StoreAction, commit func()) error {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	commit()
	return nil
}

func (c *counter) GetVersion() *api.Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &api.Version{Index: c.n + firstVersion}
}

func (c *counter) ChangesBetween(api.Version, api.Version) ([]state.Change, error) { return nil, nil }

// Versions of specs: those that are live, of tasks that have an older one, and
// from where the versions of what is written begin.
const (
	oldSpec      = 1
	liveSpec     = 2
	firstVersion = 10
)

// start runs SwarmKit's loops and the engines.
func (w *world) start(ctx context.Context) {
	ctx = log.WithLogger(ctx, quietLog())
	var wg sync.WaitGroup
	run := func(loop func(), stop func()) {
		wg.Go(loop)
		w.stops = append(w.stops, stop)
	}
	w.engines = newEngines(w.store)
	run(w.engines.run, w.engines.stop)
	repl, glob, job := replicated.NewReplicatedOrchestrator(w.store), global.NewGlobalOrchestrator(w.store), jobs.NewOrchestrator(w.store)
	sched, enforcer, reaper := scheduler.New(w.store), constraintenforcer.New(w.store), taskreaper.New(w.store)
	run(func() { _ = sched.Run(ctx) }, sched.Stop) // they fail only where the store does
	run(func() { _ = repl.Run(ctx) }, repl.Stop)
	run(func() { _ = glob.Run(ctx) }, glob.Stop)
	run(func() { job.Run(ctx) }, job.Stop)
	run(enforcer.Run, enforcer.Stop)
	run(func() { reaper.Run(ctx) }, reaper.Stop)
	w.stops = append(w.stops, wg.Wait)
}

// stop ends all that start began.
func (w *world) stop() {
	for _, stop := range w.stops {
		stop()
	}
	w.store.Close() // which never fails
}

// quietLog keeps what SwarmKit tells to itself: nothing of it is about the live
// swarm.
func quietLog() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// service is the trace's entry of a step's service, which is made where it is
// new. One that is deleted and made anew is one.
func (w *world) service(s *ServiceStep) *outcome.TraceService {
	for _, t := range w.services {
		if s.Address != "" && t.Address == s.Address || s.ID != "" && len(t.IDs) > 0 && t.IDs[0] == s.ID {
			t.Address, t.Action = s.Address, s.Action
			t.Hidden, t.Sensitive = t.Hidden || s.Hidden, t.Sensitive || s.Sensitive
			return t
		}
	}
	t := &outcome.TraceService{Address: s.Address, Action: s.Action, Hidden: s.Hidden, Sensitive: s.Sensitive}
	if s.Spec != nil {
		t.Name = s.Spec.Name
	}
	w.services = append(w.services, t)
	return t
}

// finish returns the trace.
func (w *world) finish() *outcome.Trace {
	t := &outcome.Trace{Swarm: w.in.Swarm, Events: w.engines.events(), Rounds: w.engines.rounds(), Cut: w.cut}
	if w.clusters {
		t.Notes = append(t.Notes, "cluster volumes are not simulated: their services are placed as if they had none")
	}
	if len(w.guessed) > 0 {
		slices.Sort(w.guessed)
		t.Notes = append(t.Notes, "of nodes that are not there yet the size is not known: they have what the smallest of the others has, or room for everything where there is none: "+strings.Join(w.guessed, ", "))
	}
	for _, n := range w.nodes {
		t.Nodes = append(t.Nodes, *n)
	}
	for _, s := range w.services {
		t.Services = append(t.Services, *s)
	}
	order := map[string]int{} // of the plan; others come after it
	for i, st := range w.in.Steps {
		if st.Service != nil {
			order[st.Service.Address] = i - len(w.in.Steps)
		}
	}
	slices.SortStableFunc(t.Services, func(a, b outcome.TraceService) int {
		return cmp.Or(cmp.Compare(order[a.Address], order[b.Address]), strings.Compare(a.Name, b.Name))
	})
	return t
}

// refusal is the swarm's answer without gRPC's words.
func refusal(err error) string {
	return strings.TrimSpace(status.Convert(err).Message())
}
