package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// serviceHandler acts on services.
type serviceHandler struct{}

// serviceConn is what the handler needs of a connection.
func serviceConn(c resource.Conn) (*Conn, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("a service lives in a swarm, not in a %T", c)
	}
	return conn, nil
}

// Create implements [resource.Handler].
func (serviceHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := serviceConn(rc)
	if err != nil {
		return nil, err
	}
	var o *resource.Object
	err = c.services.withIDs(ctx, c, r.Args, func(ids liveIDs) error {
		spec, err := toDocker(r.Args, nil, nil, ids)
		if err != nil {
			return err
		}
		spec.Name = serviceName(r)
		spec.Labels = serviceLabels(r, nil, string(spec.TaskTemplate.ContainerSpec.Image))
		auth, err := c.prepareImage(ctx, &spec, r, true)
		if err != nil {
			return err
		}
		resp, err := c.Docker().ServiceCreate(ctx, spec, swarm.ServiceCreateOptions{EncodedRegistryAuth: auth})
		if err != nil {
			return serviceErr(err)
		}
		warn(r, resp.Warnings)
		o = serviceObject(r, resp.ID, &swarm.Service{ID: resp.ID, Spec: spec})
		return nil
	})
	return o, err
}

// Update implements [resource.Handler].
func (serviceHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := serviceConn(rc)
	if err != nil {
		return nil, err
	}
	live, ok := r.Live.Native.(*swarm.Service)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as a service", r.Address)
	}
	var o *resource.Object
	err = c.services.withIDs(ctx, c, r.Args, func(ids liveIDs) error {
		spec, err := toDocker(r.Args, r.Live.Args, &live.Spec, ids)
		if err != nil {
			return err
		}
		spec.Labels = serviceLabels(r, live, imageArg(r.Args))
		if r.Restart {
			spec.TaskTemplate.ForceUpdate++
		}
		auth, err := c.prepareImage(ctx, &spec, r, differs([]string{"image"}, r.Args, r.Live.Args))
		if err != nil {
			return err
		}
		// Without credentials of its own the update keeps those of the spec.
		warnings, err := writeService(ctx, c, live, r.Live.Version, spec, swarm.ServiceUpdateOptions{
			EncodedRegistryAuth: auth, RegistryAuthFrom: swarm.RegistryAuthFromSpec,
		})
		if err != nil {
			return err
		}
		warn(r, warnings)
		next := *live
		next.Spec, next.PreviousSpec, next.UpdateStatus = spec, &live.Spec, nil
		o = serviceObject(r, live.ID, &next)
		return nil
	})
	return o, err
}

// writeService updates a service under its version. The swarm itself raises the
// version too, as when it gives out ports or ends an update: while the spec is
// still the one that was observed, nobody else wrote, and it is tried again.
func writeService(ctx context.Context, c *Conn, live *swarm.Service, version uint64, spec swarm.ServiceSpec, o swarm.ServiceUpdateOptions) ([]string, error) {
	for try := 0; ; try++ {
		resp, err := c.Docker().ServiceUpdate(ctx, live.ID, swarm.Version{Index: version}, spec, o)
		if err == nil {
			return resp.Warnings, nil
		}
		if cerrdefs.IsNotFound(err) {
			if _, _, gone := c.Docker().ServiceInspectWithRaw(ctx, live.ID, swarm.ServiceInspectOptions{}); cerrdefs.IsNotFound(gone) {
				return nil, updateErr(gone)
			}
			return nil, serviceErr(err) // something that it uses is not there
		}
		err = serviceErr(err)
		if try == 5 || !errors.Is(err, resource.ErrConflict) {
			return nil, err
		}
		now, _, inspectErr := c.Docker().ServiceInspectWithRaw(ctx, live.ID, swarm.ServiceInspectOptions{})
		if inspectErr != nil || !sameSpec(now.Spec, live.Spec) {
			return nil, err
		}
		version = now.Version.Index
	}
}

func sameSpec(a, b swarm.ServiceSpec) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// Delete implements [resource.Handler]. It returns when the service's tasks
// have ended: until then the networks, secrets and configs that they use
// cannot be removed.
func (serviceHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := serviceConn(rc)
	if err != nil {
		return err
	}
	if err := c.Docker().ServiceRemove(ctx, r.Live.ID); err != nil && !cerrdefs.IsNotFound(err) {
		return serviceErr(err)
	}
	if r.Waits != nil {
		r.Waits()
	}
	grace := defaultGrace
	if f, ok := ServiceSchema.Field("stop_grace_period"); ok && r.Live.Args != nil {
		if n, ok := r.Live.Args[f.Index].(int64); ok {
			grace = time.Duration(n)
		}
	}
	return c.services.gone(ctx, c, r, grace+time.Minute)
}

func serviceObject(r *resource.Request, id string, native *swarm.Service) *resource.Object {
	return &resource.Object{
		Kind: "service", ID: id, Name: native.Spec.Name, Mark: r.Mark, Args: r.Args, Native: native,
		Version: native.Version.Index,
		Out:     map[string]value.Value{"id": id, "name": native.Spec.Name},
	}
}

func serviceName(r *resource.Request) string {
	if name := (reader{ServiceSchema, r.Args}).str("name"); name != "" {
		return name
	}
	return r.Address.Name()
}

func imageArg(args value.Struct) string { return reader{ServiceSchema, args}.str("image") }

// serviceLabels are the live labels, less those of ours that are no longer
// declared, with the declared ones and the mark.
func serviceLabels(r *resource.Request, live *swarm.Service, image string) map[string]string {
	labels := map[string]string{}
	if live != nil {
		maps.Copy(labels, live.Spec.Labels)
		for _, k := range r.Live.Mark.Owned()["labels"] {
			delete(labels, k)
		}
	}
	if m, ok := (reader{ServiceSchema, r.Args}).raw("labels").(*value.Map); ok && m != nil {
		for _, e := range m.Entries {
			labels[e.Key] = value.Text(value.Reveal(e.Value))
		}
	}
	sent := labels[labelAuth] // the update keeps the login that it has no other for
	labels = r.Mark.Labels(labels)
	if sent != "" {
		labels[labelAuth] = sent
	}
	if tagAndDigest(image) {
		labels[labelImage] = image
	}
	return labels
}

// prepareImage completes a spec by what its registry says, where it is another
// image, and by the label of the login that goes with it, which it returns.
func (c *Conn) prepareImage(ctx context.Context, spec *swarm.ServiceSpec, r *resource.Request, another bool) (auth string, err error) {
	if another {
		if err := c.pin(ctx, spec, r); err != nil {
			return "", err
		}
	}
	auth, label, err := c.registryAuth(ctx, r.Args, r.Mark.Project, spec.TaskTemplate.ContainerSpec.Image)
	if label != "" {
		spec.Labels[labelAuth] = label
	}
	return auth, err
}

// serviceErr says what an error means. A taken port is no taken name, though
// the words are alike. It may be free in a moment: the same apply may take it
// from the service that has it.
func serviceErr(err error) error {
	if text := err.Error(); strings.Contains(text, "port '") && strings.Contains(text, "is already in use by service") {
		_, desc, ok := strings.Cut(text, " desc = ")
		if !ok {
			desc = text
		}
		return portError(desc)
	}
	if err := remote.Err(err); strings.Contains(err.Error(), "not found") {
		return missingError{err}
	}
	return remote.Err(err)
}

// portError is about a published port that another service has, in the
// engine's words.
type portError string

func (e portError) Error() string { return string(e) }

func (portError) Unwrap() error { return resource.ErrTransient }

// missingError is about something that a service uses, in the engine's
// words.
type missingError struct{ error }

func (e missingError) Unwrap() []error { return []error{e.error, resource.ErrMissing} }

func warn(r *resource.Request, warnings []string) {
	for _, w := range warnings {
		r.Progress(resource.Progress{Text: "warning: " + strings.Join(strings.Fields(w), " ")})
	}
}
