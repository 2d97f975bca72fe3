package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// listBuilds returns the images that are declared as built: each as the label of
// the one that has its name says, whatever that was built from.
func listBuilds(ctx context.Context, api client.APIClient, info listInfo) ([]*resource.Object, error) {
	all, err := api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, err
	}
	byTag := map[string]*image.Summary{}
	for i := range all {
		for _, tag := range all[i].RepoTags {
			byTag[tag] = &all[i]
		}
	}
	var out []*resource.Object
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, d := range info.Declared {
		if d.Kind != BuildKind || d.External {
			continue
		}
		spec, ok := buildSpecOf(d.Args)
		if !ok {
			continue
		}
		img := liveBuild(spec, byTag, all)
		if img == nil {
			continue
		}
		o := buildObject(spec, img, byTag)
		out = append(out, o)
		if spec.Push && o.Out["digest"] != "" {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				lookPushed(ctx, api, info, spec, o)
			})
		}
	}
	wg.Wait()
	return out, ctx.Err()
}

// liveBuild is the image that a declaration is compared with: the one that has one
// of its names and was built from the same, or else any that has one, or else the
// one of its repository that was built from what differs least.
func liveBuild(spec *BuildSpec, byTag map[string]*image.Summary, all []image.Summary) *image.Summary {
	names := spec.names()
	for _, name := range names {
		if img := byTag[name]; img != nil && img.Labels[labelBuild] == spec.recipe() {
			return img
		}
	}
	for _, name := range names {
		if img := byTag[name]; img != nil {
			return img
		}
	}
	before := repository(spec.contentTag()) + ":sha-"
	var nearest *image.Summary
	least := 0
	for i := range all {
		img := &all[i]
		live, ok := builtAs(img)
		if !ok || !slices.ContainsFunc(img.RepoTags, func(t string) bool { return strings.HasPrefix(t, before) }) {
			continue
		}
		d := spec.differs(live)
		if nearest == nil || d < least || d == least && img.ID < nearest.ID {
			nearest, least = img, d
		}
	}
	return nearest
}

// builtAs is what an image was built from, as its label says.
func builtAs(img *image.Summary) (*BuildSpec, bool) {
	var made recipe
	if json.Unmarshal([]byte(img.Labels[labelBuild]), &made) != nil {
		return &BuildSpec{}, false
	}
	return &BuildSpec{
		Content: made.Content, Dockerfile: made.Dockerfile, Target: made.Target, Args: made.Args, Labels: made.Labels,
		Platforms: made.Platforms, Network: made.Network, AddHosts: made.AddHosts,
	}, true
}

// differs counts what two images were not built alike from.
func (s *BuildSpec) differs(o *BuildSpec) int {
	n := differing(s.Content, o.Content) + differing(s.Args, o.Args) + differing(s.Labels, o.Labels)
	for _, same := range []bool{s.Dockerfile == o.Dockerfile, s.Target == o.Target, slices.Equal(s.Platforms, o.Platforms), s.Network == o.Network, slices.Equal(s.AddHosts, o.AddHosts)} {
		if !same {
			n++
		}
	}
	return n
}

func differing(a, b map[string]string) int {
	n := 0
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			n++
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			n++
		}
	}
	return n
}

// buildObject is an image as its label says. Of the tags it has those that are
// declared and are its own; if another image has one of its names, it is not
// what is asked for.
func buildObject(spec *BuildSpec, img *image.Summary, byTag map[string]*image.Summary) *resource.Object {
	live, _ := builtAs(img)
	live.Name = spec.Name
	o := &resource.Object{Kind: "build", ID: img.ID + " as " + spec.Name, Name: spec.Name}
	for _, t := range spec.Tags {
		if has := byTag[string(t)]; has != nil && has.ID == img.ID {
			live.Tags = append(live.Tags, t)
		}
	}
	digest := ""
	if spec.Push {
		digest = digestOf(spec.names()[0], img.RepoDigests)
		live.Push = digest != ""
	}
	if own := byTag[spec.contentTag()]; !spec.Push && live.recipe() == spec.recipe() && (own == nil || own.ID != img.ID) {
		o.Unsettled, o.Stuck = "it has lost the name "+spec.contentTag(), true
	}
	o.Args = buildSchema.Encode(live)
	o.Out = map[string]value.Value{"ref": spec.ref(digest), "id": img.ID, "digest": digest, "size": img.Size}
	o.Native = &liveImage{digests: img.RepoDigests}
	return o
}

// liveImage is what else is known of an image that was built.
type liveImage struct {
	digests  []string
	answered bool // by all registries that it is pushed to
}

// ref is what users of the image call it.
func (s *BuildSpec) ref(digest string) string {
	name := s.names()[0]
	if digest != "" {
		return name + "@" + digest
	}
	return name
}

// lookPushed asks the registry whether it has the image under all its names.
func lookPushed(ctx context.Context, api client.APIClient, info listInfo, spec *BuildSpec, o *resource.Object) {
	live := o.Native.(*liveImage)
	for _, name := range spec.names() {
		there, err := registryDigest(ctx, api, info.creds, name)
		switch {
		case err != nil && isMissing(err), err == nil && !hasDigest(live.digests, repository(name), there):
			o.Args[must("push")] = false
			return
		case err != nil:
			info.warn("build %s: whether the registry has %s is not known: %v", spec.Name, name, err)
			return
		}
	}
	live.answered = true
}

// isMissing reports whether a registry has no image of a name. Engines pass on
// what it says.
func isMissing(err error) bool {
	low := strings.ToLower(err.Error())
	return remote.IsNotFound(err) || strings.Contains(low, "manifest unknown") || strings.Contains(low, "name unknown") || strings.Contains(low, "not found")
}
