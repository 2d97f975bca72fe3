package azure_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// written is a script with one of each kind whose change is a PUT.
const written = head + `
nsg = network_security_group("walls", rules = [security_rule("ssh", 100, ports = ["22"])])
net = virtual_network("net", subnets = [vnet_subnet("nodes", "192.168.0.0/24")])
ip = public_ip("front", dns_label = "shop-test-front")
network_interface("front", virtual_network = net, network_security_group = nsg, public_ip = ip)
availability_set("rack")
vm("web", provider = az, virtual_network = net, public_ip = False)
load_balancer("front", public_ip = public_ip("out"), rules = [lb_rule("web", 80), lb_rule("tls", 443)])
`

const (
	wallsPath  = "/providers/Microsoft.Network/networkSecurityGroups/walls"
	netPath    = "/providers/Microsoft.Network/virtualNetworks/net"
	frontPath  = "/providers/Microsoft.Network/publicIPAddresses/front"
	nicPath    = "/providers/Microsoft.Network/networkInterfaces/front"
	rackPath   = "/providers/Microsoft.Compute/availabilitySets/rack"
	lbPath     = "/providers/Microsoft.Network/loadBalancers/front"
	outboundID = "/frontendIPConfigurations/front"
)

type object = map[string]any

func versionOf(path string) string {
	if strings.Contains(path, "Compute") {
		return computeAPI
	}
	return networkAPI
}

// unspoken are things that others set in Azure and no script of ours can say.
var unspoken = []struct {
	path string
	set  func(o object)
}{
	{netPath, func(o object) { inside(o)["flowTimeoutInMinutes"] = 10 }},
	{netPath, func(o object) { inside(o)["dhcpOptions"] = object{"dnsServers": []any{"192.168.0.9"}} }},
	{netPath, func(o object) {
		inside(o)["encryption"] = object{"enabled": true, "enforcement": "AllowUnencrypted"}
	}},
	{netPath, func(o object) {
		inside(parts(o, "subnets")["nodes"])["serviceEndpoints"] = []any{object{"service": "Microsoft.Storage"}}
	}},
	{netPath, func(o object) {
		inside(parts(o, "subnets")["nodes"])["privateEndpointNetworkPolicies"] = "Enabled"
	}},
	{netPath, func(o object) {
		inside(o)["subnets"] = append(inside(o)["subnets"].([]any), object{"name": "theirs", "properties": object{"addressPrefix": "192.168.9.0/26"}})
	}},
	{wallsPath, func(o object) { inside(o)["flushConnection"] = true }},
	{frontPath, func(o object) {
		inside(o)["dnsSettings"].(object)["reverseFqdn"] = "shop-test-front.westeurope.cloudapp.azure.com"
	}},
	{frontPath, func(o object) { inside(o)["dnsSettings"].(object)["domainNameLabelScope"] = "TenantReuse" }},
	{frontPath, func(o object) { inside(o)["ddosSettings"] = object{"protectionMode": "Enabled"} }},
	{nicPath, func(o object) { inside(o)["dnsSettings"] = object{"dnsServers": []any{"192.168.0.9"}} }},
	{nicPath, func(o object) { inside(o)["disableTcpStateTracking"] = true }},
	{nicPath, func(o object) { inside(o)["workloadType"] = "theirs" }},
	{rackPath, func(o object) {
		inside(o)["scheduledEventsPolicy"] = object{"userInitiatedRedeploy": object{"automaticallyApprove": true}}
	}},
	{lbPath, func(o object) { inside(parts(o, "loadBalancingRules")["web"])["enableFloatingIP"] = true }},
	{lbPath, func(o object) { inside(parts(o, "loadBalancingRules")["web"])["enableConnectionTracking"] = true }},
	{lbPath, func(o object) { inside(parts(o, "probes")["tls"])["noHealthyBackendsBehavior"] = "AllProbedUp" }},
	{lbPath, func(o object) { inside(parts(o, "probes")["web"])["numberOfProbes"] = 5 }},
	{lbPath, func(o object) { parts(o, "frontendIPConfigurations")["front"]["zones"] = []any{"1", "2"} }},
	{lbPath, goesOut},
}

// goesOut gives the machines of a load balancer an outbound rule.
func goesOut(o object) {
	for _, rule := range parts(o, "loadBalancingRules") {
		inside(rule)["disableOutboundSnat"] = true
	}
	id := o["id"].(string)
	inside(o)["outboundRules"] = []any{object{"name": "out", "properties": object{
		"protocol": "All", "frontendIPConfigurations": []any{object{"id": id + outboundID}}, "backendAddressPool": object{"id": id + "/backendAddressPools/nodes"},
	}}}
}

// said is a resource without what each write changes.
func said(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, e := range v {
			if k != "etag" && k != "tags" {
				out[k] = said(e)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, said(e))
		}
		return out
	}
	return v
}

// A write says what the script says, and leaves all else as it is: whatever others have
// set beside it is no change in a plan, and is there after one.
func TestUntouched(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, dice := newStory(t), rand.New(rand.NewPCG(seed, 7))
			s.apply(written)
			before := map[string]any{}
			for _, u := range unspoken {
				if dice.IntN(3) > 0 {
					s.edit(u.path, versionOf(u.path), u.set)
				}
				before[u.path] = nil
			}
			for path := range before {
				before[path] = said(s.byHand("GET", path, versionOf(path), nil))
			}
			s.wants(written)
			s.apply(strings.Replace(written, "'westeurope'", "'westeurope', tags = {'cost': '42'}", 1))
			for path, was := range before {
				now := s.byHand("GET", path, versionOf(path), nil)
				if !reflect.DeepEqual(said(now), was) {
					t.Errorf("%s was\n%v\nand is\n%v", path, was, said(now))
				}
				if now["tags"].(object)["cost"] != "42" {
					t.Errorf("%s was not written: %v", path, now["tags"])
				}
			}
		})
	}
}

// What somebody writes between our reading and our writing is not lost: the step is
// told, and begins anew.
func TestWrittenInBetween(t *testing.T) {
	s := newStory(t)
	s.apply(written)
	src := written
	for op, path := range map[string]string{
		"VirtualNetworksClient.BeginCreateOrUpdate":   netPath,
		"SecurityGroupsClient.BeginCreateOrUpdate":    wallsPath,
		"PublicIPAddressesClient.BeginCreateOrUpdate": frontPath,
		"LoadBalancersClient.BeginCreateOrUpdate":     lbPath,
		"InterfacesClient.BeginCreateOrUpdate":        nicPath,
	} {
		src = strings.Replace(src, head, strings.Replace(head, "'westeurope'", fmt.Sprintf("'westeurope', tags = {'of': %q}", op), 1), 1)
		done := false
		s.wire.before = func(sent string) {
			if sent == op && !done {
				done = true
				s.edit(path, networkAPI, func(o object) { o["tags"].(object)["theirs"] = "yes" })
			}
		}
		s.try(src, false)
		s.wire.before = nil
		for _, r := range s.last.Steps {
			if r.Outcome != apply.OK {
				t.Errorf("%s: %s: %v", op, r.Change.Address, r.Err)
			}
		}
		if !done {
			t.Errorf("%s was not sent", op)
		}
		s.wants(src)
		if tags := s.byHand("GET", path, networkAPI, nil)["tags"].(object); tags["theirs"] != "yes" || tags["of"] != op {
			t.Errorf("%s: the tags are %v", op, tags)
		}
		src = written
	}
}

// A rule that a script adds to a load balancer leaves it to the outbound rules of
// others how its machines go out: Azure does not take both.
func TestNewRuleBesideAnOutboundRule(t *testing.T) {
	s := newStory(t)
	s.apply(written)
	s.edit(lbPath, networkAPI, goesOut)
	now := s.byHand("GET", lbPath, networkAPI, nil)
	inside(parts(now, "loadBalancingRules")["web"])["disableOutboundSnat"] = false
	if _, err := s.send("PUT", lbPath, networkAPI, now); !strings.Contains(fmt.Sprint(err), "LoadBalancingRuleMustDisableSNAT") {
		t.Errorf("both are taken: %v", err)
	}
	src := strings.Replace(written, `lb_rule("tls", 443)`, `lb_rule("tls", 443), lb_rule("dns", 53)`, 1)
	s.wants(src, `update load_balancer.front rules["dns"]`, `update network_security_group.shop-test-nsg rules["open-443-tcp"].priority rules["open-53-tcp"] rules["open-80-tcp"].priority`)
	s.apply(src)
	for name, rule := range parts(s.byHand("GET", lbPath, networkAPI, nil), "loadBalancingRules") {
		if inside(rule)["disableOutboundSnat"] != true {
			t.Errorf("rule %s: %v", name, rule)
		}
	}
}

// A rule for the machines of an application security group is not one for everybody:
// the plan says so, and a script can say it.
func TestApplicationSecurityGroup(t *testing.T) {
	s := newStory(t)
	s.apply(written)
	asg := s.byHand("PUT", "/providers/Microsoft.Network/applicationSecurityGroups/web", networkAPI, object{"location": "westeurope"})["id"].(string)
	limit := func(o object) {
		rule := inside(parts(o, "securityRules")["ssh"])
		delete(rule, "sourceAddressPrefix")
		rule["sourceApplicationSecurityGroups"] = []any{object{"id": asg}}
	}
	s.edit(wallsPath, networkAPI, limit)
	s.wants(written, `update network_security_group.walls rules["ssh"].sources`)

	// Ignored, or said by the script, it stays so through another change.
	tags := []string{"'westeurope'", "'westeurope', tags = {'cost': '42'}"}
	for _, to := range []string{`ports = ["22"])], lifecycle = lifecycle(ignore_changes = ["rules"]))`, fmt.Sprintf(`ports = ["22"], sources = [%q])])`, strings.ToUpper(asg))} {
		src := strings.NewReplacer(append(tags, `ports = ["22"])])`, to)...).Replace(written)
		s.apply(src)
		rule := inside(parts(s.byHand("GET", wallsPath, networkAPI, nil), "securityRules")["ssh"])
		if !strings.EqualFold(fmt.Sprint(rule["sourceApplicationSecurityGroups"]), fmt.Sprintf("[map[id:%s]]", asg)) || rule["sourceAddressPrefix"] != nil {
			t.Errorf("%s: the rule is %v", to, rule)
		}
		tags[1] = strings.Replace(tags[1], "42", "43", 1)
	}
	s.apply(written)
	if rule := inside(parts(s.byHand("GET", wallsPath, networkAPI, nil), "securityRules")["ssh"]); rule["sourceAddressPrefix"] != "*" || rule["sourceApplicationSecurityGroups"] != nil {
		t.Errorf("as the script says: %v", rule)
	}
}
