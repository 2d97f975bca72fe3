package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// yard is a scope for tests of the executor: its boxes do what the test says.
// A plan is put together by hand, so that a test shows the graph that it is
// about. Every test runs in a bubble, which has a clock of its own and does not
// end while a goroutine is left.
type yard struct {
	t       *testing.T
	plan    *plan.Plan
	program *resource.Program
	nodes   map[string]*plan.Node // by name: the node that others come after
	in      Input

	mu       sync.Mutex // guards what follows
	objects  []*resource.Object
	observed int
	opens    int
	log      []string // "create a", "delete b", ...
	events   []Event
	do       map[string]func(ctx context.Context, try int) error // by log line; what the call does
	tries    map[string]int
}

type boxSpec struct {
	Name string `star:"name,replace"`
	Size int    `star:"size"`
	In   string `star:"in,replace"`
}

const yardAddr = "yard.y"

// inYard runs a test in a bubble.
func inYard(t *testing.T, fn func(t *testing.T, y *yard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := &yard{t: t, plan: &plan.Plan{Graph: &plan.Graph{}}, program: &resource.Program{Project: project}, nodes: map[string]*plan.Node{},
			do: map[string]func(context.Context, int) error{}, tries: map[string]int{}}
		y.in.Scopes = map[string]*Scope{yardAddr: {Conn: y, State: &plan.ScopeState{
			Scope: &resource.Scope{Address: yardAddr, Type: "yard"}, Status: plan.Present, Obs: &resource.Observation{}}}}
		fn(t, y)
	})
}

func (y *yard) kind() *resource.Kind {
	out := []resource.Output{{Name: "addr", Type: "string"}}
	return &resource.Kind{Name: "box", Schema: schema.Of(boxSpec{}), Out: out, Scope: "yard", Opens: "box", Handler: boxes{y}}
}

// step adds a step that comes after others, all by name.
func (y *yard) step(a plan.Action, name string, after ...string) *plan.Change {
	addr := value.NewAddress(yardAddr, "box", name)
	args := value.Struct{name, int64(1), ""}
	c := &plan.Change{Address: addr, Kind: y.kind(), Scope: yardAddr, Action: a, Args: args,
		Decl: &resource.Declaration{Address: addr, Kind: y.kind(), Scope: yardAddr, Args: args},
		Mark: resource.Mark{Project: project, Address: addr}}
	if a != plan.Create {
		c.Live = y.live(name)
	}
	y.plan.Changes = append(y.plan.Changes, c)
	y.program.Declarations = append(y.program.Declarations, c.Decl)
	node := func(p plan.Phase) *plan.Node {
		n := &plan.Node{ID: len(y.plan.Graph.Nodes), Change: c, Phase: p}
		y.plan.Graph.Nodes = append(y.plan.Graph.Nodes, n)
		return n
	}
	n := node(plan.Do)
	if a == plan.Replace {
		n.Phase = plan.Destroy
		second := node(plan.Do)
		second.Deps = []int{n.ID}
		y.nodes["-"+name] = n
		n = second
	}
	for _, d := range after {
		n.Deps = append(n.Deps, y.nodes[d].ID)
	}
	y.nodes[name] = n
	return c
}

// live puts a box into the yard, and into what was observed of it.
func (y *yard) live(name string) *resource.Object {
	addr := value.NewAddress(yardAddr, "box", name)
	o := &resource.Object{Kind: "box", ID: "id-" + name, Name: name, Mark: resource.Mark{Project: project, Address: addr},
		Args: value.Struct{name, int64(0), ""}, Out: map[string]value.Value{"addr": "at-" + name}}
	y.objects = append(y.objects, o)
	y.in.Scopes[yardAddr].State.Obs.Objects = slices.Clone(y.objects)
	return o
}

// on says what a call does: "create web", "settle web".
func (y *yard) on(call string, fn func(ctx context.Context, try int) error) { y.do[call] = fn }

func (y *yard) fails(call string, err error) {
	y.on(call, func(context.Context, int) error { return err })
}

func (y *yard) run(ctx context.Context) *Result {
	y.t.Helper()
	y.in.Plan, y.in.Program = y.plan, y.program
	y.in.Sink = func(e Event) { y.events = append(y.events, e) }
	res := Run(ctx, y.in)
	if err := checkEvents(y.events, res); err != nil {
		y.t.Errorf("%v\n%s", err, describeEvents(y.events))
	}
	return res
}

func (y *yard) call(ctx context.Context, verb, name string) error {
	key := verb + " " + name
	y.mu.Lock()
	y.log = append(y.log, key)
	y.tries[key]++
	fn, try := y.do[key], y.tries[key]
	y.mu.Unlock()
	if fn == nil {
		return nil
	}
	return fn(ctx, try)
}

func (y *yard) Observe(ctx context.Context, _ resource.Query) (*resource.Observation, error) {
	err := y.call(ctx, "observe", "yard")
	y.mu.Lock()
	defer y.mu.Unlock()
	y.observed++
	return &resource.Observation{Objects: slices.Clone(y.objects)}, err
}

func (y *yard) Close() error { return nil }

// boxes is the handler of boxes.
type boxes struct{ y *yard }

func (h boxes) Create(ctx context.Context, _ resource.Conn, r *resource.Request) (*resource.Object, error) {
	if h.y.do["wait "+r.Address.Name()] != nil { // before it writes
		r.Waits()
		if err := errors.Join(h.y.call(ctx, "wait", r.Address.Name()), r.Turn(ctx)); err != nil {
			return nil, err
		}
	}
	if err := h.y.call(ctx, "create", r.Address.Name()); err != nil {
		return nil, err
	}
	h.y.mu.Lock()
	defer h.y.mu.Unlock()
	o := &resource.Object{Kind: "box", ID: "new-" + r.Address.Name(), Name: r.Address.Name(), Mark: r.Mark, Args: r.Args,
		Out: map[string]value.Value{"addr": "at-" + r.Address.Name()}}
	h.y.objects = append(h.y.objects, o)
	return o, nil
}

func (h boxes) Update(ctx context.Context, _ resource.Conn, r *resource.Request) (*resource.Object, error) {
	if err := h.y.call(ctx, "update", r.Address.Name()); err != nil {
		return nil, err
	}
	o := *r.Live
	o.Args, o.Mark = r.Args, r.Mark
	return &o, nil
}

func (h boxes) Delete(ctx context.Context, _ resource.Conn, r *resource.Request) error {
	if err := h.y.call(ctx, "delete", r.Live.Name); err != nil {
		return err
	}
	if r.Waits != nil {
		r.Waits()
	}
	if err := h.y.call(ctx, "stop", r.Live.Name); err != nil {
		return err
	}
	h.y.mu.Lock()
	defer h.y.mu.Unlock()
	h.y.objects = slices.DeleteFunc(h.y.objects, func(o *resource.Object) bool { return o.ID == r.Live.ID })
	return nil
}

func (h boxes) Settle(ctx context.Context, _ resource.Conn, r *resource.Request, _ *resource.Object) error {
	r.Progress(resource.Progress{Done: 1, Total: 2})
	return h.y.call(ctx, "settle", r.Address.Name())
}

func (h boxes) Open(ctx context.Context, _ resource.Conn, o *resource.Object) (resource.Conn, error) {
	h.y.mu.Lock()
	h.y.opens++
	h.y.mu.Unlock()
	return h.y, h.y.call(ctx, "open", o.Name)
}

// did returns the calls of some verbs, in order of time.
func (y *yard) did(verbs ...string) string {
	y.mu.Lock()
	defer y.mu.Unlock()
	var out []string
	for _, l := range y.log {
		if verb, _, _ := strings.Cut(l, " "); slices.Contains(verbs, verb) {
			out = append(out, l)
		}
	}
	return strings.Join(out, ", ")
}

// outcomes shows how the steps ended: "a ok, b failed: why, c skipped: a".
func outcomes(res *Result) string {
	var out []string
	for _, s := range res.Steps {
		text := s.Change.Address.Name() + [...]string{" waiting", " ok", " failed", " skipped"}[s.Outcome]
		if s.Because != "" {
			text += " because of " + s.Because.Name()
		}
		if s.Err != nil {
			text += ": " + s.Err.Error()
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func (y *yard) expect(res *Result, want string, exit int) {
	y.t.Helper()
	if got := outcomes(res); got != want {
		y.t.Errorf("got  %s\nwant %s", got, want)
	}
	if res.ExitCode() != exit {
		y.t.Errorf("exit code %d, want %d", res.ExitCode(), exit)
	}
}

// checkEvents says what is wrong with the order of a run's events: a step
// starts, then progresses or is retried, then ends exactly once. A replacement
// starts twice, once for each half. What was stopped before it began is told
// by nothing. (Old versions are deleted under the address of the new one, so
// several steps may share one.)
func checkEvents(events []Event, res *Result) error {
	type key struct {
		address value.Address
		action  plan.Action
	}
	steps := map[value.Address]int{}
	for _, s := range res.Steps {
		steps[s.Change.Address]++
	}
	started, ends := map[key]int{}, map[value.Address]int{}
	ended := map[key][]EventType{}
	for i, e := range events {
		k := key{e.Address, e.Action}
		if ends[e.Address] == steps[e.Address] {
			return fmt.Errorf("event %d: %s of %s after its end", i, e.Type, e.Address)
		}
		switch e.Type {
		case Started:
			most := steps[e.Address]
			if e.Action == plan.Replace {
				most++
			}
			if started[k]++; started[k] > most {
				return fmt.Errorf("event %d: %s starts again", i, e.Address)
			}
		case Finished, Retried:
			if started[k] == 0 {
				return fmt.Errorf("event %d: %s of %s before it started", i, e.Type, e.Address)
			}
		}
		switch e.Type {
		case Finished, Failed, Skipped:
			ends[e.Address]++
			if e.Text == "is as declared" { // what was planned had come to be
				k.action = plan.NoOp
			}
			ended[k] = append(ended[k], e.Type)
		}
	}
	want := map[Outcome]EventType{OK: Finished, Broken: Failed, Omitted: Skipped}
	for _, s := range res.Steps {
		got := ended[key{s.Change.Address, s.Change.Action}]
		if i := slices.Index(got, want[s.Outcome]); i >= 0 {
			ended[key{s.Change.Address, s.Change.Action}] = slices.Delete(got, i, i+1)
		} else if !res.Interrupted || s.Outcome != Omitted {
			return fmt.Errorf("%s ended with %d, and its events with %q", s.Change.Address, s.Outcome, got)
		}
	}
	return nil
}

func describeEvents(events []Event) string {
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprint("  ", e.Type, " ", e.Address.Name(), " ", e.Text))
	}
	return strings.Join(out, "\n")
}

var errBroken = errors.New("broken")

// after returns a call that takes some time, and obeys a cancellation.
func after(d time.Duration, err error) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
