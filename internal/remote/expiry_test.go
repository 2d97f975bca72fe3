package remote

import (
	"encoding/base64"
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
