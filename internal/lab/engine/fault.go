package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
)

// Fault says what becomes of containers and pulls. It holds for those that match
// all of the names it gives, from now on, until it is cleared.
//
// The same can be said with labels of a container (of a service's containers:
// `--container-label`): lab.exit=3, lab.exit-after=2s, lab.oom, lab.unhealthy,
// lab.start-delay=5s, lab.pull=missing, lab.log=TEXT.
type Fault struct {
	Image     string // "nginx" is any tag, "nginx:1.27" just this one
	Service   string // of a swarm
	Container string // a name or an ID

	Exit       *int          // the process ends with this code, at once or after ExitAfter
	ExitAfter  time.Duration // with Exit or OOM
	OOM        bool          // it is killed for its memory (137)
	Unhealthy  bool          // health checks fail
	StartDelay time.Duration // it takes this long to start
	Pull       string        // "missing", "unauthorized", "unreachable", "slow"
	Log        string        // written at its start
}

const slowPull = 5 * time.Second

// Fault adds a fault. Containers that run already end by it, too.
func (e *Engine) Fault(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, f)
	e.put("engine", "faults", e.faults)
	for _, c := range e.containers {
		if !c.State.Running || c.State.Restarting || !f.matches(e, c) || f.Exit == nil && !f.OOM {
			continue
		}
		b := behaviour{}
		b.add(f)
		c.timers = append(c.timers, e.after(b.after, func() { e.exit(c, b.ending) }))
	}
}

// Clear takes faults away: those of the same names, or all where none is given.
func (e *Engine) Clear(like Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := like.Image == "" && like.Service == "" && like.Container == ""
	e.faults = slices.DeleteFunc(e.faults, func(f Fault) bool {
		return all || f.Image == like.Image && f.Service == like.Service && f.Container == like.Container
	})
	e.put("engine", "faults", e.faults)
}

// Faults returns those that hold.
func (e *Engine) Faults() []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.faults)
}

func (f Fault) matches(e *Engine, c *container) bool {
	if f.Image == "" && f.Service == "" && f.Container == "" {
		return true
	}
	return (f.Image == "" || sameImage(f.Image, c.Config.Image)) &&
		(f.Service == "" || f.Service == c.service()) &&
		(f.Container == "" || f.Container == c.bare() || len(f.Container) >= 12 && strings.HasPrefix(c.ID, f.Container))
}

// sameImage says whether an image is the one a pattern names.
func sameImage(pattern, image string) bool {
	want, err := reference.ParseNormalizedNamed(pattern)
	if err != nil {
		return false
	}
	is, err := reference.ParseNormalizedNamed(image)
	if err != nil || want.Name() != is.Name() {
		return false
	}
	if digested, ok := want.(reference.Digested); ok {
		other, ok := is.(reference.Digested)
		return ok && digested.Digest() == other.Digest()
	}
	tagged, ok := want.(reference.Tagged)
	if !ok {
		return true
	}
	other, ok := reference.TagNameOnly(is).(reference.Tagged)
	return ok && tagged.Tag() == other.Tag()
}

// behaviour is the sum of a container's labels and faults.
type behaviour struct {
	ending
	ends      bool
	after     time.Duration
	unhealthy bool
	delay     time.Duration
	log       []string
}

func (b *behaviour) add(f Fault) {
	if f.Exit != nil {
		b.ends, b.code = true, *f.Exit
	}
	if f.OOM {
		b.ends, b.ending = true, ending{exitUnknown + sigKill, true}
	}
	b.after = max(b.after, f.ExitAfter)
	b.unhealthy = b.unhealthy || f.Unhealthy
	b.delay = max(b.delay, f.StartDelay)
	if f.Log != "" {
		b.log = append(b.log, strings.Split(f.Log, "\n")...)
	}
}

func (e *Engine) behaviour(c *container) (b behaviour) {
	b.add(labelled(c.Config.Labels))
	for _, f := range e.faults {
		if f.matches(e, c) {
			b.add(f)
		}
	}
	return b
}

// labelled is the fault that a container's labels make.
func labelled(labels map[string]string) (f Fault) {
	yes := func(name string) bool {
		v, there := labels[name]
		return there && v != "false" && v != "0"
	}
	duration := func(name string) time.Duration {
		d, _ := time.ParseDuration(labels[name])
		return d
	}
	if v, there := labels["lab.exit"]; there {
		if code, err := strconv.Atoi(v); err == nil {
			f.Exit = &code
		}
	}
	f.OOM, f.Unhealthy = yes("lab.oom"), yes("lab.unhealthy")
	f.ExitAfter, f.StartDelay = duration("lab.exit-after"), duration("lab.start-delay")
	if f.ExitAfter > 0 && f.Exit == nil && !f.OOM {
		f.Exit = new(int)
	}
	f.Pull, f.Log = labels["lab.pull"], labels["lab.log"]
	return f
}

// pullFault is what becomes of a pull, for a task with labels or without.
func (e *Engine) pullFault(image, service string, labels map[string]string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := labelled(labels); f.Pull != "" {
		return f.Pull
	}
	for _, f := range e.faults {
		if f.Pull != "" && (f.Image == "" || sameImage(f.Image, image)) && (f.Service == "" || f.Service == service) {
			return f.Pull
		}
	}
	return ""
}
