package oci

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-containerregistry/pkg/name"
	served "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// startRegistry serves a registry that wants a password, over TLS.
func startRegistry(t *testing.T) (s *httptest.Server, r Registry) {
	t.Helper()
	inner := served.New(served.Logger(log.New(io.Discard, "", 0)))
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, password, ok := req.BasicAuth(); !ok || user != "ann" || password != "correct horse" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		inner.ServeHTTP(w, req)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s, Registry{Host: strings.TrimPrefix(s.URL, "https://"), CA: string(ca), Auth: registry.AuthConfig{Username: "ann", Password: "correct horse"}}
}

// push puts an image into it, an index where there are several platforms, and
// returns its digest.
func push(t *testing.T, r Registry, ref string, platforms ...v1.Platform) string {
	t.Helper()
	_, way, err := r.reach()
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(r.Host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{remote.WithAuth(r.authenticator()), remote.WithTransport(way), remote.WithContext(t.Context())}
	index, last := v1.ImageIndex(empty.Index), v1.Image(empty.Image)
	for _, p := range platforms {
		if last, err = mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: last, Descriptor: v1.Descriptor{Platform: &p}})
	}
	var digest v1.Hash
	if len(platforms) == 1 {
		err = remote.Write(to, last, options...)
		digest, _ = last.Digest()
	} else {
		err = remote.WriteIndex(to, index, options...)
		digest, _ = index.Digest()
	}
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func TestCheck(t *testing.T) {
	_, r := startRegistry(t)
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	wrong := r
	wrong.Auth.Password = "nonsense"
	if err := wrong.Check(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "authentication required") || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a wrong password gives %v", err)
	}
	nobody := r
	nobody.Auth = registry.AuthConfig{}
	if err := nobody.Check(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("no login gives %v", err)
	}
	unknown := r
	unknown.CA = ""
	if err := unknown.Check(t.Context()); err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority gives %v", err)
	}
	unknown.Insecure = true
	if err := unknown.Check(t.Context()); err != nil {
		t.Errorf("insecure: %v", err)
	}
	bad := r
	bad.CA = "nonsense"
	if err := bad.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("a certificate that is none gives %v", err)
	}
	bad.Host = "not a host"
	if err := bad.Check(t.Context()); err == nil {
		t.Error("a host that is none is taken")
	}
}

func TestInspect(t *testing.T) {
	_, r := startRegistry(t)
	amd, arm := v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	for ref, platforms := range map[string][]v1.Platform{"one:1": {arm}, "two:1": {amd, arm}} {
		digest := push(t, r, ref, platforms...)
		for _, image := range []string{r.Host + "/" + ref, r.Host + "/" + strings.TrimSuffix(ref, ":1") + "@" + digest} {
			got, err := r.Inspect(t.Context(), image)
			if err != nil {
				t.Errorf("%s: %v", image, err)
				continue
			}
			if got.Descriptor.Digest.String() != digest || len(got.Platforms) != len(platforms) {
				t.Errorf("%s: got %+v, want digest %s and %v", image, got, digest, platforms)
			}
			for i, p := range got.Platforms {
				if want := platformOf(platforms[i]); p.OS != want.OS || p.Architecture != want.Architecture || p.Variant != want.Variant {
					t.Errorf("%s: got %v, want %v", image, p, platforms[i])
				}
			}
		}
	}
	if _, err := r.Inspect(t.Context(), r.Host+"/none:1"); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("an image that is not there gives %v", err)
	}
	if _, err := r.Inspect(t.Context(), "not an image"); err == nil {
		t.Error("what is no reference is an image")
	}
}

// A password goes over plain HTTP only where that is asked for, or to this
// computer.
func TestPlainHTTP(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost:5000": true, "127.0.0.1": true, "127.1.2.3:5000": true, "[::1]:5000": true,
		"10.0.0.4:5000": false, "registry.local": false, "192.168.1.1": false, "localhost.example.com": false,
	} {
		_, way, err := (Registry{Host: host}).reach()
		if err != nil {
			t.Fatal(err)
		}
		if way.plain != want {
			t.Errorf("%s may be asked in plain HTTP: %v", host, way.plain)
		}
		req := httptest.NewRequest(http.MethodGet, "http://"+host+"/v2/", nil)
		if !want {
			if _, err := way.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "plain HTTP") {
				t.Errorf("%s was asked in plain HTTP: %v", host, err)
			}
		}
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if err := (Registry{Host: strings.TrimPrefix(plain.URL, "http://")}).Check(t.Context()); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a server that is no registry gives %v", err)
	}
}
