package azure

import (
	"maps"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// accelerated are the interfaces that stand for themselves and are, or are to be, a part
// of the network card itself, by their lower-cased names: not all machines can have one.
func accelerated(declared []*resource.Declaration, obs *resource.Observation) (are, willBe map[string]bool) {
	are = map[string]bool{}
	for _, o := range obs.Objects {
		if o.Kind == InterfaceKind.Name {
			are[strings.ToLower(o.Name)] = valueIn(interfaceSchema, o.Args, "accelerated_networking") == true
		}
	}
	willBe = maps.Clone(are)
	for _, d := range declared {
		if d.Kind == InterfaceKind && !d.External {
			willBe[strings.ToLower(declaredName(d))] = argument(d, "accelerated_networking") == true
		}
	}
	return are, willBe
}

// interfaceOf is the lower-cased name of the interface that a machine does not come with.
func interfaceOf(args value.Struct) string {
	return strings.ToLower(nameSaid(valueIn(vmSchema, args, "network_interface")))
}

// isFast reports whether a machine with some arguments has accelerated networking.
func (f *foresight) isFast(args value.Struct) bool {
	return valueIn(vmSchema, args, "accelerated_networking") == true || f.fast[interfaceOf(args)]
}

// isFast reports whether an interface is to have accelerated networking.
func (c *Conn) isFast(nic string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fast[strings.ToLower(nic)]
}

// tooSlow are the interfaces that change under machines which cannot have them so, and
// stay as they are.
func (f *foresight) tooSlow(list []resource.Prospect) (out []resource.Finding) {
	for _, p := range list {
		if p.Kind != InterfaceKind.Name || !p.Changes || valueIn(interfaceSchema, p.Args, "accelerated_networking") != true {
			continue
		}
		for _, vm := range list {
			if vm.Kind != VMKind.Name || vm.Changes || vm.Live == nil || interfaceOf(vm.Live.Args) != strings.ToLower(nameSaid(valueIn(interfaceSchema, p.Args, "name"))) {
				continue
			}
			if s, ok := findSize(f.sizes, asText(valueIn(vmSchema, vm.Live.Args, "size"))); ok && s.slow {
				out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
					Severity: diag.Error, Summary: p.Title + ": its machine " + vm.Live.Name + " is a " + s.name + ", which takes no accelerated networking; use another size",
				}})
			}
		}
	}
	return out
}
