package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
	"github.com/swarmscript/swarmscript/internal/testhost/aptrepo"
)

// A bare machine gets an engine, and what lives on it, in one run; then nothing
// is left to do, an engine that is down is started, and all of it goes again.
func TestStoryDocker(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	h := testhost.Start(t, "debian-12")
	repo := aptrepo.Serve(t, h)
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(h.Address+" "+h.HostKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	f := newFixture(t, &testengine.Engine{})
	f.opts.Timeout = 3 * time.Minute
	script := func(install, more string) {
		f.Bare(fmt.Sprintf("project(var(\"project\"))\nm = host(\"m1\", %q, user = %q, key = %q)\n", h.Address, h.User, h.KeyFile) + install +
			"\nvolume(\"data\", engine = m)\nnetwork(\"back\", engine = m)\n" + more)
	}
	install := fmt.Sprintf("d = docker_install(m, version = \"28.5\", repository = %q, key = %q)\noutput(\"version\", d.version)\n", repo.URL, repo.Key)

	script("", "")
	f.PlanFails("there is no Docker Engine on host.m1", "docker_install(m1, ...) installs one")
	script(install, "")
	f.PlanShows("+ docker.m1", "+ volume.data", "+ network.back")
	f.Apply()
	if got := h.Run("docker", "network", "ls", "-q", "-f", "name=back"); got == "" {
		t.Error("there is no network")
	}
	f.PlanIsEmpty()
	script(install, "swarm.init(m)\n")
	f.PlanShows("+ swarm.main", "+ node.m1")
	f.Apply()
	f.PlanIsEmpty()

	// What is on an engine that is down is not known before it is up: the apply that
	// starts it compares it then.
	h.Sh("systemctl stop docker.socket docker.service")
	f.Apply()
	if got := h.Sh("systemctl is-active docker.service"); got != "active" {
		t.Errorf("the engine is %s", got)
	}
	f.PlanIsEmpty()
	script(strings.Replace(install, `"28.5"`, `"28.5.1"`, 1), "swarm.init(m)\n")
	f.PlanShows("~ docker.m1: version")
	f.Apply()
	f.PlanIsEmpty()
	// An engine that is only used now stays as it is.
	script("", "swarm.init(m)\n")
	f.PlanIsEmpty()
	f.Apply(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
	if left := h.Sh("command -v dockerd || ls /var/lib/docker/volumes"); strings.Contains(left, "dockerd") || !strings.Contains(left, "metadata.db") {
		t.Errorf("after all was destroyed there is %q", left)
	}
}
