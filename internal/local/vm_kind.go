package local

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// VMSpec is what a script says of a machine of this computer.
type VMSpec struct {
	Name    string          `star:"name,required,pos,local" doc:"The machine's name, which is its host name. Another one makes it anew."`
	Image   string          `star:"image,replace" enum:"debian-12,debian-13" default:"debian-12" doc:"What it is made from."`
	CPUs    schema.NanoCPUs `star:"cpus" doc:"The most CPUs that it may use, as 1.5; no limit if left out."`
	Memory  schema.Size     `star:"memory" doc:"The most memory that it may use, as \"2g\"; no limit if left out."`
	User    string          `star:"user,replace" default:"root" doc:"The user that it is reached as. One that is not root becomes root by sudo, without a password."`
	SSHKeys []SSHKey        `star:"ssh_keys,set" doc:"Public keys that may log in as the user, beside the one that is made for the machine."`
	Running bool            `star:"running" default:"true" doc:"Whether it runs. False powers it off; its disk is kept, and what is declared on it left as it is."`
}

// SchemaName implements [schema.Named].
func (*VMSpec) SchemaName() (string, string) {
	return "vm", "A machine of this computer: Debian with systemd and an SSH server in namespaces of its own. Needs Linux and root."
}

// SSHKey is a public key, as a line of authorized_keys.
type SSHKey string

// Normal implements [schema.Normaler].
func (k SSHKey) Normal() (string, error) { return strings.TrimSpace(string(k)), checkKey(string(k)) }

var vmSchema = schema.Of(VMSpec{})

// VMKind is a machine of this computer.
var VMKind = &resource.Kind{
	Name:    "vm",
	Schema:  vmSchema,
	Scope:   "local",
	Opens:   "host",
	Rank:    30,
	Keyless: true,
	Out: []resource.Output{
		{Name: "address", Type: "string", Stable: true, Doc: "Its IPv4 address, on the bridge that all machines of this computer share."},
		{Name: "private_ip", Type: "string", Stable: true, Doc: "The same: at which other machines reach it."},
		{Name: "public_ip", Type: "string", Stable: true, Doc: "The same: at which this computer reaches it. Nobody else does."},
		{Name: "port", Type: "int", Stable: true, Doc: "The port of its SSH server, 22."},
		{Name: "user", Type: "string", Stable: true, Arg: "user", Doc: "The user that it is reached as."},
		{Name: "hostname", Type: "string", Stable: true, Arg: "name", Doc: "Its host name."},
		{Name: "host_key", Type: "string", Stable: true, Doc: "The public key of its SSH server, as in known_hosts."},
		{Name: "key_file", Type: "string", Stable: true, Doc: "The path on this computer of the private key that the user is reached with."},
	},
	Check:   func(args value.Struct) schema.Problems { return CheckVM(vmSchema, args) },
	Effect:  VMEffect,
	Outage:  VMOutage,
	Off:     func(args value.Struct) bool { return VMOff(vmSchema, args) },
	Ending:  VMEnding,
	Handler: vmHandler{},
}

// CheckVM finds what is wrong with the arguments that are known, of a schema that
// is [VMSpec]'s.
func CheckVM(of *schema.Struct, args value.Struct) schema.Problems {
	var ps schema.Problems
	check := func(name string, wrong func(v value.Value) error) {
		f, _ := of.Field(name)
		v := value.Reveal(args[f.Index])
		if v == nil {
			return
		}
		if err := wrong(v); err != nil {
			ps = append(ps, &schema.Problem{Path: name, Msg: err.Error()})
		}
	}
	check("name", func(v value.Value) error {
		if s, ok := v.(string); ok && !hostName().MatchString(s) {
			return errHostName(s)
		}
		return nil
	})
	check("user", func(v value.Value) error {
		if s, ok := v.(string); ok && !userName().MatchString(s) {
			return errUserName(s)
		}
		return nil
	})
	check("cpus", func(v value.Value) error {
		if n, ok := v.(int64); ok && n < leastNanoCPUs {
			return errCPUs
		}
		return nil
	})
	check("memory", func(v value.Value) error {
		if n, ok := v.(int64); ok && n < leastMemory {
			return errMemory
		}
		return nil
	})
	return of.HideSecrets(args, ps)
}

// VMOff implements [resource.Kind.Off] for a schema that has running.
func VMOff(of *schema.Struct, args value.Struct) bool {
	f, _ := of.Field("running")
	return value.Reveal(args[f.Index]) == false
}

// VMOutage implements [resource.Kind.Outage].
func VMOutage(live *resource.Object, _ value.Struct, changes []schema.Change) *resource.Outage {
	for _, c := range changes {
		if c.Field.Name == "running" {
			return &resource.Outage{Machine: live.ID, Begins: c.After == false, Ends: c.After != false}
		}
	}
	return nil
}

// VMEffect says what an update does to a machine.
func VMEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	var out []string
	if restart {
		out = append(out, "it goes on: it is "+live.Unsettled)
	}
	for _, c := range changes {
		if c.Field.Name != "running" {
			continue
		}
		if c.After == false {
			out = append(out, "it is powered off")
		} else {
			out = append(out, "it boots")
		}
	}
	if out == nil {
		return "in place"
	}
	return strings.Join(out, "; ")
}

// VMEnding says what goes with a machine.
func VMEnding(_ *resource.Object, anew bool) string {
	if anew {
		return "made anew, without what is on its disk"
	}
	return "with all that is on its disk"
}

// specOf reads a machine as it is: its limits as the kernel holds it to them, and
// of its keys those that may still log in.
func (m *Machine) specOf() (*VMSpec, error) {
	s := &VMSpec{Name: m.Name, Image: m.Image, User: m.User, Running: m.pid() != 0}
	limits := m.Limits
	if s.Running {
		live, err := m.limits()
		if err != nil {
			return nil, err
		}
		if live != limits.rounded() && m.pid() != 0 { // else it has just ended
			limits = live
		}
	}
	s.CPUs, s.Memory = schema.NanoCPUs(limits.NanoCPUs), schema.Size(limits.Memory)
	keys, err := m.authorized()
	if err != nil {
		return nil, err
	}
	for _, k := range m.SSHKeys {
		if slices.Contains(keys, k) {
			s.SSHKeys = append(s.SSHKeys, SSHKey(k))
		}
	}
	return s, nil
}

// object is a machine as the planner sees it. Names are a project's own: the
// machine of another one is called after both.
func (m *Machine) object(project string) (*resource.Object, error) {
	spec, err := m.specOf()
	if err != nil {
		return nil, err
	}
	mark, _ := resource.ReadMark(m.Labels)
	o := &resource.Object{
		Kind: VMKind.Name, ID: m.ID, Name: m.Name, Mark: mark, Args: vmSchema.Encode(spec), Created: m.Created, Native: m,
		Out: map[string]value.Value{
			"address": m.Address.String(), "private_ip": m.Address.String(), "public_ip": m.Address.String(), "port": int64(22),
			"user": m.User, "hostname": m.Name, "host_key": m.HostKey, "key_file": m.KeyFile(),
		},
	}
	if m.Project != project {
		o.Name = m.Project + "/" + m.Name
	}
	switch m.State() {
	case Paused:
		o.Unsettled, o.Stuck = string(Paused), true
	case Broken: // it is of no image, so it is made anew, or deleted
		image, _ := vmSchema.Field("image")
		o.Args[image.Index], o.Unsettled = "", string(Broken)
	}
	return o, nil
}
