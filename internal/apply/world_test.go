package apply

import (
	"context"
	"fmt"
	"sort"
	"sync"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The model world: rooms that hold nets (cannot change, cannot go while used),
// blobs (versioned) and apps (use both, change in place, can be renamed), and
// peers, which are there by themselves. It refuses what Docker refuses, and can crash at any call.

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
	Name   string            `star:"name,pos"`
	Image  string            `star:"image"`
	Mode   string            `star:"mode,replace"`
	Peer   string            `star:"peer"`
	Home   string            `star:"home,replace"`
	Nets   []string          `star:"nets,set" ref:"net.name"`
	Blobs  []string          `star:"blobs,set" ref:"blob.name"`
	Labels map[string]string `star:"labels,merge"`
}

type peerSpec struct {
	Name   string            `star:"name,pos,local"`
	Use    *string           `star:"use"`
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

// join lets a peer come into the room.
func (w *world) join(name string) {
	t := &thing{spec: &peerSpec{Name: name}}
	t.Object = resource.Object{Kind: "peer", ID: w.id(), Name: name, Version: 1}
	w.inside[t.ID] = t
}

// peer returns the peer of a name, nil where it is not there.
func (w *world) peer(name string) *thing {
	for _, t := range w.inside {
		if t.Kind == "peer" && t.Name == name {
			return t
		}
	}
	return nil
}

var peers = []string{"p0", "p1", "p2"}

type worldConn struct {
	w    *world
	room string // ID; "" for the outermost scope
}

func (c *worldConn) Close() error { return nil }

func (c *worldConn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
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

func (c *worldConn) SaveMarks(ctx context.Context, project string, change func(map[string]resource.Mark)) error {
	_, err := c.SaveLedger(ctx, project, func(l *resource.Ledger) { change(l.Marks) })
	return err
}

func (c *worldConn) DropLedger(context.Context, string) error { return nil }
