package apply

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The model world: rooms that hold nets (cannot change, cannot go while used),
// blobs (versioned) and apps (use both, change in place). It refuses what
// Docker refuses, and can crash at any call.

var errCrash = fmt.Errorf("the world stopped: %w", context.Canceled)

type roomSpec struct {
	Name string `star:"name,pos"`
	Size int    `star:"size" default:"1"`
	Wall string `star:"wall,replace"`
}

type netSpec struct {
	Name string `star:"name,pos,replace"`
	CIDR string `star:"cidr,replace"`
}

type blobSpec struct {
	Name    string            `star:"name,pos"`
	Content string            `star:"content,writeonly,secret"`
	Labels  map[string]string `star:"labels,merge"`
}

type appSpec struct {
	Name   string            `star:"name,pos,replace"`
	Image  string            `star:"image"`
	Mode   string            `star:"mode,replace"`
	Peer   string            `star:"peer"`
	Home   string            `star:"home,replace"`
	Nets   []string          `star:"nets,set" ref:"net.name"`
	Blobs  []string          `star:"blobs,set" ref:"blob.name"`
	Labels map[string]string `star:"labels,merge"`
}

type world struct {
	mu      sync.Mutex
	room    *thing
	inside  map[string]*thing // by ID
	ledger  *resource.Ledger
	nextID  int
	budget  int  // calls until the crash; negative: never
	after   bool // the last call takes effect, but its answer is lost
	crashed bool
	writes  int
	calls   int
	deleted []string // kind/name of all that was deleted, by a handler
}

type thing struct {
	resource.Object
	spec any
}

func newWorld() *world { return &world{inside: map[string]*thing{}, budget: -1} }

// call counts one call and says whether it may take effect and whether its
// answer arrives.
func (w *world) call(write bool) (effect, answer bool) {
	w.calls++
	if w.crashed {
		return false, false
	}
	if write {
		if w.budget == 0 {
			w.crashed = true
			return w.after, false
		}
		if w.budget > 0 {
			w.budget--
		}
		w.writes++
	}
	return true, true
}

func (w *world) id() string { w.nextID++; return fmt.Sprintf("id%d", w.nextID) }

type worldConn struct {
	w    *world
	room string // ID; "" for the outermost scope
}

func (c *worldConn) Close() error { return nil }

func (c *worldConn) Observe(ctx context.Context, project string) (*resource.Observation, error) {
	w := c.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.call(false); !ok {
		return nil, errCrash
	}
	obs := &resource.Observation{}
	if c.room == "" {
		if w.room != nil {
			obs.Objects = append(obs.Objects, w.room.observed())
		}
		return obs, nil
	}
	if w.room == nil || w.room.ID != c.room {
		return nil, fmt.Errorf("%w: no such room", resource.ErrUnreachable)
	}
	ids := make([]string, 0, len(w.inside))
	for id := range w.inside {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		obs.Objects = append(obs.Objects, w.inside[id].observed())
	}
	if w.ledger != nil {
		obs.Ledger = cloneLedger(w.ledger)
	}
	return obs, nil
}

func (t *thing) observed() *resource.Object {
	o := t.Object
	o.Args = schema.Of(t.spec).Encode(t.spec)
	if t.Kind == "blob" {
		o.Args[1] = nil // cannot be read back
	}
	o.Out = map[string]value.Value{"id": t.ID, "addr": fmt.Sprintf("%s-%d", t.ID, t.Version)}
	return &o
}

func cloneLedger(l *resource.Ledger) resource.Ledger {
	c := *l
	c.Marks = map[string]resource.Mark{}
	for k, v := range l.Marks {
		c.Marks[k] = v
	}
	return c
}

func (c *worldConn) SaveLedger(ctx context.Context, project string, change func(*resource.Ledger)) (resource.Ledger, error) {
	w := c.w
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, answer := w.call(true)
	if effect {
		if w.ledger == nil {
			w.ledger = &resource.Ledger{HashKey: []byte("key")}
		}
		if w.ledger.Marks == nil {
			w.ledger.Marks = map[string]resource.Mark{}
		}
		change(w.ledger)
	}
	if !answer {
		return resource.Ledger{}, errCrash
	}
	return cloneLedger(w.ledger), nil
}

func (c *worldConn) DropLedger(context.Context, string) error { return nil }

// handler makes things of one kind.
type handler struct{ w *world }

func (h handler) decode(k string, args value.Struct) any {
	var spec any
	switch k {
	case "room":
		spec = &roomSpec{}
	case "net":
		spec = &netSpec{}
	case "blob":
		spec = &blobSpec{}
	default:
		spec = &appSpec{}
	}
	if err := schema.Of(spec).Decode(value.RevealAll(args).(value.Struct), spec); err != nil {
		panic(err)
	}
	return spec
}

func (h handler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	w := h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, answer := w.call(true)
	if !effect {
		return nil, errCrash
	}
	kind := r.Address.Kind()
	t := &thing{spec: h.decode(kind, r.Args)}
	t.Object = resource.Object{Kind: kind, ID: w.id(), Name: nameOf(t.spec), Mark: r.Mark, Version: 1, Created: time.Unix(int64(w.nextID), 0)}
	if r.Name != "" {
		t.Name = r.Name
	}
	if kind == "room" {
		if w.room != nil {
			return nil, resource.ErrExists
		}
		w.room, w.inside, w.ledger = t, map[string]*thing{}, nil
	} else {
		if err := w.place(t); err != nil {
			return nil, err
		}
		w.inside[t.ID] = t
	}
	if !answer {
		return nil, errCrash
	}
	return t.observed(), nil
}

func nameOf(spec any) string {
	switch s := spec.(type) {
	case *roomSpec:
		return s.Name
	case *netSpec:
		return s.Name
	case *blobSpec:
		return s.Name
	}
	return spec.(*appSpec).Name
}

// place checks a thing's name and finds what it uses.
func (w *world) place(t *thing) error {
	for _, o := range w.inside {
		if o.Kind == t.Kind && o.Name == t.Name && o.ID != t.ID {
			return fmt.Errorf("%s %s: %w", t.Kind, t.Name, resource.ErrExists)
		}
	}
	app, ok := t.spec.(*appSpec)
	if !ok {
		return nil
	}
	var uses []string
	find := func(kind, name string) error {
		for _, o := range w.inside {
			if o.Kind == kind && o.Name == name {
				uses = append(uses, o.ID)
				return nil
			}
		}
		return fmt.Errorf("app %s: there is no %s %q", app.Name, kind, name)
	}
	for _, n := range app.Nets {
		if err := find("net", n); err != nil {
			return err
		}
	}
	for _, n := range app.Blobs {
		if err := find("blob", n); err != nil {
			return err
		}
	}
	sort.Strings(uses)
	t.Uses = uses
	return nil
}

func (h handler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	w := h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, answer := w.call(true)
	if !effect {
		return nil, errCrash
	}
	t := w.room
	if r.Address.Kind() != "room" {
		t = w.inside[r.Live.ID]
	}
	if t == nil {
		return nil, fmt.Errorf("%s: gone", r.Address)
	}
	if t.Version != r.Live.Version {
		return nil, resource.ErrConflict
	}
	next := &thing{Object: t.Object, spec: h.decode(t.Kind, r.Args)}
	next.Version, next.Mark = t.Version+1, r.Mark
	keepForeign(next.spec, t.spec, r.Live.Mark)
	if t == w.room {
		w.room = next
	} else {
		if err := w.place(next); err != nil {
			return nil, err
		}
		w.inside[t.ID] = next
	}
	if !answer {
		return nil, errCrash
	}
	return next.observed(), nil
}

// keepForeign keeps the labels that are not ours, as a real handler does.
func keepForeign(next, old any, was resource.Mark) {
	var to, from map[string]string
	switch s := next.(type) {
	case *appSpec:
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		to, from = s.Labels, old.(*appSpec).Labels
	case *blobSpec:
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		to, from = s.Labels, old.(*blobSpec).Labels
	}
	for k, v := range from {
		if _, set := to[k]; !set && !slices.Contains(was.Owned()["labels"], k) {
			to[k] = v
		}
	}
}

func (h handler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	w := h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, answer := w.call(true)
	if !effect {
		return errCrash
	}
	if r.Live.Kind == "room" {
		w.room, w.inside, w.ledger = nil, map[string]*thing{}, nil
	} else {
		for _, o := range w.inside {
			if slices.Contains(o.Uses, r.Live.ID) {
				return fmt.Errorf("%s is in use by %s", r.Live.Name, o.Name)
			}
		}
		delete(w.inside, r.Live.ID)
	}
	w.deleted = append(w.deleted, r.Live.ID)
	if !answer {
		return errCrash
	}
	return nil
}

func (h handler) Open(ctx context.Context, parent resource.Conn, o *resource.Object) (resource.Conn, error) {
	return &worldConn{w: h.w, room: o.ID}, nil
}

func (h handler) Version(args value.Struct, key []byte) (string, string, bool) {
	if key == nil || !value.Known(args) {
		return "", "", false
	}
	content := value.Text(value.Reveal(args[1]))
	return fmt.Sprintf("%s-%s", value.Text(args[0]), content), content, true
}

// kinds returns the world's kinds.
func (w *world) kinds() map[string]*resource.Kind {
	out := []resource.Output{
		{Name: "id", Type: "string", Stable: true},
		{Name: "name", Type: "string", Arg: "name"},
		{Name: "addr", Type: "string"},
	}
	h := handler{w}
	return map[string]*resource.Kind{
		"room": {Name: "room", Schema: schema.Of(roomSpec{}), Out: out, Scope: "world", Opens: "room", DataLoss: "all that is in it", Handler: h},
		"net":  {Name: "net", Schema: schema.Of(netSpec{}), Out: out, Scope: "room", Rank: 10, Busy: true, MarkFixed: true, Handler: h},
		"blob": {Name: "blob", Schema: schema.Of(blobSpec{}), Out: out, Scope: "room", Rank: 10, Versioned: true, Handler: h},
		"app":  {Name: "app", Schema: schema.Of(appSpec{}), Out: out, Scope: "room", Rank: 20, Restarts: true, Handler: h},
	}
}

// session is what internal/run does, for the world: observe, plan, apply.
type session struct {
	w       *world
	program *resource.Program
	opts    plan.Options
	conns   map[string]*Scope
}

func (s *session) observe(ctx context.Context) error {
	s.conns = map[string]*Scope{}
	outer := &worldConn{w: s.w}
	obs, err := outer.Observe(ctx, s.program.Project)
	if err != nil {
		return err
	}
	add := func(addr, typ string, conn resource.Conn, status plan.Status, obs *resource.Observation) {
		s.conns[addr] = &Scope{Conn: conn, State: &plan.ScopeState{Scope: &resource.Scope{Address: addr, Type: typ}, Status: status, Obs: obs}}
	}
	add("world.w", "world", outer, plan.Present, obs)
	if len(obs.Objects) == 0 {
		add("room.main", "room", nil, plan.Absent, nil)
		return nil
	}
	inner := &worldConn{w: s.w, room: obs.Objects[0].ID}
	iobs, err := inner.Observe(ctx, s.program.Project)
	if err != nil {
		return err
	}
	add("room.main", "room", inner, plan.Present, iobs)
	return nil
}

func (s *session) plan(ctx context.Context) (*plan.Plan, error) {
	if err := s.observe(ctx); err != nil {
		return nil, err
	}
	states := map[string]*plan.ScopeState{}
	for a, c := range s.conns {
		states[a] = c.State
	}
	kinds := s.w.kinds()
	p, problems := plan.Build(plan.Input{Program: s.program, Scopes: states, Options: s.opts, Kinds: func(_, n string) *resource.Kind { return kinds[n] }})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// begin is what happens between approval and the first step: the ledger is
// there, the world is observed again, and nothing may go that was not shown.
func (s *session) begin(ctx context.Context, shown *plan.Plan) (*plan.Plan, error) {
	if inner := s.conns["room.main"]; inner.Conn != nil {
		if _, err := inner.Conn.(resource.Keeper).SaveLedger(ctx, s.program.Project, func(*resource.Ledger) {}); err != nil {
			return nil, err
		}
	}
	now, err := s.plan(ctx)
	if err != nil {
		return nil, err
	}
	plan.Restrict(now, shown)
	return now, nil
}

func (s *session) apply(ctx context.Context, p *plan.Plan) *Result {
	return Run(ctx, Input{
		Plan: p, Program: s.program, Scopes: s.conns, Options: s.opts, Parallelism: 4, Backoff: time.Microsecond,
		Opened: func(ctx context.Context, addr string, _ *resource.Object, sc *Scope) error {
			l, err := sc.Conn.(resource.Keeper).SaveLedger(ctx, s.program.Project, func(*resource.Ledger) {})
			sc.State.Obs.Ledger = l
			return err
		},
	})
}
