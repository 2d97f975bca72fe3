package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Claim is something that Azure gives to one resource of a group only.
type Claim struct {
	Says string // what two would both do that claim it: "both have disk data"
	Why  string // who can have it
	Hint string
	Disk string // the data disk that it is, "" of all else
}

// Key tells it from other claims.
func (c Claim) Key() string { return strings.ToLower(c.Says) }

// Claims are what a resource with some arguments has that no other one can have too.
// What is not known yet is not among them.
func Claims(kind string, args value.Struct) (out []Claim) {
	switch kind {
	case BalancerKind.Name:
		backend, _ := valueIn(balancerSchema, args, "backend").(value.List)
		for _, machine := range backend {
			if name := nameSaid(machine); name != "" {
				out = append(out, behind(name))
			}
		}
	case VMKind.Name:
		disks, _ := valueIn(vmSchema, args, "data_disks").(value.List)
		for _, d := range disks {
			if name := diskName(d); name != "" {
				out = append(out, Claim{Says: "both have disk " + name, Why: "Azure attaches it to one machine", Hint: "declare a disk for each", Disk: name})
			}
		}
		if name := nameSaid(valueIn(vmSchema, args, "network_interface")); name != "" {
			out = append(out, Claim{Says: "both have network_interface " + name, Why: "Azure gives it to one machine", Hint: "declare a network_interface for each"})
		}
	case ExtensionKind.Name:
		get := func(name string) string { return nameSaid(valueIn(extensionSchema, args, name)) }
		if vm, publisher, kind := get("vm"), get("publisher"), get("type"); vm != "" && publisher != "" && kind != "" {
			out = append(out, Claim{
				Says: fmt.Sprintf("are both %s %s of machine %s", publisher, kind, vm), Why: "Azure has one extension of a type on a machine", Hint: "declare one that does what both do",
			})
		}
	}
	return out
}

// behind is the claim of a load balancer that sends to a machine.
func behind(machine string) Claim {
	return Claim{
		Says: "both send to machine " + strings.ToLower(machine), Why: "Azure has a machine behind one load balancer at most",
		Hint: "have one load balancer with the rules of both, or say with backend = which machines are behind which",
	}
}

// valueIn is what arguments say, also by saying nothing.
func valueIn(s *schema.Struct, args value.Struct, name string) value.Value {
	f, _ := s.Field(name)
	if f.Index < len(args) && args[f.Index] != nil {
		return value.Reveal(args[f.Index])
	}
	return f.Default
}

// nameSaid is the name of what an argument names, "" where that is not known yet.
func nameSaid(v value.Value) string {
	if ref, ok := value.Reveal(v).(value.Ref); ok {
		return ref.Address.Name()
	}
	return asText(v)
}

// doubled are the resources that are to have what another one in the group keeps.
func (f *foresight) doubled(list []resource.Prospect) (out []resource.Finding) {
	single, anew := map[string]bool{}, map[string]bool{} // disks that are no shared ones, machines
	for _, p := range list {
		switch {
		case p.Kind == DiskKind.Name:
			name, shares := nameSaid(valueIn(diskSchema, p.Args, "name")), int32(0)
			if d, ok := armOf(p.Live).(*liveDisk); ok {
				name, shares = p.Live.Name, val(val(d.disk.Properties).MaxShares)
			}
			single[strings.ToLower(name)] = shares <= 1
		case p.Kind == VMKind.Name && p.Live != nil:
			anew[strings.ToLower(p.Live.Name)] = p.Anew
		}
	}
	first := map[string]resource.Prospect{}
	for _, p := range list {
		for _, c := range f.claimsOf(p, list, anew) {
			other, taken := first[c.Key()]
			if !taken {
				first[c.Key()] = p
			}
			if !taken || !p.Changes || c.Disk != "" && !single[strings.ToLower(c.Disk)] {
				continue
			}
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
				Severity: diag.Error, Summary: fmt.Sprintf("%s and %s %s: %s", other.Title, p.Title, c.Says, c.Why), Hint: c.Hint,
			}})
			break
		}
	}
	return out
}

// claimsOf are the claims of an object as it will be. With a machine that is made anew
// what others have put on it goes.
func (f *foresight) claimsOf(p resource.Prospect, list []resource.Prospect, anew map[string]bool) (out []Claim) {
	switch {
	case p.Changes:
		return Claims(p.Kind, p.Args)
	case p.Live == nil:
		return nil
	case p.Kind == ExtensionKind.Name:
		if machine, _, _ := strings.Cut(strings.ToLower(p.Live.Name), "/"); anew[machine] {
			return nil
		}
	case p.Kind == BalancerKind.Name:
		if p.Live.Mark.Project == f.project { // machines that join another of ours leave it
			return nil
		}
		for _, vm := range list {
			if m, ok := armOf(vm.Live).(*machine); ok && !vm.Anew && behindPublic(m.nic, p.Live) {
				out = append(out, behind(vm.Live.Name))
			}
		}
		return out
	}
	return Claims(p.Kind, p.Live.Args)
}

// behindPublic reports whether an interface is behind a load balancer that has a public
// address: of those Azure allows one, and one of those that have none.
func behindPublic(nic *armnetwork.Interface, balancer *resource.Object) bool {
	lb, ok := armOf(balancer).(*armnetwork.LoadBalancer)
	return ok && nic != nil && slices.ContainsFunc(val(lb.Properties).FrontendIPConfigurations, func(front *armnetwork.FrontendIPConfiguration) bool {
		return val(front.Properties).PublicIPAddress != nil
	}) && slices.ContainsFunc(val(lb.Properties).BackendAddressPools, func(pool *armnetwork.BackendAddressPool) bool { return inPool(nic, text(pool.ID)) })
}

// armOf is what the SDK told of an object, nil of none.
func armOf(o *resource.Object) any {
	if o == nil {
		return nil
	}
	n, _ := o.Native.(*native)
	return val(n).arm
}
