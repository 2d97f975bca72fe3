package azure

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// members say whose interfaces shall be in a pool.
type members struct {
	pool     string
	machines []string
	leave    []string // the pools that who joins has to leave
}

// otherPools are the pools of the project's other load balancers. Azure has an
// interface in one at most, so that one that joins leaves them by the same write:
// which of two load balancers is written first does not matter then.
func (c *Conn) otherPools(ctx context.Context, cl *clients, project, pool string) (out []string, err error) {
	list, err := all(ctx, cl.balancers.NewListPager(c.Group(), nil), func(p armnetwork.LoadBalancersClientListResponse) []*armnetwork.LoadBalancer { return p.Value })
	for _, lb := range list {
		id := c.place(cl).poolID(text(lb.Name))
		if unpack(lb.Tags)[resource.LabelProject] == project && !sameID(id, pool) {
			out = append(out, id)
		}
	}
	return out, err
}

// set puts an interface into the pool, or takes it out, and reports whether that
// changes something.
func (m members) set(n *armnetwork.Interface, machine string) bool {
	shall := slices.ContainsFunc(m.machines, func(name string) bool { return strings.EqualFold(name, machine) })
	if shall == inPool(n, m.pool) || n.Properties == nil || len(n.Properties.IPConfigurations) == 0 {
		return false
	}
	for i, config := range n.Properties.IPConfigurations {
		p := config.Properties
		if p == nil {
			continue
		}
		p.LoadBalancerBackendAddressPools = slices.DeleteFunc(p.LoadBalancerBackendAddressPools, func(b *armnetwork.BackendAddressPool) bool {
			id := text(b.ID)
			return sameID(id, m.pool) || shall && slices.ContainsFunc(m.leave, func(other string) bool { return sameID(id, other) })
		})
		if shall && i == 0 {
			p.LoadBalancerBackendAddressPools = append(p.LoadBalancerBackendAddressPools, &armnetwork.BackendAddressPool{ID: &m.pool})
		}
	}
	return true
}

func inPool(n *armnetwork.Interface, pool string) bool {
	if n.Properties == nil {
		return false
	}
	return slices.ContainsFunc(n.Properties.IPConfigurations, func(config *armnetwork.InterfaceIPConfiguration) bool {
		return config.Properties != nil && slices.ContainsFunc(config.Properties.LoadBalancerBackendAddressPools, func(b *armnetwork.BackendAddressPool) bool { return sameID(text(b.ID), pool) })
	})
}

// machineOf is the name of the machine that an interface is of, "" where it is of
// none.
func (l *live) machineOf(n *armnetwork.Interface) string {
	for _, vm := range l.vms {
		if sameID(nicID(vm), text(n.ID)) {
			return text(vm.Name)
		}
	}
	return ""
}

// writesAtOnce is how many interfaces are written side by side.
const writesAtOnce = 8

// fillPool writes the interfaces that a pool gets or loses.
func (c *Conn) fillPool(ctx context.Context, cl *clients, l *live, m members) error {
	errs, slots := make([]error, len(l.nics)), make(chan struct{}, writesAtOnce)
	var wg sync.WaitGroup
	for i, n := range l.nics {
		machine := l.machineOf(n)
		if !m.set(n, machine) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = c.putMember(ctx, cl, n, func(n *armnetwork.Interface) bool { return m.set(n, machine) })
		})
	}
	wg.Wait()
	return firstError(errs)
}

// putMember writes an interface as it is now. A write says all of it, so it is one
// under its etag: where another load balancer, or somebody else, was faster, it is
// read and changed again.
func (c *Conn) putMember(ctx context.Context, cl *clients, n *armnetwork.Interface, change func(*armnetwork.Interface) bool) error {
	for {
		poller, err := cl.nics.BeginCreateOrUpdate(unchanged(ctx, n.Etag), c.Group(), text(n.Name), *n, nil)
		if _, err = finish(ctx, poller, err); !errors.Is(err, resource.ErrConflict) {
			return err
		}
		got, err := cl.nics.Get(ctx, c.Group(), text(n.Name), nil)
		if err != nil {
			return explain(err)
		}
		if *n = got.Interface; !change(n) {
			return nil
		}
	}
}

// unchanged has a write refused where a resource is not any more what was read.
func unchanged(ctx context.Context, etag *string) context.Context {
	if etag == nil {
		return ctx
	}
	return policy.WithHTTPHeader(ctx, http.Header{"If-Match": []string{*etag}})
}
