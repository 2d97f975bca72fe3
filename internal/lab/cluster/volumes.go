package cluster

import (
	"context"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

func (s state) findVolume(ctx context.Context, input string) (*api.Volume, error) {
	return find("volume", input,
		func(id string) (*api.Volume, error) {
			r, err := s.control.GetVolume(ctx, &api.GetVolumeRequest{VolumeID: id})
			if err != nil {
				return nil, err
			}
			return r.Volume, nil
		},
		func(names, prefixes []string) ([]*api.Volume, error) {
			r, err := s.control.ListVolumes(ctx, &api.ListVolumesRequest{Filters: &api.ListVolumesRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Volumes, nil
		})
}

// GetVolume returns a volume of the swarm by name or ID.
func (c *Cluster) GetVolume(input string) (volume.Volume, error) {
	return ask(c, func(ctx context.Context, s state) (volume.Volume, error) {
		v, err := s.findVolume(ctx, input)
		if err != nil {
			return volume.Volume{}, err
		}
		return convert.VolumeFromGRPC(v), nil
	})
}

// GetVolumes lists the swarm's volumes.
func (c *Cluster) GetVolumes(volume.ListOptions) ([]*volume.Volume, error) {
	return ask(c, func(ctx context.Context, s state) ([]*volume.Volume, error) {
		list, err := s.control.ListVolumes(ctx, &api.ListVolumesRequest{}, anySize)
		if err != nil {
			return nil, err
		}
		return all(list.Volumes, func(v api.Volume) *volume.Volume {
			converted := convert.VolumeFromGRPC(&v)
			return &converted
		}), nil
	})
}

// CreateVolume makes a volume of the swarm. No engine of a lab has a CSI plugin: it
// stays pending, as it does where the plugin's nodes are down.
func (c *Cluster) CreateVolume(options volume.CreateOptions) (*volume.Volume, error) {
	id, err := ask(c, func(ctx context.Context, s state) (string, error) {
		r, err := s.control.CreateVolume(ctx, &api.CreateVolumeRequest{Spec: convert.VolumeCreateToGRPC(&options)})
		if err != nil {
			return "", err
		}
		return r.Volume.ID, nil
	})
	if err != nil {
		return nil, err
	}
	v, err := c.GetVolume(id)
	if err != nil {
		return nil, errdefs.System(fmt.Errorf("unable to retrieve created volume: %w", err))
	}
	return &v, nil
}

// UpdateVolume changes a volume's availability.
func (c *Cluster) UpdateVolume(input string, version uint64, options volume.UpdateOptions) error {
	return c.manage(func(ctx context.Context, s state) error {
		v, err := s.findVolume(ctx, input)
		if err != nil {
			return err
		}
		if options.Spec != nil {
			switch options.Spec.Availability {
			case volume.AvailabilityActive:
				v.Spec.Availability = api.VolumeAvailabilityActive
			case volume.AvailabilityPause:
				v.Spec.Availability = api.VolumeAvailabilityPause
			case volume.AvailabilityDrain:
				v.Spec.Availability = api.VolumeAvailabilityDrain
			}
		}
		_, err = s.control.UpdateVolume(ctx, &api.UpdateVolumeRequest{VolumeID: v.ID, VolumeVersion: &api.Version{Index: version}, Spec: &v.Spec})
		return err
	})
}

// RemoveVolume removes a volume of the swarm. By force, one that is not there is no error.
func (c *Cluster) RemoveVolume(input string, force bool) error {
	return c.manage(func(ctx context.Context, s state) error {
		v, err := s.findVolume(ctx, input)
		if err != nil {
			if force && cerrdefs.IsNotFound(err) {
				return nil
			}
			return err
		}
		_, err = s.control.RemoveVolume(ctx, &api.RemoveVolumeRequest{VolumeID: v.ID, Force: force})
		return err
	})
}
