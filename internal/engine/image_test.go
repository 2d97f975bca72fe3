package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestLocalRef(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // "" is an error
		{"nginx", "nginx:latest"},
		{"docker.io/library/nginx:1.27", "nginx:1.27"},
		{"r:5000/a/b", "r:5000/a/b:latest"},
		{"r:5000/a/b:1@" + digestA, "r:5000/a/b@" + digestA},
		{"nginx@" + digestA, "nginx@" + digestA},
		{"Not A Reference", ""}, {"", ""},
	} {
		if got, err := LocalRef(tt.in).Normal(); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s is called %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestDigestOf(t *testing.T) {
	digests := []string{"nginx@" + digestA, "r:5000/nginx@" + digestB}
	for _, tt := range []struct{ name, want string }{
		{"nginx:1.27", digestA}, {"nginx@" + digestA, digestA}, {"r:5000/nginx:1", digestB}, {"other:1", ""}, {"r:5000/other:1", ""},
	} {
		if got := digestOf(tt.name, digests); got != tt.want {
			t.Errorf("%s has the digest %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPlatform(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // "" is an error
		{"linux/amd64", "linux/amd64"}, {"Linux/x86_64", "linux/amd64"}, {"linux/aarch64", "linux/arm64"}, {"linux/arm64/v8", "linux/arm64"},
		{"linux/arm/v7", "linux/arm/v7"}, {"windows/amd64", "windows/amd64"}, {"amd64", ""}, {"linux/", ""}, {"/amd64", ""}, {"a/b/c/d", ""}, {"", ""},
	} {
		got, err := Platform(tt.in).Normal()
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q is %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ declared, os, arch, variant, want string }{
		{"linux/arm", "linux", "arm", "v7", "linux/arm"},
		{"linux/arm/v7", "linux", "arm", "v7", "linux/arm/v7"},
		{"linux/arm/v6", "linux", "arm", "v7", "linux/arm/v7"},
		{"linux/arm64", "linux", "arm64", "v8", "linux/arm64"},
		{"linux/amd64", "linux", "arm64", "", "linux/arm64"},
	} {
		if got := *platformAs(Platform(tt.declared), tt.os, tt.arch, tt.variant); string(got) != tt.want {
			t.Errorf("beside %s it is %s, want %s", tt.declared, got, tt.want)
		}
	}
}

// A pull in the engine's words, and how far it is said to be.
func TestFollow(t *testing.T) {
	lines := []string{
		`{"status":"Pulling from team/web","id":"1"}`,
		`{"status":"Pulling fs layer","id":"aa"}`,
		`{"status":"Pulling fs layer","id":"bb"}`,
		`{"status":"Already exists","id":"cc"}`,
		`{"status":"Downloading","progressDetail":{"current":1000000,"total":4000000},"id":"aa"}`,
		`{"status":"Download complete","id":"aa"}`,
		`{"status":"Extracting","progressDetail":{"current":1,"total":4},"id":"aa"}`,
		`{"status":"Pull complete","id":"aa"}`,
		`{"status":"Pull complete","id":"bb"}`,
		`{"status":"Digest: sha256:aa"}`,
	}
	var told []string
	err := follow(strings.NewReader(strings.Join(lines, "\n")), func(p resource.Progress) {
		told = append(told, fmt.Sprintf("%d/%d %s", p.Done, p.Total, p.Text))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "0/1 pulling, 1/3 pulling, 2/3 pulled 4MB of 4MB, 3/3 pulled 4MB of 4MB"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}

	for _, tt := range []struct {
		text, want string
		is         error
	}{
		{`{"error":"manifest unknown"}`, "manifest unknown", nil},
		{`{"error":"read tcp: connection reset by peer"}`, "connection reset", resource.ErrTransient},
		{`{"status":"x"} {`, "unexpected EOF", resource.ErrTransient},
		{`not JSON`, "invalid character", nil},
	} {
		err := follow(strings.NewReader(tt.text), func(resource.Progress) {})
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s gives %v, want %q", tt.text, err, tt.want)
		}
	}
	refused := errors.New("unauthorized: authentication required")
	for _, tt := range []struct {
		login *resource.Login
		want  string
	}{
		{nil, "docker login r:5000)"},
		{&resource.Login{Host: "r:5000"}, "docker login r:5000, or give username and password to registry()"},
		{&resource.Login{Host: "r:5000", Username: "ann", Password: "x"}, "check username, password and identity_token of registry()"},
	} {
		if got := pullErr("r:5000/web:1", tt.login, refused).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("it says %s", got)
		}
	}
}

// Whatever an engine says of a pull, it ends.
func FuzzFollow(f *testing.F) {
	f.Add(`{"status":"Downloading","progressDetail":{"current":-1,"total":4},"id":"aa"}`)
	f.Add(`{"error":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		_ = follow(strings.NewReader(s), func(p resource.Progress) {
			if p.Done > p.Total {
				t.Errorf("%+v", p)
			}
		})
	})
}
