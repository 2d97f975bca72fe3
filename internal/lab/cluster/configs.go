package cluster

import (
	"context"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
)

// GetConfigs lists the swarm's configs.
func (c *Cluster) GetConfigs(options types.ConfigListOptions) ([]types.Config, error) {
	return ask(c, func(ctx context.Context, s state) ([]types.Config, error) {
		f := options.Filters
		if err := f.Validate(map[string]bool{"name": true, "id": true, "label": true}); err != nil {
			return nil, err
		}
		list, err := s.control.ListConfigs(ctx, &api.ListConfigsRequest{Filters: &api.ListConfigsRequest_Filters{
			NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: labelFilter(f.Get("label")),
		}}, anySize)
		if err != nil {
			return nil, err
		}
		return all(list.Configs, func(x api.Config) types.Config { return convert.ConfigFromGRPC(&x) }), nil
	})
}

func (s state) findConfig(ctx context.Context, input string) (*api.Config, error) {
	return find("config", input,
		func(id string) (*api.Config, error) {
			r, err := s.control.GetConfig(ctx, &api.GetConfigRequest{ConfigID: id})
			if err != nil {
				return nil, err
			}
			return r.Config, nil
		},
		func(names, prefixes []string) ([]*api.Config, error) {
			r, err := s.control.ListConfigs(ctx, &api.ListConfigsRequest{Filters: &api.ListConfigsRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Configs, nil
		})
}

// GetConfig returns a config by name or ID.
func (c *Cluster) GetConfig(input string) (types.Config, error) {
	return ask(c, func(ctx context.Context, s state) (types.Config, error) {
		x, err := s.findConfig(ctx, input)
		if err != nil {
			return types.Config{}, err
		}
		return convert.ConfigFromGRPC(x), nil
	})
}

// CreateConfig makes a config and returns its ID.
func (c *Cluster) CreateConfig(spec types.ConfigSpec) (string, error) {
	return ask(c, func(ctx context.Context, s state) (string, error) {
		converted := convert.ConfigSpecToGRPC(spec)
		r, err := s.control.CreateConfig(ctx, &api.CreateConfigRequest{Spec: &converted})
		if err != nil {
			return "", err
		}
		return r.Config.ID, nil
	})
}

// UpdateConfig changes a config's labels: nothing else of it can change.
func (c *Cluster) UpdateConfig(input string, version uint64, spec types.ConfigSpec) error {
	return c.manage(func(ctx context.Context, s state) error {
		x, err := s.findConfig(ctx, input)
		if err != nil {
			return err
		}
		converted := convert.ConfigSpecToGRPC(spec)
		_, err = s.control.UpdateConfig(ctx, &api.UpdateConfigRequest{ConfigID: x.ID, ConfigVersion: &api.Version{Index: version}, Spec: &converted})
		return err
	})
}

// RemoveConfig removes a config that no service uses.
func (c *Cluster) RemoveConfig(input string) error {
	return c.manage(func(ctx context.Context, s state) error {
		x, err := s.findConfig(ctx, input)
		if err != nil {
			return err
		}
		_, err = s.control.RemoveConfig(ctx, &api.RemoveConfigRequest{ConfigID: x.ID})
		return err
	})
}
