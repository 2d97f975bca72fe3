package engine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/distribution/reference"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	imagetypes "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/errdefs"
	"github.com/opencontainers/go-digest"
)

// image is one that the engine has.
type image struct {
	ID      string // "sha256:" and the digest of its configuration
	Refs    []string
	Tagged  time.Time
	Size    int64
	Config  imageConfig
	Comment string
	Raw     json.RawMessage // the configuration, as it was loaded
	Starts  []string        // lines that its program logs
}

// imageConfig is what the simulation reads of an image's configuration.
type imageConfig struct {
	Created      *time.Time            `json:"created,omitempty"`
	Author       string                `json:"author,omitempty"`
	Architecture string                `json:"architecture"`
	Variant      string                `json:"variant,omitempty"`
	OS           string                `json:"os"`
	Config       containertypes.Config `json:"config"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []imageHistory `json:"history,omitempty"`
}

type imageHistory struct {
	Created    *time.Time `json:"created,omitempty"`
	CreatedBy  string     `json:"created_by,omitempty"`
	Comment    string     `json:"comment,omitempty"`
	EmptyLayer bool       `json:"empty_layer,omitempty"`
}

// imageStore is all images, by ID and by reference.
type imageStore struct {
	images map[string]*image
	refs   map[string]string // "docker.io/library/nginx:1.27": the ID
}

func newImageStore() imageStore {
	return imageStore{images: map[string]*image{}, refs: map[string]string{}}
}

func (e *Engine) loadImages() error {
	if err := each(e, "images", func(img *image) {
		e.images.images[img.ID] = img
		for _, ref := range img.Refs {
			e.images.refs[ref] = img.ID
		}
	}); err != nil {
		return err
	}
	raw := e.get("engine", "faults")
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, &e.faults)
}

// find looks an image up by reference, ID, or the beginning of an ID.
func (s *imageStore) find(ref string) (*image, error) {
	parsed, err := reference.ParseAnyReference(ref)
	if err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	named, isNamed := parsed.(reference.Named)
	if !isNamed {
		if d, ok := parsed.(reference.Digested); ok {
			if img := s.images[d.Digest().String()]; img != nil {
				return img, nil
			}
		}
		return nil, notFound("No such image: %s", ref)
	}
	if id, ok := s.refs[canonical(named)]; ok {
		return s.images[id], nil
	}
	var found *image
	hex := strings.TrimPrefix(ref, "sha256:")
	for id, img := range s.images {
		if strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), hex) {
			found = img
		}
	}
	if found == nil {
		return nil, notFound("No such image: %s", reference.FamiliarString(reference.TagNameOnly(named)))
	}
	return found, nil
}

// canonical is a reference's key: "docker.io/library/nginx:latest", or the name
// with the digest.
func canonical(named reference.Named) string {
	if d, ok := named.(reference.Digested); ok {
		return named.Name() + "@" + d.Digest().String()
	}
	return reference.TagNameOnly(named).String()
}

// add keeps an image.
func (e *Engine) addImage(img *image) *image {
	if have := e.images.images[img.ID]; have != nil {
		return have
	}
	e.images.images[img.ID] = img
	e.put("images", img.ID, img)
	return img
}

// tag gives an image a reference, and takes it from the one that had it.
func (e *Engine) tag(img *image, named reference.Named) {
	key := canonical(named)
	if old := e.images.images[e.images.refs[key]]; old != nil && old != img {
		old.Refs = without(old.Refs, key)
		e.put("images", old.ID, old)
	}
	if e.images.refs[key] == img.ID {
		return
	}
	e.images.refs[key] = img.ID
	img.Refs = append(img.Refs, key)
	sort.Strings(img.Refs)
	img.Tagged = time.Now().UTC()
	e.put("images", img.ID, img)
}

func without(list []string, item string) []string {
	var rest []string
	for _, s := range list {
		if s != item {
			rest = append(rest, s)
		}
	}
	return rest
}

// names are an image's references as people write them: tags, and digests.
func (img *image) names() (tags, digests []string) {
	tags, digests = []string{}, []string{}
	for _, ref := range img.Refs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			continue
		}
		if _, ok := named.(reference.Digested); ok {
			digests = append(digests, reference.FamiliarString(named))
		} else {
			tags = append(tags, reference.FamiliarString(named))
		}
	}
	return tags, digests
}

func (e *Engine) imageEvent(img *image, action events.Action, ref string) {
	attributes := map[string]string{}
	if img != nil {
		for k, v := range img.Config.Config.Labels {
			attributes[k] = v
		}
	}
	attributes["name"] = ref
	id := ref
	if img != nil && action != events.ActionPull {
		id = img.ID
	}
	e.event(events.ImageEventType, action, id, attributes)
}

// imageUsers is the containers of an image, those that run first.
func (e *Engine) imageUsers(img *image) (users []*container) {
	for _, c := range e.sorted() {
		if c.Image == img.ID {
			users = append(users, c)
		}
	}
	sort.SliceStable(users, func(i, j int) bool { return users[i].State.Running && !users[j].State.Running })
	return users
}

func short(id string) string { return strings.TrimPrefix(id, "sha256:")[:12] }

// deleteImage is `docker rmi`: it takes a reference away, and the image with the
// last one.
func (e *Engine) deleteImage(ref string, force bool) ([]imagetypes.DeleteResponse, error) {
	img, err := e.images.find(ref)
	if err != nil {
		return nil, err
	}
	users := e.imageUsers(img)
	tags, _ := img.names()
	named, err := reference.ParseNormalizedNamed(ref)
	byID := err != nil || e.images.refs[canonical(named)] == ""
	gone := []imagetypes.DeleteResponse{}
	if !byID {
		if len(tags) <= 1 && len(users) > 0 && !force {
			return nil, conflict("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
				ref, short(users[0].ID), short(img.ID))
		}
		gone = append(gone, e.untag(img, canonical(named)))
		if rest, _ := img.names(); len(rest) > 0 || len(users) > 0 {
			return gone, nil
		}
	} else {
		if err := mayDelete(img, tags, users, force); err != nil {
			return nil, err
		}
	}
	for _, key := range append([]string{}, img.Refs...) {
		gone = append(gone, e.untag(img, key))
	}
	delete(e.images.images, img.ID)
	e.drop("images", img.ID)
	e.imageEvent(img, events.ActionDelete, img.ID)
	return append(gone, imagetypes.DeleteResponse{Deleted: img.ID}), nil
}

func mayDelete(img *image, tags []string, users []*container, force bool) error {
	repositories := map[string]bool{}
	for _, t := range tags {
		repositories[t[:strings.LastIndex(t, ":")]] = true
	}
	switch {
	case len(users) > 0 && users[0].State.Running:
		return conflict("conflict: unable to delete %s (cannot be forced) - image is being used by running container %s", short(img.ID), short(users[0].ID))
	case len(repositories) > 1 && !force:
		return conflict("conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", short(img.ID))
	case len(users) > 0 && !force:
		return conflict("conflict: unable to delete %s (must be forced) - image is being used by stopped container %s", short(img.ID), short(users[0].ID))
	}
	return nil
}

func (e *Engine) untag(img *image, key string) imagetypes.DeleteResponse {
	delete(e.images.refs, key)
	img.Refs = without(img.Refs, key)
	e.put("images", img.ID, img)
	named, err := reference.ParseNormalizedNamed(key)
	familiar := key
	if err == nil {
		familiar = reference.FamiliarString(named)
	}
	e.imageEvent(img, events.ActionUnTag, img.ID)
	return imagetypes.DeleteResponse{Untagged: familiar}
}

// digestOf is a made-up digest that is always the same for the same text.
func digestOf(format string, args ...any) digest.Digest {
	return digest.NewDigestFromBytes(digest.SHA256, sum(fmt.Sprintf(format, args...)))
}

func sum(text string) []byte {
	s := sha256.Sum256([]byte(text))
	return s[:]
}
