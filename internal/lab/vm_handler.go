package lab

import (
	"context"
	"fmt"
	"strconv"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// vmHandler acts on hosts.
type vmHandler struct{}

func labOf(c resource.Conn) (*Lab, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("a host of a lab lives in lab(), not in a %T", c)
	}
	return conn.lab, nil
}

func tell(r *resource.Request, text string) { r.Progress(resource.Progress{Text: text}) }

// Create implements [resource.Handler]. A crash in between leaves no host, or one
// that is ours and off: the next run goes on from there.
func (vmHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	l, err := labOf(rc)
	if err != nil {
		return nil, err
	}
	spec, keys, err := local.DecodeVM(r)
	if err != nil {
		return nil, err
	}
	h, err := l.Create(ctx, api.Spec{
		Project: r.Mark.Project, Name: spec.Name, Image: spec.Image, User: spec.User, SSHKeys: keys,
		NanoCPUs: int64(spec.CPUs), Memory: int64(spec.Memory), Labels: r.Mark.Labels(nil),
	})
	if err != nil {
		return nil, err
	}
	return bring(ctx, l, h, spec.Running, r)
}

// Update implements [resource.Handler].
func (vmHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	l, err := labOf(rc)
	if err != nil {
		return nil, err
	}
	h, err := hostOf(r.Live)
	if err != nil {
		return nil, err
	}
	spec, keys, err := local.DecodeVM(r)
	if err != nil {
		return nil, err
	}
	h, err = l.Change(ctx, h.ID, api.Change{
		SSHKeys: keys, NanoCPUs: int64(spec.CPUs), Memory: int64(spec.Memory), Labels: r.Mark.Labels(h.Labels),
	})
	if err != nil {
		return nil, err
	}
	return bring(ctx, l, h, spec.Running, r)
}

// bring makes a host run, or not.
func bring(ctx context.Context, l *Lab, h *api.Host, running bool, r *resource.Request) (*resource.Object, error) {
	var err error
	switch {
	case !running && h.State != api.Off:
		tell(r, "shuts down")
		h, err = l.Do(ctx, h.ID, Stop)
	case running && h.State == api.Paused:
		h, err = l.Do(ctx, h.ID, Resume)
	case running && h.State == api.Off:
		tell(r, "boots")
		h, err = l.Do(ctx, h.ID, Start)
	}
	if err != nil {
		return nil, err
	}
	return object(h, r.Mark.Project), nil
}

// Settle implements [resource.Settler].
func (v vmHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	return local.SettleVM(ctx, v, rc, r, o)
}

// Delete implements [resource.Handler].
func (vmHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	l, err := labOf(rc)
	if err != nil {
		return err
	}
	h, err := hostOf(r.Live)
	if err != nil {
		return err
	}
	return l.Destroy(ctx, h.ID)
}

// Open implements [resource.Opener]: the host over SSH.
func (vmHandler) Open(_ context.Context, _ resource.Conn, o *resource.Object) (resource.Conn, error) {
	h, err := hostOf(o)
	if err != nil {
		return nil, err
	}
	switch h.State {
	case api.Off:
		return nil, fmt.Errorf("%s %w", h.Name, resource.ErrOff)
	case api.Paused: // it would take its time to say nothing
		return nil, fmt.Errorf("host %s is paused, so it is %w: swarmscript lab resume %s, or an apply, lets it go on", h.Name, resource.ErrUnreachable, h.Name)
	}
	s, err := SSHOf(h)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(s.Port)
	if err != nil {
		return nil, err
	}
	return host.Connect(remote.Machine{
		Address: s.Host, Port: port, User: s.User, Key: s.Key, HostKeys: []string{s.HostKey}, Jump: "none",
	}), nil
}
