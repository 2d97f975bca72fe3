package builtins

import (
	"fmt"
	"slices"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// balancers completes the load balancers of a resource group: with an address, with
// the machines that they send to, with the rules that follow from services. What
// those publish, their declarations say, so one plan adds a port to a service and
// to what is in front of it. It returns the ports that they send to.
func (a *azureGroup) balancers(declared []*resource.Declaration) (ports []string) {
	for _, d := range declared {
		if d.Kind != azure.BalancerKind || d.External {
			continue
		}
		a.pos = d.Pos
		args := slices.Clone(d.Args)
		set := func(name string, v value.Value) {
			f, _ := d.Kind.Schema.Field(name)
			if args[f.Index] == nil {
				args[f.Index] = v
			}
		}
		if argument(d, "public_ip") == nil {
			ip := a.declare(azure.PublicIPKind, d.Address.Name()+"-ip", map[string]value.Value{})
			set("public_ip", value.Ref{Address: ip, Output: "name", Type: "string"})
		}
		set("backend", a.backend(d, declared))
		rules, _ := d.Kind.Schema.Field("rules")
		args[rules.Index] = a.followed(d, args[rules.Index])
		d.Kind.Complete(args)
		for _, p := range d.Kind.Check(args) {
			a.problems = append(a.problems, &diag.Diagnostic{Pos: d.Pos, Summary: d.Address.Short() + ": " + p.Error(), Hint: p.Hint})
		}
		d.SetArgs(args)
		for _, p := range azure.Balanced(args[rules.Index]) {
			if !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
	}
	return ports
}

// backend is where a load balancer sends to that does not say it: the workers that
// are in its group, or all that is there.
func (a *azureGroup) backend(of *resource.Declaration, declared []*resource.Declaration) value.List {
	var workers, all value.List
	for _, d := range declared {
		if d.Kind != azure.VMKind {
			continue
		}
		ref := value.Ref{Address: d.Address, Output: "hostname", Type: "string"}
		if all = append(all, ref); a.isWorker(d) {
			workers = append(workers, ref)
		}
	}
	switch {
	case len(workers) > 0:
		return workers
	case len(all) == 0:
		a.problems = append(a.problems, &diag.Diagnostic{
			Pos: of.Pos, Summary: of.Address.Short() + ": there is no machine that it could send to", Hint: "declare a vm() of this azure()",
		})
	}
	return all
}

// isWorker reports whether a machine joins a swarm as a worker.
func (a *azureGroup) isWorker(vm *resource.Declaration) bool {
	return slices.ContainsFunc(a.r.program.Declarations, func(d *resource.Declaration) bool {
		on := a.r.declared[value.Address(d.On)]
		return d.On != "" && on != nil && on.Scope == string(vm.Address) && argument(d, "role") == "worker"
	})
}

// followed are the rules that a load balancer has, and those of the services that it
// follows.
func (a *azureGroup) followed(d *resource.Declaration, given value.Value) value.List {
	rules, _ := value.Reveal(given).(value.List)
	rules = slices.Clone(rules)
	named := a.named(d)
	for _, s := range a.r.program.Declarations {
		follows, ok := argument(d, "follow").(value.Ref)
		of := slices.Contains(named, s.Address)
		if s.Kind.Name != "service" || s.External || !of && !(ok && s.Scope == string(follows.Address)) {
			continue
		}
		ports, _ := value.Reveal(argument(s, "ports")).(value.List)
		before := len(rules)
		for _, p := range ports {
			rule, problem := published(s, p)
			switch {
			case problem != "" && of:
				a.wrong(d, s, problem)
			case problem == "" && !slices.ContainsFunc(rules, func(r value.Value) bool { return value.Equal(r, rule) }):
				rules = append(rules, rule)
			}
		}
		if of && len(ports) == 0 && len(rules) == before {
			a.wrong(d, s, "publishes no port")
		}
	}
	return rules
}

// named are the services that a load balancer names.
func (a *azureGroup) named(d *resource.Declaration) (all []value.Address) {
	list, _ := argument(d, "services").(value.List)
	for _, v := range list {
		ref, ok := v.(value.Ref)
		if !ok {
			a.problems = append(a.problems, &diag.Diagnostic{
				Pos: d.Pos, Summary: fmt.Sprintf("%s: services: got %s, want what service(...) returns", d.Address.Short(), value.Text(value.Reveal(v))),
				Hint: "what a service publishes, its declaration says",
			})
			continue
		}
		all = append(all, ref.Address)
	}
	return all
}

func (a *azureGroup) wrong(d, service *resource.Declaration, problem string) {
	a.problems = append(a.problems, &diag.Diagnostic{
		Pos: d.Pos, Summary: fmt.Sprintf("%s cannot follow %s, which %s", d.Address.Short(), service.Address.Short(), problem),
		Related: []diag.Note{{Pos: service.Pos, Text: "the service is here"}},
	})
}

// published is the rule of a port of a service, or why it can have none: it has to be
// one that every node answers at.
func published(service *resource.Declaration, port value.Value) (rule value.Struct, problem string) {
	fields, ok := value.Reveal(port).(value.Struct)
	if !ok {
		return nil, "has a port that is not known yet"
	}
	f, _ := service.Kind.Schema.Field("ports")
	get := func(name string) value.Value {
		f, _ := f.Type.Elem.Struct.Field(name)
		if v := fields[f.Index]; v != nil {
			return v
		}
		return f.Default
	}
	number, known := value.Reveal(get("published")).(int64)
	protocol, _ := value.Reveal(get("protocol")).(string)
	switch {
	case get("mode") != "ingress":
		return nil, "publishes a port where its tasks are alone, and not at every node"
	case !known:
		return nil, "publishes a port that is not known yet"
	case number == 0:
		return nil, "lets the swarm choose a port: publish one by its number"
	case protocol == "sctp":
		return nil, "publishes sctp, which Azure balances not"
	}
	return azure.EncodeRule(azure.ServiceRule(service.Address.Name(), int(number), protocol)), ""
}
