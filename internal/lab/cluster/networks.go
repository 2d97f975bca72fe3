//lint:file-ignore ST1005 these words are Docker's

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	networks "github.com/docker/docker/daemon/network"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

// GetNetworks lists the swarm's networks but those that stand for an engine's own.
func (c *Cluster) GetNetworks(filter filters.Args) ([]network.Inspect, error) {
	var f *api.ListNetworksRequest_Filters
	if filter.Len() > 0 {
		f = &api.ListNetworksRequest_Filters{Names: filter.Get("name"), NamePrefixes: filter.Get("name"), IDPrefixes: filter.Get("id")}
	}
	list, err := c.listNetworks(f)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(n network.Inspect) bool { return n.Labels["com.docker.swarm.predefined"] == "true" })
	return networks.FilterNetworks(list, filter)
}

// GetNetworksByName lists the swarm's networks of a name.
func (c *Cluster) GetNetworksByName(name string) ([]network.Inspect, error) {
	return c.listNetworks(&api.ListNetworksRequest_Filters{Names: []string{name}})
}

func (c *Cluster) listNetworks(f *api.ListNetworksRequest_Filters) ([]network.Inspect, error) {
	return ask(c, func(ctx context.Context, s state) ([]network.Inspect, error) {
		list, err := s.control.ListNetworks(ctx, &api.ListNetworksRequest{Filters: f}, anySize)
		if err != nil {
			return nil, err
		}
		return all(list.Networks, convert.BasicNetworkFromGRPC), nil
	})
}

func (s state) findNetwork(ctx context.Context, input string) (*api.Network, error) {
	found, err := find("network", input,
		func(id string) (*api.Network, error) {
			r, err := s.control.GetNetwork(ctx, &api.GetNetworkRequest{NetworkID: id})
			if err != nil {
				return nil, err
			}
			return r.Network, nil
		},
		func(names, prefixes []string) ([]*api.Network, error) {
			r, err := s.control.ListNetworks(ctx, &api.ListNetworksRequest{Filters: &api.ListNetworksRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Networks, nil
		})
	if cerrdefs.IsNotFound(err) {
		return nil, errors.New(err.Error()) // Docker gives this one no status of its own
	}
	return found, err
}

// GetNetwork returns a network of the swarm by name or ID.
func (c *Cluster) GetNetwork(input string) (network.Inspect, error) {
	return ask(c, func(ctx context.Context, s state) (network.Inspect, error) {
		n, err := s.findNetwork(ctx, input)
		if err != nil {
			return network.Inspect{}, err
		}
		return convert.BasicNetworkFromGRPC(*n), nil
	})
}

// CreateNetwork makes a network of the swarm and returns its ID.
func (c *Cluster) CreateNetwork(request network.CreateRequest) (string, error) {
	if networks.IsPredefined(request.Name) {
		return "", errdefs.Forbidden(fmt.Errorf("%s is a pre-defined network and cannot be created", request.Name))
	}
	return ask(c, func(ctx context.Context, s state) (string, error) {
		spec := convert.BasicNetworkCreateToGRPC(request)
		r, err := s.control.CreateNetwork(ctx, &api.CreateNetworkRequest{Spec: &spec})
		if err != nil {
			return "", err
		}
		return r.Network.ID, nil
	})
}

// RemoveNetwork removes a network that no service uses.
func (c *Cluster) RemoveNetwork(input string) error {
	return c.manage(func(ctx context.Context, s state) error {
		n, err := s.findNetwork(ctx, input)
		if err != nil {
			return err
		}
		_, err = s.control.RemoveNetwork(ctx, &api.RemoveNetworkRequest{NetworkID: n.ID})
		return err
	})
}

// resolveNetworks replaces the names of a service's networks by their IDs.
func (c *Cluster) resolveNetworks(ctx context.Context, s state, spec *types.ServiceSpec) error {
	attachments := spec.TaskTemplate.Networks
	if len(attachments) == 0 {
		attachments = spec.Networks //lint:ignore SA1019 older clients send it
	}
	for i, a := range attachments {
		n, err := s.findNetwork(ctx, a.Target)
		if err != nil {
			if n, err = c.engineNetwork(ctx, s, a.Target, err); err != nil {
				return err
			}
		}
		attachments[i].Target = n.ID
	}
	return nil
}

// engineNetwork finds the swarm's stand-in for a network that each engine has of its own.
// The other networks of an engine cannot be used.
func (c *Cluster) engineNetwork(ctx context.Context, s state, target string, notFound error) (*api.Network, error) {
	if c.cfg.Engine.Network == nil {
		return nil, notFound
	}
	name, ok := c.cfg.Engine.Network(target)
	switch {
	case !ok:
		return nil, notFound
	case !networks.IsPredefined(name):
		return nil, errdefs.Forbidden(fmt.Errorf("The network %s cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.", name))
	}
	n, err := s.findNetwork(ctx, name)
	if err != nil {
		return nil, errdefs.NotFound(fmt.Errorf("could not find the corresponding predefined swarm network: %w", err))
	}
	return n, nil
}
