package engine

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/moby/term"
)

// ContainerAttach is docker attach, and docker run in the foreground: what the
// container's log gets is sent until the container ends. Nobody reads what is typed;
// who wants to leave can.
func (e *Engine) ContainerAttach(name string, req *backend.ContainerAttachConfig) error {
	keys, err := term.ToBytes(cmp.Or(req.DetachKeys, "ctrl-p,ctrl-q"))
	if err != nil {
		return invalid("Invalid detach keys (%s) provided", req.DetachKeys)
	}
	c, lines, stop, err := e.attachedLines(name, req)
	if err != nil {
		return err
	}
	defer stop()
	in, out, errs, err := req.GetStreams(!c.Config.Tty && req.MuxStreams, stop)
	if err != nil {
		return err
	}
	defer in.Close()
	if !c.Config.Tty && req.MuxStreams {
		out, errs = stdcopy.NewStdWriter(out, stdcopy.Stdout), stdcopy.NewStdWriter(errs, stdcopy.Stderr)
	}
	if req.UseStdin {
		fmt.Fprint(errs, "swarmscript lab: not simulated: what is typed into a container\r\n") // who is gone is told nothing
	}
	go func() { // ends with in
		_, err := io.Copy(io.Discard, term.NewEscapeProxy(in, keys))
		if _, leaves := err.(term.EscapeError); leaves {
			stop()
		}
	}()
	for l := range lines {
		to := out
		if l.Source == "stderr" {
			to = errs
		}
		if _, err := to.Write(l.Line); err != nil {
			return nil // nobody reads any more
		}
	}
	return nil
}

// attachedLines are what a container writes from now on, until it ends, also where
// it was not started yet.
func (e *Engine) attachedLines(name string, req *backend.ContainerAttachConfig) (c *container, lines <-chan *backend.LogMessage, stop func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, err = e.find(name); err != nil {
		return nil, nil, nil, err
	}
	switch {
	case c.State.Paused:
		return nil, nil, nil, errdefs.Conflict(fmt.Errorf("container %s is paused, unpause the container before attach", name))
	case c.State.Restarting:
		return nil, nil, nil, errdefs.Conflict(fmt.Errorf("container %s is restarting, wait until the container is running", name))
	}
	q := logQuery{tail: -1, stdout: req.UseStdout, stderr: req.UseStderr, follow: req.Stream}
	if !req.Logs {
		q.since = time.Now()
	}
	exits, failed := c.exits, c.State.Error
	over := func() bool {
		return c.removed || c.exits > exits || !c.State.Running && c.State.Error != failed
	}
	ctx, stop := context.WithCancel(context.Background()) // the engine ends it too
	return c, e.readLog(ctx, c, q, over), stop, nil
}
