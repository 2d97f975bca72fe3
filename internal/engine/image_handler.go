package engine

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/image"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// imageHandler pulls images.
type imageHandler struct{}

// Create implements [resource.Handler].
func (imageHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec ImageSpec
	if err := imageSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	ref := string(spec.Ref)
	auth, err := c.Credentials().For(ref)
	if err != nil {
		return nil, err
	}
	o := image.PullOptions{RegistryAuth: auth}
	if spec.Platform != nil {
		o.Platform = string(*spec.Platform)
	}
	body, err := c.Docker().ImagePull(ctx, ref, o)
	if err != nil {
		return nil, pullErr(ref, c.Credentials().Declared(ref), remote.Err(err))
	}
	defer body.Close()
	if err := follow(body, r.Progress); err != nil {
		return nil, pullErr(ref, c.Credentials().Declared(ref), err)
	}
	got, err := c.Docker().ImageInspect(ctx, ref)
	if err != nil {
		return nil, remote.Err(err)
	}
	made := imageObject(ref, got.ID, got.RepoDigests, got.Size)
	made.Args = r.Args
	return made, nil
}

// Update implements [resource.Handler]: the image is pulled again. Where it is
// for another platform, the digest that all of them share is taken from it
// first: engines leave it with the one that had it, and nobody could tell that
// the other one is the registry's. That it cannot be taken is no reason to stop.
func (h imageHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	platform, _ := imageSchema.Field("platform")
	if digest, _ := r.Live.Out["digest"].(string); digest != "" && r.Args[platform.Index] != nil {
		_, _ = c.Docker().ImageRemove(ctx, repository(r.Live.Name)+"@"+digest, image.RemoveOptions{})
	}
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler]. It takes the name away, and the image
// with its last one.
func (imageHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	if _, err = c.Docker().ImageRemove(ctx, r.Live.Name, image.RemoveOptions{PruneChildren: true}); remote.IsNotFound(err) {
		return nil
	}
	return remote.Err(err)
}

// connOf is the engine's connection, which the kinds that pull need.
func connOf(c resource.Conn) (*Conn, error) {
	conn, ok := c.(*Conn)
	if !ok {
		return nil, fmt.Errorf("this lives on an engine, not in a %T", c)
	}
	return conn, nil
}
