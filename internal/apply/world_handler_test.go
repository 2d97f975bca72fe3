package apply

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

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
	case "peer":
		spec = &peerSpec{}
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
		for _, name := range peers {
			w.join(name)
		}
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
	case *peerSpec:
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
	if t.Kind == "app" {
		next.Name = nameOf(next.spec)
	}
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
	case *peerSpec:
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		to, from = s.Labels, old.(*peerSpec).Labels
		if s.Use == nil {
			s.Use = old.(*peerSpec).Use
		}
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
	switch r.Live.Kind {
	case "room":
		w.room, w.inside, w.ledger = nil, map[string]*thing{}, nil
	case "peer":
		if t := w.inside[r.Live.ID]; t != nil && t.Mark.Address == r.Live.Mark.Address { // else another declaration has it now
			for _, k := range t.Mark.Owned()["labels"] {
				delete(t.spec.(*peerSpec).Labels, k)
			}
			t.Mark = resource.Mark{}
			t.Version++
		}
	default:
		for _, o := range w.inside {
			if slices.Contains(o.Uses, r.Live.ID) {
				return fmt.Errorf("%s is in use by %s", r.Live.Name, o.Name)
			}
		}
		delete(w.inside, r.Live.ID)
	}
	if r.Live.Kind != "peer" {
		w.deleted = append(w.deleted, r.Live.ID)
	}
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

func (h handler) Base(live string) string { base, _, _ := strings.Cut(live, "-"); return base }

// kinds returns the world's kinds.
func (w *world) kinds() map[string]*resource.Kind {
	out := []resource.Output{
		{Name: "id", Type: "string", Stable: true},
		{Name: "name", Type: "string", Arg: "name"},
		{Name: "addr", Type: "string"},
	}
	h := handler{w}
	return map[string]*resource.Kind{
		"room":  {Name: "room", Schema: schema.Of(roomSpec{}), Out: out, Scope: "world", Opens: "room", DataLoss: "all that is in it", Handler: h},
		"net":   {Name: "net", Schema: schema.Of(netSpec{}), Out: out, Scope: "room", Rank: 10, Busy: true, MarkFixed: true, Handler: h},
		"blob":  {Name: "blob", Schema: schema.Of(blobSpec{}), Out: out, Scope: "room", Rank: 10, Versioned: true, Handler: h},
		"peer":  {Name: "peer", Schema: schema.Of(peerSpec{}), Out: out, Scope: "room", Rank: 5, Handler: h, Find: findPeer, Sequence: oneByOne},
		"app":   {Name: "app", Schema: schema.Of(appSpec{}), Out: out, Scope: "room", Rank: 20, Restarts: true, Renames: true, Handler: h},
		"probe": w.probe(),
	}
}

func findPeer(objects []*resource.Object, _ func(*resource.Object) bool, args value.Struct) (*resource.Object, *diag.Diagnostic) {
	if !value.Known(args) {
		return nil, nil
	}
	for _, o := range objects {
		if o.Name == args[0] {
			return o, nil
		}
	}
	return nil, &diag.Diagnostic{Summary: "is not there"}
}

func oneByOne(_ []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	return planned, nil
}
