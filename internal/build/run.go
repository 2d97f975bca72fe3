package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/build"
	"github.com/moby/buildkit/session"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// Run builds an image and returns its ID. The image has no name yet.
func Run(ctx context.Context, e Engine, o Options) (string, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if !o.Classic {
		s, err := open(ctx, e, &o)
		if err == nil {
			defer s.close()
			return withSession(ctx, e, s, &o)
		}
		switch {
		case errors.Is(err, errSimulated):
			o.Secrets, o.SSH, o.InlineCache = nil, nil, false // nothing runs that could read them
		case !errors.Is(err, errNoBuildKit):
			return "", err
		}
	}
	return classic(ctx, e, &o)
}

// errNoBuildKit is an engine that takes no sessions.
var errNoBuildKit = errors.New("the engine has no BuildKit")

// errSimulated is an engine that runs nothing of what it builds: a lab's.
var errSimulated = errors.New("the engine is simulated")

// needsBuildKit says why a build cannot do without BuildKit, "" where it can.
func (o *Options) needsBuildKit() string {
	switch {
	case len(o.Secrets) > 0:
		return "secrets"
	case len(o.SSH) > 0:
		return "ssh"
	case o.InlineCache:
		return "cache_to"
	}
	return ""
}

// request is what both builders are told alike.
func (o *Options) request() build.ImageBuildOptions {
	args := make(map[string]*string, len(o.Args)+1)
	for k, v := range o.Args {
		args[k] = &v
	}
	if o.InlineCache {
		yes := "1"
		args["BUILDKIT_INLINE_CACHE"] = &yes
	}
	return build.ImageBuildOptions{
		Dockerfile: o.Context.dockerfile, Target: o.Target, BuildArgs: args, Labels: o.Labels, Platform: o.Platform,
		NetworkMode: o.Network, ExtraHosts: o.AddHosts, CacheFrom: o.CacheFrom, PullParent: o.Pull, NoCache: o.NoCache, Remove: true, ForceRemove: true,
	}
}

// link is a session that is served until it is closed.
type link struct {
	session *session.Session
	served  sync.WaitGroup
	up      chan struct{}
}

// open begins a session, over which the engine asks for what it needs.
func open(ctx context.Context, e Engine, o *Options) (*link, error) {
	parts, err := o.attachables()
	if err != nil {
		return nil, err
	}
	s, err := session.NewSession(ctx, o.Context.dir)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		s.Allow(p)
	}
	l := &link{session: s, up: make(chan struct{})}
	failed := make(chan error, 1)
	l.served.Go(func() {
		failed <- s.Run(ctx, func(ctx context.Context, proto string, header map[string][]string) (net.Conn, error) {
			conn, err := e.Upgrade(ctx, "/session", proto, http.Header(header))
			if err == nil {
				close(l.up)
			}
			return conn, err
		})
	})
	select {
	case <-l.up:
		return l, nil
	case err := <-failed:
		l.served.Wait()
		var no *remote.NotUpgraded
		if errors.As(err, &no) && no.Status == http.StatusNotImplemented {
			return nil, errSimulated
		}
		if errors.As(err, &no) && no.Status >= 400 && no.Status != http.StatusUnauthorized && no.Status != http.StatusForbidden {
			return nil, errNoBuildKit
		}
		return nil, fmt.Errorf("the build's session: %w", remote.Err(err))
	}
}

func (l *link) close() {
	_ = l.session.Close() // what it says does not matter any more
	l.served.Wait()
}

// withSession has BuildKit build the image.
func withSession(ctx context.Context, e Engine, l *link, o *Options) (string, error) {
	req := o.request()
	req.Version, req.SessionID, req.RemoteContext = build.BuilderBuildKit, l.session.ID(), "client-session"
	req.Dockerfile = path.Base(o.Context.dockerfile)
	resp, err := e.Docker().ImageBuild(ctx, nil, req)
	if err != nil {
		return "", remote.Err(err)
	}
	defer resp.Body.Close()
	return follow(resp.Body, newTrace(o))
}

// classic has the builder build the image that engines had before BuildKit.
func classic(ctx context.Context, e Engine, o *Options) (string, error) {
	if what := o.needsBuildKit(); what != "" {
		return "", fmt.Errorf("%w: %s needs it", errNoBuildKit, what)
	}
	req := o.request()
	req.Version = build.BuilderV1
	var err error
	if req.AuthConfigs, err = o.authOfBases(); err != nil {
		return "", err
	}
	r, w := io.Pipe()
	var sent sync.WaitGroup
	sent.Go(func() { w.CloseWithError(o.Context.tar(ctx, w)) })
	defer sent.Wait()
	defer r.Close()
	resp, err := e.Docker().ImageBuild(ctx, r, req)
	if err != nil {
		return "", remote.Err(err)
	}
	defer resp.Body.Close()
	return follow(resp.Body, newTrace(o))
}

// sorted are the keys of secrets.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// hide takes the values of secrets out of a text.
func (o *Options) hide(text string) string {
	for _, id := range sorted(o.Secrets) {
		for _, line := range strings.Split(string(o.Secrets[id]), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				text = strings.ReplaceAll(text, line, "(sensitive)")
			}
		}
	}
	return text
}
