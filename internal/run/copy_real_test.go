package run

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// copyWorld is a buildWorld, whose engine is called one, and a second engine that
// shares no registry with it.
type copyWorld struct {
	*buildWorld
	two  *testengine.Engine
	host string // of the second engine
}

// A small disk is where an engine keeps what it is sent until it is loaded.
func newCopyWorld(t *testing.T, from, to testengine.Version, opts ...testengine.Option) *copyWorld {
	w := &copyWorld{buildWorld: newBuildWorld(t, from), two: testengine.Start(t, to, opts...)}
	w.host = w.two.Host
	return w
}

// on is a script in which m2 is the second engine.
func (w *copyWorld) on(lines ...string) Options {
	return w.script(append([]string{fmt.Sprintf("m1 = engine(%q, name = \"one\")\nm2 = engine(%q, name = \"two\")", w.e.Host, w.host)}, lines...)...)
}

func (w *copyWorld) there(image string) string {
	w.t.Helper()
	return w.two.Docker("image", "inspect", "--format", "{{.Id}}", image)
}

// An image that is copied between engines of both releases, in each direction: what
// is sent, what is not, and what was done to it by hand.
func TestRealImageCopy(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, from := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		for _, to := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) {
				w := newCopyWorld(t, from, to)
				w.copied()
				w.copyByHand()
				w.onlySentOnce()
				w.copyOfPulled()
				w.onlyNewLayers(from)
			})
		}
	}
}

// copied has the same ID and the same names, and another content is another copy.
func (w *copyWorld) copied() {
	opts := w.on(`b = build("web", tags = ["site/web:1"], engine = m1, copy_to = [m1, m2])`)
	w.repaired(opts, "+ build.web", "+ image_copy.web")
	ref := w.ref(opts)
	for _, name := range []string{ref, "site/web:1"} {
		if got, want := w.there(name), w.id(name); got != want {
			w.t.Errorf("%s is %s there, and %s here", name, got, want)
		}
	}
	if got := w.two.Docker("run", "--rm", "--network", "none", "--entrypoint", "/swarmtest", ref, "exit", "0"); strings.Contains(got, "rror") {
		w.t.Errorf("it does not run there: %s", got)
	}
	old := w.there(ref)
	w.file("web/index.html", "another")
	w.repaired(opts, `~ build.web: content["index.html"]`, "+ image_copy.web")
	if now := w.there("site/web:1"); now == old || now != w.id("site/web:1") || w.there(ref) != old {
		w.t.Errorf("site/web:1 is %s, and was %s", now, old)
	}
}

// copyByHand loses the image, one of its names, and its names to another one.
func (w *copyWorld) copyByHand() {
	opts := w.on(`b = build("web", tags = ["site/web:1", "site/web:new"], engine = m1, copy_to = m2)`)
	w.repaired(opts, "~ build.web: tags", "~ image_copy.web: tags id") // whether another one is built is known then
	ref := w.ref(opts)
	id := w.there(ref)
	w.two.Docker("rmi", "site/web:new")
	w.repaired(opts, "~ image_copy.web: tags")
	w.two.Docker("rmi", "site/web:1", "site/web:new", ref)
	w.repaired(opts, "+ image_copy.web")
	w.two.Docker("load", "--quiet", "--input", testengine.Archive(w.t))
	w.two.Docker("tag", testengine.Sleep, ref)
	w.two.Docker("tag", ref, "site/web:1")
	w.repaired(opts, "~ image_copy.web: tags id")
	if got := w.there(ref); got != id || w.there("site/web:1") != id {
		w.t.Errorf("it is %s, not %s", got, id)
	}
	w.two.Docker("tag", testengine.Sleep, "site/web:other") // which is nobody's
	w.plan(opts)
	w.plan(w.on()) // it is forgotten, and not removed
	w.there(ref)
}

// onlySentOnce counts what the second engine is sent: nothing where it has the image.
func (w *copyWorld) onlySentOnce() {
	proxy := testengine.Proxy(w.t, w.two)
	w.host = proxy.Host
	defer func() { w.host = w.two.Host }()
	opts := w.on(`b = build("web", tags = ["site/web:1", "site/web:new"], engine = m1)`, `image_copy(b, engine = m2)`)
	ref := w.ref(opts)
	w.plan(opts)
	proxy.Reset()
	w.plan(opts)
	if n := proxy.Count("GET", "/images/json"); n != 1 || proxy.Writes() != 0 || proxy.Count("GET", "/images/*/json") != 0 {
		w.t.Errorf("a plan with nothing to do asks %v", proxy.Calls())
	}
	w.two.Docker("tag", ref, "kept:1")
	w.two.Docker("rmi", ref, "site/web:1", "site/web:new")
	proxy.Reset()
	w.repaired(opts, "+ image_copy.web")
	if n := proxy.Count("POST", "/images/load"); n != 0 {
		w.t.Errorf("an image that is there was sent %d times", n)
	}
	w.two.Docker("rmi", "kept:1", ref, "site/web:1", "site/web:new")
	// The connection breaks, and the answer is lost.
	proxy.Reset()
	cut := []testengine.Fault{testengine.Cut, testengine.LoseBack}
	proxy.Fault(func(c testengine.Call) testengine.Fault {
		if c.Path != "/images/load" || len(cut) == 0 {
			return testengine.Pass
		}
		fault := cut[0]
		cut = cut[1:]
		return fault
	})
	w.repaired(opts, "+ image_copy.web")
	if n := proxy.Count("POST", "/images/load"); n != 2 {
		w.t.Errorf("it was sent %d times", n)
	}
}

// copyOfPulled copies what nobody has built here.
func (w *copyWorld) copyOfPulled() {
	opts := w.on(fmt.Sprintf("i = image(%q, engine = m1, copy_to = [m2])", testengine.Health), fmt.Sprintf("image_copy(image(%q, engine = m1), name = \"gone\", engine = m2)", testengine.Web3))
	w.two.Docker("rmi", "--force", testengine.Health, testengine.Web3)
	w.repaired(opts, fmt.Sprintf("+ image_copy[%q]", testengine.Health), "+ image_copy.gone")
	if w.there(testengine.Health) != w.id(testengine.Health) || w.there(testengine.Web3) != w.id(testengine.Web3) {
		w.t.Error("the images are others")
	}
}

var sentText = regexp.MustCompile(`sent (\S+), which is loaded`)

// onlyNewLayers counts what the second engine is sent where it has the base of an
// image: the rest, by engines that say which layer is which, or else all.
func (w *copyWorld) onlyNewLayers(from testengine.Version) {
	w.two.Docker("load", "--quiet", "--input", testengine.Archive(w.t))
	proxy := testengine.Proxy(w.t, w.two)
	w.host = proxy.Host
	defer func() { w.host = w.two.Host }()
	sent := func(content string) int64 {
		w.file("web/index.html", content)
		opts := w.on(`b = build("web", engine = m1, copy_to = [m2])`)
		code, said := w.apply(w.t, opts)
		m := sentText.FindAllStringSubmatch(said, -1)
		if code != 0 || m == nil {
			w.t.Fatalf("the apply ended with %d and said %s", code, said)
		}
		w.plan(opts)
		ref := w.ref(opts)
		if got, want := w.there(ref), w.id(ref); got != want {
			w.t.Errorf("it is %s there, and %s here", got, want)
		}
		w.two.Docker("run", "--rm", "--network", "none", "--entrypoint", "/swarmtest", ref, "exit", "0")
		n, err := units.FromHumanSize(m[len(m)-1][1])
		if err != nil {
			w.t.Fatal(err)
		}
		return n
	}
	const base = 1 << 20 // which is more than that
	if n := sent("a layer of its own"); (n < base) != (from == testengine.Docker28) {
		w.t.Errorf("%d bytes were sent of an image whose base is there", n)
	}
	// The base is removed when it has been seen.
	removed := false
	proxy.Fault(func(c testengine.Call) testengine.Fault {
		if c.Path == "/images/load" && !removed {
			removed = true
			for _, id := range strings.Fields(w.two.Docker("image", "ls", "--quiet")) {
				w.two.Docker("rmi", "--force", id)
			}
		}
		return testengine.Pass
	})
	if n := sent("once more"); n < base {
		w.t.Errorf("only %d bytes were sent of an image whose base is not there", n)
	}
}

// What cannot be copied, and says why.
func TestRealImageCopyRefused(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := newCopyWorld(t, v, v, testengine.Env("DOCKER_TMPDIR="+smallDisk(t)))
			w.file("arm/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
			w.failsToCopy(w.on(`build("arm", platforms = ["linux/arm64"], engine = m1, copy_to = [m2])`), "for linux/arm64, and this engine is linux/x86_64")
			opts := w.on(`build("web", engine = m1, copy_to = [m2])`)
			w.failsToCopy(opts, "was not copied from engine.one: its disk is full", "no space left on device", "docker image prune")
			// The other one's disk is the one that is full.
			w.e, w.two = w.two, w.e
			w.host = w.two.Host
			t.Setenv("DOCKER_HOST", w.e.Host)
			w.two.Docker("rmi", "--force", testengine.Web1)
			w.file("big/Dockerfile", "FROM scratch\nCOPY big /\n")
			w.file("big/big", strings.Repeat("0123456789abcdef", 1<<18))
			w.failsToCopy(w.on(`build("big", engine = m1, copy_to = [m2])`), "was not copied from engine.one: engine.one: its disk is full", "no space left on device")
		})
	}
}

func (w *copyWorld) failsToCopy(opts Options, texts ...string) {
	w.t.Helper()
	code, said := w.apply(w.t, opts)
	if code != apply.ExitFailed {
		w.t.Errorf("exit code %d", code)
	}
	wants(w.t, said, texts...)
}

// smallDisk is a folder that holds a megabyte.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// A service on two nodes that share no registry: its image is on both before it is
// made, another content rolls both, and no registry is asked. A node that does not
// answer does not keep the other from it.
func TestRealImageCopyService(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := newCopyWorld(t, v, testengine.Docker28)
			w.two.Docker("swarm", "join", "--token", w.e.Docker("swarm", "join-token", "--quiet", "worker"), w.e.Addr+":2377")
			opts := w.on(`cluster = swarm.init(m1, external = True)`, `b = build("web", tags = ["site/web:1"], engine = m1, copy_to = [m2])`,
				`service("web", image = b, mode = "global", stop_grace_period = "1s", update = update_policy(monitor = "100ms"))`)
			w.repaired(opts, "+ build.web", "+ image_copy.web", "+ service.web")
			one := w.image("web")
			if where := w.runsOn(one); len(where) != 2 {
				t.Errorf("%s runs on %v", one, where)
			}
			w.file("web/index.html", "another")
			w.plan(opts, `~ build.web: content["index.html"]`, "+ image_copy.web", "~ service.web: image")
			code, said := w.apply(t, opts)
			if code != 0 || strings.Contains(said, "digest") || strings.Contains(said, "registry") {
				t.Errorf("the apply ended with %d and said %s", code, said)
			}
			w.plan(opts)
			two := w.image("web")
			if where := w.runsOn(two); two == one || len(where) != 2 {
				t.Errorf("%s runs on %v", two, where)
			}

			// By its other name it would not roll, which is said.
			p := w.plan(w.on(`cluster = swarm.init(m1, external = True)`, `b = build("web", tags = ["site/web:1"], engine = m1, copy_to = [m2])`,
				`service("web", image = "site/web:1", mode = "global", stop_grace_period = "1s", update = update_policy(monitor = "100ms"))`), "~ service.web: image")
			if text := fmt.Sprint(p.Warnings); !strings.Contains(text, "service.web names its image site/web:1: when build.web builds another one of that name, its tasks keep the old one") {
				t.Errorf("it warns %s", text)
			}

			w.two.Kill()
			w.file("web/index.html", "a third")
			w.plan(opts, `~ build.web: content["index.html"]`, "image_copy.web (engine.two is unreachable)", "~ service.web: image")
		})
	}
}

// runsOn are the nodes on which a service's tasks run an image.
func (w *copyWorld) runsOn(image string) []string {
	w.t.Helper()
	var out []string
	for _, line := range strings.Split(w.e.Docker("service", "ps", "web", "--filter", "desired-state=running", "--format", "{{.Node}} {{.Image}} {{.CurrentState}}"), "\n") {
		f := strings.Fields(line)
		if len(f) > 2 && f[1] == image && f[2] == "Running" && !slices.Contains(out, f[0]) {
			out = append(out, f[0])
		}
	}
	return out
}

// Over SSH, to more places at once than are copied at once.
func TestRealImageCopySSH(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newCopyWorld(t, testengine.Docker28, testengine.Debian20)
	s := testengine.StartSSHD(w.two)
	t.Setenv("PATH", s.Bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	w.host = "ssh://" + s.Host
	opts := w.on(`[build("web", name = "web%d" % i, args = {"GREETING": str(i)}, engine = m1, copy_to = [m2]) for i in range(8)]`)
	applyAll(t, opts)
	w.plan(opts)
	if n := strings.Count(w.two.Docker("image", "ls", "--filter", "label=swarmscript.build", "--quiet"), "\n") + 1; n != 8 {
		t.Errorf("there are %d images", n)
	}
}
