package engine

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What one engine saves is the same image where it is loaded: its ID, names, labels
// and size.
func TestSaveAndLoad(t *testing.T) {
	one, two := serve(t, config("m1")), serve(t, config("m2"))
	one.says("Downloaded newer image", "pull nginx:1.27")
	one.says("", "tag nginx:1.27 registry.example.com/web:2")
	const format = "image inspect --format {{.Id}}|{{.RepoTags}}|{{.Size}}|{{.Config.Labels}}|{{.Config.ExposedPorts}} "
	ask := func(s *served, method, path string, body io.Reader) (int, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://docker"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tell(t, s.host).http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		content, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, content
	}
	_, archive := ask(one, "GET", "/images/get?names=nginx:1.27&names=registry.example.com/web:2", nil)
	if code, said := ask(two, "POST", "/images/load?quiet=1", bytes.NewReader(archive)); code != http.StatusOK || !strings.Contains(string(said), "Loaded image: registry.example.com/web:2") {
		t.Fatalf("load: %d %s", code, said)
	}
	want := one.docker(strings.Fields(format + "nginx:1.27")...)
	if got := two.docker(strings.Fields(format + "registry.example.com/web:2")...); got != want || !strings.Contains(want, "sha256:") {
		t.Errorf("there it is\n%s\nand here\n%s", got, want)
	}
	if code, said := ask(one, "GET", "/images/none:1/get", nil); code != http.StatusNotFound || !strings.Contains(string(said), "No such image") {
		t.Errorf("an image that is not there: %d %s", code, said)
	}
	if _, said := ask(two, "POST", "/images/load?quiet=1", bytes.NewReader(archive[:600])); !strings.Contains(string(said), "errorDetail") {
		t.Errorf("half an archive: %s", said)
	}
}
