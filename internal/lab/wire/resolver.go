package wire

import (
	"fmt"
	"net"
	"strings"
	"sync"

	_ "google.golang.org/grpc" // its own resolvers first: what is registered last counts
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
)

// scheme is that of the targets of [Host.Target].
const scheme = "swarmscript-lab"

// gRPC's table of resolvers is one for the process, and to be filled while it
// starts: so is what ours looks up there.
func init() {
	resolver.Register(builder(scheme))
	resolver.Register(builder("passthrough")) // what grpc.Dial takes, in place of gRPC's own
}

// labs are the hosts that are on in all labs of the process.
var labs = directory{hosts: map[string]*Host{}, nodes: map[string]*Host{}}

type directory struct {
	mu    sync.Mutex
	hosts map[string]*Host // by address
	nodes map[string]*Host // by swarm node; a host that is off stays, so that what is left of it reaches nobody
}

func (d *directory) add(h *Host) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hosts[h.address] != nil {
		return fmt.Errorf("a host with address %s is on already", h.address)
	}
	d.hosts[h.address] = h
	return nil
}

func (d *directory) remove(h *Host) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hosts[h.address] == h {
		delete(d.hosts, h.address)
	}
}

func (d *directory) runs(h *Host, node func() string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.node = node
}

// from finds who dials: by the target, or by the node of the certificate. It is nil for
// a stranger, and an error for a host that is off.
func (d *directory) from(target resolver.Target, creds credentials.TransportCredentials) (*Host, error) {
	if target.URL.Scheme == scheme {
		d.mu.Lock()
		defer d.mu.Unlock()
		if h := d.hosts[target.URL.Host]; h != nil {
			return h, nil
		}
		return nil, fmt.Errorf("host %s is off", target.URL.Host)
	}
	node, ok := creds.(interface{ NodeID() string })
	if !ok || node.NodeID() == "" {
		return nil, nil
	}
	return d.runner(node.NodeID())
}

// runner finds the host that a node runs on.
func (d *directory) runner(id string) (*Host, error) {
	d.mu.Lock()
	known := d.nodes[id]
	if known != nil && d.hosts[known.address] == known {
		d.mu.Unlock()
		return known, nil
	}
	asked := map[*Host]func() string{}
	for _, h := range d.hosts {
		if h.node != nil {
			asked[h] = h.node
		}
	}
	d.mu.Unlock()
	for h, node := range asked { // without the lock: a node answers when it can
		if node() == id {
			d.mu.Lock()
			d.nodes[id] = h
			d.mu.Unlock()
			return h, nil
		}
	}
	if known != nil {
		return nil, fmt.Errorf("host %s is off", known.address)
	}
	return nil, nil
}

// to finds whose address is dialled.
func (d *directory) to(address string) *Host {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hosts[host]
}

// builder answers gRPC's question where a target is: at a relay, or where the target
// says itself.
type builder string

func (b builder) Scheme() string { return string(b) }

func (b builder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	address := target.Endpoint()
	if address == "" && opts.Dialer == nil {
		return nil, fmt.Errorf("an empty target")
	}
	if strings.ContainsAny(address, `/\`) {
		return newSocket(address, cc), nil
	}
	r, err := locate(target, address, opts.DialCreds)
	if err != nil {
		return nil, err
	}
	if r == nil {
		cc.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: address}}}) // an error is the connection's own
		return direct{}, nil
	}
	c := &caller{relay: r, cc: cc}
	r.mu.Lock()
	r.callers[c] = struct{}{}
	r.mu.Unlock()
	c.call(0)
	return c, nil
}

// direct is the resolver of a target that is no host of a lab.
type direct struct{}

func (direct) ResolveNow(resolver.ResolveNowOptions) {}
func (direct) Close()                                {}

// caller is a gRPC connection that goes through a relay.
type caller struct {
	relay *relay
	cc    resolver.ClientConn
}

// call tells gRPC to connect. After failures it would wait, for seconds in the end, but
// not for an address that is new to it: of another time.
func (c *caller) call(time int) {
	at := resolver.Address{Addr: c.relay.listener.Addr().String(), Attributes: attributes.New(timeKey{}, time)}
	c.cc.UpdateState(resolver.State{Addresses: []resolver.Address{at}})
}

type timeKey struct{}

func (c *caller) ResolveNow(resolver.ResolveNowOptions) {}

func (c *caller) Close() {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	delete(c.relay.callers, c)
}

// locate finds the relay from who dials to what it dials, nil if neither is a host of a
// lab.
func locate(target resolver.Target, address string, creds credentials.TransportCredentials) (*relay, error) {
	from, err := labs.from(target, creds)
	if err != nil {
		return nil, err
	}
	to := labs.to(address)
	switch {
	case from != nil:
		return from.wire.relay(route{from: from.address, to: address})
	case to != nil:
		return to.wire.relay(route{to: address})
	}
	return nil, nil
}
