package engine

import (
	"archive/tar"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/image"
)

// Layers that an engine has of other images are not sent to it. docker load knows a
// layer by its content and by all that is below it, and where it has that, it does
// not look for the layer in the archive. So they are left out of what docker save has
// written, as far as that says which file is which layer: engines from 25 on name
// them by their digests, older ones do not, and there all of them are sent. Nor does
// it go where images are kept in containerd's store, which wants all files.

// atOnce bounds the requests for images at a time.
const atOnce = 8

// layersHere are those of an image that the engine has, by their digests. What it does
// not tell is sent.
func (c *Conn) layersHere(ctx context.Context, img *image.InspectResponse) map[string]bool {
	if storeOf(c.info()) != ownStore {
		return nil
	}
	all, err := c.Docker().ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil
	}
	others := make([][]string, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if o, err := c.Docker().ImageInspect(ctx, all[i].ID); err == nil {
				others[i] = o.RootFS.Layers
			}
		})
	}
	wg.Wait()
	return shared(img.RootFS.Layers, others)
}

// shared are the layers of an image that it has in common with one of the others: the
// lowest ones, as a layer is another one on top of something else. One that comes
// once more above is not among them, as its file is needed there.
func shared(layers []string, others [][]string) map[string]bool {
	most := 0
	for _, o := range others {
		n := 0
		for n < min(len(o), len(layers)) && o[n] == layers[n] {
			n++
		}
		most = max(most, n)
	}
	out := map[string]bool{}
	for _, l := range layers[:most] {
		if !slices.Contains(layers[most:], l) {
			out[l] = true
		}
	}
	return out
}

// withoutLayers copies a saved image, but for some of its layers, and reads it to its
// very end.
func withoutLayers(to io.Writer, from io.Reader, layers map[string]bool) error {
	in, out := tar.NewReader(from), tar.NewWriter(to)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if hex, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && layers["sha256:"+hex] {
			continue
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, from) // an engine that gave up says so behind the archive
	return err
}

// thinned is a saved image without some of its layers, until it is closed.
func thinned(from io.Reader, layers map[string]bool) io.ReadCloser {
	if len(layers) == 0 {
		return io.NopCloser(from)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(withoutLayers(w, from, layers)) }()
	return r
}
