package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

var errNoContainers = errors.New("service does not use container tasks")

// GetServices lists the swarm's services, with the numbers of their tasks if asked for.
func (c *Cluster) GetServices(options types.ServiceListOptions) ([]types.Service, error) {
	return ask(c, func(ctx context.Context, s state) ([]types.Service, error) {
		f := options.Filters
		if err := f.Validate(map[string]bool{"name": true, "id": true, "label": true, "mode": true, "runtime": true}); err != nil {
			return nil, err
		}
		runtimes := f.Get("runtime")
		if len(runtimes) == 0 {
			runtimes = []string{string(types.RuntimeContainer)}
		}
		list, err := s.control.ListServices(ctx, &api.ListServicesRequest{Filters: &api.ListServicesRequest_Filters{
			NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: labelFilter(f.Get("label")), Runtimes: runtimes,
		}}, anySize)
		if err != nil {
			return nil, err
		}
		services := make([]types.Service, 0, len(list.Services))
		for _, from := range list.Services {
			if f.Contains("mode") && !f.ExactMatch("mode", mode(from)) {
				continue
			}
			service, err := convert.ServiceFromGRPC(*from)
			if err != nil {
				return nil, err
			}
			services = append(services, service)
		}
		if options.Status {
			err = s.addStatus(ctx, services)
		}
		return services, err
	})
}

func mode(s *api.Service) string {
	switch s.Spec.GetMode().(type) {
	case *api.ServiceSpec_Global:
		return "global"
	case *api.ServiceSpec_Replicated:
		return "replicated"
	case *api.ServiceSpec_ReplicatedJob:
		return "replicated-job"
	case *api.ServiceSpec_GlobalJob:
		return "global-job"
	}
	return ""
}

func (s state) addStatus(ctx context.Context, services []types.Service) error {
	ids := make([]string, len(services))
	for i := range services {
		ids[i] = services[i].ID
	}
	r, err := s.control.ListServiceStatuses(ctx, &api.ListServiceStatusesRequest{Services: ids}, anySize)
	if err != nil {
		return err
	}
	byID := map[string]*types.ServiceStatus{}
	for _, st := range r.Statuses {
		byID[st.ServiceID] = &types.ServiceStatus{RunningTasks: st.RunningTasks, DesiredTasks: st.DesiredTasks, CompletedTasks: st.CompletedTasks}
	}
	for i := range services {
		services[i].ServiceStatus = byID[services[i].ID]
	}
	return nil
}

func (s state) findService(ctx context.Context, input string, defaults bool) (*api.Service, error) {
	get := func(id string) (*api.Service, error) {
		r, err := s.control.GetService(ctx, &api.GetServiceRequest{ServiceID: id, InsertDefaults: defaults})
		if err != nil {
			return nil, err
		}
		return r.Service, nil
	}
	found, err := find("service", input, get, func(names, prefixes []string) ([]*api.Service, error) {
		r, err := s.control.ListServices(ctx, &api.ListServicesRequest{Filters: &api.ListServicesRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
		if err != nil {
			return nil, err
		}
		return r.Services, nil
	})
	if err != nil || !defaults || found.ID == input {
		return found, err
	}
	return get(found.ID) // a list has no defaults
}

// GetService returns a service by name or ID, with the defaults of what its spec leaves
// out if asked for.
func (c *Cluster) GetService(input string, insertDefaults bool) (types.Service, error) {
	return ask(c, func(ctx context.Context, s state) (types.Service, error) {
		service, err := s.findService(ctx, input, insertDefaults)
		if err != nil {
			return types.Service{}, err
		}
		return convert.ServiceFromGRPC(*service)
	})
}

// CreateService makes a service. Its image is pinned to what the registry has now.
func (c *Cluster) CreateService(spec types.ServiceSpec, encodedAuth string, queryRegistry bool) (*types.ServiceCreateResponse, error) {
	return ask(c, func(ctx context.Context, s state) (*types.ServiceCreateResponse, error) {
		converted, err := c.serviceSpec(ctx, s, &spec)
		if err != nil {
			return nil, err
		}
		response := &types.ServiceCreateResponse{}
		switch converted.Task.Runtime.(type) {
		case *api.TaskSpec_Generic:
			if converted.Task.GetGeneric().Kind == string(types.RuntimePlugin) {
				return nil, fmt.Errorf("runtime type %q only supported in experimental", types.RuntimePlugin)
			}
			return nil, fmt.Errorf("unsupported runtime type: %q", converted.Task.GetGeneric().Kind)
		case *api.TaskSpec_Container:
			container := converted.Task.GetContainer()
			if container == nil {
				return nil, errNoContainers
			}
			if encodedAuth != "" {
				container.PullOptions = &api.ContainerSpec_PullOptions{RegistryAuth: encodedAuth}
			}
			if queryRegistry {
				if warning := c.pin(container, encodedAuth); warning != "" {
					response.Warnings = append(response.Warnings, warning)
				}
			}
		}
		r, err := s.control.CreateService(ctx, &api.CreateServiceRequest{Spec: converted})
		if err != nil {
			return nil, err
		}
		response.ID = r.Service.ID
		return response, nil
	})
}

// UpdateService changes a service's spec, or brings its previous one back.
func (c *Cluster) UpdateService(input string, version uint64, spec types.ServiceSpec, flags types.ServiceUpdateOptions, queryRegistry bool) (*types.ServiceUpdateResponse, error) {
	return ask(c, func(ctx context.Context, s state) (*types.ServiceUpdateResponse, error) {
		converted, err := c.serviceSpec(ctx, s, &spec)
		if err != nil {
			return nil, err
		}
		current, err := s.findService(ctx, input, false)
		if err != nil {
			return nil, err
		}
		response := &types.ServiceUpdateResponse{}
		switch converted.Task.Runtime.(type) {
		case *api.TaskSpec_Generic:
			if converted.Task.GetGeneric().Kind == string(types.RuntimePlugin) && spec.TaskTemplate.PluginSpec == nil {
				return nil, errors.New("plugin spec must be set")
			}
		case *api.TaskSpec_Container:
			container := converted.Task.GetContainer()
			if container == nil {
				return nil, errNoContainers
			}
			auth, err := registryAuth(container, current, flags)
			if err != nil {
				return nil, err
			}
			if queryRegistry {
				if warning := c.pin(container, auth); warning != "" {
					response.Warnings = append(response.Warnings, warning)
				}
			}
		}
		rollback := api.UpdateServiceRequest_NONE
		switch flags.Rollback {
		case "", "none":
		case "previous":
			rollback = api.UpdateServiceRequest_PREVIOUS
		default:
			return nil, fmt.Errorf("unrecognized rollback option %s", flags.Rollback)
		}
		_, err = s.control.UpdateService(ctx, &api.UpdateServiceRequest{
			ServiceID: current.ID, Spec: converted, ServiceVersion: &api.Version{Index: version}, Rollback: rollback,
		})
		return response, err
	})
}

// serviceSpec brings a spec into SwarmKit's form, its networks by their IDs.
func (c *Cluster) serviceSpec(ctx context.Context, s state, spec *types.ServiceSpec) (*api.ServiceSpec, error) {
	if err := c.resolveNetworks(ctx, s, spec); err != nil {
		return nil, err
	}
	converted, err := convert.ServiceSpecToGRPC(*spec)
	if err != nil {
		return nil, errdefs.InvalidParameter(err)
	}
	if _, ok := converted.Task.Runtime.(*api.TaskSpec_Attachment); ok {
		return nil, fmt.Errorf("invalid task spec: spec type %q not supported", types.RuntimeNetworkAttachment)
	}
	return &converted, nil
}

// registryAuth gives a new spec the credentials that an update is to use: its own, or
// those of the current or the previous spec.
func registryAuth(container *api.ContainerSpec, current *api.Service, flags types.ServiceUpdateOptions) (string, error) {
	if flags.EncodedRegistryAuth != "" {
		container.PullOptions = &api.ContainerSpec_PullOptions{RegistryAuth: flags.EncodedRegistryAuth}
		return flags.EncodedRegistryAuth, nil
	}
	var from *api.ContainerSpec
	switch flags.RegistryAuthFrom {
	case types.RegistryAuthFromSpec, "":
		from = current.Spec.Task.GetContainer()
	case types.RegistryAuthFromPreviousSpec:
		if current.PreviousSpec == nil {
			return "", errors.New("service does not have a previous spec")
		}
		from = current.PreviousSpec.Task.GetContainer()
	default:
		return "", errors.New("unsupported registryAuthFrom value")
	}
	if from == nil {
		return "", errNoContainers
	}
	container.PullOptions = from.PullOptions
	if from.PullOptions == nil {
		return "", nil
	}
	return from.PullOptions.RegistryAuth, nil
}

// pin adds the digest to an image's name, or returns Docker's warning that it could not.
func (c *Cluster) pin(container *api.ContainerSpec, encodedAuth string) string {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout) // a slow registry takes none of SwarmKit's time
	defer cancel()
	pinned, err := c.pinned(ctx, container.Image, encodedAuth)
	if err != nil {
		c.cfg.Logger.Warnf("unable to pin image %s to digest: %s", container.Image, err)
		return fmt.Sprintf("image %s could not be accessed on a registry to record\nits digest. Each node will access %s independently,\npossibly leading to different nodes running different\nversions of the image.\n", container.Image, container.Image)
	}
	container.Image = pinned
	return ""
}

func (c *Cluster) pinned(ctx context.Context, image, encodedAuth string) (string, error) {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return "", err
	}
	named, ok := ref.(reference.Named)
	if !ok { // a digest alone
		return image, nil
	}
	if _, ok := named.(reference.Canonical); ok {
		return reference.FamiliarString(ref), nil
	}
	tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
	if !ok {
		return "", fmt.Errorf("image reference not tagged: %s", image)
	}
	if c.cfg.Engine.Digest == nil {
		return "", errors.New("there is no registry")
	}
	var auth registry.AuthConfig
	if encodedAuth != "" {
		if err := json.NewDecoder(base64.NewDecoder(base64.URLEncoding, strings.NewReader(encodedAuth))).Decode(&auth); err != nil {
			c.cfg.Logger.Warnf("invalid authconfig: %v", err)
		}
	}
	digest, err := c.cfg.Engine.Digest(ctx, tagged, auth)
	if err != nil {
		return "", err
	}
	canonical, err := reference.WithDigest(tagged, digest)
	if err != nil {
		return "", err
	}
	return reference.FamiliarString(canonical), nil
}

// RemoveService removes a service. Its tasks go after it.
func (c *Cluster) RemoveService(input string) error {
	return c.manage(func(ctx context.Context, s state) error {
		service, err := s.findService(ctx, input, false)
		if err != nil {
			return err
		}
		_, err = s.control.RemoveService(ctx, &api.RemoveServiceRequest{ServiceID: service.ID})
		return err
	})
}
