package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/template"
	"github.com/opencontainers/go-digest"
)

var errUnhealthy = errors.New("dockerexec: unhealthy container")

// controller runs one task as a container, which it knows by the task's name: so
// it finds it again when the node was away.
type controller struct {
	e    *Engine
	task *api.Task
	spec *api.ContainerSpec // templates expanded
	deps exec.DependencyGetter
	name string

	life context.Context // ends with the controller, or the engine
	end  context.CancelFunc
}

func newController(e *Engine, t *api.Task, node *api.NodeDescription, deps exec.DependencyGetter) (*controller, error) {
	if err := verifyTask(t.Spec.GetContainer()); err != nil {
		return nil, err
	}
	t = t.Copy()
	spec, err := template.ExpandContainerSpec(node, t)
	if err != nil {
		return nil, err
	}
	t.Spec.Runtime = &api.TaskSpec_Container{Container: spec}
	r := &controller{e: e, task: t, spec: spec, deps: deps, name: taskName(t)}
	r.life, r.end = context.WithCancel(e.ctx)
	return r, nil
}

// Update gets the task's new version. What of it may change needs nothing here.
func (r *controller) Update(context.Context, *api.Task) error { return nil }

// Close ends what waits for the task. The container stays.
func (r *controller) Close() error {
	r.end()
	return nil
}

// live is a context that ends with the controller.
func (r *controller) live(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if r.life.Err() != nil {
		return ctx, func() {}, exec.ErrControllerClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.life, cancel)
	return ctx, func() { stop(); cancel() }, nil
}

// with calls a function with the task's container, under the lock.
func (r *controller) with(f func(*container) error) error { return r.e.with(r.name, f) }

// Prepare pulls the image and creates the container.
func (r *controller) Prepare(ctx context.Context) error {
	ctx, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	if err := r.e.awaitAttachments(ctx, r.task.Networks); err != nil {
		return err
	}
	r.e.mu.Lock()
	r.makeNetworks()
	r.e.mu.Unlock()
	// As in Docker, a pull that fails is no reason not to use the image that is here. If none is, create says so.
	if err := r.pull(ctx); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	files, err := r.files()
	if err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if _, there := r.e.names["/"+r.name]; there {
		return exec.ErrTaskPrepared
	}
	_, _, err = r.e.create(containerOf(r.task, r.spec), &ofTask{files, r.task.JobIteration != nil})
	return err
}

// makeNetworks makes the task's networks known to the engine, whose lock is held.
func (r *controller) makeNetworks() {
	for _, a := range r.task.Networks {
		if !isPredefined(a) {
			r.e.swarmNetwork(a.Network)
		}
	}
}

// pull brings the task's image, unless it is named by what it is and is here.
func (r *controller) pull(ctx context.Context) error {
	if _, err := digest.Parse(r.spec.Image); err == nil {
		return nil
	}
	named, err := reference.ParseNormalizedNamed(r.spec.Image)
	if err != nil {
		return err
	}
	if _, pinned := named.(reference.Canonical); pinned {
		r.e.mu.Lock()
		_, err := r.e.images.find(r.spec.Image)
		r.e.mu.Unlock()
		if err == nil {
			return nil
		}
	}
	return r.e.pull(ctx, named, r.task.ServiceAnnotations.Name, r.spec.Labels, io.Discard)
}

// files are the paths of the task's secrets and configs, which must have come.
func (r *controller) files() (paths []string, err error) {
	for _, s := range r.spec.Secrets {
		if _, err := r.deps.Secrets().Get(s.SecretID); err != nil {
			return nil, fmt.Errorf("unable to get secret from secret store: %w", err)
		}
		if f := s.GetFile(); f != nil {
			paths = append(paths, absolute("/run/secrets", f.Name))
		}
	}
	for _, c := range r.spec.Configs {
		if _, err := r.deps.Configs().Get(c.ConfigID); err != nil {
			return nil, fmt.Errorf("unable to get config from config store: %w", err)
		}
		if f := c.GetFile(); f != nil {
			paths = append(paths, absolute("/", f.Name))
		}
	}
	return paths, nil
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

// Start starts the container and returns when it is healthy, where it says how
// that is to be told.
func (r *controller) Start(ctx context.Context) error {
	ctx, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	var b behaviour
	if err := r.with(func(c *container) error {
		if c.State.word() != containertypes.StateCreated {
			return exec.ErrTaskStarted
		}
		b = r.e.behaviour(c)
		return nil
	}); err != nil {
		return err
	}
	if err := r.e.pause(ctx, b.delay); err != nil {
		return err
	}
	var started *container
	if err := r.with(func(c *container) error {
		r.makeNetworks() // one that ended meanwhile took them with it, where it was the last
		if err := r.e.start(c); err != nil {
			return fmt.Errorf("starting container failed: %w", err)
		}
		started = c
		return nil
	}); err != nil || checked(started) == nil {
		return err
	}
	return r.awaitHealth(ctx, started)
}

// awaitHealth returns when a container is healthy, or has ended.
func (r *controller) awaitHealth(ctx context.Context, c *container) error {
	var unhealthy error
	if err := r.e.await(ctx, c, func() bool {
		h := c.State.Health
		return !c.State.Running || c.removed || h == nil || h.Status != containertypes.Starting
	}); err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if c.State.Running && c.State.Health != nil && c.State.Health.Status == containertypes.Unhealthy {
		r.e.stop(c, stopSignal(c))
		unhealthy = errUnhealthy
	}
	switch {
	case c.removed:
		return errors.New("dockerexec: container destroyed")
	case !c.State.Running && c.State.ExitCode != 0: // one that ends well when it is stopped is no failure to Docker
		return &exitError{c.State.ExitCode, unhealthy}
	}
	return nil
}

// Wait returns when the container has ended. One that is unhealthy is stopped.
func (r *controller) Wait(ctx context.Context) error {
	ctx, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	var c *container
	if err := r.with(func(found *container) error { c = found; return nil }); err != nil {
		return err
	}
	if err := r.e.await(ctx, c, func() bool {
		h := c.State.Health
		return !c.State.Running || c.removed || h != nil && h.Status == containertypes.Unhealthy
	}); err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	var cause error
	if c.State.Running && !c.removed {
		r.e.stop(c, stopSignal(c))
		cause = errUnhealthy
	}
	if c.State.ExitCode != 0 {
		return &exitError{c.State.ExitCode, cause}
	}
	return nil
}

// exitError is that of a container that did not end well.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("task: non-zero exit (%d): %v", e.code, e.cause)
	}
	return fmt.Sprintf("task: non-zero exit (%d)", e.code)
}

func (e *exitError) ExitCode() int { return e.code }
func (e *exitError) Unwrap() error { return e.cause }

// Shutdown stops the container.
func (r *controller) Shutdown(ctx context.Context) error {
	_, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	return r.finish(func(c *container) { r.e.stop(c, stopSignal(c)) })
}

// Terminate kills the container.
func (r *controller) Terminate(ctx context.Context) error {
	_, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	return r.finish(func(c *container) {
		if c.State.Running {
			_ = r.e.kill(c, sigKill) // it runs
		}
	})
}

// finish stops the container one way or the other, if it is there, and removes the
// networks that it was the last to use.
func (r *controller) finish(how func(*container)) error {
	err := r.with(func(c *container) error {
		how(c)
		for _, a := range r.task.Networks {
			if n := r.e.networks[a.Network.ID]; n != nil && !n.Ingress {
				r.e.dropUnused(n)
			}
		}
		return nil
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Remove removes the container.
func (r *controller) Remove(ctx context.Context) error {
	if err := r.Shutdown(ctx); err != nil {
		return err
	}
	err := r.with(func(c *container) error { return r.e.rm(c, true, true) })
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// ContainerStatus is the container behind the task.
func (r *controller) ContainerStatus(context.Context) (*api.ContainerStatus, error) {
	var status *api.ContainerStatus
	err := r.with(func(c *container) error {
		status = &api.ContainerStatus{ContainerID: c.ID, PID: int32(c.State.Pid), ExitCode: int32(c.State.ExitCode)}
		return nil
	})
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	return status, err
}

// PortStatus is the host's ports that lead to the container.
func (r *controller) PortStatus(context.Context) (*api.PortStatus, error) {
	var status *api.PortStatus
	err := r.with(func(c *container) error {
		status = &api.PortStatus{}
		for port, bound := range c.Ports {
			protocol := api.PortConfig_Protocol(api.PortConfig_Protocol_value[strings.ToUpper(port.Proto())])
			for _, b := range bound {
				host, err := strconv.ParseUint(b.HostPort, 10, 16)
				if err != nil {
					return err
				}
				status.Ports = append(status.Ports, &api.PortConfig{
					PublishMode: api.PublishModeHost, Protocol: protocol, TargetPort: uint32(port.Int()), PublishedPort: uint32(host),
				})
			}
		}
		return nil
	})
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	return status, err
}

// Logs sends the container's log to who asked for it, on any node.
func (r *controller) Logs(ctx context.Context, to exec.LogPublisher, o api.LogSubscriptionOptions) error {
	ctx, cancel, err := r.live(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	if o.Follow {
		if err := r.created(ctx); err != nil {
			return fmt.Errorf("container not ready for logs: %w", err)
		}
	}
	var c *container
	if err := r.with(func(found *container) error { c = found; return nil }); err != nil {
		return fmt.Errorf("failed getting container logs: %w", err)
	}
	if o.Follow {
		if err := r.e.await(ctx, c, func() bool { return !c.State.StartedAt.IsZero() || c.removed }); err != nil {
			return fmt.Errorf("container not ready for logs: %w", err)
		}
	}
	for m := range r.e.readLog(ctx, c, taskLogQuery(o), c.ended) {
		at, err := gogotypes.TimestampProto(m.Timestamp)
		if err != nil {
			return err
		}
		stream := api.LogStreamStdout
		if m.Source == "stderr" {
			stream = api.LogStreamStderr
		}
		if err := to.Publish(ctx, api.LogMessage{
			Context:   api.LogContext{NodeID: r.task.NodeID, ServiceID: r.task.ServiceID, TaskID: r.task.ID},
			Timestamp: at, Stream: stream, Data: m.Line,
		}); err != nil {
			return fmt.Errorf("failed to publish log message: %w", err)
		}
	}
	return nil
}

// created waits until the task's container is there: logs may be followed before.
func (r *controller) created(ctx context.Context) error {
	_, heard := r.e.SubscribeToEvents(time.Time{}, time.Time{}, filters.NewArgs(filters.Arg("container", r.name), filters.Arg("event", string(events.ActionCreate))))
	defer r.e.UnsubscribeFromEvents(heard)
	for {
		err := r.with(func(*container) error { return nil })
		if !cerrdefs.IsNotFound(err) {
			return err
		}
		select {
		case <-heard:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func taskLogQuery(o api.LogSubscriptionOptions) logQuery {
	q := logQuery{tail: -1, follow: o.Follow, stdout: len(o.Streams) == 0, stderr: len(o.Streams) == 0}
	for _, s := range o.Streams {
		q.stdout = q.stdout || s == api.LogStreamStdout
		q.stderr = q.stderr || s == api.LogStreamStderr
	}
	if o.Since != nil {
		q.since, _ = gogotypes.TimestampFromProto(o.Since) // what is no time is the beginning
	}
	if o.Tail < 0 { // as SwarmKit counts: -1 is nothing, -2 one line
		q.tail = int(-o.Tail - 1)
	}
	return q
}
