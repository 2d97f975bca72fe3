package swarm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// localVolumeHandler acts on the volumes of one engine.
type localVolumeHandler struct{}

// Create implements [resource.Handler]. The engine gives back a volume that has
// the name already, with the labels that it was made with: whose mark is in
// them tells who was first.
func (localVolumeHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec VolumeSpec
	if err := volumeSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	made, err := dockerOf(c).VolumeCreate(ctx, volume.CreateOptions{
		Name: spec.Name, Driver: orZero(spec.Driver), DriverOpts: spec.Options, Labels: r.Mark.Labels(spec.Labels),
	})
	if err != nil {
		return nil, remote.Err(err)
	}
	if !carries(made, r.Mark) {
		// Of a volume from before the engine's start the answer holds no labels.
		if made, err = dockerOf(c).VolumeInspect(ctx, spec.Name); err != nil {
			return nil, remote.Err(err)
		}
	}
	if !carries(made, r.Mark) {
		return nil, fmt.Errorf("volume %s: %w: somebody made it meanwhile", spec.Name, resource.ErrExists)
	}
	return localVolumeObject(&made), nil
}

func carries(v volume.Volume, mark resource.Mark) bool {
	found, _ := resource.ReadMark(v.Labels)
	return found.Equal(mark)
}

// Update implements [resource.Handler]. Nothing of a volume can be changed: the
// executor saves a changed mark.
func (localVolumeHandler) Update(_ context.Context, _ resource.Conn, r *resource.Request) (*resource.Object, error) {
	return nil, fmt.Errorf("%s: a volume cannot be changed", r.Address)
}

// Delete implements [resource.Handler]. What the same run has told to stop may
// still hold the volume.
func (localVolumeHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	api := dockerOf(c)
	return untilFree(ctx, r, func() error { return api.VolumeRemove(ctx, r.Live.Name, false) })
}

// volumeTime is how long a deletion waits for the containers of a volume, or
// for its plugin.
const volumeTime = time.Minute

// untilFree removes a volume, and waits while it is in use.
func untilFree(ctx context.Context, r *resource.Request, remove func() error) error {
	deadline := time.Now().Add(volumeTime)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := remote.Err(remove())
		if err == nil || remote.IsNotFound(err) {
			return nil
		}
		if !strings.Contains(err.Error(), "in use") {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("volume %s is still in use after %s; containers that have ended hold it too (docker ps --all --filter volume=%s): %w",
				r.Live.Name, volumeTime, r.Live.Name, err)
		}
		r.Progress(resource.Progress{Text: "waiting for its containers to go"})
		if err := Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// volumeHandler acts on the volumes of a swarm.
type volumeHandler struct{}

// Create implements [resource.Handler].
func (volumeHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec VolumeSpec
	if err := volumeSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	ids, names, err := secretIDs(ctx, c, spec.Secrets)
	if err != nil {
		return nil, err
	}
	made, err := dockerOf(c).VolumeCreate(ctx, volume.CreateOptions{
		Name: spec.Name, Driver: orZero(spec.Driver), DriverOpts: spec.Options, Labels: r.Mark.Labels(spec.Labels),
		ClusterVolumeSpec: spec.cluster(ids),
	})
	if err != nil {
		return nil, remote.Err(err)
	}
	if made.ClusterVolume == nil { // an engine that does not know them ignores the spec
		return nil, fmt.Errorf("%s: this engine made a volume of its own, not one of the swarm", r.Address)
	}
	return volumeObject(&made, names), nil
}

// secretIDs finds the IDs of the secrets that a volume names: SwarmKit does not
// look for names there. It also returns the names by ID.
func secretIDs(ctx context.Context, c resource.Conn, wanted map[string]string) (ids, names map[string]string, err error) {
	if len(wanted) == 0 {
		return nil, nil, nil
	}
	list, err := dockerOf(c).SecretList(ctx, swarm.SecretListOptions{})
	if err != nil {
		return nil, nil, remote.Err(err)
	}
	ids, names = map[string]string{}, map[string]string{}
	for _, s := range list {
		ids[s.Spec.Name], names[s.ID] = s.ID, s.Spec.Name
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if name := wanted[key]; ids[name] == "" {
			return nil, nil, missing("secret", name)
		}
	}
	return ids, names, nil
}

// cluster is the part of a volume that a swarm decides about; ids are those of
// the secrets, by name.
func (s *VolumeSpec) cluster(ids map[string]string) *volume.ClusterVolumeSpec {
	out := &volume.ClusterVolumeSpec{
		Group:         s.Group,
		AccessMode:    &volume.AccessMode{Scope: volume.Scope(s.Scope), Sharing: volume.SharingMode(s.Sharing)},
		CapacityRange: &volume.CapacityRange{RequiredBytes: int64(s.RequiredBytes), LimitBytes: int64(s.LimitBytes)},
		Availability:  volume.Availability(s.Availability),
	}
	if s.Type == "mount" {
		out.AccessMode.MountVolume = &volume.TypeMount{}
	} else {
		out.AccessMode.BlockVolume = &volume.TypeBlock{}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Secrets)) {
		out.Secrets = append(out.Secrets, volume.Secret{Key: key, Secret: ids[s.Secrets[key]]})
	}
	if len(s.TopologyRequired)+len(s.TopologyPreferred) > 0 {
		out.AccessibilityRequirements = &volume.TopologyRequirement{Requisite: topologies(s.TopologyRequired), Preferred: topologies(s.TopologyPreferred)}
	}
	return out
}

func topologies(list []map[string]string) []volume.Topology {
	var out []volume.Topology
	for _, segments := range list {
		out = append(out, volume.Topology{Segments: segments})
	}
	return out
}

// Update implements [resource.Handler]: the availability is all that can
// change. SwarmKit could change labels too, but the engine does not pass them
// on.
func (volumeHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec VolumeSpec
	if err := volumeSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	live := r.Live.Native.(*volume.Volume)
	next, cluster := *live, *live.ClusterVolume
	next.ClusterVolume = &cluster
	cluster.Spec.Availability = volume.Availability(spec.Availability)
	if err := dockerOf(c).VolumeUpdate(ctx, cluster.ID, cluster.Version, volume.UpdateOptions{Spec: &cluster.Spec}); err != nil {
		return nil, updateErr(err)
	}
	o := *r.Live
	o.Args, o.Native = r.Args, &next
	return &o, nil
}

// Settle implements [resource.Settler]: the plugin makes the storage in its own
// time.
func (volumeHandler) Settle(ctx context.Context, c resource.Conn, r *resource.Request, o *resource.Object) error {
	if o.Unsettled == "" {
		return nil
	}
	r.Progress(resource.Progress{Text: "waiting for its plugin to make it"})
	for {
		v, err := dockerOf(c).VolumeInspect(ctx, o.ID)
		if err == nil && v.ClusterVolume != nil && provisioned(v.ClusterVolume) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return remote.Err(err)
		}
		if Pause(ctx, 500*time.Millisecond) != nil {
			return fmt.Errorf("the swarm accepted the volume, but the CSI plugin %q has not made it: it must be enabled on the nodes (docker plugin ls)", o.Out["driver"])
		}
	}
}

// pluginTime is how long a plugin has to take up a volume that has to go and
// that none has made.
const pluginTime = 3 * time.Second

// Delete implements [resource.Handler]. The swarm only notes that the volume
// shall go: its plugin removes it then. A volume that no plugin has made would
// stay for ever, so the swarm is told to forget it.
func (volumeHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	api := dockerOf(c)
	// By ID: a volume of the engine that answers may have the same name.
	if err := untilFree(ctx, r, func() error { return api.VolumeRemove(ctx, r.Live.ID, false) }); err != nil {
		return err
	}
	begun := time.Now()
	for {
		v, err := api.VolumeInspect(ctx, r.Live.ID)
		switch {
		case remote.IsNotFound(err):
			return nil
		case err != nil:
			return remote.Err(err)
		case v.ClusterVolume != nil && !provisioned(v.ClusterVolume) && time.Since(begun) > pluginTime:
			return remote.Err(api.VolumeRemove(ctx, r.Live.ID, true))
		case time.Since(begun) > volumeTime:
			return fmt.Errorf("volume %s is still there after %s: its plugin %q has not removed it. docker volume rm --force %s makes the swarm forget it, and leaves its storage",
				r.Live.Name, volumeTime, v.Driver, r.Live.Name)
		}
		r.Progress(resource.Progress{Text: "waiting for its plugin to remove it"})
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}
