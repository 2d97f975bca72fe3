package swarm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Credentials gives the credentials of registries.
type Credentials interface {
	// For returns the encoded credentials for an image, "" where there are none.
	For(image string) (encodedAuth string, err error)
}

// Conn reaches one swarm.
type Conn struct {
	docker client.APIClient
	creds  Credentials

	services serviceState
}

// Docker returns the client.
func (c *Conn) Docker() client.APIClient { return c.docker }

// Credentials returns the registries' credentials, nil where there are none.
func (c *Conn) Credentials() Credentials { return c.creds }

// Close implements [resource.Conn].
func (c *Conn) Close() error { return nil }

// Observe implements [resource.Conn].
func (c *Conn) Observe(ctx context.Context, project string) (*resource.Observation, error) {
	l := &lists{API: c.docker.ClientVersion()}
	var err error
	if l.Services, err = c.docker.ServiceList(ctx, swarm.ServiceListOptions{Status: true}); err != nil {
		return nil, apiErr(err)
	}
	if l.Networks, err = c.docker.NetworkList(ctx, network.ListOptions{}); err != nil {
		return nil, apiErr(err)
	}
	if l.Configs, err = c.docker.ConfigList(ctx, swarm.ConfigListOptions{}); err != nil {
		return nil, apiErr(err)
	}
	if err := c.services.addNetworks(ctx, c, l); err != nil {
		return nil, err
	}
	return &resource.Observation{API: l.API, Objects: observeServices(l)}, nil
}

// apiErr says what an error of the Engine API means.
func apiErr(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for words, is := range map[string]error{
		"update out of sequence":                 resource.ErrConflict,
		"name conflicts with an existing object": resource.ErrExists,
		"does not have a leader":                 resource.ErrTransient,
	} {
		if strings.Contains(text, words) {
			return fmt.Errorf("%w: %w", is, err)
		}
	}
	if client.IsErrConnectionFailed(err) {
		return errors.Join(resource.ErrUnreachable, err)
	}
	return err
}
