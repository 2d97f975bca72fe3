package azure_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// told makes each change of a script, which has to be planned as it is said, and
// applies it; after that there is nothing to do.
func (s *story) told(src string, steps ...[]string) string {
	s.Helper()
	for _, step := range steps {
		if !strings.Contains(src, step[0]) {
			s.Fatalf("the script has no %s", step[0])
		}
		src = strings.Replace(src, step[0], step[1], 1)
		s.wants(src, step[2:]...)
		s.apply(src)
	}
	return src
}

// Machines of an availability set are in no zone. It goes after them.
func TestAvailabilitySet(t *testing.T) {
	s := newStory(t)
	src := head + `
set = availability_set("front", fault_domains = 3, update_domains = 7, tags = {"a": "b"})
[vm("web-%d" % i, provider = az, availability_set = set) for i in range(2)]
`
	s.apply(src)
	const path = "/providers/Microsoft.Compute/availabilitySets/front"
	got := s.byHand("GET", path, computeAPI, nil)
	if n := len(got["properties"].(map[string]any)["virtualMachines"].([]any)); n != 2 || got["sku"].(map[string]any)["name"] != "Aligned" {
		t.Errorf("%d machines are in the set, which is %v", n, got["sku"])
	}
	if vm := s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/web-0", computeAPI, nil); vm["zones"] != nil {
		t.Errorf("its machines are in the zones %v", vm["zones"])
	}

	got["tags"].(map[string]any)["a"] = "changed"
	s.byHand("PUT", path, computeAPI, map[string]any{"location": "westeurope", "tags": got["tags"], "sku": got["sku"], "properties": map[string]any{"platformFaultDomainCount": 3, "platformUpdateDomainCount": 7}})
	s.wants(src, `update availability_set.front tags["a"]`)
	s.apply(src)

	src = s.told(src,
		[]string{`{"a": "b"}`, `{"a": "c"}`, `update availability_set.front tags["a"]`},
		[]string{"update_domains = 7", "update_domains = 5", "replace availability_set.front update_domains", "replace vm.web-0", "replace vm.web-1"},
		[]string{"fault_domains = 3", "fault_domains = 2", "replace availability_set.front fault_domains", "replace vm.web-0", "replace vm.web-1"},
		[]string{", availability_set = set", ""}, // left as it is
	)
	s.destroy(src)
}

// What does not go together is said before anything is asked.
func TestPartsThatClash(t *testing.T) {
	s := newStory(t)
	for src, want := range map[string]string{
		`vm("a", provider = az, availability_set = "s", zone = "1")`:                                 "zone: cannot be given beside availability_set",
		`vm("a", provider = az, availability_set = "s", spot = True)`:                                "takes no spot machine",
		`availability_set("s", fault_domains = 4)`:                                                   "fault_domains",
		`azure("westus", resource_group = "b", tags = {"a": 1})`:                                     "want a text",
		`azure("westus", resource_group = "b", tags = {"a/b": "1"})`:                                 "none of",
		`azure("westus", resource_group = "b", tags = {1: "1"})`:                                     "got int as a name",
		`vm_extension("web", "x", settings = {"a": [env("B", "c", sensitive = True)]})`:              "protected_settings take it",
		`vm_extension("web", "x", settings = {"script": "a"}, protected_settings = {"script": "b"})`: "what shall run is in protected_settings too",
		`vm_extension("web", "x", version = "two")`:                                                  "want MAJOR.MINOR",
		`availability_set("-", tags = {"swarmscript.project": "mine"})`:                              "is ours",
	} {
		err := fmt.Sprint(s.problems(head + src))
		if !strings.Contains(err, want) {
			t.Errorf("%s: %s, want %s", src, err, want)
		}
	}
}

// The tags of an azure() are on all that is made, and compared as a resource's own
// are, which come before them.
func TestDefaultTags(t *testing.T) {
	s := newStory(t)
	src := strings.Replace(head, "'westeurope'", "'westeurope', tags = {'cost': '42', 'team': 'web'}", 1) + `
public_ip("front", tags = {"team": "net"})
availability_set("set")
vm("web", provider = az)
`
	s.apply(src)
	s.everything("cost", "42")
	const ip = "/providers/Microsoft.Network/publicIPAddresses/front"
	tags := s.byHand("GET", ip, networkAPI, nil)["tags"].(map[string]any)
	if tags["team"] != "net" {
		t.Errorf("its own tags do not come first: %v", tags)
	}
	delete(tags, "cost")
	s.byHand("PATCH", ip, networkAPI, map[string]any{"tags": tags})
	s.wants(src, `update public_ip.front tags["cost"]`)
	s.apply(src)

	src = strings.Replace(src, "'42'", "'43'", 1)
	const change = ` tags["cost"]`
	s.wants(src, "update availability_set.set"+change, "update network_security_group.shop-test-nsg"+change, "update public_ip.front"+change, "update resource_group.shop-test"+change, "update virtual_network.shop-test-vnet"+change, "update vm.web"+change)
	s.apply(src)
	s.everything("cost", "43")
	s.destroy(src)

	// So has the lease, and the group that is made for it.
	conn := azure.Connect(azure.Config{Location: "westeurope"}.WithTags(map[string]string{"cost": "43", "team": "web"}), "shop/test", azure.NewThrottle())
	lease, err := conn.WriteLease(s.ctx, "shop/test", nil, &resource.Lease{Holder: "a", Expires: time.Now().Add(time.Minute).UTC()})
	s.must(err)
	for _, r := range append(s.byHand("GET", "/resources", "2021-04-01", nil)["value"].([]any), s.byHand("GET", "", "2021-04-01", nil)) {
		if tags := r.(map[string]any)["tags"].(map[string]any); tags["cost"] != "43" {
			t.Errorf("the lease, or its group, has the tags %v", tags)
		}
	}
	_, err = conn.WriteLease(s.ctx, "shop/test", lease, nil)
	s.must(err)
	s.wants(src, "create availability_set.set", "create network_security_group.shop-test-nsg", "create public_ip.front", "create virtual_network.shop-test-vnet", "create vm.web")
	s.byHand("DELETE", "", "2021-04-01", nil)

	// A group that is only used gets none.
	s.byHand("PUT", "", "2021-04-01", map[string]any{"location": "westeurope"})
	s.apply(src)
	if got := s.byHand("GET", "", "2021-04-01", nil)["tags"]; got != nil {
		t.Errorf("a group of others got the tags %v", got)
	}
	s.try(src, true)
	if _, err := s.send("GET", "", "2021-04-01", nil); err != nil {
		t.Errorf("a group of others is gone: %v", err)
	}
}

// everything fails the test where something in the group, or the group, has not got
// a tag.
func (s *story) everything(name, want string) {
	s.Helper()
	all := append(s.byHand("GET", "/resources", "2021-04-01", nil)["value"].([]any), s.byHand("GET", "", "2021-04-01", nil))
	if len(all) < 9 { // set, network, security group, two addresses, interface, disk, machine, group
		s.Errorf("there are only %d resources", len(all))
	}
	for _, r := range all {
		r := r.(map[string]any)
		if tags, _ := r["tags"].(map[string]any); tags[name] != want {
			s.Errorf("%v has the tags %v", r["id"], r["tags"])
		}
	}
}
