package swarm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// A closed port is told, with its direction; what has been tried is taken back.
func TestRealJoinPorts(t *testing.T) {
	f := newMembers(t, "wrk-0", "wrk-1-old")
	f.joins("wrk-1-old", args{})
	w := f.at["wrk-0"]
	tries := func(a args) error {
		r := f.declared("wrk-0", a)
		o, err := swarm.NodeKind.Handler.Create(t.Context(), f.sw, r)
		if err == nil {
			err = f.settle(r, o)
		}
		return err
	}
	closed := func(on *member, rule string, a args, parts ...string) {
		t.Helper()
		on.e.Shell("iptables -I INPUT " + rule)
		err := tries(a)
		var n *resource.NotConverged
		if !errors.As(err, &n) {
			t.Errorf("with %s closed: %v", rule, err)
		}
		contains(t, err, parts...)
		on.e.Shell("iptables -D INPUT " + rule)
	}
	from := "wrk-0 cannot connect to mgr-0 at " + f.e.Addr
	closed(f.home, "-p tcp --dport 2377 -j REJECT --reject-with icmp-host-prohibited", args{}, "did not join in", from+":2377/tcp", "No route to host",
		"it has to reach the managers by tcp at "+f.e.Addr+":2377", "7946/tcp, 7946/udp and 4789/udp have to be open")
	if f.state("wrk-0") != "inactive" {
		t.Errorf("the engine is left %s", f.state("wrk-0"))
	}
	closed(f.home, "-p tcp --dport 2377 -s "+w.e.Addr+" -j DROP", args{"advertise_addr": w.e.Addr}, "did not join in", from+":2377/tcp: no answer")
	if f.state("wrk-0") != "inactive" {
		t.Errorf("the engine is left %s", f.state("wrk-0"))
	}

	// These are needed by networks only: the node joins, and that is told.
	closed(w, "-p tcp --dport 7946 -j DROP", args{}, "joined, but does not reach all of the swarm", "mgr-0 cannot connect to wrk-0 at "+w.e.Addr+":7946/tcp: no answer", "7946/udp")
	f.asDeclared("wrk-0", args{})
	closed(f.home, "-p tcp --dport 7946 -s "+w.e.Addr+" -j DROP", args{}, from+":7946/tcp: no answer")
	if err := tries(args{}); err != nil {
		t.Errorf("with all ports open: %v", err)
	}
}

// A machine whose connection cannot be asked to dial joins all the same, and is
// told which ports it needs.
func TestRealJoinBlind(t *testing.T) {
	f := newMembers(t, "wrk-0")
	r := f.declared("wrk-0", args{})
	r.On = f.at["wrk-0"].Conn
	f.e.Shell("iptables -I INPUT -p tcp --dport 2377 -j DROP")
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	if _, err := swarm.NodeKind.Handler.Create(ctx, f.sw, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cut short, it says %v", err)
	}
	if f.state("wrk-0") != "inactive" { // even then
		t.Errorf("the engine is left %s", f.state("wrk-0"))
	}
	_, err := swarm.NodeKind.Handler.Create(t.Context(), f.sw, r)
	contains(t, err, "did not join in", "the engine says: ", "it has to reach the managers by tcp at "+f.e.Addr+":2377")
	f.e.Shell("iptables -F INPUT")
	if _, err = swarm.NodeKind.Handler.Create(t.Context(), f.sw, r); err != nil {
		t.Error(err)
	}
}
