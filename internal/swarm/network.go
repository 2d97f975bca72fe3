package swarm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/network"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// NetworkSpec is what docker network create can say. A network cannot be
// changed, not even its labels: every field is a replacement.
//
// Internal and IPv6 are pointers although false is their default: a network
// with config_from takes them from there, and then nothing owns them.
type NetworkSpec struct {
	Name        string            `star:"name,required,pos,local" doc:"The network's name."`
	Driver      *string           `star:"driver,replace" flag:"--driver" doc:"The driver. In a swarm overlay is meant, on an engine bridge."`
	Attachable  bool              `star:"attachable,replace" flag:"--attachable" doc:"Containers that are no tasks may join."`
	Internal    *bool             `star:"internal,replace" flag:"--internal" doc:"No way out to other networks."`
	Ingress     bool              `star:"ingress,replace" flag:"--ingress" doc:"This is the swarm's routing mesh; there is one."`
	Encrypted   *bool             `star:"encrypted,replace" flag:"--opt encrypted" doc:"Encrypt what travels between nodes."`
	IPv4        *bool             `star:"ipv4,replace" flag:"--ipv4" api:"1.48" doc:"Give out IPv4 addresses. Networks of a swarm always do."`
	IPv6        *bool             `star:"ipv6,replace" flag:"--ipv6" doc:"Give out IPv6 addresses."`
	Scope       *string           `star:"scope,replace" flag:"--scope" enum:"local,swarm,global" doc:"The network's scope, where the driver leaves a choice. Networks declared in a swarm are the swarm's."`
	ConfigOnly  bool              `star:"config_only,replace" flag:"--config-only" doc:"Only holds a configuration for others (config_from); lives on an engine."`
	ConfigFrom  *string           `star:"config_from,replace" flag:"--config-from" ref:"network.name" doc:"Take the configuration of this config_only network of each node."`
	Subnets     *[]Subnet         `star:"subnets,replace,set" flag:"--subnet" doc:"The subnets, as CIDR blocks or subnet(...). Left out, the engine chooses."`
	IPAMDriver  *string           `star:"ipam_driver,replace" flag:"--ipam-driver" doc:"What gives out addresses."`
	IPAMOptions map[string]string `star:"ipam_options,merge,replace" flag:"--ipam-opt" doc:"Options of the IPAM driver."`
	Options     map[string]string `star:"options,merge,replace" flag:"--opt" doc:"Options of the driver. Those that it sets itself are left alone."`
	Labels      map[string]string `star:"labels,merge,replace" flag:"--label" doc:"Labels."`
}

// SchemaName implements [schema.Named].
func (*NetworkSpec) SchemaName() (string, string) {
	return "network", "A network: of the swarm, or of one engine (engine=)."
}

// Subnet is one block of addresses of a network.
type Subnet struct {
	CIDR       CIDR           `star:"cidr,required,short,pos" flag:"--subnet" doc:"The block, as 10.1.0.0/24."`
	Gateway    *IP            `star:"gateway" flag:"--gateway" doc:"The gateway's address."`
	IPRange    *CIDR          `star:"ip_range" flag:"--ip-range" doc:"Containers get addresses out of this part of the block."`
	AuxAddress *map[string]IP `star:"aux_address" flag:"--aux-address" doc:"Addresses that are taken, by name. Networks of a swarm do not know them."`
}

// SchemaName implements [schema.Named].
func (*Subnet) SchemaName() (string, string) { return "subnet", "One block of a network's addresses." }

// CIDR is a block of addresses.
type CIDR string

// Normal implements [schema.Normaler].
func (c CIDR) Normal() (string, error) {
	p, err := netip.ParsePrefix(string(c))
	if err != nil {
		return "", fmt.Errorf("got %q, want a block such as 10.1.0.0/24", string(c))
	}
	if p != p.Masked() {
		return "", fmt.Errorf("got %q, which is an address in the block %s", string(c), p.Masked())
	}
	return p.String(), nil
}

// IP is an address.
type IP string

// Normal implements [schema.Normaler].
func (a IP) Normal() (string, error) {
	s := string(a)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr().String(), nil // engines show the gateways of IPv6 with their prefix
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return "", fmt.Errorf("got %q, want an IP address", s)
	}
	return ip.String(), nil
}

var networkSchema = schema.Of(NetworkSpec{})

// NetworkKind is a network of a swarm.
var NetworkKind = networkKind("swarm")

// LocalNetworkKind is a network of one engine.
var LocalNetworkKind = networkKind("engine")

func networkKind(scope string) *resource.Kind {
	return &resource.Kind{
		Name:      "network",
		Schema:    networkSchema,
		Scope:     scope,
		Rank:      20,
		MarkFixed: true,
		Busy:      true,
		Out: []resource.Output{
			{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "The network's name."},
			{Name: "id", Type: "string", Stable: true, Doc: "The network's ID."},
			{Name: "subnet", Type: "string", Stable: true, Doc: "The first subnet."},
			{Name: "gateway", Type: "string", Stable: true, Doc: "The first subnet's gateway."},
		},
		Check:    func(args value.Struct) schema.Problems { return checkNetwork(scope, args) },
		Complete: func(args value.Struct) { completeNetwork(scope, args) },
		Given:    givenNetwork,
		Handler:  networkHandler{scope},
	}
}

const optEncrypted = "encrypted"

// completeNetwork fills in what depends on where the network is and on its
// other fields, and moves an option that has a field of its own there.
func completeNetwork(scope string, args value.Struct) {
	get, set := fieldsOf(networkSchema, args)
	inSwarm := scope == "swarm"
	if get("driver") == nil && get("config_only") != true {
		set("driver", map[bool]string{true: "overlay", false: "bridge"}[inSwarm])
	}
	if get("scope") == nil && get("config_only") != true {
		set("scope", map[bool]string{true: "swarm", false: "local"}[inSwarm])
	}
	if get("config_from") == nil {
		for _, name := range []string{"internal", "ipv6"} {
			if get(name) == nil {
				set(name, false)
			}
		}
	}
	if o, ok := value.Reveal(get("options")).(*value.Map); ok {
		if v, ok := o.Get(optEncrypted); ok && get("encrypted") == nil {
			set("encrypted", !falseText(value.Text(value.Reveal(v))))
			var rest []value.Entry
			for _, e := range o.Entries {
				if e.Key != optEncrypted {
					rest = append(rest, e)
				}
			}
			set("options", value.NewMap(rest))
		}
	}
	if get("encrypted") == nil && get("driver") == "overlay" {
		set("encrypted", false)
	}
}

// fieldsOf gives access to arguments by name.
func fieldsOf(s *schema.Struct, args value.Struct) (get func(string) value.Value, set func(string, value.Value)) {
	index := func(name string) int {
		f, ok := s.Field(name)
		if !ok {
			panic("no field " + name)
		}
		return f.Index
	}
	return func(name string) value.Value { return args[index(name)] },
		func(name string, v value.Value) { args[index(name)] = v }
}

func falseText(s string) bool {
	switch strings.ToLower(s) {
	case "0", "f", "false":
		return true
	}
	return false
}

// observeNetworks returns the swarm's networks.
func observeNetworks(l *lists) []*resource.Object {
	return NetworkObjects(l.Networks, true)
}

// NetworkObjects returns the networks that are a swarm's, or those that are
// one engine's own.
func NetworkObjects(networks []network.Summary, inSwarm bool) []*resource.Object {
	var out []*resource.Object
	byName := map[string]string{}
	for _, n := range networks {
		byName[n.Name] = n.ID
	}
	for _, n := range networks {
		if (n.Scope == "swarm") == inSwarm {
			o := networkObject(n)
			if from := byName[n.ConfigFrom.Network]; from != "" && !inSwarm {
				o.Uses = append(o.Uses, from)
			}
			out = append(out, o)
		}
	}
	return out
}

// unallocated reports whether a network waits for its driver and subnets.
func unallocated(n network.Summary) bool { return n.Scope == "swarm" && n.Driver == "" }

// beingMade reports whether there are networks so new that they may get their
// driver and subnets at any moment.
func beingMade(networks []network.Summary) bool {
	return slices.ContainsFunc(networks, func(n network.Summary) bool {
		return unallocated(n) && time.Since(n.Created) < 10*time.Second
	})
}

func networkObject(n network.Summary) *resource.Object {
	mark, labels := resource.ReadMark(n.Labels)
	if n.ConfigFrom.Network != "" {
		// Its labels are copies of the other's, mark included: its own mark is
		// in the ledger.
		mark = resource.Mark{}
	}
	spec := &NetworkSpec{
		Name: n.Name, Driver: &n.Driver, Attachable: n.Attachable, Internal: &n.Internal, Ingress: n.Ingress,
		IPv4: ptr(n.EnableIPv4 || n.Scope == "swarm"), IPv6: &n.EnableIPv6, Scope: &n.Scope, ConfigOnly: n.ConfigOnly,
		IPAMDriver: &n.IPAM.Driver, IPAMOptions: n.IPAM.Options, Labels: labels,
		Encrypted: ptr(false), Options: map[string]string{},
	}
	if n.ConfigFrom.Network != "" {
		spec.ConfigFrom = &n.ConfigFrom.Network
	}
	for k, v := range n.Options {
		if k == optEncrypted {
			*spec.Encrypted = !falseText(v)
			continue
		}
		spec.Options[k] = v
	}
	out := map[string]value.Value{"name": n.Name, "id": n.ID}
	var subnets []Subnet
	for i, c := range n.IPAM.Config {
		s := Subnet{CIDR: CIDR(c.Subnet)}
		if c.Gateway != "" {
			s.Gateway = ptr(IP(c.Gateway))
		}
		if c.IPRange != "" {
			s.IPRange = ptr(CIDR(c.IPRange))
		}
		if len(c.AuxAddress) > 0 {
			aux := make(map[string]IP, len(c.AuxAddress))
			for k, v := range c.AuxAddress {
				aux[k] = IP(v)
			}
			s.AuxAddress = &aux
		}
		if i == 0 {
			out["subnet"] = c.Subnet
			out["gateway"] = c.Gateway
		}
		subnets = append(subnets, s)
	}
	spec.Subnets = &subnets
	o := &resource.Object{
		Kind: "network", ID: n.ID, Name: n.Name, Mark: mark,
		Args: networkSchema.Encode(spec), Out: out, Created: n.Created,
		Unlisted: predefined(n) && mark.Project == "", Native: n,
	}
	if unallocated(n) {
		o.Unsettled = "the swarm has given it no addresses"
	}
	return o
}

// predefined reports whether the network belongs to the system.
func predefined(n network.Summary) bool {
	switch n.Name {
	case "bridge", "host", "none", "nat", "docker_gwbridge", "ingress":
		return true
	}
	return n.Ingress
}

func ptr[T any](v T) *T { return &v }
