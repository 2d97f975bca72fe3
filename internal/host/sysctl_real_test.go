package host_test

import (
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Every argument of a setting, and what was there before us.
func TestSysctl(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	sysctl := func(name string, a args) *resource.Declaration { return w.declare(host.SysctlKind, name, a) }
	live := func() string { return w.sh("cat /proc/sys/net/ipv4/ip_local_port_range | tr '\\t' ' '") }
	const conf = "/etc/sysctl.d/90-swarmscript-net.ipv4.ip_local_port_range.conf"

	before := live()
	ports := sysctl("net.ipv4.ip_local_port_range", args{"value": "20000  60000"})
	w.apply(list("update sysctl.net.ipv4.ip_local_port_range: persistent value"), ports)
	want(t, "the setting", live(), "20000 60000")
	want(t, "its file", w.sh("cat "+conf), "net.ipv4.ip_local_port_range = 20000 60000")
	w.sh("echo '30000 40000' >/proc/sys/net/ipv4/ip_local_port_range")
	w.apply(list("update sysctl.net.ipv4.ip_local_port_range: persistent value"), ports)
	w.sh("rm " + conf)
	w.apply(list("update sysctl.net.ipv4.ip_local_port_range: persistent"), ports)
	w.apply(list("update sysctl.net.ipv4.ip_local_port_range: persistent"), sysctl("net.ipv4.ip_local_port_range", args{"value": "20000 60000", "persistent": false}))
	w.sh("[ ! -e " + conf + " ]")
	w.apply(list("update sysctl.net.ipv4.ip_local_port_range: persistent value"), sysctl("net.ipv4.ip_local_port_range", args{"value": "20001 60001"}))

	w.renew(sysctl("net.ipv4.ip_local_port_range", args{"value": "20001 60001"}))

	// It survives the machine's next start.
	w.m.Stop()
	w.m.Start()
	w.c = w.connect()
	w.apply(nil, sysctl("net.ipv4.ip_local_port_range", args{"value": "20001 60001"}))
	w.apply(list("delete sysctl.net.ipv4.ip_local_port_range"))
	want(t, "the setting after us", live(), before)

	w.apply(list("update sysctl.net/ipv4/conf/lo/forwarding: persistent"), sysctl("net/ipv4/conf/lo/forwarding", args{"value": int(w.sh("cat /proc/sys/net/ipv4/conf/lo/forwarding")[0] - '0')}))
	w.apply(list("delete sysctl.net/ipv4/conf/lo/forwarding"))

	w.fails(decls(sysctl("net.ipv4.nonsense", args{"value": 1})), "the kernel has no setting net.ipv4.nonsense")
	w.fails(decls(sysctl("net.ipv4.ip_local_port_range", args{"value": "nonsense"})), "the kernel refuses net.ipv4.ip_local_port_range = nonsense: Invalid argument")
	w.fails(decls(sysctl("kernel.osrelease", args{"value": "1"})), "the kernel refuses kernel.osrelease = 1: ", "(inside a container")

	// What was refused can be undeclared: it is what it was.
	w.apply(list("delete sysctl.kernel.osrelease", "delete sysctl.net.ipv4.ip_local_port_range"))
	w.apply(nil)
}
