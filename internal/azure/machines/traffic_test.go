package machines_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// What comes to a load balancer goes to the real machines of its pool that answer, as
// far as their security group lets it in.
func TestTrafficToRealMachines(t *testing.T) {
	site := testhost.Site(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	azuretest.Start(t, azuretest.Site(site)).Setenv(t)
	s := &trafficStory{azureStory{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}}

	s.opens("8080")
	front := fmt.Sprintf("%v:80", s.last.Outputs[0].Value)
	s.eventually("both machines answer", func() bool { return s.heard(front, "web-0", "web-1") })
	all, err := site.List()
	must(t, err)
	first := all[slices.IndexFunc(all, func(m *local.Machine) bool { return m.Name == "web-0" })]
	must(t, first.Stop(t.Context()))
	s.eventually("the other one answers alone", func() bool { return s.heard(front, "web-1") })
	must(t, first.Start(t.Context(), func(string) {}))
	s.eventually("both do again", func() bool { return s.heard(front, "web-0", "web-1") })

	s.opens("8081")
	s.eventually("what the group closes is not reached", func() bool { return s.heard(front) })
	s.opens("8080")
	s.eventually("what it opens is", func() bool { return s.heard(front, "web-0", "web-1") })
	s.apply(true)
	if all, err := site.List(); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

type trafficStory struct{ azureStory }

// opens applies a script of two machines that say their names at port 8080, whose
// security group lets in a port.
func (s *trafficStory) opens(port string) {
	s.Helper()
	s.write(strings.ReplaceAll(`
project("shop", env = "test")
az = azure("westeurope")
nsg = network_security_group("web", rules = [security_rule("in", 100, ports = ["22", "PORT"])])
net = virtual_network("net", address_space = ["192.168.0.0/16"], subnets = [vnet_subnet("nodes", "192.168.0.0/24", network_security_group = nsg)])
machines = [vm("web-%d" % i, provider = az, virtual_network = net) for i in range(2)]
for m in machines:
    conf = file(m, "/etc/systemd/system/name.service", content = """[Service]
ExecStart=/usr/bin/systemd-socket-activate --listen=8080 --accept --inetd /bin/hostname
[Install]
WantedBy=multi-user.target
""")
    systemd_unit(m, "name.service", enabled = True, running = True, restart_on = [conf])
front = load_balancer("front", backend = machines, rules = [lb_rule("name", 80, backend_port = 8080)])
output("address", front.ip_address)
`, "PORT", port))
	s.apply(false)
}

// heard reports whether some machines, and no others, answer at the load balancer's
// address.
func (s *trafficStory) heard(front string, want ...string) bool {
	var names []string
	for range 32 {
		conn, err := net.DialTimeout("tcp", front, 10*time.Second)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		said, _ := io.ReadAll(conn)
		conn.Close()
		names = append(names, strings.TrimSpace(string(said)))
	}
	slices.Sort(names)
	return slices.Equal(slices.Compact(names), want)
}

// eventually waits until something is so.
func (s *trafficStory) eventually(what string, is func() bool) {
	s.Helper()
	for begun := time.Now(); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > 5*time.Minute {
			s.Fatalf("never: %s", what)
		}
	}
}
