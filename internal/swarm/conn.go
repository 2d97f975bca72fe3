package swarm

import "github.com/docker/docker/client"

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
