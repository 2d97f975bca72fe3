package resource

import (
	"context"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// DockerHub is the host of images whose names say none.
const DockerHub = "docker.io"

// RegistryHost brings the names of a registry to the one that images have.
func RegistryHost(host string) string {
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return DockerHub
	}
	return host
}

// Login is what a script says of a registry of images: registry(). Password,
// IdentityToken are never shown.
type Login struct {
	Host string // as the names of its images begin; "docker.io" for Docker Hub
	// Username and Password, or IdentityToken, are the script's own. Without them
	// those of Helper, the name of a credential helper, or of docker's own
	// configuration are meant.
	Username, Password, IdentityToken, Helper string
	// Issuer gives out a login that holds for some hours, where neither the script
	// nor docker's configuration has one that lasts. It is nil for most.
	Issuer Issuer
	// CA is certificates in PEM format that the registry's is checked against, and
	// Insecure leaves that out, where this program asks it. Engines have settings
	// of their own.
	CA       string
	Insecure bool
	Pos      diag.Pos
}

// Issuer is who gives out logins to a registry to whoever it knows: a cloud. Two
// can be compared.
type Issuer interface {
	// Issue returns a user name and a password for a registry. The error wraps
	// [ErrRefused] where there will be none until somebody does something.
	Issue(ctx context.Context, l *Login) (username, password string, err error)
}

// Fixed reports whether the script itself has the login: it is the same for
// everybody who applies it.
func (l *Login) Fixed() bool { return l.Password != "" || l.IdentityToken != "" }

// Same reports whether two calls say the same of a registry.
func (l *Login) Same(o *Login) bool {
	a, b := *l, *o
	a.Pos, b.Pos = diag.Pos{}, diag.Pos{}
	return a == b
}
