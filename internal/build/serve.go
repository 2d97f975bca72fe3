package build

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/registry"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// attachables are what a session offers: the context, the folder of the
// Dockerfile, credentials, secrets, agents.
func (o *Options) attachables() ([]session.Attachable, error) {
	beside, err := fsutil.NewFS(filepath.Join(o.Context.dir, filepath.FromSlash(path.Dir(o.Context.dockerfile))))
	if err != nil {
		return nil, fmt.Errorf("the folder of the Dockerfile: %w", diag.FileError(err))
	}
	parts := []session.Attachable{
		filesync.NewFSSyncProvider(filesync.StaticDirSource{"context": o.Context.files, "dockerfile": beside}),
		&authority{ask: o.Auth},
	}
	if len(o.Secrets) > 0 {
		parts = append(parts, secretsprovider.FromMap(o.Secrets))
	}
	if len(o.SSH) > 0 {
		agents, err := sshprovider.NewSSHAgentProvider(agentsOf(o.SSH))
		if err != nil {
			return nil, fmt.Errorf("ssh: %w", err)
		}
		parts = append(parts, agents)
	}
	return parts, nil
}

// agentsOf reads what docker build --ssh takes: default, or id=socket, or
// id=key,key.
func agentsOf(list []string) (out []sshprovider.AgentConfig) {
	for _, s := range list {
		id, paths, given := strings.Cut(s, "=")
		a := sshprovider.AgentConfig{ID: id}
		if given {
			a.Paths = strings.Split(paths, ",")
		}
		out = append(out, a)
	}
	return out
}

// authority hands out what the registries of base images want.
type authority struct {
	auth.UnimplementedAuthServer
	ask func(host string) (registry.AuthConfig, error)
}

// Register implements [session.Attachable].
func (a *authority) Register(s *grpc.Server) { auth.RegisterAuthServer(s, a) }

// Credentials implements auth.AuthServer.
func (a *authority) Credentials(_ context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	if a.ask == nil {
		return &auth.CredentialsResponse{}, nil
	}
	host := req.Host
	if host == "registry-1.docker.io" {
		host = "docker.io"
	}
	got, err := a.ask(host)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if got.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: got.IdentityToken}, nil
	}
	return &auth.CredentialsResponse{Username: got.Username, Secret: got.Password}, nil
}

// baseImage finds what a Dockerfile names as base images.
var baseImage = pattern.Of(`(?im)^\s*FROM\s+(?:--\S+\s+)*([^\s$]+)(?:\s|$)|^\s*COPY\s+(?:--\S+\s+)*--from=([^\s$]+)`)

// authOfBases are the credentials for the registries of base images, which the
// classic builder wants beforehand. Names that arguments make are not looked for.
func (o *Options) authOfBases() (map[string]registry.AuthConfig, error) {
	out := map[string]registry.AuthConfig{}
	if o.Auth == nil {
		return out, nil
	}
	for _, m := range baseImage().FindAllStringSubmatch(string(o.Context.text), -1) {
		host, _, qualified := strings.Cut(m[1]+m[2], "/")
		if !qualified || !strings.ContainsAny(host, ".:") && host != "localhost" {
			host = "docker.io"
		}
		key := host
		if host == "docker.io" {
			key = "https://index.docker.io/v1/"
		}
		if _, asked := out[key]; asked {
			continue
		}
		a, err := o.Auth(host)
		if err != nil {
			return nil, err
		}
		out[key] = a
	}
	return out, nil
}

// tar writes the context as the classic builder wants it: with the Dockerfile and
// what it leaves out, which it takes away itself.
func (c *Context) tar(ctx context.Context, w io.Writer) error {
	all, err := fsutil.NewFS(c.dir)
	if err != nil {
		return err
	}
	ignored := c.ignored
	if len(ignored) > 0 {
		ignored = append(slices.Clone(ignored), "!"+c.dockerfile, "!.dockerignore")
	}
	files, err := fsutil.NewFilterFS(all, &fsutil.FilterOpt{ExcludePatterns: ignored, Map: asRoot})
	if err != nil {
		return err
	}
	return fsutil.WriteTar(ctx, files, w)
}
