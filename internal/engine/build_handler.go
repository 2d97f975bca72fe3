package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/swarmscript/swarmscript/internal/build"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// buildHandler builds, names and pushes images.
type buildHandler struct{}

// Create implements [resource.Handler]. An image that was built from the same is
// only named, and pushed.
func (buildHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec BuildSpec
	if err := buildSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	api := c.Docker()
	id, named, err := c.built(ctx, &spec)
	if err != nil {
		return nil, err
	}
	if id == "" {
		if id, err = c.build(ctx, &spec, r.Progress); err != nil {
			return nil, fmt.Errorf("%s was not built: %w", spec.Name, err)
		}
	}
	for _, name := range spec.names() {
		if named[name] == id {
			continue
		}
		if err := api.ImageTag(ctx, id, name); err != nil {
			return nil, remote.Err(err)
		}
	}
	if spec.Push {
		for _, name := range spec.names() {
			if err := c.push(ctx, name, r.Progress); err != nil {
				return nil, err
			}
		}
	}
	return c.madeBuild(ctx, &spec, id, r)
}

// Update implements [resource.Handler].
func (h buildHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, rc, r)
}

// Delete implements [resource.Handler]: it takes the image's names away, and the
// image with its last one.
func (buildHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	got, err := c.Docker().ImageInspect(ctx, r.Live.Out["id"].(string))
	if remote.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return remote.Err(err)
	}
	for _, name := range got.RepoTags {
		if _, err := c.Docker().ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true}); err != nil && !remote.IsNotFound(err) {
			return remote.Err(err)
		}
	}
	return nil
}

// built finds an image of one of the names that was built from the same; "" where
// there is none. It also returns which image has which name.
func (c *Conn) built(ctx context.Context, spec *BuildSpec) (id string, named map[string]string, err error) {
	named = map[string]string{}
	for _, name := range spec.names() {
		got, err := c.Docker().ImageInspect(ctx, name)
		if remote.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", nil, remote.Err(err)
		}
		named[name] = got.ID
		if id == "" && got.Config != nil && got.Config.Labels[labelBuild] == spec.recipe() {
			id = got.ID
		}
	}
	return id, named, nil
}

// maxBuilds bounds the builds of an engine at once. Each holds two connections
// until it ends: with one for each of those that a tunnel has, none would get its
// second.
const maxBuilds = 2

// build builds the image. The files must be those that the plan has read: the
// label would say something else of it.
func (c *Conn) build(ctx context.Context, spec *BuildSpec, tell func(resource.Progress)) (string, error) {
	select {
	case c.builds <- struct{}{}:
		defer func() { <-c.builds }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	folder, err := build.Open(spec.Context, string(spec.Dockerfile))
	if err != nil {
		return "", err
	}
	labels := maps.Clone(spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelBuild] = spec.recipe()
	o := build.Options{
		Context: folder, Target: spec.Target, Args: spec.Args, Labels: labels, Network: spec.Network, AddHosts: spec.AddHosts,
		CacheFrom: spec.CacheFrom, InlineCache: spec.CacheTo == "inline", Pull: spec.Pull, NoCache: spec.NoCache, SSH: spec.SSH,
		Secrets:  map[string][]byte{},
		Auth:     func(host string) (registry.AuthConfig, error) { return authFor(c.Credentials(), host) },
		Progress: func(p build.Progress) { tell(resource.Progress{Done: p.Done, Total: p.Total, Text: p.Text}) },
	}
	for id, v := range spec.Secrets {
		o.Secrets[id] = []byte(v)
	}
	if len(spec.Platforms) > 0 {
		o.Platform = string(spec.Platforms[0])
	}
	id, err := build.Run(ctx, c, o)
	if err != nil {
		return "", err
	}
	now, err := folder.Digests(ctx)
	if err == nil && !maps.Equal(now, spec.Content) {
		err = errors.New("its files have changed while it was built, or since the plan; run it again")
	}
	if err != nil {
		// It has no name; what is left of it is docker's to prune where this fails.
		_, _ = c.Docker().ImageRemove(context.WithoutCancel(ctx), id, image.RemoveOptions{PruneChildren: true})
		return "", err
	}
	return id, nil
}

// authFor are the credentials for a registry's host.
func authFor(creds remote.Credentials, host string) (registry.AuthConfig, error) {
	encoded, err := creds.For(host + "/any")
	if err != nil || encoded == "" {
		return registry.AuthConfig{}, err
	}
	a, err := registry.DecodeAuthConfig(encoded)
	if err != nil {
		return registry.AuthConfig{}, err
	}
	return *a, nil
}

// madeBuild is the image as it is now.
func (c *Conn) madeBuild(ctx context.Context, spec *BuildSpec, id string, r *resource.Request) (*resource.Object, error) {
	got, err := c.Docker().ImageInspect(ctx, id)
	if err != nil {
		return nil, remote.Err(err)
	}
	img := &image.Summary{ID: got.ID, RepoTags: got.RepoTags, RepoDigests: got.RepoDigests, Size: got.Size}
	if got.Config != nil {
		img.Labels = got.Config.Labels
	}
	byTag := map[string]*image.Summary{}
	for _, tag := range slices.Concat(got.RepoTags, spec.names()) {
		byTag[tag] = img
	}
	o := buildObject(spec, img, byTag)
	o.Args = r.Args
	return o, nil
}

// Upgrade implements [build.Engine].
func (c *Conn) Upgrade(ctx context.Context, path, proto string, header http.Header) (net.Conn, error) {
	return c.remote.Upgrade(ctx, path, proto, header)
}
