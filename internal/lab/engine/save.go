package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/errdefs"
)

// labFile is what an archive of a lab says of images beside what docker's does:
// layers that were never made are empty files in it.
const labFile = "swarmscript-lab.json"

// labImage is what only a lab knows of an image.
type labImage struct {
	Size    int64    `json:"size"`
	Comment string   `json:"comment,omitempty"`
	Starts  []string `json:"starts,omitempty"`
}

// archiveEntry is an image in the manifest of an archive.
type archiveEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// save is `docker save`.
func (r imageRoutes) save(_ context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	names := req.Form["names"]
	if name, ok := vars["name"]; ok {
		names = []string{name}
	}
	files, err := r.e.archiveOf(names)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	return writeArchive(w, files)
}

// archiveFile is a file of an archive.
type archiveFile struct {
	name    string
	content []byte
}

// archiveOf are the files of an archive of images.
func (e *Engine) archiveOf(names []string) ([]archiveFile, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var files []archiveFile
	var manifest []*archiveEntry
	byID, extra := map[string]*archiveEntry{}, map[string]labImage{}
	for _, name := range names {
		img, err := e.images.find(name)
		if err != nil {
			return nil, err
		}
		entry := byID[img.ID]
		if entry == nil {
			hex := strings.TrimPrefix(img.ID, "sha256:")
			entry = &archiveEntry{Config: hex + ".json"}
			files = append(files, archiveFile{entry.Config, img.Raw})
			for i := range img.Config.RootFS.DiffIDs {
				layer := fmt.Sprintf("%s/%d.tar", hex, i)
				files = append(files, archiveFile{name: layer})
				entry.Layers = append(entry.Layers, layer)
			}
			byID[img.ID], extra[entry.Config] = entry, labImage{img.Size, img.Comment, img.Starts}
			manifest = append(manifest, entry)
		}
		if named, err := reference.ParseNormalizedNamed(name); err == nil && e.images.refs[canonical(named)] == img.ID {
			if _, digested := named.(reference.Digested); !digested {
				entry.RepoTags = append(entry.RepoTags, reference.FamiliarString(reference.TagNameOnly(named)))
			}
		}
	}
	for name, v := range map[string]any{"manifest.json": manifest, labFile: extra} {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, errdefs.System(err)
		}
		files = append(files, archiveFile{name, text})
	}
	return files, nil
}

func writeArchive(w io.Writer, files []archiveFile) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.content))}); err != nil {
			return err
		}
		if _, err := tw.Write(f.content); err != nil {
			return err
		}
	}
	return tw.Close()
}
