package swarm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// snapshot is the services that are waited for, and their tasks.
type snapshot struct {
	services map[string]*swarm.Service
	tasks    map[string][]swarm.Task // by service ID
	err      error
}

// watcher polls for everybody who waits on a connection: two list calls a
// tick, however many services there are. It runs while somebody waits.
type watcher struct {
	mu      sync.Mutex
	waiters map[*waiter]bool
	kick    chan struct{}
	stop    context.CancelFunc
}

type waiter struct {
	id   string // the service's
	gone bool   // waits for the end of its tasks
	ch   chan *snapshot
}

const (
	tickMin = 250 * time.Millisecond
	tickMax = 2 * time.Second
	// filterMax is the number of services up to which lists name them: the
	// engine looks each of them up before it lists.
	filterMax = 16
)

// subscribe returns a channel that always holds the latest snapshot, and the
// function that ends it.
func (w *watcher) subscribe(c *Conn, id string, gone bool) (<-chan *snapshot, func()) {
	one := &waiter{id: id, gone: gone, ch: make(chan *snapshot, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters == nil {
		w.waiters, w.kick = map[*waiter]bool{}, make(chan struct{}, 1)
	}
	w.waiters[one] = true
	if w.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w.stop = cancel
		go w.run(ctx, c)
	} else {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
	return one.ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiters, one)
		if len(w.waiters) == 0 && w.stop != nil {
			w.stop()
			w.stop = nil
		}
	}
}

func (w *watcher) run(ctx context.Context, c *Conn) {
	for ctx.Err() == nil {
		w.mu.Lock()
		waiting := make([]*waiter, 0, len(w.waiters))
		for one := range w.waiters {
			waiting = append(waiting, one)
		}
		w.mu.Unlock()
		began := time.Now()
		snap := look(ctx, c, waiting)
		if ctx.Err() != nil {
			return
		}
		for _, one := range waiting {
			select { // the latest takes the place of one that was not read
			case <-one.ch:
			default:
			}
			one.ch <- snap
		}
		// A swarm that is slow to answer is asked less often.
		t := time.NewTimer(min(max(tickMin, 5*time.Since(began)), tickMax))
		select {
		case <-t.C:
		case <-w.kick:
			t.Stop()
			time.Sleep(20 * time.Millisecond) // others that begin to wait now
		case <-ctx.Done():
			t.Stop()
		}
	}
}

func look(ctx context.Context, c *Conn, waiting []*waiter) *snapshot {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	byID, byService := filters.NewArgs(), filters.NewArgs()
	filtered, services := len(waiting) <= filterMax, false
	for _, one := range waiting {
		if one.gone { // a filter that names what is gone is an error
			filtered = false
			continue
		}
		services = true
		byID.Add("id", one.id)
		byService.Add("service", one.id)
	}
	snap := &snapshot{services: map[string]*swarm.Service{}, tasks: map[string][]swarm.Task{}}
	if services {
		o := swarm.ServiceListOptions{}
		if filtered {
			o.Filters = byID
		}
		list, err := c.Docker().ServiceList(ctx, o)
		if err != nil {
			return &snapshot{err: remote.Err(err)}
		}
		for i := range list {
			snap.services[list[i].ID] = &list[i]
			byService.Del("service", list[i].ID) // what is left is gone
		}
		for _, id := range byService.Get("service") {
			byID.Del("id", id)
		}
	}
	of := filters.NewArgs()
	if filtered && services {
		for _, id := range byID.Get("id") {
			of.Add("service", id)
		}
		if of.Len() == 0 {
			return snap
		}
	}
	tasks, err := tasksOf(ctx, c, of)
	if err != nil {
		return &snapshot{err: remote.Err(err)}
	}
	for _, t := range tasks {
		snap.tasks[t.ServiceID] = append(snap.tasks[t.ServiceID], t)
	}
	return snap
}

// ended reports whether a task is over, or will never be.
func ended(s swarm.TaskState) bool {
	switch s {
	case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed, swarm.TaskStateRejected,
		swarm.TaskStateRemove, swarm.TaskStateOrphaned:
		return true
	}
	return false
}

// gone waits until the tasks of a removed service have ended. Tasks on nodes
// that are down cannot say that they have: they are not waited for.
func (st *serviceState) gone(ctx context.Context, c *Conn, r *resource.Request, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	id := r.Live.ID
	snaps, done := st.watcher.subscribe(c, id, true)
	defer done()
	var left []swarm.Task
	for {
		select {
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || left == nil {
				return ctx.Err()
			}
			names := st.taskNames(context.WithoutCancel(ctx), c, r.Live.Name, left)
			return fmt.Errorf("%s is removed, but after %s tasks of it still run: %s", r.Live.Name, limit, names)
		case snap := <-snaps:
			if snap.err != nil {
				if errors.Is(snap.err, resource.ErrUnreachable) {
					return snap.err
				}
				continue
			}
			left = nil
			for _, t := range snap.tasks[id] {
				if !ended(t.Status.State) && t.NodeID != "" {
					left = append(left, t)
				}
			}
			if len(left) > 0 && time.Until(deadlineOf(ctx)) < limit-5*time.Second {
				left = st.onLiveNodes(ctx, c, left)
			}
			if len(left) == 0 {
				return nil
			}
			r.Progress(resource.Progress{Text: count(len(left), "task") + " still stopping"})
		}
	}
}

func deadlineOf(ctx context.Context) time.Time { d, _ := ctx.Deadline(); return d }

func (st *serviceState) onLiveNodes(ctx context.Context, c *Conn, tasks []swarm.Task) []swarm.Task {
	nodes, err := c.Docker().NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return tasks
	}
	up := map[string]bool{}
	for _, n := range nodes {
		up[n.ID] = n.Status.State == swarm.NodeStateReady
	}
	var out []swarm.Task
	for _, t := range tasks {
		if up[t.NodeID] {
			out = append(out, t)
		}
	}
	return out
}
