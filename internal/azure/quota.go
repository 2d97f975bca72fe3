package azure

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// usage is how much of a quota is used.
type usage struct {
	name  string // as a person knows it
	used  int
	limit int
}

// readUsages are those of Compute in a location, by their lower-cased names.
func readUsages(ctx context.Context, cl *clients, location string) (map[string]usage, error) {
	list, err := all(ctx, cl.usages.NewListPager(location, nil), func(p armcompute.UsageClientListResponse) []*armcompute.Usage { return p.Value })
	out := map[string]usage{}
	for _, u := range list {
		if u.Name != nil {
			note(out, u.Name.Value, u.Name.LocalizedValue, int(val(u.CurrentValue)), int(val(u.Limit)))
		}
	}
	return out, err
}

// readNetworkUsages are those of Network.
func readNetworkUsages(ctx context.Context, cl *clients, location string) (map[string]usage, error) {
	list, err := all(ctx, cl.networkUsages.NewListPager(location, nil), func(p armnetwork.UsagesClientListResponse) []*armnetwork.Usage { return p.Value })
	out := map[string]usage{}
	for _, u := range list {
		if u.Name != nil {
			note(out, u.Name.Value, u.Name.LocalizedValue, int(val(u.CurrentValue)), int(val(u.Limit)))
		}
	}
	return out, err
}

func note(usages map[string]usage, name, shown *string, used, limit int) {
	usages[strings.ToLower(text(name))] = usage{name: cmp.Or(text(shown), text(name)), used: used, limit: limit}
}

// askNetwork asks for those where something is to be made that counts against them.
func (c *Conn) askNetwork(ctx context.Context, cl *clients, f *foresight, made []*resource.Declaration) diag.List {
	i := slices.IndexFunc(made, func(d *resource.Declaration) bool { return d.Kind == VMKind || networkQuotas[d.Kind.Name] != nil })
	if i < 0 {
		return nil
	}
	list, err := readNetworkUsages(ctx, cl, c.cfg.Location)
	if err != nil {
		return c.notAsked(made[i], "quotas of networks", err)
	}
	maps.Copy(f.usages, list)
	return nil
}

// growth is how much of quotas is to be used beside what is, by their names.
type growth map[string]*grown

type grown struct {
	more int
	last value.Address // that uses it
}

func (g growth) add(who value.Address, more int, quotas ...string) {
	for _, q := range quotas {
		if g[q] == nil {
			g[q] = &grown{}
		}
		g[q].more += more
		g[q].last = who
	}
}

// tooMuch are the quotas that a growth does not fit in, as far as they are told.
func (f *foresight) tooMuch(g growth, hint string) (out []resource.Finding) {
	for _, quota := range slices.Sorted(maps.Keys(g)) {
		u, known := f.usages[quota]
		if known && g[quota].more > 0 && u.used+g[quota].more > u.limit {
			out = append(out, resource.Finding{Address: g[quota].last, Diagnostic: diag.Diagnostic{
				Severity: diag.Error,
				Summary:  fmt.Sprintf("the quota of %s in %s is too small", u.name, f.location),
				Detail:   fmt.Sprintf("%d of %d are used, and the plan needs %d more", u.used, u.limit, g[quota].more),
				Hint:     hint,
			}})
		}
	}
	return out
}

// quotasOf are the quotas that the CPUs of a machine count against.
func quotasOf(s sku, args value.Struct) []string {
	if s.name == "" {
		return nil
	}
	spot, _ := vmSchema.Field("spot")
	if value.Reveal(args[spot.Index]) == true {
		return []string{"lowprioritycores"}
	}
	return []string{"cores", strings.ToLower(s.family)}
}

// networkQuotas are those that things of a network count against, by their kinds. A
// machine comes with an interface and an address.
var networkQuotas = map[string][]string{
	NetworkKind.Name:       {"virtualnetworks"},
	SecurityGroupKind.Name: {"networksecuritygroups"},
	PublicIPKind.Name:      {"publicipaddresses", "staticpublicipaddresses", "standardskupublicipaddresses"},
	InterfaceKind.Name:     {"networkinterfaces"},
	BalancerKind.Name:      {"loadbalancers", "standardskuloadbalancers"},
}

// networkGrowth is what is to come of them. What is made anew comes in its own place.
func networkGrowth(list []resource.Prospect) growth {
	g := growth{}
	for _, p := range list {
		if !p.Changes || p.Live != nil {
			continue
		}
		g.add(p.Address, 1, networkQuotas[p.Kind]...)
		if p.Kind != VMKind.Name || interfaceOf(p.Args) != "" {
			continue
		}
		g.add(p.Address, 1, networkQuotas[InterfaceKind.Name]...)
		if valueIn(vmSchema, p.Args, "public_ip") != false {
			g.add(p.Address, 1, networkQuotas[PublicIPKind.Name]...)
		}
	}
	return g
}
