package local

import (
	"context"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/host"
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

// DecodeVM returns what is declared of a machine, and its public keys as lines of
// authorized_keys.
func DecodeVM(r *resource.Request) (spec VMSpec, keys []string, err error) {
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
	spec, keys, err := DecodeVM(r)
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
	spec, keys, err := DecodeVM(r)
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

// Settle implements [resource.Settler].
func (h vmHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	return SettleVM(ctx, h, rc, r, o)
}

// SettleVM is [resource.Settler] for the machines of a provider: one that was
// started can be worked on once it lets us in, and its first boot is over.
func SettleVM(ctx context.Context, machines resource.Opener, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	if spec, _, err := DecodeVM(r); err != nil || !spec.Running {
		return err
	}
	if r.Live != nil && r.Live.ID == o.ID && wasUp(r.Live) {
		return nil // nobody has started it
	}
	conn, err := machines.Open(ctx, rc, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.(*host.Conn).MadeReady(ctx, r)
}

// wasUp reports whether a machine ran when it was observed.
func wasUp(o *resource.Object) bool {
	var spec VMSpec
	return vmSchema.Decode(o.Args, &spec) == nil && spec.Running && o.Unsettled == ""
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
