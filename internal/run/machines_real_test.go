package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A machine that is new to the project and only starting is waited for by an
// apply; a plan does not wait, nor does an apply for one that it knows.
func TestNewMachine(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	h := testhost.Start(t, "debian-12")
	t.Setenv("HOME", t.TempDir()) // known_hosts
	t.Setenv("SSH_AUTH_SOCK", "")
	f := newFixture(t, &testengine.Engine{})
	f.opts.Vars = []string{"address=" + h.Address, "key=" + h.KeyFile, "project=" + f.project}
	f.opts.File = write(t, f.dir, `project(var("project"))
m = host("m", var("address"), user = "root", key = var("key"), accept_new = True)
file(m, "/etc/here", content = "x")
`)
	h.Run("systemctl", "stop", "ssh.service")
	p := f.Plan()
	f.shows(p, `file["/etc/here"] (host.m is unreachable)`)
	if err := p.view.unreachable(); err == nil || !strings.Contains(err.Error(), "cannot reach root@"+h.Address+" by SSH: connection refused") {
		t.Errorf("the error is %v", err)
	}

	var told []string
	waits := func(o *Options) {
		o.Patience = 5 * time.Minute
		o.Waiting = func(scope, text string) {
			told = append(told, scope+": "+text)
			h.Run("systemctl", "start", "ssh.service")
		}
	}
	p = f.Plan(waits)
	f.shows(p, `+ file["/etc/here"]`)
	f.wentWell(f.Carry(p))
	if want := []string{"host.m: waiting for its SSH port", "host.m: waiting for cloud-init"}; !slices.Equal(told, want) {
		t.Errorf("it told %q, want %q", told, want)
	}

	h.Run("systemctl", "stop", "ssh.service")
	told = nil
	f.Plan(waits)
	if told != nil {
		t.Errorf("it waited for a machine that it knows: %q", told)
	}
	// What it was waited for is said.
	f.project += "-2"
	f.opts.Vars[2] = "project=" + f.project
	p = f.Plan(func(o *Options) { o.Patience = time.Nanosecond })
	if err := p.view.unreachable(); err == nil || !strings.Contains(err.Error(), "is not ready: waited 1ns for its SSH port: cannot reach root@"+h.Address+" by SSH: connection refused") {
		t.Errorf("the error is %v", err)
	}
}

// Two machines that exist, as a project sees them: one login and one command
// each while nothing is to be done, whatever is declared on them.
func TestMachines(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
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
    settings = file(h, "/etc/default/thing", content = "NAME={}\n".format(h.name))
    systemd_unit(h, "thing.service", content = "[Service]\nEnvironmentFile=/etc/default/thing\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
                 enabled = True, running = True, after = [settings])
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

// An engine that somebody has stopped: one apply starts it, and does the rest of
// what is declared in its swarm.
func TestMachineEngineStopped(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	one := testhost.Start(t, "debian-12")
	t.Setenv("HOME", t.TempDir()) // known_hosts
	t.Setenv("SSH_AUTH_SOCK", "")
	f := newFixture(t, &testengine.Engine{})
	f.opts.Timeout = 5 * time.Minute
	f.opts.Vars = []string{"one=" + one.Address, "key=" + one.KeyFile, "project=" + f.project}
	script := func(more string) {
		f.opts.File = write(t, f.dir, `project(var("project"))
one = host("one", var("one"), user = "root", key = var("key"), accept_new = True)
docker_install(one, source = "distribution")
cluster = swarm.init(one, advertise_addr = one.private_ip)
network("backend", driver = "overlay")
secret("token", generate = 32)
volume("data", engine = one)
`+more)
	}
	script("")
	f.Apply()
	was := one.Run("docker", "info", "--format", "{{.Swarm.Cluster.ID}}") + one.Run("docker", "secret", "ls", "-q")

	one.Run("systemctl", "stop", "docker.socket", "docker.service")
	script(`config("motd", content = "hello")`)
	p := f.Plan()
	for _, want := range []string{"~ docker.one (the engine is not running)", "+ config.motd"} {
		if !slices.Contains(lines(p.Plan), want) {
			t.Errorf("the plan does not show %s", want)
		}
	}
	f.says(f.said.String(), []string{"docker.one does not run now; the 2 resources in it are compared again when it does", "swarm.main does not run now; the 4 resources"})
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()
	if is := one.Run("docker", "info", "--format", "{{.Swarm.Cluster.ID}}") + one.Run("docker", "secret", "ls", "-q"); is != was {
		t.Errorf("the swarm and its secret were %s, and are %s", was, is)
	}
}
