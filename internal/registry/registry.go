// Package registry is the list of all kinds. Adding a kind is one file in its
// domain's package and one line here.
package registry

import (
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/check"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []*resource.Kind {
	kinds := []*resource.Kind{
		swarm.SwarmKind,
		swarm.NetworkKind,
		swarm.LocalNetworkKind,
		swarm.LocalVolumeKind,
		swarm.VolumeKind,
		engine.ImageKind,
		engine.BuildKind,
		engine.ImageCopyKind,
		engine.PluginKind,
		swarm.SecretKind,
		swarm.ConfigKind,
		swarm.ServiceKind,
		engine.ContainerKind,
		swarm.NodeKind,
		check.HTTPKind,
		check.TCPKind,
		check.ExecKind,
		check.ContainerExecKind,
		lab.VMKind,
		local.VMKind,
		azure.VMKind,
		azure.GroupKind,
		azure.NetworkKind,
		azure.SecurityGroupKind,
		azure.AvailabilitySetKind,
		azure.DiskKind,
		azure.ExtensionKind,
		azure.PublicIPKind,
		azure.InterfaceKind,
		azure.BalancerKind,
	}
	return append(kinds, host.Kinds()...)
}

// Kind returns the kind of that name that lives in scopes of that type, or
// nil.
func Kind(scope, name string) *resource.Kind {
	for _, k := range Kinds() {
		if k.Name == name && k.Scope == scope {
			return k
		}
	}
	return nil
}
