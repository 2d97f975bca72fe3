package local

import (
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// A filter lets through what it says, both ways, beside rules of the machine's own,
// also when the machine boots anew; another one holds at once. Whoever runs the
// machine reaches it all the while.
func TestFilter(t *testing.T) {
	y := newYard(t)
	a := y.make(Spec{Name: "a", Image: "debian-12"})
	b := y.make(Spec{Name: "b", Image: "debian-12"})
	c := y.make(Spec{Name: "c", Image: "debian-13"})
	ssh := func(allow bool, from *Machine) packetfilter.Chain {
		return packetfilter.Chain{{Allow: allow, Protocol: "tcp", Ports: []packetfilter.Ports{{From: 22, To: 22}}, Remotes: []packetfilter.Range{{From: from.Address, To: from.Address}}}}
	}
	see := func(fromB, fromC, toB bool) {
		t.Helper()
		reaches(t, y, b, a, fromB)
		reaches(t, y, c, a, fromC)
		reaches(t, y, a, b, toB)
		conn, err := a.DialSSH(y.ctx)
		y.must(err)
		conn.Close()
	}
	see(true, true, true)
	all := packetfilter.Chain{{Allow: true}}
	y.must(a.SetFilter(y.ctx, packetfilter.Filter{In: []packetfilter.Chain{all, ssh(true, b)}, Out: []packetfilter.Chain{all}}))
	see(true, false, true)
	y.must(a.Stop(y.ctx))
	y.must(a.SetFilter(y.ctx, packetfilter.Filter{In: []packetfilter.Chain{ssh(true, c)}, Out: []packetfilter.Chain{}}))
	y.start(a)
	see(false, true, true)
	y.sh(a, "iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -t mangle -A PREROUTING -j ACCEPT") // of its own
	y.must(a.SetFilter(y.ctx, packetfilter.Filter{In: []packetfilter.Chain{append(ssh(false, c), all...)}, Out: []packetfilter.Chain{ssh(true, c)}}))
	see(true, false, false)
	old := a.PID()
	_, _ = y.try(a, "systemctl reboot")
	for a.PID() == old || a.State() != Running {
		y.must(y.ctx.Err())
		time.Sleep(20 * time.Millisecond)
	}
	y.must(a.answers(y.ctx))
	see(true, false, false)
	y.clear()
	y.nothingLeft()
}
