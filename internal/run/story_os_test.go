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
)

// What a script says of a machine's operating system: in any order that its
// references and after ask for, repaired, and taken away as it was.
func TestStoryOS(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	h := testhost.Start(t, "debian-12")
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(h.Address+" "+h.HostKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	f := newFixture(t, &testengine.Engine{})
	f.opts.Timeout = 5 * time.Minute
	motd := h.Sh("cat /etc/motd")
	token := f.Hide("hunter2-and-more")
	script := func(content, rules string) {
		f.Bare(fmt.Sprintf("project(var(\"project\"))\nm = host(\"m1\", %q, user = %q, key = %q)\n", h.Address, h.User, h.KeyFile) + fmt.Sprintf(`
conf = file(m, "/opt/app/conf", content = %q, owner = "deploy")
tok = file(m, "/opt/app/token", content = var("token", type = "string", sensitive = True))
directory(m, "/opt/app")
file(m, "/etc/motd", content = "ours\n")
systemd_unit(m, "app.service", content = "[Service]\nExecStart=/bin/sleep 1234\n[Install]\nWantedBy=multi-user.target\n",
    enabled = True, running = True, after = [conf], lifecycle = lifecycle(replace_on = [conf.sha256]))
systemd_unit(m, "reads.service", content = "[Service]\nExecStart=/bin/sh -c 'echo start >>/run/reads; exec sleep 1235'\nExecReload=/bin/sh -c 'echo reload >>/run/reads'\n",
    running = True, restart_on = [conf], reload_on = [tok])
sysctl(m, "net.core.somaxconn", value = 1234)
user(m, "deploy", groups = ["adm"])
user(m, "games", groups = ["adm"])
systemd_unit(m, "apt-daily.timer", running = False)
command(m, "seed", run = "echo seed >>/srv/seeds", creates = "/srv/seeds")
firewall(m, rules = %s)
package(m, "ufw")
`, content, rules))
		f.opts.Vars = append(f.opts.Vars, "token="+token)
	}
	const ssh = `[rule("allow", 22, proto = "tcp")]`

	script("one", ssh)
	f.Apply()
	f.PlanIsEmpty()
	pid := h.Sh("systemctl show -p MainPID --value app.service")
	script("two", ssh)
	f.PlanShows("~ file[\"/opt/app/conf\"]: content", "~ systemd_unit.app.service (lifecycle(replace_on) changed)", "~ systemd_unit.reads.service: restart_on")
	f.Apply()
	f.PlanIsEmpty()
	if now := h.Sh("systemctl show -p MainPID --value app.service"); now == pid || now == "0" {
		t.Errorf("the unit's process was %s and is %s: what it depends on changed, and it was not started anew", pid, now)
	}

	// What a file said between its change by hand and its repair, the unit may have
	// read.
	h.Sh("echo x >/opt/app/token; rm /srv/seeds; systemctl stop app.service; ufw allow 99/tcp")
	f.Repaired("~ file[\"/opt/app/token\"]: content", "~ systemd_unit.app.service: running", "~ systemd_unit.reads.service: reload_on", "~ command.seed: creates", "~ firewall.m1: rules")
	if got := h.Sh("cat /run/reads"); got != "start\nstart\nreload" {
		t.Errorf("the unit that reads files did %q", got)
	}
	script("two", "[]")
	f.ApplyEnds(1, "firewall.m1: it would cut off the SSH connection that we use", "no rule allows it, and incoming is deny", `allow it: rule("allow", 22, proto = "tcp")`)

	script("two", ssh)
	p := f.Plan(func(o *Options) { o.Destroy = true })
	ends := map[string]string{}
	for _, c := range p.Plan.Changes {
		ends[c.Address.Short()] = c.Effect
	}
	const back = "goes back to what it was before us"
	for address, want := range map[string]string{
		`file["/etc/motd"]`: back, "sysctl.net.core.somaxconn": back, "firewall.m1": back, "user.games": back, "systemd_unit.apt-daily.timer": back,
		`file["/opt/app/conf"]`: "", "user.deploy": "", "systemd_unit.app.service": "", "command.seed": "what it did stays",
	} {
		if got, ok := ends[address]; !ok || got != want {
			t.Errorf("of the end of %s the plan says %q, want %q", address, got, want)
		}
	}
	if _, ok := ends["package.ufw"]; ok {
		t.Error("the plan deletes a package, which stays")
	}
	f.wentWell(f.Carry(p))
	if got := h.Sh("cat /etc/motd"); got != motd {
		t.Errorf("the greeting is %q, and was %q", got, motd)
	}
	left := h.Sh("ls -d /opt/app /etc/systemd/system/app.service 2>/dev/null; getent passwd deploy; ufw status; find /var/lib/swarmscript -name '*-*' -type f ! -name apt-updated")
	if strings.TrimSpace(left) != "Status: inactive" {
		t.Errorf("what is left: %q", left)
	}

	f.Bare(fmt.Sprintf(`project(var("project"))
a = host("a", %[1]q, user = %[2]q, key = %[3]q)
b = host("b", %[1]q, user = %[2]q, key = %[3]q)
file(a, "/etc/motd", content = "a")
file(b, "/etc/motd", content = "b")
`, h.Address, h.User, h.KeyFile))
	f.PlanFails("host.b is the same machine as host.a")
}
