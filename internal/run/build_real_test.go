package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// buildWorld is a registryWorld with a folder to build from, web/, and scripts
// beside it.
type buildWorld struct {
	*registryWorld
	dir     string
	scripts int
}

func newBuildWorld(t *testing.T, v testengine.Version) *buildWorld {
	w := &buildWorld{registryWorld: newRegistryWorld(t, v), dir: t.TempDir()}
	w.file("web/Dockerfile", `
FROM `+testengine.Web1+` AS base
ARG GREETING=hello
ENV GREETING=$GREETING
COPY . /srv/

FROM base AS tested
RUN ["/swarmtest", "exit", "1"]

FROM base
LABEL stage=last
`)
	w.file("web/index.html", "one")
	return w
}

// file writes a file of the script's folder.
func (w *buildWorld) file(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// script is a script beside the folder.
func (w *buildWorld) script(lines ...string) Options {
	text := "project(\"shop\", env = \"test\")\n" + strings.Join(lines, "\n") + "\n"
	w.scripts++
	name := fmt.Sprintf("%d.star", w.scripts)
	w.file(name, strings.ReplaceAll(text, "R/", w.r.Addr+"/"))
	return Options{Timeout: 5 * time.Minute, File: filepath.Join(w.dir, name)}
}

// An image that is built: every argument, what changes it, what was done to it by
// hand.
func TestRealBuild(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := newBuildWorld(t, v)
			w.unnamed()
			w.arguments()
			w.byHand()
			w.pushed()
			if v == testengine.Docker28 { // 20.10's BuildKit reads the registries' certificates when the engine starts
				w.private()
			}
			w.used()
			w.refused()
			w.login()
		})
	}
}

// ref is the output ref of a plan that changes nothing.
func (w *buildWorld) ref(opts Options) string {
	w.t.Helper()
	text, err := os.ReadFile(opts.File)
	if err != nil {
		w.t.Fatal(err)
	}
	_, declared, _ := strings.Cut(string(text), "\n")
	p := w.plan(w.script(declared, `output("ref", b.ref)`))
	return fmt.Sprint(p.Outputs[0].Value)
}

// unnamed has a tag that another content changes, known before it is built.
func (w *buildWorld) unnamed() {
	opts := w.script(`b = build("web")`)
	w.repaired(opts, "+ build.web")
	one := w.ref(opts)
	if !strings.HasPrefix(one, "web:sha-") {
		w.t.Errorf("it is called %s", one)
	}
	w.id(one)
	w.file("web/index.html", "two")
	w.repaired(w.script(`b = build("web")`), `~ build.web: content["index.html"]`)
	if two := w.ref(w.script(`b = build("web")`)); two == one || w.id(one) == w.id(two) {
		w.t.Errorf("it is called %s, and was called %s", two, one)
	}
	w.file("web/index.html", "one")
	w.plan(w.script(`b = build("web")`)) // that image is still there

	w.file("web/.dockerignore", "*.log\n")
	w.repaired(w.script(`b = build("web")`), `~ build.web: content[".dockerignore"]`) // beside the one that is nearest
	w.file("web/build.log", "x")
	w.plan(w.script(`b = build("web")`))
	p := w.plan(w.script(`b = build("web", target = "base")`), "~ build.web: target")
	if got := p.Changes[len(p.Changes)-1].Effect; got != "builds" {
		w.t.Errorf("its effect is %q", got)
	}
}

// arguments changes each one, and takes it away.
func (w *buildWorld) arguments() {
	with := func(args string) Options { return w.script(`b = build("web", tags = ["site/web:1"]` + args + `)`) }
	w.repaired(with(""), "+ build.web")
	for _, tt := range []struct{ args, change, look, want string }{
		{`, args = {"GREETING": "hi"}`, `args["GREETING"]`, "{{.Config.Env}}", "GREETING=hi"},
		{`, labels = {"org.team": "web"}`, `labels["org.team"]`, "{{.Config.Labels}}", "org.team:web"},
		{`, target = "base"`, `target`, "{{.Config.Env}}", "GREETING=hello"},
		{`, platforms = ["linux/` + runtime.GOARCH + `"]`, `platforms`, "{{.Architecture}}", runtime.GOARCH},
		{`, network = "none"`, `network`, "{{.Os}}", "linux"},
		{`, add_hosts = ["db:10.0.0.1"]`, `add_hosts`, "{{.Os}}", "linux"},
	} {
		w.repaired(with(tt.args), "~ build.web: "+tt.change)
		if got := w.e.Docker("image", "inspect", "--format", tt.look, "site/web:1"); !strings.Contains(got, tt.want) {
			w.t.Errorf("with %s the image has %s", tt.args, got)
		}
		w.repaired(with(""), "~ build.web: tags") // that image is still there
	}
	w.plan(with(`, dockerfile = "./deploy/../Dockerfile"`)) // which is Dockerfile
	// What says how, not what.
	w.plan(with(`, pull = False, no_cache = True, cache_from = ["site/web:1"], cache_to = "inline", secrets = {"pw": "x"}, ssh = ["default"]`))
	w.file("web/deploy/Other", "FROM scratch\nCOPY index.html /\n")
	w.repaired(with(`, dockerfile = "deploy/Other"`), `~ build.web: dockerfile content["deploy/"] content["deploy/Other"]`)
	w.repaired(w.script(`b = build("web", name = "front", dockerfile = "deploy/Other", tags = ["site/web:1", "site/web:latest"])`), `~ build.front: tags`)
	if w.id("site/web:1") != w.id("site/web:latest") {
		w.t.Error("the tags are of two images")
	}
}

// byHand removes the image, and gives its names to others.
func (w *buildWorld) byHand() {
	opts := w.script(`b = build("web", tags = ["site/web:1"])`)
	w.repaired(opts, "~ build.web: dockerfile")
	ref, id := w.ref(opts), w.id("site/web:1")
	w.e.Docker("tag", testengine.Sleep, "site/web:1")
	w.repaired(opts, "~ build.web: tags")
	if got := w.id("site/web:1"); got != id {
		w.t.Errorf("it is %s, not %s", got, id)
	}
	w.e.Docker("rmi", ref)
	w.repaired(opts, "~ build.web (it has lost the name "+ref+")")
	w.e.Docker("tag", testengine.Sleep, ref)
	w.repaired(opts, "~ build.web (it has lost the name "+ref+")")
	if got := w.id(ref); got != w.id("site/web:1") || got == w.id(testengine.Sleep) {
		w.t.Errorf("it is %s", got)
	}
	w.e.Docker("rmi", ref, "site/web:1")
	w.repaired(opts, "~ build.web: dockerfile tags")
	w.plan(w.script()) // it is forgotten, and not removed
	destroy := opts
	destroy.Destroy = true
	w.plan(destroy)
	w.id(ref)
}

// pushed pushes, and pushes again what the registry has lost. Its users call it by
// the digest.
func (w *buildWorld) pushed() {
	opts := w.script(`b = build("web", tags = ["R/site/web:1", "R/site/web:new"], push = True)`)
	w.repaired(opts, "+ build.web")
	ref := w.ref(opts)
	if !strings.HasPrefix(ref, w.r.Addr+"/site/web:1@sha256:") {
		w.t.Errorf("it is called %s", ref)
	}
	w.e.Docker("rmi", w.r.Addr+"/site/web:1", w.r.Addr+"/site/web:new")
	w.repaired(w.script(`image("new", "R/site/web:new")`, `image("one", "R/site/web:1")`), "+ image.new", "+ image.one")
	w.plan(opts) // what was pulled is what was built
	w.r.Push(w.e, w.config, testengine.Sleep, "site/web:new")
	w.e.Docker("tag", w.r.Addr+"/site/web:1", w.r.Addr+"/site/web:new")
	w.repaired(opts, "~ build.web: push")
	w.file("web/index.html", "three")
	opts = w.script(`b = build("web", tags = ["R/site/web:1", "R/site/web:new"], push = True)`)
	w.repaired(opts, `~ build.web: content["index.html"]`)
	if now := w.ref(opts); now == ref {
		w.t.Error("its digest is the same")
	}
	w.r.Stop()
	w.warned(w.t, opts, "whether the registry has")
	w.r.Start()
	w.repaired(w.script(`b = build("web", name = "R/site/other", push = True)`), `+ build["`+w.r.Addr+`/site/other"]`)
}

// private builds on an image that only our credentials get.
func (w *buildWorld) private() {
	w.file("private/Dockerfile", "FROM "+w.r.Addr+"/site/web:1\nLABEL mine=yes\n")
	w.e.Docker("rmi", "--force", w.id(w.r.Addr+"/site/web:1"))
	w.repaired(w.script(`build("private")`), "+ build.private")
}

// used has a service of the image: another content rolls it.
func (w *buildWorld) used() {
	service := func(args string) Options {
		return w.script(`b = build("web", name = "shop"`+args+`)`, `service("web", image = b.ref, update = update_policy(monitor = "100ms"))`)
	}
	w.repaired(service(""), "+ build.shop", "+ service.web")
	one := w.image("web")
	w.file("web/index.html", "four")
	w.repaired(service(""), `~ build.shop: content["index.html"]`, "~ service.web: image")
	if two := w.image("web"); two == one {
		w.t.Errorf("the service has %s", two)
	}
	pushed := `, tags = ["R/site/shop:1"], push = True`
	w.repaired(service(pushed), `+ build.shop`, "~ service.web: image")
	three := w.image("web")
	w.file("web/index.html", "five")
	w.repaired(service(pushed), `~ build.shop: content["index.html"]`, "~ service.web: image")
	if four := w.image("web"); four == three || !strings.HasPrefix(four, w.r.Addr+"/site/shop:1@sha256:") {
		w.t.Errorf("the service has %s", four)
	}
}

// refused is what cannot be built, or pushed.
func (w *buildWorld) refused() {
	fails := func(opts Options, texts ...string) {
		w.t.Helper()
		code, said := w.apply(w.t, opts)
		if code != apply.ExitFailed {
			w.t.Errorf("exit code %d", code)
		}
		wants(w.t, said, texts...)
	}
	fails(w.script(`build("web", target = "tested")`), "web was not built", "exit", "its last lines", "MARIADB_ROOT_PASSWORD")
	fails(w.script(`build("web", target = "none")`), "web was not built", "none")
	w.auth(w.t, `{"auths": {%q: {"auth": "YW5uOm5vbnNlbnNl"}}}`, w.r.Addr)
	fails(w.script(`build("web", tags = ["R/site/secret:1"], push = True)`), "was not pushed", "docker login "+w.r.Addr)
}

// login has registry() say how images are pushed: a plan tells that it is not taken,
// whether there is something to push or not.
func (w *buildWorld) login() {
	w.auth(w.t, `{}`)
	with := func(password, args string) Options {
		return w.script(fmt.Sprintf(`registry(%q, username = %q, password = %q)`, w.r.Addr, w.r.User, password), `build("web", tags = ["R/site/login:1"], push = True`+args+`)`)
	}
	refused := func(opts Options) {
		w.t.Helper()
		p, err := Plan(w.t.Context(), opts)
		if err == nil {
			p.Close()
			w.t.Error("the plan takes a wrong password")
			return
		}
		if !errors.Is(err, resource.ErrRefused) {
			w.t.Errorf("it is %v", err)
		}
		said := err.Error()
		for _, d := range diag.From(err) {
			said += "\n" + d.Hint
		}
		wants(w.t, said, "registry "+w.r.Addr, "login of "+w.r.User, "of registry()")
		if strings.Contains(said, "nonsense") {
			w.t.Errorf("it shows the password:\n%s", said)
		}
	}
	refused(with("nonsense", ""))
	w.repaired(with(w.r.Password, ""), "+ build.login")
	refused(with("nonsense", ""))
	refused(with("nonsense", `, args = {"GREETING": "bye"}`))
	w.plan(with(w.r.Password, ""))
}

// More builds at once than an SSH connection carries: none waits for ever.
func TestRealBuildSSH(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newBuildWorld(t, testengine.Docker28)
	s := testengine.StartSSHD(w.e)
	t.Setenv("PATH", s.Bin+":"+os.Getenv("PATH"))
	t.Setenv("DOCKER_HOST", "ssh://"+s.Host)
	opts := w.script(`[build("web", name = "web%d" % i, args = {"GREETING": str(i)}) for i in range(12)]`)
	applyAll(t, opts)
	w.plan(opts)
	if n := s.Logins(); n != 2 {
		t.Errorf("an apply and a plan logged in %d times", n)
	}
}
