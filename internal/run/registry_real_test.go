package run

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// registryWorld is an engine, a registry that wants a password, and a script
// of services.
type registryWorld struct {
	t      *testing.T
	e      *testengine.Engine
	r      *testengine.Registry
	config string // docker's configuration folder
	root   string
}

func newRegistryWorld(t *testing.T, v testengine.Version) *registryWorld {
	config := ownDocker(t)
	e := testengine.Start(t, v)
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	t.Setenv("DOCKER_HOST", e.Host)
	r := testengine.StartRegistry(e)
	r.Login(e, config)
	return &registryWorld{t: t, e: e, r: r, config: config, root: t.TempDir()}
}

// script declares services; each line is a name and its arguments.
func (w *registryWorld) script(services ...string) Options {
	text := "project(\"shop\", env = \"test\")\n"
	for _, s := range services {
		name, args, _ := strings.Cut(s, ": ")
		text += fmt.Sprintf("service(%q, update = update_policy(monitor = \"100ms\"), %s)\n", name, strings.ReplaceAll(args, "R/", w.r.Addr+"/"))
	}
	return Options{Timeout: 3 * time.Minute, File: write(w.t, w.root, text)}
}

// apply applies and returns what was said on the way, the failures too.
func (w *registryWorld) apply(t *testing.T, opts Options) (code int, said string) {
	t.Helper()
	p := planOf(t, opts)
	defer p.Close()
	var lines []string
	res, err := p.Apply(t.Context(), ApplyOptions{Sink: func(e apply.Event) {
		if e.Text != "" {
			lines = append(lines, e.Text)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range res.Steps {
		if s.Err != nil {
			lines = append(lines, s.Err.Error())
		}
	}
	return res.ExitCode(), strings.Join(lines, "\n")
}

func (w *registryWorld) image(service string) string {
	w.t.Helper()
	return w.e.Docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", service)
}

func wants(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.Errorf("%q is not said:\n%s", p, said)
		}
	}
}

func TestRegistry(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testRegistry(t, v) })
	}
}

// A container's image is pulled, with our credentials, where it is not there or
// is always to be pulled.
func TestRegistryContainer(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := newRegistryWorld(t, v)
			w.r.Push(w.e, w.config, testengine.Sleep, "box:1")
			script := func(args string) Options {
				text := "project(\"shop\", env = \"test\")\ncontainer(\"box\", image = \"" + w.r.Addr + "/box:1\"" + args + ")\n"
				return Options{Timeout: 3 * time.Minute, File: write(t, w.root, text)}
			}
			applyAll(t, script(""))
			empty(t, script(""))
			id := w.e.Docker("inspect", "box", "--format", "{{.Image}}")

			// A tag that has moved is no change; made anew, it is pulled again if it
			// always is.
			w.r.Push(w.e, w.config, testengine.Health, "box:1")
			empty(t, script(`, pull = "always"`))
			applyAll(t, script(`, pull = "always", tty = True`))
			empty(t, script(`, pull = "always", tty = True`))
			if w.e.Docker("inspect", "box", "--format", "{{.Image}}") == id {
				t.Error("the image was not pulled again")
			}
		})
	}
}

func testRegistry(t *testing.T, v testengine.Version) {
	w := newRegistryWorld(t, v)
	one := w.r.Push(w.e, w.config, testengine.Web1, "web:1")
	const web = `web: image = "R/web:1", with_registry_auth = True`
	opts := w.script(web)

	// The node has no such image: it pulls it, with our credentials.
	applyAll(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web:1@"+one; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	empty(t, opts)
	cli(t, "service", "create", "--quiet", "--detach", "--with-registry-auth", "--replicas", "0", "--name", "by-hand", w.r.Addr+"/web:1")
	if got, want := w.image("web"), w.image("by-hand"); got != want {
		t.Errorf("we pin %s, the docker CLI %s", got, want)
	}

	// A new image under the tag is no change, and comes along with none.
	again := w.r.Push(w.e, w.config, testengine.Web2, "web:1")
	if again == one {
		t.Fatal("the registry holds the same image")
	}
	empty(t, opts)
	opts = w.script(web + `, labels = {"a": "1"}`)
	applyAll(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web:1@"+one; got != want {
		t.Errorf("after another change the image is %s, want %s", got, want)
	}
	empty(t, opts)

	// Another tag is, and a digest.
	two := w.r.Push(w.e, w.config, testengine.Web3, "web:2")
	const next = `web: image = "R/web:2", with_registry_auth = True, labels = {"a": "1"}`
	opts = w.script(next)
	if p := reached(t, opts); len(p.Plan.Changes) == 0 || !strings.Contains(show(p.Plan), `image: "`+w.r.Addr+"/web:1\" -> ") {
		t.Errorf("another tag:\n%s", show(p.Plan))
	}
	applyAll(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web:2@"+two; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	empty(t, opts)
	if v != testengine.Docker28 {
		return
	}
	opts = w.script(`web: image = "R/web@` + again + `", with_registry_auth = True, labels = {"a": "1"}`)
	applyAll(t, opts)
	empty(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web@"+again; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}

	// The tag alone, when asked for.
	const raw = `raw: image = "R/web:2", with_registry_auth = True, no_resolve_image = True`
	opts = w.script(raw)
	applyAll(t, opts)
	if got, want := w.image("raw"), w.r.Addr+"/web:2"; got != want {
		t.Errorf("with no_resolve_image the image is %s, want %s", got, want)
	}
	empty(t, opts)

	t.Run("helper", func(t *testing.T) {
		w.r.Push(w.e, w.config, testengine.Sleep, "helped:1")
		bin := t.TempDir()
		helper := fmt.Sprintf("#!/bin/sh\nread host\n[ \"$host\" = %s ] && echo '{\"ServerURL\":\"x\",\"Username\":%q,\"Secret\":%q}'\n", w.r.Addr, w.r.User, w.r.Password)
		if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(helper), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		w.auth(t, `{"credHelpers": {%q: "test"}}`, w.r.Addr)
		applyAll(t, w.script(raw, `helped: image = "R/helped:1", with_registry_auth = True`))
		if got := w.image("helped"); !strings.Contains(got, "@sha256:") {
			t.Errorf("the image is %s", got)
		}
	})
	t.Run("not sent along", func(t *testing.T) {
		w.r.Push(w.e, w.config, testengine.Health, "alone:1")
		code, said := w.apply(t, w.script(raw, `alone: image = "R/alone:1", restart = restart_policy(condition = "none")`))
		if got := w.image("alone"); !strings.Contains(got, "@sha256:") {
			t.Errorf("the image is %s", got)
		}
		if code != apply.ExitNotConverged {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, "No such image", "with_registry_auth")
	})
	t.Run("wrong password", func(t *testing.T) {
		w.r.Push(w.e, w.config, testengine.Fail, "wrong:1")
		w.auth(t, `{"auths": {%q: {"auth": %q}}}`, w.r.Addr, base64.StdEncoding.EncodeToString([]byte("ann:nonsense")))
		code, said := w.apply(t, w.script(raw, `wrong: image = "R/wrong:1", with_registry_auth = True, restart = restart_policy(condition = "none")`))
		if code != apply.ExitNotConverged {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, "could not be looked up", "unauthorized", "No such image", "docker login "+w.r.Addr)
		if strings.Contains(said, "nonsense") {
			t.Errorf("it shows the password:\n%s", said)
		}
	})
	t.Run("broken helper", func(t *testing.T) {
		w.auth(t, `{"credsStore": "not-there"}`)
		code, said := w.apply(t, w.script(raw, `nohelp: image = "R/web:2", with_registry_auth = True, replicas = 0`))
		if code != apply.ExitFailed {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, "credentials for "+w.r.Addr, "docker-credential-not-there")
	})
	t.Run("down", func(t *testing.T) {
		w.r.Stop()
		code, said := w.apply(t, w.script(raw, `down: image = "R/web:3", replicas = 0`))
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, "warning: the digest of image "+w.r.Addr+"/web:3 could not be looked up", "connection refused")
		if got, want := w.image("down"), w.r.Addr+"/web:3"; got != want {
			t.Errorf("the image is %s, want %s", got, want)
		}
		empty(t, w.script(raw, `down: image = "R/web:3", replicas = 0`))
	})
	t.Run("black hole", func(t *testing.T) {
		hole, err := net.Listen("tcp", w.r.Addr) // takes connections, and never says a word
		if err != nil {
			t.Fatal(err)
		}
		defer hole.Close()
		services := []string{raw}
		for i := range 12 { // more than are applied at once
			services = append(services, fmt.Sprintf(`hole%d: image = "R/hole%d:1", replicas = 0`, i, i))
		}
		code, said := w.apply(t, w.script(services...))
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, "hole11:1 could not be looked up", "did not answer in 5s")
	})
}

// auth replaces docker's config.json for a test.
func (w *registryWorld) auth(t *testing.T, format string, args ...any) {
	t.Helper()
	undo := edit(t, filepath.Join(w.config, "config.json"), "", fmt.Sprintf(format, args...))
	t.Cleanup(undo)
}
