package remote

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Credentials knows what registries want.
type Credentials interface {
	// For returns the encoded X-Registry-Auth of an image's registry, "" where
	// there are no credentials for it.
	For(image string) (string, error)
	// Login returns what there is for an image's registry.
	Login(image string) (*Login, error)
	// Declared returns what the script says of an image's registry, nil where that
	// is nothing. No helper is run for it.
	Declared(image string) *resource.Login
}

// Login is what there is for one registry.
type Login struct {
	Host     string
	Declared *resource.Login // nil where the script does not name the registry
	Auth     registry.AuthConfig
	// Expires is when a token is of no use any more, as far as it tells; zero
	// otherwise.
	Expires time.Time
}

// Empty reports whether there are no credentials.
func (l *Login) Empty() bool { return noAuth(l.Auth) }

func noAuth(a registry.AuthConfig) bool {
	return a.Username == "" && a.Password == "" && a.Auth == "" && a.IdentityToken == "" && a.RegistryToken == ""
}

// hubKey is what config.json files call Docker Hub.
const hubKey = "https://index.docker.io/v1/"

// NewCredentials returns the credentials of docker's configuration folder:
// auths, the credential store, the registries' own helpers, and
// DOCKER_AUTH_CONFIG; those of a script's logins come before them. Nothing is
// read, and no helper run, before they are asked for; each registry is asked for
// once, and again when its token is about to expire.
func NewCredentials(configDir string, logins ...*resource.Login) Credentials {
	e := Endpoint{ConfigDir: configDir}
	c := &credentials{
		load:     sync.OnceValues(e.config),
		now:      time.Now,
		declared: map[string]*resource.Login{},
		auth:     map[string]*authEntry{},
	}
	for _, l := range logins {
		c.declared[l.Host] = l
	}
	return c
}

type credentials struct {
	load     func() (*configfile.ConfigFile, error)
	now      func() time.Time
	declared map[string]*resource.Login

	mu   sync.Mutex
	auth map[string]*authEntry
}

type authEntry struct {
	mu    sync.Mutex
	login *Login
	err   error
}

// For implements [Credentials].
func (c *credentials) For(image string) (string, error) {
	l, err := c.Login(image)
	if err != nil {
		return "", err
	}
	return l.Encode()
}

// Encode returns the X-Registry-Auth, "" where there are no credentials.
func (l *Login) Encode() (string, error) {
	if l.Empty() {
		return "", nil
	}
	auth, err := registry.EncodeAuthConfig(l.Auth)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", l.Host, err)
	}
	return auth, nil
}

// Declared implements [Credentials].
func (c *credentials) Declared(image string) *resource.Login {
	if len(c.declared) == 0 {
		return nil
	}
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil
	}
	return c.declared[reference.Domain(ref)]
}

// renewBefore is how long before a token expires another one is asked for.
const renewBefore = time.Minute

// Login implements [Credentials].
func (c *credentials) Login(image string) (*Login, error) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", image, err)
	}
	host := reference.Domain(ref)
	c.mu.Lock()
	e := c.auth[host]
	if e == nil {
		e = &authEntry{}
		c.auth[host] = e
	}
	c.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil || e.login != nil && (e.login.Expires.IsZero() || c.now().Add(renewBefore).Before(e.login.Expires)) {
		return e.login, e.err
	}
	e.login, e.err = c.ask(host)
	return e.login, e.err
}

// ask reads what there is for a registry.
func (c *credentials) ask(host string) (*Login, error) {
	l := &Login{Host: host, Declared: c.declared[host]}
	key := host
	if host == resource.DockerHub {
		key = hubKey
	}
	if d := l.Declared; d != nil && d.Fixed() {
		l.Auth = registry.AuthConfig{Username: d.Username, Password: d.Password, IdentityToken: d.IdentityToken, ServerAddress: key}
	} else {
		a, err := c.stored(key, d)
		if err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", key, err)
		}
		l.Auth = registry.AuthConfig{
			Username: a.Username, Password: a.Password, Auth: a.Auth, ServerAddress: a.ServerAddress,
			IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
		}
		if noAuth(l.Auth) {
			l.Auth = registry.AuthConfig{}
		}
	}
	l.Expires = expiry(l.Auth, c.now())
	if d := l.Declared; d != nil && d.Issuer != nil && (l.Empty() || !l.Expires.IsZero()) {
		return c.issued(l, key)
	}
	return l, nil
}

// issueTimeout bounds how long a cloud is asked for a login: a person may wait.
const issueTimeout = 30 * time.Second

// issued is a new login of the registry's issuer. What docker login has kept does
// while it holds, where there is no other.
func (c *credentials) issued(kept *Login, key string) (*Login, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issueTimeout)
	defer cancel()
	user, password, err := kept.Declared.Issuer.Issue(ctx, kept.Declared)
	switch {
	case err == nil:
		l := &Login{Host: kept.Host, Declared: kept.Declared, Auth: registry.AuthConfig{Username: user, Password: password, ServerAddress: key}}
		l.Expires = expiry(l.Auth, c.now())
		return l, nil
	case !kept.Empty() && c.now().Before(kept.Expires):
		return kept, nil
	}
	return nil, fmt.Errorf("registry %s: %w", kept.Host, err)
}

// stored is what docker's configuration has for a registry, or the helper that
// the script names.
func (c *credentials) stored(key string, d *resource.Login) (types.AuthConfig, error) {
	if d != nil && d.Helper != "" {
		cfg := configfile.New("")
		cfg.CredentialHelpers = map[string]string{key: d.Helper}
		return cfg.GetAuthConfig(key)
	}
	cfg, err := c.load()
	if err != nil {
		return types.AuthConfig{}, err
	}
	return cfg.GetAuthConfig(key)
}
