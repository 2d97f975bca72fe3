package swarm

import (
	"testing"

	"github.com/distribution/reference"
)

// The shortcut for plain references must say what the parser says.
func FuzzImageRef(f *testing.F) {
	for _, s := range []string{"nginx:1.27", "nginx", "a/b:1", "library/nginx:1", "localhost/x:1", "x.y/z:1", "a:.1", "a/b/c:1", "nginx:Latest", "docker.io/library/a:1",
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
