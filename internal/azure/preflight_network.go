package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// unconnected are the machines and interfaces that are to be in a network, in a subnet
// of one, or behind a security group that there will not be. What is in another group
// is not known here.
func unconnected(list []resource.Prospect) []resource.Finding {
	var out []resource.Finding
	for _, p := range list {
		if p.Anew && p.Live != nil && p.Kind == VMKind.Name {
			out = append(out, moving(p)...)
		}
		if !p.Changes || p.Kind != VMKind.Name && p.Kind != InterfaceKind.Name {
			continue
		}
		get := func(name string) string {
			f, ok := p.Schema.Field(name)
			if !ok {
				return ""
			}
			return asText(p.Args[f.Index])
		}
		refuse := func(problem *diag.Diagnostic) {
			problem.Summary = p.Title + ": " + problem.Summary
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: *problem})
		}
		if group := get("network_security_group"); isNamed(group) && !slices.ContainsFunc(list, func(p resource.Prospect) bool { return isCalled(p, SecurityGroupKind, group) }) {
			refuse(&diag.Diagnostic{
				Severity: diag.Error, Summary: fmt.Sprintf("there is no network security group %q in its resource group", group),
				Hint: "declare it with network_security_group(), or give the ID of one of another group",
			})
		}
		network, subnet := get("virtual_network"), get("subnet")
		if !isNamed(network) || p.Live != nil && !p.Anew {
			continue
		}
		if problem := notIn(list, network, subnet); problem != nil {
			refuse(problem)
		}
	}
	return out
}

// moving warns of a machine that is made anew only to be in another network, such as
// the one that is made for machines which name none.
func moving(p resource.Prospect) []resource.Finding {
	f, _ := vmSchema.Field("virtual_network")
	at := asText(p.Live.Args[f.Index])
	if !slices.ContainsFunc(p.Fields, func(c schema.Change) bool { return c.Field.Name == f.Name }) || at == "" {
		return nil
	}
	return []resource.Finding{{Address: p.Address, Diagnostic: diag.Diagnostic{
		Severity: diag.Warning, Summary: fmt.Sprintf("%s: it is made anew because it is in network %s, and no machine moves to another", p.Title, at),
		Hint: fmt.Sprintf("virtual_network = %q leaves it there", at),
	}}}
}

// isNamed reports whether what an argument says is the name of something in the group.
func isNamed(s string) bool { return s != "" && !strings.HasPrefix(s, "/") }

// isCalled reports whether something is of a kind, and has that name.
func isCalled(p resource.Prospect, kind *resource.Kind, name string) bool {
	return p.Kind == kind.Name && strings.EqualFold(asText(will(p, kind, "name")), name)
}

// notIn is what is wrong with the network, or the subnet, that is named; nil where
// it will be there, or that is not known.
func notIn(list []resource.Prospect, network, subnet string) *diag.Diagnostic {
	if subnet == "" {
		subnet = defaultSubnet
	}
	i := slices.IndexFunc(list, func(p resource.Prospect) bool {
		return isCalled(p, NetworkKind, network)
	})
	if i < 0 {
		return &diag.Diagnostic{
			Severity: diag.Error, Summary: fmt.Sprintf("there is no virtual network %q in its resource group", network),
			Hint: "declare it with virtual_network(), or give the ID of one of another group",
		}
	}
	subnets, known := value.Reveal(will(list[i], NetworkKind, "subnets")).(value.List)
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

// will is an argument of something of a kind as it will be: with what others have put
// there.
func will(p resource.Prospect, kind *resource.Kind, name string) value.Value {
	f, _ := kind.Schema.Field(name)
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
