package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// record is what is kept of a host.
type record struct {
	api.Spec
	ID         string
	Number     int
	Address    string
	Port       int    // where its SSH server listened last
	HostKey    []byte // PEM
	HostPublic string
	UserPublic string // of the key that its user is reached with
	Created    time.Time
	On, Paused bool
	Boots      int
	Socket     bool // somebody asked for its engine without SSH
}

// Host is a host. Its methods may be called at once: those that change its power
// wait for one another.
type Host struct {
	world *World
	gate  *gate

	power sync.Mutex // held by who changes what it is; taken before mu

	mu      sync.Mutex
	rec     record
	body    Body
	lines   *lines // nil while it is off
	trouble []string
	gone    bool
}

// Inside is what a body is made from.
type Inside struct {
	Hostname, Image, Address string
	User                     string
	AuthorizedKeys           []string
	HostKey                  []byte // PEM
	NanoCPUs, Memory         int64
	Store                    *store.Bucket
	Dir                      string // a folder of its own for what is no key and value
	// Live says, at a boot, that the host was on all the time: what ran on it ran
	// on. Only the process was another one.
	Live bool
	// Open makes the host listen at a port of its address that a container publishes.
	// The error says who has it instead.
	Open func(port int, serve func(net.Conn)) (release func(), err error)
	// Listen does so for a port that the host's firewall stands before.
	Listen func(port int, serve func(net.Conn)) (release func(), err error)
	// Dial reaches a port of another host, as far as the two reach each other.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Reboot powers the host off and on again; it returns at once.
	Reboot func(off bool)
	// Trouble tells the host's owner of something that is no error of what it was
	// asked for.
	Trouble func(string)
	// Faults are those that hold.
	Faults func() []*api.Fault
}

// Body is what is inside a host. It is made with the host's disk, off.
type Body interface {
	// Boot starts what the host starts by itself.
	Boot(ctx context.Context) error
	// Halt shuts down in an orderly way.
	Halt(ctx context.Context) error
	// Cut ends all at once, and returns when nothing of it goes on. What is on disk
	// stays.
	Cut()
	// SSH answers a connection to its SSH server, until it is closed.
	SSH(net.Conn)
	// Engine connects to the API of its Docker Engine.
	Engine(ctx context.Context) (net.Conn, error)
	// Listens reports whether something of the host listens at a port that is not
	// of this computer: it takes connections, and says nothing.
	Listens(port int) bool
	// Filter is what its firewall does with who connects to a port of its own, and
	// FilterPublished to one that a container publishes.
	Filter(from netip.Addr, port int) debian.Verdict
	FilterPublished(from netip.Addr, port int) debian.Verdict
	// Version is that of its Docker Engine, "" while none runs.
	Version() string
	// Keys are those who may log in as the user, as lines; SetKeys replaces them.
	Keys() ([]string, error)
	SetKeys([]string) error
	// Fault tells that other faults hold.
	Fault()
}

func (h *Host) bucket() *store.Bucket { return h.world.cfg.Store.In("host").In(h.rec.ID) }

// save writes what is kept. The host's lock is not held.
func (h *Host) save() error {
	h.mu.Lock()
	text, err := json.Marshal(h.rec)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.world.data.In("hosts").Put(h.rec.ID, text)
}

// set changes what is kept.
func (h *Host) set(change func(*record)) error {
	h.mu.Lock()
	change(&h.rec)
	h.mu.Unlock()
	return h.save()
}

func (h *Host) record() record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rec
}

// Describe is the host as clients see it.
func (h *Host) Describe() *api.Host {
	h.mu.Lock()
	out := &api.Host{
		Spec: h.rec.Spec, ID: h.rec.ID, Address: h.rec.Address, HostKey: h.rec.HostPublic, KeyFile: h.keyFile(), State: h.state(),
		Created: h.rec.Created, Boots: h.rec.Boots, Trouble: slices.Clone(h.trouble),
		SSH: net.JoinHostPort(h.rec.Address, strconv.Itoa(max(h.rec.Port, 22))),
	}
	body, lines := h.body, h.lines
	h.mu.Unlock()
	out.Apart = h.world.apartFrom(h.rec.ID)
	if lines != nil {
		out.SSH = lines.ssh
	}
	if body == nil {
		return out
	}
	if lines != nil {
		out.Engine = body.Version()
	}
	// Of the keys those that may still log in.
	if keys, err := body.Keys(); err == nil {
		out.SSHKeys = slices.DeleteFunc(slices.Clone(out.SSHKeys), func(k string) bool { return !slices.Contains(keys, k) })
	}
	return out
}

// state is what the host does. Its lock is held.
func (h *Host) state() api.State {
	switch {
	case !h.rec.On:
		return api.Off
	case h.rec.Paused:
		return api.Paused
	}
	return api.Running
}

// Change changes the host in place.
func (h *Host) Change(c api.Change) error {
	h.power.Lock()
	defer h.power.Unlock()
	if h.body == nil {
		return fmt.Errorf("host %s did not come back: destroy it, and make it anew", h.rec.FullName())
	}
	rec := h.record()
	lines, err := h.body.Keys()
	if err != nil {
		return err
	}
	was := slices.Clone(lines)
	// Lines that somebody else added stay.
	lines = slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(rec.SSHKeys, l) && !slices.Contains(c.SSHKeys, l) })
	for _, k := range append([]string{rec.UserPublic}, c.SSHKeys...) {
		if !slices.Contains(lines, k) {
			lines = append(lines, k)
		}
	}
	if !slices.Equal(was, lines) {
		if err := h.body.SetKeys(lines); err != nil {
			return err
		}
	}
	return h.set(func(r *record) {
		r.SSHKeys, r.NanoCPUs, r.Memory, r.Labels = c.SSHKeys, c.NanoCPUs, c.Memory, c.Labels
	})
}

// Destroy ends the host and removes all of it.
func (h *Host) Destroy() error {
	h.power.Lock()
	defer h.power.Unlock()
	h.cut()
	return h.remove()
}

// remove takes the host out of the world and off the disk.
func (h *Host) remove() error {
	w := h.world
	w.mu.Lock()
	delete(w.hosts, h.rec.ID)
	w.mu.Unlock()
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	errs := []error{w.data.In("hosts").Delete(h.rec.ID), h.bucket().Clear(), cluster.Remove(h.dir()), w.forgetApart(h)}
	if err := os.Remove(h.keyFile()); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// note keeps what the host's owner should know.
func (h *Host) note(text string) {
	const most = 10
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.trouble, text) {
		return
	}
	h.world.cfg.Log.Warn(text, "host", h.rec.FullName())
	if h.trouble = append(h.trouble, text); len(h.trouble) > most {
		h.trouble = h.trouble[1:]
	}
}

// forgive takes back what was noted and begins with a text: it is over.
func (h *Host) forgive(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = slices.DeleteFunc(h.trouble, func(t string) bool { return strings.HasPrefix(t, text) })
}

// errGone is that of a host that was destroyed meanwhile.
func (h *Host) errGone() error {
	return &api.Failure{Code: api.CodeMissing, Message: fmt.Sprintf("host %s", h.rec.FullName())}
}
