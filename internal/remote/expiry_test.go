package remote

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"

	"github.com/swarmscript/swarmscript/internal/resource"
)

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) // 1795392000
	amazon := base64.StdEncoding.EncodeToString([]byte(`{"payload":"x","version":"2","type":"DATA_KEY","expiration":1795392000}`))
	for name, tt := range map[string]struct {
		auth registry.AuthConfig
		want time.Time
	}{
		"a password":                {registry.AuthConfig{Username: "ann", Password: "correct horse"}, time.Time{}},
		"nothing":                   {registry.AuthConfig{}, time.Time{}},
		"Azure":                     {registry.AuthConfig{Username: "0000", Password: jwt(`{"exp":1795392000}`)}, at},
		"Amazon":                    {registry.AuthConfig{Username: "AWS", Password: amazon}, at},
		"Amazon, in config.json":    {registry.AuthConfig{Auth: base64.StdEncoding.EncodeToString([]byte("AWS:" + amazon))}, at},
		"Google":                    {registry.AuthConfig{Username: "oauth2accesstoken", Password: "ya29.x"}, now.Add(time.Hour)},
		"an identity token":         {registry.AuthConfig{IdentityToken: jwt(`{"exp":1795392000}`)}, at},
		"an opaque identity token":  {registry.AuthConfig{IdentityToken: "opaque"}, time.Time{}},
		"the first of two":          {registry.AuthConfig{IdentityToken: jwt(`{"exp":1895392000}`), RegistryToken: jwt(`{"exp":1795392000}`)}, at},
		"a token without an end":    {registry.AuthConfig{IdentityToken: jwt(`{"iat":1}`)}, time.Time{}},
		"a time that is none":       {registry.AuthConfig{IdentityToken: jwt(`{"exp":1e300}`)}, time.Time{}},
		"a time in text":            {registry.AuthConfig{IdentityToken: jwt(`{"exp":"soon"}`)}, time.Time{}},
		"a password with two dots":  {registry.AuthConfig{Username: "ann", Password: "a.b.c"}, time.Time{}},
		"a password that is base64": {registry.AuthConfig{Username: "ann", Password: "aGVsbG8="}, time.Time{}},
	} {
		if got := expiry(tt.auth, now); !got.Equal(tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// Whatever a token is, it has an end that can be told, or none.
func FuzzExpiry(f *testing.F) {
	f.Add("ann", "correct horse")
	f.Add("AWS", base64.StdEncoding.EncodeToString([]byte(`{"expiration":1795392000}`)))
	f.Add("oauth2accesstoken", jwt(`{"exp":-1}`))
	f.Add("", jwt(`{"exp":1e18}`))
	f.Fuzz(func(t *testing.T, user, password string) {
		got := expiry(registry.AuthConfig{Username: user, Password: password}, time.Unix(1795392000, 0))
		if _, err := got.MarshalText(); err != nil {
			t.Error(err)
		}
	})
}

// The script's own login comes before docker's, for its registry alone; a token
// that is about to expire is asked for again.
func TestDeclaredLogins(t *testing.T) {
	quiet(t)
	c := NewCredentials("", &resource.Login{Host: "r.example", Username: "ann", Password: "pw"}, &resource.Login{Host: "docker.io", IdentityToken: "tok"},
		&resource.Login{Host: "short.example", Username: "x", Password: jwt(`{"exp":1795392000}`)}, &resource.Login{Host: "none.example"}).(*credentials)
	now := time.Unix(1795392000, 0).Add(-time.Hour)
	c.now = func() time.Time { return now }
	for image, want := range map[string]registry.AuthConfig{
		"r.example/web:1": {Username: "ann", Password: "pw", ServerAddress: "r.example"},
		"nginx":           {IdentityToken: "tok", ServerAddress: hubKey},
		"other.example/x": {},
		"none.example/x":  {},
	} {
		l, err := c.Login(image)
		if err != nil || l.Auth != want {
			t.Errorf("%s: got %+v, %v, want %+v", image, l, err, want)
		}
		if declared := c.Declared(image) != nil; declared != (image != "other.example/x") {
			t.Errorf("%s: declared is %v", image, declared)
		}
	}
	first, _ := c.Login("short.example/x")
	if again, _ := c.Login("short.example/y"); again != first {
		t.Error("a token that holds is asked for again")
	}
	now = now.Add(time.Hour - renewBefore/2)
	if again, _ := c.Login("short.example/x"); again == first {
		t.Error("a token at its end is not asked for again")
	}
	if c.Declared("::") != nil {
		t.Error("what is no image is in a registry")
	}
}

// issuer gives out what it is told to.
type issuer struct {
	password *string
	err      *error
	asked    *int
}

func (i issuer) Issue(context.Context, *resource.Login) (string, string, error) {
	*i.asked++
	return "nobody", *i.password, *i.err
}

// An issuer's login takes the place of none, and of one that ends; that is made do
// with where there is no other. At its end there is another one.
func TestIssuedLogins(t *testing.T) {
	quiet(t)
	end := time.Unix(1795392000, 0)
	password, fails, asked := jwt(`{"exp":1795392000}`), error(nil), 0
	by := issuer{&password, &fails, &asked}
	keep := t.TempDir()
	if err := os.WriteFile(filepath.Join(keep, "config.json"), fmt.Appendf(nil, `{"auths":{"lasts.example":{"auth":"YW5uOnB3"},"ends.example":{"identitytoken":%q}}}`, jwt(`{"exp":1795388400}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	login := func(at time.Time, image string) (*Login, error) {
		c := NewCredentials(keep, &resource.Login{Host: "lasts.example", Issuer: by}, &resource.Login{Host: "ends.example", Issuer: by}, &resource.Login{Host: "none.example", Issuer: by},
			&resource.Login{Host: "own.example", Username: "ann", Password: "pw", Issuer: by}).(*credentials)
		c.now = func() time.Time { return at }
		return c.Login(image)
	}
	for image, want := range map[string]string{"lasts.example/x": "ann", "ends.example/x": "nobody", "none.example/x": "nobody", "own.example/x": "ann", "other.example/x": ""} {
		l, err := login(end.Add(-2*time.Hour), image)
		if err != nil || l.Auth.Username != want {
			t.Errorf("%s: %+v, %v, want %s", image, l, err, want)
		}
		if want == "nobody" && (!l.Expires.Equal(end) || l.Auth.IdentityToken != "") {
			t.Errorf("%s: %+v", image, l)
		}
	}
	fails = fmt.Errorf("%w: no role", resource.ErrRefused)
	if l, err := login(end.Add(-2*time.Hour), "ends.example/x"); err != nil || l.Auth.IdentityToken == "" {
		t.Errorf("what docker login has kept is not made do with: %+v, %v", l, err)
	}
	for at, image := range map[time.Time]string{end: "ends.example/x", end.Add(-2 * time.Hour): "none.example/x"} {
		if _, err := login(at, image); !errors.Is(err, resource.ErrRefused) || !strings.HasPrefix(err.Error(), "registry "+strings.TrimSuffix(image, "/x")+": ") {
			t.Errorf("%s: %v", image, err)
		}
	}
	fails = nil
	c := NewCredentials(keep, &resource.Login{Host: "none.example", Issuer: by}).(*credentials)
	now := end.Add(-time.Hour)
	c.now = func() time.Time { return now }
	asked = 0
	for range 3 {
		if _, err := c.Login("none.example/x"); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("it was asked %d times for one login", asked)
	}
	now, password = end, jwt(`{"exp":1795402800}`)
	if l, err := c.Login("none.example/x"); err != nil || asked != 2 || !l.Expires.After(end) {
		t.Errorf("after the end: %+v, %v", l, err)
	}
}
