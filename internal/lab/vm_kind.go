package lab

import (
	"net"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// VMSpec is what a script says of a host of a lab: what it says of a machine of
// this computer, so that the same script makes either.
type VMSpec local.VMSpec

// SchemaName implements [schema.Named].
func (*VMSpec) SchemaName() (string, string) {
	return "vm", "A machine, by its provider: simulated in a lab(), which is the default and needs nothing; or with local() a real one of this computer, Debian with systemd and an SSH server in namespaces of its own, which needs Linux and root."
}

var vmSchema = schema.Of(VMSpec{})

// VMKind is a host of a lab.
var VMKind = &resource.Kind{
	Name:    "vm",
	Schema:  vmSchema,
	Scope:   "lab",
	Opens:   "host",
	Rank:    30,
	Keyless: true,
	Out: []resource.Output{
		{Name: "address", Type: "string", Stable: true, Doc: "Its IPv4 address: in a lab one of this computer's own network 127.0.0.0/8, with local() one on the bridge that all machines of this computer share."},
		{Name: "private_ip", Type: "string", Stable: true, Doc: "The same: at which other hosts reach it."},
		{Name: "public_ip", Type: "string", Stable: true, Doc: "The same: at which this computer reaches it. Nobody else does."},
		{Name: "port", Type: "int", Stable: true, Doc: "The port of its SSH server: 22, or in a lab another one where that cannot be had."},
		{Name: "user", Type: "string", Stable: true, Arg: "user", Doc: "The user that it is reached as."},
		{Name: "hostname", Type: "string", Stable: true, Arg: "name", Doc: "Its host name."},
		{Name: "host_key", Type: "string", Stable: true, Doc: "The public key of its SSH server, as in known_hosts."},
		{Name: "key_file", Type: "string", Stable: true, Doc: "The path on this computer of the private key that the user is reached with."},
	},
	Check:   func(args value.Struct) schema.Problems { return local.CheckVM(vmSchema, args) },
	Effect:  local.VMEffect,
	Outage:  local.VMOutage,
	Off:     func(args value.Struct) bool { return local.VMOff(vmSchema, args) },
	Ending:  local.VMEnding,
	Handler: vmHandler{},
}

// object is a host as the planner sees it. Names are a project's own: the host of
// another one is called after both.
func object(h *api.Host, project string) *resource.Object {
	spec := &VMSpec{
		Name: h.Name, Image: h.Image, User: h.User, Running: h.State != api.Off,
		CPUs: schema.NanoCPUs(h.NanoCPUs), Memory: schema.Size(h.Memory),
	}
	for _, k := range h.SSHKeys {
		spec.SSHKeys = append(spec.SSHKeys, local.SSHKey(k))
	}
	mark, _ := resource.ReadMark(h.Labels)
	_, text, _ := net.SplitHostPort(h.SSH)
	port, _ := strconv.ParseInt(text, 10, 64)
	o := &resource.Object{
		Kind: VMKind.Name, ID: h.ID, Name: h.Name, Mark: mark, Args: vmSchema.Encode(spec), Created: h.Created, Native: h,
		Out: map[string]value.Value{
			"address": h.Address, "private_ip": h.Address, "public_ip": h.Address, "port": port,
			"user": h.User, "hostname": h.Name, "host_key": strings.TrimSpace(h.HostKey), "key_file": h.KeyFile,
		},
	}
	if h.Project != project {
		o.Name = h.FullName()
	}
	if h.State == api.Paused {
		o.Unsettled, o.Stuck = string(api.Paused), true
	}
	return o
}
