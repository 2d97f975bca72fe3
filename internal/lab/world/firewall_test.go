package world

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// What a host's firewall does with who connects to the host: ufw's rules stand
// between others and its SSH server, its swarm's ports and its engine, and the chain
// DOCKER-USER before what containers publish.

// walled gives a host ufw with rules, which it loads.
func (y *yard) walled(h *Host, rules ...string) {
	y.Helper()
	y.sh(h, "apt-get install -yq ufw")
	for _, r := range append(rules, "--force enable") {
		y.sh(h, "ufw "+r)
	}
}

// knock says what becomes of a connection between hosts: "in", "refused", or "silent"
// for one that nobody answers in the time that is given.
func (y *yard) knock(from, to *Host, port string, patience time.Duration) string {
	y.Helper()
	ctx, cancel := context.WithTimeout(y.Context(), patience)
	defer cancel()
	c, err := from.dial(ctx, net.JoinHostPort(to.rec.Address, port))
	switch {
	case err == nil:
		y.ok(c.Close())
		return "in"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "silent"
	}
	return err.Error()
}

const (
	patience   = time.Minute            // for what must come
	impatience = 300 * time.Millisecond // for what must not
)

// greeting is what a host's SSH server says first to who connects from this computer.
func greeting(h *Host, patience time.Duration) string {
	c, err := net.Dial("tcp", h.Describe().SSH)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4)
	switch _, err := io.ReadFull(c, b); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silent"
	case err != nil:
		return "closed"
	}
	return string(b)
}

func TestFirewallAtSSH(t *testing.T) {
	y := newYard(t)
	h, other := y.host("m1"), y.host("m2")
	y.walled(h, "allow from "+other.rec.Address+" to any port 22 proto tcp")
	if got := greeting(h, impatience); got != "silent" {
		t.Errorf("from an address that no rule lets in: %s", got)
	}
	if got := y.knock(other, h, "22", patience); got != "in" {
		t.Errorf("from one that a rule lets in: %s", got)
	}
	y.sh(h, "ufw insert 1 reject 22/tcp")
	if got := greeting(h, patience); got != "closed" {
		t.Errorf("rejected: %s", got)
	}
	if got := y.knock(other, h, "22", patience); got != "refused" {
		t.Errorf("rejected: %s", got)
	}
	y.sh(h, "systemctl stop ufw")
	if got := greeting(h, patience); got != "SSH-" {
		t.Errorf("with the firewall stopped: %s", got)
	}
}

func TestFirewallAtSwarm(t *testing.T) {
	y := newYard(t)
	hosts := y.swarm("m1", "m2")
	m1, m2, w := hosts[0], hosts[1], y.host("w1")
	y.walled(m1, "allow from "+m2.rec.Address, "allow from 127.0.0.1")
	s, err := y.engine(m1).SwarmInspect(t.Context())
	y.ok(err)
	for _, port := range []string{"2377", "7946", "9999"} {
		if got := y.knock(w, m1, port, impatience); got != "silent" {
			t.Errorf("port %s from outside: %s", port, got)
		}
	}
	if a, b := y.knock(m2, m1, "2377", patience), y.knock(m2, m1, "7946", patience); a != "in" || b != "in" {
		t.Errorf("from a member that is let in: %s, %s", a, b)
	}
	if got := y.knock(m1, w, "7946", patience); got != "refused" {
		t.Errorf("to a host without a swarm: %s", got)
	}
	join := swarm.JoinRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: w.rec.Address, RemoteAddrs: []string{m1.rec.Address + ":2377"}, JoinToken: s.JoinTokens.Worker}
	y.sh(m1, "ufw reject from "+w.rec.Address+" to any port 2377 proto tcp")
	if err := y.engine(w).SwarmJoin(t.Context(), join); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("rejected: %v", err)
	}
	y.sh(m1, "ufw delete reject from "+w.rec.Address+" to any port 2377 proto tcp")
	// It knocks until the door opens.
	joined := make(chan error, 1)
	c := y.engine(w)
	go func() { joined <- c.SwarmJoin(t.Context(), join) }()
	y.until("it waits to join", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.Swarm.LocalNodeState == swarm.LocalNodeStatePending
	})
	y.sh(m1, "ufw allow from "+w.rec.Address)
	if err := <-joined; err != nil && !strings.Contains(err.Error(), "Timeout was reached") { // on a slow machine it goes on to join
		t.Error(err)
	}
	y.until("it has joined", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.Swarm.LocalNodeState == swarm.LocalNodeStateActive
	})
}

// Docker takes what containers publish past ufw, which surprises many.
func TestFirewallAtPublished(t *testing.T) {
	y := newYard(t)
	hosts := y.swarm("m1", "m2")
	y.service(hosts[0], "web", 1, 18431)
	y.answers(18431, hosts, nil)
	y.walled(hosts[0], "deny 18431/tcp", "allow from any")
	y.answers(18431, hosts, nil)
	y.sh(hosts[0], "iptables -I DOCKER-USER -m conntrack --ctorigdstport 18431 --ctdir ORIGINAL -j DROP && iptables -I DOCKER-USER -s "+hosts[1].rec.Address+" -j RETURN")
	if got := at(hosts[0], 18431); got != "nobody" {
		t.Errorf("past DOCKER-USER: %s", got)
	}
	if got := hosts[0].body.FilterPublished(netip.MustParseAddr(hosts[1].rec.Address), 18431); got != debian.Admitted {
		t.Errorf("from a host that a rule lets in: %d", got)
	}
	y.answers(18431, hosts[1:], nil)
	y.sh(hosts[0], "iptables -F DOCKER-USER")
	y.answers(18431, hosts, nil)
}
