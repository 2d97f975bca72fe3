package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/labtest"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// The standard library's hardened(), and an engine, on simulated machines: made, found
// to be so, drifted, repaired, and taken away.
func TestHardenedOnLab(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			h := labtest.Start(t, image, "m1", "deploy")
			home := t.TempDir()
			if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
				t.Fatal(err)
			}
			known := fmt.Sprintf("[%s]:%d %s\n", labtest.Address, h.Port, h.HostKey)
			if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(known), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("HOME", home)
			f := newFixture(t, &testengine.Engine{})
			f.Bare(fmt.Sprintf(`load("@stdlib//host.star", "hardened")
project(var("project"))
m = host("m1", %q, port = %d, user = %q, key = %q)
hardened(m, rules = [rule("allow", 2377, proto = "tcp", from_ = "127.0.0.0/8")])
docker_install(m, version = "28.5", users = ["deploy"])
`, labtest.Address, h.Port, h.User, h.KeyFile))
			f.Apply()
			f.PlanIsEmpty()
			if got := h.Sh("ufw status | grep -c ALLOW; fail2ban-client status sshd >/dev/null; systemctl is-active fail2ban docker unattended-upgrades; docker info -f '{{.ServerVersion}}'; sysctl -n net.ipv4.conf.all.send_redirects; sshd -T | grep '^passwordauthentication'"); got != "1\nactive\nactive\nactive\n28.5.2\n0\npasswordauthentication no" {
				t.Errorf("the machine says\n%s", got)
			}
			h.Sh("ufw allow 99/tcp; rm /etc/ssh/sshd_config.d/10-swarmscript.conf; systemctl stop docker.socket docker; sysctl -q -w net.ipv4.conf.all.send_redirects=1")
			f.Apply()
			f.PlanIsEmpty()
			f.destroyed()
			if got := h.Sh("ufw status; ls /etc/ssh/sshd_config.d; command -v dockerd || echo none; find /var/lib/swarmscript -path '*/marks/*'"); got != "Status: inactive\nnone" {
				t.Errorf("after us the machine says\n%s", got)
			}
		})
	}
}
