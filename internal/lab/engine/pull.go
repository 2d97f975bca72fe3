//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
	registrytypes "github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/streamformatter"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// manifestDigest is the digest that a reference has in its registry.
func manifestDigest(named reference.Named) digest.Digest {
	if d, ok := named.(reference.Digested); ok {
		return d.Digest()
	}
	return digestOf("manifest of %s", canonical(named))
}

// pullError is what a registry, or the way to it, says to a faulty pull.
func pullError(fault string, named reference.Named) error {
	host, path := reference.Domain(named), reference.Path(named)
	if host == "docker.io" {
		host = "registry-1.docker.io"
	}
	_, common := catalogue[reference.FamiliarName(named)]
	switch {
	case fault == "missing" && common:
		return notFound("manifest for %s not found: manifest unknown: manifest unknown", reference.FamiliarString(named))
	case fault == "missing":
		return notFound("pull access denied for %s, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", reference.FamiliarName(named))
	case fault == "unauthorized":
		return errdefs.Unauthorized(fmt.Errorf("Head %q: unauthorized: authentication required", fmt.Sprintf("https://%s/v2/%s/manifests/%s", host, path, tagOf(named))))
	case fault == "unreachable":
		return errdefs.System(fmt.Errorf("Get %q: dial tcp: lookup %s: no such host", "https://"+host+"/v2/", host))
	}
	return nil
}

// pull brings an image from its registry, and says how it goes.
func (e *Engine) pull(ctx context.Context, named reference.Named, service string, labels map[string]string, out io.Writer) error {
	named = reference.TagNameOnly(named)
	say := func(id, format string, args ...any) {
		_, _ = out.Write(streamformatter.FormatStatus(id, format, args...))
	}
	fault := e.pullFault(reference.FamiliarString(named), service, labels)
	if fault == "slow" {
		if err := e.pause(ctx, slowPull); err != nil {
			return err
		}
	}
	if err := pullError(fault, named); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	familiar := reference.FamiliarString(named)
	say(tagOf(named), "Pulling from %s", reference.Path(named))
	if have, err := e.images.find(named.String()); err == nil {
		if _, digests := have.names(); len(digests) > 0 {
			say("", "Digest: %s", manifestDigest(named))
		}
		say("", "Status: Image is up to date for %s", familiar)
		e.imageEvent(have, events.ActionPull, familiar)
		return nil
	}
	img := e.addImage(pulled(named))
	layer := short(img.Config.RootFS.DiffIDs[0])
	for _, step := range []string{"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"} {
		say(layer, "%s", step)
	}
	d := manifestDigest(named)
	if _, byDigest := named.(reference.Digested); !byDigest {
		e.tag(img, named)
	}
	if digested, err := reference.WithDigest(reference.TrimNamed(named), d); err == nil {
		e.tag(img, digested)
	}
	say("", "Digest: %s", d)
	say("", "Status: Downloaded newer image for %s", familiar)
	e.imageEvent(img, events.ActionPull, familiar)
	return nil
}

// Distribution is what the registry says of an image, as `docker service create`
// asks for to pin the digest.
func (e *Engine) Distribution(_ context.Context, image string) (registrytypes.DistributionInspect, error) {
	var none registrytypes.DistributionInspect
	parsed, err := reference.ParseAnyReference(image)
	if err != nil {
		return none, errdefs.InvalidParameter(err)
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		return none, invalid("unknown image reference format: %s", image)
	}
	named = reference.TagNameOnly(named)
	if err := pullError(e.pullFault(reference.FamiliarString(named), "", nil), named); err != nil {
		return none, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	there := manifestDigest(named)
	if have, err := e.images.find(named.String()); err == nil {
		_, digests := have.names()
		if len(digests) == 0 { // loaded: no registry has it
			return none, pullError("missing", named)
		}
		if pushed := digestOf("manifest of %s", have.ID); slices.Contains(digests, reference.FamiliarName(named)+"@"+pushed.String()) {
			there = pushed
		}
	}
	return registrytypes.DistributionInspect{
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: there, Size: 1024},
		Platforms:  []ocispec.Platform{{Architecture: architecture, OS: "linux"}},
	}, nil
}
