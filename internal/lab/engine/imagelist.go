//lint:file-ignore SA1019 deprecated, and still sent: clients read it

package engine

import (
	"encoding/json"
	"path"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	imagetypes "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/storage"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

func (img *image) created() time.Time {
	if img.Config.Created == nil {
		return time.Time{}
	}
	return *img.Config.Created
}

func (e *Engine) imageSummary(img *image) *imagetypes.Summary {
	tags, digests := img.names()
	s := &imagetypes.Summary{
		ID: img.ID, RepoTags: tags, RepoDigests: digests, Size: img.Size, SharedSize: -1, Containers: -1,
		Labels: img.Config.Config.Labels, Created: img.created().Unix(),
	}
	if img.Config.Created == nil {
		s.Created = 0
	}
	return s
}

// listImages is `docker images`.
func (e *Engine) listImages(f filters.Args) ([]*imagetypes.Summary, error) {
	if err := f.Validate(map[string]bool{"dangling": true, "label": true, "label!": true, "before": true, "since": true, "reference": true, "until": true}); err != nil {
		return nil, err
	}
	dangling, err := f.GetBoolOrDefault("dangling", false)
	if err != nil {
		return nil, err
	}
	var before, since time.Time
	if before, err = untilOf(f); err != nil {
		return nil, err
	}
	for key, to := range map[string]*time.Time{"before": &before, "since": &since} {
		for _, ref := range f.Get(key) {
			img, err := e.images.find(ref)
			if err != nil {
				return nil, err
			}
			*to = img.created()
		}
	}
	found := []*imagetypes.Summary{}
	for _, img := range e.images.images {
		s := e.imageSummary(img)
		switch {
		case f.Contains("dangling") && dangling != (len(s.RepoTags) == 0),
			!before.IsZero() && !img.created().Before(before), !since.IsZero() && !img.created().After(since),
			!labelsMatch(f, s.Labels):
			continue
		}
		if patterns := f.Get("reference"); len(patterns) > 0 {
			s.RepoTags = matching(patterns, s.RepoTags)
			s.RepoDigests = matching(patterns, s.RepoDigests)
			if len(s.RepoTags)+len(s.RepoDigests) == 0 {
				continue
			}
		}
		found = append(found, s)
	}
	sort.Slice(found, func(i, j int) bool {
		if found[i].Created != found[j].Created {
			return found[i].Created > found[j].Created
		}
		return found[i].ID < found[j].ID
	})
	return found, nil
}

func matching(patterns, refs []string) []string {
	kept := []string{}
	for _, ref := range refs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(patterns, func(p string) bool { ok, _ := reference.FamiliarMatch(p, named); return ok }) {
			kept = append(kept, ref)
		}
	}
	return kept
}

func (e *Engine) inspectImage(img *image) (*imagetypes.InspectResponse, error) {
	tags, digests := img.names()
	var spec struct {
		Config *dockerspec.DockerOCIImageConfig `json:"config"`
	}
	if err := json.Unmarshal(img.Raw, &spec); err != nil {
		return nil, err
	}
	if spec.Config == nil {
		spec.Config = &dockerspec.DockerOCIImageConfig{}
	}
	r := &imagetypes.InspectResponse{
		ID: img.ID, RepoTags: tags, RepoDigests: digests, Comment: img.Comment, Author: img.Config.Author, Config: spec.Config,
		Architecture: img.Config.Architecture, Variant: img.Config.Variant, Os: img.Config.OS, Size: img.Size,
		RootFS:      imagetypes.RootFS{Type: img.Config.RootFS.Type, Layers: img.Config.RootFS.DiffIDs},
		Metadata:    imagetypes.Metadata{LastTagTime: img.Tagged},
		GraphDriver: storage.DriverData{Name: e.daemon.StorageDriver, Data: map[string]string{}},
	}
	if n := len(img.Config.RootFS.DiffIDs); n > 0 {
		r.GraphDriver.Data["UpperDir"] = path.Join(e.daemon.DataRoot, e.daemon.StorageDriver, short(img.Config.RootFS.DiffIDs[n-1]), "diff")
	}
	if img.Config.Created != nil {
		r.Created = img.Config.Created.Format(time.RFC3339Nano)
	}
	return r, nil
}

// history is `docker history`, newest first.
func (img *image) history() []*imagetypes.HistoryResponseItem {
	items := []*imagetypes.HistoryResponseItem{}
	tags, _ := img.names()
	layered := false
	for _, h := range img.Config.History {
		item := &imagetypes.HistoryResponseItem{ID: "<missing>", Comment: h.Comment, CreatedBy: h.CreatedBy}
		if h.Created != nil {
			item.Created = h.Created.Unix()
		}
		if !h.EmptyLayer && !layered {
			item.Size, layered = img.Size, true
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return items
	}
	slices.Reverse(items)
	items[0].ID, items[0].Tags = img.ID, tags
	return items
}

// pruneImages is `docker image prune`.
func (e *Engine) pruneImages(f filters.Args) (*imagetypes.PruneReport, error) {
	if err := f.Validate(map[string]bool{"dangling": true, "label": true, "label!": true, "until": true}); err != nil {
		return nil, err
	}
	onlyDangling, err := f.GetBoolOrDefault("dangling", true)
	if err != nil {
		return nil, err
	}
	until, err := untilOf(f)
	if err != nil {
		return nil, err
	}
	report := &imagetypes.PruneReport{}
	for _, img := range e.images.images {
		tags, _ := img.names()
		if len(e.imageUsers(img)) > 0 || onlyDangling && len(tags) > 0 ||
			!until.IsZero() && img.created().After(until) || !labelsMatch(f, img.Config.Config.Labels) {
			continue
		}
		gone, err := e.deleteImage(img.ID, true)
		if err != nil {
			continue // in use after all
		}
		report.ImagesDeleted = append(report.ImagesDeleted, gone...)
		report.SpaceReclaimed += uint64(img.Size)
	}
	e.event(events.ImageEventType, events.ActionPrune, "", map[string]string{"reclaimed": strconv.FormatUint(report.SpaceReclaimed, 10)})
	return report, nil
}

func (e *Engine) imageUsage() *imagetypes.DiskUsage {
	du := &imagetypes.DiskUsage{Items: []*imagetypes.Summary{}}
	for _, img := range e.images.images {
		s := e.imageSummary(img)
		s.SharedSize, s.Containers = 0, int64(len(e.imageUsers(img)))
		du.TotalSize += img.Size
		du.Items = append(du.Items, s)
	}
	sort.Slice(du.Items, func(i, j int) bool { return du.Items[i].ID < du.Items[j].ID })
	return du
}
