package engine

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	mounttypes "github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/errdefs"
)

const (
	firstBackoff = 100 * time.Millisecond // of a restart policy; doubled each time
	maxBackoff   = time.Minute
	settled      = 10 * time.Second // a container that ran as long starts the backoff anew
	exitUnknown  = 128              // Docker's, of a container that could not start
)

// start runs a container. Its caller has checked that it may.
func (e *Engine) start(c *container) error {
	c.Tried = true
	e.mountEvents(c, events.ActionMount)
	err := e.connectAll(c)
	if err == nil {
		err = e.publish(c)
	}
	if err != nil {
		e.cannotStart(c, err)
		return err
	}
	e.pid++
	now := time.Now().UTC()
	c.State = state{Running: true, Pid: e.pid, StartedAt: now, FinishedAt: c.State.FinishedAt}
	c.SandboxID = newID()
	c.disarm()
	b := e.behaviour(c)
	p := programOf(c)
	if img := e.images.images[c.Image]; img != nil && p.runs == forever {
		p.output = append(slices.Clone(img.Starts), p.output...)
	}
	e.write(c, append(p.output, b.log...), "stdout")
	e.write(c, p.errors, "stderr")
	e.armExit(c, b, p)
	e.armHealth(c)
	e.save(c)
	e.containerEvent(c, events.ActionStart)
	return nil
}

// cannotStart leaves a container as one whose start failed.
func (e *Engine) cannotStart(c *container, err error) {
	e.disconnectAll(c)
	e.leavePlaces(c)
	c.State.Error, c.State.ExitCode, c.State.Running, c.State.Restarting = err.Error(), exitUnknown, false, false
	e.save(c)
	if c.HostConfig.AutoRemove {
		e.remove(c, true)
	}
}

// mountEvents tells of a container's volumes.
func (e *Engine) mountEvents(c *container, action events.Action) {
	for _, m := range c.Mounts {
		if m.Type != mounttypes.TypeVolume {
			continue
		}
		attributes := map[string]string{"driver": m.Driver, "container": c.ID}
		if action == events.ActionMount {
			attributes["destination"], attributes["read/write"] = m.Destination, strconv.FormatBool(m.RW)
			attributes["propagation"] = string(m.Propagation)
		}
		e.event(events.VolumeEventType, action, m.Name, attributes)
	}
}

// armExit sets the time when a container ends by itself, if ever.
func (e *Engine) armExit(c *container, b behaviour, p program) {
	how := ending{code: p.exit}
	runs := p.runs
	if b.ends {
		how, runs = b.ending, b.after
	}
	if runs == forever {
		return
	}
	left := time.Until(c.State.StartedAt.Add(runs)) // less than runs, after a resume
	c.timers = append(c.timers, e.after(max(left, 0), func() { e.exit(c, how) }))
}

// ending is how a process ends.
type ending struct {
	code int
	oom  bool
}

// exit ends a running container, and starts it again where its policy says so.
func (e *Engine) exit(c *container, how ending) {
	if !c.State.Running || c.State.Restarting {
		return
	}
	now := time.Now().UTC()
	ran := now.Sub(c.State.StartedAt)
	c.disarm()
	e.unpublish(c)
	e.disconnectAll(c)
	again := e.startsAgain(c, how.code)
	health := c.State.Health
	c.State = state{
		ExitCode: how.code, OOMKilled: how.oom, StartedAt: c.State.StartedAt, FinishedAt: now,
		Running: again, Restarting: again, Health: health,
	}
	if health != nil {
		health.Status = containertypes.Unhealthy // as Docker leaves it
	}
	c.SandboxID = ""
	c.exits++
	if again {
		c.RestartCount++
	}
	e.save(c)
	if how.oom {
		e.containerEvent(c, events.ActionOOM)
	}
	e.mountEvents(c, events.ActionUnmount)
	told := []string{"exitCode", strconv.Itoa(how.code)}
	if versions.GreaterThanOrEqualTo(e.api, "1.42") {
		told = append(told, "execDuration", strconv.Itoa(int(ran.Seconds())))
	}
	e.containerEvent(c, events.ActionDie, told...)
	if !again {
		e.leavePlaces(c)
	}
	switch {
	case again:
		e.restartLater(c, ran)
	case c.HostConfig.AutoRemove && !c.restarting && !c.policyEnds:
		e.remove(c, true)
	}
}

func (e *Engine) restartLater(c *container, ran time.Duration) {
	switch {
	case c.backoff == 0 || ran >= settled:
		c.backoff = firstBackoff
	default:
		c.backoff = min(2*c.backoff, maxBackoff)
	}
	c.timers = append(c.timers, e.after(c.backoff, func() {
		if c.removed || !c.State.Restarting {
			return
		}
		_ = e.start(c) // a start that fails is in the container's state
	}))
}

func (e *Engine) startsAgain(c *container, code int) bool {
	if c.Stopped || c.policyEnds || c.restarting {
		return false
	}
	p := c.HostConfig.RestartPolicy
	switch p.Name {
	case containertypes.RestartPolicyAlways, containertypes.RestartPolicyUnlessStopped:
		return true
	case containertypes.RestartPolicyOnFailure:
		return code != 0 && (p.MaximumRetryCount == 0 || c.RestartCount < p.MaximumRetryCount)
	}
	return false
}

// revive makes of a stored container what it is after the engine was away.
func (e *Engine) revive(c *container) {
	if c.HostConfig == nil || c.Config == nil {
		return
	}
	for _, p := range c.Places {
		e.node.places[p.Task] = &p
	}
	if e.cfg.Live && c.State.Running {
		if c.State.Restarting {
			e.restartLater(c, 0)
			return
		}
		if err := e.republish(c); err != nil {
			e.exit(c, ending{code: 255})
			return
		}
		p := programOf(c)
		e.armExit(c, e.behaviour(c), p)
		e.armHealth(c)
		return
	}
	e.leavePlaces(c)
	if c.State.Running { // the power went
		for _, ep := range c.Networks {
			forget(ep)
		}
		c.State.Running, c.State.Paused, c.State.Restarting, c.State.Pid = false, false, false, 0
		c.State.ExitCode, c.State.FinishedAt = 255, time.Now().UTC()
		c.SandboxID, c.Ports = "", nil
		e.save(c)
	}
	p := c.HostConfig.RestartPolicy
	switch {
	case c.State.StartedAt.IsZero():
	case c.HostConfig.AutoRemove:
		e.remove(c, true)
	case p.IsAlways(), p.IsUnlessStopped() && !c.Stopped, p.IsOnFailure() && !c.Stopped && c.State.ExitCode != 0:
		_ = e.start(c) // a start that fails is in the container's state
	}
}

// mayStart says why a container cannot be started, if it cannot.
func mayStart(c *container) error {
	switch {
	case c.State.Paused:
		return conflict("cannot start a paused container, try unpause instead")
	case c.State.Running && !c.State.Restarting:
		return notModified("container is already running")
	case c.State.Dead:
		return conflict("container is marked for removal and cannot be started")
	}
	return nil
}

// stop ends a container as `docker stop` does.
func (e *Engine) stop(c *container, signal int) {
	if !c.State.Running {
		return
	}
	c.Stopped = !c.restarting
	if c.State.Restarting { // between two runs
		c.disarm()
		c.State.Running, c.State.Restarting = false, false
		e.save(c)
	} else {
		e.containerEvent(c, events.ActionKill, "signal", strconv.Itoa(signal))
		e.exit(c, e.termination(c, signal))
	}
	e.containerEvent(c, events.ActionStop)
}

// kill sends a signal.
func (e *Engine) kill(c *container, signal int) error {
	if !c.State.Running {
		return conflict("container %s is not running", c.ID)
	}
	c.Stopped = fatal(signal)
	if c.State.Restarting {
		c.disarm()
		c.State.Running, c.State.Restarting = false, false
		e.save(c)
		return nil
	}
	e.containerEvent(c, events.ActionKill, "signal", strconv.Itoa(signal))
	if fatal(signal) {
		e.exit(c, e.termination(c, signal))
	} else {
		e.save(c)
	}
	return nil
}

// termination is how a container's process answers a signal: a service that is
// told to stop ends well, a shell or a sleep by the signal.
func (e *Engine) termination(c *container, signal int) ending {
	if signal == stopSignal(c) && signal != sigKill {
		if _, plain := builtin(path.Base(c.Path), c.Args, false); !plain {
			return ending{}
		}
	}
	return ending{code: exitUnknown + signal}
}

func stopSignal(c *container) int {
	if n, err := parseSignal(c.Config.StopSignal); err == nil {
		return n
	}
	return sigTerm
}

// remove takes a container away that does not run.
func (e *Engine) remove(c *container, volumes bool) {
	c.disarm()
	e.disconnectAll(c)
	e.leavePlaces(c)
	c.removed = true
	delete(e.containers, c.ID)
	delete(e.names, c.Name)
	e.drop("containers", c.ID)
	e.save(c)
	e.containerEvent(c, events.ActionDestroy)
	if volumes {
		for _, name := range c.Anonymous {
			if v := e.volumes[name]; v != nil && len(e.volumeUsers(name)) == 0 {
				e.deleteVolume(v)
			}
		}
	}
}

// rm is `docker rm`.
func (e *Engine) rm(c *container, force, volumes bool) error {
	if c.State.Running {
		switch {
		case force:
			c.restarting = true // neither the policy nor --rm
			if c.State.Restarting {
				c.disarm()
			} else {
				e.containerEvent(c, events.ActionKill, "signal", strconv.Itoa(sigKill))
				e.exit(c, ending{code: exitUnknown + sigKill})
			}
		case c.State.Paused:
			return errdefs.Conflict(errors.New("container is paused and must be unpaused first"))
		default:
			return errdefs.Conflict(fmt.Errorf("container is %s: stop the container before removing or force remove", c.State.word()))
		}
	}
	e.remove(c, volumes)
	return nil
}
