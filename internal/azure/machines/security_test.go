package machines_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A security group without a port of the swarm is felt on real machines as it is in
// Azure: without 2377/tcp nobody joins, and the error says so; without 4789/udp
// containers on two machines do not reach each other; and as soon as it is there,
// they do.
func TestSecurityGroupOfRealMachines(t *testing.T) {
	site := testhost.Site(t)
	archive := testengine.Archive(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	azuretest.Start(t, azuretest.Site(site)).Setenv(t)
	s := &azureStory{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}

	s.closing("2377-tcp", "")
	err := s.try(false, nil)
	if err == nil || !strings.Contains(err.Error(), "2377") {
		t.Fatalf("without 2377/tcp: %v", err)
	}
	t.Log("without 2377/tcp:", err)

	s.closing("4789-udp", "")
	s.apply(false)
	images, err := os.ReadFile(archive)
	must(t, err)
	mgr, wrk := s.machine(site, "mgr-0"), s.machine(site, "wrk-0")
	for _, h := range []*remote.Host{mgr, wrk} {
		s.on(h, "sudo docker load --quiet", images)
	}
	service := fmt.Sprintf(`
network("back", driver = "overlay")
service("web", image = %q, mode = "global", endpoint_mode = "dnsrr", networks = ["back"])
`, testengine.Web1)
	s.closing("4789-udp", service)
	s.apply(false)
	const container = "$(sudo docker ps -q -f name=web)"
	to := s.on(wrk, "sudo docker inspect -f '{{.NetworkSettings.Networks.back.IPAddress}}' "+container, nil)
	asks := func() string {
		return s.on(mgr, "sudo nsenter -t $(sudo docker inspect -f {{.State.Pid}} "+container+") -n timeout 5 bash -c 'exec 3<>/dev/tcp/"+to+"/8080; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3' || echo ended with $?", nil)
	}
	if got := asks(); got != "ended with 124" {
		t.Fatalf("without 4789/udp a container asks one on the other machine, and hears %s", got)
	}
	s.closing("", service)
	s.apply(false)
	for begun := time.Now(); !strings.Contains(asks(), "version 1"); time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > 5*time.Minute {
			t.Fatal("with 4789/udp it does not answer: ", asks())
		}
	}
	s.apply(false)
	if n := len(s.last.Steps); n != 0 {
		t.Errorf("applied again, there are %d steps", n)
	}
	s.apply(true)
	if all, err := site.List(); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

// closing writes the script of a swarm of two, whose security group has all rules
// that one needs but one.
func (s *azureStory) closing(without, rest string) {
	s.Helper()
	text := `
project("shop", env = "test")
az = azure("westeurope")
rules = [security_rule("ssh", 100, ports = ["22"]), security_rule("closed", 4096, access = "Deny", protocol = "*")]
for i, p in enumerate(["2377-tcp", "7946-tcp", "7946-udp", "4789-udp"]):
    if p != "WITHOUT":
        port, protocol = p.split("-")
        rules.append(security_rule(p, 110 + i, ports = [port], protocol = protocol.capitalize(), sources = ["VirtualNetwork"]))
nsg = network_security_group("swarm", rules = rules)
net = virtual_network("net", address_space = ["192.168.0.0/16"], subnets = [vnet_subnet("nodes", "192.168.0.0/24", network_security_group = nsg)])
mgr, wrk = [vm(name, provider = az, virtual_network = net) for name in ["mgr-0", "wrk-0"]]
for m in [mgr, wrk]:
    docker_install(m, source = "distribution")
cluster = swarm.init(mgr, advertise_addr = mgr.private_ip)
swarm.join(wrk, cluster, role = "worker", advertise_addr = wrk.private_ip)
`
	must(s.T, os.WriteFile(s.file, []byte(strings.ReplaceAll(text, "WITHOUT", without)+rest), 0o600))
}

// machine is a machine of the site, as whoever made it reaches it.
func (s *azureStory) machine(site *local.Site, name string) *remote.Host {
	s.Helper()
	all, err := site.List()
	must(s.T, err)
	for _, m := range all {
		if m.Name == name {
			to, err := m.SSH()
			must(s.T, err)
			h := remote.DialHost(remote.Machine{Address: m.Address.String(), Port: 22, User: to.User, Key: to.Key, HostKeys: []string{to.HostKey}, Jump: "none"})
			s.Cleanup(func() { h.Close() })
			return h
		}
	}
	s.Fatalf("there is no machine %s", name)
	return nil
}

// on runs a script on a machine.
func (s *azureStory) on(h *remote.Host, script string, stdin []byte) string {
	s.Helper()
	res, err := h.Run(s.Context(), remote.Command{Script: script, Stdin: stdin})
	if err != nil {
		s.Fatalf("%s: %v: %s", script, err, res.Stderr)
	}
	return strings.TrimSpace(string(res.Stdout))
}
