package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

const (
	pollTime = 200 * time.Millisecond
	// proveTime is how long a container without a health check must run: one
	// that cannot work mostly ends at once.
	proveTime = 2 * time.Second
	// maxRestarts is how often Docker may start it again before waiting is given
	// up.
	maxRestarts = 3
	logTime     = 5 * time.Second
)

// Settle implements [resource.Settler].
func (containerHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, err := containerConn(rc)
	if err != nil {
		return err
	}
	var s ContainerSpec
	if err := containerSchema.Decode(r.Args, &s); err != nil {
		return err
	}
	began := time.Now()
	seen, started := began, "" // since when its last start is known
	var last *container.InspectResponse
	for {
		got, err := c.Docker().ContainerInspect(ctx, o.ID)
		switch {
		case err == nil:
			last = &got
			if at := got.State.StartedAt; at != started {
				seen, started = time.Now(), at
			}
			over, why := judge(&got, s.State, r.Live, time.Since(seen))
			switch {
			case over && why == "":
				return asAsked(r, &got)
			case over:
				return c.report(ctx, r, &got, why)
			}
			r.Progress(resource.Progress{Text: progressText(&got, s.State)})
		case remote.IsNotFound(err):
			return &resource.NotConverged{Address: r.Address, Summary: "was removed by somebody else while it converged"}
		case ctx.Err() == nil:
			return remote.Err(err)
		}
		if err := swarm.Pause(ctx, pollTime); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && last != nil {
				return c.report(ctx, r, last, "did not converge in "+time.Since(began).Round(time.Second).String())
			}
			return err
		}
	}
}

// judge reports whether waiting is over, and why where it did not end well:
// from what is live, what it shall be, what it was before the write (nil where
// it was not there), and how long it has been watched since its last start. It
// does no I/O.
func judge(c *container.InspectResponse, want string, before *resource.Object, watched time.Duration) (over bool, why string) {
	s := c.State
	up, fresh := s.Running && !s.Restarting, true
	if before != nil {
		was, ok := before.Native.(*liveContainer)
		fresh = !ok || was.inspect.State.StartedAt != s.StartedAt
	}
	switch {
	case want == stateStopped:
		return !up, ""
	case c.RestartCount >= maxRestarts && (s.Restarting || fresh):
		return true, fmt.Sprintf("does not stay up: Docker has started it %d times again", c.RestartCount)
	case s.Restarting:
		return false, ""
	case want == stateCompleted && up:
		return false, ""
	case want == stateCompleted && ranToEnd(s):
		return true, ""
	case !up && s.ExitCode == 0 && s.Error == "" && s.Status == container.StateExited:
		return true, "ended with 0, and shall run"
	case !up:
		return true, "does not run"
	case s.Health != nil && s.Health.Status == container.Healthy:
		return true, ""
	case s.Health != nil && s.Health.Status == container.Unhealthy:
		return true, "is unhealthy"
	case s.Health != nil && s.Health.Status == container.Starting:
		return false, ""
	}
	// One that ran before we looked need not be watched.
	return !fresh || watched >= proveTime, ""
}

func progressText(c *container.InspectResponse, want string) string {
	switch s := c.State; {
	case s.Restarting:
		return "restarting: " + endText(s)
	case s.Health != nil && s.Health.Status == container.Starting:
		return "not healthy yet"
	case want == stateCompleted:
		return "still runs"
	case s.Running:
		return "running, watching it"
	}
	return string(c.State.Status)
}

// asAsked tells where Docker made something else than it was asked for: it
// drops, with a warning, what a kernel cannot do. Which other containers it refers
// to is never that.
func asAsked(r *resource.Request, got *container.InspectResponse) error {
	args := containerArgs(got, names{}, readGiven(got.Config.Labels, r.Args))
	var lines []string
	for _, ch := range containerSchema.Diff(r.Args, r.Mark.Conceal(containerSchema, args), nil) {
		if slices.Contains([]string{"network", "pid", "ipc", "links"}, ch.Field.Name) {
			continue
		}
		if ch.Secret {
			lines = append(lines, ch.Path+" differs")
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: asked for %s, Docker made it %s", ch.Path, ch.Type.Format(ch.After), ch.Type.Format(ch.Before)))
	}
	if lines == nil {
		return nil
	}
	return &resource.NotConverged{
		Address: r.Address, Summary: "is not what was asked for",
		Detail: strings.Join(lines, "\n") + "\nthe engine's host cannot do this: docker info shows what its kernel lacks",
	}
}

// report says why a container is not what it shall be, with the last lines of
// its log.
func (c *Conn) report(ctx context.Context, r *resource.Request, got *container.InspectResponse, why string) error {
	e := &resource.NotConverged{Address: r.Address, Summary: why}
	ctx = context.WithoutCancel(ctx)
	s := got.State
	var lines []string
	switch {
	case s.Running && !s.Restarting && s.Health != nil && len(s.Health.Log) > 0:
		l := s.Health.Log[len(s.Health.Log)-1]
		lines = append(lines, fmt.Sprintf("its health check exited with %d: %s", l.ExitCode, strings.TrimSpace(l.Output)))
	case !s.Running || s.Restarting:
		lines = append(lines, endText(s))
	}
	if why == "ended with 0, and shall run" {
		lines = append(lines, "where it is done then: state = \"completed\"")
	}
	text, err := c.lastLog(ctx, got)
	lines = append(lines, swarm.LogReport(text, err)...)
	e.Detail = strings.Join(lines, "\n")
	return e
}

func (c *Conn) lastLog(ctx context.Context, got *container.InspectResponse) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	rd, err := c.Docker().ContainerLogs(ctx, got.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: fmt.Sprint(swarm.LogLines)})
	if err != nil {
		return "", remote.Err(err)
	}
	defer rd.Close()
	return swarm.LastLines(rd, got.Config.Tty)
}
