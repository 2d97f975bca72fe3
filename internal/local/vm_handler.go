package local

import (
	"context"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// vmHandler acts on machines.
type vmHandler struct{}

func connOf(c resource.Conn) (*Conn, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("a machine of this computer lives in local(), not in a %T", c)
	}
	return conn, nil
}

func decode(r *resource.Request) (spec VMSpec, keys []string, err error) {
	err = vmSchema.Decode(r.Args, &spec)
	for _, k := range spec.SSHKeys {
		keys = append(keys, string(k))
	}
	return spec, keys, err
}

func tell(r *resource.Request) func(string) {
	return func(text string) { r.Progress(resource.Progress{Text: text}) }
}

// Create implements [resource.Handler]. A crash in between leaves no machine, or
// one that is ours and off: the next run goes on from there.
func (vmHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	spec, keys, err := decode(r)
	if err != nil {
		return nil, err
	}
	m, err := c.site.Create(ctx, Spec{
		Project: r.Mark.Project, Name: spec.Name, Image: spec.Image, User: spec.User, SSHKeys: keys,
		Limits: Limits{NanoCPUs: int64(spec.CPUs), Memory: int64(spec.Memory)}, Labels: r.Mark.Labels(nil),
	}, tell(r))
	if err != nil {
		return nil, err
	}
	return bring(ctx, m, spec.Running, r)
}

// Update implements [resource.Handler].
func (vmHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	if _, err := connOf(rc); err != nil {
		return nil, err
	}
	m, ok := r.Live.Native.(*Machine)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as a machine of this computer", r.Address)
	}
	spec, keys, err := decode(r)
	if err != nil {
		return nil, err
	}
	if err := m.SetLimits(ctx, Limits{NanoCPUs: int64(spec.CPUs), Memory: int64(spec.Memory)}); err != nil {
		return nil, err
	}
	if err := m.SetSSHKeys(ctx, keys); err != nil {
		return nil, err
	}
	if err := m.SetLabels(ctx, r.Mark.Labels(m.Labels)); err != nil {
		return nil, err
	}
	return bring(ctx, m, spec.Running, r)
}

// bring makes a machine run, or not.
func bring(ctx context.Context, m *Machine, running bool, r *resource.Request) (*resource.Object, error) {
	state := m.State()
	var err error
	switch {
	case !running && state != Off:
		tell(r)("shuts down")
		err = m.Stop(ctx)
	case running && state == Paused:
		err = m.Resume(ctx)
	case running && state == Off:
		err = m.Start(ctx, tell(r))
	}
	if err != nil {
		return nil, err
	}
	return m.object(r.Mark.Project)
}

// Delete implements [resource.Handler].
func (vmHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	if _, err := connOf(rc); err != nil {
		return err
	}
	m, ok := r.Live.Native.(*Machine)
	if !ok {
		return fmt.Errorf("%s: not observed as a machine of this computer", r.Address)
	}
	tell(r)("ends, and is removed")
	return m.Destroy(ctx)
}
