package run

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// Two machines that exist, as a project sees them: one login and one command
// each while nothing is to be done, whatever is declared on them.
func TestMachines(t *testing.T) {
	one, two := testhost.Start(t, "debian-12"), testhost.Start(t, "debian-13")
	t.Setenv("HOME", t.TempDir()) // known_hosts
	t.Setenv("SSH_AUTH_SOCK", "")
	f := newFixture(t, &testengine.Engine{})
	f.opts.Timeout = 5 * time.Minute
	f.opts.Vars = []string{"one=" + one.Address, "two=" + two.Address, "key1=" + one.KeyFile, "key2=" + two.KeyFile, "project=" + f.project}
	f.opts.File = write(t, f.dir, `project(var("project"))
one = host("one", var("one"), user = "root", key = var("key1"), accept_new = True)
two = host("two", var("two"), user = "root", key = var("key2"), accept_new = True)
for h in [one, two]:
    docker_install(h, source = "distribution", daemon = {"debug": True})
    for i in range(20):
        file(h, "/etc/thing-%d" % i, content = "%s %d" % (h.name, i))
    package(h, "tree")
    sysctl(h, "net.core.somaxconn", value = 1024)
cluster = swarm.init(one, advertise_addr = one.private_ip)
swarm.join(two, cluster, labels = {"tier": "web"})
network("backend", driver = "overlay")
secret("token", generate = 32)
`)
	f.Apply()
	p := f.Plan()
	f.shows(p)
	for _, name := range []string{"host.one", "host.two"} {
		used := p.view.scopes[name].Conn.(*host.Conn).Remote().Used()
		// The engine's lists come over connections of their own, at once.
		if used.Dials != 1 || used.Commands != 1 || used.Channels > 13 {
			t.Errorf("%s: a plan with nothing to do used %+v, want one login, one command, and the engine's ten lists at most", name, used)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}

	one.Run("rm", "/etc/thing-3")
	two.Run("sysctl", "-q", "net.core.somaxconn=4096")
	f.Repaired("+ file[\"/etc/thing-3\"]", "~ sysctl.net.core.somaxconn: value persistent")

	for _, h := range []*testhost.Host{one, two} {
		defer func() {
			if left := strings.TrimSpace(h.Run("sh", "-c", "ls /etc/thing-* /usr/bin/dockerd 2>/dev/null | wc -l")); left != "0" {
				t.Errorf("%s files of ours are left on %s", left, h.Name)
			}
		}()
	}
	f.Apply(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
	if p := f.Plan(func(o *Options) { o.Destroy = true }); len(lines(p.Plan)) > 0 {
		t.Error(fmt.Sprint("after destroy there is still to do: ", lines(p.Plan)))
	}
}
