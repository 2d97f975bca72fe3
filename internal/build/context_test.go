package build

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// folder writes files: a name and its text, a link where the text begins with ->.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func digests(t testing.TB, dir, dockerfile string) map[string]string {
	t.Helper()
	c, err := Open(dir, dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Digests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What of a folder is in the context.
func TestContext(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM scratch", "a.log": "x", "keep.log": "x", "src/main.go": "x", "src/deep/b.log": "x", "node_modules/m/index.js": "x", "docs/readme.md": "x", "docs/api.md": "x",
		"link": "->src/main.go", "broken": "->/nowhere", ".swarmscript/lab/key": "x", "src/.swarmscript/inventory.json": "x",
	}
	for _, tt := range []struct{ ignore, want string }{
		{"", ".dockerignore Dockerfile a.log broken docs/ docs/api.md docs/readme.md keep.log link node_modules/ node_modules/m/ node_modules/m/index.js src/ src/deep/ src/deep/b.log src/main.go"},
		{"*.log\nnode_modules\ndocs", ".dockerignore Dockerfile broken link src/ src/deep/ src/deep/b.log src/main.go"},
		{"**/*.log\n!keep.log\n/node_modules/\ndocs\n!docs/api.md", ".dockerignore Dockerfile broken docs/ docs/api.md keep.log link src/ src/deep/ src/main.go"},
		{"*\n!src/main.go", "Dockerfile src/ src/main.go"},
		{"# all\n*\n", "Dockerfile"},
		{"*\n!.swarmscript\n!src/**", "Dockerfile src/ src/deep/ src/deep/b.log src/main.go"},
	} {
		files[".dockerignore"] = tt.ignore
		got := slices.Sorted(maps.Keys(digests(t, folder(t, files), "Dockerfile")))
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%q leaves\n  %s\nwant\n  %s", tt.ignore, text, tt.want)
		}
	}
	files["web.Dockerfile"], files["web.Dockerfile.dockerignore"] = "FROM scratch", "*"
	if got := digests(t, folder(t, files), "web.Dockerfile"); len(got) != 1 || got["web.Dockerfile"] == "" {
		t.Errorf("its own ignore file leaves %v", got)
	}
}

var before1970 = time.Unix(-1e9, 0)

// What makes another context, and what does not.
func TestDigests(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch", "a": "one", "b": "one", "link": "->a"})
	before := digests(t, dir, "Dockerfile")
	at := func(name string) string { return filepath.Join(dir, name) }
	differ := func(names ...string) {
		t.Helper()
		now := digests(t, dir, "Dockerfile")
		var got []string
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if now[name] != before[name] {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("%v differ, want %v", got, names)
		}
		before = now
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.Chtimes(at("a"), before1970, before1970))
	differ()
	ok(os.WriteFile(at("a"), []byte("two"), 0o644))
	differ("a")
	ok(os.Chmod(at("a"), 0o755))
	differ("a")
	ok(os.Remove(at("link")))
	ok(os.Symlink("b", at("link")))
	differ("link")
	ok(os.Remove(at("b")))
	ok(os.Link(at("a"), at("b")))
	differ("b") // as a copy of it
	ok(os.Remove(at("b")))
	if now := digests(t, dir, "Dockerfile"); now["b"] != "" {
		t.Error("a file that is gone has a digest")
	}
}

// Many files are told together, by their folders.
func TestTogether(t *testing.T) {
	files := map[string][]byte{}
	for i := range maxEntries {
		files[fmt.Sprintf("src/%d", i)] = []byte{byte(i)}
	}
	files["src/"], files["go.mod"] = nil, []byte("x")
	one := together(files)
	if got := slices.Sorted(maps.Keys(one)); !slices.Equal(got, []string{"go.mod", "src/"}) {
		t.Errorf("they are %v", got)
	}
	files["src/7"] = []byte("other")
	if two := together(files); two["src/"] == one["src/"] || two["go.mod"] != one["go.mod"] {
		t.Errorf("another file gives %v after %v", two, one)
	}
	for i := range maxEntries + 1 {
		files[fmt.Sprint(i)] = []byte{byte(i)}
	}
	if got := together(files); len(got) != 1 || got["./"] == "" {
		t.Errorf("they are %v", got)
	}
}

// What cannot be read, or is not there.
func TestContextErrors(t *testing.T) {
	for _, tt := range []struct {
		files            map[string]string
		dockerfile, want string
	}{
		{map[string]string{"x": ""}, "Dockerfile", "the Dockerfile Dockerfile: no such file"},
		{map[string]string{"x": ""}, "../Dockerfile", "outside the context"},
		{map[string]string{"Dockerfile": "->/etc/passwd"}, "Dockerfile", "the Dockerfile Dockerfile: "},
		{map[string]string{"Dockerfile/x": ""}, "Dockerfile", "the Dockerfile Dockerfile: is a directory"},
		{map[string]string{"Dockerfile": "", ".dockerignore": "[a"}, "Dockerfile", ".dockerignore: "},
	} {
		_, err := Open(folder(t, tt.files), tt.dockerfile)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, %s gives %v, want %q", tt.files, tt.dockerfile, err, tt.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), "Dockerfile"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a folder that is not there gives %v", err)
	}
}
