package cluster

import (
	"context"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
)

// GetSecrets lists the swarm's secrets, without what is in them.
func (c *Cluster) GetSecrets(options types.SecretListOptions) ([]types.Secret, error) {
	return ask(c, func(ctx context.Context, s state) ([]types.Secret, error) {
		f := options.Filters
		if err := f.Validate(map[string]bool{"names": true, "name": true, "id": true, "label": true}); err != nil {
			return nil, err
		}
		list, err := s.control.ListSecrets(ctx, &api.ListSecretsRequest{Filters: &api.ListSecretsRequest_Filters{
			Names: f.Get("names"), NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: labelFilter(f.Get("label")),
		}}, anySize)
		if err != nil {
			return nil, err
		}
		return all(list.Secrets, func(x api.Secret) types.Secret { return convert.SecretFromGRPC(&x) }), nil
	})
}

func (s state) findSecret(ctx context.Context, input string) (*api.Secret, error) {
	return find("secret", input,
		func(id string) (*api.Secret, error) {
			r, err := s.control.GetSecret(ctx, &api.GetSecretRequest{SecretID: id})
			if err != nil {
				return nil, err
			}
			return r.Secret, nil
		},
		func(names, prefixes []string) ([]*api.Secret, error) {
			r, err := s.control.ListSecrets(ctx, &api.ListSecretsRequest{Filters: &api.ListSecretsRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Secrets, nil
		})
}

// GetSecret returns a secret by name or ID.
func (c *Cluster) GetSecret(input string) (types.Secret, error) {
	return ask(c, func(ctx context.Context, s state) (types.Secret, error) {
		x, err := s.findSecret(ctx, input)
		if err != nil {
			return types.Secret{}, err
		}
		return convert.SecretFromGRPC(x), nil
	})
}

// CreateSecret makes a secret and returns its ID.
func (c *Cluster) CreateSecret(spec types.SecretSpec) (string, error) {
	return ask(c, func(ctx context.Context, s state) (string, error) {
		converted := convert.SecretSpecToGRPC(spec)
		r, err := s.control.CreateSecret(ctx, &api.CreateSecretRequest{Spec: &converted})
		if err != nil {
			return "", err
		}
		return r.Secret.ID, nil
	})
}

// UpdateSecret changes a secret's labels: nothing else of it can change.
func (c *Cluster) UpdateSecret(input string, version uint64, spec types.SecretSpec) error {
	return c.manage(func(ctx context.Context, s state) error {
		x, err := s.findSecret(ctx, input)
		if err != nil {
			return err
		}
		converted := convert.SecretSpecToGRPC(spec)
		_, err = s.control.UpdateSecret(ctx, &api.UpdateSecretRequest{SecretID: x.ID, SecretVersion: &api.Version{Index: version}, Spec: &converted})
		return err
	})
}

// RemoveSecret removes a secret that no service uses.
func (c *Cluster) RemoveSecret(input string) error {
	return c.manage(func(ctx context.Context, s state) error {
		x, err := s.findSecret(ctx, input)
		if err != nil {
			return err
		}
		_, err = s.control.RemoveSecret(ctx, &api.RemoveSecretRequest{SecretID: x.ID})
		return err
	})
}
