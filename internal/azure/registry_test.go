package azure_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	dockerregistry "github.com/docker/docker/api/types/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	served "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/oci"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// startContainerRegistry serves a registry behind Azure's login.
func startContainerRegistry(t *testing.T, e *emulator.Emulator) (*httptest.Server, *resource.Login) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	host := s.Listener.Addr().String()
	s.Config.Handler = e.Registry(host, served.New(served.Logger(log.New(io.Discard, "", 0))))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s, &resource.Login{Host: host, CA: string(ca)}
}

// A login of Azure is exchanged for one of the registry, which images are pushed and
// pulled with: a token for each is fetched on the way.
func TestRegistryExchange(t *testing.T) {
	s := newStory(t)
	web, login := startContainerRegistry(t, s.server.Emulator)
	user, password, err := azure.Registry{}.Issue(t.Context(), login)
	s.must(err)
	if user != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("the user is %q", user)
	}
	ref, err := name.ParseReference(login.Host + "/shop/web:1")
	s.must(err)
	digest, err := empty.Image.Digest()
	s.must(err)
	s.must(remote.Write(ref, empty.Image, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password})), remote.WithTransport(web.Client().Transport)))

	r := oci.Registry{Host: login.Host, CA: login.CA, Auth: dockerregistry.AuthConfig{Username: user, Password: password}}
	s.must(r.Check(t.Context()))
	got, err := r.Inspect(t.Context(), login.Host+"/shop/web:1")
	s.must(err)
	if got.Descriptor.Digest.String() != digest.String() {
		t.Errorf("the image is %s, want %s", got.Descriptor.Digest, digest)
	}
	for what, auth := range map[string]dockerregistry.AuthConfig{
		"nobody's login": {}, "another user": {Username: "ann", Password: password}, "another token": {Username: user, Password: "e30.e30.x"},
	} {
		r.Auth = auth
		if err := r.Check(t.Context()); !errors.Is(err, oci.ErrRefused) {
			t.Errorf("%s is taken: %v", what, err)
		}
	}
	// What the registry gave is no login to Resource Manager.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/subscriptions?api-version=2022-12-01", nil)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+password)
	resp, err := s.trusting().Do(req)
	s.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("Resource Manager takes a registry's token: %s", resp.Status)
	}
}

// Another Azure has the registries of its cloud, and says which those are.
func TestRegistryOfAnotherAzure(t *testing.T) {
	s := newStory(t, func(o *emulator.Options) {
		o.Registries = map[string]http.Handler{"shop.azurecr.io": nil}
		o.Apps = append(o.Apps, emulator.App{ID: "11111111-0000-4000-8000-000000000000", Secret: "few", Actions: []string{"Microsoft.Compute/*"}})
	})
	_, password, err := azure.Registry{}.Issue(t.Context(), &resource.Login{Host: "shop.azurecr.io"})
	if s.must(err); password == "" {
		t.Error("there is no login")
	}
	_, _, err = azure.Registry{}.Issue(t.Context(), &resource.Login{Host: "other.azurecr.io"})
	if !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "no Azure Container Registry") {
		t.Errorf("a registry that there is not: %v", err)
	}
	t.Setenv("AZURE_CLIENT_ID", "11111111-0000-4000-8000-000000000000")
	t.Setenv("AZURE_CLIENT_SECRET", "few")
	_, _, err = azure.Registry{}.Issue(t.Context(), &resource.Login{Host: "shop.azurecr.io"})
	if !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "AcrPull") {
		t.Errorf("a login that may not pull: %v", err)
	}
}

// trusting is a client that trusts the emulator.
func (s *story) trusting() *http.Client {
	ca, err := os.ReadFile(s.server.CAFile)
	s.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	s.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// What a registry does not give is told with what to do.
func TestRegistryRefuses(t *testing.T) {
	s := newStory(t)
	_, login := startContainerRegistry(t, s.server.Emulator)
	plain := httptest.NewTLSServer(http.NotFoundHandler())
	defer plain.Close()
	other := &resource.Login{Host: plain.Listener.Addr().String(), CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: plain.Certificate().Raw}))}
	fault := func(status int) func() {
		return func() {
			s.server.Fault(emulator.Fault{Action: "Microsoft.ContainerRegistry/registries/pull/read", Status: status})
		}
	}
	for _, c := range []struct {
		what  string
		login *resource.Login
		do    func()
		kind  error
		want  []string
	}{
		{"no role", login, fault(401), resource.ErrRefused, []string{"does not take the login of Azure (the environment's service principal)", "401 UNAUTHORIZED: authentication required", "role AcrPull"}},
		{"a firewall", login, fault(403), resource.ErrRefused, []string{"403 DENIED: client with IP '203.0.113.7' is not allowed access", "firewall"}},
		{"a refusal for a while", login, func() {
			s.server.Fault(emulator.Fault{Action: "Microsoft.ContainerRegistry/*", Status: 503, Times: 1})
		}, nil, nil},
		{"no registry of Azure's", other, nil, resource.ErrRefused, []string{"404", "no Azure Container Registry"}},
		{"another's certificate", &resource.Login{Host: login.Host}, nil, resource.ErrUnreachable, []string{"certificate"}},
		{"no certificate", &resource.Login{Host: login.Host, CA: "nonsense"}, nil, nil, []string{"PEM"}},
		{"a wrong secret", login, func() { t.Setenv("AZURE_CLIENT_SECRET", "wrong") }, resource.ErrRefused, []string{"AADSTS7000215"}},
		{"no login to Azure", login, func() {
			for _, name := range []string{"AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"} {
				t.Setenv(name, "")
			}
			t.Setenv("PATH", t.TempDir()) // no az
		}, resource.ErrRefused, []string{"no login to Azure was found", "az login"}},
	} {
		s.server.ClearFaults()
		if c.do != nil {
			c.do()
		}
		_, password, err := azure.Registry{}.Issue(t.Context(), c.login)
		if c.want == nil {
			if err != nil || password == "" {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		if err == nil || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", c.what, err, c.kind)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.what, err, want)
			}
		}
		if password != "" {
			t.Errorf("%s: there is a password", c.what)
		}
	}
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, _, err := (azure.Registry{}).Issue(ended, login); err == nil {
		t.Error("what was ended goes on")
	}
}

// A name that nobody knows is a mistake; one that cannot be looked up may be none.
func TestNoRegistry(t *testing.T) {
	unknown := &url.Error{Op: "Post", URL: "https://x.azurecr.io", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x.azurecr.io", IsNotFound: true}}}
	if err := azure.NoRegistry(unknown); !errors.Is(err, resource.ErrRefused) || !strings.Contains(err.Error(), "there is no such registry") {
		t.Error(err)
	}
	late := &net.DNSError{Err: "i/o timeout", Name: "x.azurecr.io", IsTimeout: true}
	if err := azure.NoRegistry(late); errors.Is(err, resource.ErrRefused) || !errors.Is(err, resource.ErrUnreachable) {
		t.Error(err)
	}
}

// Registries of Azure's are known by their names.
func TestIsRegistry(t *testing.T) {
	for host, want := range map[string]bool{
		"shop.azurecr.io": true, "shop-abc123.azurecr.io": true, "shop.azurecr.cn": true, "shop.azurecr.us": true,
		"azurecr.io": false, "shop.azurecr.io.example.com": false, "shop.azurecr.io:5000": false, "evil.com/shop.azurecr.io": false, "shop.westeurope.azurecr.io": false, "docker.io": false,
	} {
		if azure.IsRegistry(host) != want {
			t.Errorf("%s: want %t", host, want)
		}
	}
}
