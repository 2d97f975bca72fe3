package emulator

import (
	"net/netip"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/balance"
)

// Balancing is what [Machines] are to whose ports something can be sent.
type Balancing interface {
	// Address is one of this computer that a load balancer can have: another one each
	// time, as far as that goes.
	Address() netip.Addr
	// Balance has load balancers do what fronts say from now on, and nothing else. An
	// error names those that cannot, until the next time.
	Balance(fronts []balance.Front) error
}

// balanceAgain is after what time load balancers are looked at again, without a
// change: a port that somebody had may be free.
const balanceAgain = 5 * time.Second

// keepBalance has load balancers do what they say, after each change, until the
// emulator is closed.
func (e *Emulator) keepBalance(to Balancing) {
	told := ""
	for {
		var fronts []balance.Front
		_ = e.do(func(t *tx) error { fronts = t.fronts(); return nil })
		if err := to.Balance(fronts); err != nil && err.Error() != told {
			told = err.Error()
			e.report("load balancers: %s", told)
		}
		var again <-chan time.Time
		if fronts != nil {
			again = time.After(balanceAgain)
		}
		select {
		case <-e.ctx.Done():
			return
		case <-e.changed:
		case <-again:
		}
	}
}

// fronts are the ports of all load balancers with a public address. Rules for all
// ports at once are of internal ones.
func (t *tx) fronts() (out []balance.Front) {
	for _, key := range t.below("/") {
		r := t.get(key)
		if r.path().kind() != balancerKind {
			continue
		}
		for _, rule := range objects(r.Body, "properties", "loadBalancingRules") {
			p := sub(rule, "properties")
			protocol, port := strings.ToLower(text(p, "protocol")), number(p, "frontendPort")
			at, err := netip.ParseAddr(t.frontAddress(text(p, "frontendIPConfiguration", "id")))
			if err != nil || port == 0 || protocol != "tcp" && protocol != "udp" {
				continue
			}
			out = append(out, balance.Front{
				At: netip.AddrPortFrom(at, uint16(port)), Protocol: protocol, Distribution: text(p, "loadDistribution"),
				Probe: t.probe(text(p, "probe", "id")), Backends: t.backends(text(p, "backendAddressPool", "id"), number(p, "backendPort")),
			})
		}
	}
	return out
}

// named is a part of a resource by its ID, nil where there is none.
func (t *tx) named(id string) object {
	p, err := parsePath(id)
	if err != nil {
		return nil
	}
	_, part := t.part(p)
	return part
}

// frontAddress is the public address of a frontend, "" of an internal one.
func (t *tx) frontAddress(id string) string {
	address := t.get(keyOf(text(t.named(id), "properties", "publicIPAddress", "id")))
	if address == nil {
		return ""
	}
	return text(address.Body, "properties", "ipAddress")
}

// probe is a probe by its ID, nil where there is none. Azure takes no notice of how
// many numberOfProbes says.
func (t *tx) probe(id string) *balance.Probe {
	part := t.named(id)
	if part == nil {
		return nil
	}
	p := sub(part, "properties")
	return &balance.Probe{
		Protocol: strings.ToLower(text(p, "protocol")), Port: uint16(number(p, "port")), Path: text(p, "requestPath"),
		Interval: time.Duration(number(p, "intervalInSeconds")) * time.Second, Threshold: number(p, "probeThreshold"),
	}
}

// backends are where the machines of a pool are, as far as they have booted: before
// that their addresses are those that Azure would give them.
func (t *tx) backends(pool string, port int) (out []netip.AddrPort) {
	for _, ref := range t.users(keyOf(pool)) {
		nic, config := t.get(ref.holder), sub(t.named(ref.From), "properties")
		if nic == nil || nic.path().kind() != nicKind || config["primary"] != true {
			continue
		}
		vm := t.get(keyOf(t.userOf(nic.key(), vmKind)))
		at, err := netip.ParseAddr(text(config, "privateIPAddress"))
		if err == nil && vm != nil && vm.Machine {
			out = append(out, netip.AddrPortFrom(at, uint16(port)))
		}
	}
	return out
}
