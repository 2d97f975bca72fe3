package swarm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/oci"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// images is what one connection knows of images in registries: each is asked
// for once, whatever the number of services. The zero value is ready.
type images struct {
	mu     sync.Mutex
	byName map[string]*imageEntry
	silent map[string]time.Time // registries that did not answer in time
}

// imageEntry is one reference. Its mutex is held while it is asked for.
type imageEntry struct {
	mu   sync.Mutex
	got  registry.DistributionInspect
	err  error
	when time.Time // it was asked for; zero: not yet
}

// resolveTimeout bounds the question to a registry. Where name resolution is
// black-holed an engine takes 20 seconds to give up.
var resolveTimeout = 5 * time.Second

// failureAge is how long a question that failed is not asked again: an image may
// come to be in the same apply.
const failureAge = 15 * time.Second

// refusedLogin is a registry's no to a login that the script gives.
type refusedLogin struct {
	login *resource.Login
	user  string // whose it is, "" where there are no credentials
	said  error
	// issuer is set where the registry's issuer said so, and why.
	issuer bool
}

func (e *refusedLogin) Error() string {
	if e.issuer {
		return e.said.Error()
	}
	who := "it wants a login, and there is none"
	if e.user != "" {
		who = "it does not take the login of " + e.user
	}
	return fmt.Sprintf("registry %s: %s: %v", e.login.Host, who, e.said)
}

func (e *refusedLogin) Unwrap() []error { return []error{e.said, resource.ErrRefused} }

// hint says what to do about it.
func (e *refusedLogin) hint() string { return LoginHint(e.login) }

// LoginHint says what to do about a login that a registry does not take.
func LoginHint(login *resource.Login) string {
	switch {
	case login.Fixed():
		return "check username, password and identity_token of registry()"
	case login.Helper != "":
		return "docker-credential-" + login.Helper + " gave what it was tried with"
	case login.Issuer != nil:
		return "az login, docker login " + login.Host + ", or give username and password to registry()"
	}
	return "docker login " + login.Host + ", or give username and password to registry()"
}

// TryLogin asks an engine to log in to an image's registry, which the script names. That
// changes nothing. It returns what to tell of a registry that does not take the login,
// and nil also where that cannot be asked: it may be there later.
func TryLogin(ctx context.Context, api client.APIClient, creds remote.Credentials, image string) *diag.Diagnostic {
	login, err := creds.Login(image)
	if err != nil {
		return &diag.Diagnostic{Pos: creds.Declared(image).Pos, Summary: err.Error(), Hint: LoginHint(creds.Declared(image))}
	}
	refused := tryLogin(ctx, api, login)
	if refused == nil {
		return nil
	}
	return &diag.Diagnostic{Pos: login.Declared.Pos, Summary: refused.Error(), Hint: refused.hint()}
}

func tryLogin(ctx context.Context, api client.APIClient, login *remote.Login) *refusedLogin {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	_, err := api.RegistryLogin(ctx, login.Auth)
	if err = remote.Err(err); err == nil || !oci.Refused(err) {
		return nil
	}
	refused := &refusedLogin{login: login.Declared, said: err, user: login.Auth.Username}
	if refused.user == "" && !login.Empty() {
		refused.user = "its identity token"
	}
	return refused
}

// inspect returns an image's digest and platforms: what its registry says to the
// engine that manages the swarm, which has the swarm's network and certificates.
// Where that cannot ask, and the script says how the registry is reached, we do.
func (c *Conn) inspect(ctx context.Context, image string) (registry.DistributionInspect, error) {
	im := &c.services.images
	im.mu.Lock()
	if im.byName == nil {
		im.byName, im.silent = map[string]*imageEntry{}, map[string]time.Time{}
	}
	e := im.byName[image]
	if e == nil {
		e = &imageEntry{}
		im.byName[image] = e
	}
	im.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.when.IsZero() && (e.err == nil || time.Since(e.when) < failureAge) {
		return e.got, e.err
	}
	e.got, e.err = c.ask(ctx, image)
	if ctx.Err() == nil {
		e.when = time.Now()
	}
	return e.got, e.err
}

func (c *Conn) ask(ctx context.Context, image string) (registry.DistributionInspect, error) {
	var none registry.DistributionInspect
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return none, err
	}
	host := reference.Domain(named)
	if c.services.images.isSilent(host) {
		return none, fmt.Errorf("registry %s did not answer", host)
	}
	login, err := c.Credentials().Login(image)
	if d := c.Credentials().Declared(image); d != nil && errors.Is(err, resource.ErrRefused) {
		return none, &refusedLogin{login: d, said: err, issuer: true}
	}
	if err != nil {
		return none, err
	}
	auth, err := login.Encode()
	if err != nil {
		return none, err
	}
	limited, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	got, err := c.Docker().DistributionInspect(limited, image, auth)
	if err == nil || ctx.Err() != nil {
		return got, err
	}
	late := errors.Is(limited.Err(), context.DeadlineExceeded)
	err = remote.Err(err)
	if late {
		err = fmt.Errorf("registry %s did not answer in %s", host, resolveTimeout)
	}
	if d := login.Declared; d != nil {
		if oci.Refused(err) {
			return none, c.refusal(ctx, login, err)
		}
		if got, ourErr := inspectOurselves(ctx, login, named); ourErr == nil {
			return got, nil
		}
	}
	if late {
		c.services.images.wasSilent(host)
	}
	return none, err
}

// inspectOurselves asks a registry without an engine.
func inspectOurselves(ctx context.Context, login *remote.Login, named reference.Named) (registry.DistributionInspect, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	return OwnWay(login).Inspect(ctx, reference.TagNameOnly(named).String())
}

// OwnWay is how this program reaches a registry that the script names.
func OwnWay(login *remote.Login) oci.Registry {
	d := login.Declared
	return oci.Registry{Host: d.Host, Auth: login.Auth, CA: d.CA, Insecure: d.Insecure}
}

func (im *images) isSilent(host string) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	at, was := im.silent[host]
	return was && time.Since(at) < failureAge
}

func (im *images) wasSilent(host string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.silent[host] = time.Now()
}

// refusal finds out whether it is the login that a registry refuses, or only the
// image: the engine is asked to log in, which changes nothing.
func (c *Conn) refusal(ctx context.Context, login *remote.Login, err error) error {
	if login.Empty() {
		return &refusedLogin{login: login.Declared, said: err}
	}
	if refused := tryLogin(ctx, c.Docker(), login); refused != nil {
		return refused
	}
	return err
}

// resolving says when a service's image is asked for: "always", "changed",
// "never".
func resolving(r reader) string {
	switch s := r.str("resolve_image"); {
	case s != "":
		return s
	case r.bool("no_resolve_image"):
		return "never"
	}
	return "changed"
}

// pin puts the digest of the image's tag into the spec, and the platforms that
// the image is for, as the docker CLI does. An image that cannot be looked up
// keeps its tag: a warning, since each node then pulls on its own. That a
// registry does not take the script's login is an error: no node could pull.
func (c *Conn) pin(ctx context.Context, spec *swarm.ServiceSpec, r *resource.Request) error {
	if resolving(reader{ServiceSchema, r.Args}) == "never" {
		return nil
	}
	image := spec.TaskTemplate.ContainerSpec.Image
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil // the engine will say so
	}
	got, err := c.inspect(ctx, image)
	var refused *refusedLogin
	if errors.As(err, &refused) {
		return fmt.Errorf("%w (%s)", err, refused.hint())
	}
	if err != nil {
		if ctx.Err() == nil {
			text := fmt.Sprintf("the digest of image %s could not be looked up, so each node pulls the tag on its own: %v", image, err)
			if _, has := named.(reference.Canonical); has {
				text = fmt.Sprintf("image %s could not be looked up, so the platforms that it is for are not known: %v", image, err)
			}
			warn(r, []string{text})
		}
		return nil
	}
	if _, has := named.(reference.Canonical); !has {
		if pinned, err := reference.WithDigest(reference.TagNameOnly(named), got.Descriptor.Digest); err == nil {
			spec.TaskTemplate.ContainerSpec.Image = reference.FamiliarString(pinned)
		}
	}
	if len(got.Platforms) == 0 {
		return nil
	}
	p := copyOf(spec.TaskTemplate.Placement)
	p.Platforms = platformsIn(got)
	spec.TaskTemplate.Placement = p
	return nil
}

// platformsIn are what an image is made for, as a swarm says it.
func platformsIn(got registry.DistributionInspect) (out []swarm.Platform) {
	for _, pl := range got.Platforms {
		arch := pl.Architecture
		if strings.EqualFold(arch, "arm") {
			arch = "" // nodes say armv7l, images arm
		}
		out = append(out, swarm.Platform{Architecture: arch, OS: pl.OS})
	}
	return out
}
