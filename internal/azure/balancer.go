package azure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// BalancerSpec is what a script says of a load balancer.
type BalancerSpec struct {
	Name     string            `star:"name,required,pos,local" doc:"Its name."`
	PublicIP *string           `star:"public_ip" ref:"public_ip.name" doc:"Its public address: a public_ip, or its name or ID. Left out, one is made for it, NAME-ip."`
	Backend  []string          `star:"backend,set" ref:"vm.hostname" doc:"The machines that it sends to. Left out, those that join a swarm as workers; where there are none, all machines of the azure()."`
	Rules    []BalancerRule    `star:"rules,set" doc:"What it sends to them, beside what services and follow say."`
	Services []string          `star:"services,set,local" ref:"service.name" doc:"Services whose published ports it sends on, each to the same port of the machines: those that every node answers at."`
	Follow   *string           `star:"follow,local" ref:"swarm.id" doc:"A swarm, of all services of which it does that."`
	Tags     map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// BalancerRule is what a load balancer does with one port. Azure keeps a rule and a
// probe of it, each with its name.
type BalancerRule struct {
	Name         string `star:"name,required,pos,key" doc:"Its name."`
	Port         int    `star:"port,required,pos" min:"1" max:"65534" doc:"The port of the load balancer."`
	Protocol     string `star:"protocol" default:"tcp" enum:"tcp,udp" doc:"The protocol."`
	BackendPort  *int   `star:"backend_port" min:"1" max:"65535" doc:"The port of the machines; the same if left out."`
	Distribution string `star:"load_distribution" default:"Default" enum:"Default,SourceIP,SourceIPProtocol" doc:"What goes to one machine as long as that answers: each connection by itself, all of a client, all of a client and protocol."`
	IdleTimeout  int    `star:"idle_timeout" default:"4" min:"4" max:"30" doc:"Minutes after which a silent connection is forgotten."`
	TCPReset     bool   `star:"tcp_reset" doc:"Whether both ends are told then."`

	Probe          string  `star:"probe" default:"tcp" enum:"tcp,http,https" doc:"How a machine is asked whether it takes part: by a connection, or by a request that is answered with 200."`
	ProbePort      *int    `star:"probe_port" min:"1" max:"65535" doc:"At which port; backend_port if left out."`
	ProbePath      *string `star:"probe_path" doc:"What is asked for by http and https; / if left out."`
	ProbeInterval  int     `star:"probe_interval" default:"5" min:"5" max:"3600" doc:"Seconds between two probes."`
	ProbeThreshold int     `star:"probe_threshold" default:"2" min:"1" max:"100" doc:"How many in a row fail until a machine is left out, and go well until it is back."`
}

// SchemaName implements [schema.Named].
func (*BalancerSpec) SchemaName() (string, string) {
	return "load_balancer", "A load balancer of Azure's Standard kind: one public address whose ports go to several machines. What it sends them, the security group that is made for them lets in."
}

// SchemaName implements [schema.Named].
func (*BalancerRule) SchemaName() (string, string) {
	return "lb_rule", "A rule of a load balancer: a port, where it goes, and how machines are probed."
}

var (
	balancerSchema = schema.Of(BalancerSpec{})
	ruleSchema     = schema.Of(BalancerRule{})
)

// BalancerKind is a load balancer. Who is in its pool, the machines' interfaces say:
// Azure takes members of a pool of interfaces by no write of the pool. So they are
// written when the pool changes, and a machine that is made while its load balancer
// is there is born into it.
var BalancerKind = &resource.Kind{
	Name:    "load_balancer",
	Schema:  balancerSchema,
	Scope:   "azure",
	Rank:    25, // its machines first: they leave it by going
	Keyless: true,
	Loose:   true,
	Out: append([]resource.Output{
		{Name: "ip_address", Type: "string", Doc: "Its public address."},
		{Name: "fqdn", Type: "string", Doc: "Its name in DNS, where its public_ip has a dns_label."},
	}, named...),
	Check:    checkBalancer,
	Complete: completeBalancer,
	Same: func(live *resource.Object, _ value.Struct, c schema.Change) bool {
		n, ok := live.Native.(*native)
		return ok && c.Field.Name == "public_ip" && n.place().same(asText(c.Before), asText(c.After))
	},
	Ending: func(_ *resource.Object, anew bool) string {
		if anew {
			return resource.Interrupted + " until it is there again"
		}
		return "nothing is reached through it any more"
	},
	Handler: balancerHandler{},
}

func checkBalancer(args value.Struct) schema.Problems {
	p := &problemsOf{schema: balancerSchema, args: args}
	p.text("name", resourceName)
	p.ps = append(p.ps, checkTags(p.get("tags"))...)
	rules, _ := p.get("rules").(value.List)
	names, fronts, backs := map[string]int{}, map[string]string{}, map[string]string{}
	for i, v := range rules {
		fields, ok := value.Reveal(v).(value.Struct)
		var r BalancerRule
		if !ok || ruleSchema.Decode(fields, &r) != nil {
			continue // not known yet
		}
		path := fmt.Sprintf("rules[%d]", i)
		add := func(field, format string, a ...any) {
			p.ps = append(p.ps, &schema.Problem{Path: path + field, Msg: fmt.Sprintf(format, a...)})
		}
		if msg := resourceName(r.Name); msg != "" {
			add(".name", "%s", msg)
		}
		if _, taken := names[r.Name]; taken {
			add(".name", "%q is that of another rule", r.Name)
		}
		names[r.Name] = i
		front := fmt.Sprintf("%d/%s", r.Port, r.Protocol)
		if other := fronts[front]; other != "" {
			add(".port", "%s is that of %s too", front, other)
		}
		fronts[front] = r.Name
		back := fmt.Sprintf("%d/%s", *cmp.Or(r.BackendPort, &r.Port), r.Protocol)
		if other := backs[back]; other != "" {
			add("", "%s goes to %s of the machines, and so does %s: Azure allows one", r.Name, back, other)
		}
		backs[back] = r.Name
		if r.Protocol == "udp" && r.ProbePort == nil {
			add(".probe_port", "is missing: Azure probes no udp, so say which other port answers")
		}
		switch {
		case r.ProbePath == nil:
		case r.Probe == "tcp":
			add(".probe_path", "is for http and https")
		case !strings.HasPrefix(*r.ProbePath, "/"):
			add(".probe_path", "got %q, want a path, as \"/health\"", *r.ProbePath)
		}
	}
	return p.done()
}

// completeBalancer says of each rule what it leaves out.
func completeBalancer(args value.Struct) {
	f, _ := balancerSchema.Field("rules")
	rules, ok := args[f.Index].(value.List)
	if !ok {
		return
	}
	rules = slices.Clone(rules)
	for i, v := range rules {
		if fields, ok := v.(value.Struct); ok {
			rules[i] = completeRule(slices.Clone(fields))
		}
	}
	args[f.Index] = rules
}

func completeRule(r value.Struct) value.Struct {
	at := func(name string) *value.Value {
		f, _ := ruleSchema.Field(name)
		return &r[f.Index]
	}
	if *at("backend_port") == nil {
		*at("backend_port") = *at("port")
	}
	if *at("probe_port") == nil && *at("protocol") != "udp" {
		*at("probe_port") = *at("backend_port")
	}
	if probe := asText(*at("probe")); *at("probe_path") == nil && strings.HasPrefix(probe, "http") {
		*at("probe_path") = "/"
	}
	return r
}

// ServiceRule is the rule of a port that a service publishes at every node of its
// swarm. What Azure cannot probe is taken for well where the node's own port for
// other nodes answers.
func ServiceRule(service string, port int, protocol string) BalancerRule {
	r := BalancerRule{
		Name: fmt.Sprintf("%s-%d-%s", service, port, protocol), Port: port, Protocol: protocol, BackendPort: &port,
		Distribution: "Default", IdleTimeout: 4, Probe: "tcp", ProbePort: &port, ProbeInterval: 5, ProbeThreshold: 2,
	}
	if protocol == "udp" {
		r.ProbePort = ptr(nodePort)
	}
	return r
}

// nodePort is where each node of a swarm listens for the others.
const nodePort = 7946

// EncodeRule is a rule as an argument.
func EncodeRule(r BalancerRule) value.Struct { return ruleSchema.Encode(&r) }

// Balanced are the ports that a list of rules sends to, as azure(open_ports=) has
// them: those that are known.
func Balanced(rules value.Value) (ports []string) {
	list, _ := value.Reveal(rules).(value.List)
	for _, v := range list {
		fields, ok := value.Reveal(v).(value.Struct)
		var r BalancerRule
		if ok && ruleSchema.Decode(fields, &r) == nil && r.BackendPort != nil {
			ports = append(ports, fmt.Sprintf("%d/%s", *r.BackendPort, r.Protocol))
		}
	}
	return ports
}
