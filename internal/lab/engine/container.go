package engine

import (
	"fmt"
	"sort"
	"strings"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"
)

// container is one, as the store keeps it.
type container struct {
	ID, Name     string // the name begins with "/"
	Created      time.Time
	Path         string
	Args         []string
	Config       *containertypes.Config
	HostConfig   *containertypes.HostConfig
	Image        string // its ID
	Managed      bool   // of a swarm's task
	Job          bool   // and that of a job
	Mounts       []containertypes.MountPoint
	Anonymous    []string // volumes that `rm -v` takes
	Networks     map[string]*networktypes.EndpointSettings
	Places       map[string]place // in the swarm's networks, of one that is not the swarm's
	Ports        nat.PortMap
	SandboxID    string
	State        state
	RestartCount int
	Stopped      bool     // by hand: the restart policy rests
	Tried        bool     // to start: it has files
	Files        []string // secrets and configs, by their paths
	Log          []line

	// What is not kept.
	changed    chan struct{} // closed, and made anew, when anything changes
	timers     []*time.Timer // of its ends
	check      *time.Timer   // of the next health check
	release    []func()      // of published ports
	backoff    time.Duration // before the next restart
	exits      int
	removed    bool
	policyEnds bool // the daemon ends: nothing is started again
	restarting bool // by hand: --rm rests
}

// state is that of the process which is not there.
type state struct {
	Running, Paused, Restarting, OOMKilled, Dead bool
	Pid, ExitCode                                int
	Error                                        string
	StartedAt, FinishedAt                        time.Time
	Health                                       *containertypes.Health
}

// word is the state as `docker ps --filter status=` knows it.
func (s *state) word() string {
	switch {
	case s.Paused:
		return containertypes.StatePaused
	case s.Restarting:
		return containertypes.StateRestarting
	case s.Running:
		return containertypes.StateRunning
	case s.Dead:
		return containertypes.StateDead
	case s.StartedAt.IsZero():
		return containertypes.StateCreated
	}
	return containertypes.StateExited
}

// status is the state as `docker ps` shows it: "Up 2 minutes (healthy)".
func (s *state) status() string {
	since := func(t time.Time) string { return units.HumanDuration(time.Since(t)) }
	switch s.word() {
	case containertypes.StatePaused:
		return fmt.Sprintf("Up %s (Paused)", since(s.StartedAt))
	case containertypes.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.ExitCode, since(s.FinishedAt))
	case containertypes.StateRunning:
		if s.Health != nil {
			word := s.Health.Status
			if word == containertypes.Starting {
				word = "health: starting"
			}
			return fmt.Sprintf("Up %s (%s)", since(s.StartedAt), word)
		}
		return "Up " + since(s.StartedAt)
	case containertypes.StateDead:
		return "Dead"
	case containertypes.StateCreated:
		return "Created"
	}
	if s.FinishedAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, since(s.FinishedAt))
}

// bare is the name without its slash.
func (c *container) bare() string { return strings.TrimPrefix(c.Name, "/") }

// service is the swarm service that a container belongs to, if any.
func (c *container) service() string { return c.Config.Labels["com.docker.swarm.service.name"] }

func (c *container) disarm() {
	for _, t := range c.timers {
		t.Stop()
	}
	c.timers = nil
	if c.check != nil {
		c.check.Stop()
	}
}

// save writes a container, and wakes who waits for a change of it.
func (e *Engine) save(c *container) {
	if !c.removed {
		e.put("containers", c.ID, c)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// sorted is all containers, newest first.
func (e *Engine) sorted() []*container {
	all := make([]*container, 0, len(e.containers))
	for _, c := range e.containers {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].Created.Equal(all[j].Created) {
			return all[i].Created.After(all[j].Created)
		}
		return all[i].ID < all[j].ID
	})
	return all
}

// find looks a container up by ID, name, or the beginning of an ID.
func (e *Engine) find(ref string) (*container, error) {
	if ref == "" {
		return nil, invalid("No container name or ID supplied")
	}
	if c := e.containers[ref]; c != nil {
		return c, nil
	}
	if id, ok := e.names["/"+strings.TrimPrefix(ref, "/")]; ok {
		return e.containers[id], nil
	}
	var found *container
	for id, c := range e.containers {
		if strings.HasPrefix(id, ref) {
			if found != nil {
				return nil, invalid("Multiple IDs found with provided prefix: %s", ref)
			}
			found = c
		}
	}
	if found == nil {
		return nil, notFound("No such container: %s", ref)
	}
	return found, nil
}

// with calls a function with a container, under the lock.
func (e *Engine) with(ref string, f func(*container) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	return f(c)
}
