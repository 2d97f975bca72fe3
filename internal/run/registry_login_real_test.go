package run

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// loginWorld is an engine behind a proxy that counts, a registry that wants a
// password, and a docker configuration without one: only the script has it.
type loginWorld struct {
	*registryWorld
	proxy  *testengine.FaultProxy
	pusher string // the configuration that images are pushed with
}

func newLoginWorld(t *testing.T, v testengine.Version) *loginWorld {
	w := &loginWorld{registryWorld: newRegistryWorld(t, v)}
	w.pusher = w.config
	w.config = t.TempDir()
	t.Setenv("DOCKER_CONFIG", w.config)
	w.proxy = testengine.Proxy(t, w.e)
	t.Setenv("DOCKER_HOST", w.proxy.Host)
	return w
}

// login is the script's line for the registry.
func (w *loginWorld) login(password string) string {
	return fmt.Sprintf("r = registry(%q, username = %q, password = %q)", w.r.Addr, w.r.User, password)
}

// service is a line of a script.
func service(name, image, args string) string {
	return fmt.Sprintf("service(%q, image = %q, update = update_policy(monitor = \"100ms\"), restart = restart_policy(condition = \"none\"), stop_grace_period = \"1s\"%s)", name, image, args)
}

// refused is what a plan says that is not made. It has written nothing.
func (w *loginWorld) refused(t *testing.T, opts Options) string {
	t.Helper()
	w.proxy.Reset()
	p, err := Plan(t.Context(), opts)
	if p != nil {
		defer p.Close()
	}
	if err == nil {
		t.Fatalf("the plan is made:\n%s", show(p.Plan))
	}
	if code := apply.ExitCodeOf(err, apply.ExitFailed); code != apply.ExitUnreachable {
		t.Errorf("exit code %d, want %d: %v", code, apply.ExitUnreachable, err)
	}
	for _, c := range w.proxy.Calls() {
		if c.Write() && !strings.HasSuffix(c.Path, "/auth") {
			t.Errorf("the plan writes: %v", c)
		}
	}
	text := err.Error()
	for _, d := range diag.From(err) {
		text += "\n" + d.Hint
	}
	return text
}

// warned is what a plan warns of.
func warned(p *Planned) string {
	var out []string
	for _, w := range p.Plan.Warnings {
		out = append(out, w.Summary+"\n"+w.Hint)
	}
	return strings.Join(out, "\n")
}

// asked is how often a registry was asked through the engine.
func (w *loginWorld) asked() int {
	n := 0
	for _, c := range w.proxy.Calls() {
		if strings.HasPrefix(c.Path, "/distribution/") || c.Path == "/auth" {
			n++
		}
	}
	return n
}

// noChange plans: nothing is to do, and no registry was asked.
func (w *loginWorld) noChange(t *testing.T, opts Options) {
	t.Helper()
	w.proxy.Reset()
	empty(t, opts)
	if n := w.asked(); n != 0 {
		t.Errorf("a plan without changes asks registries %d times: %v", n, w.proxy.Calls())
	}
	quiet(t, w.proxy, "plan")
}

func (w *loginWorld) tasks(service string) string {
	w.t.Helper()
	return w.e.Docker("service", "ps", "--quiet", "--filter", "desired-state=running", service)
}

// A login in the script: nodes pull with it, a wrong one is told by the plan, and
// another one reaches the nodes without a restart.
func TestRegistryLogin(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testRegistryLogin(t, v) })
	}
}

func testRegistryLogin(t *testing.T, v testengine.Version) {
	w := newLoginWorld(t, v)
	one := w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	web := service("web", "R/web:1", "")

	said := w.refused(t, w.declare(w.login("nonsense"), web))
	wants(t, said, "registry "+w.r.Addr, "login of ann", "401 Unauthorized", "check username")
	if strings.Contains(said, "nonsense") {
		t.Errorf("it shows the password:\n%s", said)
	}

	// One request for the image, however many services have it.
	w.proxy.Reset()
	opts := w.declare(w.login(w.r.Password), web, service("web2", "R/web:1", ", replicas = 0"))
	applyAll(t, opts)
	if n := w.asked(); n != 1 {
		t.Errorf("a plan and its apply ask the registry %d times", n)
	}
	if got, want := w.image("web"), w.r.Addr+"/web:1@"+one; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	w.noChange(t, opts)

	// The registry gets another password. Nothing here knows, but the script.
	w.r.Stop()
	w.r.SetPassword("ann", "battery staple")
	w.r.Start()
	w.noChange(t, opts)
	running := w.tasks("web")
	opts = w.declare(w.login(w.r.Password), service("web", "R/web:1", ", registry_auth = \"kept\""), service("web2", "R/web:1", ", replicas = 0, registry_auth = \"kept\""))
	w.noChange(t, opts)
	opts = w.declare(w.login(w.r.Password), web, service("web2", "R/web:1", ", replicas = 0, with_registry_auth = False"))
	p := reached(t, opts)
	wants(t, show(p.Plan), `registry_auth: "another one" -> "current"`, "nothing restarts")
	if n := len(p.Plan.Changes); strings.Contains(show(p.Plan), "~   swarm.default/service.web2") {
		t.Errorf("a service without a login gets one, of %d:\n%s", n, show(p.Plan))
	}
	p.Close()
	opts = w.declare(w.login(w.r.Password), web, service("web2", "R/web:1", ", replicas = 0"))
	applyAll(t, opts)
	w.noChange(t, opts)
	if got := w.tasks("web"); got != running {
		t.Errorf("the tasks were %s and are %s: another login restarts them", running, got)
	}
	// The node pulls with it: the image that it had is gone.
	if id := w.e.Docker("images", "--quiet", w.r.Addr+"/web"); id != "" {
		w.e.Docker("service", "scale", "--detach", "web=0")
		w.eventually("the containers are gone", func() bool { return w.e.Docker("ps", "--quiet") == "" })
		w.e.Docker("image", "rm", "--force", id)
		applyAll(t, opts)
	}
	w.noChange(t, opts)

	// A script without it leaves what the nodes have.
	opts = w.declare(web, service("web2", "R/web:1", ", replicas = 0"))
	w.noChange(t, opts)

	// What docker login has kept, or a helper that the script names.
	w.r.Login(w.e, w.pusher)
	t.Setenv("DOCKER_CONFIG", w.pusher)
	named := fmt.Sprintf("registry(%q)", w.r.Addr)
	opts = w.declare(named, service("kept", "R/web:1", ""))
	applyAll(t, opts)
	w.noChange(t, opts)
	t.Setenv("DOCKER_CONFIG", w.config)
	said = w.refused(t, w.declare(named, service("none", "R/web:1", "")))
	wants(t, said, "wants a login, and there is none", "docker login "+w.r.Addr)
	w.helper(t, w.r.User, w.r.Password)
	opts = w.declare(fmt.Sprintf("registry(%q, helper = \"login\")", w.r.Addr), service("helped", "R/web:1", ""))
	applyAll(t, opts)
	w.noChange(t, opts)
}

// helper puts a credential helper into the path that gives a login.
func (w *loginWorld) helper(t *testing.T, user, password string) {
	t.Helper()
	bin := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nread host\necho '{\"ServerURL\":\"x\",\"Username\":%q,\"Secret\":%q}'\n", user, password)
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-login"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// eventually waits for what will be, however slow the computer is.
func (w *registryWorld) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it did not come to be that %s", what)
		}
	}
}

// token is a password that tells when it expires, as the clouds' do.
func token(until time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part("{}") + "." + part(fmt.Sprintf(`{"exp":%d}`, until.Unix())) + ".x"
}

// A token that expires: the plan warns, and a newer one is sent when the nodes'
// is at its end.
func TestRegistryTokenExpires(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newLoginWorld(t, testengine.Docker28)
	w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	change := func(until time.Time) {
		w.r.Stop()
		w.r.SetPassword("robot", token(until))
		w.r.Start()
		w.helper(t, w.r.User, w.r.Password)
	}
	opts := w.declare(fmt.Sprintf("registry(%q, helper = \"login\")", w.r.Addr), service("web", "R/web:1", ""))
	change(time.Now().Add(-time.Hour)) // the registry does not mind
	p := reached(t, opts)
	wants(t, warned(p), "has expired at", "moby/moby#36045")
	p.Close()
	applyAll(t, opts)

	// There is no newer one.
	p = reached(t, opts)
	if !p.Plan.Empty() {
		t.Errorf("the plan is not empty:\n%s", show(p.Plan))
	}
	wants(t, warned(p), "expired at", "no newer one", "docker login "+w.r.Addr)
	p.Close()

	// Now there is.
	running := w.tasks("web")
	change(time.Now().Add(12*time.Hour + 30*time.Minute))
	p = reached(t, opts)
	wants(t, show(p.Plan), `registry_auth: "expired at`, "nothing restarts")
	wants(t, warned(p), "expires at", "in 12 h ", "apply again before then")
	p.Close()
	applyAll(t, opts)
	w.noChange(t, opts)
	if got := w.tasks("web"); got != running {
		t.Errorf("the tasks were %s and are %s: another login restarts them", running, got)
	}
}

// When a digest is asked for: with "always" in each plan, by default when the
// reference changes, or never.
func TestResolveImage(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testResolveImage(t, v) })
	}
}

func testResolveImage(t *testing.T, v testengine.Version) {
	w := newLoginWorld(t, v)
	one := w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	login := w.login(w.r.Password)
	opts := w.declare(login, service("a", "R/web:1", `, resolve_image = "always"`), service("b", "R/web:1", `, resolve_image = "always", replicas = 0`),
		service("c", "R/web:1", ", replicas = 0"), service("n", "R/web:1", `, resolve_image = "never", replicas = 0`))
	applyAll(t, opts)
	w.proxy.Reset()
	empty(t, opts)
	if n := w.asked(); n != 1 {
		t.Errorf("a plan of two services that always ask asks %d times", n)
	}
	if w.proxy.Writes() != 0 {
		t.Error("the plan writes")
	}
	if got, want := w.image("n"), w.r.Addr+"/web:1"; got != want {
		t.Errorf("never: the image is %s, want %s", got, want)
	}

	// The tag moves: a change for those that always ask, and for nobody else.
	two := w.r.Push(w.e, w.pusher, testengine.Web2, "web:1")
	p := reached(t, opts)
	shown := show(p.Plan)
	wants(t, shown, "~   swarm.default/service.a", "~   swarm.default/service.b", "web:1@"+one+`" -> "`+w.r.Addr+`/web:1"`, "is "+two[:19]+" in the registry by now")
	for _, s := range []string{"service.c", "service.n"} {
		if strings.Contains(shown, "~   swarm.default/"+s) {
			t.Errorf("%s changes:\n%s", s, shown)
		}
	}
	p.Close()
	applyAll(t, opts)
	empty(t, opts)
	for service, want := range map[string]string{"a": two, "b": two, "c": one} {
		if got := w.image(service); got != w.r.Addr+"/web:1@"+want {
			t.Errorf("the image of %s is %s, want %s", service, got, want)
		}
	}

	// An image that was set by hand is drift by its reference.
	w.r.Push(w.e, w.pusher, testengine.Web3, "web:2")
	w.e.Docker("service", "update", "--detach", "--no-resolve-image", "--image", w.r.Addr+"/web:2", "c")
	w.e.Docker("service", "update", "--detach", "--no-resolve-image", "--image", w.r.Addr+"/web:1", "b")
	p = reached(t, opts)
	wants(t, show(p.Plan), `/web:2" -> `, "(not pinned)")
	p.Close()
	applyAll(t, opts)
	empty(t, opts)

	// What is not there goes by its tag, with a warning at plan and at apply.
	opts = w.declare(login, service("gone", "R/gone:1", ", replicas = 0"))
	p = reached(t, opts)
	wants(t, warned(p), "service.gone: the digest of image "+w.r.Addr+"/gone:1 could not be looked up")
	p.Close()
	applyAll(t, opts)
	w.noChange(t, opts)

	// A registry that is down changes nothing.
	opts = w.declare(login, service("a", "R/web:1", `, resolve_image = "always"`))
	applyAll(t, opts)
	w.r.Stop()
	p = reached(t, opts)
	if !p.Plan.Empty() {
		t.Errorf("the plan is not empty:\n%s", show(p.Plan))
	}
	wants(t, warned(p), "whether the tag has moved is not known", "connection refused")
	p.Close()
}

// Who does not know a registry's authority cannot ask it. Where the script has
// the certificate we can, though the nodes will not pull.
func TestRegistryUnknownAuthority(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newLoginWorld(t, testengine.Docker28)
	one := w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	w.e.Distrust(w.r)
	p := reached(t, w.declare(w.login(w.r.Password), service("web", "R/web:1", ", replicas = 0")))
	wants(t, warned(p), "could not be looked up", "certificate")
	p.Close()
	ca, err := os.ReadFile(w.r.CA)
	if err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]string{"ca": "ca = " + quoted(ca), "insecure": "insecure = True"} {
		login := strings.TrimSuffix(w.login(w.r.Password), ")") + ", " + more + ")"
		opts := w.declare(login, service(name, "R/web:1", ", replicas = 0"))
		applyAll(t, opts)
		w.noChange(t, opts)
		if got, want := w.image(name), w.r.Addr+"/web:1@"+one; got != want {
			t.Errorf("with %s the image is %s, want %s", name, got, want)
		}
	}
}

// quoted is a certificate in a script. Its base64 may hold R/, which stands for the
// registry in scripts here.
func quoted(ca []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("%q", ca), "R/", `\x52/`)
}

// Where there is no swarm yet, its registries are asked by us.
func TestRegistryLoginBeforeTheSwarm(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newLoginWorld(t, testengine.Docker28)
	w.e.Docker("swarm", "leave", "--force")
	begin := fmt.Sprintf("swarm.init(engine(), advertise_addr = %q)", w.e.Addr)
	ca, err := os.ReadFile(w.r.CA)
	if err != nil {
		t.Fatal(err)
	}
	w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	login := func(password string) string {
		return strings.TrimSuffix(w.login(password), ")") + ", ca = " + quoted(ca) + ")"
	}
	said := w.refused(t, w.declare(begin, login("nonsense"), service("web", "R/web:1", "")))
	wants(t, said, "registry "+w.r.Addr, "login of ann", "authentication required")
	if strings.Contains(said, "nonsense") {
		t.Errorf("it shows the password:\n%s", said)
	}
	opts := w.declare(begin, login(w.r.Password), service("web", "R/web:1", ""))
	applyAll(t, opts)
	w.noChange(t, opts)

	// What cannot be asked from here may well be asked from there.
	w.r.Stop()
	w.e.Docker("swarm", "leave", "--force")
	if p, err := Plan(context.Background(), opts); err != nil {
		t.Errorf("a registry that is down: %v", err)
	} else {
		p.Close()
	}
}

// An image without a platform of any node is told by the plan.
func TestImagePlatforms(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newLoginWorld(t, testengine.Docker28)
	w.pushFor(t, "arm:1", "arm64")
	w.pushFor(t, "both:1", "arm64", "amd64")
	opts := w.declare(w.login(w.r.Password), service("arm", "R/arm:1", ""))
	p := reached(t, opts)
	err := p.Refused()
	if err == nil {
		t.Fatalf("the plan can be carried out:\n%s", show(p.Plan))
	}
	said := ""
	for _, d := range diag.From(err) {
		said += d.Summary + "\n" + d.Detail + "\n" + d.Hint
	}
	wants(t, said, "service.arm", "cannot be placed", "is linux/amd64", w.r.Addr+"/arm:1 is for linux/arm64")
	p.Close()
	p = reached(t, w.declare(w.login(w.r.Password), service("both", "R/both:1", "")))
	if err := p.Refused(); err != nil {
		t.Errorf("an image that is also for the node's platform: %v", err)
	}
	p.Close()
}
