package azure

import (
	"context"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// labelOf is the name in DNS that a declared address is to have, "" of all else.
func labelOf(d *resource.Declaration) string {
	if d.Kind != PublicIPKind {
		return ""
	}
	return asText(argument(d, "dns_label"))
}

// liveLabel is the name in DNS that an address has.
func liveLabel(o *resource.Object) string {
	if o.Kind != PublicIPKind.Name {
		return ""
	}
	field, _ := publicIPSchema.Field("dns_label")
	return asText(o.Args[field.Index])
}

// takenLabels are the names in DNS that are to be had by none of what is declared,
// as somebody else has them. One of the group itself may become free.
func (c *Conn) takenLabels(ctx context.Context, cl *clients, made []*resource.Declaration, obs *resource.Observation) map[string]bool {
	ours := map[string]bool{}
	for _, o := range obs.Objects {
		ours[liveLabel(o)] = true
	}
	out := map[string]bool{}
	for _, d := range made {
		label := labelOf(d)
		if label == "" || ours[label] {
			continue
		}
		got, err := cl.names.CheckDNSNameAvailability(ctx, c.cfg.Location, label, nil)
		if err == nil && got.Available != nil && !*got.Available {
			out[label] = true
		}
	}
	return out
}

// taken are the addresses whose name in DNS is somebody else's.
func (f *foresight) taken(list []resource.Prospect) []resource.Finding {
	var out []resource.Finding
	for _, p := range list {
		if p.Kind != PublicIPKind.Name || !p.Changes {
			continue
		}
		field, _ := publicIPSchema.Field("dns_label")
		if label := asText(p.Args[field.Index]); f.labels[label] {
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
				Severity: diag.Error,
				Summary:  fmt.Sprintf("%s: dns_label: somebody else has %s.%s.cloudapp.azure.com", p.Title, label, f.location),
				Hint:     "all of the region has one of each name: use another, such as one with the project's name in it",
			}})
		}
	}
	return out
}
