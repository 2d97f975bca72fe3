package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Members of a swarm talk by 2377/tcp to its managers, and by 7946/tcp and udp to
// one another; the traffic of their containers is 4789/udp. A firewall that
// closes one of these breaks a join, or, worse, only the networks. Where the
// machines can be asked to dial, the first two are tried.

// Prober is implemented by connections whose machine can be asked to dial.
type Prober interface {
	// Probe lets the connection's machine connect to an address, and hang up. An
	// error that is [resource.ErrUnreachable] says nothing of the address: the
	// machine could not be asked.
	Probe(ctx context.Context, network, addr string) error
}

// probeTime is how long a connection may take; what a firewall drops takes for
// ever.
const probeTime = 5 * time.Second

const gossipPort = "7946"

// probe is one connection to try.
type probe struct {
	by       Prober
	from, to string // names of nodes
	addr     string // with the port
	// silent is set where nothing listens there yet: to be refused is to get
	// through.
	silent bool
}

// closed says of a probe why it does not get through, "" where it does or could
// not be made.
func (p probe) closed(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	err := p.by.Probe(ctx, "tcp", p.addr)
	switch {
	case err == nil, errors.Is(err, resource.ErrUnreachable):
		return ""
	case p.silent && strings.Contains(strings.ToLower(err.Error()), "connection refused"):
		return ""
	}
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		why = "no answer in " + probeTime.String()
	}
	return fmt.Sprintf("%s cannot connect to %s at %s/tcp: %s", p.from, p.to, p.addr, why)
}

// tryAll makes all probes at once and returns what does not get through.
func tryAll(ctx context.Context, probes []probe) []string {
	out := make([]string, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { out[i] = p.closed(ctx) })
	}
	wg.Wait()
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// probes are the connections between a node, or what is to become one, and the
// managers. Its address is known once it has joined.
func (j *joining) probes(managers []swarm.Node, self *swarm.Node) []probe {
	var out []probe
	name, joined := j.r.Address.Name(), self != nil
	if by, ok := j.on.(Prober); ok {
		for _, m := range managers {
			if joined && m.ID == self.ID {
				continue
			}
			out = append(out,
				probe{by: by, from: name, to: nodeLabel(m), addr: m.ManagerStatus.Addr},
				probe{by: by, from: name, to: nodeLabel(m), addr: net.JoinHostPort(nodeAddr(m), gossipPort)})
		}
	}
	addr := ""
	if joined {
		addr = nodeAddr(*self)
	} else if host := orZero(j.spec.AdvertiseAddr); host != "" {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if net.ParseIP(host) != nil { // not an interface
			addr = host
		}
	}
	for _, m := range managers {
		if m.ID == j.c.own && j.c.prober != nil && addr != "" && (!joined || self.ID != m.ID) {
			out = append(out, probe{by: j.c.prober, from: nodeLabel(m), to: name, addr: net.JoinHostPort(addr, gossipPort), silent: !joined})
		}
	}
	return out
}

// closed returns which ports between a node that is to join and the managers are
// closed, and in which direction, as far as the machines can be asked.
func (j *joining) closed(ctx context.Context) []string {
	managers, err := j.managers(ctx)
	if err != nil {
		return nil
	}
	return tryAll(ctx, j.probes(managers, nil))
}

// ports says what has to be open, whatever was tried.
func (j *joining) ports(ctx context.Context) []string {
	var out []string
	if managers, err := j.managers(ctx); err == nil {
		var addrs []string
		for _, m := range managers {
			addrs = append(addrs, m.ManagerStatus.Addr)
		}
		out = append(out, "it has to reach the managers by tcp at "+strings.Join(addrs, ", "))
	}
	return append(out, j.untried(ctx))
}

// untried names the ports that cannot be tried: nothing answers there.
func (j *joining) untried(ctx context.Context) string {
	dataPath := uint32(4789)
	if sw, err := j.c.Docker().SwarmInspect(ctx); err == nil && sw.DataPathPort != 0 {
		dataPath = sw.DataPathPort
	}
	return fmt.Sprintf("%s/tcp, %s/udp and %d/udp have to be open between all nodes, and IP protocol 50 for encrypted networks; udp cannot be tried", gossipPort, gossipPort, dataPath)
}

// gossipTime is how long a node that has joined may take to listen to the others.
const gossipTime = 10 * time.Second

// reaches ends when a node that has joined reaches the managers, and is reached,
// or says which port is closed in which direction. The swarm takes it for ready
// although its networks cannot work then.
func (j *joining) reaches(ctx context.Context, n swarm.Node) error {
	began := time.Now()
	for {
		managers, err := j.managers(ctx)
		if err != nil {
			return err
		}
		closed := tryAll(ctx, j.probes(managers, &n))
		switch {
		case len(closed) == 0:
			return nil
		case time.Since(began) > gossipTime:
			return &resource.NotConverged{Address: j.r.Address, Summary: "joined, but does not reach all of the swarm",
				Detail: strings.Join(append(closed, j.untried(ctx)), "\n") + "\nit stays in the swarm: open the ports, and all is well"}
		}
		j.r.Progress(resource.Progress{Text: closed[0]})
		if err := Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
