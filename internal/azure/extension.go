package azure

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ExtensionSpec is what a script says of an extension of a machine.
type ExtensionSpec struct {
	VM          string            `star:"vm,required,pos,replace" ref:"vm.hostname" doc:"The machine that it is of, as vm(...) returns it; one that is named in plain text does not get it again by itself when it is made anew."`
	Extension   string            `star:"extension,required,pos,replace" doc:"What it is called on that machine."`
	Publisher   string            `star:"publisher,replace" default:"Microsoft.Azure.Extensions" doc:"Whose it is."`
	Type        string            `star:"type,replace" default:"CustomScript" doc:"What it is. CustomScript runs commandToExecute of its settings, or of its protected settings, as root. A machine has one of each type."`
	Version     string            `star:"version" default:"2.1" doc:"Its version, MAJOR.MINOR."`
	AutoUpgrade bool              `star:"auto_upgrade_minor_version" default:"true" doc:"Whether the newest version of that MAJOR is taken when it is written."`
	Settings    map[string]any    `star:"settings" doc:"What it shall do, which who may read the machine can read."`
	Protected   map[string]any    `star:"protected_settings,secret" doc:"Settings that are never shown, nor told by Azure again: a slow hash of each is kept in a tag."`
	Tags        map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SchemaName implements [schema.Named].
func (*ExtensionSpec) SchemaName() (string, string) {
	return "vm_extension", "An extension of a machine in Azure: what Azure's agent on it installs or runs. It is made when it has done so, and one that fails is a step that fails, with what it says. It runs again when its settings change, when it failed, and for `lifecycle(replace_on=)`."
}

var extensionSchema = schema.Of(ExtensionSpec{})

// ExtensionKind is an extension of a machine. It goes after the machine, where that
// goes: of a machine that is off none can be taken away.
var ExtensionKind = &resource.Kind{
	Name:     "vm_extension",
	Schema:   extensionSchema,
	Scope:    "azure",
	Rank:     29,
	Within:   "vm",
	Keyless:  true,
	Restarts: true,
	Unnamed:  nameExtension,
	Out: []resource.Output{
		{Name: "name", Type: "string", Stable: true, Arg: "extension", Doc: "What it is called on its machine."},
		{Name: "id", Type: "string", Stable: true, Doc: "Its ID in Azure."},
	},
	Check:   checkExtension,
	Same:    sameExtension,
	Given:   givenExtension,
	Effect:  extensionEffect,
	Handler: extensionHandler{},
}

var extensionVersion = pattern.Of(`^[0-9]+(\.[0-9]+){1,3}$`)

// nameExtension is the name of a machine and of an extension of it.
func nameExtension(args value.Struct) string {
	vm, _ := extensionSchema.Field("vm")
	extension, _ := extensionSchema.Field("extension")
	name, _ := args[extension.Index].(string)
	machine, _ := args[vm.Index].(string)
	if ref, ok := args[vm.Index].(value.Ref); ok {
		machine = ref.Address.Name()
	}
	if machine == "" || name == "" {
		return ""
	}
	return machine + "/" + name
}

func checkExtension(args value.Struct) schema.Problems {
	p := &problemsOf{schema: extensionSchema, args: args}
	p.text("extension", resourceName)
	p.text("version", func(s string) string {
		if extensionVersion().MatchString(s) {
			return ""
		}
		return fmt.Sprintf("got %q, want MAJOR.MINOR, as \"2.1\"", s)
	})
	open, _ := p.get("settings").(*value.Map)
	hidden, _ := p.get("protected_settings").(*value.Map)
	for _, key := range []string{"commandToExecute", "script"} {
		if _, twice := hidden.Get(key); twice {
			if _, both := open.Get(key); both {
				p.ps = append(p.ps, &schema.Problem{Path: "settings", Msg: "what shall run is in protected_settings too"})
			}
		}
	}
	p.ps = append(p.ps, checkTags(p.get("tags"))...)
	found := p.done()
	if settings, _ := extensionSchema.Field("settings"); value.Sensitive(args[settings.Index]) {
		found = append(found, &schema.Problem{Path: "settings", Msg: "who may read the machine can read what is sensitive in them", Hint: "protected_settings take it"})
	}
	return found
}

// liveExtension is an extension with what its protected settings are compared by.
type liveExtension struct {
	arm    *armcompute.VirtualMachineExtension
	hashes *slowHashes
}

// sameExtension reports that a difference is none: a protected setting by its hash, a
// version by its beginning, a machine's name in another case.
func sameExtension(live *resource.Object, _ value.Struct, c schema.Change) bool {
	before, _ := value.Reveal(c.Before).(string)
	after, _ := value.Reveal(c.After).(string)
	switch c.Field.Name {
	case "vm", "publisher", "type":
		return after != "" && strings.EqualFold(before, after)
	case "version":
		return strings.HasPrefix(before, after+".")
	case "protected_settings":
		n, ok := live.Native.(*native)
		if !ok || before == "" || c.After == nil || !value.Known(c.After) {
			return false
		}
		e, ok := n.arm.(*liveExtension)
		if !ok {
			return false
		}
		hash, err := e.hashes.of(c.After)
		return err == nil && hash == before
	}
	return false
}

// givenExtension is an extension as a script would say it: Azure does not tell its
// protected settings.
func givenExtension(o *resource.Object) value.Struct {
	args := slices.Clone(o.Args)
	f, _ := extensionSchema.Field("protected_settings")
	args[f.Index] = nil
	return args
}

func extensionEffect(live *resource.Object, _ value.Struct, changes []schema.Change, restart bool) string {
	if restart && live.Stuck {
		return "it runs again: " + live.Unsettled
	}
	for _, c := range changes {
		restart = restart || c.Field.Name != "tags"
	}
	if restart {
		return "it runs again"
	}
	return "in place"
}

// extensionObjects are the extensions of a machine as the planner sees them. They are
// called by their machine too: others have some of the same name.
func (c *Conn) extensionObjects(vm *armcompute.VirtualMachine) (out []*resource.Object) {
	for _, e := range vm.Resources {
		if e != nil && e.Properties != nil {
			out = append(out, c.extensionObject(text(vm.Name), e))
		}
	}
	return out
}

func (c *Conn) extensionObject(machine string, e *armcompute.VirtualMachineExtension) *resource.Object {
	p := val(e.Properties)
	o := c.object(ExtensionKind, text(e.ID), "", text(e.Name), e.Tags, &liveExtension{arm: e, hashes: c.hashes})
	n := o.Native.(*native)
	o.Args = extensionSchema.Encode(&ExtensionSpec{
		VM: machine, Extension: o.Name, Publisher: text(p.Publisher), Type: text(p.Type), Version: text(p.TypeHandlerVersion),
		AutoUpgrade: val(p.AutoUpgradeMinorVersion), Tags: n.tags,
	})
	settings, _ := extensionSchema.Field("settings")
	if m, ok := value.FromJSON(p.Settings).(*value.Map); ok && m.Len() > 0 {
		o.Args[settings.Index] = m
	}
	hidden, _ := extensionSchema.Field("protected_settings")
	var hashes map[string]any
	if json.Unmarshal([]byte(n.own[tagProtected]), &hashes) == nil && len(hashes) > 0 {
		o.Args[hidden.Index] = value.Secret{V: value.FromJSON(hashes)}
	}
	o.Name = machine + "/" + o.Name
	settled(o, text(p.ProvisioningState))
	if o.Stuck {
		o.Unsettled = "it has failed"
	}
	return o
}
