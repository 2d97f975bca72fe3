// Package oci asks registries of images themselves, where no engine can: one
// that is not there yet, or has no way to a registry. Whoever has an engine asks
// that, which has the swarm's network and certificates.
package oci

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Registry is a registry, and what it wants.
type Registry struct {
	Host string // as the names of its images begin
	Auth registry.AuthConfig
	// CA is certificates in PEM format beside those of the system. Insecure takes
	// any certificate, and plain HTTP.
	CA       string
	Insecure bool
}

// ErrRefused says that a registry did not take the login.
var ErrRefused = errors.New("the login was refused")

// requestTimeout bounds one request: what asks has a person waiting.
const requestTimeout = 10 * time.Second

// Check logs in. The error wraps [ErrRefused] where the registry says no.
func (r Registry) Check(ctx context.Context) error {
	host, t, err := r.reach()
	if err != nil {
		return err
	}
	defer t.CloseIdleConnections()
	through, err := transport.NewWithContext(ctx, host, r.authenticator(), t, nil)
	if err != nil {
		return refused(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host.RegistryStr()+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: through}).Do(req)
	if err != nil {
		return refused(err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return refused(err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return err
}

// Inspect returns the digest and the platforms of an image, as an engine would.
func (r Registry) Inspect(ctx context.Context, image string) (registry.DistributionInspect, error) {
	var out registry.DistributionInspect
	_, t, err := r.reach()
	if err != nil {
		return out, err
	}
	defer t.CloseIdleConnections()
	ref, err := name.ParseReference(image, r.options()...)
	if err != nil {
		return out, err
	}
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuth(r.authenticator()), remote.WithTransport(t))
	if err != nil {
		return out, refused(err)
	}
	out.Descriptor = ocispec.Descriptor{MediaType: string(d.MediaType), Digest: digest.Digest(d.Digest.String()), Size: d.Size}
	out.Platforms, err = platforms(d)
	return out, err
}

// platforms are those of a list's images, or the one of an image.
func platforms(d *remote.Descriptor) ([]ocispec.Platform, error) {
	if !d.MediaType.IsIndex() {
		img, err := d.Image()
		if err != nil {
			return nil, err
		}
		cfg, err := img.ConfigFile()
		if err != nil {
			return nil, refused(err)
		}
		return []ocispec.Platform{{OS: cfg.OS, Architecture: cfg.Architecture, Variant: cfg.Variant}}, nil
	}
	index, err := d.ImageIndex()
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var out []ocispec.Platform
	for _, m := range list.Manifests {
		if p := m.Platform; p != nil {
			out = append(out, platformOf(*p))
		}
	}
	return out, nil
}

func platformOf(p v1.Platform) ocispec.Platform {
	return ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

func (r Registry) options() []name.Option {
	if r.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

func (r Registry) authenticator() authn.Authenticator {
	a := r.Auth
	return authn.FromConfig(authn.AuthConfig{
		Username: a.Username, Password: a.Password, Auth: a.Auth, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	})
}

// reach returns the registry, and the way to it. As an engine does, it takes
// plain HTTP only where that is asked for, or on this computer.
func (r Registry) reach() (name.Registry, *safe, error) {
	host, err := name.NewRegistry(r.Host, r.options()...)
	if err != nil {
		return host, nil, err
	}
	cfg := &tls.Config{InsecureSkipVerify: r.Insecure}
	if r.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(r.CA)) {
			return host, nil, fmt.Errorf("registry %s: ca holds no certificate in PEM format", r.Host)
		}
		cfg.RootCAs = pool
	}
	return host, &safe{plain: r.Insecure || isLoopback(r.Host), Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg, ForceAttemptHTTP2: true,
		DialContext:           (&net.Dialer{Timeout: requestTimeout}).DialContext,
		TLSHandshakeTimeout:   requestTimeout,
		ResponseHeaderTimeout: requestTimeout,
	}}, nil
}

// isLoopback reports whether a host is this computer, by a name that engines
// take for that too.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// safe is a transport that sends a password in plain HTTP only where it may.
type safe struct {
	*http.Transport
	plain bool
}

// RoundTrip implements [http.RoundTripper].
func (s *safe) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !s.plain {
		return nil, fmt.Errorf("%s would be asked in plain HTTP", req.URL.Host)
	}
	return s.Transport.RoundTrip(req)
}

// refused tells a refused login from other errors.
func refused(err error) error {
	var te *transport.Error
	if errors.As(err, &te) && (te.StatusCode == http.StatusUnauthorized || te.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
