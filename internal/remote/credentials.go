package remote

import (
	"fmt"
	"sync"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"
)

// Credentials knows what registries want.
type Credentials interface {
	// For returns the encoded X-Registry-Auth of an image's registry, "" where
	// there are no credentials for it.
	For(image string) (string, error)
}

// hubKey is what config.json files call Docker Hub.
const hubKey = "https://index.docker.io/v1/"

// NewCredentials returns the credentials of docker's configuration folder:
// auths, the credential store, the registries' own helpers, and
// DOCKER_AUTH_CONFIG. Nothing is read, and no helper run, before they are
// asked for; each registry is asked for once.
func NewCredentials(configDir string) Credentials {
	e := Endpoint{ConfigDir: configDir}
	return &credentials{
		load: sync.OnceValues(e.config),
		auth: map[string]*authEntry{},
	}
}

type credentials struct {
	load func() (*configfile.ConfigFile, error)
	mu   sync.Mutex
	auth map[string]*authEntry
}

type authEntry struct {
	once sync.Once
	auth string
	err  error
}

func (c *credentials) For(image string) (string, error) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", image, err)
	}
	key := reference.Domain(ref)
	if key == "docker.io" {
		key = hubKey
	}
	c.mu.Lock()
	e := c.auth[key]
	if e == nil {
		e = &authEntry{}
		c.auth[key] = e
	}
	c.mu.Unlock()
	e.once.Do(func() { e.auth, e.err = c.ask(key) })
	return e.auth, e.err
}

func (c *credentials) ask(key string) (string, error) {
	cfg, err := c.load()
	if err != nil {
		return "", err
	}
	a, err := cfg.GetAuthConfig(key)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", key, err)
	}
	if (a == types.AuthConfig{}) || a.Username == "" && a.Password == "" && a.Auth == "" && a.IdentityToken == "" && a.RegistryToken == "" {
		return "", nil
	}
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{
		Username:      a.Username,
		Password:      a.Password,
		Auth:          a.Auth,
		ServerAddress: a.ServerAddress,
		IdentityToken: a.IdentityToken,
		RegistryToken: a.RegistryToken,
	})
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", key, err)
	}
	return auth, nil
}
