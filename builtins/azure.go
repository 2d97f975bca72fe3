package builtins

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// azure(location, resource_group="", subscription="", tenant="", environment="",
// open_ports=[], ssh_from="", tags={}) is a resource group in Azure.
func (r *Recorder) azure(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cfg azure.Config
	var open *starlark.List
	var tags *starlark.Dict
	args, kwargs = plainArgs(thread, b, args, kwargs, "unknown", "location")
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "location", &cfg.Location, "resource_group?", &cfg.ResourceGroup, "subscription?", &cfg.Subscription,
		"tenant?", &cfg.Tenant, "environment?", &cfg.Environment, "open_ports?", &open, "ssh_from?", &cfg.SSHFrom, "tags?", &tags); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	var ports []string
	for i := 0; open != nil && i < open.Len(); i++ {
		ports = append(ports, strings.Trim(open.Index(i).String(), `"`))
	}
	cfg.OpenPorts = strings.Join(ports, " ")
	cfg = cfg.Normal().WithTags(azureTags(s, thread, tags))
	for _, p := range cfg.Check() {
		s.Report(thread, &diag.Diagnostic{Pos: argumentAt(s, pos, args, p.Path, slices.Index([]string{"location", "resource_group"}, p.Path)), Summary: "azure: " + p.Path + ": " + p.Msg, Hint: p.Hint})
	}
	scope, problem := r.outermost(&resource.Scope{Address: cfg.Scope(), Type: "azure", Config: cfg, Pos: pos})
	if problem != nil {
		s.Report(thread, problem)
	}
	return &ProviderHandle{scope}, nil
}

// azureTags are the tags of all that is made. They say where things are counted, and
// are shown: texts that are known now.
func azureTags(s *lang.Session, thread *starlark.Thread, tags *starlark.Dict) map[string]string {
	if tags == nil {
		return nil
	}
	out := map[string]string{}
	for _, item := range tags.Items() {
		name, ok := item[0].(starlark.String)
		text, problem := textNow(item[1])
		switch {
		case !ok:
			problem = fmt.Sprintf("got %s as a name, want a text", item[0].Type())
		case problem == "" && isSecret(item[1]):
			problem = fmt.Sprintf("%q is sensitive, and tags are shown", string(name))
		case problem != "":
			problem = fmt.Sprintf("%q: %s", string(name), problem)
		}
		if problem != "" {
			s.Report(thread, &diag.Diagnostic{Pos: s.ExpandArg(lang.CallPos(thread), "tags", -1), Summary: "azure: tags: " + problem})
			continue
		}
		out[string(name)] = text
	}
	return out
}

// onlyAzure is the resource group that was declared, for what says none.
func (r *Recorder) onlyAzure(c *call) (string, bool) {
	var found []string
	for addr, s := range r.scopes {
		if s.Type == "azure" {
			found = append(found, addr)
		}
	}
	switch len(found) {
	case 1:
		return found[0], true
	case 0:
		if r.inputs.Provider == "azure" {
			return r.azureOfEnvironment(c)
		}
		return "", false
	}
	c.report("", -1, "%s: there are %d azure()", c.d.name, len(found)).Hint = "say which one with provider ="
	return found[0], true
}

// locationVariables name the region that --provider azure takes, as az has its default
// and azd the environment's.
var locationVariables = []string{"AZURE_DEFAULTS_LOCATION", "AZURE_LOCATION"}

// azureOfEnvironment is the resource group of a script that declares none: the
// project's, in the region of the environment.
func (r *Recorder) azureOfEnvironment(c *call) (string, bool) {
	for _, name := range locationVariables {
		text, ok := "", false
		if r.inputs.Env != nil {
			text, ok = r.inputs.Env(name)
		}
		if !ok || text == "" {
			c.s.Record("env", name, nil, false)
			continue
		}
		c.s.Record("env", name, []byte(text), false)
		cfg := azure.Config{Location: text}.Normal()
		for _, p := range cfg.Check() {
			c.report("", -1, "%s: %s: %s: %s", c.d.name, name, p.Path, p.Msg).Hint = p.Hint
			return "", false
		}
		scope, problem := r.outermost(&resource.Scope{Address: cfg.Scope(), Type: "azure", Config: cfg, Pos: c.pos})
		if problem != nil {
			c.s.Report(c.thread, problem)
		}
		return scope.Address, true
	}
	p := c.report("", -1, "%s: --provider azure does not know in which region: %s is not set, nor %s", c.d.name, locationVariables[0], locationVariables[1])
	p.Hint = `set it, as AZURE_DEFAULTS_LOCATION=westeurope, or declare azure("westeurope")`
	return "", false
}

// completeAzure declares what machines in Azure need and the script does not: the
// resource group of each azure(), and for machines that name no network one of all
// of them, with a security group. Each is there under its usual name once the
// script declares it itself.
func (r *Recorder) completeAzure() (problems diag.List) {
	in := map[string][]*resource.Declaration{}
	for _, d := range r.program.Declarations {
		if s := r.scopes[d.Scope]; s != nil && s.Type == "azure" {
			in[d.Scope] = append(in[d.Scope], d)
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(in)) {
		a := azureGroup{r: r, scope: addr, cfg: r.scopes[addr].Config.(azure.Config), pos: in[addr][0].Pos}
		a.name = azure.NameOf(r.program.Project)
		a.network(in[addr], a.balancers(in[addr]))
		a.once(in[addr])
		a.group()
		problems = append(problems, a.problems...)
	}
	return problems
}

// azureGroup is a resource group whose declarations are completed.
type azureGroup struct {
	r        *Recorder
	scope    string
	cfg      azure.Config
	name     string // of the project, as Azure takes it
	pos      diag.Pos
	problems diag.List
}

// declare declares what the script does not, and returns its address. One that it
// declares itself, or only reads, is taken as it is.
func (a *azureGroup) declare(kind *resource.Kind, name string, args map[string]value.Value) value.Address {
	addr := value.NewAddress(a.scope, kind.Name, name)
	if a.r.declared[addr] != nil {
		return addr
	}
	d := &resource.Declaration{Address: addr, Kind: kind, Scope: a.scope, Args: make(value.Struct, len(kind.Schema.Fields())), Pos: a.pos}
	args["name"] = name
	for field, v := range args {
		f, ok := kind.Schema.Field(field)
		if !ok {
			panic(fmt.Sprintf("azure: %s has no %s", kind.Name, field))
		}
		d.Args[f.Index] = v
	}
	if kind.Complete != nil {
		kind.Complete(d.Args)
	}
	if p := a.r.add(d); p != nil {
		a.problems = append(a.problems, p)
	}
	return addr
}

// network gives machines that name none the network of all of them; and a security
// group, which lets in what load balancers send to those ports, to machines that
// neither they nor their subnet have one of.
func (a *azureGroup) network(declared []*resource.Declaration, balanced []string) {
	var machines []*resource.Declaration
	for _, d := range declared {
		if d.Kind == azure.VMKind && !d.External {
			machines = append(machines, d)
		}
	}
	if len(machines) == 0 {
		return
	}
	a.pos = machines[0].Pos
	group, network := value.NewAddress(a.scope, azure.SecurityGroupKind.Name, a.name+"-nsg"), value.NewAddress(a.scope, azure.NetworkKind.Name, a.name+"-vnet")
	name := func(of value.Address) value.Ref { return value.Ref{Address: of, Output: "name", Type: "string"} }
	opened := a.r.declared[group] == nil
	wall := func() value.Ref {
		a.declare(azure.SecurityGroupKind, a.name+"-nsg", map[string]value.Value{
			"rules": azure.EncodeRules(azure.SwarmRules(a.cfg.SSHFrom, strings.Fields(a.cfg.OpenPorts), balanced)),
		})
		return name(group)
	}
	for _, d := range machines {
		if argument(d, "network_interface") != nil {
			continue
		}
		if argument(d, "virtual_network") == nil {
			if a.r.declared[network] == nil {
				a.declare(azure.NetworkKind, a.name+"-vnet", map[string]value.Value{"subnets": azure.EncodeNodes(wall())})
			}
			give(d, "virtual_network", name(network))
		}
		if argument(d, "network_security_group") == nil && !a.guarded(d) {
			give(d, "network_security_group", wall())
		}
	}
	if opened = opened && a.r.declared[group] != nil; !opened && (a.cfg.OpenPorts != "" || a.cfg.SSHFrom != "") {
		a.problems = append(a.problems, &diag.Diagnostic{
			Pos: a.r.scopes[a.scope].Pos, Summary: "azure: open_ports and ssh_from say what " + group.Short() + " lets in, which is not made here: the script says itself what guards its machines",
			Hint: `give its groups the rules, as security_rule("web", 1000, ports = ["80"])`,
		})
	}
}

// guarded reports whether a machine is in a subnet that the script gives a security
// group. Of a network that it does not declare nobody knows here.
func (a *azureGroup) guarded(vm *resource.Declaration) bool {
	of := argument(vm, "virtual_network")
	for _, d := range a.r.program.Declarations {
		ref, _ := of.(value.Ref)
		named, _ := of.(string)
		if d.Kind != azure.NetworkKind || d.External || d.Scope != a.scope || ref.Address != d.Address && !strings.EqualFold(named, d.Address.Name()) {
			continue
		}
		return azure.Guards(d.Args, argument(vm, "subnet"))
	}
	return false
}

// give sets an argument that the script leaves out.
func give(d *resource.Declaration, name string, v value.Value) {
	f, _ := d.Kind.Schema.Field(name)
	args := slices.Clone(d.Args)
	args[f.Index] = v
	d.SetArgs(args)
}

// once finds what several resources are to have that Azure gives to one. Of two of them
// the first such thing is told.
func (a *azureGroup) once(declared []*resource.Declaration) {
	first := map[string]*resource.Declaration{}
	for _, d := range declared {
		if d.External {
			continue
		}
		for _, c := range azure.Claims(d.Kind.Name, d.Args) {
			disk := a.r.declared[value.NewAddress(a.scope, azure.DiskKind.Name, c.Disk)]
			if c.Disk != "" && (disk == nil || disk.External) {
				continue // which may be one that several machines can have
			}
			other := first[c.Key()]
			if other == nil || other == d {
				first[c.Key()] = d
				continue
			}
			a.problems = append(a.problems, &diag.Diagnostic{
				Pos: d.Pos, Summary: fmt.Sprintf("%s and %s %s: %s", other.Address.Short(), d.Address.Short(), c.Says, c.Why), Hint: c.Hint,
				Related: []diag.Note{{Pos: other.Pos, Text: "the other one is here"}},
			})
			break
		}
	}
}

// group declares the resource group, in which everything is.
func (a *azureGroup) group() {
	group := a.declare(azure.GroupKind, a.cfg.Group(a.r.program.Project), map[string]value.Value{})
	for _, d := range a.r.program.Declarations {
		if d.Scope == a.scope && !d.External && a.cfg.Tags != "" {
			d.SetArgs(a.cfg.AddTags(d.Kind, d.Args))
		}
		if d.Scope == a.scope && d.Address != group && !slices.Contains(d.After, group) {
			d.After = append(slices.Clone(d.After), group)
		}
	}
}
