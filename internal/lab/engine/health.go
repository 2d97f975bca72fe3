package engine

import (
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
)

const (
	probeInterval = 30 * time.Second // Docker's defaults
	startInterval = 5 * time.Second
	probeRetries  = 3
	healthLog     = 5 // results that inspect shows
)

// checked returns a container's health check, nil where it has none.
func checked(c *container) *containertypes.HealthConfig {
	h := c.Config.Healthcheck
	if h == nil || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return nil
	}
	return h
}

// armHealth sets the time of the next health check.
func (e *Engine) armHealth(c *container) {
	h := checked(c)
	if h == nil {
		return
	}
	if c.State.Health == nil {
		c.State.Health = &containertypes.Health{Status: containertypes.Starting, Log: []*containertypes.HealthcheckResult{}}
	}
	interval := or(h.Interval, probeInterval)
	if c.State.Health.Status == containertypes.Starting && time.Since(c.State.StartedAt) < h.StartPeriod {
		interval = or(h.StartInterval, startInterval)
	}
	c.check = e.after(interval, func() { e.probe(c) })
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// probe is one health check: it fails only where a fault says so.
func (e *Engine) probe(c *container) {
	if !c.State.Running || c.State.Restarting || c.State.Health == nil {
		return
	}
	if c.State.Paused {
		e.armHealth(c)
		return
	}
	h, health := checked(c), c.State.Health
	now := time.Now().UTC()
	result := &containertypes.HealthcheckResult{Start: now, End: now}
	before := health.Status
	if e.behaviour(c).unhealthy {
		result.ExitCode, result.Output = 1, "lab: made unhealthy"
		retries := h.Retries
		if retries == 0 {
			retries = probeRetries
		}
		if health.Status != containertypes.Starting || now.Sub(c.State.StartedAt) >= h.StartPeriod {
			if health.FailingStreak++; health.FailingStreak >= retries {
				health.Status = containertypes.Unhealthy
			}
		}
	} else {
		health.FailingStreak, health.Status = 0, containertypes.Healthy
	}
	health.Log = append(health.Log, result)
	if len(health.Log) > healthLog {
		health.Log = health.Log[len(health.Log)-healthLog:]
	}
	e.armHealth(c)
	if before != health.Status { // what stays as it is needs no writing, each time
		e.save(c)
	}
	switch {
	case before == health.Status:
	case health.Status == containertypes.Healthy:
		e.containerEvent(c, events.ActionHealthStatusHealthy)
	case health.Status == containertypes.Unhealthy:
		e.containerEvent(c, events.ActionHealthStatusUnhealthy)
	}
}
