package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// The quickstart makes the same swarm in a lab and on real machines: what the
// managers say of it differs in what is random, and in what the machines are.
func TestQuickstartIsTheSame(t *testing.T) {
	if _, err := local.Open(local.Config{}); err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile("quickstart/cluster.star")
	if err != nil {
		t.Fatal(err)
	}
	simulated := newLab(t, "quickstart/demo", string(text))
	real := &stage{T: t, script: "quickstart/cluster.star", project: "quickstart/demo", flags: []string{"--provider", "local"}}
	real.destroy() // what a run left that was killed
	t.Cleanup(real.destroy)

	// There is no registry here: the real machines get images of the names first.
	real.apply(nil, "--exclude", "service.web", "--exclude", "service.db")
	images, err := os.ReadFile(testengine.Archive(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"wrk-0", "wrk-1", "wrk-2"} { // in one login each: hardened() counts them
		real.on(w, fmt.Sprintf("docker load --quiet && printf 'FROM %s\\nENV PORT=80\\n' | docker build -q -t nginx:1.27 - && docker tag %s postgres:17", testengine.Web1, testengine.Sleep), images)
	}
	real.apply(nil)
	real.eventually("the plan is empty", func() bool { // it may come sooner than another login
		code, _ := real.run(real.args("plan", nil, "--detailed-exitcode")...)
		return code == 0
	})
	simulated.apply(nil)
	simulated.settled()

	want := told(t, real.lists(real.reach("mgr-0")))
	got := told(t, simulated.lists(simulated.labHost("mgr-0")))
	if got != want {
		t.Errorf("the lab has\n%s\nthe real machines have\n%s", got, want)
	}
}

// masked is what two swarms never share: what is hashed with a project's key or is
// the hash of what is random, machines' addresses, and what an engine writes beside an
// image whose registry answers, as that of a lab does.
var masked = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`-[0-9a-f]{12}"`), `-HASH"`},
	{regexp.MustCompile(`"swarmscript.hash":"[^"]*"`), `"swarmscript.hash":"HASH"`},
	{regexp.MustCompile(`"advertise_addr\\":\\"[0-9.]*`), `"advertise_addr\":\"ADDRESS`},
	{regexp.MustCompile(`@sha256:[0-9a-f]{64}`), ``},
	{regexp.MustCompile(`,"Platforms":\[[^]]*\]`), ``},
}

// told is what a manager lists, without what is another swarm's in any case: IDs,
// times, keys, addresses of machines.
func told(t *testing.T, l swarmLists) string {
	t.Helper()
	names := map[string]string{}
	var out []string
	add := func(kind string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, kind+" "+string(text))
	}
	add("swarm", l.swarm.Spec)
	for _, n := range l.networks {
		names[n.ID] = "<" + n.Name + ">"
		add("network", []any{n.Name, n.Driver, n.Scope, n.Internal, n.Attachable, n.Ingress, n.EnableIPv6, n.IPAM, n.Labels})
	}
	for _, n := range l.nodes {
		names[n.ID] = "<" + n.Description.Hostname + ">"
		add("node", []any{n.Description.Hostname, n.Spec, n.Status.State, n.Description.Engine.EngineVersion, n.Description.Platform, n.ManagerStatus != nil})
	}
	for _, s := range l.secrets {
		names[s.ID] = "<secret>"
		add("secret", s.Spec)
	}
	for _, c := range l.configs {
		names[c.ID] = "<config>"
		if !strings.HasPrefix(c.Spec.Name, "swarmscript.") { // the lease, and the project's key
			add("config", c.Spec)
		}
	}
	for _, s := range l.services {
		names[s.ID] = "<" + s.Spec.Name + ">"
		add("service", []any{s.Spec, s.Endpoint.Spec, s.Endpoint.Ports, s.PreviousSpec == nil})
	}
	slices.Sort(out)
	text := strings.Join(out, "\n")
	for id, name := range names {
		text = strings.ReplaceAll(text, id, name)
	}
	for _, m := range masked {
		text = m.what.ReplaceAllString(text, m.by)
	}
	return text
}
