package swarm

import (
	"testing"

	"github.com/distribution/reference"
)

// The shortcut for plain references must say what the parser says.
func FuzzImageRef(f *testing.F) {
	for _, s := range []string{"nginx:1.27", "nginx", "a/b:1", "library/nginx:1", "localhost/x:1", "x.y/z:1", "a:.1", "a/b/c:1", "nginx:Latest", "docker.io/library/a:1",
		"registry.example/web:1", "r:5000/a/b:v1.2-rc_1", "index.docker.io/a:1", "a.docker.io/b:1", "r:5000:1", "a.b:1", "a..b/c:1", "a-b.c/d:1", "x/y.z:1", "x.y/library/z:1",
		"a/b_c-d.e:_1", "a__b:1", "a--b/c:1", "A/b:1", "a/B:1", "a:-1", "a:1@sha256:00", "r:/a:1", ":1", "a/:1", "/a:1", "a-/b.c/d:1",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ImageRef(s).isPlain() {
			return
		}
		named, err := reference.ParseNormalizedNamed(s)
		if err != nil {
			t.Fatalf("%q is taken for plain, the parser says %v", s, err)
		}
		if got := reference.FamiliarString(reference.TagNameOnly(named)); got != s {
			t.Fatalf("%q is taken for plain, the parser says %q", s, got)
		}
	})
}

// References as people write them must take the shortcut.
func TestImageRefPlain(t *testing.T) {
	for _, s := range []string{"nginx:1.27", "nginx:1.27-alpine", "my-team/web:v2", "registry.example/web:1", "r:5000/a/b-c:v1.2-rc_1", "ghcr.io/org/app:Latest"} {
		if !ImageRef(s).isPlain() {
			t.Errorf("%s is not taken for plain", s)
		}
	}
}
