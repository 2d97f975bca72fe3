package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// unconnected are the machines and interfaces that are to be in a network, or in a
// subnet of one, that there will not be. What is in another group is not known here.
func unconnected(list []resource.Prospect) []resource.Finding {
	var out []resource.Finding
	for _, p := range list {
		if !p.Changes || p.Live != nil && !p.Anew || p.Kind != VMKind.Name && p.Kind != InterfaceKind.Name {
			continue
		}
		get := func(name string) string {
			f, ok := p.Schema.Field(name)
			if !ok {
				return ""
			}
			return asText(p.Args[f.Index])
		}
		network, subnet := get("virtual_network"), get("subnet")
		if network == "" || strings.HasPrefix(network, "/") {
			continue
		}
		if problem := notIn(list, network, subnet); problem != nil {
			problem.Summary = p.Title + ": " + problem.Summary
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: *problem})
		}
	}
	return out
}

// notIn is what is wrong with the network, or the subnet, that is named; nil where
// it will be there, or that is not known.
func notIn(list []resource.Prospect, network, subnet string) *diag.Diagnostic {
	if subnet == "" {
		subnet = defaultSubnet
	}
	i := slices.IndexFunc(list, func(p resource.Prospect) bool {
		return p.Kind == NetworkKind.Name && strings.EqualFold(asText(networkField(p, "name")), network)
	})
	if i < 0 {
		return &diag.Diagnostic{
			Severity: diag.Error, Summary: fmt.Sprintf("there is no virtual network %q in its resource group", network),
			Hint: "declare it with virtual_network(), or give the ID of one of another group",
		}
	}
	subnets, known := value.Reveal(networkField(list[i], "subnets")).(value.List)
	if !known {
		return nil
	}
	var names []string
	for _, s := range subnets {
		var has Subnet
		if subnetSchema.Decode(s.(value.Struct), &has) != nil {
			return nil // not all is known yet
		}
		names = append(names, has.Name)
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, subnet) }) {
		return nil
	}
	return &diag.Diagnostic{
		Severity: diag.Error, Summary: fmt.Sprintf("network %s has no subnet %q: it has %s", network, subnet, strings.Join(names, ", ")),
		Hint: "name one of them with subnet =",
	}
}

// networkField is an argument of a network as it will be: with what others have put
// there.
func networkField(p resource.Prospect, name string) value.Value {
	f, _ := networkSchema.Field(name)
	switch {
	case p.Live == nil:
		return p.Args[f.Index]
	case !p.Changes:
		return p.Live.Args[f.Index]
	case f.Merge && !p.Anew:
		return f.After(p.Args[f.Index], p.Live.Args[f.Index], p.Live.Mark.Owned()[f.Name])
	}
	return p.Args[f.Index]
}
