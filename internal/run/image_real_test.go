package run

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// declare is a script that declares what it is given on the environment's
// engine; R/ stands for the registry.
func (w *registryWorld) declare(lines ...string) Options {
	text := "project(\"shop\", env = \"test\")\n" + strings.Join(lines, "\n") + "\n"
	return Options{Timeout: 3 * time.Minute, File: write(w.t, w.t.TempDir(), strings.ReplaceAll(text, "R/", w.r.Addr+"/"))}
}

// plan checks what a plan shows, as in [fixture.PlanShows].
func (w *registryWorld) plan(opts Options, want ...string) *plan.Plan {
	w.t.Helper()
	p := planOf(w.t, opts)
	if got := lines(p.Plan); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Fatalf("the plan shows:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return p.Plan
}

// repaired checks a plan, applies it, and checks that nothing is left to do.
func (w *registryWorld) repaired(opts Options, want ...string) {
	w.t.Helper()
	w.plan(opts, want...)
	applyAll(w.t, opts)
	w.plan(opts)
}

func (w *registryWorld) id(image string) string {
	w.t.Helper()
	return w.e.Docker("image", "inspect", "--format", "{{.Id}}", image)
}

// An image: pulled by tag and by digest, with credentials; missing or changed
// by hand; newer in the registry; of another platform.
func TestRealImage(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testRealImage(t, v) })
	}
}

func testRealImage(t *testing.T, v testengine.Version) {
	w := newRegistryWorld(t, v)
	one := w.r.Push(w.e, w.config, testengine.Web1, "web:1")
	ref := w.r.Addr + "/web:1"
	tag := w.declare(`web = image("web", "R/web:1")`, `output("id", web.id)`, `output("digest", web.digest)`)
	w.repaired(tag, "+ image.web")
	p := w.plan(tag)
	for i, want := range []string{one, w.id(ref)} { // by name
		if got := fmt.Sprint(p.Outputs[i].Value); got != want && fmt.Sprint(p.Outputs[1-i].Value) != want {
			t.Errorf("output %s is %s, want %s", p.Outputs[i].Name, got, want)
		}
	}

	// By hand: removed, and another one under its name.
	w.e.Docker("image", "rm", ref)
	w.repaired(tag, "+ image.web")
	w.e.Docker("tag", testengine.Sleep, ref)
	w.plan(tag) // it is there: docker run would take it too

	always := w.declare(`image("web", ref = "R/web:1", pull = "always")`)
	w.alwaysPulled(always, ref, one)
	w.byDigest()

	// External: read, never pulled.
	w.plan(w.declare(`image("R/web:1", external = True)`))
	w.plan(w.declare(`output("arch", lookup("image", "R/web:1").digest)`))
	if _, err := Plan(t.Context(), w.declare(`image("R/never", external = True)`)); err == nil || !strings.Contains(err.Error(), "there is no image") {
		t.Errorf("an external image that is not there: %v", err)
	}

	// What is no longer declared is forgotten, and nothing is destroyed.
	w.plan(w.declare())
	destroy := tag
	destroy.Destroy = true
	w.plan(destroy)
	w.id(ref)

	if v == testengine.Docker28 { // 20.10 imports for its own platform only
		w.platforms(t)
	}
	t.Run("local", func(t *testing.T) { w.madeHere(t) })
	t.Run("not pulled", func(t *testing.T) { w.notPulled(t, tag, always, ref) })
}

// alwaysPulled asks the registry, and pulls what is another one there.
func (w *registryWorld) alwaysPulled(always Options, ref, one string) {
	stale := func(digest string) string {
		return "~ image.web (the registry has another one, " + shortHex(digest) + ")"
	}
	w.repaired(always, stale(one)) // by hand
	two := w.r.Push(w.e, w.config, testengine.Web2, "web:1")
	if two == one {
		w.t.Fatal("the registry holds the same image")
	}
	w.repaired(always, "+ image.web") // the push took the name away here
	w.e.Docker("tag", testengine.Web1, ref)
	w.repaired(always, stale(two))
	if w.id(ref) != w.id(testengine.Web2) {
		w.t.Error("the engine has another image")
	}
}

// byDigest pulls by a digest; a tag beside it says nothing.
func (w *registryWorld) byDigest() {
	three := w.r.Push(w.e, w.config, testengine.Web3, "web:3")
	w.repaired(w.declare(`image("web", "R/web@`+three+`")`), "+ image.web")
	w.plan(w.declare(`image("web", "R/web:7@` + three + `", pull = "always")`))
	if got := w.id(w.r.Addr + "/web@" + three); got != w.id(testengine.Web3) {
		w.t.Errorf("the image is %s", got)
	}
}

// madeHere has an image that was made on the engine and is in no registry:
// there it is.
func (w *registryWorld) madeHere(t *testing.T) {
	w.e.Docker("tag", testengine.Sleep, "made-here:1")
	w.plan(w.declare(`image("made-here:1")`))
	p := w.plan(w.declare(`image("made-here", ref = "R/made-here:1")`), "+ image.made-here")
	if len(p.Warnings) != 0 {
		t.Errorf("it warns %v", p.Warnings)
	}
	w.e.Docker("tag", testengine.Sleep, w.r.Addr+"/made-here:1")
	w.warned(t, w.declare(`image("made-here", ref = "R/made-here:1", pull = "always")`), "whether its registry has another one is not known")
}

// warned checks a plan that shows nothing and warns.
func (w *registryWorld) warned(t *testing.T, opts Options, text string) {
	t.Helper()
	reached := planOf(t, opts)
	if got := lines(reached.Plan); len(got) != 0 || !strings.Contains(fmt.Sprint(reached.Plan.Warnings), text) {
		t.Errorf("the plan shows %v and warns %v", got, reached.Plan.Warnings)
	}
}

// notPulled has a name that the registry does not have, then a wrong password,
// then no registry.
func (w *registryWorld) notPulled(t *testing.T, tag, always Options, ref string) {
	fails := func(opts Options, texts ...string) {
		t.Helper()
		code, said := w.apply(t, opts)
		if code != apply.ExitFailed {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, append(texts, "was not pulled")...)
	}
	fails(w.declare(`image("none", ref = "R/none:1")`), w.r.Addr+"/none:1", "manifest")
	w.auth(t, `{"auths": {%q: {"auth": "YW5uOm5vbnNlbnNl"}}}`, w.r.Addr)
	w.e.Docker("image", "rm", ref)
	fails(tag, "docker login "+w.r.Addr)
	w.r.Stop()
	w.e.Docker("tag", testengine.Web1, ref)
	w.plan(tag)
	w.warned(t, always, "connection refused")
}

// platforms pulls one image of several under a tag, and then another one.
func (w *registryWorld) platforms(t *testing.T) {
	w.manyPlatforms("many", "linux/amd64", "linux/arm64", "linux/s390x")
	arch := func() string {
		return w.e.Docker("image", "inspect", "--format", "{{.Architecture}}", w.r.Addr+"/many:1")
	}
	w.repaired(w.declare(`image("many", "R/many:1", platform = "linux/arm64/v8", pull = "always")`), "+ image.many")
	if got := arch(); got != "arm64" {
		t.Errorf("the engine has it for %s", got)
	}
	w.repaired(w.declare(`image("many", "R/many:1", platform = "linux/s390x", pull = "always")`), "~ image.many: platform")
	if got := arch(); got != "s390x" {
		t.Errorf("the engine has it for %s", got)
	}
	w.plan(w.declare(`image("many", "R/many:1")`)) // whichever is there
}

// manyPlatforms makes an image that the registry has for several platforms,
// under the tag 1, and leaves none of it on the engine.
func (w *registryWorld) manyPlatforms(name string, platforms ...string) {
	w.t.Helper()
	type descriptor struct {
		MediaType string            `json:"mediaType"`
		Size      int               `json:"size"`
		Digest    string            `json:"digest"`
		Platform  map[string]string `json:"platform"`
	}
	const manifest, list = "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json"
	all := []descriptor{}
	for _, p := range platforms {
		goos, arch, _ := strings.Cut(p, "/")
		w.e.DockerInput(strings.Repeat("\x00", 1024), "import", "--platform", p, "-", "made-for:"+arch) // an empty archive
		digest := w.r.Push(w.e, w.config, "made-for:"+arch, name+":"+arch)
		w.e.Docker("image", "rm", "made-for:"+arch)
		body := w.ask(http.MethodGet, "/v2/"+name+"/manifests/"+arch, manifest, nil)
		all = append(all, descriptor{manifest, len(body), digest, map[string]string{"os": goos, "architecture": arch}})
	}
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": list, "manifests": all})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ask(http.MethodPut, "/v2/"+name+"/manifests/1", list, text)
}

// ask sends a request to the registry and returns the answer's body.
func (w *registryWorld) ask(method, path, mediaType string, body []byte) []byte {
	w.t.Helper()
	ca, err := os.ReadFile(w.r.CA)
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	req, err := http.NewRequest(method, "https://"+w.r.Addr+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth(w.r.User, w.r.Password)
	req.Header.Set("Accept", mediaType)
	req.Header.Set("Content-Type", mediaType)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s: %s, %v", method, path, resp.Status, got, err)
	}
	return got
}

// shortHex is the beginning of a digest.
func shortHex(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }

// Without an always nobody asks a registry, and without an image in the script
// nobody lists them.
func TestRealImageCalls(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	proxy := testengine.Proxy(t, e)
	t.Setenv("DOCKER_HOST", proxy.Host)
	dir := t.TempDir()
	for _, tt := range []struct {
		script                string
		list, inspect, remote int
	}{
		{``, 0, 0, 0},
		{`image("swarmtest/web:1"); image("swarmtest/web:2")`, 1, 0, 0},
		{`image("swarmtest/web:1", platform = "linux/amd64")`, 1, 1, 0},
		{`image("swarmtest/web:1", pull = "always")`, 1, 0, 1},
	} {
		proxy.Reset()
		text := "project(\"calls\")\nnetwork(\"n\", engine = engine(), external = True, name = \"bridge\")\n" + strings.ReplaceAll(tt.script, "; ", "\n")
		planOf(t, Options{File: write(t, dir, text)})
		got := [3]int{proxy.Count("GET", "/images/json"), proxy.Count("GET", "/images/*/*/json"), proxy.Count("GET", "/distribution/*/*/json")}
		if got != [3]int{tt.list, tt.inspect, tt.remote} {
			t.Errorf("%s: %v requests, want %v", tt.script, got, []int{tt.list, tt.inspect, tt.remote})
		}
	}
}
