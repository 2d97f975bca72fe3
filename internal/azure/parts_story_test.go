package azure_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
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
		`vm("a", provider = az, availability_set = "s", zone = "1")`:    "zone: cannot be given beside availability_set",
		`vm("a", provider = az, availability_set = "s", spot = True)`:   "takes no spot machine",
		`availability_set("s", fault_domains = 4)`:                      "fault_domains",
		`availability_set("-", tags = {"swarmscript.project": "mine"})`: "is ours",
	} {
		err := fmt.Sprint(s.problems(head + src))
		if !strings.Contains(err, want) {
			t.Errorf("%s: %s, want %s", src, err, want)
		}
	}
}

// problems are what is wrong with a script by itself.
func (s *story) problems(src string) error {
	s.Helper()
	rec := builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
	session := lang.NewSession(lang.Options{Root: s.TempDir(), Predeclared: rec.Predeclared()})
	if _, err := session.ExecSource(s.ctx, "x.star", []byte(src)); err != nil {
		return err
	}
	_, problems := rec.Program()
	return problems.Err()
}
