// Package world is the hosts of a lab joined together: it makes and destroys them,
// powers them on and off, holds them up, keeps them apart, and has on disk what
// they are, so that a world which ended at any moment is opened again as it was.
//
// What is inside a host is a [Body]: the simulated Debian with its SSH server and
// its Docker Engine ([Debian]). The world knows only that it boots, halts, loses
// its power, and answers connections.
//
// Three things can be wrong with a host that is on. It is paused: connections stay
// open, new ones are taken, and nobody answers ([gate]). It is kept apart from
// another host: so says the wire, by which all that goes between hosts is asked
// for. Or it has lost its power, and then all of it is gone but what is on disk.
package world

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// Config says what a world is made of.
type Config struct {
	Dir   string // the lab's folder
	Store *store.Store
	Log   *slog.Logger
	// Make makes what is inside a host.
	Make func(Inside) (Body, error)
	// Busy is told when a connection to a host begins, and its result when it
	// ends; may be nil.
	Busy func() (done func())
	// Reaches is told when hosts may reach others than before; may be nil.
	Reaches func()
}

// World is the hosts of a lab. Its methods may be called at once.
type World struct {
	cfg  Config
	id   string
	wire Wire
	data *store.Bucket

	mu     sync.Mutex
	hosts  map[string]*Host // by ID
	apart  map[api.Pair]bool
	faults []*api.Fault
	closed bool

	leases sync.Mutex // held while one is written
}

// Wire is the network between the hosts.
type Wire interface {
	Cut(a, b string)
	Heal(a, b string)
	Isolate(address string)
	Rejoin(address string)
	Reaches(a, b string) bool
}

// Open opens the world of a lab: hosts that were on are on again, and what ran on
// them goes on.
func Open(ctx context.Context, cfg Config, wire Wire) (*World, error) {
	w := &World{cfg: cfg, wire: wire, data: cfg.Store.In("world"), hosts: map[string]*Host{}, apart: map[api.Pair]bool{}}
	if w.cfg.Busy == nil {
		w.cfg.Busy = func() func() { return func() {} }
	}
	if w.cfg.Reaches == nil {
		w.cfg.Reaches = func() {}
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, api.KeysDir), 0o700); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	begun := time.Now()
	errs := w.each(func(h *Host) error {
		if err := h.wake(ctx); err != nil {
			return fmt.Errorf("host %s: %w", h.rec.FullName(), err)
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		// The others go on; the log says what became of these.
		w.cfg.Log.Error("some hosts did not come back", "err", err)
	}
	if n := len(w.hosts); n > 0 {
		w.cfg.Log.Info("the hosts are back", "hosts", n, "took", time.Since(begun))
	}
	return w, nil
}

func (w *World) load() error {
	if w.id = string(w.data.Get("id")); w.id == "" {
		w.id = rand.Text()
		if err := w.data.Put("id", []byte(w.id)); err != nil {
			return err
		}
	}
	err := w.data.In("hosts").All(func(_ string, value []byte) error {
		h := &Host{world: w}
		if err := json.Unmarshal(value, &h.rec); err != nil {
			return err
		}
		h.gate = newGate(h.rec.Paused)
		w.hosts[h.rec.ID] = h
		return nil
	})
	if err != nil {
		return err
	}
	var pairs []api.Pair
	if err := w.get("apart", &pairs); err != nil {
		return err
	}
	for _, p := range pairs {
		a, b := w.hosts[p.A], w.hosts[p.B]
		if a != nil && b != nil {
			w.apart[p] = true
			w.wire.Cut(a.rec.Address, b.rec.Address)
		}
	}
	return w.get("faults", &w.faults)
}

// get reads a value of the world's own; what is not there is left as it is.
func (w *World) get(key string, v any) error {
	if text := w.data.Get(key); text != nil {
		return json.Unmarshal(text, v)
	}
	return nil
}

func (w *World) put(key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.data.Put(key, text)
}

// Close ends the world as a power cut would, but for that its hosts are on when
// it is opened again.
func (w *World) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.each(func(h *Host) error { h.sleep(); return nil })
}

func (w *World) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// ID is the lab's, for as long as it is on disk.
func (w *World) ID() string { return w.id }

// all returns the hosts in the order in which they were made.
func (w *World) all() []*Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*Host, 0, len(w.hosts))
	for _, h := range w.hosts {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *Host) int { return a.rec.Number - b.rec.Number })
	return out
}

// atOnce is how many hosts are worked on side by side.
const atOnce = 32

// each does something to all hosts.
func (w *World) each(do func(*Host) error) []error {
	all := w.all()
	errs := make([]error, len(all))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, h := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = do(h)
		})
	}
	wg.Wait()
	return errs
}

// Hosts are all hosts, in the order in which they were made.
func (w *World) Hosts() []*api.Host {
	out := []*api.Host{}
	for _, h := range w.all() {
		out = append(out, h.Describe())
	}
	return out
}

// Count is how many hosts there are, and how many of them run.
func (w *World) Count() (total, running int) {
	for _, h := range w.all() {
		total++
		h.mu.Lock()
		if h.state() == api.Running {
			running++
		}
		h.mu.Unlock()
	}
	return total, running
}

// Empty reports whether the lab holds nothing that anybody would miss: no host,
// and no lease that holds.
func (w *World) Empty() bool {
	w.mu.Lock()
	hosts := len(w.hosts)
	w.mu.Unlock()
	return hosts == 0 && !w.leased()
}

// Host returns a host by its ID.
func (w *World) Host(id string) (*Host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.hosts[id]; h != nil {
		return h, nil
	}
	return nil, &api.Failure{Code: api.CodeMissing, Message: fmt.Sprintf("host %s", id)}
}

// At returns the host that has an address, nil where none does.
func (w *World) At(address string) *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if h.rec.Address == address {
			return h
		}
	}
	return nil
}
