package azure

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// SecurityGroupSpec is what a script says of a network security group.
type SecurityGroupSpec struct {
	Name  string            `star:"name,required,pos,local" doc:"Its name."`
	Rules []SecurityRule    `star:"rules,set" doc:"Its rules, all of them, beside Azure's own: those let in what comes from the network and from load balancers, and nothing else."`
	Tags  map[string]string `star:"tags,merge,fold" doc:"Tags."`
}

// SecurityRule is a rule of a network security group.
type SecurityRule struct {
	Name         string   `star:"name,required,pos,key" doc:"Its name."`
	Priority     int      `star:"priority,required,pos" min:"100" max:"4096" doc:"Its place: the lowest number that fits decides."`
	Direction    string   `star:"direction" default:"Inbound" enum:"Inbound,Outbound" doc:"Which way."`
	Access       string   `star:"access" default:"Allow" enum:"Allow,Deny" doc:"What happens."`
	Protocol     string   `star:"protocol" default:"Tcp" enum:"Tcp,Udp,Icmp,Esp,Ah,*" doc:"The protocol; Esp is what encrypted networks of a swarm use."`
	Ports        []string `star:"ports,set" doc:"The ports, or ranges of them such as \"8000-8010\", that it is sent to; all if left out."`
	Sources      []string `star:"sources,set" doc:"Whence: addresses, ranges, a service tag such as \"VirtualNetwork\", or IDs of application security groups; everywhere if left out."`
	SourcePorts  []string `star:"source_ports,set" doc:"The ports that it is sent from; all if left out."`
	Destinations []string `star:"destinations,set" doc:"Where to: addresses, ranges, a service tag, or IDs of application security groups; everywhere if left out."`
	Description  string   `star:"description" doc:"What it is for."`
}

// SchemaName implements [schema.Named].
func (*SecurityGroupSpec) SchemaName() (string, string) {
	return "network_security_group", "A network security group of Azure: what may come to the machines of a subnet, and leave them."
}

// SchemaName implements [schema.Named].
func (*SecurityRule) SchemaName() (string, string) {
	return "security_rule", "A rule of a network security group."
}

var securityGroupSchema = schema.Of(SecurityGroupSpec{})

// SecurityGroupKind is a network security group.
var SecurityGroupKind = &resource.Kind{
	Name:    "network_security_group",
	Schema:  securityGroupSchema,
	Scope:   "azure",
	Rank:    5,
	Keyless: true,
	Out:     named,
	Check:   checkSecurityGroup,
	Same: func(_ *resource.Object, _ value.Struct, c schema.Change) bool {
		return c.Type.Kind == schema.ListOf && sameWords(c.Before, c.After)
	},
	Handler: securityGroupHandler{},
}

func checkSecurityGroup(args value.Struct) schema.Problems {
	p := &problemsOf{schema: securityGroupSchema, args: args}
	p.text("name", resourceName)
	p.ps = append(p.ps, checkTags(p.get("tags"))...)
	var spec SecurityGroupSpec
	if securityGroupSchema.Decode(args, &spec) != nil {
		return p.done() // not all is known yet
	}
	taken := map[string]string{}
	for i, r := range spec.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		if msg := resourceName(r.Name); msg != "" {
			p.ps = append(p.ps, &schema.Problem{Path: path + ".name", Msg: msg})
		}
		place := r.Direction + " " + strconv.Itoa(r.Priority)
		if other := taken[place]; other != "" {
			p.ps = append(p.ps, &schema.Problem{Path: path + ".priority", Msg: fmt.Sprintf("%d is that of %s too: those of one direction differ", r.Priority, other)})
		}
		taken[place] = r.Name
		for _, address := range slices.Concat(r.Sources, r.Destinations) {
			if msg := wrongAddress(address); msg != "" {
				p.ps = append(p.ps, &schema.Problem{Path: path, Msg: msg})
			}
		}
		for _, port := range slices.Concat(r.Ports, r.SourcePorts) {
			if port != "*" && !validPort(port) || strings.Contains(port, "/") {
				p.ps = append(p.ps, &schema.Problem{Path: path, Msg: fmt.Sprintf("got port %q, want \"80\" or \"8000-8010\"", port)})
			}
		}
	}
	return p.done()
}

// anything is what Azure calls no limit.
const anything = "*"

// serviceTag is what Azure calls the addresses of one of its services.
var serviceTag = pattern.Of(`^[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?$`)

// wrongAddress says what is wrong with whence or where to a rule is.
func wrongAddress(s string) string {
	_, errIP := netip.ParseAddr(s)
	_, errRange := netip.ParsePrefix(s)
	if s == anything || errIP == nil || errRange == nil || serviceTag().MatchString(s) || isApplicationGroup(s) {
		return ""
	}
	return fmt.Sprintf("got %q, want an address, a range such as \"203.0.113.0/24\", a service tag such as \"VirtualNetwork\", or the ID of an application security group", s)
}

// isApplicationGroup reports whether whence or where to a rule is names the machines of
// an application security group.
func isApplicationGroup(s string) bool {
	id, err := ParseID(s)
	return err == nil && strings.EqualFold(id.Type, applicationGroupType)
}

// several brings what Azure writes as one value or as several to a list: of no
// limit it is empty.
func several(one *string, more []*string) []string {
	list := texts(more)
	if text(one) != "" {
		list = append(list, *one)
	}
	if slices.Contains(list, anything) {
		return nil
	}
	return list
}

// groups splits a list into IDs of application security groups and what else it has.
func groups(list []string) (ids []*armnetwork.ApplicationSecurityGroup, rest []string) {
	for _, s := range list {
		if isApplicationGroup(s) {
			ids = append(ids, &armnetwork.ApplicationSecurityGroup{ID: &s})
		} else {
			rest = append(rest, s)
		}
	}
	return ids, rest
}

// withGroups is the inverse of groups.
func withGroups(list []string, ids []*armnetwork.ApplicationSecurityGroup) []string {
	for _, g := range ids {
		list = append(list, text(g.ID))
	}
	return list
}

// sameWords reports whether two sets of texts differ in letter case alone, as IDs do.
func sameWords(a, b value.Value) bool {
	x, ok1 := words(a)
	y, ok2 := words(b)
	return ok1 && ok2 && slices.Equal(foldedSet(x), foldedSet(y))
}

// words are the texts of a list, if it has nothing else.
func words(v value.Value) (out []string, ok bool) {
	list, ok := value.Reveal(v).(value.List)
	for _, e := range list {
		s, isText := value.Reveal(e).(string)
		out, ok = append(out, s), ok && isText
	}
	return out, ok
}

// oneOf is the inverse of several.
func oneOf(list []string) (one *string, more []*string) {
	switch len(list) {
	case 0:
		return ptr(anything), nil
	case 1:
		return &list[0], nil
	}
	return nil, pointers(list)
}

// arm is the rule as Azure takes it.
func (r SecurityRule) arm() *armnetwork.SecurityRule {
	p := &armnetwork.SecurityRulePropertiesFormat{
		Priority: ptr(int32(r.Priority)), Direction: ptr(armnetwork.SecurityRuleDirection(r.Direction)),
		Access: ptr(armnetwork.SecurityRuleAccess(r.Access)), Protocol: ptr(armnetwork.SecurityRuleProtocol(r.Protocol)),
	}
	if r.Description != "" {
		p.Description = &r.Description
	}
	p.DestinationPortRange, p.DestinationPortRanges = oneOf(r.Ports)
	p.SourcePortRange, p.SourcePortRanges = oneOf(r.SourcePorts)
	var sources, destinations []string
	p.SourceApplicationSecurityGroups, sources = groups(r.Sources)
	p.DestinationApplicationSecurityGroups, destinations = groups(r.Destinations)
	if len(sources) > 0 || p.SourceApplicationSecurityGroups == nil {
		p.SourceAddressPrefix, p.SourceAddressPrefixes = oneOf(sources)
	}
	if len(destinations) > 0 || p.DestinationApplicationSecurityGroups == nil {
		p.DestinationAddressPrefix, p.DestinationAddressPrefixes = oneOf(destinations)
	}
	return &armnetwork.SecurityRule{Name: ptr(r.Name), Properties: p}
}

// readRule is the inverse of arm. Azure's own spellings of an enum vary.
func readRule(r *armnetwork.SecurityRule) SecurityRule {
	p := val(r.Properties)
	return SecurityRule{
		Name: text(r.Name), Priority: int(val(p.Priority)), Description: text(p.Description),
		Direction: spelled(text(p.Direction), "Inbound", "Outbound"), Access: spelled(text(p.Access), "Allow", "Deny"),
		Protocol:     spelled(text(p.Protocol), "Tcp", "Udp", "Icmp", "Esp", "Ah"),
		Ports:        several(p.DestinationPortRange, p.DestinationPortRanges),
		SourcePorts:  several(p.SourcePortRange, p.SourcePortRanges),
		Sources:      withGroups(several(p.SourceAddressPrefix, p.SourceAddressPrefixes), p.SourceApplicationSecurityGroups),
		Destinations: withGroups(several(p.DestinationAddressPrefix, p.DestinationAddressPrefixes), p.DestinationApplicationSecurityGroups),
	}
}

func spelled(s string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(s, k) {
			return k
		}
	}
	return s
}

func (c *Conn) securityGroupObject(_ *clients, g *armnetwork.SecurityGroup) *resource.Object {
	p := val(g.Properties)
	o := c.object(SecurityGroupKind, text(g.ID), text(p.ResourceGUID), text(g.Name), g.Tags, g)
	spec := &SecurityGroupSpec{Name: o.Name, Tags: o.Native.(*native).tags}
	for _, r := range p.SecurityRules {
		spec.Rules = append(spec.Rules, readRule(r))
	}
	o.Args = securityGroupSchema.Encode(spec)
	settled(o, text(p.ProvisioningState))
	return o
}

type securityGroupHandler struct{}

// Create implements [resource.Handler].
func (h securityGroupHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[SecurityGroupSpec](ctx, rc, r, securityGroupSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.nsgs.Get(ctx, c.Group(), spec.Name, nil); absent(err) != nil {
		return nil, absent(err)
	}
	return h.put(ctx, c, cl, r, spec, armnetwork.SecurityGroup{Location: &c.cfg.Location, Properties: &armnetwork.SecurityGroupPropertiesFormat{}})
}

// Update implements [resource.Handler]. Its rules are those of the script; all else of
// it stays as it was read.
func (h securityGroupHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[SecurityGroupSpec](ctx, rc, r, securityGroupSchema)
	if err != nil {
		return nil, err
	}
	now, err := cl.nsgs.Get(ctx, c.Group(), spec.Name, nil)
	if err != nil {
		return nil, explain(err)
	}
	return h.put(ctx, c, cl, r, spec, now.SecurityGroup)
}

func (securityGroupHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, spec SecurityGroupSpec, g armnetwork.SecurityGroup) (*resource.Object, error) {
	g.Tags = tagsFor(r, g.Tags, spec.Tags, nil)
	g.Properties.SecurityRules = []*armnetwork.SecurityRule{}
	for _, rule := range spec.Rules {
		g.Properties.SecurityRules = append(g.Properties.SecurityRules, rule.arm())
	}
	poller, err := cl.nsgs.BeginCreateOrUpdate(unchanged(telling(ctx, toProgress(r)), g.Etag), c.Group(), spec.Name, g, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.securityGroupObject(cl, &got.SecurityGroup), nil
}

// Delete implements [resource.Handler].
func (securityGroupHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, name string) error {
		poller, err := cl.nsgs.BeginDelete(ctx, group, name, nil)
		return finishDelete(ctx, poller, err)
	})
}

// SwarmRules are the rules of a security group whose machines are a swarm: SSH from
// where the script says, what a swarm needs from the network, what the script
// opens and what load balancers send, and nothing else. Azure's own rules would let
// the whole network in. To Azure the host's own address is a part of the network,
// and that is where load balancers probe from.
func SwarmRules(sshFrom string, open, balanced []string) []SecurityRule {
	network := []string{"VirtualNetwork"}
	ssh := SecurityRule{Name: "ssh", Priority: 100, Direction: "Inbound", Access: "Allow", Protocol: "Tcp", Ports: []string{"22"}}
	if sshFrom != "" {
		ssh.Sources = []string{sshFrom}
	}
	rules := []SecurityRule{
		ssh,
		{Name: "swarm-managers", Priority: 110, Protocol: "Tcp", Ports: []string{"2377"}, Sources: network},
		{Name: "swarm-gossip-tcp", Priority: 120, Protocol: "Tcp", Ports: []string{"7946"}, Sources: network},
		{Name: "swarm-gossip-udp", Priority: 130, Protocol: "Udp", Ports: []string{"7946"}, Sources: network},
		{Name: "swarm-data", Priority: 140, Protocol: "Udp", Ports: []string{"4789"}, Sources: network},
		{Name: "swarm-encrypted", Priority: 150, Protocol: "Esp", Sources: network},
		{Name: "ping", Priority: 160, Protocol: "Icmp", Sources: network},
		{Name: "closed-within", Priority: 4096, Access: "Deny", Protocol: "*", Sources: network},
	}
	if len(balanced) > 0 {
		rules = append(rules, SecurityRule{Name: "probes", Priority: 170, Protocol: "Tcp", Sources: []string{"AzureLoadBalancer"}})
	}
	for _, p := range balanced {
		if !slices.Contains(open, p) {
			open = append(slices.Clone(open), p)
		}
	}
	for i, p := range open {
		port, proto, _ := strings.Cut(p, "/")
		rules = append(rules, SecurityRule{
			Name: "open-" + strings.ReplaceAll(p, "/", "-"), Priority: 1000 + i, Protocol: spelled(cmp.Or(proto, "tcp"), "Tcp", "Udp"), Ports: []string{port},
		})
	}
	for i := range rules {
		rules[i].Direction, rules[i].Access = "Inbound", cmp.Or(rules[i].Access, "Allow")
	}
	return rules
}

// EncodeRules are rules as an argument.
func EncodeRules(rules []SecurityRule) value.List {
	var out value.List
	for _, r := range rules {
		out = append(out, schema.Of(SecurityRule{}).Encode(&r))
	}
	return out
}
