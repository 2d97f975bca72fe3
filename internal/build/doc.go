// Package build has an engine build an image from a folder of this computer, as
// docker build does: with BuildKit, which fetches from us what it lacks over a
// session, and where an engine has none with the classic builder, which is sent
// the whole folder.
//
// A [Context] is what a build can see: the folder without what .dockerignore
// leaves out. Its digests tell whether anything in it has changed, without an
// engine; they leave out what does not get into an image: times and owners.
package build

import (
	"context"
	"net"
	"net/http"

	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"
)

// Options is what an image is built from, beside its context.
type Options struct {
	Context   *Context
	Target    string
	Args      map[string]string
	Labels    map[string]string
	Platform  string // as linux/arm64; "" is the engine's own
	Network   string // of RUN: "", "host" or "none"
	AddHosts  []string
	CacheFrom []string // images whose layers may be used
	// InlineCache puts into the image what another build needs to use its layers.
	InlineCache bool
	Pull        bool // ask the registries for newer base images
	NoCache     bool
	Secrets     map[string][]byte // by their IDs, for RUN --mount=type=secret
	SSH         []string          // agents for RUN --mount=type=ssh, as docker build --ssh has them
	// Auth returns what the registry of a base image wants; nothing where there are
	// no credentials.
	Auth func(host string) (registry.AuthConfig, error)
	// Progress tells how far it is. It is called from one goroutine.
	Progress func(Progress)
	// Classic has the classic builder build it, though there may be BuildKit.
	Classic bool
}

// Progress is how far a build is.
type Progress struct {
	Done, Total int    // steps; of those that are known so far
	Text        string // the step that runs, such as "[2/3] COPY . /app"
}

// Engine builds.
type Engine interface {
	Docker() client.APIClient
	// Upgrade turns a request into a connection of another protocol.
	Upgrade(ctx context.Context, path, proto string, header http.Header) (net.Conn, error)
}
