package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// termsNamespace is who keeps the terms that images are sold under.
const termsNamespace = "Microsoft.MarketplaceOrdering"

// accepted reports whether the subscription has accepted the terms of a plan.
func (o *Options) accepted(publisher, offer, plan string) bool {
	return slices.ContainsFunc(o.Terms, func(t string) bool { return strings.EqualFold(t, publisher+":"+offer+":"+plan) })
}

// terms answers those of a plan:
// offerTypes/virtualmachine/publishers/P/offers/O/plans/N/agreements/current.
func (t *tx) terms(c *call) (*answer, error) {
	p := c.path
	if c.Method != http.MethodGet || !p.whole() || len(p.Names) != 5 || !strings.EqualFold(joined(p.Types), "offerTypes/publishers/offers/plans/agreements") {
		return nil, bad("InvalidResourceType", "%s is not known, or not simulated by this emulator.", p.id())
	}
	publisher, offer, plan := p.Names[1], p.Names[2], p.Names[3]
	if !slices.ContainsFunc(images, func(i platformImage) bool {
		return strings.EqualFold(i.publisher, publisher) && strings.EqualFold(i.offer, offer) && i.plan != "" && strings.EqualFold(i.plan, plan)
	}) {
		return nil, bad("BadRequest", "Offer details could not be retrieved.")
	}
	return ok(object{
		"id": p.id(), "name": plan, "type": termsNamespace + "/offertypes",
		"properties": object{"publisher": publisher, "product": offer, "plan": plan, "accepted": t.opts.accepted(publisher, offer, plan)},
	}), nil
}

// checkPlan refuses a machine of an image that is sold, whose plan is not named, or
// whose terms nobody has accepted.
func (t *tx) checkPlan(i *platformImage, plan object) error {
	switch {
	case i.plan == "" && plan != nil:
		return bad("VMMarketplaceInvalidInput", "The Plan information provided in the request does not match the image, which has none.")
	case i.plan == "":
		return nil
	case !strings.EqualFold(text(plan, "publisher"), i.publisher) || !strings.EqualFold(text(plan, "product"), i.offer) || !strings.EqualFold(text(plan, "name"), i.plan):
		return bad("VMMarketplaceInvalidInput", "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires Plan information in the request. OS disk name is ''.")
	case !t.opts.accepted(i.publisher, i.offer, i.plan):
		return bad("MarketplacePurchaseEligibilityFailed", "Marketplace purchase eligibilty check returned errors. See inner errors for details. User failed validation to purchase resources. Error message: 'You have not accepted the legal terms on this subscription: '%s' for this plan. Before the subscription can be used, you need to accept the legal terms of the image.'", t.opts.Subscription.ID)
	}
	return nil
}
