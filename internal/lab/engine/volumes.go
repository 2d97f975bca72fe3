package engine

import (
	"context"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	timetypes "github.com/docker/docker/api/types/time"
	volumetypes "github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/volume/service/opts"
)

const anonymousLabel = "com.docker.volume.anonymous"

// volume is one of the driver local, the only one there is.
type volume struct{ volumetypes.Volume }

// createVolume makes a volume, or returns the one of that name, as Docker does.
func (e *Engine) createVolume(name, driver string, options, labels map[string]string) (*volume, error) {
	if name == "" {
		name = newID()
		labels = maps.Clone(labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[anonymousLabel] = ""
	}
	if v := e.volumes[name]; v != nil {
		if driver != "" && driver != v.Driver {
			return nil, conflict("create %s: volume name must be unique", name)
		}
		return v, nil
	}
	if driver != "" && driver != "local" {
		return nil, notFound("create %s: error looking up volume plugin %s: plugin %q not found", name, driver, driver)
	}
	if len(name) < 2 {
		return nil, invalid("create %s: volume name is too short, names should be at least two alphanumeric characters", name)
	}
	if !namePattern().MatchString(name) {
		return nil, invalid("create %s: %q includes invalid characters for a local volume name, only %q are allowed. If you intended to pass a host directory, use absolute path", name, name, "[a-zA-Z0-9][a-zA-Z0-9_.-]")
	}
	if err := localOptions(name, options); err != nil {
		return nil, err
	}
	v := &volume{volumetypes.Volume{
		CreatedAt: time.Now().UTC().Format(time.RFC3339), Driver: "local", Labels: labels, Name: name, Options: options, Scope: scopeLocal,
		Mountpoint: e.daemon.DataRoot + "/volumes/" + name + "/_data",
	}}
	e.volumes[name] = v
	e.put("volumes", name, v)
	e.event(events.VolumeEventType, events.ActionCreate, name, map[string]string{"driver": v.Driver})
	return v, nil
}

func localOptions(name string, options map[string]string) error {
	for key := range options {
		if !slices.Contains([]string{"type", "o", "device", "size"}, key) {
			return invalid("create %s: invalid option: %q", name, key)
		}
	}
	if _, size := options["size"]; size {
		return invalid("create %s: quota size requested but no quota support", name)
	}
	if len(options) > 0 && options["device"] == "" {
		return invalid("create %s: missing device in volume options", name)
	}
	if len(options) > 0 && options["type"] == "" && !strings.Contains(options["o"], "bind") {
		return invalid("create %s: missing type in volume options", name)
	}
	return nil
}

// volumeUsers is the containers that have a volume.
func (e *Engine) volumeUsers(name string) (ids []string) {
	for _, c := range e.containers {
		for _, m := range c.Mounts {
			if m.Name == name {
				ids = append(ids, c.ID)
				break
			}
		}
	}
	sort.Strings(ids)
	return ids
}

func (e *Engine) deleteVolume(v *volume) {
	delete(e.volumes, v.Name)
	e.drop("volumes", v.Name)
	e.event(events.VolumeEventType, events.ActionDestroy, v.Name, map[string]string{"driver": v.Driver})
}

// volumeBackend is what Docker's volume routes ask for.
type volumeBackend struct{ e *Engine }

func (b volumeBackend) List(_ context.Context, f filters.Args) ([]*volumetypes.Volume, []string, error) {
	if err := f.Validate(map[string]bool{"dangling": true, "name": true, "driver": true, "label": true}); err != nil {
		return nil, nil, err
	}
	onlyDangling, err := f.GetBoolOrDefault("dangling", false)
	if err != nil {
		return nil, nil, err
	}
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	found := []*volumetypes.Volume{}
	for _, v := range b.e.volumes {
		if f.Contains("dangling") && onlyDangling != (len(b.e.volumeUsers(v.Name)) == 0) {
			continue
		}
		if f.Match("name", v.Name) && f.ExactMatch("driver", v.Driver) && f.MatchKVList("label", v.Labels) {
			shown := v.Volume
			found = append(found, &shown)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found, nil, nil
}

func (b volumeBackend) Get(_ context.Context, name string, _ ...opts.GetOption) (*volumetypes.Volume, error) {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	v := b.e.volumes[name]
	if v == nil {
		return nil, notFound("get %s: no such volume", name)
	}
	shown := v.Volume
	return &shown, nil
}

func (b volumeBackend) Create(_ context.Context, name, driver string, options ...opts.CreateOption) (*volumetypes.Volume, error) {
	var given opts.CreateConfig
	for _, o := range options {
		o(&given)
	}
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	v, err := b.e.createVolume(name, driver, given.Options, given.Labels)
	if err != nil {
		return nil, err
	}
	shown := v.Volume
	return &shown, nil
}

func (b volumeBackend) Remove(_ context.Context, name string, options ...opts.RemoveOption) error {
	var given opts.RemoveConfig
	for _, o := range options {
		o(&given)
	}
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	v := b.e.volumes[name]
	if v == nil {
		if given.PurgeOnError {
			return nil
		}
		return notFound("get %s: no such volume", name)
	}
	if users := b.e.volumeUsers(name); len(users) > 0 {
		return conflict("remove %s: volume is in use - [%s]", name, strings.Join(users, ", "))
	}
	b.e.deleteVolume(v)
	return nil
}

func (b volumeBackend) Prune(_ context.Context, f filters.Args) (*volumetypes.PruneReport, error) {
	if err := f.Validate(map[string]bool{"label": true, "label!": true, "all": true}); err != nil {
		return nil, err
	}
	all, err := f.GetBoolOrDefault("all", false)
	if err != nil {
		return nil, err
	}
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	report := &volumetypes.PruneReport{VolumesDeleted: []string{}}
	for name, v := range b.e.volumes {
		_, anonymous := v.Labels[anonymousLabel]
		if !all && !anonymous || len(v.Options) > 0 || len(b.e.volumeUsers(name)) > 0 || !labelsMatch(f, v.Labels) {
			continue
		}
		b.e.deleteVolume(v)
		report.VolumesDeleted = append(report.VolumesDeleted, name)
	}
	sort.Strings(report.VolumesDeleted)
	b.e.event(events.VolumeEventType, events.ActionPrune, "", map[string]string{"reclaimed": "0"})
	return report, nil
}

// pruneFilter reads the filters of a prune: what it returns says what stays.
func pruneFilter(f filters.Args) (func(created time.Time, labels map[string]string) bool, error) {
	if err := f.Validate(map[string]bool{"label": true, "label!": true, "until": true}); err != nil {
		return nil, err
	}
	until, err := untilOf(f)
	if err != nil {
		return nil, err
	}
	return func(created time.Time, labels map[string]string) bool {
		return !until.IsZero() && created.After(until) || !labelsMatch(f, labels)
	}, nil
}

func untilOf(f filters.Args) (time.Time, error) {
	given := f.Get("until")
	switch len(given) {
	case 0:
		return time.Time{}, nil
	case 1:
		return timestamp(given[0])
	}
	return time.Time{}, invalid("more than one until filter specified")
}

func labelsMatch(f filters.Args, labels map[string]string) bool {
	if f.Contains("label") && !f.MatchKVList("label", labels) {
		return false
	}
	return !f.Contains("label!") || !f.MatchKVList("label!", labels)
}

// timestamp reads "10m", a date or seconds, as the flags --since and --until do.
func timestamp(text string) (time.Time, error) {
	text, err := timetypes.GetTimestamp(text, time.Now())
	if err != nil {
		return time.Time{}, errdefs.InvalidParameter(err)
	}
	seconds, nanos, err := timetypes.ParseTimestamps(text, 0)
	if err != nil {
		return time.Time{}, errdefs.InvalidParameter(err)
	}
	return time.Unix(seconds, nanos), nil
}
