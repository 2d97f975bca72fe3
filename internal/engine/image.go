package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ImageSpec is what docker pull can say. An image is its reference: one that
// the engine has under it is the one that is meant, wherever it is from.
type ImageSpec struct {
	Ref      LocalRef  `star:"ref,livename,pos,local" flag:"NAME" doc:"The reference, with a tag or a digest."`
	Platform *Platform `star:"platform" flag:"--platform" doc:"Which of the platforms to pull, as linux/arm64; the engine's own if left out. Costs a plan one more request."`
	Pull     string    `star:"pull,local" enum:"missing,always" default:"missing" doc:"When it is pulled: when the engine has none of that name, or also when the registry has another one than the engine. A plan then asks the registry; one that does not answer is a warning."`
}

// SchemaName implements [schema.Named].
func (*ImageSpec) SchemaName() (string, string) {
	return "image", "An image on an engine, pulled from its registry. Images carry no marks: one that is no longer declared is forgotten, not removed."
}

// LocalRef is what an engine calls an image that was pulled by a reference: in
// the short form, with a tag or a digest; a tag beside a digest is dropped.
type LocalRef string

// Normal implements [schema.Normaler].
func (r LocalRef) Normal() (string, error) {
	named, err := reference.ParseNormalizedNamed(string(r))
	if err != nil {
		return "", fmt.Errorf("%q is not an image reference: %w", string(r), err)
	}
	if d, ok := named.(reference.Canonical); ok {
		return reference.FamiliarName(named) + "@" + d.Digest().String(), nil
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}

// Platform is an operating system and an architecture, as linux/arm64.
type Platform string

var archAliases = map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm"}

// Normal implements [schema.Normaler].
func (p Platform) Normal() (string, error) {
	parts := strings.Split(strings.ToLower(string(p)), "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return "", fmt.Errorf("got %q, want OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", string(p))
	}
	if a, ok := archAliases[parts[1]]; ok {
		parts[1] = a
	}
	if parts[1] == "arm64" && len(parts) == 3 && parts[2] == "v8" {
		parts = parts[:2] // the only one there is
	}
	return strings.Join(parts, "/"), nil
}

var imageSchema = schema.Of(ImageSpec{})

// ImageKind is an image on an engine.
var ImageKind = &resource.Kind{
	Name:     "image",
	Schema:   imageSchema,
	Scope:    "engine",
	Rank:     5,
	Unmarked: true,
	Out: []resource.Output{
		{Name: "ref", Type: "string", Stable: true, Arg: "ref", Doc: "The reference."},
		{Name: "id", Type: "string", Doc: "The image's ID."},
		{Name: "digest", Type: "string", Doc: "Its digest in the registry; empty where it is from none."},
		{Name: "size", Type: "int", Doc: "How many bytes its layers are."},
	},
	Handler: imageHandler{},
}

// listImages returns the images by their tags and digests, and looks closer at
// those that the script asks for in other ways.
func listImages(ctx context.Context, api client.APIClient, info listInfo) ([]*resource.Object, error) {
	all, err := api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []*resource.Object
	byName := map[string]*resource.Object{}
	for _, s := range all {
		for _, name := range slices.Concat(s.RepoTags, s.RepoDigests) {
			if strings.Contains(name, "<none>") {
				continue // neither a tag nor a digest
			}
			o := imageObject(name, s.ID, s.RepoDigests, s.Size)
			byName[name] = o
			out = append(out, o)
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, d := range info.Declared {
		var spec ImageSpec
		if d.Kind != ImageKind || !value.Known(d.Args) || imageSchema.Decode(d.Args, &spec) != nil {
			continue
		}
		o := byName[string(spec.Ref)]
		if o == nil {
			continue
		}
		delete(byName, string(spec.Ref)) // once is enough
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			lookCloser(ctx, api, info, &spec, o)
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// imageObject is an image under one of its names.
func imageObject(name, id string, digests []string, size int64) *resource.Object {
	return &resource.Object{
		Kind: "image", ID: id + " as " + name, Name: name,
		Args:   imageSchema.Encode(&ImageSpec{Ref: LocalRef(name), Pull: "missing"}),
		Out:    map[string]value.Value{"ref": name, "id": id, "digest": digestOf(name, digests), "size": size},
		Native: digests,
	}
}

// digestOf returns the digest that an image has in the repository of a name,
// "" where it has none.
func digestOf(name string, digests []string) string {
	repo := repository(name)
	for _, d := range digests {
		if of, digest, ok := strings.Cut(d, "@"); ok && of == repo {
			return digest
		}
	}
	return ""
}

// repository is a name in an engine's short form without its tag or digest.
func repository(name string) string {
	repo, _, ok := strings.Cut(name, "@")
	if i := strings.LastIndexByte(repo, ':'); !ok && i > strings.LastIndexByte(repo, '/') {
		repo = repo[:i]
	}
	return repo
}

// lookCloser adds to a declared image what only a request of its own tells:
// its platform, and whether its registry has another one.
func lookCloser(ctx context.Context, api client.APIClient, info listInfo, spec *ImageSpec, o *resource.Object) {
	if spec.Platform != nil {
		got, err := api.ImageInspect(ctx, o.Name)
		if err != nil {
			info.warn("image %s: its platform is not known: %v", o.Name, remote.Err(err))
			p := *spec.Platform // no reason to pull it
			got.Os, got.Architecture, _ = strings.Cut(string(p), "/")
		}
		live := &ImageSpec{Ref: spec.Ref, Pull: "missing", Platform: platformAs(*spec.Platform, got.Os, got.Architecture, got.Variant)}
		o.Args = imageSchema.Encode(live)
	}
	if spec.Pull != "always" {
		return
	}
	there, err := registryDigest(ctx, api, info.creds, o.Name)
	if err != nil {
		info.warn("image %s: whether its registry has another one is not known: %v", o.Name, err)
		return
	}
	if !hasDigest(o.Native.([]string), repository(o.Name), there) {
		// Only another pull makes it what is asked for.
		o.Unsettled, o.Stuck = "the registry has another one, "+shortDigest(there), true
	}
}

// platformAs returns a live platform in the detail of a declared one: without
// the variant where that has none.
func platformAs(declared Platform, os, arch, variant string) *Platform {
	text := os + "/" + arch
	if variant != "" && strings.Count(string(declared), "/") == 2 {
		text += "/" + variant
	}
	if normal, err := Platform(text).Normal(); err == nil {
		text = normal
	}
	p := Platform(text)
	return &p
}

func hasDigest(digests []string, repo, digest string) bool {
	return slices.Contains(digests, repo+"@"+digest)
}

func shortDigest(d string) string {
	if _, hex, ok := strings.Cut(d, ":"); ok && len(hex) > 12 {
		return hex[:12]
	}
	return d
}

// registryTime bounds how long a plan waits for a registry.
const registryTime = 5 * time.Second

// registryDigest asks an image's registry, through the engine, for the digest
// that a reference has there.
func registryDigest(ctx context.Context, api client.APIClient, creds remote.Credentials, name string) (string, error) {
	auth, err := creds.For(name)
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	got, err := api.DistributionInspect(limited, name, auth)
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return "", fmt.Errorf("the registry did not answer in %s", registryTime)
	}
	return got.Descriptor.Digest.String(), remote.Err(err)
}
