package host_test

import (
	"cmp"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Every argument of a firewall, what was there before us, and rules that would
// have cut us off.
func TestFirewall(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	firewall := func(a args) *resource.Declaration { return w.declare(host.FirewallKind, "ufw", a) }
	status := func() string { return w.sh("ufw status verbose | tr -s ' ' | grep -v '^$'") }

	ssh := args{"port": 22, "proto": "tcp", "comment": "us"}
	w.fails(decls(firewall(args{"rules": []args{ssh}})), `ufw is not installed: declare package("ufw")`)
	w.apply(list("create package.ufw"), w.declare(host.PackageKind, "ufw", nil))

	rules := []args{
		ssh,
		{"action": "limit", "ports": "80,443", "proto": "tcp", "from_": "10.0.0.0/8", "interface": "eth0"},
		{"action": "deny", "port": 25, "proto": "tcp", "to": "192.0.2.1", "direction": "out"},
		{"proto": "esp", "from_": "10.9.9.9"},
		{"port": 99, "proto": "tcp", "from_": "2001:db8::/32"},
		{"action": "reject", "ports": "7000:7100", "proto": "udp"},
	}
	full := args{"incoming": "reject", "outgoing": "allow", "routed": "allow", "logging": "medium", "rules": rules}
	w.apply(list("update firewall.ufw: enabled incoming logging routed rules"), firewall(full))
	w.sh("sysctl -q -w net.ipv4.ip_forward=1") // otherwise ufw says that nothing is routed, whatever the rule
	got := status()
	for _, line := range []string{"Status: active", "Logging: on (medium)", "Default: reject (incoming), allow (outgoing), allow (routed)",
		"22/tcp ALLOW IN Anywhere # us", "80,443/tcp on eth0 LIMIT IN 10.0.0.0/8", "192.0.2.1 25/tcp DENY OUT Anywhere", "Anywhere ALLOW IN 10.9.9.9/esp", "99/tcp ALLOW IN 2001:db8::/32", "7000:7100/udp REJECT IN Anywhere"} {
		if !strings.Contains(got, line) {
			t.Errorf("ufw says\n%s\nwant %q in it", got, line)
		}
	}
	w.sh("ufw allow 1234/tcp; ufw delete deny out to 192.0.2.1 port 25 proto tcp; ufw default deny incoming; ufw logging off")
	w.apply(list("update firewall.ufw: incoming logging rules"), firewall(full))
	w.sh("ufw --force disable")
	w.apply(list("update firewall.ufw: enabled"), firewall(full))

	// Ports that containers publish are Docker's chain's.
	web := args{"incoming": "deny", "rules": []args{ssh}, "published": []args{{"ports": "80,443", "proto": "tcp"}, {"port": 8080, "proto": "tcp", "from_": "10.0.0.0/8"},
		{"ports": "7000:7100", "proto": "udp", "from_": "10.9.9.9"}, {"from_": "192.0.2.0/24"}}}
	w.apply(list("update firewall.ufw: incoming logging published routed rules"), firewall(web))
	if chain := w.sh("iptables -S DOCKER-USER"); !strings.Contains(chain, "--ctorigdstport 443") || !strings.Contains(chain, "-s 10.0.0.0/8 -p tcp -m conntrack --ctorigdstport 8080") || !strings.HasSuffix(chain, "-j DROP") {
		t.Errorf("the chain is\n%s", chain)
	}
	// Flushed, changed or removed by hand, they are made again; what Docker adds at
	// the end is its own.
	for _, drift := range []string{"iptables -F DOCKER-USER", "iptables -I DOCKER-USER -j ACCEPT", "iptables -D DOCKER-USER -j DROP"} {
		w.sh(drift)
		w.apply(list("update firewall.ufw: published"), firewall(web))
	}
	w.sh("iptables -A DOCKER-USER -j RETURN")
	w.apply(nil, firewall(web))
	web["published"] = []args{}
	w.apply(list("update firewall.ufw: published"), firewall(web))

	w.renew(firewall(web))

	// What nobody can tell beforehand is tried: it is put back when it cuts us off.
	w.fails(decls(firewall(args{"rules": []args{{"port": 22, "proto": "tcp", "interface": "eth7"}}})),
		"no new SSH connection could be made with these rules, so those from before are put back")
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Second) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(w.h.Address, strconv.Itoa(cmp.Or(w.port, 22))), 5*time.Second)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the machine is cut off: %v", err)
		}
	}
	w.apply(nil, firewall(web))

	w.apply(list("delete firewall.firewall"))
	want(t, "the firewall after us", status(), "Status: inactive")
	want(t, "the chain after us", w.sh("iptables -S DOCKER-USER 2>/dev/null || echo none"), "-N DOCKER-USER")
	want(t, "what is left of us", w.sh("find /var/lib/swarmscript -path '*firewall*'"), "")
}
