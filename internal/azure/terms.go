package azure

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Images of the marketplace may be sold under a plan, whose terms somebody has to
// accept once for the subscription, and which a machine of it has to name.

// soldUnder is the plan of an image whose version is known, nil where there is none.
func (c *Conn) soldUnder(ctx context.Context, cl *clients, i Image) (*armcompute.PurchasePlan, error) {
	p, err := c.describe(ctx, cl, i)
	if err != nil {
		return nil, err
	}
	return p.Plan, nil
}

// describe is what Azure says of an image whose version is known: nothing of an image
// of one's own.
func (c *Conn) describe(ctx context.Context, cl *clients, i Image) (what armcompute.VirtualMachineImageProperties, err error) {
	p := strings.Split(string(i), ":")
	if len(p) != 4 {
		return what, nil
	}
	c.mu.Lock()
	what, known := c.described[i]
	c.mu.Unlock()
	if known {
		return what, nil
	}
	got, err := cl.images.Get(ctx, c.cfg.Location, p[0], p[1], p[2], p[3], nil)
	if isMissing(err) {
		return what, fmt.Errorf("there is no image %s in %s; az vm image list --all --publisher %s shows what there is", i, c.cfg.Location, p[0])
	}
	if err != nil {
		return what, explain(err)
	}
	what = val(got.Properties)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.described == nil {
		c.described = map[Image]armcompute.VirtualMachineImageProperties{}
	}
	c.described[i] = what
	return what, nil
}

// checkImage finds out whether machines can be made of an image: whether there is
// one, and whether its terms are accepted. Where those are not told, Azure says it
// when a machine is made.
func (c *Conn) checkImage(ctx context.Context, cl *clients, i Image) (what armcompute.VirtualMachineImageProperties, err error) {
	pinned, err := c.pin(ctx, cl, i)
	if err != nil {
		return what, err
	}
	what, err = c.describe(ctx, cl, pinned)
	plan := what.Plan
	if err != nil || plan == nil {
		return what, err
	}
	var terms struct{ Properties struct{ Accepted *bool } }
	path := fmt.Sprintf("/subscriptions/%s/providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine/publishers/%s/offers/%s/plans/%s/agreements/current",
		cl.subscription, text(plan.Publisher), text(plan.Product), text(plan.Name))
	if err := cl.account.read(ctx, path, "2021-01-01", &terms); err != nil || terms.Properties.Accepted == nil || *terms.Properties.Accepted {
		return what, nil
	}
	return what, fmt.Errorf("image %s is sold under terms that nobody has accepted for subscription %s; az vm image terms accept --urn %s", i, cl.subscription, pinned)
}
