package engine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/streamformatter"
)

const maxConfig = 4 << 20 // of an image's configuration within an archive

// savedImages is what is read of the output of `docker save`: small files, and the
// sizes of all.
type savedImages struct {
	files map[string][]byte
	sizes map[string]int64
}

func readArchive(r io.Reader) (savedImages, error) {
	a := savedImages{map[string][]byte{}, map[string]int64{}}
	r, err := plain(r)
	if err != nil {
		return a, err
	}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		name := path.Clean(h.Name)
		a.sizes[name] = h.Size
		if h.Typeflag == tar.TypeSymlink { // a layer that another image has, too
			a.sizes[name] = a.sizes[path.Join(path.Dir(name), h.Linkname)]
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxConfig {
			continue
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return a, err
		}
		a.files[name] = content
	}
}

// plain undoes gzip, where a stream has it.
func plain(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(b)
	}
	return b, nil
}

// loadArchive is `docker load`.
func (e *Engine) loadArchive(r io.Reader, out io.Writer) error {
	a, err := readArchive(r)
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	manifest, ok := a.files["manifest.json"]
	if !ok {
		return invalid("open /var/lib/docker/tmp/docker-import/manifest.json: no such file or directory")
	}
	var entries []archiveEntry
	if err := json.Unmarshal(manifest, &entries); err != nil {
		return invalid("manifest.json: %w", err)
	}
	extra := map[string]labImage{}
	if text, ok := a.files[labFile]; ok {
		if err := json.Unmarshal(text, &extra); err != nil {
			return invalid("%s: %w", labFile, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, entry := range entries {
		raw, ok := a.files[path.Clean(entry.Config)]
		if !ok {
			return invalid("%s: no such file in the archive", entry.Config)
		}
		img := &image{Raw: raw}
		if err := json.Unmarshal(raw, &img.Config); err != nil {
			return invalid("%s: %w", entry.Config, err)
		}
		if len(img.Config.RootFS.DiffIDs) != len(entry.Layers) {
			return invalid("invalid manifest, layers length mismatch: expected %d, got %d", len(img.Config.RootFS.DiffIDs), len(entry.Layers))
		}
		for _, layer := range entry.Layers {
			img.Size += a.sizes[path.Clean(layer)]
		}
		if more, ok := extra[entry.Config]; ok {
			img.Size, img.Comment, img.Starts = more.Size, more.Comment, more.Starts
		}
		img.seal()
		img = e.addImage(img)
		e.imageEvent(img, events.ActionLoad, img.ID)
		if err := e.loaded(img, entry.RepoTags, out); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) loaded(img *image, tags []string, out io.Writer) error {
	for _, tag := range tags {
		named, err := reference.ParseNormalizedNamed(tag)
		if err != nil {
			return errdefs.InvalidParameter(err)
		}
		e.tag(img, named)
		_, _ = fmt.Fprintf(streamformatter.NewStdoutWriter(out), "Loaded image: %s\n", reference.FamiliarString(reference.TagNameOnly(named)))
	}
	if len(tags) == 0 {
		_, _ = fmt.Fprintf(streamformatter.NewStdoutWriter(out), "Loaded image ID: %s\n", img.ID)
	}
	return nil
}

// importLayer is `docker import`: an image of one layer.
func (e *Engine) importLayer(named reference.Named, comment string, r io.Reader, changes []string) (*image, error) {
	now := time.Now().UTC()
	img := &image{Comment: comment}
	img.Config.Created, img.Config.Architecture, img.Config.OS = &now, architecture, "linux"
	if err := applyChanges(&img.Config.Config, changes); err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	layer, err := plain(r)
	if err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	hash := sha256.New()
	layer = io.TeeReader(layer, hash)
	tr := tar.NewReader(layer)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errdefs.InvalidParameter(err)
		}
		img.Size += h.Size
	}
	if _, err := io.Copy(io.Discard, layer); err != nil { // what follows the archive's end is in its digest
		return nil, err
	}
	img.Config.RootFS.Type = "layers"
	img.Config.RootFS.DiffIDs = []string{fmt.Sprintf("sha256:%x", hash.Sum(nil))}
	img.Config.History = []imageHistory{{Created: &now, Comment: comment}}
	img.seal()
	e.mu.Lock()
	defer e.mu.Unlock()
	img = e.addImage(img)
	if named != nil {
		e.tag(img, named)
	}
	name := img.ID
	if named != nil {
		name = reference.FamiliarString(named)
	}
	e.imageEvent(img, events.ActionImport, name)
	return img, nil
}

// jsonOrShell reads the arguments of CMD and ENTRYPOINT.
func jsonOrShell(text string) []string {
	var words []string
	if strings.HasPrefix(text, "[") && json.Unmarshal([]byte(text), &words) == nil {
		return words
	}
	return []string{"/bin/sh", "-c", text}
}
