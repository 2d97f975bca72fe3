//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/errdefs"
)

// ContainerStart starts a container.
func (e *Engine) ContainerStart(ctx context.Context, name, checkpoint, _ string) error {
	if checkpoint != "" {
		return invalid("checkpoint is only supported in experimental mode")
	}
	var delay time.Duration
	if err := e.with(name, func(c *container) error {
		delay = e.behaviour(c).delay
		return mayStart(c)
	}); err != nil {
		return err
	}
	if err := e.pause(ctx, delay); err != nil {
		return err
	}
	if err := e.attachAll(ctx, name); err != nil {
		_ = e.with(name, func(c *container) error { e.cannotStart(c, err); return nil }) // gone meanwhile: as well
		return err
	}
	return e.with(name, func(c *container) error {
		if err := mayStart(c); err != nil {
			return err
		}
		c.Stopped, c.RestartCount, c.backoff, c.restarting = false, 0, 0, false
		return e.start(c)
	})
}

// pause waits, not longer than the engine and the caller live.
func (e *Engine) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

// ContainerStop stops a container.
func (e *Engine) ContainerStop(_ context.Context, name string, o containertypes.StopOptions) error {
	return e.with(name, func(c *container) error {
		if !c.State.Running {
			return notModified("container is already stopped")
		}
		signal, err := signalOr(o.Signal, stopSignal(c))
		if err != nil {
			return errdefs.System(fmt.Errorf("cannot stop container: %s: %w", name, err))
		}
		e.stop(c, signal)
		return nil
	})
}

func signalOr(given string, otherwise int) (int, error) {
	if given == "" {
		return otherwise, nil
	}
	return parseSignal(given)
}

// ContainerRestart stops and starts a container.
func (e *Engine) ContainerRestart(_ context.Context, name string, o containertypes.StopOptions) error {
	return e.with(name, func(c *container) error {
		signal, err := signalOr(o.Signal, stopSignal(c))
		if err != nil {
			return fmt.Errorf("Cannot restart container %s: %w", name, err)
		}
		c.restarting = true
		e.stop(c, signal)
		c.restarting, c.Stopped = false, false
		if err := e.start(c); err != nil {
			return fmt.Errorf("Cannot restart container %s: %w", name, err)
		}
		e.containerEvent(c, events.ActionRestart)
		return nil
	})
}

// ContainerKill sends a signal to a container.
func (e *Engine) ContainerKill(name, signal string) error {
	n, err := signalOr(signal, sigKill)
	if err != nil {
		return err
	}
	return e.with(name, func(c *container) error { return e.kill(c, n) })
}

// ContainerPause freezes a container.
func (e *Engine) ContainerPause(name string) error {
	return e.with(name, func(c *container) error {
		switch {
		case !c.State.Running:
			return conflict("container %s is not running", c.ID)
		case c.State.Paused:
			return conflict("Container %s is already paused", c.ID)
		case c.State.Restarting:
			return conflict("Container %s is restarting, wait until the container is running", c.ID)
		}
		c.State.Paused = true
		e.save(c)
		e.containerEvent(c, events.ActionPause)
		return nil
	})
}

// ContainerUnpause thaws a container.
func (e *Engine) ContainerUnpause(name string) error {
	return e.with(name, func(c *container) error {
		if !c.State.Paused {
			return fmt.Errorf("Container %s is not paused", c.ID)
		}
		c.State.Paused = false
		e.save(c)
		e.containerEvent(c, events.ActionUnPause)
		return nil
	})
}

// ContainerRename gives a container another name.
func (e *Engine) ContainerRename(old, name string) error {
	if old == "" || name == "" {
		return invalid("Neither old nor new names may be empty")
	}
	return e.with(old, func(c *container) error {
		if c.Name == name || c.bare() == name {
			return invalid("Renaming a container with the same name as its current name")
		}
		claimed, err := e.claimName(c.ID, name)
		if err != nil {
			return fmt.Errorf("Error when allocating new name: %w", err)
		}
		was := c.Name
		delete(e.names, was)
		c.Name = claimed
		for name, ep := range c.Networks {
			if len(ep.DNSNames) > 0 {
				ep.DNSNames = dnsNames(c, name, ep)
			}
		}
		e.save(c)
		e.containerEvent(c, events.ActionRename, "oldName", was)
		return nil
	})
}

// ContainerRm removes a container.
func (e *Engine) ContainerRm(name string, o *backend.ContainerRmConfig) error {
	return e.with(name, func(c *container) error {
		if o.RemoveLink {
			return notSimulated("links of containers")
		}
		if err := e.rm(c, o.ForceRemove, o.RemoveVolume); err != nil {
			return fmt.Errorf("cannot remove container %q: %w", name, err)
		}
		return nil
	})
}

// ContainerWait returns a channel that has the container's exit code when it has
// reached a condition.
func (e *Engine) ContainerWait(ctx context.Context, name string, until containertypes.WaitCondition) (<-chan containertypes.StateStatus, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return nil, err
	}
	exits := c.exits
	result := make(chan containertypes.StateStatus, 1)
	reached := func() bool {
		switch until {
		case containertypes.WaitConditionNextExit:
			return c.exits > exits || c.removed
		case containertypes.WaitConditionRemoved:
			return c.removed
		}
		return !c.State.Running
	}
	go func() {
		err := e.await(ctx, c, reached)
		e.mu.Lock()
		defer e.mu.Unlock()
		code := c.State.ExitCode
		if err != nil {
			code = -1
		} else if c.State.Error != "" {
			err = errors.New(c.State.Error)
		}
		result <- containertypes.NewStateStatus(code, err)
	}()
	return result, nil
}

// await waits until a condition of a container holds, which is asked for under
// the lock.
func (e *Engine) await(ctx context.Context, c *container, holds func() bool) error {
	return e.watch(ctx, func() (bool, <-chan struct{}) { return holds(), c.changed })
}

// watch waits until something holds, which is asked for under the lock after each
// change: look says whether it does, and returns what the next change closes.
func (e *Engine) watch(ctx context.Context, look func() (holds bool, changed <-chan struct{})) error {
	for {
		e.mu.Lock()
		holds, changed := look()
		e.mu.Unlock()
		if holds {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.ctx.Done():
			return e.ctx.Err()
		}
	}
}

// ContainersPrune removes all that does not run.
func (e *Engine) ContainersPrune(_ context.Context, f filters.Args) (*containertypes.PruneReport, error) {
	keep, err := pruneFilter(f)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	report := &containertypes.PruneReport{}
	for _, c := range e.sorted() {
		if c.State.Running || keep(c.Created, c.Config.Labels) {
			continue
		}
		e.remove(c, false)
		report.ContainersDeleted = append(report.ContainersDeleted, c.ID)
	}
	e.event(events.ContainerEventType, events.ActionPrune, "", map[string]string{"reclaimed": "0"})
	return report, nil
}

// ContainerUpdate changes a container's limits and restart policy.
func (e *Engine) ContainerUpdate(name string, given *containertypes.HostConfig) (containertypes.UpdateResponse, error) {
	r := containertypes.UpdateResponse{}
	if given == nil {
		return r, nil
	}
	if err := e.verify(&containertypes.Config{}, given); err != nil {
		return r, errdefs.InvalidParameter(err)
	}
	return r, e.with(name, func(c *container) error {
		if err := update(c.HostConfig, given); err != nil {
			return fmt.Errorf("Cannot update container %s: %w", c.ID, err)
		}
		e.save(c)
		e.containerEvent(c, events.ActionUpdate)
		return nil
	})
}

func update(h, given *containertypes.HostConfig) error {
	r := given.Resources
	if given.RestartPolicy.Name != "" && !given.RestartPolicy.IsNone() && h.AutoRemove {
		return conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
	}
	switch {
	case r.NanoCPUs > 0 && h.CPUPeriod > 0, r.CPUPeriod > 0 && h.NanoCPUs > 0:
		return conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
	case r.Memory != 0 && r.MemorySwap == 0 && h.MemorySwap > 0 && r.Memory > h.MemorySwap:
		return conflict("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
	}
	for _, field := range []struct{ to, from *int64 }{
		{&h.CPUShares, &r.CPUShares}, {&h.Memory, &r.Memory}, {&h.NanoCPUs, &r.NanoCPUs}, {&h.CPUPeriod, &r.CPUPeriod}, {&h.CPUQuota, &r.CPUQuota},
		{&h.MemoryReservation, &r.MemoryReservation}, {&h.MemorySwap, &r.MemorySwap},
		{&h.CPURealtimePeriod, &r.CPURealtimePeriod}, {&h.CPURealtimeRuntime, &r.CPURealtimeRuntime},
	} {
		if *field.from != 0 {
			*field.to = *field.from
		}
	}
	if r.BlkioWeight != 0 {
		h.BlkioWeight = r.BlkioWeight
	}
	if r.CpusetCpus != "" {
		h.CpusetCpus = r.CpusetCpus
	}
	if r.CpusetMems != "" {
		h.CpusetMems = r.CpusetMems
	}
	if r.PidsLimit != nil {
		h.PidsLimit = r.PidsLimit
	}
	if given.RestartPolicy.Name != "" {
		h.RestartPolicy = given.RestartPolicy
	}
	return nil
}
