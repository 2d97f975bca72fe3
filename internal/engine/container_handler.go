package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// containerHandler acts on containers.
type containerHandler struct{}

// containerConn is what the handler needs of a connection.
func containerConn(c resource.Conn) (*Conn, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("a container lives on an engine, not in a %T", c)
	}
	return conn, nil
}

// Create implements [resource.Handler]. A crash in between leaves a container
// that is ours and does not run: the next run goes on from there.
func (containerHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := containerConn(rc)
	if err != nil {
		return nil, err
	}
	var s ContainerSpec
	if err := containerSchema.Decode(r.Args, &s); err != nil {
		return nil, err
	}
	if s.Name == "" {
		s.Name = r.Address.Name()
	}
	if s.Pull == "always" {
		if err := c.pull(ctx, r, &s); err != nil {
			return nil, err
		}
	}
	id, err := c.make(ctx, r, &s)
	if err != nil && cerrdefs.IsNotFound(err) && strings.Contains(strings.ToLower(err.Error()), "no such image") && s.Pull == "missing" {
		if err := c.pull(ctx, r, &s); err != nil {
			return nil, err
		}
		id, err = c.make(ctx, r, &s)
	}
	if err != nil {
		if why := c.unshareable(ctx, &s, err); why != nil {
			return nil, why
		}
		return nil, containerErr(err)
	}
	if s.State != stateStopped {
		if err := c.Docker().ContainerStart(ctx, id, container.StartOptions{}); err != nil {
			return nil, startErr(err)
		}
	}
	return c.inspect(ctx, r, id)
}

// make creates the container, attached to all of its networks.
func (c *Conn) make(ctx context.Context, r *resource.Request, s *ContainerSpec) (string, error) {
	g := givenBy(r.Args, s)
	labels := r.Mark.Labels(s.Labels)
	g.note(labels)
	config, host := s.config(labels), s.hostConfig(g)
	api, err := c.remote.Ready(ctx)
	if err != nil {
		return "", err
	}
	// Engines before 25 attach a new container to one network only, and know
	// one hardware address.
	first, rest := s.endpoints(), []*network.EndpointSettings(nil)
	if len(first) > 0 && versions.LessThan(api, "1.44") {
		//lint:ignore SA1019 it is where these engines have it
		config.MacAddress, first[0].MacAddress = first[0].MacAddress, ""
		first, rest = first[:1], first[1:]
	}
	networks := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	for i, e := range first {
		networks.EndpointsConfig[s.Networks[i].Network] = e
	}
	made, err := c.Docker().ContainerCreate(ctx, config, host, networks, s.platform(), s.Name)
	if err != nil {
		return "", err
	}
	for _, w := range made.Warnings {
		r.Progress(resource.Progress{Text: "warning: " + strings.Join(strings.Fields(w), " ")})
	}
	for i, e := range rest {
		if err := c.Docker().NetworkConnect(ctx, s.Networks[i+1].Network, made.ID, e); err != nil {
			return "", err
		}
	}
	return made.ID, nil
}

// unshareable says what it means that Docker knows "no such volume" when a
// container takes those of another: a mount of type tmpfs has none. It is nil where
// that is not the reason.
func (c *Conn) unshareable(ctx context.Context, s *ContainerSpec, err error) error {
	if !strings.Contains(err.Error(), "no such volume") {
		return nil
	}
	for _, from := range s.VolumesFrom {
		other, err := c.Docker().ContainerInspect(ctx, from.RefersTo())
		if err != nil {
			continue // then it is not the reason either
		}
		for _, m := range other.Mounts {
			if m.Type == mount.TypeTmpfs {
				return &diag.Diagnostic{
					Summary: fmt.Sprintf("volumes_from: %s has a mount of type tmpfs at %s, which Docker cannot share with another container", from.RefersTo(), m.Destination),
					Hint:    fmt.Sprintf("declare it there as tmpfs = {%q: \"\"}, which is its own and is left out; or mount a volume there", m.Destination),
				}
			}
		}
	}
	return nil
}

// pull fetches the image, as docker run does where it is not there.
func (c *Conn) pull(ctx context.Context, r *resource.Request, s *ContainerSpec) error {
	r.Progress(resource.Progress{Text: "pulling " + string(s.Image)})
	o := image.PullOptions{Platform: s.Platform}
	if creds := c.Credentials(); creds != nil {
		auth, err := creds.For(string(s.Image))
		if err != nil {
			return err
		}
		o.RegistryAuth = auth
	}
	rd, err := c.Docker().ImagePull(ctx, string(s.Image), o)
	if err == nil {
		defer rd.Close()
		err = jsonmessage.DisplayJSONMessagesStream(rd, io.Discard, 0, false, nil)
	}
	if err != nil {
		return fmt.Errorf("pull %s: %w", s.Image, remote.Err(err))
	}
	return nil
}

// inspect reads a container back.
func (c *Conn) inspect(ctx context.Context, r *resource.Request, id string) (*resource.Object, error) {
	got, err := c.Docker().ContainerInspect(ctx, id)
	if err != nil {
		return nil, remote.Err(err)
	}
	o := containerObject(&got, names{}, readGiven(got.Config.Labels, r.Args))
	o.Mark, o.Args = r.Mark, r.Args
	return o, nil
}

// Update implements [resource.Handler].
func (containerHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := containerConn(rc)
	if err != nil {
		return nil, err
	}
	live, ok := r.Live.Native.(*liveContainer)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as a container of this project", r.Address)
	}
	var want, have ContainerSpec
	if err := containerSchema.Decode(r.Args, &want); err != nil {
		return nil, err
	}
	if err := containerSchema.Decode(r.Live.Args, &have); err != nil {
		return nil, err
	}
	id := r.Live.ID
	if want.Name != "" && want.Name != r.Live.Name {
		if err := c.Docker().ContainerRename(ctx, id, want.Name); err != nil {
			return nil, containerErr(err)
		}
	}
	if err := c.limit(ctx, r, &want, live); err != nil {
		return nil, err
	}
	if err := c.attach(ctx, id, &want, &have); err != nil {
		return nil, err
	}
	if r.Restart {
		err = startErr(c.Docker().ContainerRestart(ctx, id, container.StopOptions{}))
	} else {
		err = c.bring(ctx, id, &want, live)
	}
	if err != nil {
		return nil, err
	}
	return c.inspect(ctx, r, id)
}

// limit does what `docker update` does, where a limit changes.
func (c *Conn) limit(ctx context.Context, r *resource.Request, want *ContainerSpec, live *liveContainer) error {
	changed := false
	for _, name := range append([]string{"restart", "pids_limit"}, updatable...) {
		f, _ := containerSchema.Field(name)
		if w := r.Args[f.Index]; !f.Type.Same(orDefault(w, f.Default), r.Live.Args[f.Index]) {
			changed = true
		}
	}
	if !changed {
		return nil
	}
	u := container.UpdateConfig{Resources: want.updatable(), RestartPolicy: want.Restart.policy()}
	none := int64(-1)
	if u.PidsLimit == nil && live.inspect.HostConfig.PidsLimit != nil {
		u.PidsLimit = &none
	}
	// What Docker has made of the memory moves with it; where the kernel cannot
	// limit swap, that is -1.
	if swap := live.inspect.HostConfig.MemorySwap; u.Memory != 0 && u.MemorySwap == 0 && swap >= 0 {
		u.MemorySwap = 2 * u.Memory
	}
	got, err := c.Docker().ContainerUpdate(ctx, r.Live.ID, u)
	if err != nil {
		return containerErr(err)
	}
	for _, w := range got.Warnings {
		r.Progress(resource.Progress{Text: "warning: " + strings.Join(strings.Fields(w), " ")})
	}
	return nil
}

func orDefault(v, otherwise value.Value) value.Value {
	if v == nil {
		return otherwise
	}
	return v
}

// attach leaves and joins networks. One that changes is left first.
func (c *Conn) attach(ctx context.Context, id string, want, have *ContainerSpec) error {
	if want.Network != "" {
		return nil
	}
	find := func(in []swarm.Attachment, network string) *swarm.Attachment {
		i := slices.IndexFunc(in, func(a swarm.Attachment) bool { return a.Network == network })
		if i < 0 {
			return nil
		}
		return &in[i]
	}
	f, _ := containerSchema.Field("networks")
	same := func(a, b *swarm.Attachment) bool {
		s := f.Type.Elem.Struct
		return a != nil && b != nil && f.Type.Elem.Same(s.Encode(*a), s.Encode(*b))
	}
	var join []swarm.Attachment
	for _, a := range want.Networks {
		if !same(&a, find(have.Networks, a.Network)) {
			join = append(join, a)
		}
	}
	for _, a := range have.Networks {
		if same(find(want.Networks, a.Network), &a) {
			continue
		}
		if err := c.Docker().NetworkDisconnect(ctx, a.Network, id, false); err != nil && !cerrdefs.IsNotFound(err) {
			return containerErr(err)
		}
	}
	for _, a := range join {
		if err := c.Docker().NetworkConnect(ctx, a.Network, id, endpoint(a)); err != nil {
			return containerErr(err)
		}
	}
	return nil
}

// bring starts, stops or wakes a container.
func (c *Conn) bring(ctx context.Context, id string, want *ContainerSpec, live *liveContainer) error {
	s := live.inspect.State
	var err error
	switch up := s.Running || s.Restarting; {
	case want.State == stateStopped && up:
		err = c.Docker().ContainerStop(ctx, id, container.StopOptions{})
	case want.State != stateStopped && s.Paused:
		err = c.Docker().ContainerUnpause(ctx, id)
	case want.State != stateStopped && !up && (want.State == stateRunning || !ranToEnd(s)):
		return startErr(c.Docker().ContainerStart(ctx, id, container.StartOptions{}))
	}
	return containerErr(err)
}

// removeTime is how long Docker may take to remove a container that has
// stopped.
const removeTime = time.Minute

// Delete implements [resource.Handler]. The container is told to stop as it
// wants to be, and its anonymous volumes stay: Docker alone knows what is in
// them.
func (containerHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := containerConn(rc)
	if err != nil {
		return err
	}
	id := r.Live.ID
	if err := c.Docker().ContainerStop(ctx, id, container.StopOptions{}); err != nil {
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return containerErr(err)
	}
	for deadline := time.Now().Add(removeTime); ; {
		err := c.Docker().ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
		switch {
		case err == nil, cerrdefs.IsNotFound(err):
			return nil
		case !strings.Contains(err.Error(), "already in progress") || time.Now().After(deadline):
			return containerErr(err)
		}
		if err := swarm.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// containerErr says what an error means: what is not found is something that
// the container uses.
func containerErr(err error) error {
	if err == nil {
		return nil
	}
	if cerrdefs.IsNotFound(err) {
		return missing{remote.Err(err)}
	}
	return remote.Err(err)
}

// missing is an error in Docker's words that is also [resource.ErrMissing].
type missing struct{ error }

func (e missing) Unwrap() []error { return []error{e.error, resource.ErrMissing} }

// startErr leaves out what the runtime says around the cause.
func startErr(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("it was made, but does not start: %w", remote.Err(err))
}
