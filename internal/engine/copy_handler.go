package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// copyHandler copies images from one engine to another.
type copyHandler struct{}

// Create implements [resource.Handler]. An image that is there is only named.
func (copyHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec ImageCopySpec
	if err := copySchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	id := *spec.ID
	_, err = c.Docker().ImageInspect(ctx, id)
	if err = remote.Err(err); remote.IsNotFound(err) {
		err = c.copyFrom(ctx, &spec, r)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range append([]LocalRef{spec.Image}, spec.Tags...) {
		if err := c.Docker().ImageTag(ctx, id, string(name)); err != nil {
			return nil, remote.Err(err)
		}
	}
	made := &resource.Object{Kind: "image_copy", ID: id + " as " + string(spec.Image), Name: string(spec.Image), Args: r.Args}
	made.Out = map[string]value.Value{"ref": made.Name}
	return made, nil
}

// Update implements [resource.Handler].
func (h copyHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, rc, r)
}

// Delete implements [resource.Handler]: it takes the image's names away, and the
// image with its last one.
func (copyHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	var live ImageCopySpec
	if err := copySchema.Decode(r.Live.Args, &live); err != nil {
		return err
	}
	for _, name := range append([]LocalRef{live.Image}, live.Tags...) {
		if _, err := c.Docker().ImageRemove(ctx, string(name), image.RemoveOptions{PruneChildren: true}); err != nil && !remote.IsNotFound(err) {
			return remote.Err(err)
		}
	}
	return nil
}

// copyFrom brings an image from the engine that has it.
func (c *Conn) copyFrom(ctx context.Context, spec *ImageCopySpec, r *resource.Request) error {
	from, err := r.Scope(ctx, spec.Source)
	if err != nil {
		return err
	}
	src, err := connOf(from)
	if err != nil {
		return err
	}
	img, err := src.Docker().ImageInspect(ctx, string(spec.Image))
	switch err = remote.Err(err); {
	case remote.IsNotFound(err):
		return fmt.Errorf("%s has no image %s any more: run it again", spec.Source, spec.Image)
	case err != nil:
		return err
	case img.ID != *spec.ID:
		return fmt.Errorf("%s is another image on %s by now: run it again", spec.Image, spec.Source)
	}
	if err := c.mayHold(&img, src, spec); err != nil {
		return err
	}
	here := c.layersHere(ctx, &img)
	err = c.load(ctx, src, spec, img.Size, here, r.Progress)
	if err != nil && len(here) > 0 && strings.Contains(err.Error(), "no such file") {
		err = c.load(ctx, src, spec, img.Size, nil, r.Progress) // a layer was removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("%s was not copied from %s: %w", spec.Image, spec.Source, err)
	}
	if _, err := c.Docker().ImageInspect(ctx, img.ID); err != nil {
		return fmt.Errorf("%s was copied from %s, and is not there: %w", spec.Image, spec.Source, remote.Err(err))
	}
	return nil
}

// mayHold refuses what the engine could not run, or would not know again.
func (c *Conn) mayHold(img *image.InspectResponse, src *Conn, spec *ImageCopySpec) error {
	here := c.info()
	if at := here.OSType + "/" + here.Architecture; !runs(here.OSType, here.Architecture, img.Os, img.Architecture) {
		return fmt.Errorf("%s is for %s/%s, and this engine is %s: build one for its platform, on an engine of its own", spec.Image, img.Os, img.Architecture, at)
	}
	if ours, theirs := storeOf(here), storeOf(src.info()); ours != theirs {
		return fmt.Errorf("%s cannot be copied from %s: its engine keeps images in %s, this one in %s, where the same image has another ID; set both engines alike (containerd-snapshotter in daemon.json)",
			spec.Image, spec.Source, theirs, ours)
	}
	return nil
}

// info is what the engine said of itself when it was last observed.
func (c *Conn) info() system.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return system.Info{}
	}
	return c.last.Info
}

// runs reports whether an engine runs images of a platform by itself. Of what it
// has no word, it is not known that it does not.
func runs(os, arch, imageOS, imageArch string) bool {
	if os == "" || arch == "" || imageOS == "" || imageArch == "" {
		return true
	}
	if a, ok := archAliases[arch]; ok {
		arch = a
	}
	if strings.HasPrefix(arch, "armv") {
		arch = "arm"
	}
	older := map[string]string{"amd64": "386", "arm64": "arm"}
	return os == imageOS && (arch == imageArch || older[arch] == imageArch)
}

// storeOf is where an engine keeps its images. What an image's ID is depends on it.
func storeOf(info system.Info) string {
	if slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"}) {
		return "containerd's store"
	}
	return ownStore
}

// ownStore is where engines keep images that are not told to use containerd's store.
const ownStore = "a store of its own"

// maxCopies bounds the copies out of an engine at once. Each holds a connection to
// it, and the engine writes the whole image to its disk before it sends it.
const maxCopies = 3

// load streams what one engine saves, without the layers that are here, into another
// one, which loads it.
func (c *Conn) load(ctx context.Context, src *Conn, spec *ImageCopySpec, size int64, here map[string]bool, tell func(resource.Progress)) error {
	select {
	case src.copies <- struct{}{}:
		defer func() { <-src.copies }()
	case <-ctx.Done():
		return ctx.Err()
	}
	saved, err := src.Docker().ImageSave(ctx, []string{string(spec.Image)})
	if err != nil {
		return fmt.Errorf("%s: %w", spec.Source, fullDisk(remote.Err(err)))
	}
	defer saved.Close()
	said := &lastWords{from: saved}
	thin := thinned(said, here)
	sent := &sending{from: thin, size: size, tell: tell}
	got, err := c.Docker().ImageLoad(ctx, sent, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = followLoad(got.Body)
		got.Body.Close()
	}
	thin.Close()
	sent.end()
	if broken := said.end(); broken != nil {
		return fmt.Errorf("%s: %w", spec.Source, fullDisk(broken))
	}
	return fullDisk(remote.Err(err))
}

// followLoad reads what an engine says of a load until its end, and returns the
// error in it.
func followLoad(r io.Reader) error {
	return transfer(r, func(pullMessage) resource.Progress { return resource.Progress{} }, nil)
}

// fullDisk says what to do about a disk that is full.
func fullDisk(err error) error {
	if err != nil && strings.Contains(err.Error(), "no space left on device") {
		return fmt.Errorf("its disk is full: %w (docker system df tells what is on it, docker image prune --all removes what no container uses)", err)
	}
	return err
}

// sending reads what an engine is sent, and tells how far it is. An engine that
// refuses to load it answers while it is still read, by a goroutine of the connection.
type sending struct {
	from io.Reader
	size int64 // what its layers are at most, about
	tell func(resource.Progress)

	mu   sync.Mutex
	over bool // nobody is told any more
	sent int64
	told time.Time
}

// Read implements [io.Reader].
func (s *sending) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return n, err
	}
	s.sent += int64(n)
	switch {
	case err == io.EOF:
		s.tell(resource.Progress{Text: fmt.Sprintf("sent %s, which is loaded", units.HumanSize(float64(s.sent)))})
	case err == nil && time.Since(s.told) >= tellEvery:
		s.told = time.Now()
		s.tell(resource.Progress{Text: fmt.Sprintf("sent %s of at most %s", units.HumanSize(float64(s.sent)), units.HumanSize(float64(max(s.size, s.sent))))})
	}
	return n, err
}

func (s *sending) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// lastWords reads an image that an engine saves, and keeps how that ends.
type lastWords struct {
	from io.Reader

	mu   sync.Mutex
	over bool
	tail []byte // the end of what was read
	err  error
}

// maxLastWords bounds how much of a stream's end is searched for an error.
const maxLastWords = 4 << 10

// Read implements [io.Reader].
func (s *lastWords) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return n, err
	}
	s.tail = append(s.tail, b[:n]...)
	s.tail = s.tail[max(0, len(s.tail)-maxLastWords):]
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// end returns why an image was not saved to its end, nil where it was. An engine
// that has begun says so in a line behind what it has sent.
func (s *lastWords) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.err != nil {
		return remote.Err(s.err)
	}
	at := bytes.LastIndex(s.tail, []byte(`{"errorDetail"`))
	if at < 0 {
		return nil
	}
	var m pullMessage
	if json.NewDecoder(bytes.NewReader(s.tail[at:])).Decode(&m) != nil || m.Error == "" {
		return nil
	}
	return remote.Err(errors.New(m.Error))
}
