package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testhost"
)

// as prints what the example changes on a server, but for packages, which stay,
// and what those and the engine keep.
const as = `ufw status verbose 2>/dev/null || echo Status: inactive
ls /etc/ssh/sshd_config.d /etc/sysctl.d /etc/apt/sources.list.d
find /etc /var/lib/swarmscript/project -name '*swarmscript*' -o -path '*/marks/*' 2>/dev/null || true
sysctl net.ipv4.conf.all.send_redirects net.ipv4.conf.default.send_redirects net.ipv4.tcp_syncookies
pidof dockerd containerd || echo no engine`

// writeKnownHosts writes the servers' keys as ssh-keyscan would.
func writeKnownHosts(t *testing.T, file string, hosts ...*testhost.Host) {
	t.Helper()
	var b strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&b, "%s %s\n", h.Address, h.HostKey)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two servers with nothing but sshd, of two releases, become a swarm with a
// site; what was changed by hand is repaired; and they are given back as they
// were.
func TestTwoServers(t *testing.T) {
	one := testhost.Start(t, "debian-12", testhost.Name("one"))
	two := testhost.Start(t, "debian-13", testhost.Name("two"))
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeKnownHosts(t, filepath.Join(home, ".ssh", "known_hosts"), one, two)
	config := fmt.Sprintf("Host %s\n  IdentityFile %s\nHost %s\n  IdentityFile %s\n", one.Address, one.KeyFile, two.Address, two.KeyFile)
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, script: "two-servers/cluster.star", env: []string{"HOME=" + home}, vars: []string{
		"env=test", "one=" + one.Address, "two=" + two.Address, "port=8080", "ssh_from=10.0.0.0/8",
		"docker=distribution", "encrypted=false", // this computer's kernel has no ESP
		"web_image=web:1", "db_image=redis:1", "registry_image=registry:1",
	}}
	before := map[string]string{one.Name: one.Sh(as), two.Name: two.Sh(as)}
	began := time.Now()

	s.apply(nil, "--exclude", "service.*")
	t.Logf("hardened, with Docker, in a swarm: %s", time.Since(began).Round(time.Second))
	makeImages(t, one, two)
	loaded := time.Now()
	out := s.apply(nil)
	t.Logf("site, database, registry, proxies: %s; in all %s", time.Since(loaded).Round(time.Second), time.Since(began).Round(time.Second))
	for _, h := range []*testhost.Host{one, two} {
		if page := get(t, "http://"+h.Address+":8080/"); !strings.Contains(page, "a swarm of two servers") {
			t.Errorf("%s answers\n%s", h.Name, page)
		}
	}
	if want := "http://" + one.Address + ":8080/"; !strings.Contains(out, want) {
		t.Errorf("apply does not say %s:\n%s", want, out)
	}
	s.settled()
	// What nobody uses goes from time to time; what is young or ours stays.
	one.Sh("docker create --name young redis:1 true && systemctl is-active docker-prune.timer && systemctl start docker-prune.service && docker rm young && docker network inspect backend")
	if said := two.Sh("docker exec $(docker ps -q -f name=db) redis-cli ping"); !strings.Contains(said, "NOAUTH") {
		t.Errorf("the database does not ask for its password: %s", said)
	}
	if got := one.Sh("curl -s http://" + two.Address + ":5000/v2/_catalog"); got != `{"repositories":[]}` {
		t.Errorf("the registry answers %s", got)
	}
	if _, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + two.Address + ":5000/v2/"); err == nil {
		t.Error("the registry answers strangers")
	}

	// By hand: a file, a unit, a rule.
	two.Sh("echo PasswordAuthentication yes >/etc/ssh/sshd_config.d/10-swarmscript.conf; systemctl reload ssh; ufw allow 9999/tcp")
	one.Sh("systemctl stop fail2ban")
	code, out := s.run(s.args("plan", nil, "--detailed-exitcode")...)
	changed := []string{"host.two/file", "host.two/systemd_unit", "firewall.two ", "fail2ban.one ", "Plan: 0 to add, 5 to change"}
	for _, want := range changed {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("the plan of the repair (%d) has no %q:\n%s", code, want, out)
		}
	}
	s.apply(nil)
	s.settled()
	two.Sh("[ /run/sshd.pid -nt /etc/ssh/sshd_config.d/10-swarmscript.conf ] && ! ufw status | grep 9999")
	one.Sh("systemctl is-active fail2ban")

	s.destroy()
	for _, h := range []*testhost.Host{one, two} {
		if after := h.Sh(as); after != before[h.Name] {
			t.Errorf("after destroy the server %s has\n%s\nbefore it had\n%s", h.Name, after, before[h.Name])
		}
	}
}

// get asks for a page.
func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s: %v\n%s", url, resp.Status, err, body)
	}
	return string(body)
}
