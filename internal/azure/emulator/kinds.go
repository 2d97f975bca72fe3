package emulator

import (
	"context"
	"iter"
	"maps"
	"regexp"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// A kind is one type of resources. A hook that is nil does nothing.
type kind struct {
	name string // as Azure writes it
	// part is set for what is not a resource of its own: an element of an array in
	// its parent's properties, with a path and an etag.
	part bool
	// parts are the arrays of properties that hold its parts, by the last type of
	// the parts in small letters.
	parts map[string]string
	names func() *regexp.Regexp // nil: networkName
	// instant is set where a write is no operation.
	instant bool
	// plain is set where a resource has neither a state nor an etag, and a PUT says
	// 200 always.
	plain bool
	// etagless is set where it has a state, and no etag.
	etagless bool
	// byLocation is set where operations are told by a Location only.
	byLocation bool

	// put checks a write, and completes what is to be.
	put func(*write) error
	// inUse says why it cannot be deleted, nil where it can.
	inUse func(*tx, *record) *Failure
	// drop removes what goes with it.
	drop func(*tx, *record)
	// render adds references back to an answer.
	render func(*tx, *record, object)
	// work is what its operations do while nothing is locked.
	work func(context.Context, *Emulator, *operation) error
}

// The keys of kinds that are asked for by name.
const (
	vmKind              = "microsoft.compute/virtualmachines"
	extensionKind       = "microsoft.compute/virtualmachines/extensions"
	diskKind            = "microsoft.compute/disks"
	availabilitySetKind = "microsoft.compute/availabilitysets"
	nicKind             = "microsoft.network/networkinterfaces"
	addressKind         = "microsoft.network/publicipaddresses"
	networkKind         = "microsoft.network/virtualnetworks"
	securityKind        = "microsoft.network/networksecuritygroups"
	balancerKind        = "microsoft.network/loadbalancers"
)

// kinds are the types of resources that there are, by their paths' kind.
var kinds map[string]*kind

// namespaces are the resource providers that have them.
var namespaces = []string{"Microsoft.Compute", "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.Resources"}

// The table is filled here, as hooks look into it.
func init() {
	kinds = map[string]*kind{
		vmKind: {
			name: "Microsoft.Compute/virtualMachines", names: vmName,
			put: putVM, drop: dropVM, render: renderVM, work: workVM,
		},
		extensionKind: {
			name: "Microsoft.Compute/virtualMachines/extensions", etagless: true,
			put: putExtension, inUse: extensionInUse, work: workExtension,
		},
		diskKind: {
			name: "Microsoft.Compute/disks", byLocation: true, etagless: true,
			put: putDisk, inUse: diskInUse, render: renderDisk,
		},
		availabilitySetKind: {
			name: "Microsoft.Compute/availabilitySets", instant: true, plain: true,
			put: putAvailabilitySet, inUse: availabilitySetInUse, render: renderAvailabilitySet,
		},
		nicKind: {
			name: "Microsoft.Network/networkInterfaces", parts: map[string]string{"ipconfigurations": "ipConfigurations"},
			put: putNIC, inUse: nicInUse, render: renderNIC, work: workNetwork,
		},
		addressKind: {
			name: "Microsoft.Network/publicIPAddresses",
			put:  putAddress, inUse: addressInUse, render: renderAddress,
		},
		networkKind: {
			name: "Microsoft.Network/virtualNetworks", names: vnetName, parts: map[string]string{"subnets": "subnets"},
			put: putNetwork, inUse: networkInUse, render: renderNetwork, work: workNetwork,
		},
		securityKind: {
			name: "Microsoft.Network/networkSecurityGroups", parts: map[string]string{"securityrules": "securityRules"},
			put: putSecurity, inUse: securityInUse, render: renderSecurity, work: workNetwork,
		},
		"microsoft.network/applicationsecuritygroups": {name: "Microsoft.Network/applicationSecurityGroups"},
		balancerKind: {
			name: "Microsoft.Network/loadBalancers",
			parts: map[string]string{
				"frontendipconfigurations": "frontendIPConfigurations", "backendaddresspools": "backendAddressPools", "probes": "probes",
				"loadbalancingrules": "loadBalancingRules", "inboundnatrules": "inboundNatRules", "outboundrules": "outboundRules",
			},
			put: putBalancer, drop: dropBalancer, render: renderBalancer,
		},
		"microsoft.managedidentity/userassignedidentities": {
			name: "Microsoft.ManagedIdentity/userAssignedIdentities", instant: true, etagless: true, put: putIdentity,
		},
	}
	for key, k := range maps.Clone(kinds) {
		for last := range k.parts {
			kinds[key+"/"+last] = &kind{name: k.name + "/" + k.parts[last], part: true}
		}
	}
}

// arrays are the properties that hold parts.
func (k *kind) arrays() iter.Seq[string] { return maps.Values(k.parts) }

var (
	networkName = pattern.Of(`^[A-Za-z0-9]([\w.-]{0,78}\w)?$`)
	vnetName    = pattern.Of(`^[A-Za-z0-9]([\w.-]{0,62}\w)$`)
	vmName      = pattern.Of(`^[A-Za-z0-9]([\w.-]{0,62}[\w])?$`)
)

func (k *kind) checkName(name string) error {
	names := k.names
	if names == nil {
		names = networkName
	}
	if !names().MatchString(name) {
		most := 80
		if k.names != nil { // vmName, vnetName
			most = 64
		}
		return bad("InvalidResourceName", "Resource name %s is invalid. The name can be up to %d characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'.", name, most)
	}
	return nil
}
