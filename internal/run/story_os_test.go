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
app = directory(m, "/opt/app")
conf = file(m, "/opt/app/conf", content = %q)
file(m, "/opt/app/token", content = var("token", type = "string", sensitive = True), after = [app])
file(m, "/etc/motd", content = "ours\n")
systemd_unit(m, "app.service", content = "[Service]\nExecStart=/bin/sleep 1234\n[Install]\nWantedBy=multi-user.target\n",
    enabled = True, running = True, after = [conf], lifecycle = lifecycle(replace_on = [conf.sha256]))
sysctl(m, "net.core.somaxconn", value = 1234)
user(m, "deploy", groups = ["adm"])
command(m, "seed", run = "echo seed >>/srv/seeds", creates = "/srv/seeds")
ufw = package(m, "ufw")
firewall(m, rules = %s, after = [ufw])
`, content, rules))
		f.opts.Vars = append(f.opts.Vars, "token="+token)
	}
	const ssh = `[rule("allow", 22, proto = "tcp")]`

	script("one", ssh)
	f.Apply()
	f.PlanIsEmpty()
	pid := h.Sh("systemctl show -p MainPID --value app.service")
	script("two", ssh)
	f.PlanShows("~ file[\"/opt/app/conf\"]: content", "~ systemd_unit.app.service (lifecycle(replace_on) changed)")
	f.Apply()
	f.PlanIsEmpty()
	if now := h.Sh("systemctl show -p MainPID --value app.service"); now == pid || now == "0" {
		t.Errorf("the unit's process was %s and is %s: what it depends on changed, and it was not started anew", pid, now)
	}

	h.Sh("rm /srv/seeds; systemctl stop app.service; ufw allow 99/tcp")
	f.Repaired("~ systemd_unit.app.service: running", "~ command.seed: creates", "~ firewall.m1: rules")
	script("two", "[]")
	f.ApplyEnds(1, "firewall.m1: it would cut off the SSH connection that we use", "no rule allows it, and incoming is deny", `allow it: rule("allow", 22, proto = "tcp")`)

	script("two", ssh)
	f.Apply(func(o *Options) { o.Destroy = true })
	if got := h.Sh("cat /etc/motd"); got != motd {
		t.Errorf("the greeting is %q, and was %q", got, motd)
	}
	left := h.Sh("ls -d /opt/app /etc/systemd/system/app.service 2>/dev/null; getent passwd deploy; ufw status; find /var/lib/swarmscript -name '*-*' -type f ! -name apt-updated")
	if strings.TrimSpace(left) != "Status: inactive" {
		t.Errorf("what is left: %q", left)
	}
}
